"""The limits that a channel sets on its callers, as an adapter declares them."""

from typing import Literal

import msgspec

from adapters.contract.http import WRITE


class Window(msgspec.Struct, frozen=True):
    """At most ``count`` requests (or items) of a group in any ``per_s`` seconds. A daily quota is a window of a day."""

    count: int
    per_s: float
    group: str = WRITE
    of: Literal["requests", "items"] = "requests"


class TokenBucket(msgspec.Struct, frozen=True):
    """``per_s`` requests a second, and up to ``burst`` at once after a pause."""

    per_s: float
    burst: float
    group: str = WRITE


class CostPoints(msgspec.Struct, frozen=True):
    """A bucket whose level the channel reports, see :meth:`Adapter.cost_left`; until then these figures hold."""

    maximum: float
    restore_per_s: float
    group: str = WRITE


class PerItem(msgspec.Struct, frozen=True):
    """At most ``count`` updates of one item in any ``per_s`` seconds; ``priced``: only those that carry a price."""

    count: int
    per_s: float
    priced: bool = False


Limit = Window | TokenBucket | CostPoints | PerItem


class CostLeft(msgspec.Struct, frozen=True):
    """What a channel reports as left of its cost points."""

    available: float
    maximum: float
    restore_per_s: float
