"""The preview of movements: the store answers the first of each place, and the later ones follow from its answer."""

from collections.abc import Awaitable, Mapping
from typing import Any, Final, Protocol

import msgspec

from server.domain.answers import LineRefusal, Refused, StockAnswer
from server.domain.expected_receipt import ExpectedReceipt
from server.domain.operations import StockOperation
from server.domain.operations.expected_receipts import ReceiveExpected
from server.domain.operations.stock import Adjust, Count, Move, Receive, Shelf
from server.domain.stock import StockChanged, StockLevel
from server.files.file_import import Tally, Target
from server.files.preview import Difference, Figures, Form, Preview
from server.files.reader import Row
from server.files.send_rows import Runs, See
from server.files.stock_preview import OTHERS, Answered, begun, name_new, told
from server.store.repositories.expected_receipts import find_supplies
from server.store.repositories.stock import read_records
from server.turns import in_turns

Movements = list[tuple[Row[Any], StockOperation]]

FORM: Final = Form(("sku", "location"), ("on_hand", *OTHERS), told)


class Send(Protocol):
    """Sends movements in their order, and shows each answer."""

    def __call__(
        self, target: Target, ledger: Runs, movements: Movements, tally: Tally, see: See[Any] | None = None
    ) -> Awaitable[None]:
        """Send them."""


class _Chain:
    """A ledger that only looks: what comes behind another movement of its place is worked out from that one's level.

    ``before``: what a place had before the last movement that was worked out here.
    """

    def __init__(self, ledger: Runs, expected: Mapping[str, ExpectedReceipt]) -> None:
        self._ledger = ledger
        self._expected = expected
        self._levels: dict[tuple[str, str], StockLevel] = {}
        self.before: dict[int, Figures] = {}

    async def run(self, operation: StockOperation) -> StockAnswer:
        """Answer as the store would, if all that this has answered had been done."""
        if isinstance(operation, ReceiveExpected):
            receipt = self._expected.get(operation.supply_id)
            if receipt is None or receipt.sku != operation.sku:
                return Refused("unknown_supply", "", [])
            operation = _as_received(operation, receipt)
        level = self._levels.get((operation.sku, operation.location))
        if level is None:
            answer = await self._ledger.run(operation)
        else:
            answer = _after(level, operation)
            if isinstance(answer, StockChanged):
                self.before[id(answer.level)] = figures_of(level)
        if isinstance(answer, StockChanged) and not answer.replayed:
            self._levels[operation.sku, operation.location] = answer.level
        return answer


def _as_received(operation: ReceiveExpected, receipt: ExpectedReceipt) -> StockOperation:
    return Receive(
        operation.fingerprint, operation.actor, operation.key, operation.sku, operation.location or receipt.location,
        operation.quantity, operation.reason, operation.allow_similar,
    )  # fmt: skip


async def look_at_movements(target: Target, movements: Movements, tally: Tally, send: Send) -> Preview:
    """Find out what movements would do.

    Raises
    ------
    StoreUnreachableError
        A row could not be looked at for a minute.

    """
    preview = await begun(target, FORM)
    ids = {each.supply_id for _, each in movements if isinstance(each, ReceiveExpected)}
    chain = _Chain(target.ledger.preview(), await find_supplies(target.store.client, target.keyspace, sorted(ids)))
    answered: list[Answered] = []

    def see(row: Row[Any], answer: object) -> None:
        if isinstance(answer, StockChanged) and not answer.replayed:
            answered.append(Answered(row, answer.level))

    await send(target, chain, movements, tally, see)
    answered.sort(key=lambda each: each.row.line)
    preview.repeated = tally.unchanged
    firsts = [each for each in answered if id(each.level) not in chain.before]
    places = [(each.level.sku, each.level.location) for each in firsts]
    for each, record in zip(firsts, await read_records(target.store.client, target.keyspace, places), strict=True):
        if record is not None:
            chain.before[id(each.level)] = figures_of(record)
    preview.differences = [
        Difference(
            each.row.line, (each.level.sku, each.level.location), chain.before.get(id(each.level)),
            figures_of(each.level),
        )
        async for each in in_turns(answered)
    ]  # fmt: skip
    await name_new(target, preview, answered)
    return preview


def figures_of(level: Any) -> Figures:
    """Return the figures of a level or a record in the order of :data:`FORM`."""
    return level.on_hand, level.safety, level.damaged, level.quality_control


def _after(level: StockLevel, operation: StockOperation) -> StockAnswer:
    """Answer a movement of a place whose level is known, as ``lua/operations`` does."""
    match operation:
        case Receive():
            return _changed(level, on_hand=level.on_hand + operation.quantity)
        case Count():
            safety = level.safety if operation.safety < 0 else operation.safety
            return _changed(level, on_hand=level.on_hand if operation.on_hand < 0 else operation.on_hand, safety=safety)
        case Adjust():
            units = getattr(level, operation.bucket)
            if units + operation.delta < 0:
                return _refused("exceeds_remaining", level, -operation.delta, units)
            return _changed(level, **{str(operation.bucket): units + operation.delta})
        case Move():
            return _moved(level, operation)
        case _:
            raise TypeError(f"{type(operation).__name__} is no movement of a file")


def _moved(level: StockLevel, move: Move) -> StockAnswer:
    unharmed = max(0, level.on_hand - level.damaged - level.quality_control)
    there = unharmed if move.from_shelf is Shelf.AVAILABLE else getattr(level, move.from_shelf)
    if move.quantity > there:
        return _refused("exceeds_bucket", level, move.quantity, there)
    shelves = ((move.from_shelf, -move.quantity), (move.to_shelf, move.quantity))
    changes = {str(shelf): getattr(level, shelf) + units for shelf, units in shelves if shelf is not Shelf.AVAILABLE}
    return _changed(level, **changes)


def _changed(level: StockLevel, **figures: int) -> StockChanged:
    return StockChanged(replayed=False, level=msgspec.structs.replace(level, **figures))


def _refused(outcome: str, level: StockLevel, requested: int, there: int) -> Refused:
    return Refused(outcome, "", [LineRefusal(1, level.sku, level.location, requested, there)])
