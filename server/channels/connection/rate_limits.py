"""What a channel's declared limits allow at this moment. Time is a parameter: nothing here sleeps or reads a clock.

Windows slide and are strict: no ``per_s`` seconds, wherever they begin, see more than ``count`` sent. A limit is asked
first and charged afterwards, because a push must fit into all of a group's limits or is charged to none. Sending is
counted: requests may bunch up on the way to the channel, so it may still answer 429, which
:meth:`RateLimits.throttled` records. A new process begins with nothing spent, for a quota of a day, too.

Why no library: pyrate-limiter 4.5 refuses 50 in 10 s together with 350 a minute (a channel does
ask for both), charges one bucket at a time and cannot undo it, so a push could not fit all or none, and
keeps one object for each unit: 136 MB for a day's quota of a million. aiolimiter lets through twice the rate in a
window; limits' memory store starts a timer thread. Here a window keeps some 4,000 entries at most, whatever it counts.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final, Literal

from adapters.contract.http import WRITE
from adapters.contract.limits import CostLeft, CostPoints, Limit, PerItem, TokenBucket, Window

ENTRIES_MAX: Final = 4_096
"""Of one window, to bound its memory. Where more are counted, those of one 4,096th of the window are kept as one, and
released together with the last of them: of a minute that is 15 ms late, of a day 21 s."""
TICK_S: Final = 1e-6
"""A bucket that fills by itself waits for no less: its sums are rounded, and after a wait there must be enough."""

_Unit = Literal["requests", "items", "cost"]


class RateLimits:
    """What one channel may still be sent. ``now_s`` is always the event loop's clock, which never goes back."""

    def __init__(self, limits: Sequence[Limit], now_s: float) -> None:
        self._meters: dict[str, list[tuple[_Unit, _Window | _Level]]] = {}
        self._per_item: list[_PerItem] = []
        self._stopped_until_s: dict[str, float] = {}
        for limit in limits:
            _check(limit)
            if isinstance(limit, PerItem):
                self._per_item.append(_PerItem(limit))
            else:
                self._meters.setdefault(limit.group, []).append(_meter(limit, now_s))

    def wait_s(self, group: str, now_s: float, *, cost: float = 1.0, items: int = 0) -> float:
        """Return after how many seconds one request of a group may go, with that many items; 0: now.

        What is larger than a limit as a whole waits until all of that limit is free, and then may go.
        """
        wait_s = self._stopped_until_s.get(group, now_s) - now_s
        for unit, meter in self._meters.get(group, ()):
            wait_s = max(wait_s, meter.wait_s(_units(unit, cost, items), now_s))
        return max(0.0, wait_s)

    def items_left(self, group: str, now_s: float) -> int | None:
        """Return how many items may still go now; None: nothing limits them. Limits of requests are not considered."""
        left = [
            meter.left(now_s)
            for unit, meter in self._meters.get(group, ())
            if unit == "items" and isinstance(meter, _Window)
        ]
        return min(left, default=None)

    def spend(self, group: str, now_s: float, *, cost: float = 1.0, items: int = 0) -> None:
        """Charge one request that goes now, whether or not there was room for it."""
        for unit, meter in self._meters.get(group, ()):
            meter.spend(_units(unit, cost, items), now_s)

    def learn(self, left: CostLeft, now_s: float, group: str = WRITE) -> None:
        """Replace our own count of cost points by what the channel reports as left.

        Requests still in flight are not in its report, so with several at once it may be too high; the channel then
        throttles, and the next answer corrects it.
        """
        for unit, meter in self._meters.get(group, ()):
            if unit == "cost" and isinstance(meter, _Level):
                meter.learn(left, now_s)

    def throttled(self, group: str, now_s: float, after_s: float) -> None:
        """Let nothing of a group go for ``after_s`` seconds, as the channel asked; a longer earlier pause holds."""
        self._stopped_until_s[group] = max(self._stopped_until_s.get(group, now_s), now_s + after_s)

    def item_wait_s(self, key: str, now_s: float, *, priced: bool) -> float:
        """Return after how many seconds one more update of an item may go; 0: now. ``priced``: it carries a price."""
        return max((each.wait_s(key, now_s) for each in self._per_item if priced or not each.priced), default=0.0)

    def spend_item(self, key: str, now_s: float, *, priced: bool) -> None:
        """Charge an update of an item that goes now."""
        for each in self._per_item:
            if priced or not each.priced:
                each.spend(key, now_s)

    @property
    def limits_items(self) -> bool:
        """Whether there are limits of single items: most channels have none, and need not ask for each."""
        return bool(self._per_item)


