"""Returns: shipped units come back; and exchanges, where others are reserved instead in the same step."""

from msgspec import structs

from server.api.http.answer import Answer
from server.api.http.routing import Call, Route
from server.api.routes.reservation_answers import answer_reservation
from server.domain.exchange import Exchanged, ExchangeRefused
from server.domain.operations.reservations import Reserve
from server.domain.principal import Scope
from server.domain.reservation import Changed
from server.schemas.problems import Problem
from server.schemas.reservations import ReservationView, left_views, reservation_view
from server.schemas.returns_and_exchanges import ExchangeBody, ExchangeView, ReturnBody
from server.service import returns
from server.service.likeness import told
from server.service.part_names import find_scanned
from server.service.problems import refusal
from server.service.reservations import check_target
from server.service.returns import BodyHalf, ExchangeRequest


async def take_back(call: Call) -> Answer[ReservationView] | Problem:
    """Take shipped units back."""
    body: ReturnBody = call.body
    target = check_target(call.named("reservation_id"))
    found = await find_scanned(call.caller, body.lines)
    operation = returns.return_operation(call.caller, target, body, found)
    call.reservation_id = target
    answer = await told(call.caller, await call.caller.ledger.run(operation))
    return answer_reservation("return", target, answer)


async def exchange(call: Call) -> Answer[ExchangeView] | Problem:
    """Take shipped units back and reserve others instead: both, or neither."""
    body: ExchangeBody = call.body
    target = check_target(call.named("reservation_id"))
    request = await returns.exchange_request(call.caller, target, body)
    call.reservation_id = request.operation.reservation_id
    answer = await returns.exchange(call.caller, request)
    if isinstance(answer, Exchanged):
        return Answer(_both(target, request, answer), "replayed" if answer.replayed else "exchanged")
    if not isinstance(answer, ExchangeRefused):
        return refusal(answer, target)
    if answer.half == "return":
        return _of_half(refusal(await told(call.caller, answer.refused), target), "return")
    return _of_half(refusal(answer.refused, request.operation.reservation_id), request.half)


def _both(target: str, request: ExchangeRequest, answer: Exchanged) -> ExchangeView:
    name = "reserve" if isinstance(request.operation, Reserve) else "order"
    reserved = _view(request.operation.reservation_id, answer.promised, name)
    return ExchangeView(_view(target, answer.returned, "return"), reserved)


def _view(reservation_id: str, changed: Changed, operation: str) -> ReservationView:
    return reservation_view(reservation_id, changed.reservation, left_views(changed, operation))


def _of_half(refused: Problem, half: BodyHalf) -> Problem:
    detail = refused.detail
    if refused.outcome == "id_reused":
        detail = "A reservation of this id exists already; the new one needs an id of its own."
    return structs.replace(refused, half=half, detail=f"Nothing was exchanged, because of the {half}: {detail}")


_RETURN = (
    "id_reused", "unknown_reservation", "unknown_barcode", "too_many_places", "exceeds_remaining", "not_fulfilled",
    "out_of_range", "similar_name", "unregistered_location", "location_mirrored",
)  # fmt: skip
_KEY = ("Idempotency-Key",)
_ONE = "/v1/reservations/{reservation_id}"

ROUTES = [
    Route(
        "POST", _ONE + "/return", take_back, Scope.RESERVE, "Take shipped units back, at any location",
        {200: ReservationView}, ReturnBody, outcomes=_RETURN, headers=_KEY, operation="return",
        bound=True,
    ),
    Route(
        "POST", _ONE + "/exchange", exchange, Scope.RESERVE, "Take shipped units back and reserve others instead",
        {201: ExchangeView}, ExchangeBody, headers=_KEY, operation="exchange",
        outcomes=(
            *_RETURN, "unknown_sku", "location_closed", "too_many_splits", "too_many_lines", "out_of_stock",
            "sourcing_incomplete", "quota_exceeded",
        ),
    ),
]  # fmt: skip
