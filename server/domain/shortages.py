"""Which lines lack units where more are reserved than there are."""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

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
