"""Giving lines of an order their SKU, where a channel sold what nobody knows."""

from server.api.http.answer import Answer
from server.api.http.routing import Call, Route
from server.api.routes.reservation_answers import answer_reservation
from server.domain.principal import Scope
from server.schemas.problems import Problem
from server.schemas.reservations import MapLinesBody, ReservationView
from server.service.reservations import check_target, map_lines_operation


async def map_lines(call: Call) -> Answer[ReservationView] | Problem:
    """Map unmapped lines to SKUs and commit their units, in one step: all that are named, or none."""
    body: MapLinesBody = call.body
    call.reservation_id = check_target(call.named("reservation_id"))
    operation = map_lines_operation(call.caller, call.reservation_id, body)
    return answer_reservation("map_lines", call.reservation_id, await call.caller.ledger.run(operation))


ROUTES = [
    Route(
        "POST", "/v1/reservations/{reservation_id}/lines", map_lines, Scope.RESERVE, "Map lines to their SKUs",
        {200: ReservationView}, MapLinesBody, headers=("Idempotency-Key",), operation="map_lines",
        outcomes=(
            "id_reused", "unknown_reservation", "unknown_sku", "exceeds_remaining", "line_mapped", "too_many_lines",
            "out_of_range",
        ),
    ),
]  # fmt: skip
