"""Backorders over the wire: units that are reserved before they are there, and the lines that wait."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.domain import limits
from server.schemas.common import AllowSimilar, Body, Day, Location, Sku, Units
from server.schemas.reservations import State


class BackorderBody(Body, frozen=True):
    """So many units may be waited for at a time; 0: none from now on. ``promise_on``: the day that callers see."""

    mode: Literal["preorder", "backorder"]
    limit: Units
    promise_on: Day | None = None
    allow_similar: AllowSimilar = msgspec.UNSET


class BackordersQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose; ``after`` is the ``next`` of the page before."""

    sku: Sku | msgspec.UnsetType = msgspec.UNSET
    location: Location | msgspec.UnsetType = msgspec.UNSET
    after: Annotated[str, Meta(max_length=512)] = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50


class BackorderSetView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What holds for new reservations of a SKU at a location, and how many units are waited for now."""

    sku: str
    location: str
    mode: Literal["preorder", "backorder"]
    limit: int
    waiting: int
    available: int
    seq: int
    promise_on: str = ""


class WaitingLineView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line that waits for ``backordered`` units. ``promise_on``: the delivery day that was given, if any."""

    sku: str
    location: str
    reservation_id: str
    line: int
    channel: str
    vip: bool
    state: State
    quantity: int
    backordered: int
    mode: str
    created_at: datetime
    promise_on: str = ""
    expires_at: datetime | None = None
    order_ref: str = ""
    customer_ref: str = ""


class BackorderPage(msgspec.Struct, frozen=True):
    """Lines that wait, by SKU and location, there in the order in which they are filled.

    ``next`` is the ``after`` of the next page, empty on the last.
    """

    backorders: list[WaitingLineView]
    next: str
