"""Faults that can be planted in the booking of orders: histories that do not find these would find no others either."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from msgspec.structs import replace

from server.domain.channel_orders import ChannelOrder
from server.domain.operations.orders import Noted
from server.domain.order_balance import Balance
from server.domain.order_told import told_of
from server.service import orders


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Work with this fault meanwhile; empty: with none."""
    if not name:
        yield
        return
    where, attribute, fault = _PLANTS[name]
    with patch.object(where, attribute, fault):
        yield


def names() -> list[str]:
    """Name all that there are."""
    return sorted(_PLANTS)


def _ours_ignored(self: Balance) -> None:
    """What the desk has shipped is shipped once more when the channel tells it."""
    self.to_ship = max(0, self.told.shipped - self.line.shipped)
    self.line = replace(self.line, shipped=max(self.line.shipped, self.told.shipped - self.to_ship))


def _part_lowers(record: Any, order: ChannelOrder, **how: Any) -> Any:
    """A part counts as the whole order: what it lacks is gone."""
    return told_of(record, replace(order, complete=True), **how)


def _stale_counts(record: Any, order: ChannelOrder, **how: Any) -> Any:
    """An older snapshot counts as the newest."""
    return told_of(record, order, **how | {"fetched": True})


def _nothing_compared(*fields: Any) -> Noted:
    """A step takes effect although others have changed the reservation since it was looked at."""
    return replace(Noted(*fields), seen=[])


def _booked_again_where_ours_is_higher(self: Balance) -> None:
    """What the desk has cancelled is booked again, since the channel has not cancelled it."""
    told = self.told.cancelled
    again = max(0, self.cancelled - told)
    self.line = replace(self.line, due=self.line.due + again, cancelled=min(told, self.line.cancelled))
    difference = max(0, told - max(self.line.cancelled, self.cancelled))
    not_booked = min(self.line.due, difference)
    self.line = replace(self.line, due=self.line.due - not_booked)
    self._settle_cancelled(difference - not_booked)


_PLANTS: Final[dict[str, tuple[Any, str, Callable[..., Any]]]] = {
    "booked_again": (Balance, "_cancel", _booked_again_where_ours_is_higher),
    "nothing_compared": (orders, "Noted", _nothing_compared),
    "ours_ignored": (Balance, "_ship", _ours_ignored),
    "part_lowers": (orders, "told_of", _part_lowers),
    "stale_counts": (orders, "told_of", _stale_counts),
}
