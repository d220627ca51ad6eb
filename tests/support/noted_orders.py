"""What is known of channels' orders by their numbers, as a plain model: it stands in front of other operations."""

from typing import Any

import msgspec

from server.domain.answers import LineRefusal, OrderNoted, Refused
from server.domain.binding import Bound
from server.domain.booked_orders import POSTED, BookedOrder, order_field
from server.domain.operations.orders import Noted, Numbered
from server.domain.operations.reservations import Commit, Order, Reserve
from server.domain.order_progress import seen_of
from server.domain.reservation import Changed
from server.domain.sourcing import Sourced

decode_record = msgspec.msgpack.Decoder(BookedOrder).decode


def noted(model: Any, step: Noted) -> Any:
    """Carry out a step of an order's booking, if nothing has moved; its record is written with the effect."""
    before = model.orders.get(step.field)
    if (before.version if before else 0) != step.version or not _are_as_seen(model, step):
        return Refused("order_moved", "", [])
    answer = model.answer(step.operation)
    if isinstance(answer, Changed | OrderNoted):
        model.orders[step.field] = decode_record(step.record)
    return answer


def _are_as_seen(model: Any, step: Noted) -> bool:
    found = [(model.reservations.get(name), seen) for name, seen in step.seen]
    return all(one is not None and seen_of(one.shown()) == seen for one, seen in found)


def numbered(model: Any, request: Numbered) -> Any:
    """Carry out what names the number of an order, unless intake has booked it; then it is known by it."""
    own = bare(request.operation)
    if isinstance(own, Commit):
        found = model.found(own.reservation_id)
        channel = found.asked.channel if found is not None else ""
        is_listed, is_repeat = channel in request.channels, own.key in model.remembered
    else:
        found, channel = None, request.channel
        is_listed, is_repeat = channel != "", own.reservation_id in model.reservations
    if not is_listed or is_repeat:
        return model.answer(request.operation)
    field = order_field(channel, request.number)
    before = model.orders.get(field)
    if before is not None and before.state != POSTED and not _is_its_own(before, own.reservation_id, found):
        return Refused("order_known", "", [LineRefusal(0, "", "", 0, 0, "", next(iter(before.reservations), ""))])
    answer = model.answer(request.operation)
    if isinstance(answer, Changed) and not answer.replayed and (before is None or before.state == POSTED):
        model.orders[field] = _with(before, own.reservation_id)
    return answer


def _is_its_own(record: BookedOrder, reservation_id: str, found: Any) -> bool:
    """Whether a reservation is one of those that intake has booked, and was not booked anew since its hold ended."""
    if reservation_id not in record.reservations:
        return False
    return found is None or found.total("held") > 0 or found.total("expired") == 0


def _with(record: BookedOrder | None, reservation_id: str) -> BookedOrder:
    if record is None:
        return BookedOrder(1, POSTED, [reservation_id], 0)
    if reservation_id in record.reservations:
        return record
    return BookedOrder(record.version + 1, POSTED, [*record.reservations, reservation_id], 0)


def bare(operation: Any) -> Reserve | Order | Commit:
    """Return the reserve, order or commit itself, behind what stands in front of it."""
    if isinstance(operation, Bound):
        return bare(operation.operation)
    own: Reserve | Order | Commit = operation.promise if isinstance(operation, Sourced) else operation
    return own
