"""Reports over the wire: what was sold where, and how fast things go."""

from datetime import date, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from server.domain.reports import By, SalesOrder, Velocity, VelocityOrder
from server.schemas.calendars import SeamView
from server.schemas.common import Channel, Location, RowsMax, Sku

UNLISTED_LOOKED_AT_MAX: Final = 500
"""SKUs that one page looks at: some milliseconds, and more where they lie at many places."""


class SalesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Days of the partition's time zone, both included; without them the last 28."""

    # Unset rather than None: a query's "null" would be read as the latter.
    from_: date | msgspec.UnsetType = msgspec.UNSET
    to: date | msgspec.UnsetType = msgspec.UNSET
    by: By = "sku"
    sku: Sku | None = None
    channel: Channel | None = None
    location: Location | None = None
    order: SalesOrder = "best"
    limit: RowsMax = 100


class VelocityQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SKU, or all that are known; at one location, or at all."""

    sku: Sku | None = None
    location: Location | None = None
    order: VelocityOrder = "best"
    limit: RowsMax = 100


class SalesRow(msgspec.Struct, frozen=True):
    """Units. ``net`` = ordered - cancelled; ``other`` is signed: counts, adjustments, transfers."""

    key: str
    ordered: int
    shipped: int
    cancelled: int
    returned: int
    received: int
    other: int
    net: int


class SalesReport(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """What was sold. ``complete_since``: nothing is missing from then on; ``counted_to``: the newest change in it.

    ``seams``: where days of ``time_zone`` begin and those of another end, within these days.
    """

    from_: date
    to: date
    by: By
    rows: list[SalesRow]
    rows_total: int
    total: SalesRow
    complete_since: datetime | None
    counted_to: datetime | None
    time_zone: str
    seams: list[SeamView]


class VelocityReport(msgspec.Struct, frozen=True):
    """How fast things go. ``complete_since``: when counting began, if that was within the 28 days it shortens them.

    ``seams``: where days of ``time_zone`` begin and those of another end, within the 28 days.
    """

    skus: list[Velocity]
    skus_total: int
    complete_since: datetime | None
    counted_to: datetime | None
    time_zone: str
    seams: list[SeamView]


class UnlistedQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after`` is the ``next`` of the page before; ``limit``: SKUs that a page looks at, about."""

    after: Annotated[str, Meta(max_length=20)] = ""
    limit: Annotated[int, Meta(ge=1, le=UNLISTED_LOOKED_AT_MAX)] = UNLISTED_LOOKED_AT_MAX


class UnlistedView(msgspec.Struct, frozen=True):
    """A SKU that could be sold, and is on no channel: the units that are available at open locations."""

    sku: str
    available: int


class UnlistedReport(msgspec.Struct, frozen=True):
    """SKUs in stock that none of the ``channels`` lists, in no order. ``next`` is empty on the last page."""

    skus: list[UnlistedView]
    channels: list[str]
    next: str
