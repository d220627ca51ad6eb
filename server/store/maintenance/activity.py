"""Which partitions have something to do: one look at all of them, so that an idle one costs next to nothing.

A partition changes only by scripts that write to its journal, so its length tells that something happened. The look
asks for it, and for the next deadline, a few hundred partitions in one script that writes nothing.
"""

import asyncio
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from math import inf
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis

from server.store.connection.commands import packed_call, run_packed
from server.store.errors import StoreError
from server.store.keys import Keyspace
from server.store.lua_library import library

log = structlog.get_logger("holdfast.housekeeping")

LOOK_S: Final = 1.0
LOOK_S_MAX: Final = 10.0
LOOKED_AT_A_SECOND: Final = 1_250
"""With more partitions than that it is done less often: each takes some 2 µs, of the store and of this process.

So of 10,000 idle partitions, one that another process has used is noticed after 8 s at most.
"""
AT_ONCE: Final = 250
"""Partitions in one script: some 0.3 ms of the store's time."""
BUSY_S: Final = 10.0
"""So long after its last change a partition is looked after all the time: the next change is likely."""
REST_S: Final = 0.2
"""How long the sweep of holds rests where there are none; far less than the time from one look to the next."""
OVERTAKEN_MAX: Final = 1_000
"""Deadlines that are no longer the next ones, which are kept until their time or until there are more."""
IDLE_AGAIN_S: Final = {
    "forget": 1_800.0,
    "trim": 1_800.0,
    "figures": 3_600.0,
    "documents": 3_600.0,
    "audit": 86_400.0,
    "recount": 86_400.0,
    "settle": 300.0,
    "orders": 7 * 86_400.0,
}
"""How often a chore takes its turn with a partition in which nothing has changed; others never need to."""


_decode = msgspec.msgpack.Decoder(list[int]).decode


class _Work:
    """What a chore has to do: partitions that changed since its turn, and all others by the time of theirs."""

    def __init__(self, names: Iterable[str]) -> None:
        self.changed = dict.fromkeys(names)
        self.taken_s: dict[str, float] = {}
        """The longest ago first."""

    def due(self, before_s: float) -> list[str]:
        names = list(self.changed)
        for name, taken_s in self.taken_s.items():
            if taken_s > before_s:
                break
            if name not in self.changed:
                names.append(name)
        return names


