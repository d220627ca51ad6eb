"""Preorder and backorder: how many units may be reserved before they are there, and which lines wait for them."""

from server.api.http.answer import Answer
from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.domain.stock import StockChanged
from server.schemas.backorders import BackorderBody, BackorderPage, BackorderSetView, BackordersQuery, WaitingLineView
from server.schemas.common import time_of
from server.schemas.problems import Problem
from server.service.backorders import backorder_operation, waiting_lines
from server.service.likeness import told
from server.service.problems import refusal
from server.store.repositories.backorders import Waiter


async def put(call: Call) -> Answer[BackorderSetView] | Problem:
    """Set how many units of a SKU at a location may be waited for."""
    body: BackorderBody = call.body
    operation = backorder_operation(call.caller, call.named("sku"), call.named("location"), body)
    answer = await told(call.caller, await call.caller.ledger.run(operation))
    if not isinstance(answer, StockChanged):
        return refusal(answer)
    level = answer.level
    view = BackorderSetView(
        operation.sku, operation.location, body.mode, body.limit, level.backorder.waiting if level.backorder else 0,
        level.available, level.seq, operation.promise_on,
    )  # fmt: skip
    return Answer(view, "replayed" if answer.replayed else "set")


def _view(waiter: Waiter) -> WaitingLineView:
    member, record = waiter.member, waiter.reservation
    line = record.lines[member.line - 1]
    return WaitingLineView(
        member.sku, member.location, member.reservation_id, member.line, record.channel, member.is_vip,
        record.state,  # type: ignore[arg-type]  # the scripts know only these states
        line.quantity, line.backordered, line.mode, time_of(record.created_ms), line.promise_on,
        time_of(record.deadline_ms) if record.deadline_ms else None, record.order_ref, record.customer_ref,
    )  # fmt: skip


async def read(call: Call) -> BackorderPage:
    """Read the lines that wait, in order, a page at a time."""
    page = await waiting_lines(call.caller, call.query(BackordersQuery))
    return BackorderPage([_view(each) for each in page.waiters], page.next)


ROUTES = [
    Route(
        "PUT", "/v1/stock/{sku}/{location}/backorder", put, Scope.STOCK,
        "Set how many units may be reserved before they are there",
        {200: BackorderSetView}, BackorderBody,
        outcomes=(
            "id_reused", "unknown_sku", "too_many_places", "similar_name", "unregistered_location", "location_mirrored",
        ),
        headers=("Idempotency-Key",), operation="backorder",
    ),
    Route(
        "GET", "/v1/backorders", read, Scope.READ, "Lines that wait for units, in the order in which they get them",
        {200: BackorderPage}, query=BackordersQuery, outcomes=("invalid",), share=Share.REPORTS,
    ),
]  # fmt: skip
