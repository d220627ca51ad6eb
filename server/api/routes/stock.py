"""The stock side: what lies where, why the number is what it is, and the movements that change it."""

import asyncio

from aiohttp import web

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import respond
from server.api.routes.reservation_answers import time_of
from server.domain import limits
from server.domain.operations.base import fingerprint
from server.domain.operations.stock import BackorderMode
from server.domain.outcomes import StockAnswer
from server.domain.principal import Scope
from server.domain.stock import StockChanged, StockLevel
from server.schemas.allocations import AllocationView
from server.schemas.stock import (
    BackorderView,
    CountBody,
    HolderView,
    InTransitView,
    LevelView,
    MovedView,
    MovementResult,
    MovementResults,
    MovementsBody,
    StockView,
)
from server.service.checks import InvalidError, check_location, check_sku
from server.service.movements import Movement, MovementBody, barcode_of, count_of, operation_of
from server.store.connection.timeouts import in_time
from server.store.repositories import reservations, transfers
from server.store.repositories.barcodes import Pack, find_barcodes
from server.telemetry.request_tally import TALLY

HOLDERS_MAX = 500


def _because(level: StockLevel) -> str:
    buckets = (
        f"on_hand {level.on_hand} − damaged {level.damaged}"
        f" − quality_control {level.quality_control} − safety {level.safety}"
        f" − held {level.held} − committed {level.committed}"
    )
    if not level.set_aside:
        return f"available {level.available} = {buckets}"
    told = f"available {level.available} = {buckets} − set_aside {level.set_aside}"
    if level.free >= level.set_aside:
        return told
    return f"{told}, of which {max(0, level.free)} are there"


def allocation_views(level: StockLevel) -> list[AllocationView]:
    """Show what channels have for themselves."""
    return [
        AllocationView(each.channel, each.kind, each.units, each.used, level.left(each.channel))
        for each in level.allocated
    ]


def _level_view(level: StockLevel) -> LevelView:
    return LevelView(
        level.location, level.available, level.on_hand, level.held, level.committed, level.damaged,
        level.quality_control, level.safety, level.seq, _because(level), level.set_aside, allocation_views(level),
        _backorder_view(level),
    )  # fmt: skip


def _backorder_view(level: StockLevel) -> BackorderView | None:
    backorder = level.backorder
    if backorder is None:
        return None
    return BackorderView(BackorderMode(backorder.mode).value, backorder.limit, backorder.waiting, backorder.promise_on)


def _moved_view(level: StockLevel) -> MovedView:
    return MovedView(
        level.sku, level.location, level.available, level.on_hand, level.held, level.committed, level.damaged,
        level.quality_control, level.safety, level.seq, level.set_aside,
    )  # fmt: skip


async def read(call: Call) -> web.StreamResponse:
    """Explain the number."""
    sku = check_sku("sku", call.request.match_info["sku"])
    found = await call.ledger.stock(sku)
    if not found.levels:
        return problems.respond(problems.problem("unknown_sku"))
    holders, truncated = await in_time(
        reservations.holders(
            call.service.client, call.ledger.keyspace, call.service.retention.packed(), sku, HOLDERS_MAX
        )
    )
    moving = await in_time(transfers.in_transit(call.service.client, call.ledger.keyspace, sku))
    answer = StockView(
        sku,
        sum(level.available for level in found.levels),
        max(level.seq for level in found.levels),
        [_level_view(level) for level in found.levels],
        [
            HolderView(
                each.reservation_id, each.channel, each.line, each.location, each.state, each.held, each.committed,
                time_of(each.expires_at_ms) if each.expires_at_ms else None,
            )
            for each in holders
        ],
        not truncated,
        [
            InTransitView(each.transfer_id, each.source, each.destination, each.quantity, time_of(each.shipped_ms))
            for each in moving
        ],
        time_of(found.as_of_ms),
    )  # fmt: skip
    return respond(call.request, answer)


