"""Moving reserved units to another location: the hold or order stays, only where it comes from changes."""

from server.api.http.answer import Answer
from server.api.http.routing import Call, Route
from server.api.routes.reservation_answers import answer_reservation
from server.domain.principal import Scope
from server.schemas.problems import Problem
from server.schemas.reservations import RelocateBody, ReservationView
from server.service.reservations import check_target, relocate_operation


async def move(call: Call) -> Answer[ReservationView] | Problem:
    """Take reserved units from another location, in one step: all that is named, or nothing."""
    body: RelocateBody = call.body
    target = check_target(call.named("reservation_id"))
    operation = await relocate_operation(call.caller, target, body)
    call.reservation_id = target
    return answer_reservation("move", target, await call.caller.ledger.run(operation))


ROUTES = [
    Route(
        "POST", "/v1/reservations/{reservation_id}/move", move, Scope.RESERVE, "Reserve from another location",
        {200: ReservationView}, RelocateBody, headers=("Idempotency-Key",), operation="move",
        outcomes=(
            "id_reused", "unknown_reservation",
            "unknown_sku", "expired", "not_held", "exceeds_remaining", "too_many_lines", "location_closed",
            "out_of_stock",
        ),
    ),
]  # fmt: skip
