"""Operations on the stock of one (SKU, location)."""

from enum import StrEnum

from server.domain.operations.base import Operation


class Bucket(StrEnum):
    """One counter of a (SKU, location)."""

    ON_HAND = "on_hand"
    HELD = "held"
    COMMITTED = "committed"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"
    SAFETY = "safety"


class Disposition(StrEnum):
    """What becomes of units that come in: sold again, or held back in a bucket."""

    RESTOCK = "restock"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"


class Shelf(StrEnum):
    """Where units of a (SKU, location) lie: they can be sold, or are held back in a bucket."""

    AVAILABLE = "available"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"


class BackorderMode(StrEnum):
    """Why units may be promised that are not there: none was yet, or they are sold out and more is to come."""

    PREORDER = "preorder"
    BACKORDER = "backorder"


class StockOperation(Operation, frozen=True):
    """An operation on the stock of one (SKU, location)."""

    key: str
    sku: str
    location: str


class Receive(StockOperation, tag="receive", frozen=True):
    """Units arrived: ``on_hand`` grows. Makes the SKU known at the location."""

    quantity: int
    reason: str = ""


class Adjust(StockOperation, tag="adjust", frozen=True):
    """Change one bucket by a signed ``delta``, with a reason. No bucket may go below zero by it."""

    bucket: Bucket
    delta: int
    reason: str = ""


class Count(StockOperation, tag="count", frozen=True):
    """Somebody counted: set ``on_hand`` absolutely.

    ``baseline_seq`` is the seq that the counter saw when the count began: what was shipped or received since then
    is added to the figure. -1: no baseline, the figure holds as of now.
    ``safety`` -1: leave the safety stock as it is. ``on_hand`` -1: set only the safety stock.
    """

    on_hand: int
    baseline_seq: int = -1
    safety: int = -1
    reason: str = ""


class Move(StockOperation, tag="move", frozen=True):
    """Put units from one shelf on another; ``on_hand`` stays. Promised units can turn out to be broken, too.

    There must be as many where they are taken from: of ``available``, as lie there unharmed, promised or not.
    """

    from_shelf: Shelf
    to_shelf: Shelf
    quantity: int
    reason: str = ""


class SetBackorder(StockOperation, tag="backorder", frozen=True):
    """Say how many units of a (SKU, location) may be waited for at a time; makes the SKU known there.

    ``limit`` 0: none from now on, those who wait stay. ``promise_on``: the day that new ones are told, or "".
    """

    mode: BackorderMode
    limit: int
    promise_on: str = ""
