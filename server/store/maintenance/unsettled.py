"""Has the scripts know which locations are closed, where an older release beside this one has registered them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from server.store.keys import Keyspace
from server.store.maintenance.activity import Activity
from server.store.maintenance.partition_faults import PartitionFaults

AT_ONCE: Final = 250
"""Partitions that are asked together whether there is anything to settle."""
CHORE: Final = "settle"

Settle = Callable[[Keyspace], Awaitable[None]]
Unsettled = Callable[[Sequence[Keyspace]], Awaitable[list[Keyspace]]]
"""Returns those of some partitions that may have to be settled."""


class Settling:
    """The chore. ``unsettled`` None: each partition is asked by itself, as in a cluster."""

    def __init__(
        self, activity: Activity, faults: PartitionFaults, settle: Settle, unsettled: Unsettled | None
    ) -> None:
        self._activity = activity
        self._faults = faults
        self._settle = settle
        self._unsettled = unsettled

    async def run(self) -> None:
        """Settle the partitions that have changed, and now and then the others.

        Raises
        ------
        StoreError
            The store as a whole could not be used.

        """
        due = self._activity.due(CHORE)
        for start in range(0, len(due), AT_ONCE):
            for keyspace in await self._chosen(due[start : start + AT_ONCE]):
                await self._faults.guarded(CHORE, keyspace, self._settle)

    async def _chosen(self, keyspaces: list[Keyspace]) -> list[Keyspace]:
        """Choose those that have to be settled one by one; mostly these are none."""
        if self._unsettled is None:
            return keyspaces
        for keyspace in keyspaces:
            self._activity.begin(CHORE, keyspace.partition)  # before it is read: what changes then is for the next
        try:
            found = {keyspace.partition for keyspace in await self._unsettled(keyspaces)}
        except BaseException:
            for keyspace in keyspaces:
                self._activity.failed(CHORE, keyspace.partition)
            raise
        return [each for each in keyspaces if each.partition in found or self._faults.fails(CHORE, each)]
