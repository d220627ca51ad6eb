"""What is sent and answered: shortages.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import datetime

import msgspec

from holdfast.types.common import LocationAvailable, OrderShortageView


class ShortLineView(msgspec.Struct, frozen=True, kw_only=True):
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


class OrderShortageList(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines of one reservation lack now; empty: nothing."""

    shortages: list[OrderShortageView]


class ShortageView(msgspec.Struct, frozen=True, kw_only=True):
    """A SKU that is short by so many units at a location, and whose they are: the newest first, those flagged vip last.

    ``lines_complete`` false: there were too many reservations to look at all, so the lines are a guess.
    """

    sku: str
    location: str
    short: int
    lines: list[ShortLineView]
    lines_complete: bool


class ShortageList(msgspec.Struct, frozen=True, kw_only=True):
    """What is short; ``next`` is the ``after`` of the next page, empty on the last."""

    shortages: list[ShortageView]
    next: str


class ShortagePreview(msgspec.Struct, frozen=True, kw_only=True):
    """What would be short then; empty: nothing."""

    shortages: list[ShortageView]
