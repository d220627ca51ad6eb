"""Encode an operation as the bytes that its Lua function reads.

An operation is sent as MessagePack values one after the other, without an array around them: its tag, then its fields
in the order of its class, or of its ``wire`` where it has one. ``lua/lib/batch.lua`` reads them. In front of one that
may make names known stand their folds.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from server.domain.binding import Bound
from server.domain.exchange import Exchange
from server.domain.key_limits import Quota
from server.domain.likeness import FOLD_VERSION, folds
from server.domain.operations import Operation, operation_types
from server.domain.operations.orders import Noted, Numbered
from server.domain.operations.reservations import Edit, Order, Reserve, Return
from server.domain.owned import Owned
from server.domain.sourcing import AmongPlaces, Candidate, Plan, Sourced, chunks

_encode = msgspec.msgpack.Encoder().encode
_LONG_ARRAY: Final = 16
"""An array of fewer begins with one byte that holds its length, one of up to 65,535 with three."""


def pack(operation: object) -> bytes:
    """Pack an operation: its fields one after the other, without the array around them.

    Raises
    ------
    UnicodeEncodeError
        A text holds half a surrogate pair, which UTF-8 cannot encode.

    """
    special = _SPECIAL.get(type(operation))
    return _encode(operation)[1:] if special is None else special(operation)


def _pack_new(new: Reserve | Order) -> bytes:
    """Pack a new reservation in the order of its ``wire``."""
    is_order = type(new) is Order
    quota = None if is_order else new.quota  # type: ignore[union-attr]  # an order has none
    fields: list[object] = [
        "order" if is_order else "reserve",
        new.fingerprint,
        new.actor,
        new.reservation_id,
        new.channel,
        new.accept_shortage if is_order else new.ttl_ms,  # type: ignore[union-attr]  # each has one of the two
        "backorder" if new.backorder else new.partial,
        new.order_ref,
        new.customer_ref,
        new.flags or False,
        new.channel_lines or False,
        False if quota is None else quota.text,
        len(new.lines),
    ]
    for line in new.lines:
        fields += (line.sku, line.location, line.quantity)
    return _flat(fields)


def _flat(values: list[object]) -> bytes:
    return _encode(values)[1 if len(values) < _LONG_ARRAY else 3 :]


def _pack_sourced(sourced: Sourced) -> bytes:
    """Pack a plan, as ``lua/lib/sourced_orders.lua`` expects it, and behind it the new reservation."""
    return _pack_plan("source", sourced.plan) + pack(sourced.promise)


def pack_to_explain(sourced: Sourced) -> bytes:
    """Pack the same for ``lua/functions/explain_sourcing.lua``, which only makes the choice."""
    return _pack_plan("explain", sourced.plan) + pack(sourced.promise)


def pack_places_to_explain(reserve: Reserve | AmongPlaces) -> bytes:
    """Pack a reserve for ``lua/functions/explain_sourcing.lua`` that has no plan."""
    return _flat(["explain_places"]) + pack(reserve)


def _pack_among(among: AmongPlaces) -> bytes:
    """Pack the places, as ``lua/operations/among.lua`` expects them, and behind them the operation."""
    return _flat(["among", among.places, among.elsewhere]) + pack(among.operation)


def _pack_plan(tag: str, plan: Plan) -> bytes:
    open_group = False if plan.open_group is None else plan.open_group
    return _with_chunks([tag, plan.splits_max, plan.split_lines, open_group, plan.is_cut], plan.candidates)


def _pack_bound(bound: Bound) -> bytes:
    """Pack a binding, as ``lua/operations/bind.lua`` expects it, and behind it the commit or fulfil."""
    binding = bound.binding
    head: list[object] = ["bind", binding.splits_max, binding.split_lines, binding.location]
    return _with_chunks(head, binding.candidates) + pack(bound.operation)


def _with_chunks(head: list[object], candidates: list[Candidate]) -> bytes:
    cut = [_flat([value for candidate in chunk for value in candidate]) for chunk in chunks(candidates)]
    # Framed by hand as text, whatever its bytes: the store's MessagePack knows no binary.
    return _flat([*head, len(cut)]) + b"".join(b"\xdb" + len(each).to_bytes(4) + each for each in cut)


def _pack_exchange(exchange: Exchange) -> bytes:
    """Pack the return under the tag of an exchange, and behind it the new reservation, with its plan if it has one."""
    back: Return = exchange.returned
    head: list[object] = ["exchange", back.fingerprint, back.actor, back.reservation_id, back.key]
    request = _flat([*head, back.lines, back.reason, back.allow_similar]) + pack(exchange.promise)
    return _pack_names(back) + request


def _pack_noted(noted: Noted) -> bytes:
    """Pack a step of an order's booking, as ``lua/lib/order_notes.lua`` expects it, and behind it the operation."""
    head = _flat(["noted", noted.field, noted.version])
    # The record is framed as text, whatever its bytes, as in _with_chunks.
    record = b"\xdb" + len(noted.record).to_bytes(4) + noted.record
    return head + record + _encode(noted.seen) + pack(noted.operation)


def _pack_numbered(numbered: Numbered) -> bytes:
    """Pack the number of an order, and behind it the operation that names it."""
    channels = "\0".join(["", *numbered.channels, ""]) if numbered.channels else ""
    head = _flat(["numbered", numbered.channel, numbered.number, channels])
    return head + pack(numbered.operation)


def _pack_owned(owned: Owned) -> bytes:
    """Pack whose reservation it has to be, as ``lua/lib/owned.lua`` expects it, and behind it the operation."""
    return _flat(["owned", owned.key, owned.channel]) + pack(owned.operation)


def _pack_names(operation: Operation) -> bytes:
    """Pack the folds of the names that an operation may make known, as ``lua/lib/likeness.lua`` expects them."""
    skus, locations = operation.names
    return _flat(["named", FOLD_VERSION, folds(skus), folds(locations)]) if skus or locations else b""


def _pack_edit(edit: Edit) -> bytes:
    """Pack an edit with its quota as a reserve has it."""
    return _encode(replace(edit, quota=edit.quota.text) if isinstance(edit.quota, Quota) else edit)[1:]


def _pack_creating(operation: Operation) -> bytes:
    return _pack_names(operation) + _encode(operation)[1:]


_SPECIAL: Final[dict[type, Callable[[Any], bytes]]] = {
    **{kind: _pack_creating for kind in operation_types().values() if kind.names is not Operation.names},
    Reserve: _pack_new,
    Order: _pack_new,
    Edit: _pack_edit,
    Sourced: _pack_sourced,
    AmongPlaces: _pack_among,
    Bound: _pack_bound,
    Exchange: _pack_exchange,
    Noted: _pack_noted,
    Numbered: _pack_numbered,
    Owned: _pack_owned,
}
"""Types that are not sent as msgspec would encode them."""
