"""The open change streams of this process: how many there may be, who makes room for whom, and whose key still holds.

A place is counted from the moment that a stream is let in until it is told to end. Where all are taken, the partition
with the most streams makes room for one that has fewer, and within a partition the key with the most does.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import structlog

from server.domain.principal import LOCAL, Principal, Scope
from server.service.problems import ProblemError, problem
from server.streams.endings import (
    ENDINGS,
    KEY_NEEDED,
    KEY_REVOKED,
    MADE_ROOM,
    PARTITION_CHANGED,
    SCOPE_REMOVED,
    STOPPING,
    TOKEN_EXPIRED,
    Ending,
)
from server.telemetry import metrics

log = structlog.get_logger("holdfast.http")

ENDED_AT_A_TIME: Final = 50
ENDED_EVERY_S: Final = 0.005
"""To end a stream costs some 0.1 ms: five thousand of one key are gone within a second, and others still get a turn."""


class StreamLimits(NamedTuple):
    """How many streams may be open in this process, in one partition, and with one key. 0: no limit of its own."""

    process: int
    partition: int = 0
    key: int = 0


class Place:
    """What one stream has while it is open. ``ending`` is set once it is to end, and why.

    ``skus``: those that it tells of; empty: all.
    """

    __slots__ = ("authorization", "ending", "on_end", "principal", "skus")

    def __init__(self, principal: Principal, authorization: str | None) -> None:
        self.principal = principal
        self.authorization = authorization
        self.skus = principal.reach.skus if principal.reach is not None else frozenset[str]()
        self.ending: Ending | None = None
        self.on_end: Callable[[], None] | None = None
        """Called some time after ``ending`` was set, to have the stream notice."""


_Key = tuple[str, str]
"""Partition and key id."""


class OpenStreams:
    """Counts the open streams, and ends them.

    Parameters
    ----------
    limits
        How many there may be.
    authenticate
        Returns whom an ``Authorization`` header stands for, by what is known of the keys now. Whoever knows them calls
        :meth:`keys_changed`.

    """

    def __init__(self, limits: StreamLimits, authenticate: Callable[[str | None], Principal | None]) -> None:
        self._limits = limits
        self._authenticate = authenticate
        self._by_key: dict[_Key, dict[Place, None]] = {}
        self._by_partition: dict[str, int] = {}
        self._number = 0
        self._stopping = False
        self._to_end: list[Place] = []
        self._ender: asyncio.Task[None] | None = None
        for ending in ENDINGS:
            metrics.CHANGES_STREAMS_CLOSED.labels(ending.reason)
        for limit in StreamLimits._fields:
            metrics.CHANGES_STREAMS_REFUSED.labels(limit)

    def __len__(self) -> int:
        return self._number

    def take(self, principal: Principal, authorization: str | None) -> Place:
        """Give a new stream its place, until :meth:`end`.

        Raises
        ------
        ProblemError
            A limit is met, or the server stops.

        """
        if self._stopping:
            raise ProblemError(problem("overloaded", "The server stops. Try again, with another process of it."))
        key = (principal.partition, principal.key)
        limits = self._limits
        if 0 < limits.key <= len(self._by_key.get(key, ())):
            raise _refused("key", f"This key has its {limits.key:,} streams. Close one, or use another key.")
        if 0 < limits.partition <= self._by_partition.get(key[0], 0):
            raise _refused("partition", f"Your stock has its {limits.partition:,} streams. Close one, then try again.")
        if self._number >= limits.process and not self._make_room(key):
            raise _refused("process", "All places for streams are taken, and you have your share. Close one, or wait.")
        place = Place(principal, authorization)
        self._by_key.setdefault(key, {})[place] = None
        self._by_partition[key[0]] = self._by_partition.get(key[0], 0) + 1
        self._number += 1
        metrics.CHANGES_STREAMS.inc()
        return place

    def end(self, place: Place, ending: Ending) -> None:
        """Free a place at once. The stream gets nothing from now on; it may take a moment until it is gone."""
        if place.ending is not None:
            return
        place.ending = ending
        key = (place.principal.partition, place.principal.key)
        del self._by_key[key][place]
        if not self._by_key[key]:
            del self._by_key[key]
        self._by_partition[key[0]] -= 1
        if not self._by_partition[key[0]]:
            del self._by_partition[key[0]]
        self._number -= 1
        metrics.CHANGES_STREAMS.dec()
        metrics.CHANGES_STREAMS_CLOSED.labels(ending.reason).inc()

    def expire(self, place: Place, ending: Ending = TOKEN_EXPIRED) -> None:
        """End the stream of a browser whose token's time is over, or whose session has ended."""
        if place.ending is None:
            self._tell(place, ending)

    def keys_changed(self, key_ids: Iterable[str]) -> None:
        """Ask again for the keys of open streams that have one of these ids, and end those that may not go on."""
        changed = frozenset(key_ids)
        ended: dict[str, int] = {}
        for key in [key for key in self._by_key if key[1] in changed]:
            for place in list(self._by_key[key]):
                ending = self._why_not(place)
                if ending is not None:
                    self._tell(place, ending)
                    ended[ending.reason] = ended.get(ending.reason, 0) + 1
        if ended:
            log.info("changes_streams_ended", reasons=ended)

    def stop(self) -> None:
        """Take no new streams, and end all: their callers come back to another process."""
        self._stopping = True
        for places in list(self._by_key.values()):
            for place in list(places):
                self._tell(place, STOPPING)

    def _why_not(self, place: Place) -> Ending | None:
        now = self._authenticate(place.authorization)
        if now is None:
            return KEY_NEEDED if place.principal is LOCAL else KEY_REVOKED
        if now.partition != place.principal.partition:
            return PARTITION_CHANGED
        return None if now.allows(Scope.READ, Scope.AVAILABILITY) else SCOPE_REMOVED

    def _make_room(self, key: _Key) -> bool:
        """End the newest stream of who has the most, if that is more than the asker would have."""
        fullest = max(self._by_partition, key=self._by_partition.__getitem__)
        if self._by_partition[fullest] <= self._by_partition.get(key[0], 0) + 1:
            fullest = key[0]
        keys = [each for each in self._by_key if each[0] == fullest]
        if not keys:
            return False
        most = max(keys, key=lambda each: len(self._by_key[each]))
        if fullest == key[0] and len(self._by_key[most]) <= len(self._by_key.get(key, ())) + 1:
            return False
        self._tell(next(reversed(self._by_key[most])), MADE_ROOM)
        return True

    def _tell(self, place: Place, ending: Ending) -> None:
        """Free a place at once, and have its stream notice in its turn."""
        self.end(place, ending)
        self._to_end.append(place)
        if self._ender is None:
            self._ender = asyncio.get_running_loop().create_task(self._end_some_at_a_time(), name="ending-streams")

    async def _end_some_at_a_time(self) -> None:
        while self._to_end:
            some, self._to_end = self._to_end[:ENDED_AT_A_TIME], self._to_end[ENDED_AT_A_TIME:]
            for place in some:
                if place.on_end is not None:
                    place.on_end()
            await asyncio.sleep(ENDED_EVERY_S)
        self._ender = None


def _refused(limit: str, detail: str) -> ProblemError:
    metrics.CHANGES_STREAMS_REFUSED.labels(limit).inc()
    return ProblemError(problem("overloaded", detail))
