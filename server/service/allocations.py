"""Allocations: units of a channel's own, and caps on what a channel may take from the common pool."""

from typing import NamedTuple

from server.domain.answers import Refused
from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.stock import StockChanged
from server.schemas.allocations import AllocationBody, AllocationMoveBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_channel, check_location, check_reference, check_sku
from server.service.known_channels import check_not_mistyped, is_allocated
from server.service.order_channels import check_allowed, is_other_refused
from server.store.connection.timeouts import in_time
from server.store.repositories import allocations
from server.store.repositories.channels import ChannelStore


class Target(NamedTuple):
    """A channel at a (SKU, location); ``as_sent``: the three as they were spelled, for the fingerprint."""

    sku: str
    location: str
    channel: str
    as_sent: tuple[str, str, str]


def check_target(sku: str, location: str, channel: str) -> Target:
    """Check the three names of an allocation.

    Raises
    ------
    InvalidError
        One cannot be what it should be.

    """
    checked = check_channel("channel", channel)
    return Target(check_sku("sku", sku), check_location("location", location), checked, (sku, location, channel))


def allocate_operation(caller: Caller, target: Target, body: AllocationBody) -> Allocate:
    """Make the operation that sets the allocation of a channel, absolutely.

    Raises
    ------
    InvalidError
        A field breaks a rule.

    """
    body_fingerprint = caller.fingerprint("allocate", *target.as_sent, body)
    reason = check_reference("reason", body.reason)
    return Allocate(body_fingerprint, caller.actor, caller.key, *target[:3], body.kind, body.units, reason)


def drop_operation(caller: Caller, target: Target, reason: str = "") -> Allocate:
    """Make the operation that takes an allocation away; what the channel has reserved stays reserved."""
    # A request without a reason has the fingerprint that it always had.
    asked = caller.fingerprint("allocate_drop", *target.as_sent, *([reason] if reason else []))
    return Allocate(asked, caller.actor, caller.key, *target[:3], "own", 0, reason)


def move_operation(caller: Caller, body: AllocationMoveBody) -> AllocateMove:
    """Make the operation that moves unreserved units from one channel's allocation to another's.

    Raises
    ------
    InvalidError
        A field breaks a rule.

    """
    channel = check_channel("from_channel", body.from_channel)
    taker = check_channel("to_channel", body.to_channel)
    if channel == taker:
        raise InvalidError("to_channel", "must be another channel than from_channel")
    return AllocateMove(
        caller.fingerprint("allocate_move", body),
        caller.actor,
        caller.key,
        check_sku("sku", body.sku),
        check_location("location", body.location),
        channel,
        taker,
        body.units,
        check_reference("reason", body.reason),
    )


async def check_taker(caller: Caller, operation: Allocate | AllocateMove, *, is_new: bool) -> None:
    """Refuse units for a channel whose orders are refused, or, unless it is said to be new, for one mistyped.

    What such a channel has already can still be changed, as when it was configured before.

    Raises
    ------
    InvalidError
        It is a known one mistyped.
    ProblemError
        Its orders are refused.
    StoreUnavailableError
        The store did not answer in time.

    """
    channel, field = operation.channel, "channel"
    if isinstance(operation, AllocateMove):
        channel, field = operation.taker, "to_channel"
    partition = caller.partition
    if channel in partition.channels or not operation.units:
        return
    where = operation.sku, operation.location
    if is_other_refused(partition, channel) and not await is_allocated(caller.ledger, where, channel):
        check_allowed(caller, channel)
    if is_new:
        return
    published = await in_time(ChannelStore(partition.client, partition.keyspace).published_channels())
    known = {*partition.channels, *published}
    await check_not_mistyped(caller.ledger, where, field, channel, known)


async def allocate(caller: Caller, operation: Allocate | AllocateMove) -> StockChanged | Refused:
    """Carry an operation on allocations out. Refusals are values.

    Raises as :meth:`~server.store.ledger.ledger.Ledger.run`.
    """
    partition = caller.partition
    return await allocations.allocate(partition.client, caller.ledger, partition.limits, operation)
