"""Stock as the ledger returns it: buckets, availability and backorders."""

from typing import Annotated, Final

import msgspec

from server.domain.allocations import Allocation, left, set_aside
from server.domain.expected_receipt import ExpectedReceipt

BUCKETS: Final = ("on_hand", "held", "committed", "damaged", "quality_control", "safety")
"""In the order of a stock record and of a journal line's deltas."""


def lacking(on_hand: int, held: int, committed: int, damaged: int, quality_control: int) -> int:
    """Return how many reserved units are not on the shelf; safety stock is there, and can be shipped."""
    reserved = held + committed
    return min(reserved, max(0, reserved - (on_hand - damaged - quality_control)))


class Availability(msgspec.Struct, array_like=True, frozen=True):
    """The units of a SKU at a location that can be reserved, and the seq: the greater, the newer."""

    sku: str
    location: str
    available: int
    seq: int


class Backorder(msgspec.Struct, array_like=True, frozen=True):
    """How many units of a (SKU, location) lines may wait for, and how many they wait for now.

    ``mode``: preorder or backorder. ``promise_on``: the date for new lines, or "".
    """

    mode: str
    limit: int
    promise_on: str
    waiting: int


Units = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
"""Lua's whole numbers are exact within these; anything beyond is a corrupt record."""


class StockRecord(msgspec.Struct, array_like=True, frozen=True):
    """Six buckets and the seq; the values behind them are left out where they were never set."""

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
        """The allocations of channels."""
        return self.allocations if isinstance(self.allocations, list) else []

    @property
    def free(self) -> int:
        """Units that are not reserved, set aside or not; negative: more are reserved or safety stock than there are."""
        return self.on_hand - self.held - self.committed - self.damaged - self.quality_control - self.safety

    @property
    def lacks(self) -> int:
        """Reserved units that are not on the shelf."""
        return lacking(self.on_hand, self.held, self.committed, self.damaged, self.quality_control)

    def left(self, channel: str = "") -> int:
        """Return the units that a channel can reserve; empty: one without an allocation."""
        return left(self.free, self.allocated, channel)

    @property
    def waiting(self) -> int:
        """Units that lines wait for; in no bucket."""
        return self.backorder.waiting if self.backorder is not None else 0


class StockLevel(msgspec.Struct, array_like=True, frozen=True):
    """Every bucket of one (SKU, location), in units, and the allocations of channels."""

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
        """Units that are not reserved, set aside or not; negative: more are reserved or safety stock than there are."""
        return self.on_hand - self.damaged - self.quality_control - self.safety - self.held - self.committed

    @property
    def allocated(self) -> list[Allocation]:
        """The allocations of channels."""
        return self.allocations if isinstance(self.allocations, list) else []

    @property
    def set_aside(self) -> int:
        """Units that are kept for channels; more than are free, where units went missing."""
        return set_aside(self.allocated)

    @property
    def available(self) -> int:
        """Units that a channel without an allocation can reserve; may be negative, as ``free``."""
        return left(self.free, self.allocated) if self.allocations else self.free

    @property
    def lacks(self) -> int:
        """Reserved units that are not on the shelf."""
        return lacking(self.on_hand, self.held, self.committed, self.damaged, self.quality_control)

    def left(self, channel: str) -> int:
        """Return the units that a channel can reserve."""
        return left(self.free, self.allocated, channel)


class PlacesOfSku(msgspec.Struct, array_like=True, frozen=True):
    """A slice of the places of a SKU that an order of a channel may be taken from.

    ``looked``: how many places it is of. ``known``, ``open``: the first two that know the SKU, and that may be taken
    from. ``stocked``: name, units that can be reserved (negative: a shortage) and units that may still be waited for,
    of those that have any.
    """

    looked: int
    known: list[str]
    open: list[str]
    stocked: list[tuple[str, int, int]]


