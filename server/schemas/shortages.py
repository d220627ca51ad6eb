"""Shortages over the wire: where more is reserved than there is."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.shortages import Elsewhere
from server.domain.stock import LocationAvailable
from server.schemas.common import Location, Sku


class ShortageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after`` is the ``next`` of the page before."""

    after: Annotated[str, Meta(max_length=20)] = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50


class ShortagePreviewQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A SKU at a location, and how many units ``fewer`` than now would be on hand, as after a count."""

    sku: Sku
    location: Location
    fewer: Annotated[int, Meta(ge=0, le=limits.QUANTITY_MAX)]


class ShortagePreview(msgspec.Struct, frozen=True):
    """What would be short then; empty: nothing."""

    shortages: list["ShortageView"]


class ShortLineView(msgspec.Struct, frozen=True):
    """A reserved line that will not get all of its ``quantity``: it ``lacks`` so many units.

    ``other_locations``: where its channel may take units from now, five at most, those with most units first; the line
    can be moved there. null: there was no time to look.
    """

    reservation_id: str
    line: int
    channel: str
    state: str
    order_ref: str
    flags: list[str]
    created_at: datetime
    quantity: int
    lacks: int
    other_locations: list[LocationAvailable] | None


class ShortageView(msgspec.Struct, frozen=True):
    """A SKU that is short by so many units at a location, and whose they are: the newest first, those flagged vip last.

    ``lines_complete`` false: there were too many reservations to look at all, so the lines are a guess.
    """

    sku: str
    location: str
    short: int
    lines: list[ShortLineView]
    lines_complete: bool


class ShortageList(msgspec.Struct, frozen=True):
    """What is short; ``next`` is the ``after`` of the next page, empty on the last."""

    shortages: list[ShortageView]
    next: str


class OrderShortageView(msgspec.Struct, frozen=True):
    """A line of an order's reservation that lacks units now, and where else they are.

    ``other_locations``: as of :class:`ShortLineView`. ``certain`` false: there were too many reservations to look at
    all, so another order may be the one that lacks them.
    """

    reservation_id: str
    line: int
    sku: str
    location: str
    lacks: int
    other_locations: list[LocationAvailable] | None
    certain: bool


class OrderShortageList(msgspec.Struct, frozen=True):
    """What the lines of one reservation lack now; empty: nothing."""

    shortages: list[OrderShortageView]


def other_locations(elsewhere: Elsewhere, sku: str, channel: str, location: str) -> list[LocationAvailable] | None:
    """Show where a line that lacks units can be moved to."""
    others = elsewhere.of(sku, channel, location)
    return None if others is None else [LocationAvailable(*each) for each in others]
