"""Moving what is promised to another location: the hold or order stays, only where it comes from changes."""

from aiohttp import web

from server.api.http.routing import Call, Route
from server.api.routes.reservation_answers import answer_reservation, settled
from server.domain.operations.base import fingerprint
from server.domain.operations.reservations import LineRelocation, Relocate
from server.domain.principal import Scope
from server.schemas.reservations import RelocateBody, ReservationView
from server.service.checks import check_location, check_reservation_id


async def move(call: Call) -> web.StreamResponse:
    """Take promised units from another location, in one step: all that is named, or nothing."""
    body: RelocateBody = call.body
    target = check_reservation_id("reservation_id", call.request.match_info["reservation_id"])
    for i, line in enumerate(body.lines):
        check_location(f"lines[{i}].to", line.to)
    directory = await call.service.places(call.principal.partition).current()
    moves = [LineRelocation(line.line, line.quantity or 0, line.to, line.to in directory.closed) for line in body.lines]
    digest = fingerprint("move", target, body) if call.key else ""
    operation = Relocate(digest, call.principal.actor, target, call.key, moves)
    answer = await settled("move", target, call.ledger.run(operation))
    return answer_reservation(call, "move", target, answer)


ROUTES = [
    Route(
        "POST", "/v1/reservations/{reservation_id}/move", move, Scope.RESERVE, "Take promised units from elsewhere",
        {200: ReservationView}, RelocateBody, headers=("Idempotency-Key",),
        outcomes=(
            "id_reused", "unknown_reservation",
            "unknown_sku", "expired", "not_held", "exceeds_remaining", "too_many_lines", "location_closed",
            "out_of_stock",
        ),
    ),
]  # fmt: skip
