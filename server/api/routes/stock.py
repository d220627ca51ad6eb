"""The stock side: what lies where, why the number is what it is, and the movements that change it."""

import asyncio
from typing import Final

from server.api.http.answer import Answer, answer_item
from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain import limits
from server.domain.answers import StockAnswer
from server.domain.operations.stock import StockOperation
from server.domain.principal import Scope
from server.domain.stock import SkuStock, StockChanged
from server.schemas.common import time_of
from server.schemas.problems import Problem
from server.schemas.stock import (
    CountBody,
    HolderView,
    InTransitView,
    LevelView,
    MovedView,
    MovementResult,
    MovementResults,
    MovementsBody,
    StockQuery,
    StockView,
)
from server.schemas.stock_views import level_view, moved_view
from server.service import movements
from server.service.caller import Caller
from server.service.checks import check_sku
from server.service.likeness import told
from server.service.problems import problem, refusal
from server.service.stock import SkuDetails, details

_LEVELS_AT_A_TIME: Final = 200
"""So many take a millisecond."""


async def read(call: Call) -> StockView | Problem:
    """Explain the number."""
    sku = check_sku("sku", call.named("sku"))
    found = await details(call.caller, sku, call.query(StockQuery))
    return problem("unknown_sku") if found is None else _view(sku, found, await _levels(found.stock))


async def _levels(stock: SkuStock) -> list[LevelView]:
    """Show the levels, some at a time: each takes a sentence, and others wait meanwhile."""
    views: list[LevelView] = []
    for first in range(0, len(stock.levels), _LEVELS_AT_A_TIME):
        some = stock.levels[first : first + _LEVELS_AT_A_TIME]
        views += [level_view(level, closed=level.location in stock.closed) for level in some]
        if len(stock.levels) > _LEVELS_AT_A_TIME:
            await asyncio.sleep(0)
    return views


def _view(sku: str, found: SkuDetails, levels: list[LevelView]) -> StockView:
    return StockView(
        sku,
        found.stock.available,
        found.stock.newest_seq,
        levels,
        [
            HolderView(
                each.reservation_id, each.channel, each.line, each.location, each.state, each.held, each.committed,
                time_of(each.expires_at_ms) if each.expires_at_ms else None,
            )
            for each in found.holders
        ],
        not found.truncated,
        [
            InTransitView(each.transfer_id, each.source, each.destination, each.quantity, time_of(each.shipped_ms))
            for each in found.in_transit
        ],
        time_of(found.stock.as_of_ms),
    )  # fmt: skip


async def count(call: Call) -> Answer[MovedView] | Problem:
    """Set on_hand as counted."""
    body: CountBody = call.body
    operation = movements.count_of(call.caller, call.named("sku"), call.named("location"), body)
    return _moved(await told(call.caller, await call.caller.ledger.run(operation)))


def _moved(answer: StockAnswer) -> Answer[MovedView] | Problem:
    if isinstance(answer, StockChanged):
        return Answer(moved_view(answer.level), "replayed" if answer.replayed else "moved")
    return refusal(answer)


async def move_many(call: Call) -> MovementResults:
    """Receive, adjust, count and move between buckets, each on its own, in order."""
    body: MovementsBody = call.body
    operations = await movements.operations_of(call.caller, body.movements)

    async def move_one(name: str, movement: StockOperation) -> MovementResult:
        return _result(await answer_item(name, _moved_one(call.caller, movement), _moved))

    at_once = call.caller.partition.bulk_at_once
    results = await movements.each_in_order(operations, move_one, at_once, lambda result: result.outcome)
    return MovementResults(
        [_result(made) if isinstance(made, Problem) else results[place] for place, made in enumerate(operations)]
    )


async def _moved_one(caller: Caller, movement: StockOperation) -> StockAnswer:
    return await told(caller, await caller.ledger.run(movement))


def _result(answer: Answer[MovedView] | Problem) -> MovementResult:
    if isinstance(answer, Problem):
        return MovementResult(answer.status, answer.outcome, problem=answer)
    return MovementResult(200, "moved", replayed=answer.replayed, stock=answer.view)


_COUNT = (
    "id_reused", "baseline_expired", "counted_since", "ahead_of_clock", "too_many_places", "out_of_range",
    "similar_name", "unregistered_location", "location_mirrored",
)  # fmt: skip

ROUTES = [
    Route(
        "GET", "/v1/stock/{sku}", read, Scope.READ, "Why the number is what it is: buckets, and who holds how much",
        {200: StockView}, query=StockQuery, share=Share.REPORTS,
        outcomes=("invalid", "answer_too_large", "unknown_sku"),
    ),
    Route(
        "PUT", "/v1/stock/{sku}/{location}", count, Scope.STOCK, "Set on_hand as counted",
        {200: MovedView}, CountBody, outcomes=_COUNT, headers=("Idempotency-Key",), operation="count",
    ),
    Route(
        "POST", "/v1/stock/movements", move_many, Scope.STOCK, "Receive, adjust, count and move, up to 1,000 at once",
        {200: MovementResults}, MovementsBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
        outcomes=("id_reused",), headers=("Idempotency-Key",), share=Share.BULK,
    ),
]  # fmt: skip
