"""Reads one partition for the audit: in chunks, with turns for the event loop in between."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from server.store.connection.commands import command, together
from server.store.journal.entries import Bounds, parse_bounds
from server.store.keys import Keyspace

Progress = Callable[[str, int, int], None]
"""Called with what is read, how much of it was read, and how much there is, about."""

CHUNK: Final = 250
"""Elements of one HSCAN: some 0.2 ms of the store's time."""
_TURN_S: Final = 0.002
"""After this time the event loop gets its turn."""


class Moment(msgspec.Struct, frozen=True):
    """Read at one moment: the last seq and the journal's end belong to the same state. The rest are sizes."""

    seq: int
    shortage: int
    stock: int
    live: int
    ended: int
    deadlines: int
    journal: Bounds
    in_transit: int = 0
    """Units between two locations; belongs to the same state as the seq."""
    lacking: int = -1
    """Reserved units that are not there, at the same moment; -1: not all places were counted yet."""


class Reader:
    """Reads one partition's keys, with a pause of ``pause_s`` between chunks."""

    def __init__(self, client: Redis, keyspace: Keyspace, progress: Progress | None, pause_s: float) -> None:
        self.client = client
        self.keys = keyspace
        self._progress = progress
        self._pause_s = pause_s
        self._turn_ends_s = 0.0

    async def moment(self) -> Moment:
        """Read the partition's seq and the journal's end, as they are together."""
        journal = self.keys.journal
        # XINFO has no answer where there is no journal yet, and it may begin at any moment.
        exists, *figures = await together(self.client, [("EXISTS", journal), *self._questions()])
        if not exists:
            return _moment(Bounds(), figures)
        info, *figures = await together(self.client, [("XINFO STREAM", journal), *self._questions()])
        return _moment(parse_bounds(info), figures)

    def _questions(self) -> list[tuple[str, ...]]:
        keys = self.keys
        return [
            ("HGET", keys.meta, "seq"),
            ("HGET", keys.meta, "shortage"),
            ("HLEN", keys.stock),
            ("HLEN", keys.reservations),
            ("HLEN", keys.ended),
            ("ZCARD", keys.deadlines),
            ("HGET", keys.meta, "in_transit"),
            ("HGET", keys.meta, "lacking"),
            ("HEXISTS", keys.meta, "lacking_known"),
        ]

    async def together(self, *commands: tuple[str | bytes | int, ...]) -> list[Any]:
        """Run several commands at one moment."""
        return await together(self.client, commands)

    async def scan(self, what: str, verb: str, key: str, total: int) -> AsyncIterator[list[tuple[bytes, Any]]]:
        """Go through a hash (HSCAN) or a sorted set (ZSCAN) in chunks; an element may come twice."""
        cursor, done = 0, 0
        while True:
            cursor, found = await command(self.client, verb, key, cursor, "COUNT", CHUNK)
            items = list(found.items()) if isinstance(found, dict) else list(found)
            for first in range(0, len(items), CHUNK):
                yield items[first : first + CHUNK]
            done += len(items)
            self.report(what, done, max(total, done))
            if int(cursor) == 0:
                return
            await asyncio.sleep(self._pause_s)
            self._turn_ends_s = time.monotonic() + _TURN_S

    async def breathe(self) -> None:
        """Yield to the event loop, if this turn has lasted long enough."""
        if time.monotonic() >= self._turn_ends_s:
            await asyncio.sleep(0)
            self._turn_ends_s = time.monotonic() + _TURN_S

    def report(self, what: str, done: int, total: int) -> None:
        """Report the progress to the caller, if it wants that."""
        if self._progress is not None:
            self._progress(what, done, total)


def _moment(journal: Bounds, figures: list[Any]) -> Moment:
    *sizes, in_transit, lacking, known = (int(figure or 0) for figure in figures)
    seq, shortage, stock, live, ended, deadlines = sizes
    return Moment(seq, shortage, stock, live, ended, deadlines, journal, in_transit, lacking if known else -1)
