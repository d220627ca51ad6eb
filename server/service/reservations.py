"""From a reservation as it is asked for to the operation that the ledger knows."""

from hashlib import blake2b

import msgspec

from server.api.http.routing import Call
from server.domain import limits
from server.domain.operations.base import fingerprint
from server.domain.operations.reservations import Line, LineQuantity, Order, Reserve
from server.schemas.common import LineBody
from server.schemas.reservations import OrderBody, PartBody, ReserveBody
from server.service.checks import (
    check_location,
    check_reference,
    check_reservation_id,
    check_sku,
    check_text,
    is_plain_place,
)
from server.service.sourcing import check_sourcing, planned_lines


def identity(call: Call, operation: str, body: ReserveBody | OrderBody, key: str) -> tuple[str, str]:
    """Say under which id a promise is kept, and the fingerprint of its body.

    The caller's own id comes first; else one that follows from the Idempotency-Key; else a new one, which
    no retry can ever name, and which therefore needs no fingerprint.
    """
    if body.reservation_id is not None:
        return check_reservation_id("reservation_id", body.reservation_id), fingerprint(
            operation, body, *planned_of(body)
        )
    if key:
        return "k" + blake2b(key.encode(), digest_size=16).hexdigest(), fingerprint(operation, body, *planned_of(body))
    return call.service.new_id(), ""


def planned_of(body: ReserveBody | OrderBody) -> list[list[int]]:
    """Tell which lines are to be planned, for the body itself does not; nothing where none is."""
    return [] if body.sourcing is msgspec.UNSET else [planned_lines(body.lines)]


def lines_of(lines: list[LineBody]) -> list[Line]:
    """Check the names in the lines and turn them into the ledger's."""
    for i, line in enumerate(lines):
        if not is_plain_place(line.sku, line.location):
            check_sku(f"lines[{i}].sku", line.sku)
            check_location(f"lines[{i}].location", line.location)
    return [Line(line.sku, line.location, line.quantity) for line in lines]


def check_common(body: ReserveBody | OrderBody) -> tuple[str, str, list[str]]:
    """Check channel, flags and sourcing; return order_ref, customer_ref and flags as the ledger wants them."""
    if body.sourcing is not msgspec.UNSET:
        check_sourcing(body.sourcing, body.lines, policy=body.policy)
    check_text("channel", body.channel, limits.NAME_BYTES_MAX)
    if body.flags:
        for i, flag in enumerate(body.flags):
            check_text(f"flags[{i}]", flag, limits.NAME_BYTES_MAX)
    return (
        check_reference("order_ref", body.order_ref),
        check_reference("customer_ref", body.customer_ref),
        body.flags,
    )


def reserve_operation(call: Call, body: ReserveBody, key: str) -> Reserve:
    """Turn a body into the ledger's operation."""
    reservation_id, digest = identity(call, "reserve", body, key)
    ttl_s = call.service.ttl_default_s if body.ttl_s is None else body.ttl_s
    order_ref, customer_ref, flags = check_common(body)
    return Reserve(
        digest, call.principal.actor, reservation_id, body.channel, lines_of(body.lines), ttl_s * 1000,
        body.policy == "partial", order_ref, customer_ref, flags, body.policy == "backorder",
    )  # fmt: skip


def order_operation(call: Call, body: OrderBody, key: str) -> Order:
    """Turn a body into the ledger's operation."""
    reservation_id, digest = identity(call, "order", body, key)
    order_ref, customer_ref, flags = check_common(body)
    return Order(
        digest,
        call.principal.actor,
        reservation_id,
        body.channel,
        lines_of(body.lines),
        body.on_shortage == "accept",
        body.policy == "partial",
        order_ref,
        customer_ref,
        flags,
        body.policy == "backorder",
    )


def _parts(parts: list[PartBody] | None) -> list[LineQuantity]:
    return [LineQuantity(part.line, part.quantity) for part in parts] if parts else []


def _digest(call: Call, operation: str, reservation_id: str) -> str:
    return fingerprint(operation, reservation_id, call.body) if call.key else ""
