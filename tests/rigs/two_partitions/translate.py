"""From an operation that was drawn to the request that asks for it."""

import random
from collections.abc import Mapping
from typing import Any, cast

from server.domain.binding import Bound
from server.domain.exchange import Exchange
from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.operations.expected_receipts import Expect, Forgo, ReceiveExpected
from server.domain.operations.reservations import (
    Cancel,
    Commit,
    Extend,
    Fulfil,
    LineQuantity,
    MapLines,
    Order,
    Release,
    Relocate,
    Reserve,
    Return,
)
from server.domain.operations.stock import Adjust, Count, Move, Receive, SetBackorder
from server.domain.operations.transfers import Arrive, Ship
from server.domain.sourcing import Sourced
from tests.rigs.two_partitions.requests import Request
from tests.support.machine import SHORT_MS
from tests.support.operations import AnOperation

GROUP = "stores"
"""The group of an assortment's own locations."""
SHORT_S = 1
LONG_S = 36_000
SHORT_SHARE = 0.25
"""Of the holds that were drawn as short: each of them has to be waited for."""
COUNT_BY_PATH_SHARE = 0.3
"""Of the counts; the others are movements."""
_STRATEGIES = (["priority"], ["most_stock"], ["most_stock", "priority"], ["lowest_footfall"])


def body_of_movement(operation: AnOperation, seqs: Mapping[tuple[str, str], list[int]]) -> dict[str, Any]:
    """Make a movement. ``seqs``: of each place, those that an answer showed, for counts with a baseline."""
    match operation:
        case ReceiveExpected():
            body: dict[str, Any] = {"kind": "receive", "sku": operation.sku, "quantity": operation.quantity}
            return body | {"supply_id": operation.supply_id} | _given(location=operation.location)
        case Receive():
            body = {"kind": "receive", "sku": operation.sku, "quantity": operation.quantity}
        case Adjust():
            body = {"kind": "adjust", "sku": operation.sku, "quantity": operation.delta}
            body["bucket"] = operation.bucket.value
        case Move():
            body = {"kind": "move", "sku": operation.sku, "quantity": operation.quantity}
            body |= {"from": operation.from_shelf.value, "to": operation.to_shelf.value}
        case Count():
            body = {"kind": "count", "sku": operation.sku, "on_hand": max(0, operation.on_hand)}
            body |= {} if operation.safety < 0 else {"safety": operation.safety}
            known = seqs.get((operation.sku, operation.location))
            if known and operation.baseline_seq >= 0:
                body["baseline_seq"] = known[operation.baseline_seq % len(known)]
        case _:
            raise TypeError(f"{operation} is no movement")
    return body | {"location": operation.location} | _given(reason=operation.reason)


def request_of(  # noqa: C901, PLR0911, PLR0912, PLR0915  # one for each kind
    operation: AnOperation, key: str, chance: random.Random, seqs: Mapping[tuple[str, str], list[int]]
) -> Request:
    """Make the request of an operation; ``key`` is its idempotency key."""
    match operation:
        case Reserve() | Order():
            return _new(_tag(operation), promised(operation, chance))
        case Sourced(promise, plan):
            body = promised(promise, chance) | {"policy": "all_or_nothing", "sourcing": _sourcing(plan, chance)}
            return _new(f"{_tag(promise)} (sourced)", body, is_order=isinstance(promise, Order))
        case Bound(bound, binding):
            plain = request_of(bound, key, chance, seqs)
            where = {"location": binding.location} if binding.location else {"sourcing": _sourcing(binding, chance)}
            return Request(f"{plain.kind} (bound)", "POST", plain.path, plain.names, plain.body | where, key)
        case Exchange(returned, replacement):
            new = request_of(cast("AnOperation", replacement), "", chance, seqs)
            half = "order" if new.path == "/v1/orders" else "reservation"
            body = {"return": _returned(returned), half: new.body}
            return _about(returned.reservation_id, "exchange", body, key)
        case Extend():
            return _about(operation.reservation_id, "extend", {"ttl_s": _ttl_s(operation.ttl_ms, chance)}, key)
        case Commit():
            body = _parts(operation.lines) | _given(order_ref=operation.order_ref)
            body |= {"remainder": "keep"} if operation.keep_remainder else {}
            return _about(operation.reservation_id, "commit", body, key)
        case Release():
            return _about(operation.reservation_id, "release", _parts(operation.lines), key)
        case Cancel():
            body = _parts(operation.lines) | _given(reason=operation.reason)
            return _about(operation.reservation_id, "cancel", body, key)
        case Fulfil():
            body = _parts(operation.lines) | _given(tracking=operation.tracking, invoice_ref=operation.invoice_ref)
            return _about(operation.reservation_id, "fulfil", body, key)
        case Return():
            return _about(operation.reservation_id, "return", _returned(operation), key)
        case Relocate():
            lines = [{"line": n, "to": to} | ({"quantity": q} if q else {}) for n, q, to in _rows(operation.lines)]
            return _about(operation.reservation_id, "move", {"lines": lines}, key)
        case MapLines():
            lines = [{"line": n, "sku": sku} | _given(location=at) for n, sku, at in _rows(operation.lines)]
            return _about(operation.reservation_id, "lines", {"lines": lines}, key)
        case Ship():
            body = {"transfer_id": operation.transfer_id, "from": operation.source, "to": operation.destination}
            body["lines"] = [{"sku": sku, "quantity": units} for sku, units in _rows(operation.lines)]
            return Request("ship", "POST", "/v1/transfers", {}, body | _given(reason=operation.reason), key)
        case Arrive():
            body = {} if operation.everything else {
                "lines": [{"line": n, "quantity": q, "disposition": how} for n, q, how in _rows(operation.lines)]
            }  # fmt: skip
            body |= {"close": True, "reason": operation.reason or "lost"} if operation.close else {}
            path = "/v1/transfers/{transfer_id}/receive"
            return Request("arrive", "POST", path, {"transfer_id": operation.transfer_id}, body, key)
        case Expect():
            body = {"sku": operation.sku, "quantity": operation.quantity, "location": operation.location}
            body["expected_on"] = operation.expected_on.isoformat()
            return Request("expect", "PUT", "/v1/supply/{supply_id}", {"supply_id": operation.supply_id}, body, key)
        case Forgo():
            return Request("forgo", "DELETE", "/v1/supply/{supply_id}", {"supply_id": operation.supply_id}, None, key)
        case SetBackorder():
            body = {"mode": operation.mode.value, "limit": operation.limit} | _given(promise_on=operation.promise_on)
            return Request("backorder", "PUT", "/v1/stock/{sku}/{location}/backorder", _place(operation), body, key)
        case Allocate():
            names = _place(operation) | {"channel": operation.channel}
            path = "/v1/stock/{sku}/{location}/allocations/{channel}"
            if (operation.kind, operation.units) == ("own", 0):
                return Request("allocate", "DELETE", path, names, None, key)
            body = {"units": operation.units, "kind": operation.kind, "new": True}  # the channel is meant
            return Request("allocate", "PUT", path, names, body, key)
        case AllocateMove():
            body = _place(operation) | {"from_channel": operation.channel, "to_channel": operation.taker}
            body |= {"units": operation.units, "new": True}
            return Request("allocate_move", "POST", "/v1/allocations/move", {}, body, key)
        case Count() if chance.random() < COUNT_BY_PATH_SHARE:
            body = body_of_movement(operation, {})
            kept = {name: body[name] for name in ("on_hand", "safety") if name in body}
            return Request("count", "PUT", "/v1/stock/{sku}/{location}", _place(operation), kept, key)
    body = {"movements": [body_of_movement(operation, seqs)]}
    kind = "receive (expected)" if isinstance(operation, ReceiveExpected) else _tag(operation)
    return Request(kind, "POST", "/v1/stock/movements", {}, body, key)


