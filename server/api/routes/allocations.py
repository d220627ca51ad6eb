"""Allocations: units of a channel's own, and caps on what a channel may take from the common pool."""

from aiohttp import web

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import respond
from server.api.routes.stock import allocation_views
from server.domain import limits
from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.operations.base import fingerprint
from server.domain.outcomes import Refused
from server.domain.principal import Scope
from server.schemas.allocations import AllocatedView, AllocationBody, AllocationMoveBody
from server.service.checks import InvalidError, check_location, check_reference, check_sku, check_text
from server.store.repositories.allocations import allocate
from server.telemetry.request_tally import TALLY


def _target(call: Call) -> tuple[str, str, str]:
    where = call.request.match_info
    channel = check_text("channel", where["channel"], limits.NAME_BYTES_MAX)
    return check_sku("sku", where["sku"]), check_location("location", where["location"]), channel


async def put(call: Call) -> web.StreamResponse:
    """Say what a channel has for itself, absolutely."""
    body: AllocationBody = call.body
    sku, location, channel = _target(call)
    digest = fingerprint("allocate", sku, location, channel, body) if call.key else ""
    reason = check_reference("reason", body.reason)
    operation = Allocate(
        digest, call.principal.actor, call.key, sku, location, channel, body.kind, body.units, reason
    )  # fmt: skip
    return await _settled(call, "allocate", operation)


async def drop(call: Call) -> web.StreamResponse:
    """Take back what a channel has for itself; what it has promised stays promised."""
    sku, location, channel = _target(call)
    digest = fingerprint("allocate_drop", sku, location, channel) if call.key else ""
    operation = Allocate(digest, call.principal.actor, call.key, sku, location, channel, "own", 0)
    return await _settled(call, "allocate", operation)


async def move(call: Call) -> web.StreamResponse:
    """Give to one channel what another has and has not promised."""
    body: AllocationMoveBody = call.body
    channel = check_text("from_channel", body.from_channel, limits.NAME_BYTES_MAX)
    taker = check_text("to_channel", body.to_channel, limits.NAME_BYTES_MAX)
    if channel == taker:
        raise InvalidError("to_channel", "must be another channel than from_channel")
    operation = AllocateMove(
        fingerprint("allocate_move", body) if call.key else "",
        call.principal.actor,
        call.key,
        check_sku("sku", body.sku),
        check_location("location", body.location),
        channel,
        taker,
        body.units,
        check_reference("reason", body.reason),
    )
    return await _settled(call, "allocate_move", operation)


async def _settled(call: Call, name: str, operation: Allocate | AllocateMove) -> web.Response:
    try:
        answer = await allocate(call.service.client, call.ledger, call.service.retention.packed(), operation)
    except Exception as error:
        told = problems.of_error(error)
        if told is None:
            raise
        TALLY.outcome(name, told.outcome)
        raise problems.ProblemError(told) from error
    if isinstance(answer, Refused):
        TALLY.outcome(name, answer.outcome)
        return problems.respond(problems.refusal(answer))
    TALLY.outcome(name, "replayed" if answer.replayed else "allocated")
    level = answer.level
    view = AllocatedView(
        level.sku, level.location, level.available, level.set_aside, level.seq, allocation_views(level)
    )  # fmt: skip
    return respond(call.request, view, headers={"Idempotent-Replayed": "true"} if answer.replayed else None)


_BOTH = ("id_reused", "unknown_sku", "too_many_allocations")
_ONE = "/v1/stock/{sku}/{location}/allocations/{channel}"

ROUTES = [
    Route(
        "PUT", _ONE, put, Scope.STOCK, "Give a channel units of its own, or a cap on what it may take",
        {200: AllocatedView}, AllocationBody, outcomes=(*_BOTH, "exceeds_available"),
        headers=("Idempotency-Key",),
    ),
    Route(
        "DELETE", _ONE, drop, Scope.STOCK, "Take back what a channel has for itself", {200: AllocatedView},
        outcomes=("invalid", "id_reused", "unknown_sku"), headers=("Idempotency-Key",),
    ),
    Route(
        "POST", "/v1/allocations/move", move, Scope.STOCK, "Give to one channel what another has for itself",
        {200: AllocatedView}, AllocationMoveBody,
        outcomes=(*_BOTH, "unknown_allocation", "allocation_differs", "exceeds_remaining"),
        headers=("Idempotency-Key",),
    ),
]  # fmt: skip
