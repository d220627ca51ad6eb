"""Reservations: hold, extend, commit, release, cancel, fulfil, and reading them back."""

import asyncio
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.reservation_answers import answer_reservation, left_views, reservation_view, settled
from server.domain import limits
from server.domain.operations.reservations import Cancel, Commit, Extend, Fulfil, Release, Reserve
from server.domain.principal import Scope
from server.domain.reservation import Changed
from server.schemas.common import Channel, Sku
from server.schemas.reservations import (
    CancelBody,
    CommitBody,
    ExtendBody,
    FulfilBody,
    OrderBody,
    ReleaseBody,
    ReservationPage,
    ReservationResult,
    ReservationResults,
    ReservationView,
    ReserveBody,
    ReserveManyBody,
    State,
)
from server.service.binding import check_binding, settle
from server.service.checks import InvalidError, check_reference, check_reservation_id, check_sku, check_text
from server.service.reservations import _digest, _parts, order_operation, reserve_operation
from server.service.sourcing import promised
from server.store.connection.timeouts import in_time
from server.store.repositories import reservations
from server.telemetry.request_tally import TALLY


async def reserve(call: Call) -> web.StreamResponse:
    """Hold units."""
    operation = reserve_operation(call, call.body, call.key)
    reservation_id = operation.reservation_id
    answer = await settled("reserve", reservation_id, promised(call, call.body, operation))
    return answer_reservation(call, "reserve", reservation_id, answer, 201)


async def reserve_many(call: Call) -> web.StreamResponse:
    """Hold units many times over, each on its own."""
    body: ReserveManyBody = call.body
    operations = []
    for i, each in enumerate(body.reservations):
        try:
            operations.append((each, reserve_operation(call, each, f"{call.key}/{i}" if call.key else "")))
        except InvalidError as error:
            raise InvalidError(f"reservations[{i}].{error.field}", error.rule) from None
    results = await asyncio.gather(*(_one_result(call, each, operation) for each, operation in operations))
    return respond(call.request, ReservationResults(results))


async def _one_result(call: Call, body: ReserveBody, operation: Reserve) -> ReservationResult:
    reservation_id = operation.reservation_id
    try:
        answer = await settled("reserve", reservation_id, promised(call, body, operation))
    except problems.ProblemError as error:
        told = error.problem
        return ReservationResult(told.status, told.outcome, reservation_id, problem=told)
    if isinstance(answer, Changed):
        TALLY.outcome("reserve", "replayed" if answer.replayed else answer.reservation.state)
        view = reservation_view(reservation_id, answer.reservation, left_views(answer, "reserve"))
        return ReservationResult(201, view.state, reservation_id, replayed=answer.replayed, reservation=view)
    TALLY.outcome("reserve", answer.outcome)
    told = problems.refusal(answer, reservation_id)
    return ReservationResult(told.status, told.outcome, reservation_id, problem=told)


async def order(call: Call) -> web.StreamResponse:
    """Reserve and commit at once."""
    operation = order_operation(call, call.body, call.key)
    reservation_id = operation.reservation_id
    answer = await settled("order", reservation_id, promised(call, call.body, operation))
    return answer_reservation(call, "order", reservation_id, answer, 201)


def _target(call: Call) -> str:
    return check_reservation_id("reservation_id", call.request.match_info["reservation_id"])


async def extend(call: Call) -> web.StreamResponse:
    """Move a hold's deadline."""
    body: ExtendBody = call.body
    target = _target(call)
    operation = Extend(_digest(call, "extend", target), call.principal.actor, target, call.key, body.ttl_s * 1000)
    return answer_reservation(call, "extend", target, await settled("extend", target, call.ledger.run(operation)))


async def commit(call: Call) -> web.StreamResponse:
    """Turn held units into ordered ones."""
    body: CommitBody = call.body
    target = _target(call)
    check_binding(body)
    operation = Commit(
        _digest(call, "commit", target),
        call.principal.actor,
        target,
        call.key,
        _parts(body.lines),
        body.remainder == "keep",
        check_reference("order_ref", body.order_ref),
    )
    return answer_reservation(call, "commit", target, await settled("commit", target, settle(call, body, operation)))


async def release(call: Call) -> web.StreamResponse:
    """Give held units back."""
    body: ReleaseBody = call.body
    target = _target(call)
    operation = Release(_digest(call, "release", target), call.principal.actor, target, call.key, _parts(body.lines))
    return answer_reservation(call, "release", target, await settled("release", target, call.ledger.run(operation)))


async def cancel(call: Call) -> web.StreamResponse:
    """Give ordered units back."""
    body: CancelBody = call.body
    target = _target(call)
    operation = Cancel(
        _digest(call, "cancel", target),
        call.principal.actor,
        target,
        call.key,
        _parts(body.lines),
        check_reference("reason", body.reason),
    )
    return answer_reservation(call, "cancel", target, await settled("cancel", target, call.ledger.run(operation)))


