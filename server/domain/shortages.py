"""Which lines lack units where more are reserved than there are."""

from collections.abc import Iterable
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


def who_lacks(short: int, waiting: Iterable[Waiting]) -> list[Waiting]:
    """Return which lines lack how many of ``short`` units: the newest first, those with the flag ``vip`` last.

    Their sum is ``short``, which is never more than is reserved, unless not all lines were found.
    """
    lacking = []
    order = sorted(waiting, key=lambda each: (PROTECTING_FLAG in each.flags, -each.created_ms, each.reservation_id))
    for each in order:
        lacks = min(short, each.quantity)
        if lacks <= 0:
            break
        short -= lacks
        lacking.append(msgspec.structs.replace(each, lacks=lacks))
    return lacking
