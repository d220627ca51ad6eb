"""Reservations: hold, extend, commit, release, cancel, fulfil, and reading them back."""

from functools import partial

from server.api.http.answer import Answer, answer_item
from server.api.http.elements import ReservationsDecoder
from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.api.routes.index_views import index_view
from server.api.routes.reservation_answers import answer_reservation, marked
from server.domain import limits
from server.domain.operations import ReservationOperation
from server.domain.operations.reservations import Reserve
from server.domain.principal import Scope
from server.schemas.batches import FaultyReservation
from server.schemas.problems import Problem
from server.schemas.reservations import (
    CancelBody,
    CommitBody,
    ExtendBody,
    FulfilBody,
    ListQuery,
    LookupBody,
    OrderBody,
    ReleaseBody,
    ReservationPage,
    ReservationResult,
    ReservationResults,
    ReservationView,
    ReserveBody,
    ReserveManyBody,
    reservation_view,
)
from server.service import binding, bulk
from server.service import reservations as service
from server.service.checks import check_reservation_id
from server.service.find_reservations import find_reservations, uses_index
from server.service.line_names import names_others
from server.service.part_names import NO_SCANS, find_scanned
from server.service.problems import problem
from server.service.reach import in_reach
from server.service.reserve_many import reserve_operations

Shown = Answer[ReservationView] | Problem


async def reserve(call: Call) -> Shown:
    """Reserve units."""
    body: ReserveBody = call.body
    named = await service.named_lines(call.caller, "reserve", body) if names_others(body.lines) else None
    operation = service.reserve_operation(call.caller, body, named)
    call.reservation_id = operation.reservation_id
    answer = await service.make(call.caller, body, operation)
    return answer_reservation("reserve", operation.reservation_id, answer)


async def reserve_many(call: Call) -> ReservationResults:
    """Make many reservations, each on its own. A faulty one has 400 in its own result, and the answer is 200."""
    bodies: list[ReserveBody | FaultyReservation] = call.body.reservations
    operations = await reserve_operations(call.caller, bodies)
    results = await bulk.each(
        list(zip(bodies, operations, strict=True)),
        lambda each: _one_result(call, *each),
        call.caller.partition.bulk_at_once,
        lambda result: result.outcome,
    )
    return ReservationResults(results)


async def _one_result(
    call: Call, body: ReserveBody | FaultyReservation, operation: Reserve | Problem
) -> ReservationResult:
    if isinstance(operation, Problem) or isinstance(body, FaultyReservation):
        assert isinstance(operation, Problem)  # noqa: S101  # what could not be read has no operation
        return ReservationResult(operation.status, operation.outcome, body.reservation_id or "", problem=operation)
    reservation_id = operation.reservation_id
    show = partial(answer_reservation, "reserve", reservation_id)
    answer = await answer_item("reserve", service.make(call.caller, body, operation), show, reservation_id)
    if isinstance(answer, Problem):
        return ReservationResult(answer.status, answer.outcome, reservation_id, problem=answer)
    view = answer.view
    return ReservationResult(201, view.state, reservation_id, replayed=answer.replayed, reservation=view)


async def order(call: Call) -> Shown:
    """Reserve and commit at once."""
    body: OrderBody = call.body
    named = await service.named_lines(call.caller, "order", body) if names_others(body.lines) else None
    operation = service.order_operation(call.caller, body, named)
    call.reservation_id = operation.reservation_id
    answer = await service.make(call.caller, body, operation)
    return answer_reservation("order", operation.reservation_id, answer)


def target_of(call: Call) -> str:
    """Check which reservation the path names, and remember it for an operating error."""
    call.reservation_id = service.check_target(call.named("reservation_id"))
    return call.reservation_id


async def _performed(call: Call, name: str, operation: ReservationOperation) -> Shown:
    answer = await call.caller.ledger.run(operation)
    return answer_reservation(name, call.reservation_id, answer)


async def extend(call: Call) -> Shown:
    """Move a hold's deadline."""
    body: ExtendBody = call.body
    return await _performed(call, "extend", service.extend_operation(call.caller, target_of(call), body))


async def commit(call: Call) -> Shown:
    """Turn held units into ordered ones."""
    body: CommitBody = call.body
    found = await find_scanned(call.caller, body.lines) if body.lines else NO_SCANS
    operation = service.commit_operation(call.caller, target_of(call), body, found)
    answer = await binding.carry_out(call.caller, body, operation)
    return answer_reservation("commit", operation.reservation_id, answer)


async def release(call: Call) -> Shown:
    """Release held units."""
    body: ReleaseBody = call.body
    found = await find_scanned(call.caller, body.lines) if body.lines else NO_SCANS
    return await _performed(call, "release", service.release_operation(call.caller, target_of(call), body, found))


async def cancel(call: Call) -> Shown:
    """Cancel ordered units."""
    body: CancelBody = call.body
    found = await find_scanned(call.caller, body.lines) if body.lines else NO_SCANS
    return await _performed(call, "cancel", service.cancel_operation(call.caller, target_of(call), body, found))


async def fulfil(call: Call) -> Shown:
    """Ship ordered units."""
    body: FulfilBody = call.body
    found = await find_scanned(call.caller, body.lines) if body.lines else NO_SCANS
    operation = service.fulfil_operation(call.caller, target_of(call), body, found)
    answer = await binding.carry_out(call.caller, body, operation)
    return answer_reservation("fulfil", operation.reservation_id, answer)