_KINDS = {"move": "relocate", "lines": "map_lines"}
"""Two routes end in another word than the operation is called by."""


def promised(operation: Reserve | Order, chance: random.Random) -> dict[str, Any]:
    """Make the body of a new reservation or order."""
    lines = [{"sku": sku, "quantity": units} | _given(location=at) for sku, at, units in _rows(operation.lines)]
    body: dict[str, Any] = {"reservation_id": operation.reservation_id, "channel": operation.channel, "lines": lines}
    body |= _given(order_ref=operation.order_ref, flags=operation.flags)
    body["policy"] = "partial" if operation.partial else "backorder" if operation.backorder else "all_or_nothing"
    if isinstance(operation, Reserve):
        return body | {"ttl_s": _ttl_s(operation.ttl_ms, chance)}
    return body | ({"on_shortage": "accept"} if operation.accept_shortage else {})


def _new(kind: str, body: dict[str, Any], *, is_order: bool | None = None) -> Request:
    is_order = kind == "order" if is_order is None else is_order
    return Request(kind, "POST", "/v1/orders" if is_order else "/v1/reservations", {}, body)


def _about(reservation_id: str, last: str, body: dict[str, Any], key: str) -> Request:
    path = f"/v1/reservations/{{reservation_id}}/{last}"
    return Request(_KINDS.get(last, last), "POST", path, {"reservation_id": reservation_id}, body, key)


def _sourcing(plan: Any, chance: random.Random) -> dict[str, Any]:
    body = {"strategy": chance.choice(_STRATEGIES), "splits_max": plan.splits_max, "split_lines": plan.split_lines}
    open_group = getattr(plan, "open_group", None)
    if open_group is not None:
        return body | {"binding": "late"} | ({"group": GROUP} if open_group else {})
    return body | ({"group": GROUP} if chance.random() < 0.3 else {})


def _returned(operation: Return) -> dict[str, Any]:
    lines = [
        {"line": _number(n), "quantity": q, "disposition": how} | _given(location=at)
        for n, q, how, at in _rows(operation.lines)
    ]
    return {"lines": lines} | _given(reason=operation.reason)


def _parts(lines: list[LineQuantity]) -> dict[str, Any]:
    return {"lines": [{"line": _number(each.line), "quantity": each.quantity} for each in lines]} if lines else {}


def _number(name: int | str) -> int:
    """Return the number of a line: parts by their names are of listings and barcodes, and there are none here."""
    return name if isinstance(name, int) else 1


def _place(operation: Any) -> dict[str, Any]:
    return {"sku": operation.sku, "location": operation.location}


def _ttl_s(ttl_ms: int, chance: random.Random) -> int:
    if ttl_ms > SHORT_MS:
        return ttl_ms // 1_000
    return SHORT_S if chance.random() < SHORT_SHARE else LONG_S


def _tag(operation: Any) -> str:
    return str(operation.__struct_config__.tag)


def _given(**fields: Any) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value}


def _rows(lines: list[Any]) -> list[tuple[Any, ...]]:
    return [tuple(getattr(each, name) for name in each.__struct_fields__) for each in lines]
