"""The stock side: what lies where, why the number is what it is, and the movements that change it."""

import asyncio

from aiohttp import web
from msgspec import structs

from server.api import problems
from server.api.answers import (
    HolderView,
    InTransitView,
    LevelView,
    MovedView,
    MovementResult,
    MovementResults,
    StockView,
)
from server.api.bodies import AdjustMovement, CountBody, CountMovement, MovementsBody, MoveMovement, ReceiveMovement
from server.api.routing import Call, Route
from server.api.rules import InvalidError, check_barcode, check_location, check_reference, check_sku
from server.api.service import in_time
from server.api.views import time_of
from server.api.wire import respond
from server.domain import limits
from server.domain.operations import Adjust, Bucket, Count, Move, Receive, Shelf, fingerprint
from server.domain.outcomes import StockAnswer, StockChanged, StockLevel
from server.domain.principal import Scope
from server.metrics import TALLY
from server.store import explore, transfers
from server.store.barcodes import Pack, find_barcodes

HOLDERS_MAX = 500

Movement = Receive | Adjust | Count | Move
MovementBody = ReceiveMovement | AdjustMovement | CountMovement | MoveMovement


def _because(level: StockLevel) -> str:
    return (
        f"available {level.available} = on_hand {level.on_hand} − damaged {level.damaged}"
        f" − quality_control {level.quality_control} − safety {level.safety}"
        f" − held {level.held} − committed {level.committed}"
    )


def _level_view(level: StockLevel) -> LevelView:
    return LevelView(
        level.location, level.available, level.on_hand, level.held, level.committed, level.damaged,
        level.quality_control, level.safety, level.seq, _because(level),
    )  # fmt: skip


def _moved_view(level: StockLevel) -> MovedView:
    return MovedView(
        level.sku, level.location, level.available, level.on_hand, level.held, level.committed, level.damaged,
        level.quality_control, level.safety, level.seq,
    )  # fmt: skip


async def read(call: Call) -> web.StreamResponse:
    """Explain the number."""
    sku = check_sku("sku", call.request.match_info["sku"])
    found = await call.ledger.stock(sku)
    if not found.levels:
        return problems.respond(problems.problem("unknown_sku"))
    holders, truncated = await in_time(
        explore.holders(call.service.client, call.ledger.keyspace, call.service.retention.packed(), sku, HOLDERS_MAX)
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
    movement = _count(call, digest, call.key, (sku, location), body)
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
            movements.append(_operation(call, each, key, packs))
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
        if isinstance(body, ReceiveMovement | CountMovement):
            if (body.sku is None) == (body.barcode is None):
                raise InvalidError(f"movements[{i}].sku", "must be there, or a barcode instead")
            if body.barcode is not None:
                barcodes.append(check_barcode(f"movements[{i}].barcode", body.barcode))
    return await in_time(find_barcodes(call.service.client, call.ledger.keyspace, barcodes)) if barcodes else {}


def _unknown_barcode() -> MovementResult:
    told = problems.problem("unknown_barcode")
    return MovementResult(told.status, told.outcome, problem=told)


def _units(field: str, packs: int, factor: int) -> int:
    if packs * factor > limits.QUANTITY_MAX:
        raise InvalidError(field, f"must be at most {limits.QUANTITY_MAX // factor} packs of {factor}")
    return packs * factor


def _operation(call: Call, body: MovementBody, key: str, packs: dict[str, Pack]) -> tuple[str, Movement] | None:
    """Make the operation of a movement; None: nobody said what its barcode stands for."""
    pack = Pack(body.sku or "")
    if isinstance(body, ReceiveMovement | CountMovement) and body.barcode is not None:
        if body.barcode not in packs:
            return None
        pack = packs[body.barcode]
    sku, location = check_sku("sku", pack.sku), check_location("location", body.location)
    digest = fingerprint("movement", body) if key else ""
    actor = call.principal.actor
    match body:
        case ReceiveMovement():
            reason = check_reference("reason", body.reason)
            units = _units("quantity", body.quantity, pack.factor)
            return "receive", Receive(digest, actor, key, sku, location, units, reason)
        case AdjustMovement():
            if body.quantity == 0:
                raise InvalidError("quantity", "must not be 0")
            reason = check_reference("reason", body.reason)
            return "adjust", Adjust(digest, actor, key, sku, location, Bucket(body.bucket), body.quantity, reason)
        case CountMovement():
            on_hand = _units("on_hand", body.on_hand, pack.factor)
            return "count", _count(call, digest, key, (sku, location), structs.replace(body, on_hand=on_hand))
        case MoveMovement():
            if body.from_ == body.to:
                raise InvalidError("to", "must be another bucket than from")
            shelves = Shelf(body.from_), Shelf(body.to)
            reason = check_reference("reason", body.reason)
            return "move", Move(digest, actor, key, sku, location, *shelves, body.quantity, reason)


def _count(call: Call, digest: str, key: str, where: tuple[str, str], body: CountBody | CountMovement) -> Count:
    return Count(
        digest,
        call.principal.actor,
        key,
        *where,
        body.on_hand,
        -1 if body.baseline_seq is None else body.baseline_seq,
        -1 if body.safety is None else body.safety,
        check_reference("reason", body.reason),
    )


async def _move(call: Call, name: str, movement: Movement) -> MovementResult:
    try:
        answer: StockAnswer = await call.ledger.move_stock(movement)
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


_COUNT = ("invalid", "too_large", "unsupported_media_type", "request_timeout", "id_reused", "baseline_expired")

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
        outcomes=("invalid", "too_large", "unsupported_media_type", "request_timeout"), headers=("Idempotency-Key",),
    ),
]  # fmt: skip
