"""Operations on the stock of one (SKU, location)."""

from enum import StrEnum
from typing import ClassVar, Final

from server.domain.operations.base import Operation

COUNTED_WEIGHT: Final = 20
"""Lines of work of a count with a time: some 0.2 ms, where a long change stands there in the journal."""
LINES_OF_A_NAME: Final = 4
"""Lines of work of an operation by which names may become known: a new one is looked up, noted and written."""


class Bucket(StrEnum):
    """One counter of a (SKU, location)."""

    ON_HAND = "on_hand"
    HELD = "held"
    COMMITTED = "committed"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"
    SAFETY = "safety"


class Disposition(StrEnum):
    """What is done with units that arrive: sold again, or kept back in a bucket."""

    RESTOCK = "restock"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"


class Shelf(StrEnum):
    """The condition of units at a (SKU, location): they can be sold, or are kept back in a bucket."""

    AVAILABLE = "available"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"


class BackorderMode(StrEnum):
    """Why lines may wait for units: none have been there yet, or they are sold out and more are to come."""

    PREORDER = "preorder"
    BACKORDER = "backorder"


class StockOperation(Operation, frozen=True):
    """An operation on the stock of one (SKU, location)."""

    key: str
    sku: str
    location: str


class PlacingOperation(StockOperation, frozen=True):
    """One that makes the SKU known at the location. ``allow_similar``: even if a known name is like one of the two."""

    function: ClassVar[str] = "mutate_creating"

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Its SKU, and its location if it names one."""
        return (self.sku,), (self.location,) if self.location else ()

    @property
    def weight(self) -> int:
        """As if its names were new."""
        return LINES_OF_A_NAME


class Receive(PlacingOperation, tag="receive", frozen=True):
    """Add units that arrived to ``on_hand``. Makes the SKU known at the location."""

    quantity: int
    reason: str = ""
    allow_similar: bool = False


class Adjust(StockOperation, tag="adjust", frozen=True):
    """Change one bucket by a signed ``delta``, with a reason. No bucket may go below zero by it."""

    bucket: Bucket
    delta: int
    reason: str = ""


class Count(PlacingOperation, tag="count", frozen=True):
    """Set ``on_hand`` to the number of units that were found.

    ``baseline_seq``: the seq when the count began. Units that were shipped or received since then correct the number.
    -1: no baseline, the number is that of now. ``counted_ms`` is the same as a time on the store's clock; -1: none.
    ``safety`` -1: leave the safety stock as it is. ``on_hand`` -1: set only the safety stock.
    ``replaces``: the key stands for the place, and only the last body is the one that is repeated. A fingerprint with a
    "+" and a word behind it is no repeat, but what has the one before the "+" is a repeat of it.
    """

    on_hand: int
    baseline_seq: int = -1
    safety: int = -1
    reason: str = ""
    counted_ms: int = -1
    replaces: bool = False
    allow_similar: bool = False

    @property
    def weight(self) -> int:
        """More with a time, which is looked for in the journal."""
        return LINES_OF_A_NAME if self.counted_ms < 0 else COUNTED_WEIGHT


class Move(StockOperation, tag="move", frozen=True):
    """Move units from one shelf to another; ``on_hand`` stays. Reserved units can be found damaged as well.

    The shelf must have as many. ``available`` has all units that are not kept back, reserved or not.
    """

    from_shelf: Shelf
    to_shelf: Shelf
    quantity: int
    reason: str = ""


class TakeBack(StockOperation, tag="take_back", frozen=True):
    """Take back what an import did at a place: ``on_hand`` and the others are signed units, added to each bucket.

    ``seq``, ``at_ms``: of the last change that is taken back, -1: not known when; where the place was counted after
    it, that number stands. ``may_be_short``: even if ``available`` falls below zero by it.
    """

    seq: int
    on_hand: int = 0
    damaged: int = 0
    quality_control: int = 0
    safety: int = 0
    may_be_short: bool = False
    reason: str = ""
    at_ms: int = -1


class SetBackorder(PlacingOperation, tag="backorder", frozen=True):
    """Set how many units of a (SKU, location) lines may wait for; makes the SKU known there.

    ``limit`` 0: none from now on; lines that wait stay. ``promise_on``: the date for new lines, or "".
    """

    mode: BackorderMode
    limit: int
    promise_on: str = ""
    allow_similar: bool = False
