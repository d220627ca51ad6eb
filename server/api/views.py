"""From the ledger's answers to the bodies that go out, and the counting of outcomes on the way."""

from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime

from aiohttp import web
from prometheus_client import Counter

from server import metrics
from server.api import problems
from server.api.answers import AvailableView, LineView, ReservationView
from server.api.routing import Call
from server.api.wire import respond
from server.domain.outcomes import Availability, Changed, Refused, Reservation, ReservationAnswer, left_available

_PROMISING = frozenset({"reserve", "order"})
_REPLAYED = {"Idempotent-Replayed": "true"}
_counters: dict[tuple[str, str], Counter] = {}


def count_outcome(operation: str, outcome: str) -> None:
    """Count one operation by what came of it."""
    counter = _counters.get((operation, outcome))
    if counter is None:
        counter = _counters[operation, outcome] = metrics.OPERATIONS.labels(operation, outcome)
    counter.inc()


def time_of(time_ms: int) -> datetime:
    """Turn milliseconds since 1970 into a time in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def reservation_view(
    reservation_id: str, record: Reservation, left: Sequence[Availability] = (), *, as_of_ms: int = 0
) -> ReservationView:
    """Show a reservation, and what its last operation ``left`` to promise.

    ``as_of_ms`` lets a hold that lapsed but was not swept yet show as expired.
    """
    deadline_ms = record.deadline_ms
    lapsed = 0 < deadline_ms <= as_of_ms
    lines = [
        LineView(
            number,
            line.sku,
            line.location,
            line.quantity,
            line.requested,
            0 if lapsed else line.held,
            line.committed,
            line.fulfilled,
            line.released,
            line.expired + (line.held if lapsed else 0),
            line.returned,
        )
        for number, line in enumerate(record.lines, 1)
    ]
    notes = dict(record.notes)
    return ReservationView(
        reservation_id=reservation_id,
        state=_state(record, lapsed=lapsed),  # type: ignore[arg-type]  # the script knows only these states
        channel=record.channel,
        created_at=time_of(record.created_ms),
        lines=lines,
        expires_at=time_of(deadline_ms) if deadline_ms and not lapsed else None,
        order_ref=notes.pop("order_ref", record.order_ref),
        customer_ref=record.customer_ref,
        flags=record.flags,
        notes=notes,
        availability=[AvailableView(each.sku, each.location, each.available, each.seq) for each in left],
    )


def _state(record: Reservation, *, lapsed: bool) -> str:
    if not lapsed:
        return record.state
    if any(line.committed for line in record.lines):
        return "committed"
    return "fulfilled" if any(line.fulfilled for line in record.lines) else "expired"


def answer_reservation(
    call: Call, operation: str, reservation_id: str, answer: ReservationAnswer, status: int = 200
) -> web.Response:
    """Send what came of an operation on a reservation."""
    if type(answer) is Changed:
        count_outcome(operation, "replayed" if answer.replayed else answer.reservation.state)
        # An extend touches no units, so it leaves nothing to tell; the lines would tell what was true at first.
        left = left_available(answer) if operation in _PROMISING else answer.availability
        view = reservation_view(reservation_id, answer.reservation, left)
        return respond(call.request, view, status, _REPLAYED if answer.replayed else None)
    assert isinstance(answer, Refused)  # noqa: S101  # a programmer error otherwise
    count_outcome(operation, answer.outcome)
    return problems.respond(problems.refusal(answer, reservation_id))


async def settled(operation: str, reservation_id: str, promise: Awaitable[ReservationAnswer]) -> ReservationAnswer:
    """Await the ledger; an operating error is counted and told with the id to ask again for."""
    try:
        return await promise
    except Exception as error:
        told = problems.of_error(error, reservation_id)
        if told is None:
            raise
        count_outcome(operation, told.outcome)
        raise problems.ProblemError(told) from error
