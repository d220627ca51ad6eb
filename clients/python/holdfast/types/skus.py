"""What is sent and answered: skus.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

import msgspec

from holdfast.types.common import IndexView, OnChannelView


class DeletedView(msgspec.Struct, frozen=True, kw_only=True):
    """The SKU that was deleted."""

    sku: str


class KeyDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The key under which the channel has no pack or bundle now."""

    channel: str
    key: str


class ListingDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The SKU that has no listing on the channel now."""

    channel: str
    sku: str


class RenamedView(msgspec.Struct, frozen=True, kw_only=True):
    """``sku``: the old name, which goes on to work; ``to``: the new one."""

    sku: str
    to: str


class FoundSkuView(msgspec.Struct, frozen=True, kw_only=True):
    """A SKU, and what it has at one location or at all, in units. ``short``: reserved units that are not on the shelf.

    ``locations``: at how many it is known. ``channels``: what each shows of it, where that was asked for.
    """

    sku: str
    category: str
    states: list[str]
    available: int
    on_hand: int
    held: int
    committed: int
    damaged: int
    quality_control: int
    safety: int
    short: int
    locations: int
    channels: list[OnChannelView] = msgspec.field(default_factory=list)


class SkusPage(msgspec.Struct, frozen=True, kw_only=True):
    """SKUs that match; ``next`` is the ``after`` of the next page, empty on the last.

    ``low_up_to``: with ``state=low``, the highest reorder point; where more units are left, nothing is low.
    """

    skus: list[FoundSkuView]
    next: str
    index: IndexView
    low_up_to: int | None = None
