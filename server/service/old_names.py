"""Has the door heed the names that were stored before there was one, in each partition that this process serves."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Final

import structlog

from server.domain.spelling import StoredNames
from server.service.checks import enter, heed
from server.store.connection.commands import command
from server.store.connection.connect import StoreClient
from server.store.errors import StoreError
from server.store.keys import Keyspace
from server.store.repositories.old_names import find_old_names, read_stored_names

log = structlog.get_logger("holdfast.names")

SOON_S: Final = 1.0
"""Until partitions are looked at again whose names were not all looked at."""
AGAIN_S: Final = 3_600.0
"""Until all names are looked at again: a release without the door may run beside this one."""
NAMES_AT_ONCE_MAX: Final = 20_000
"""So many are looked at before the first request is taken: some hundredths of a second."""

PARTITIONS_AT_ONCE: Final = 32
_PAUSE_S: Final = 0.002
"""Between two partitions, so that the hot path gets through."""


class OldNames:
    """The stored names of some partitions; ``looks``: this process looks for them, others read what it found."""

    def __init__(self, client: StoreClient, partitions: Callable[[], Iterable[str]], *, looks: bool) -> None:
        self._client = client
        self._partitions = partitions
        self._looks = looks
        self._unfinished: set[str] = set()
        self._known: set[str] = set()

    async def begin(self) -> None:
        """Read what is known, and look at the names where they are few. To be called before the first request.

        Raises
        ------
        StoreUnavailableError
            The store did not answer.

        """
        partitions = sorted(self._partitions())
        for first in range(0, len(partitions), PARTITIONS_AT_ONCE):
            await asyncio.gather(*map(self._learn, partitions[first : first + PARTITIONS_AT_ONCE]))

    async def run(self) -> None:
        """Look at the names that were not looked at, and at all of them every hour, until cancelled."""
        loop = asyncio.get_running_loop()
        again_s = loop.time() + AGAIN_S
        while True:
            await asyncio.sleep(SOON_S)
            due = set(self._partitions()) - self._known | self._unfinished
            if loop.time() > again_s:
                again_s, due = loop.time() + AGAIN_S, set(self._partitions())
            for partition in sorted(due):
                try:
                    await (self._look if self._looks and partition in self._known else self._learn)(partition)
                    await asyncio.sleep(_PAUSE_S)
                except StoreError as error:
                    log.warning("names_not_looked_at", partition=partition, reason=str(error))

    async def _learn(self, partition: str) -> None:
        """Read what is known, or look where the names are few; a partition without any costs one command."""
        keyspace = Keyspace(partition)
        if not await command(self._client, "EXISTS", keyspace.skus, keyspace.barcodes, keyspace.locations):
            self._heed(partition, StoredNames())
            if self._looks:  # soon: who begins later need not wait then for a look at what this release has stored
                self._unfinished.add(partition)
            return
        names = await read_stored_names(self._client, keyspace)
        if not names.is_complete and self._looks and await self._are_few(keyspace):
            await self._look(partition)
        else:
            self._heed(partition, names)

    async def _are_few(self, keyspace: Keyspace) -> bool:
        count = sum([int(await command(self._client, "HLEN", key)) for key in (keyspace.skus, keyspace.barcodes)])
        return count <= NAMES_AT_ONCE_MAX

    async def _look(self, partition: str) -> None:
        keyspace = Keyspace(partition)
        found = await find_old_names(self._client, keyspace)
        if found:
            log.warning(
                "old_names", partition=partition, names=len(found), doubles=sum(each.is_double for each in found),
                advice="they stay reachable; holdfast verify --names lists them",
            )  # fmt: skip
        self._heed(partition, await read_stored_names(self._client, keyspace))

    def _heed(self, partition: str, names: StoredNames) -> None:
        self._known.add(partition)
        if names.is_complete:
            self._unfinished.discard(partition)
        else:
            self._unfinished.add(partition)
        heed(partition, names)


async def heeded(
    client: StoreClient, partitions: Callable[[], Iterable[str]], *, looks: bool
) -> Coroutine[None, None, None]:
    """Begin as :class:`OldNames` does; return what is to run beside the requests. Raises as its ``begin``."""
    names = OldNames(client, partitions, looks=looks)
    await names.begin()
    return names.run()


async def heed_stored_names(client: StoreClient, partition: str) -> None:
    """Have the door heed the stored names of a partition, for one command; all are looked at before, if need be.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    keyspace = Keyspace(partition)
    names = await read_stored_names(client, keyspace)
    if not names.is_complete:
        await find_old_names(client, keyspace)
        names = await read_stored_names(client, keyspace)
    heed(partition, names)
    enter(partition)
