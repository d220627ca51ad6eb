"""Which channels a partition has, what is kept about them, and how they stand."""

from typing import NamedTuple

from server.domain.channels import ChannelSettings, ChannelStatus
from server.domain.limits import NAME_BYTES_MAX
from server.domain.similar_names import did_you_mean
from server.domain.spelling import normal
from server.service.caller import Caller
from server.service.problems import ProblemError, problem
from server.store.connection.timeouts import in_time
from server.store.repositories.channels import ChannelStore


def channel_of(caller: Caller, name: str) -> ChannelSettings:
    """Find a channel among those of the caller's partition.

    Raises
    ------
    ProblemError
        It is not configured there.

    """
    known = caller.partition.channels
    found = known.get(name) or known.get(normal(name))
    if found is None:
        meant = did_you_mean(name[:NAME_BYTES_MAX], known)
        detail = f"There is no channel of this name{meant} Nothing changed." if meant else ""
        raise ProblemError(problem("unknown_channel", detail))
    return found


def store_of(caller: Caller) -> ChannelStore:
    """Open what is kept about the channels of the caller's partition; its methods wait for ever, so bound them."""
    return ChannelStore(caller.partition.client, caller.partition.keyspace)


class States(NamedTuple):
    """What the store knows of the channels of a partition, and the time there."""

    statuses: dict[str, ChannelStatus]
    now_ms: int

    def of(self, channel: str) -> tuple[ChannelStatus, bool]:
        """Return a channel's status, and whether its publisher is missing."""
        status = self.statuses.get(channel, ChannelStatus(publisher="", written_ms=0))
        return status, not status.is_current(self.now_ms)


async def states(caller: Caller) -> States:
    """Read how the channels of the partition are.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    return States(*await in_time(store_of(caller).statuses_now()))
