"""Channels that orders name and nobody has configured: they are taken and shown as such, or refused by a setting."""

from typing import NoReturn

from server.domain.answers import ReservationAnswer
from server.domain.operations.reservations import Order, Reserve
from server.domain.similar_names import did_you_mean
from server.service.caller import Caller, Partition
from server.service.problems import ProblemError, problem


def is_refused(partition: Partition, operation: Reserve | Order) -> bool:
    """Return whether the setting refuses the channel of a new reservation; never that of an order that is sold."""
    if not is_other_refused(partition, operation.channel):
        return False
    return not (isinstance(operation, Order) and operation.accept_shortage)


def is_other_refused(partition: Partition, channel: str) -> bool:
    """Return whether the setting refuses what is new on behalf of a channel."""
    return partition.other_channels is not None and not partition.is_meant(channel)


def check_allowed(caller: Caller, channel: str) -> None:
    """Refuse a question on behalf of a channel whose orders are refused. ``channel`` empty: none is named.

    Raises
    ------
    ProblemError
        They are.

    """
    if channel and is_other_refused(caller.partition, channel):
        _refuse(caller.partition, channel)


async def repeated(caller: Caller, operation: Reserve | Order) -> ReservationAnswer:
    """Answer a request of a channel that is refused, if it repeats one that was taken; else as the other raises."""
    await check_repeated(caller, operation)
    return await caller.ledger.run(operation)


async def check_repeated(caller: Caller, operation: Reserve | Order) -> None:
    """Refuse what does not repeat a request that was taken, as when its channel was still configured.

    Raises
    ------
    ProblemError
        It repeats none. Nothing changed.

    """
    if operation.fingerprint:
        known = (await caller.ledger.reservation(operation.reservation_id)).reservation
        if known is not None and known.fingerprint == operation.fingerprint:
            return
    _refuse(caller.partition, operation.channel)


def _refuse(partition: Partition, channel: str) -> NoReturn:
    known = [*partition.channels, *(partition.other_channels or ())]
    detail = (
        f"Orders may not name {channel}, which is not configured{did_you_mean(channel, known) or '.'} Correct the name,"
        " add it to the configuration file, or to HOLDFAST_OTHER_CHANNELS. Nothing changed."
    )
    raise ProblemError(problem("unknown_channel", detail))
