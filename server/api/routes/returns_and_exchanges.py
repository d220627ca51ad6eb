"""Returns: shipped units come back; and exchanges, where others are promised instead in the same step."""

from typing import Literal

import msgspec
from aiohttp import web
from msgspec import structs

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import respond
from server.api.routes.reservation_answers import REPLAYED, answer_reservation, left_views, reservation_view, settled
from server.domain.exchange import Exchange, ExchangeAnswer, Exchanged, ExchangeRefused
from server.domain.operations.base import fingerprint
from server.domain.operations.reservations import Order, Reserve, Return, ReturnedLine
from server.domain.operations.stock import Disposition
from server.domain.principal import Scope
from server.domain.reservation import Changed
from server.schemas.problems import Problem
from server.schemas.reservations import ExchangeBody, ExchangeView, OrderBody, ReservationView, ReserveBody, ReturnBody
from server.service.checks import InvalidError, check_location, check_reference, check_reservation_id
from server.service.reservations import order_operation, planned_of, reserve_operation
from server.service.sourcing import planned
from server.telemetry.request_tally import TALLY

BodyHalf = Literal["return", "reservation", "order"]
"""A half by its name in the body."""


def _target(call: Call) -> str:
    return check_reservation_id("reservation_id", call.request.match_info["reservation_id"])


def _return(call: Call, body: ReturnBody, target: str, digest: str, key: str) -> Return:
    lines = []
    for number, part in enumerate(body.lines):
        location = "" if part.location is None else check_location(f"lines[{number}].location", part.location)
        lines.append(ReturnedLine(part.line, part.quantity, Disposition(part.disposition), location))
    reason = check_reference("reason", body.reason)
    return Return(digest, call.principal.actor, target, key, lines, reason)


async def take_back(call: Call) -> web.StreamResponse:
    """Take shipped units back."""
    target = _target(call)
    digest = fingerprint("return", target, call.body) if call.key else ""
    operation = _return(call, call.body, target, digest, call.key)
    return answer_reservation(call, "return", target, await settled("return", target, call.ledger.run(operation)))


async def exchange(call: Call) -> web.StreamResponse:
    """Take shipped units back and promise others instead: both, or neither."""
    body: ExchangeBody = call.body
    target, (name, wanted) = _target(call), _wanted(body)
    promise = _promise(call, name, wanted, fingerprint("exchange", target, body, *planned_of(wanted)))
    # A new reservation's own id makes a retry safe where there is no key; no caller can send a key that begins so.
    key = call.key or ("" if wanted.reservation_id is None else f"\0{promise.reservation_id}")
    try:
        returned = _return(call, body.return_, target, promise.fingerprint, key)
    except InvalidError as error:
        raise InvalidError(f"return.{error.field}", error.rule) from None
    answer = await settled("exchange", promise.reservation_id, _exchanged(call, returned, wanted, promise))
    if isinstance(answer, Exchanged):
        return _both(call, target, promise, answer)
    if not isinstance(answer, ExchangeRefused):
        TALLY.outcome("exchange", answer.outcome)
        return problems.respond(problems.refusal(answer, target))
    TALLY.outcome("exchange", answer.refused.outcome)
    of_return = answer.half == "return"
    told = problems.refusal(answer.refused, target if of_return else promise.reservation_id)
    return problems.respond(_of_half(told, "return" if of_return else name))


def _wanted(body: ExchangeBody) -> tuple[BodyHalf, ReserveBody | OrderBody]:
    if isinstance(body.reservation, ReserveBody) and body.order is msgspec.UNSET:
        return "reservation", body.reservation
    if isinstance(body.order, OrderBody) and body.reservation is msgspec.UNSET:
        return "order", body.order
    raise InvalidError("reservation", "or order: exactly one of the two says what is promised instead")


def _promise(call: Call, name: str, wanted: ReserveBody | OrderBody, digest: str) -> Reserve | Order:
    """Make the promise's operation; its fingerprint is that of the exchange, for no other request makes it."""
    try:
        if isinstance(wanted, ReserveBody):
            operation: Reserve | Order = reserve_operation(call, wanted, call.key)
        else:
            operation = order_operation(call, wanted, call.key)
    except InvalidError as error:
        raise InvalidError(f"{name}.{error.field}", error.rule) from None
    return structs.replace(operation, fingerprint=digest if operation.fingerprint else "")


async def _exchanged(
    call: Call, returned: Return, wanted: ReserveBody | OrderBody, promise: Reserve | Order
) -> ExchangeAnswer:
    return await call.ledger.run(Exchange(returned, await planned(call, wanted, promise)))


def _both(call: Call, target: str, promise: Reserve | Order, answer: Exchanged) -> web.Response:
    TALLY.outcome("exchange", "replayed" if answer.replayed else "exchanged")
    made = "reserve" if isinstance(promise, Reserve) else "order"
    view = ExchangeView(_view(target, answer.returned, "return"), _view(promise.reservation_id, answer.promised, made))
    return respond(call.request, view, 201, REPLAYED if answer.replayed else None)


def _view(reservation_id: str, changed: Changed, operation: str) -> ReservationView:
    return reservation_view(reservation_id, changed.reservation, left_views(changed, operation))


def _of_half(told: Problem, half: BodyHalf) -> Problem:
    detail = told.detail
    if told.outcome == "id_reused":
        detail = "A reservation of this id exists already; the new one needs an id of its own."
    return structs.replace(told, half=half, detail=f"Nothing was exchanged, because of the {half}: {detail}")


_RETURN = ("id_reused", "unknown_reservation", "exceeds_remaining", "not_fulfilled")
_KEY = ("Idempotency-Key",)
_ONE = "/v1/reservations/{reservation_id}"

ROUTES = [
    Route(
        "POST", _ONE + "/return", take_back, Scope.RESERVE, "Take shipped units back, at any location",
        {200: ReservationView}, ReturnBody, outcomes=_RETURN, headers=_KEY,
    ),
    Route(
        "POST", _ONE + "/exchange", exchange, Scope.RESERVE, "Take shipped units back and promise others instead",
        {201: ExchangeView}, ExchangeBody, headers=_KEY,
        outcomes=(
            *_RETURN, "unknown_sku", "location_closed", "too_many_splits", "too_many_lines", "out_of_stock",
        ),
    ),
]  # fmt: skip
