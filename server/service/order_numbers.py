"""One order, one booking: a reserve, order or commit that names the number of a channel's order is known by it.

What intake has booked is refused as ``order_known``; what comes before intake is adopted by it.
"""

from typing import TypeVar

from server.domain.binding import Bound
from server.domain.channel_orders import ORDER_NUMBER_BYTES_MAX
from server.domain.operations.orders import Numbered
from server.domain.operations.reservations import Commit, Order, Reserve
from server.service.caller import Caller

T = TypeVar("T")


def numbered(caller: Caller, new: Reserve | Order, operation: T) -> T | Numbered:
    """Return the operation of a new reservation as it is run: with its number, if it names one of a channel's order.

    ``operation``: ``new`` itself, or with the choice of its locations in front.
    """
    if not new.order_ref or new.channel not in caller.partition.channels or not _may_be_number(new.order_ref):
        return operation
    return Numbered(new.channel, new.order_ref, (), operation)


def numbered_commit(caller: Caller, commit: Commit, operation: Commit | Bound) -> Commit | Bound | Numbered:
    """Return a commit as it is run; its reservation knows the channel."""
    channels = caller.partition.channels
    if not commit.order_ref or not channels or not _may_be_number(commit.order_ref):
        return operation
    return Numbered("", commit.order_ref, tuple(channels), operation)


def _may_be_number(reference: str) -> bool:
    return len(reference.encode()) <= ORDER_NUMBER_BYTES_MAX
