"""What is found over the wire: SKUs with what they have, and how old the index is that found them."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from server.domain import limits
from server.schemas.channels import OnChannelView
from server.schemas.common import After, Channel, Location, Looked, Sku

SkuState = Literal["low", "out", "short", "held", "untracked"]
SkuSort = Literal["sku", "available", "-available", "-changed"]


SHOWN_ON_CHANNELS_MAX: Final = 50
"""SKUs of a page that are shown with what each channel shows of them."""


class SkusQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which SKUs; what is left out does not matter. ``after`` is the ``next`` of the page before.

    ``show``: with ``channels``, what each channel shows of them, too; then a page has 50 at most.
    """

    q: Looked | None = None
    prefix: Sku | None = None
    location: Location | None = None
    channel: Channel | None = None
    # Not "or None": a query string would spell that as state=null.
    state: SkuState | msgspec.UnsetType = msgspec.UNSET
    sort: SkuSort | msgspec.UnsetType = msgspec.UNSET
    show: Literal["channels"] | msgspec.UnsetType = msgspec.UNSET
    after: After = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50


class IndexView(msgspec.Struct, frozen=True):
    """How old the index is: all changes up to ``as_of`` and ``seq`` are in it. The numbers beside it are of now.

    ``complete`` False: it is still being filled with what was there before.
    """

    as_of: datetime
    seq: int
    complete: bool


class FoundSkuView(msgspec.Struct, frozen=True):
    """A SKU, and what it has at one location or at all, in units. ``short``: reserved units that are not on the shelf.

    ``locations``: at how many it is known. ``channels``: what each shows of it, where that was asked for.
    """

    sku: str
    category: str
    states: list[SkuState]
    available: int
    on_hand: int
    held: int
    committed: int
    damaged: int
    quality_control: int
    safety: int
    short: int
    locations: int
    channels: list[OnChannelView] | msgspec.UnsetType = msgspec.UNSET


class SkusPage(msgspec.Struct, frozen=True):
    """SKUs that match; ``next`` is the ``after`` of the next page, empty on the last.

    ``low_up_to``: with ``state=low``, the highest reorder point; where more units are left, nothing is low.
    """

    skus: list[FoundSkuView]
    next: str
    index: IndexView
    low_up_to: int | msgspec.UnsetType = msgspec.UNSET
