"""Which lines lack units where more are reserved than there are."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from server.domain.channels import ChannelSettings

OTHERS_MAX: Final = 5
"""Locations that are named for a line that lacks units."""
PROTECTING_FLAG: Final = "vip"
"""Orders with this flag are short only when all others are."""


class Waiting(msgspec.Struct, frozen=True):
    """A reserved line at a location with a shortage; ``quantity`` is what is held or committed, in units.

    ``created_ms`` is on the store's clock. ``lacks``: how many of the units are missing for it.
    """

    reservation_id: str
    line: int
    channel: str
    state: str
    order_ref: str
    flags: list[str]
    created_ms: int
    quantity: int
    lacks: int = 0


class Elsewhere(msgspec.Struct, frozen=True):
    """Where else units are of what is short, for each SKU and channel: location and units, as far as was looked."""

    found: Mapping[tuple[str, str], list[tuple[str, int]]] = {}

    def of(self, sku: str, channel: str, location: str) -> list[tuple[str, int]] | None:
        """Return the locations beside one that a channel's line can be moved to, those with most units first.

        None: nobody has looked.
        """
        places = self.found.get((sku, channel))
        if places is None:
            return None
        others = [each for each in places if each[0] != location and each[1] > 0]
        return sorted(others, key=lambda each: (-each[1], each[0]))[:OTHERS_MAX]


def newest_first(channels: Mapping[str, ChannelSettings]) -> frozenset[str]:
    """Return the channels whose newest order gets units that come back; of others it is the oldest."""
    return frozenset(name for name, each in channels.items() if each.orders.short == "newest")


def who_lacks(short: int, waiting: Iterable[Waiting], newest_first: Collection[str] = ()) -> list[Waiting]:
    """Return which lines lack how many of ``short`` units: the newest first, those with the flag ``vip`` last.

    Their sum is ``short``, which is never more than is reserved, unless not all lines were found. ``newest_first``:
    channels that would rather serve their newest order: among their own, the oldest lack first.
    """
    lacking = []
    order = sorted(waiting, key=lambda each: (_is_protected(each), -each.created_ms, each.reservation_id))
    for each in _turned(order, newest_first) if newest_first else order:
        lacks = min(short, each.quantity)
        if lacks <= 0:
            break
        short -= lacks
        lacking.append(msgspec.structs.replace(each, lacks=lacks))
    return lacking


def _is_protected(each: Waiting) -> bool:
    return PROTECTING_FLAG in each.flags


def _turned(order: list[Waiting], channels: Collection[str]) -> list[Waiting]:
    """Turn the order among the lines of each of some channels round; those of others stay where they are."""
    turned = list(order)
    for channel in channels:
        for protected in (False, True):
            places = [i for i, each in enumerate(order) if each.channel == channel and _is_protected(each) is protected]
            for place, other in zip(places, reversed(places), strict=True):
                turned[place] = order[other]
    return turned
