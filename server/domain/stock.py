"""Stock as the ledger answers it: buckets, availability, and what is backordered."""

from typing import Annotated, Final

import msgspec

from server.domain.allocations import Allocation, left, set_aside
from server.domain.expected_receipt import ExpectedReceipt

BUCKETS: Final = ("on_hand", "held", "committed", "damaged", "quality_control", "safety")
"""In the order of a stock record and of a journal line's deltas."""


class Availability(msgspec.Struct, array_like=True, frozen=True):
    """What may still be promised of a SKU at a location, and the seq that says how new that is."""

    sku: str
    location: str
    available: int
    seq: int


class Backorder(msgspec.Struct, array_like=True, frozen=True):
    """How many units of a (SKU, location) may be waited for at a time, and how many are now.

    ``mode``: preorder or backorder. ``promise_on``: the day that new ones are told, or "".
    """

    mode: str
    limit: int
    promise_on: str
    waiting: int


Units = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
"""Lua's whole numbers are exact within these; anything beyond is damage."""


class StockRecord(msgspec.Struct, array_like=True, frozen=True):
    """Six buckets and the seq. What stands behind them is left out where nobody set it."""

    on_hand: Units
    held: Units
    committed: Units
    damaged: Units
    quality_control: Units
    safety: Units
    seq: Units
    allocations: list[Allocation] | bool = False
    """False: none."""
    backorder: Backorder | None = None

    @property
    def buckets(self) -> tuple[int, int, int, int, int, int]:
        """The six buckets, in the order of :data:`BUCKETS`."""
        return (self.on_hand, self.held, self.committed, self.damaged, self.quality_control, self.safety)

    @property
    def allocated(self) -> list[Allocation]:
        """What channels have for themselves."""
        return self.allocations if isinstance(self.allocations, list) else []

    @property
    def free(self) -> int:
        """What is promised to nobody, set aside or not; negative is a shortage."""
        return self.on_hand - self.held - self.committed - self.damaged - self.quality_control - self.safety

    def left(self, channel: str = "") -> int:
        """What may still be promised to a channel; empty: to anybody."""
        return left(self.free, self.allocated, channel)

    @property
    def waiting(self) -> int:
        """Units that are waited for; in no bucket."""
        return self.backorder.waiting if self.backorder is not None else 0


class StockLevel(msgspec.Struct, array_like=True, frozen=True):
    """Every bucket of one (SKU, location), in units, and what channels have for themselves."""

    sku: str
    location: str
    on_hand: int
    held: int
    committed: int
    damaged: int
    quality_control: int
    safety: int
    seq: int
    allocations: list[Allocation] | bool = False
    """False: none."""
    backorder: Backorder | None = None

    @property
    def free(self) -> int:
        """What is promised to nobody, set aside or not; negative is a shortage."""
        return self.on_hand - self.damaged - self.quality_control - self.safety - self.held - self.committed

    @property
    def allocated(self) -> list[Allocation]:
        """What channels have for themselves."""
        return self.allocations if isinstance(self.allocations, list) else []

    @property
    def set_aside(self) -> int:
        """What is kept for channels; more than is free, where units went missing."""
        return set_aside(self.allocated)

    @property
    def available(self) -> int:
        """What may still be promised to anybody; negative is a shortage."""
        return left(self.free, self.allocated) if self.allocations else self.free

    def left(self, channel: str) -> int:
        """What may still be promised to a channel."""
        return left(self.free, self.allocated, channel)


class StockChanged(msgspec.Struct, array_like=True, frozen=True, tag="stock_changed"):
    """A movement took effect, now or (``replayed``) when the same request came first."""

    replayed: bool
    level: StockLevel


class LocationAvailability(msgspec.Struct, array_like=True, frozen=True):
    """What may still be promised of a SKU at one location."""

    location: str
    available: int
    seq: int
    waiting: int = 0
    """Units that are waited for; only an outlook tells."""


class FoundAvailability(msgspec.Struct, array_like=True, frozen=True):
    """For each SKU asked for, what may still be promised at its locations, at a moment on the store's clock.

    A SKU without locations is unknown.
    """

    as_of_ms: int
    skus: list[list[LocationAvailability]]


class Outlook(msgspec.Struct, array_like=True, frozen=True):
    """What is available of a SKU and what is still to come (supply id, supply), both at one moment."""

    as_of_ms: int
    levels: list[LocationAvailability]
    supply: list[tuple[str, ExpectedReceipt]]


class SkuStock(msgspec.Struct, array_like=True, frozen=True):
    """Every bucket of a SKU at every location where it is known."""

    as_of_ms: int
    levels: list[StockLevel]