async def read(call: Call) -> ReservationView | Problem:
    """Read one reservation."""
    return await _found(call, service.check_target(call.named("reservation_id")))


async def _found(call: Call, target: str) -> ReservationView | Problem:
    found = await call.caller.ledger.reservation(target)
    if found.reservation is None:
        return problem("unknown_reservation", reservation_id=target)
    view = reservation_view(target, found.reservation, as_of_ms=found.as_of_ms)
    return marked(view, call.caller.partition)


async def look_up(call: Call) -> ReservationView | Problem:
    """Read one reservation whose id cannot stand in a path, as where a proxy decodes %2F."""
    body: LookupBody = call.body
    return await _found(call, check_reservation_id("reservation_id", body.reservation_id))


async def read_many(call: Call) -> ReservationPage:
    """Read the reservations that match, a page at a time."""
    query: ListQuery = in_reach(call.caller.principal, call.query(ListQuery))
    if uses_index(query):
        return await _found_by_index(call, query)
    page = await service.find(call.caller, query)
    views = [reservation_view(name, record, as_of_ms=page.as_of_ms) for name, record in page.reservations]
    return ReservationPage([marked(view, call.caller.partition) for view in views], page.next)


async def _found_by_index(call: Call, query: ListQuery) -> ReservationPage:
    page = await find_reservations(call.caller, query)
    views = [reservation_view(name, record, as_of_ms=page.as_of_ms) for name, record in page.found]
    shown = [marked(view, call.caller.partition) for view in views]
    return ReservationPage(shown, page.following, index_view(page.freshness))


_PROMISE = (
    "id_reused",
    "order_known",
    "unknown_channel",
    "unknown_barcode",
    "unknown_sku",
    "location_closed",
    "too_many_splits",
    "too_many_lines",
    "out_of_stock",
    "sourcing_incomplete",
)
_HOLD = (*_PROMISE, "quota_exceeded")


_SETTLE = ("id_reused", "unknown_reservation")
_HELD = (*_SETTLE, "exceeds_remaining", "expired", "already_committed", "already_released", "not_held")
_PARTS_HELD = (*_HELD, "unknown_barcode")
_PARTS_COMMITTED = (*_SETTLE, "exceeds_remaining", "not_committed", "unknown_barcode")
_BOUND = ("not_open", "location_closed", "unknown_sku", "too_many_lines", "out_of_stock")
_KEY = ("Idempotency-Key",)
_ONE = "/v1/reservations/{reservation_id}"


ROUTES = [
    Route(
        "POST", "/v1/reservations", reserve, Scope.RESERVE, "Hold units until a deadline",
        {201: ReservationView}, ReserveBody, outcomes=_HOLD, headers=_KEY, operation="reserve",
        express=True, own=True,
    ),
    Route(
        "POST", "/v1/reservations/batch", reserve_many, Scope.RESERVE, "Hold units many times over, each on its own",
        {200: ReservationResults}, ReserveManyBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
        outcomes=("id_reused",), headers=_KEY, decoder=ReservationsDecoder, share=Share.BULK, own=True,
    ),
    Route(
        "POST", "/v1/orders", order, Scope.RESERVE, "Reserve and commit at once",
        {201: ReservationView}, OrderBody, outcomes=(*_PROMISE, "out_of_range"), headers=_KEY, operation="order",
        express=True, bound=True,
    ),
    Route(
        "GET", "/v1/reservations", read_many, Scope.READ, "Read the reservations that match, page by page",
        {200: ReservationPage}, query=ListQuery, outcomes=("invalid", "documents_missing", "documents_unavailable"),
        share=Share.REPORTS, bound=True,
    ),
    Route(
        "GET", _ONE, read, Scope.READ, "Read one reservation", {200: ReservationView},
        outcomes=("invalid", "unknown_reservation"), own=True,
    ),
    Route(
        "POST", "/v1/reservations/lookup", look_up, Scope.READ, "Read one reservation by the id in the body",
        {200: ReservationView}, LookupBody, outcomes=("unknown_reservation",), own=True,
    ),
    Route(
        "POST", _ONE + "/extend", extend, Scope.RESERVE, "Move a hold's deadline",
        {200: ReservationView}, ExtendBody, outcomes=_HELD, headers=_KEY, operation="extend", bound=True,
    ),
    Route(
        "POST", _ONE + "/commit", commit, Scope.RESERVE, "Turn held units into ordered ones",
        {200: ReservationView}, CommitBody, outcomes=(*_PARTS_HELD, "order_known", *_BOUND), headers=_KEY,
        operation="commit", express=True, own=True,
    ),
    Route(
        "POST", _ONE + "/release", release, Scope.RESERVE, "Release held units",
        {200: ReservationView, 202: ReservationView}, ReleaseBody, outcomes=(*_PARTS_HELD, "too_many_remembered"),
        headers=_KEY, operation="release", express=True, own=True,
    ),
    Route(
        "POST", _ONE + "/cancel", cancel, Scope.RESERVE, "Cancel ordered units",
        {200: ReservationView, 202: ReservationView}, CancelBody, outcomes=(*_PARTS_COMMITTED, "too_many_remembered"),
        headers=_KEY, operation="cancel", bound=True,
    ),
    Route(
        "POST", _ONE + "/fulfil", fulfil, Scope.RESERVE, "Ship ordered units",
        {200: ReservationView}, FulfilBody, outcomes=(*_PARTS_COMMITTED, "line_unmapped", *_BOUND), headers=_KEY,
        operation="fulfil", bound=True,
    ),
]  # fmt: skip