class _Window:
    """A sliding window: what was sent in it, as pairs of when it leaves the window and how many units it was."""

    def __init__(self, count: int, per_s: float) -> None:
        self._count = count
        self._per_s = per_s
        self._grain_s = per_s / ENTRIES_MAX if count > ENTRIES_MAX else 0.0
        self._sent: deque[list[float]] = deque()
        self._used = 0.0

    def left(self, now_s: float) -> int:
        self._forget(now_s)
        return max(0, int(self._count - self._used))

    def wait_s(self, units: float, now_s: float) -> float:
        self._forget(now_s)
        short = self._used + min(units, self._count) - self._count
        for until_s, sent in self._sent:
            if short <= 0 or units == 0:
                break
            short -= sent
            if short <= 0:
                return until_s - now_s
        return 0.0

    def spend(self, units: float, now_s: float) -> None:
        if units == 0:
            return
        self._forget(now_s)
        until_s = now_s + self._per_s
        if self._grain_s:
            # Never early: the channel counts exactly.
            until_s = max(until_s, math.ceil(until_s / self._grain_s) * self._grain_s)
        if self._sent and self._sent[-1][0] == until_s:
            self._sent[-1][1] += units
        else:
            self._sent.append([until_s, units])
        self._used += units

    def _forget(self, now_s: float) -> None:
        while self._sent and self._sent[0][0] <= now_s:
            self._used -= self._sent.popleft()[1]


class _Level:
    """A bucket that fills by itself: tokens, or cost points. Below zero after what was larger than the bucket."""

    def __init__(self, maximum: float, restore_per_s: float, now_s: float) -> None:
        self._maximum = maximum
        self._restore_per_s = restore_per_s
        self._level = maximum
        self._at_s = now_s

    def wait_s(self, units: float, now_s: float) -> float:
        self._fill(now_s)
        wait_s = (min(units, self._maximum) - self._level) / self._restore_per_s
        return wait_s if wait_s >= TICK_S else 0.0

    def spend(self, units: float, now_s: float) -> None:
        self._fill(now_s)
        self._level -= units

    def learn(self, left: CostLeft, now_s: float) -> None:
        # A bucket of size 0, or one that never fills, would stop the channel for ever because of one odd answer.
        if left.maximum > 0:
            self._maximum = left.maximum
        if left.restore_per_s > 0:
            self._restore_per_s = left.restore_per_s
        self._level = min(max(0.0, left.available), self._maximum)
        self._at_s = now_s

    def _fill(self, now_s: float) -> None:
        self._level = min(self._maximum, self._level + (now_s - self._at_s) * self._restore_per_s)
        self._at_s = now_s


class _PerItem:
    """A sliding window for each item: when its updates leave it. Items stand in the order of their last update."""

    def __init__(self, limit: PerItem) -> None:
        self.priced = limit.priced
        self._count = limit.count
        self._per_s = limit.per_s
        self._untils_s: dict[str, list[float]] = {}

    def wait_s(self, key: str, now_s: float) -> float:
        untils_s = self._untils_s.get(key)
        if untils_s is None or len(untils_s) < self._count:
            return 0.0
        return max(0.0, untils_s[0] - now_s)

    def spend(self, key: str, now_s: float) -> None:
        self._forget(now_s)
        # Moved to the end, so that the item with the oldest update stands first. No more than the newest
        # ``count`` ever matter.
        untils_s = self._untils_s.pop(key, [])
        self._untils_s[key] = [*untils_s[max(0, len(untils_s) - self._count + 1) :], now_s + self._per_s]

    def _forget(self, now_s: float) -> None:
        while self._untils_s:
            key, untils_s = next(iter(self._untils_s.items()))
            if untils_s[-1] > now_s:
                return
            del self._untils_s[key]


def _meter(limit: Window | TokenBucket | CostPoints, now_s: float) -> tuple[_Unit, _Window | _Level]:
    match limit:
        case Window():
            return limit.of, _Window(limit.count, limit.per_s)
        case TokenBucket():
            return "requests", _Level(limit.burst, limit.per_s, now_s)
        case CostPoints():
            return "cost", _Level(limit.maximum, limit.restore_per_s, now_s)


def _units(unit: _Unit, cost: float, items: int) -> float:
    return 1.0 if unit == "requests" else cost if unit == "cost" else items


def _check(limit: Limit) -> None:
    """Refuse what would never let anything through.

    Raises
    ------
    ValueError
        A figure of the limit is not above zero.

    """
    figures = [getattr(limit, name) for name in limit.__struct_fields__ if name not in {"group", "of", "priced"}]
    if not all(figure > 0 for figure in figures):
        raise ValueError(f"every figure of a limit must be above 0: {limit!r}")
