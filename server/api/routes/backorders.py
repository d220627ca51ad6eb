"""Preorder and backorder: how many units may be promised before they are there, and who waits for them."""

import msgspec
from aiohttp import web

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.reservation_answers import time_of
from server.domain.operations.base import fingerprint
from server.domain.operations.stock import BackorderMode, SetBackorder
from server.domain.principal import Scope
from server.domain.stock import StockChanged
from server.schemas.backorders import BackorderBody, BackorderPage, BackorderSetView, BackordersQuery, WaitingLineView
from server.service.checks import InvalidError, check_location, check_sku
from server.store.connection.timeouts import in_time
from server.store.repositories.backorders import Waiter, find_waiters
from server.telemetry.request_tally import TALLY


async def put(call: Call) -> web.StreamResponse:
    """Say how many units of a SKU at a location may be waited for."""
    body: BackorderBody = call.body
    sku = check_sku("sku", call.request.match_info["sku"])
    location = check_location("location", call.request.match_info["location"])
    digest = fingerprint("backorder", sku, location, body) if call.key else ""
    promise_on = body.promise_on.isoformat() if body.promise_on is not None else ""
    answer = await call.ledger.run(
        SetBackorder(
            digest, call.principal.actor, call.key, sku, location, BackorderMode(body.mode), body.limit, promise_on
        )
    )
    if not isinstance(answer, StockChanged):
        TALLY.outcome("backorder", answer.outcome)
        return problems.respond(problems.refusal(answer))
    TALLY.outcome("backorder", "replayed" if answer.replayed else "set")
    level = answer.level
    view = BackorderSetView(
        sku, location, body.mode, body.limit, level.backorder.waiting if level.backorder else 0, level.available,
        level.seq, promise_on,
    )  # fmt: skip
    return respond(call.request, view, headers={"Idempotent-Replayed": "true"} if answer.replayed else None)


def _view(waiter: Waiter) -> WaitingLineView:
    member, record = waiter.member, waiter.reservation
    line = record.lines[member.line - 1]
    return WaitingLineView(
        member.sku, member.location, member.reservation_id, member.line, record.channel, member.is_vip,
        record.state,  # type: ignore[arg-type]  # the scripts know only these states
        line.quantity, line.backordered, line.mode, time_of(record.created_ms), line.promise_on,
        time_of(record.deadline_ms) if record.deadline_ms else None, record.order_ref, record.customer_ref,
    )  # fmt: skip


async def read(call: Call) -> web.StreamResponse:
    """Read who waits, in order, a page at a time."""
    query: BackordersQuery = parse_query(call.request, BackordersQuery)
    sku = "" if query.sku is msgspec.UNSET else check_sku("sku", query.sku)
    location = "" if query.location is msgspec.UNSET else check_location("location", query.location)
    try:
        page = await in_time(
            find_waiters(
                call.service.client, call.ledger.keyspace, sku=sku, location=location, after=query.after,
                limit=query.limit,
            )
        )  # fmt: skip
    except ValueError as error:
        raise InvalidError("after", str(error)) from None
    return respond(call.request, BackorderPage([_view(each) for each in page.waiters], page.next))


ROUTES = [
    Route(
        "PUT", "/v1/stock/{sku}/{location}/backorder", put, Scope.STOCK,
        "Say how many units may be promised before they are there",
        {200: BackorderSetView}, BackorderBody,
        outcomes=("id_reused", "unknown_sku"),
        headers=("Idempotency-Key",),
    ),
    Route(
        "GET", "/v1/backorders", read, Scope.READ, "Who waits for units, in the order in which they get them",
        {200: BackorderPage}, query=BackordersQuery, outcomes=("invalid",),
    ),
]  # fmt: skip
