"""Shortages over the wire: where more is reserved than there is."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import limits


class ShortageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after`` is the ``next`` of the page before."""

    after: Annotated[str, Meta(max_length=20)] = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50


class ShortLineView(msgspec.Struct, frozen=True):
    """A reserved line that will not get all of its ``quantity``: it ``lacks`` so many units."""

    reservation_id: str
    line: int
    channel: str
    state: str
    order_ref: str
    flags: list[str]
    created_at: datetime
    quantity: int
    lacks: int


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
