"""What is counted of each day: units ordered, shipped, cancelled, returned, received, by SKU, channel and location."""

from datetime import date
from typing import Final

import msgspec

DAY_MS: Final = 86_400_000
CHANNELS_PER_DAY_MAX: Final = 1_000
"""So many channels of a partition are told apart in the figures of a day; anybody who orders can invent names."""
OTHER_CHANNELS: Final = "(other channels)"
"""The name under which units of further channels are counted, none of them lost."""
_EPOCH: Final = date(1970, 1, 1).toordinal()
_PROMISES: Final = frozenset({"order", "commit", "map_lines", "edit"})
"""Operations that order units. A line that nobody knew is ordered when it is mapped: only then its SKU is known."""
_CANCELS: Final = frozenset({"cancel", "edit"})
"""Operations that cancel units. An edit does either, line by line."""


class Figures(msgspec.Struct, array_like=True, gc=False):
    """Units of one day; all but ``other`` only grow. Kept in the store: new fields come at the end.

    ``ordered``: committed, or owed until they arrive, shipped or not. ``other``: signed changes of ``on_hand`` by
    counts, adjustments and transfers. ``on_hand`` changed by ``received + returned - shipped + other``.
    """

    ordered: int = 0
    shipped: int = 0
    cancelled: int = 0
    returned: int = 0
    received: int = 0
    other: int = 0

    @property
    def net(self) -> int:
        """Units ordered minus units cancelled; negative where more were cancelled on that day."""
        return self.ordered - self.cancelled

    @property
    def d_on_hand(self) -> int:
        """By how many units ``on_hand`` changed."""
        return self.received + self.returned - self.shipped + self.other

    def add(self, more: "Figures") -> None:
        """Add the units of another day, channel or location."""
        self.ordered += more.ordered
        self.shipped += more.shipped
        self.cancelled += more.cancelled
        self.returned += more.returned
        self.received += more.received
        self.other += more.other

    def take(self, operation: str, d_on_hand: int, d_ordered: int) -> None:
        """Add one line of a change in the journal.

        Units are ordered or cancelled by their operation, not by their sign alone: a relocated order is neither.
        """
        if operation in _PROMISES:
            self.ordered += max(0, d_ordered)
        if operation in _CANCELS:
            self.cancelled += max(0, -d_ordered)
        if d_on_hand:
            self._move(operation, d_on_hand)

    def _move(self, operation: str, d_on_hand: int) -> None:
        match operation:
            case "fulfil":
                self.shipped -= d_on_hand
            case "return":
                self.returned += d_on_hand
            case "receive":
                self.received += d_on_hand
            case _:
                self.other += d_on_hand

    def __bool__(self) -> bool:
        return any((self.ordered, self.shipped, self.cancelled, self.returned, self.received, self.other))


def day_of(time_ms: int) -> int:
    """Return the number of the UTC day of a time, from 1970 on."""
    return time_ms // DAY_MS


def date_of(day: int) -> date:
    """Return the date of a day's number."""
    return date.fromordinal(_EPOCH + day)


def day_of_date(when: date) -> int:
    """Return the number of a date's day, from 1970 on."""
    return when.toordinal() - _EPOCH
