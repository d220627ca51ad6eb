"""Allocations: units of a channel's own, and caps on what a channel may take from the common pool."""

from server.api.http.answer import Answer
from server.api.http.routing import Call, Route
from server.domain.answers import Refused
from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.principal import Scope
from server.schemas.allocations import AllocatedView, AllocationBody, AllocationMoveBody, DropQuery
from server.schemas.problems import Problem
from server.schemas.stock_views import allocation_views
from server.service import allocations
from server.service.checks import check_reason
from server.service.problems import refusal

Shown = Answer[AllocatedView] | Problem


def _target(call: Call) -> allocations.Target:
    return allocations.check_target(call.named("sku"), call.named("location"), call.named("channel"))


async def put(call: Call) -> Shown:
    """Set the allocation of a channel, absolutely."""
    body: AllocationBody = call.body
    operation = allocations.allocate_operation(call.caller, _target(call), body)
    await allocations.check_taker(call.caller, operation, is_new=body.new is True)
    return await _allocated(call, operation)


async def drop(call: Call) -> Shown:
    """Take the allocation of a channel away; what it has reserved stays reserved."""
    reason = check_reason(call.query(DropQuery).reason)
    return await _allocated(call, allocations.drop_operation(call.caller, _target(call), reason))


async def move(call: Call) -> Shown:
    """Move unreserved units from one channel's allocation to another's."""
    body: AllocationMoveBody = call.body
    operation = allocations.move_operation(call.caller, body)
    await allocations.check_taker(call.caller, operation, is_new=body.new is True)
    return await _allocated(call, operation)


async def _allocated(call: Call, operation: Allocate | AllocateMove) -> Shown:
    answer = await allocations.allocate(call.caller, operation)
    if isinstance(answer, Refused):
        return refusal(answer)
    level = answer.level
    view = AllocatedView(
        level.sku, level.location, level.available, level.set_aside, level.seq, allocation_views(level)
    )  # fmt: skip
    return Answer(view, "replayed" if answer.replayed else "allocated")


_BOTH = ("id_reused", "unknown_sku", "too_many_allocations", "location_mirrored")
_ONE = "/v1/stock/{sku}/{location}/allocations/{channel}"

ROUTES = [
    Route(
        "PUT", _ONE, put, Scope.STOCK, "Allocate units to a channel, or cap what it may take",
        {200: AllocatedView}, AllocationBody, outcomes=("unknown_channel", *_BOTH, "exceeds_available"),
        headers=("Idempotency-Key",), operation="allocate",
    ),
    Route(
        "DELETE", _ONE, drop, Scope.STOCK, "Take the allocation of a channel away", {200: AllocatedView},
        query=DropQuery, outcomes=("invalid", "id_reused", "unknown_sku", "location_mirrored"),
        headers=("Idempotency-Key",), operation="allocate",
    ),
    Route(
        "POST", "/v1/allocations/move", move, Scope.STOCK, "Move units from one channel's allocation to another's",
        {200: AllocatedView}, AllocationMoveBody,
        outcomes=(
            "unknown_channel", *_BOTH, "unknown_allocation", "allocation_differs", "exceeds_remaining", "out_of_range",
        ),
        headers=("Idempotency-Key",), operation="allocate_move",
    ),
]  # fmt: skip
