"""A fault of one partition: it is told, and stops nobody else.

A damaged key makes each script on its partition fail, while the store serves all others. What concerns the store as a
whole (it is away, full, loading, a replica) is no fault of a partition, and ends the chore as before.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from redis.exceptions import ResponseError

from server.store.errors import StoreError
from server.store.keys import Keyspace
from server.store.maintenance.activity import Activity
from server.telemetry import metrics

log = structlog.get_logger("holdfast.housekeeping")

_OF_THE_STORE: Final = ("MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "UNBLOCKED", "TRYAGAIN", "OOM")
"""Words of redis-py's plain ResponseError that are about the store and no partition."""

Work = Callable[[Keyspace], Awaitable[None]]


def is_its_own(error: Exception) -> bool:
    """Whether an error is about one partition: the store answered, and refused this command for what it works on."""
    if not isinstance(error, StoreError):
        return True
    cause = error.__cause__
    return type(cause) is ResponseError and not str(cause).startswith(_OF_THE_STORE)


class PartitionFaults:
    """Runs a chore for partition after partition, and keeps count of those that it fails for."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._failing: dict[str, set[str]] = {}

    async def each(self, chore: str, work: Work) -> None:
        """Do the work for every partition that has changed since its last turn, and now and then for the others.

        Raises
        ------
        StoreError
            The store as a whole could not be used.

        """
        for keyspace in self._activity.due(chore):
            await self.guarded(chore, keyspace, work)

    async def guarded(self, chore: str, keyspace: Keyspace, work: Work) -> None:
        """Do the work for one partition; its own fault is told, and goes no further."""
        self._activity.begin(chore, keyspace.partition)
        try:
            await work(keyspace)
        except BaseException as error:
            self._activity.failed(chore, keyspace.partition)
            if not isinstance(error, Exception) or not is_its_own(error):
                raise
            self._fails(chore, keyspace.partition, error)
        else:
            self._recovered(chore, keyspace.partition)

    def fails(self, chore: str, keyspace: Keyspace) -> bool:
        """Whether the chore has failed for a partition and not succeeded since."""
        return keyspace.partition in self._failing.get(chore, ())

    def _fails(self, chore: str, partition: str, error: Exception) -> None:
        failing = self._failing.setdefault(chore, set())
        if partition not in failing:
            reason = str(error) or type(error).__name__
            log.error(
                "partition_fails",
                chore=chore,
                partition=partition,
                reason=reason,
                exc_info=None if isinstance(error, StoreError) else error,
            )
        failing.add(partition)
        metrics.MAINTENANCE_FAILING_PARTITIONS.labels(chore).set(len(failing))

    def _recovered(self, chore: str, partition: str) -> None:
        failing = self._failing.get(chore)
        if failing and partition in failing:
            failing.discard(partition)
            log.warning("partition_recovered", chore=chore, partition=partition)
            metrics.MAINTENANCE_FAILING_PARTITIONS.labels(chore).set(len(failing))
