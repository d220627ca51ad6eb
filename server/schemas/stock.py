"""Stock over the wire: counts, movements, barcodes, availability and shortages."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.operations.stock import Bucket
from server.schemas.allocations import AllocationView
from server.schemas.common import (
    AllowSimilar,
    Body,
    CountedAt,
    Location,
    Quantity,
    Reference,
    ReservationId,
    Scan,
    SignedUnits,
    Sku,
    Units,
)
from server.schemas.problems import Problem


class BackorderView(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many units may be waited for at a time, and how many are now. ``promise_on``: the day that callers see."""

    mode: Literal["preorder", "backorder"]
    limit: int
    waiting: int
    promise_on: str = ""


class LevelView(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every bucket of one (SKU, location), and how available follows from them; at a ``closed`` one nothing is."""

    location: str
    available: int
    on_hand: int
    held: int
    committed: int
    damaged: int
    quality_control: int
    safety: int
    seq: int
    because: str
    set_aside: int = 0
    allocations: list[AllocationView] = []
    backorder: BackorderView | None = None
    closed: bool = False


class HolderView(msgspec.Struct, frozen=True):
    """A reservation that keeps units from being sold."""

    reservation_id: str
    channel: str
    line: int
    location: str
    state: str
    held: int
    committed: int
    expires_at: datetime | None


class InTransitView(msgspec.Struct, frozen=True):
    """Units that left one location and have not reached the other; no location counts them."""

    transfer_id: str
    from_: str = msgspec.field(name="from")
    to: str
    quantity: int
    shipped_at: datetime


class StockQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At one location, or at all."""

    location: Location | None = None


class StockView(msgspec.Struct, frozen=True):
    """Why the number is what it is: buckets by location, and who holds how much until when."""

    sku: str
    available: int
    seq: int
    levels: list[LevelView]
    holders: list[HolderView]
    holders_complete: bool
    in_transit: list[InTransitView]
    as_of: datetime


class MovedView(msgspec.Struct, frozen=True, omit_defaults=True):
    """The buckets of one (SKU, location) after a movement; what is ``set_aside`` for channels, if anything."""

    sku: str
    location: str
    available: int
    on_hand: int
    held: int
    committed: int
    damaged: int
    quality_control: int
    safety: int
    seq: int
    set_aside: int = 0


class MovementResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One result of a list of movements."""

    status: int
    outcome: str
    replayed: bool = False
    stock: MovedView | None = None
    problem: Problem | None = None


class MovementResults(msgspec.Struct, frozen=True):
    """In the order of the request."""

    results: list[MovementResult]


class CountBody(Body, frozen=True):
    """Set on_hand as counted. ``baseline_seq``: the seq seen when the count began; what moved since is kept.

    ``counted_at`` is the same as a time, for a count that is sent later than it was made.
    """

    on_hand: Units
    baseline_seq: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    safety: Units | None = None
    reason: Reference | None = None
    counted_at: CountedAt | msgspec.UnsetType = msgspec.UNSET
    allow_similar: AllowSimilar = msgspec.UNSET


class ReceiveMovement(Body, frozen=True, tag_field="kind", tag="receive"):
    """Units arrived. With a barcode instead of a SKU, ``quantity`` counts packs.

    ``supply_id``: they were expected; without a location they arrived where they were expected, else at main.
    """

    quantity: Quantity
    sku: Sku | None = None
    barcode: Scan | None = None
    location: Location | None = None
    supply_id: ReservationId | None = None
    reason: Reference | None = None
    allow_similar: AllowSimilar = msgspec.UNSET


class AdjustMovement(Body, frozen=True, kw_only=True, tag_field="kind", tag="adjust"):
    """A bucket is off by so many units, for a reason. With a barcode instead of a SKU, ``quantity`` counts packs."""

    sku: Sku | None = None
    quantity: SignedUnits
    reason: Reference
    location: Location = limits.DEFAULT_LOCATION
    bucket: Literal["on_hand", "damaged", "quality_control", "safety"] = Bucket.ON_HAND.value
    barcode: Scan | msgspec.UnsetType = msgspec.UNSET


class CountMovement(Body, frozen=True, tag_field="kind", tag="count"):
    """Somebody counted. With a barcode instead of a SKU, ``on_hand`` counts packs."""

    on_hand: Units
    sku: Sku | None = None
    barcode: Scan | None = None
    location: Location = limits.DEFAULT_LOCATION
    baseline_seq: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    safety: Units | None = None
    reason: Reference | None = None
    counted_at: CountedAt | msgspec.UnsetType = msgspec.UNSET
    allow_similar: AllowSimilar = msgspec.UNSET


ShelfName = Literal["available", "damaged", "quality_control"]


class MoveMovement(Body, frozen=True, kw_only=True, tag_field="kind", tag="move"):
    """Units are put from one bucket into another. With a barcode instead of a SKU, ``quantity`` counts packs."""

    sku: Sku | None = None
    quantity: Quantity
    from_: ShelfName = msgspec.field(name="from")
    to: ShelfName
    reason: Reference
    location: Location = limits.DEFAULT_LOCATION
    barcode: Scan | msgspec.UnsetType = msgspec.UNSET


MovementBody = ReceiveMovement | AdjustMovement | CountMovement | MoveMovement


class MovementsBody(Body, frozen=True):
    """Up to 1,000 movements, each on its own, in order."""

    movements: Annotated[list[MovementBody], Meta(min_length=1, max_length=limits.MOVEMENTS_PER_CALL_MAX)]
