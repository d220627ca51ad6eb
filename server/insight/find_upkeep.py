"""Fills the index for finding from the store, once, and looks through it ever after for what the store has no more.

The journal says what changes; this reads what was there before. It begins anew whenever a part of the journal is not
known, or the store did not answer: a scan of the store is worth nothing after that. What it writes is as the store has
it, so it may run beside the follower of the journal, in any number of processes.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

import structlog

from server.insight import find_readings as readings
from server.insight.find_index import FindIndex
from server.insight.pace import Pace
from server.store.connection.commands import command
from server.store.connection.connect import StoreClient
from server.store.documents import found, found_state
from server.store.documents.database import Session, Work
from server.store.documents.documents import Documents
from server.store.errors import DocumentsError, StoreError
from server.store.keys import PARTITIONS, Keyspace
from server.store.repositories.stock import partition_seq

log = structlog.get_logger("holdfast.insight")

EVERY_S: Final = 1.0
FAILED_S: Final = 5.0
LEARN_S: Final = 30.0
"""How often the names of all partitions are read."""
FILLED_AT_ONCE: Final = 20
"""Partitions that are read for the first time in each round; most of many have nothing."""
LOOKED_THROUGH_AT_ONCE: Final = 3
"""Partitions of which a part of the index is compared with the store in each round, in turn."""
REST: Final = 2.0
"""After a slice it rests for so many times as long as that took: orders need the event loop and the disk more."""
REST_S_MAX: Final = 0.5
LOOKED_THROUGH: Final = 200
"""Rows of the index that are compared with the store in one slice."""
IN_ORDER: Final = 100_000
"""Rows that are read before they are written, in order, of all partitions that are being filled together. The store has
them in none. A row by itself has the database write half a dozen pages; beside its neighbours it shares them."""
SLICES_MAX: Final = 50
"""Slices of one partition in a round, where many rows are to be taken out; then others have their turn."""

Writes = AsyncIterator[Work[None]]
T = TypeVar("T")
Row = TypeVar("Row", found.FoundPlace, found.FoundReservation, found.FoundBarcode, found.FoundHolder)


class FindUpkeep:
    """Fills and looks through the index of all partitions, one after the other.

    ``channels`` returns the configured channels of a partition. ``pace``: shared with the followers of the journal;
    what is only looked through keeps it. None: its own.
    """

    def __init__(
        self,
        client: StoreClient,
        documents: Documents,
        index: FindIndex,
        partitions: Callable[[], Iterable[str]],
        *,
        channels: Callable[[str], Iterable[str]],
        pace: Pace | None = None,
    ) -> None:
        self._client = client
        self._documents = documents
        self._index = index
        self._served = partitions
        self._channels = channels
        self._pace = pace or Pace()
        self._filled: set[str] | None = None
        self._fills: dict[str, Writes] = {}
        """Partitions that are being read for the first time, and how far."""
        self._began_at: dict[str, tuple[int, int]] = {}
        """The seq of each when that began, and the epoch of its index."""
        self._known: list[str] = []
        self._learned_s = -LEARN_S
        self._next = 0
        self._places_at: dict[str, tuple[str, str]] = {}
        self._reservations_at: dict[str, str] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        failing = False
        while True:
            try:
                await self.once()
                failing = False
            except (DocumentsError, StoreError) as error:
                self._begin_anew()
                if not failing:
                    log.warning("finding_waits", reason=str(error))
                failing = True
            except Exception:
                self._begin_anew()
                if not failing:
                    log.exception("finding_failed")
                failing = True
            await asyncio.sleep(FAILED_S if failing else 0 if self._fills else EVERY_S)

    def _begin_anew(self) -> None:
        self._filled = None
        self._fills.clear()

    async def once(self) -> None:
        """Fill what is not filled, read again what has moved, and look through a part of the rest.

        Raises
        ------
        DocumentsError, StoreUnavailableError
            One of the two does not answer. What was not done is done next time.

        """
        if self._filled is None or self._index.stale:
            stale, self._index.stale = self._index.stale, set()
            self._fills = {name: fill for name, fill in self._fills.items() if name not in stale}
            self._filled = await self._documents.look(found_state.filled)
        await self._learn()
        for name in self._fills.keys() & self._filled:  # another process was faster
            del self._fills[name], self._began_at[name]
        for name in self._unfilled(self._filled):
            await self._fill(Keyspace(name), self._filled)
        moved, self._index.moved = self._index.moved, set()
        for name in sorted(moved & self._filled):
            await self._read_moved(Keyspace(name))
        for name in self._next_names():
            if name in self._filled:
                await self._look_through(Keyspace(name))

    async def _learn(self) -> None:
        """Learn the names of all partitions, and in which of them something is still to be read again.

        Others may have changed what the database has: a partition that was erased is filled anew if it is used again.
        """
        now_s = asyncio.get_running_loop().time()
        if now_s - self._learned_s < LEARN_S:
            return
        registered = {name.decode() for name in await command(self._client, "SMEMBERS", PARTITIONS)}
        self._known = sorted(registered.union(self._served()))
        self._index.moved |= await self._documents.look(found_state.moving)
        self._filled = await self._documents.look(found_state.filled)
        self._learned_s = now_s

    def _unfilled(self, filled: set[str]) -> list[str]:
        """Name partitions that are to be read for the first time: those in which something happens come first."""
        seen, self._index.seen = self._index.seen, {}
        names = dict.fromkeys([*self._fills, *seen, *self._known])
        return [name for name in names if name not in filled][:FILLED_AT_ONCE]

    def _next_names(self) -> list[str]:
        some = [self._known[(self._next + n) % len(self._known)]
                for n in range(min(LOOKED_THROUGH_AT_ONCE, len(self._known)))]  # fmt: skip
        self._next += len(some)
        return some

    # -- all that the store has

    async def _fill(self, keyspace: Keyspace, filled: set[str]) -> None:
        """Write some slices of all that the store has."""
        partition = keyspace.partition
        writes = self._fills.get(partition)
        if writes is None:
            epoch = await self._documents.look(lambda session: found_state.epoch(session, partition))
            self._began_at[partition] = await partition_seq(self._client, keyspace), epoch
            writes = self._fills[partition] = self._all(keyspace)
        for _ in range(SLICES_MAX):
            work = await anext(writes, None)
            if partition in self._index.stale:
                return
            if work is None:
                await self._write(_done(partition, *self._began_at.pop(partition)))
                del self._fills[partition]
                if (await self._documents.look(lambda session: found_state.state(session, partition))).is_filled:
                    filled.add(partition)  # else a part of the journal was missed meanwhile: it begins anew
                return
            await self._write(work)

    async def _all(self, keyspace: Keyspace) -> Writes:
        for step in (
            self._stock, self._untracked, self._reservations, self._listings, self._barcodes, self._holders,
        ):  # fmt: skip
            async for work in step(keyspace):
                yield work

    async def _stock(self, keyspace: Keyspace) -> Writes:
        async for places in self._in_order(partial(readings.scan_places, self._client, keyspace)):
            yield _putting(found.put_places, keyspace.partition, places)

    async def _untracked(self, keyspace: Keyspace) -> Writes:
        position = -1
        while position:
            part = await readings.scan_untracked(self._client, keyspace, max(0, position))
            position = part.following
            if part.untracked:
                yield _putting(found.put_untracked, keyspace.partition, part.untracked)

    async def _reservations(self, keyspace: Keyspace) -> Writes:
        """Read the live ones first: one that ends meanwhile is found in one of the two hashes, or in both."""
        key = await self._documents.customer_key(keyspace.partition)
        for where in (keyspace.reservations, keyspace.ended):
            scan = partial(readings.scan_reservations, self._client, where, key=key)
            async for rows in self._in_order(scan):
                yield _putting(found.put_reservations, keyspace.partition, rows)

    async def _in_order(self, scan: Callable[[int], Awaitable[tuple[int, list[Row]]]]) -> AsyncIterator[list[Row]]:
        """Read all rows, and yield slices of neighbours. What changes meanwhile the journal's follower has newer."""
        runs, count, position = list[list[Row]](), 0, -1
        while position:
            position, rows = await _at_leisure(scan(max(0, position)))
            runs.append(sorted(rows))
            count += len(rows)
            if count * len(self._fills) >= IN_ORDER or not position:
                merged = heapq.merge(*runs)
                while some := list(islice(merged, readings.SLICE)):
                    yield some
                runs, count = [], 0

    async def _listings(self, keyspace: Keyspace) -> Writes:
        partition = keyspace.partition
        for channel in sorted(self._channels(partition)):
            for by_key in (False, True):
                position = -1
                while position:
                    position, rows = await readings.scan_listings(
                        self._client, keyspace, channel, max(0, position), by_key=by_key
                    )
                    if rows:
                        yield _putting(found.put_listings, partition, channel, rows)

    async def _barcodes(self, keyspace: Keyspace) -> Writes:
        async for rows in self._in_order(partial(readings.scan_barcodes, self._client, keyspace)):
            yield _putting(found.put_barcodes, keyspace.partition, rows)

    async def _holders(self, keyspace: Keyspace) -> Writes:
        async for rows in self._in_order(partial(readings.scan_holders, self._client, keyspace)):
            yield _putting(found.put_holders, keyspace.partition, rows)

    # -- what was closed or opened

    async def _read_moved(self, keyspace: Keyspace) -> None:
        """Read again what lies at locations that were closed or opened."""
        partition = keyspace.partition
        for _ in range(SLICES_MAX):
            moved = await self._documents.look(lambda session: found_state.moved(session, partition))
            if moved is None:
                return
            location, read_to = moved
            known = await self._skus_at(partition, location, read_to)
            now = await readings.read_places(self._client, keyspace, list(known))
            following = list(known)[-1][0] if len(known) == LOOKED_THROUGH else ""
            await self._write(_again(partition, now, known, (location, following)))
        self._index.moved.add(partition)  # the rest is for the next round

    async def _skus_at(self, partition: str, location: str, after: str) -> found_state.Known:
        return await self._documents.look(
            lambda session: found_state.skus_at(session, partition, location, after, LOOKED_THROUGH)
        )

    # -- what the store has no more

    async def _look_through(self, keyspace: Keyspace) -> None:
        for _ in range(SLICES_MAX):
            gone = await self._pace.counted(self._look_at_places(keyspace))
            gone += await self._pace.counted(self._look_at_reservations(keyspace))
            await self._pace.rest()
            if gone < LOOKED_THROUGH // 10:
                return

    async def _look_at_places(self, keyspace: Keyspace) -> int:
        partition, after = keyspace.partition, self._places_at.get(keyspace.partition, ("", ""))
        known = await self._documents.look(
            lambda session: found_state.places_after(session, partition, after, LOOKED_THROUGH), self._pace.spend
        )
        self._places_at[partition] = list(known)[-1] if len(known) == LOOKED_THROUGH else ("", "")
        now = await readings.read_places(self._client, keyspace, list(known))
        if known:
            await self._documents.follow(_again(partition, now, known), self._pace.spend)
        return len(now.gone)

    async def _look_at_reservations(self, keyspace: Keyspace) -> int:
        partition, after = keyspace.partition, self._reservations_at.get(keyspace.partition, "")
        names = await self._documents.look(
            lambda session: found_state.reservations_after(session, partition, after, LOOKED_THROUGH), self._pace.spend
        )
        self._reservations_at[partition] = names[-1] if len(names) == LOOKED_THROUGH else ""
        gone = await readings.purged(self._client, keyspace, names)
        if gone:
            await self._documents.follow(
                lambda session: found.drop_reservations(session, partition, gone), self._pace.spend
            )
        return len(gone)

    async def _write(self, work: Work[None]) -> None:
        await _at_leisure(self._documents.follow(work))


async def _at_leisure(work: Awaitable[T]) -> T:
    """Do something, and rest for as long as ``REST`` says."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    done = await work
    await asyncio.sleep(min(REST_S_MAX, REST * (loop.time() - began_s)))
    return done


def _putting(put: Callable[..., Coroutine[Any, Any, None]], *values: object) -> Work[None]:
    """Return what writes some rows."""
    return lambda session: put(session, *values)


def _done(partition: str, seq: int, epoch: int) -> Work[None]:
    """Return what notes that all was read once, in an epoch that has not ended."""
    return lambda session: found_state.put_filled(session, partition, seq, epoch)


def _again(
    partition: str, now: readings.Places, known: found_state.Known, moved: tuple[str, str] | None = None
) -> Work[None]:
    """Return what writes places that were ``known`` as they are now.

    ``moved``: and up to where their location was read again.
    """

    async def write(session: Session) -> None:
        await found.put_places(session, partition, now.there, now.gone, known=known)
        if moved is not None:
            await found_state.move_on(session, partition, *moved)

    return write
