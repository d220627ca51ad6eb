"""What is counted of each day: units ordered, shipped, cancelled, returned, received, by SKU, channel and location."""

from datetime import date
from typing import Final

import msgspec

DAY_MS: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1).toordinal()
_PROMISES: Final = frozenset({"order", "commit"})


class Figures(msgspec.Struct, array_like=True):
    """Units of one day, all but ``other`` counted upwards. Kept in the store: new fields come at the end.

    ``ordered`` were committed, or are owed until they come, whether or not they were shipped; ``other`` is the
    signed rest of what ``on_hand`` moved by: counts, adjustments, transfers. So ``on_hand`` moved by
    ``received + returned - shipped + other``.
    """

    ordered: int = 0
    shipped: int = 0
    cancelled: int = 0
    returned: int = 0
    received: int = 0
    other: int = 0

    @property
    def net(self) -> int:
        """Units ordered and not cancelled; negative where more was cancelled than ordered, as on a quiet day."""
        return self.ordered - self.cancelled

    @property
    def d_on_hand(self) -> int:
        """By how much ``on_hand`` moved."""
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
        """Take in one line of a change of the journal.

        What is ordered or cancelled goes by the operation, not by the sign alone: an order that is moved to another
        location is neither.
        """
        if operation in _PROMISES:
            self.ordered += max(0, d_ordered)
        elif operation == "cancel":
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
    """Number the UTC day of a time, from 1970 on."""
    return time_ms // DAY_MS


def date_of(day: int) -> date:
    """Give the date of a day's number."""
    return date.fromordinal(_EPOCH + day)


def day_of_date(when: date) -> int:
    """Give the number of a date."""
    return when.toordinal() - _EPOCH
