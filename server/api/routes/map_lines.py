"""Lines of a reservation: how many units they have, and the SKU of those that a channel sold and nobody knows."""

from functools import partial

from server.api.http.answer import Answer, answer_item
from server.api.http.routing import Call, Route
from server.api.routes.reservation_answers import answer_reservation
from server.domain.operations.reservations import Edit
from server.domain.principal import Scope
from server.schemas.problems import Problem
from server.schemas.reservations import ChangeLinesBody, ReservationView
from server.service.line_changes import lines_operation
from server.service.reservations import check_target


async def map_lines(call: Call) -> Answer[ReservationView] | Problem:
    """Raise, lower, add and drop lines, or map unmapped lines to SKUs, in one step: all that are named, or none."""
    body: ChangeLinesBody = call.body
    call.reservation_id = check_target(call.named("reservation_id"))
    operation = await lines_operation(call.caller, call.reservation_id, body)
    name = "edit" if isinstance(operation, Edit) else "map_lines"
    show = partial(answer_reservation, name, call.reservation_id)
    return await answer_item(name, call.caller.ledger.run(operation), show, call.reservation_id)


ROUTES = [
    Route(
        "POST", "/v1/reservations/{reservation_id}/lines", map_lines, Scope.RESERVE,
        "Change the quantities of lines, or map lines to their SKUs",
        {200: ReservationView}, ChangeLinesBody, headers=("Idempotency-Key",), bound=True,
        outcomes=(
            "id_reused", "unknown_reservation", "unknown_barcode", "unknown_sku", "expired", "already_committed",
            "already_released", "not_held", "not_committed", "named_twice", "below_shipped", "nothing_left",
            "exceeds_remaining", "line_mapped", "line_unmapped", "too_many_lines", "too_many_splits",
            "location_closed", "out_of_stock", "sourcing_incomplete", "out_of_range", "quota_exceeded",
        ),
    ),
]  # fmt: skip