class FoundStocked(msgspec.Struct, array_like=True, frozen=True):
    """For each SKU where units can be taken from; otherwise as :class:`FoundAvailability`."""

    as_of_ms: int
    skus: list[PlacesOfSku]
    locations_version: int
    seq: int
    next_from: int = 0


class StockChanged(msgspec.Struct, array_like=True, frozen=True, tag="stock_changed"):
    """A movement took effect, now or (``replayed``) when the same request came first."""

    replayed: bool
    level: StockLevel


class LocationAvailability(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The units of a SKU at one location that can be reserved."""

    location: str
    available: int
    seq: int
    waiting: int = 0
    """Units that lines wait for; only set in an :class:`Outlook`."""


class LocationAvailable(msgspec.Struct, frozen=True, gc=False):
    """What can still be reserved at one location."""

    location: str
    available: int


class FoundAvailability(msgspec.Struct, array_like=True, frozen=True):
    """For each requested SKU, the units that can be reserved at its locations, at a moment on the store's clock.

    A SKU without locations is unknown. At a closed location nothing is available; ``locations_version`` is that of the
    closed locations then, milliseconds of the store's clock, 0 before the first change. ``seq`` is the partition's.

    One call of the store reads some places only. There are fewer SKUs then than were asked for; where ``next_from`` is
    not 0, the last of them has more locations, and goes on there.
    """

    as_of_ms: int
    skus: list[list[LocationAvailability]]
    locations_version: int
    seq: int
    next_from: int


class LocationsSum(msgspec.Struct, array_like=True, frozen=True):
    """The units of a SKU at some of its locations that can be reserved, the newest seq, and how many locations."""

    available: int
    seq: int
    locations: int


class FoundSums(msgspec.Struct, array_like=True, frozen=True):
    """As :class:`FoundAvailability`, with one sum for each SKU, or for a part of its locations."""

    as_of_ms: int
    skus: list[LocationsSum]
    locations_version: int
    seq: int
    next_from: int


class FoundPlaces(msgspec.Struct, array_like=True, frozen=True):
    """For each requested SKU, the locations where it is known; none: it is unknown. One call may not reach all SKUs."""

    as_of_ms: int
    skus: list[list[str]]


class FoundUnits(msgspec.Struct, array_like=True, frozen=True):
    """For each requested SKU at a location, the units that a channel can reserve; 0 where it is not known.

    One call may not reach all of them. ``record_bytes``: of all records that it has read.
    """

    as_of_ms: int
    units: list[int]
    record_bytes: int


class Outlook(msgspec.Struct, array_like=True, frozen=True):
    """The available units of a SKU and its expected receipts, each with its id, at one moment.

    ``closed``: those of these locations that are closed. Nothing is available there, nor is what is expected there.
    """

    as_of_ms: int
    levels: list[LocationAvailability]
    next_from: int
    """0, or where the levels go on: one call of the store reads some only, and no expected receipt before the last."""
    supply: list[tuple[str, ExpectedReceipt]]
    closed: frozenset[str] = frozenset()
    supply_ids: list[str] = []
    """Where the expected receipts are too many for one call: their ids, and ``closed`` has all locations."""


class SkuStock(msgspec.Struct, array_like=True, frozen=True):
    """Every bucket of a SKU at the locations where it is known; ``closed``: the closed ones among them.

    ``seq`` is the partition's. ``next_from``: 0, or where to go on, -1 from the start: one call of the store reads some
    locations only.
    """

    as_of_ms: int
    levels: list[StockLevel]
    locations_version: int = 0
    closed: frozenset[str] = frozenset()
    seq: int = 0
    next_from: int = 0

    @property
    def newest_seq(self) -> int:
        """The newest seq of all levels; none that came after the first of them were read."""
        newest = max(level.seq for level in self.levels)
        return min(newest, self.seq) if self.seq else newest

    @property
    def available(self) -> int:
        """Units that can be reserved: those at the open locations."""
        return sum(level.available for level in self.levels if level.location not in self.closed)
