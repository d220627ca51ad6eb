"""From an operation to the bytes that its Lua function reads."""

from typing import Final

import msgspec

from server.domain.binding import Bound
from server.domain.exchange import Exchange
from server.domain.operations.reservations import Order, Reserve, Return
from server.domain.sourcing import Candidate, Plan, Sourced, chunks

_encode = msgspec.msgpack.Encoder().encode
_LONG_ARRAY: Final = 16


def pack(operation: object) -> bytes:
    """Pack an operation: its fields one after the other, without the array around them."""
    if isinstance(operation, Reserve):
        return _pack_promise("reserve", operation, operation.ttl_ms)
    if isinstance(operation, Order):
        return _pack_promise("order", operation, operation.accept_shortage)
    if isinstance(operation, Sourced):
        return _pack_plan(operation.plan) + pack(operation.promise)
    if isinstance(operation, Bound):
        return _pack_binding(operation) + pack(operation.operation)
    if isinstance(operation, Exchange):
        return _pack_return("exchange", operation.returned) + pack(operation.promise)
    # An array of up to 15 begins with one byte that holds its length.
    return _encode(operation)[1:]


def _pack_promise(tag: str, promise: Reserve | Order, its_own: int | bool) -> bytes:
    """Lay the lines flat, too: reading an array costs the store more than all that is in it."""
    fields: list[object] = [
        tag,
        promise.fingerprint,
        promise.actor,
        promise.reservation_id,
        promise.channel,
        its_own,
        "backorder" if promise.backorder else promise.partial,
        promise.order_ref,
        promise.customer_ref,
        promise.flags or False,
        len(promise.lines),
    ]
    for line in promise.lines:
        fields += (line.sku, line.location, line.quantity)
    return _flat(fields)


def _flat(values: list[object]) -> bytes:
    """Pack values one after the other: an array of up to 15 begins with one byte, one of up to 65,535 with three."""
    return _encode(values)[1 if len(values) < _LONG_ARRAY else 3 :]


def _pack_plan(plan: Plan) -> bytes:
    """Pack what ``lua/lib/sourcing.lua`` expects before a promise: chunks of candidates, each packed on its own."""
    open_group = False if plan.open_group is None else plan.open_group
    return _with_chunks(
        ["source", plan.splits_max, plan.closed or False, plan.split_lines, open_group], plan.candidates
    )


def _pack_binding(bound: Bound) -> bytes:
    """Pack what ``lua/operations/bind.lua`` expects before a commit or fulfil."""
    binding = bound.binding
    head = ["bind", binding.splits_max, binding.split_lines, binding.location, binding.closed]
    return _with_chunks(head, binding.candidates)


def _with_chunks(head: list[object], candidates: list[Candidate]) -> bytes:
    cut = [_flat([value for candidate in chunk for value in candidate]) for chunk in chunks(candidates)]
    # Framed by hand as text, whatever its bytes: the store's MessagePack knows no binary.
    return _flat([*head, len(cut)]) + b"".join(b"\xdb" + len(each).to_bytes(4) + each for each in cut)


def _pack_return(tag: str, operation: Return) -> bytes:
    each = operation
    return _flat([tag, each.fingerprint, each.actor, each.reservation_id, each.key, each.lines, each.reason])
