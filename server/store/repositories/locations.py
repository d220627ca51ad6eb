"""The locations of a partition: one hash by name, and a copy of it in each process, refreshed every second."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.changes import Change
from server.domain.locations import LOCATIONS_MAX, Directory, Location
from server.store.connection.commands import command, together
from server.store.errors import StoreUnavailableError
from server.store.keys import Keyspace

REFRESH_S: Final = 1.0
"""How long a copy counts as current: a change takes effect in every process within this time."""
ANSWER_S: Final = 2.0
"""A store that does not return the locations within this time hangs."""
LOCATIONS_PER_WRITE: Final = 500
"""Locations of one write: some milliseconds of the store's time."""
_VERSION: Final = b"\0version"
"""Field of the hash that counts its changes; no name of a location holds a zero byte."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Location).decode


class TooManyLocationsError(Exception):
    """There would be more locations than a partition may have."""


class LocationStore:
    """The registered locations of a partition. Methods raise StoreUnavailableError if the store does not answer."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self._client = client
        self._keyspace = keyspace

    async def directory(self) -> Directory:
        """Read all of them."""
        kept = await command(self._client, "HGETALL", self._keyspace.locations)
        version = int(kept.pop(_VERSION, 0))
        return Directory((_decode(packed) for packed in kept.values()), version)

    async def version(self) -> int:
        """Read how often they have changed."""
        return int(await command(self._client, "HGET", self._keyspace.locations, _VERSION) or 0)

    async def put(self, locations: Sequence[Location], actor: str) -> None:
        """Register locations, or replace their descriptions; other locations are unchanged.

        The entry in the journal names the actor.

        Raises
        ------
        TooManyLocationsError
            There would be more than LOCATIONS_MAX.

        """
        known = await self.directory()
        added = {each.name for each in locations} - known.locations.keys()
        if added and len(known.locations) + len(added) > LOCATIONS_MAX:
            raise TooManyLocationsError
        key = self._keyspace.locations
        pairs: list[str | bytes] = []
        for each in locations:
            pairs += (each.name, _encode(each))
        notes = [("location", each.name) for each in locations]
        entry = msgspec.msgpack.encode([Change("locations", await self._now_ms(), actor, "", "", "", [], notes)])
        await together(
            self._client,
            [
                ("HSET", key, *pairs),
                ("HINCRBY", key, _VERSION, 1),
                ("XADD", self._keyspace.journal, "*", "e", entry),
            ],
        )

    async def _now_ms(self) -> int:
        seconds, microseconds = await command(self._client, "TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000


class KnownLocations:
    """One process's copy of a partition's locations, at most about a second behind the store.

    ``clock_s`` is monotonic, in seconds.
    """

    def __init__(self, store: LocationStore, clock_s: Callable[[], float]) -> None:
        self.store = store
        self._clock_s = clock_s
        self._directory: Directory | None = None
        self._fresh_until_s = 0.0
        self._reading: asyncio.Task[None] | None = None

    def known(self) -> Directory | None:
        """Return the copy without waiting; None before the first reading. Refresh an old copy in the background."""
        if self._directory is not None and self._clock_s() > self._fresh_until_s:
            self._refresh()
        return self._directory

    async def current(self) -> Directory:
        """Return a copy that is at most :data:`REFRESH_S` old.

        Raises
        ------
        StoreUnavailableError
            The store did not answer within :data:`ANSWER_S`.

        """
        if self._directory is None or self._clock_s() > self._fresh_until_s:
            # All callers share one reading; one that is cancelled does not cancel it for the others.
            await asyncio.shield(self._refresh())
        assert self._directory is not None  # noqa: S101  # the reading set it, or has raised
        return self._directory

    async def put(self, locations: Sequence[Location], actor: str) -> None:
        """Register locations; the next answer of this process has them, if the store still answers."""
        await self.store.put(locations, actor)
        if self._reading is not None:
            await asyncio.wait([self._reading])  # it may have begun before
        self._fresh_until_s = 0.0
        with suppress(StoreUnavailableError):
            await self.current()

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    def _refresh(self) -> "asyncio.Task[None]":
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())
            self._reading.add_done_callback(self._was_read)
        return self._reading

    def _was_read(self, reading: "asyncio.Task[None]") -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # read, as no caller may have waited for it

    async def _read(self) -> None:
        known = self._directory
        try:
            async with asyncio.timeout(ANSWER_S):
                if known is None or await self.store.version() != known.version:
                    self._directory = await self.store.directory()
        except TimeoutError:
            raise StoreUnavailableError("The store does not answer; try again.") from None
        self._fresh_until_s = self._clock_s() + REFRESH_S
