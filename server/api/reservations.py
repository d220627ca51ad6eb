"""Reservations: hold, extend, commit, release, cancel, fulfil, and reading them back."""

import asyncio
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from server.api import problems
from server.api.answers import ReservationPage, ReservationResult, ReservationResults, ReservationView, State
from server.api.binding import check_binding, settle
from server.api.bodies import (
    CancelBody,
    Channel,
    ExtendBody,
    LineBody,
    OrderBody,
    PartBody,
    ReleaseBody,
    ReserveBody,
    ReserveManyBody,
    Sku,
)
from server.api.later_bodies import CommitBody, FulfilBody
from server.api.routing import Call, Route
from server.api.rules import (
    InvalidError,
    check_location,
    check_reference,
    check_reservation_id,
    check_sku,
    check_text,
    is_plain_place,
)
from server.api.service import in_time
from server.api.sourcing import check_sourcing, planned_lines, promised
from server.api.views import answer_reservation, left_views, reservation_view, settled
from server.api.wire import respond
from server.domain import limits
from server.domain.operations import (
    Cancel,
    Commit,
    Extend,
    Fulfil,
    Line,
    LineQuantity,
    Order,
    Release,
    Reserve,
    fingerprint,
)
from server.domain.outcomes import Changed
from server.domain.principal import Scope
from server.metrics import TALLY
from server.store import explore


def identity(call: Call, operation: str, body: ReserveBody | OrderBody, key: str) -> tuple[str, str]:
    """Say under which id a promise is kept, and the fingerprint of its body.

    The caller's own id comes first; else one that follows from the Idempotency-Key; else a new one, which
    no retry can ever name, and which therefore needs no fingerprint.
    """
    if body.reservation_id is not None:
        return check_reservation_id("reservation_id", body.reservation_id), fingerprint(
            operation, body, *planned_of(body)
        )
    if key:
        return "k" + blake2b(key.encode(), digest_size=16).hexdigest(), fingerprint(operation, body, *planned_of(body))
    return call.service.new_id(), ""


def planned_of(body: ReserveBody | OrderBody) -> list[list[int]]:
    """Tell which lines are to be planned, for the body itself does not; nothing where none is."""
    return [] if body.sourcing is msgspec.UNSET else [planned_lines(body.lines)]


def lines_of(lines: list[LineBody]) -> list[Line]:
    """Check the names in the lines and turn them into the ledger's."""
    for i, line in enumerate(lines):
        if not is_plain_place(line.sku, line.location):
            check_sku(f"lines[{i}].sku", line.sku)
            check_location(f"lines[{i}].location", line.location)
    return [Line(line.sku, line.location, line.quantity) for line in lines]


def check_common(body: ReserveBody | OrderBody) -> tuple[str, str, list[str]]:
    """Check channel, flags and sourcing; return order_ref, customer_ref and flags as the ledger wants them."""
    if body.sourcing is not msgspec.UNSET:
        check_sourcing(body.sourcing, body.lines, policy=body.policy)
    check_text("channel", body.channel, limits.NAME_BYTES_MAX)
    if body.flags:
        for i, flag in enumerate(body.flags):
            check_text(f"flags[{i}]", flag, limits.NAME_BYTES_MAX)
    return (
        check_reference("order_ref", body.order_ref),
        check_reference("customer_ref", body.customer_ref),
        body.flags,
    )


def reserve_operation(call: Call, body: ReserveBody, key: str) -> Reserve:
    """Turn a body into the ledger's operation."""
    reservation_id, digest = identity(call, "reserve", body, key)
    ttl_s = call.service.ttl_default_s if body.ttl_s is None else body.ttl_s
    order_ref, customer_ref, flags = check_common(body)
    return Reserve(
        digest, call.principal.actor, reservation_id, body.channel, lines_of(body.lines), ttl_s * 1000,
        body.policy == "partial", order_ref, customer_ref, flags, body.policy == "backorder",
    )  # fmt: skip


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


def order_operation(call: Call, body: OrderBody, key: str) -> Order:
    """Turn a body into the ledger's operation."""
    reservation_id, digest = identity(call, "order", body, key)
    order_ref, customer_ref, flags = check_common(body)
    return Order(
        digest,
        call.principal.actor,
        reservation_id,
        body.channel,
        lines_of(body.lines),
        body.on_shortage == "accept",
        body.policy == "partial",
        order_ref,
        customer_ref,
        flags,
        body.policy == "backorder",
    )


async def order(call: Call) -> web.StreamResponse:
    """Reserve and commit at once."""
    operation = order_operation(call, call.body, call.key)
    reservation_id = operation.reservation_id
    answer = await settled("order", reservation_id, promised(call, call.body, operation))
    return answer_reservation(call, "order", reservation_id, answer, 201)


def _target(call: Call) -> str:
    return check_reservation_id("reservation_id", call.request.match_info["reservation_id"])


def _parts(parts: list[PartBody] | None) -> list[LineQuantity]:
    return [LineQuantity(part.line, part.quantity) for part in parts] if parts else []


def _digest(call: Call, operation: str, reservation_id: str) -> str:
    return fingerprint(operation, reservation_id, call.body) if call.key else ""


async def extend(call: Call) -> web.StreamResponse:
    """Move a hold's deadline."""
    body: ExtendBody = call.body
    target = _target(call)
    operation = Extend(_digest(call, "extend", target), call.principal.actor, target, call.key, body.ttl_s * 1000)
    return answer_reservation(call, "extend", target, await settled("extend", target, call.ledger.extend(operation)))


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
    return answer_reservation(call, "release", target, await settled("release", target, call.ledger.release(operation)))


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
    return answer_reservation(call, "cancel", target, await settled("cancel", target, call.ledger.cancel(operation)))


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
            explore.list_reservations(
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


def parse_query(request: web.Request, query_type: Any) -> Any:
    """Check the query string against its type; a repeated name is refused."""
    query = request.query
    if len(query) != len(set(query)):
        repeated = next(name for name in query if len(query.getall(name)) > 1)
        raise InvalidError(repeated, "may stand once in the query")
    return msgspec.convert(dict(query), query_type, strict=False)


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