async def fulfil(call: Call) -> web.StreamResponse:
    """Ship ordered units."""
    body: FulfilBody = call.body
    target = _target(call)
    check_binding(body)
    operation = Fulfil(
        _digest(call, "fulfil", target),
        call.principal.actor,
        target,
        call.key,
        _parts(body.lines),
        check_reference("tracking", body.tracking),
        check_reference("carrier", body.carrier),
        check_reference("invoice_ref", body.invoice_ref),
    )
    return answer_reservation(call, "fulfil", target, await settled("fulfil", target, settle(call, body, operation)))


async def read(call: Call) -> web.StreamResponse:
    """Read one reservation."""
    target = _target(call)
    found = await call.ledger.reservation(target)
    if found.reservation is None:
        return problems.respond(problems.problem("unknown_reservation", reservation_id=target))
    return respond(call.request, reservation_view(target, found.reservation, as_of_ms=found.as_of_ms))


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which reservations; ``after`` is the ``next`` of the page before."""

    # Not "or None": a query string would spell that as state=null.
    state: State | msgspec.UnsetType = msgspec.UNSET
    channel: Channel | None = None
    sku: Sku | None = None
    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50


async def read_many(call: Call) -> web.StreamResponse:
    """Read the reservations that match, a page at a time."""
    query: ListQuery = parse_query(call.request, ListQuery)
    if query.channel is not None:
        check_text("channel", query.channel, limits.NAME_BYTES_MAX)
    if query.sku is not None:
        check_sku("sku", query.sku)
    try:
        page = await in_time(
            reservations.list_reservations(
                call.service.client,
                call.ledger.keyspace,
                call.service.retention.packed(),
                state="" if query.state is msgspec.UNSET else query.state,
                channel=query.channel or "",
                sku=query.sku or "",
                after=query.after,
                limit=query.limit,
            )
        )
    except ValueError as error:
        raise InvalidError("after", str(error)) from None
    views = [reservation_view(name, record, as_of_ms=page.as_of_ms) for name, record in page.reservations]
    return respond(call.request, ReservationPage(views, page.next))


_PROMISE = (
    "id_reused",
    "unknown_sku",
    "location_closed",
    "too_many_splits",
    "too_many_lines",
    "out_of_stock",
)


_SETTLE = ("id_reused", "unknown_reservation")
_HELD = (*_SETTLE, "exceeds_remaining", "expired", "already_committed", "already_released", "not_held")
_COMMITTED = (*_SETTLE, "exceeds_remaining", "not_committed")
_BOUND = ("not_open", "location_closed", "unknown_sku", "too_many_lines", "out_of_stock")
_KEY = ("Idempotency-Key",)
_ONE = "/v1/reservations/{reservation_id}"


ROUTES = [
    Route(
        "POST", "/v1/reservations", reserve, Scope.RESERVE, "Hold units until a deadline",
        {201: ReservationView}, ReserveBody, outcomes=_PROMISE, headers=_KEY,
    ),
    Route(
        "POST", "/v1/reservations/batch", reserve_many, Scope.RESERVE, "Hold units many times over, each on its own",
        {200: ReservationResults}, ReserveManyBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
        headers=_KEY,
    ),
    Route(
        "POST", "/v1/orders", order, Scope.RESERVE, "Reserve and commit at once",
        {201: ReservationView}, OrderBody, outcomes=_PROMISE, headers=_KEY,
    ),
    Route(
        "GET", "/v1/reservations", read_many, Scope.READ, "Read the reservations that match, page by page",
        {200: ReservationPage}, query=ListQuery, outcomes=("invalid",),
    ),
    Route(
        "GET", _ONE, read, Scope.READ, "Read one reservation", {200: ReservationView},
        outcomes=("invalid", "unknown_reservation"),
    ),
    Route(
        "POST", _ONE + "/extend", extend, Scope.RESERVE, "Move a hold's deadline",
        {200: ReservationView}, ExtendBody, outcomes=_HELD, headers=_KEY,
    ),
    Route(
        "POST", _ONE + "/commit", commit, Scope.RESERVE, "Turn held units into ordered ones",
        {200: ReservationView}, CommitBody, outcomes=(*_HELD, *_BOUND), headers=_KEY,
    ),
    Route(
        "POST", _ONE + "/release", release, Scope.RESERVE, "Give held units back",
        {200: ReservationView}, ReleaseBody, outcomes=_HELD, headers=_KEY,
    ),
    Route(
        "POST", _ONE + "/cancel", cancel, Scope.RESERVE, "Give ordered units back",
        {200: ReservationView}, CancelBody, outcomes=_COMMITTED, headers=_KEY,
    ),
    Route(
        "POST", _ONE + "/fulfil", fulfil, Scope.RESERVE, "Ship ordered units",
        {200: ReservationView}, FulfilBody, outcomes=(*_COMMITTED, *_BOUND), headers=_KEY,
    ),
]  # fmt: skip