async def count(call: Call) -> web.StreamResponse:
    """Set on_hand as counted."""
    body: CountBody = call.body
    sku = check_sku("sku", call.request.match_info["sku"])
    location = check_location("location", call.request.match_info["location"])
    digest = fingerprint("count", sku, location, body) if call.key else ""
    movement = count_of(call.principal.actor, digest, call.key, (sku, location), body)
    result = await _move(call, "count", movement)
    if result.problem is not None:
        return problems.respond(result.problem)
    return respond(call.request, result.stock, headers={"Idempotent-Replayed": "true"} if result.replayed else None)


async def move_many(call: Call) -> web.StreamResponse:
    """Receive, adjust, count and move between buckets, each on its own, in order."""
    body: MovementsBody = call.body
    packs = await _packs(call, body.movements)
    movements: list[tuple[str, Movement] | None] = []
    for i, each in enumerate(body.movements):
        key = f"{call.key}/{i}" if call.key else ""
        try:
            movements.append(operation_of(call.principal.actor, each, key, packs))
        except InvalidError as error:
            raise InvalidError(f"movements[{i}].{error.field}", error.rule) from None
    results: list[MovementResult | None] = [None if each else _unknown_barcode() for each in movements]

    async def move_in_turn(places: list[int]) -> None:
        for place in places:
            results[place] = await _move(call, *known[place])

    # Two batches in flight may pass each other, so movements of one SKU wait for one another.
    known = {place: each for place, each in enumerate(movements) if each is not None}
    by_sku: dict[str, list[int]] = {}
    for place, (_, movement) in known.items():
        by_sku.setdefault(movement.sku, []).append(place)
    await asyncio.gather(*(move_in_turn(places) for places in by_sku.values()))
    return respond(call.request, MovementResults([result for result in results if result is not None]))


async def _packs(call: Call, movements: list[MovementBody]) -> dict[str, Pack]:
    """Look up the barcodes that stand in place of SKUs."""
    barcodes = []
    for i, body in enumerate(movements):
        try:
            barcodes.append(barcode_of(body))
        except InvalidError as error:
            raise InvalidError(f"movements[{i}].{error.field}", error.rule) from None
    wanted = [barcode for barcode in barcodes if barcode]
    return await in_time(find_barcodes(call.service.client, call.ledger.keyspace, wanted)) if wanted else {}


def _unknown_barcode() -> MovementResult:
    told = problems.problem("unknown_barcode")
    return MovementResult(told.status, told.outcome, problem=told)


async def _move(call: Call, name: str, movement: Movement) -> MovementResult:
    try:
        answer: StockAnswer = await call.ledger.run(movement)
    except Exception as error:
        told = problems.of_error(error)
        if told is None:
            raise
        TALLY.outcome(name, told.outcome)
        return MovementResult(told.status, told.outcome, problem=told)
    if isinstance(answer, StockChanged):
        TALLY.outcome(name, "replayed" if answer.replayed else "moved")
        return MovementResult(200, "moved", replayed=answer.replayed, stock=_moved_view(answer.level))
    TALLY.outcome(name, answer.outcome)
    told = problems.refusal(answer)
    return MovementResult(told.status, told.outcome, problem=told)


_COUNT = ("id_reused", "baseline_expired")

ROUTES = [
    Route(
        "GET", "/v1/stock/{sku}", read, Scope.READ, "Why the number is what it is: buckets, and who holds how much",
        {200: StockView}, outcomes=("invalid", "unknown_sku"),
    ),
    Route(
        "PUT", "/v1/stock/{sku}/{location}", count, Scope.STOCK, "Set on_hand as counted",
        {200: MovedView}, CountBody, outcomes=_COUNT, headers=("Idempotency-Key",),
    ),
    Route(
        "POST", "/v1/stock/movements", move_many, Scope.STOCK, "Receive, adjust, count and move, up to 1,000 at once",
        {200: MovementResults}, MovementsBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
        headers=("Idempotency-Key",),
    ),
]  # fmt: skip