class Activity:
    """Looks at the partitions, and remembers what each chore has to do.

    Parameters
    ----------
    partitions
        Returns all of them.
    clustered
        The store is a cluster, in which no script sees several partitions: all count as changed at each look.

    """

    def __init__(self, client: Redis, partitions: Callable[[], Iterable[Keyspace]], *, clustered: bool = False) -> None:
        self._client = client
        self._partitions = partitions
        self._clustered = clustered
        self._keyspaces: dict[str, Keyspace] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._changed_s: dict[str, float] = {}
        self._next_ms: dict[str, int] = {}
        self._deadlines: list[tuple[int, str]] = []
        """A heap of all that were in ``_next_ms``: thousands of holds that are far from due cost a sweep nothing."""
        self._due: dict[str, None] = {}
        """Those whose time has come; a look takes them out again."""
        self._work: dict[str, _Work] = {}
        self._looked_at: list[Keyspace] = []
        self._calls: list[tuple[list[Keyspace], bytes]] = []
        self._found: list[bytes] = []
        """What each call has answered at the last look."""

    async def run(self) -> None:
        """Look again and again until cancelled."""
        failing = False
        while True:
            try:
                await self.look()
                failing = False
            except StoreError as error:
                if not failing:
                    log.warning("housekeeping_waits", chore="look", reason=str(error))
                failing = True
            except Exception:
                if not failing:
                    log.exception("housekeeping_failed", chore="look")
                failing = True
            await asyncio.sleep(min(LOOK_S_MAX, max(LOOK_S, len(self._seen) / LOOKED_AT_A_SECOND)))

    async def look(self) -> None:
        """Look once.

        Raises
        ------
        StoreUnavailableError
            The store did not answer.

        """
        keyspaces = list(self._partitions())
        if self._clustered:
            for keyspace in keyspaces:
                self._keyspaces[keyspace.partition] = keyspace
                self.touch(keyspace.partition)
            return
        function = library().function("look_at_partitions")
        if keyspaces != self._looked_at:
            self._looked_at, self._calls, self._found = keyspaces, [], []
            for start in range(0, len(keyspaces), AT_ONCE):
                some = keyspaces[start : start + AT_ONCE]
                keys = [key for keyspace in some for key in (keyspace.journal, keyspace.deadlines)]
                self._calls.append((some, packed_call(function, keys)))
                self._found.append(b"")
        for number, (some, call) in enumerate(self._calls):
            found = await run_packed(self._client, function, call)
            if found != self._found[number]:  # mostly nothing has changed anywhere in it
                self._take(some, _decode(found))
                self._found[number] = found
            await asyncio.sleep(0)  # requests go first

    def touch(self, partition: str) -> None:
        """Note that a partition has changed, or may have."""
        self._changed_s[partition] = asyncio.get_running_loop().time()
        self._note(partition)

    def _note(self, partition: str) -> None:
        for work in self._work.values():
            work.changed[partition] = None

    def sweepable(self, now_ms: int) -> list[str]:
        """Name the partitions with a hold that is due, and those that are busy; ``now_ms``: by the store's clock."""
        busy_since_s = asyncio.get_running_loop().time() - BUSY_S
        for name in [name for name, changed_s in self._changed_s.items() if changed_s < busy_since_s]:
            del self._changed_s[name]
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            next_ms, name = heappop(self._deadlines)
            if self._next_ms.get(name) == next_ms:
                self._due[name] = None
        return [*self._changed_s, *(name for name in self._due if name not in self._changed_s)]

    async def rest(self, now_ms: int) -> None:
        """Wait a little where no partition is busy or has a hold that is soon due: a look tells no sooner of others."""
        soon_ms = now_ms + 1000 * REST_S
        if not self._changed_s and not self._due and not (self._deadlines and self._deadlines[0][0] <= soon_ms):
            await asyncio.sleep(REST_S)

    def due(self, chore: str) -> list[Keyspace]:
        """Return the partitions that a chore has to see: those that changed, and those not seen for long.

        Before the first look these are all.
        """
        if not self._keyspaces:
            return list(self._partitions())
        work = self._work.get(chore)
        if work is None:
            work = self._work[chore] = _Work(self._keyspaces)
        before_s = asyncio.get_running_loop().time() - IDLE_AGAIN_S.get(chore, inf)
        return [self._keyspaces[name] for name in work.due(before_s)]

    def entries(self, partition: str) -> int | None:
        """Return the length of a partition's journal at the last look; None: not looked at, or damaged."""
        entries = self._seen.get(partition, (-1, 0))[0]
        return None if entries < 0 else entries

    def begin(self, chore: str, partition: str) -> None:
        """Note that a chore takes its turn with a partition; what changes from now on is for the next one."""
        work = self._work.get(chore)
        if work is not None:
            work.changed.pop(partition, None)
            work.taken_s.pop(partition, None)
            work.taken_s[partition] = asyncio.get_running_loop().time()

    def failed(self, chore: str, partition: str) -> None:
        """Have a chore take that turn again."""
        work = self._work.get(chore)
        if work is not None:
            work.changed[partition] = None

    def _take(self, keyspaces: list[Keyspace], found: list[int]) -> None:
        for place, keyspace in enumerate(keyspaces):
            name, looked = keyspace.partition, (found[2 * place], found[2 * place + 1])
            if looked == self._seen.get(name):
                continue
            is_new = name not in self._seen
            self._seen[name], self._keyspaces[name] = looked, keyspace
            self._expect(name, looked[1])
            if is_new and looked[1] >= 0:  # due for each chore, and not busy; but damaged deadlines are told at once
                self._note(name)
            else:
                self.touch(name)

    def _expect(self, name: str, next_ms: int) -> None:
        """Note when the next hold of a partition is due; 0 or less: there is none, or it cannot be told."""
        self._due.pop(name, None)
        if next_ms <= 0:
            self._next_ms.pop(name, None)
        elif self._next_ms.get(name) != next_ms:
            self._next_ms[name] = next_ms
            heappush(self._deadlines, (next_ms, name))
            if len(self._deadlines) > 2 * len(self._next_ms) + OVERTAKEN_MAX:
                self._deadlines = sorted((due_ms, other) for other, due_ms in self._next_ms.items())
