"""The locations of a partition: one hash by name, and a copy of it in each process, refreshed every second."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from server.domain.aliases import NAMES_ONLY
from server.domain.changes import Change
from server.domain.likeness import FOLD_VERSION, folds
from server.domain.locations import LOCATIONS_MAX, ClosedLocations, Directory, Location, LocationsChanged
from server.store.connection.commands import command, run_confirmed, run_on_keys
from server.store.connection.connect_errors import address, unavailable
from server.store.connection.scans import slices
from server.store.errors import StoreUnavailableError
from server.store.keys import Keyspace
from server.store.lua_library import Function, library
from server.store.repositories.location_names import read_location_names

REFRESH_S: Final = 1.0
"""How long a copy counts as current: a change takes effect in every process within this time."""
ANSWER_S: Final = 2.0
"""A store that does not return the locations within this time hangs."""
LOCATIONS_PER_WRITE: Final = 500
"""Locations of one write: some milliseconds of the store's time."""
SKUS_PER_SCAN: Final = 500
"""A fraction of a millisecond of the store's time, and about as much of the event loop."""
_VERSION: Final = b"\0version"
"""Field of the hash that counts its changes; no name of a location holds a zero byte."""
_SETTLED: Final = "closed_as_of"
"""Field of ``meta``: up to which of them the scripts know what is closed."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Location).decode
_pack = msgspec.msgpack.Encoder().encode
_unpack_names = msgspec.msgpack.Decoder(frozenset[str]).decode
_unpack_result = msgspec.msgpack.Decoder(tuple[bool, str]).decode
_unpack_registered = msgspec.msgpack.Decoder(tuple[bool, str, list[tuple[str, str]]]).decode


CHANGED: Final = "locations"
"""The operation of a change by which locations were registered."""


def closings(change: Change) -> LocationsChanged | None:
    """Return which locations a change of the journal closed or opened; None: none, as almost always."""
    if change.operation != CHANGED and (change.operation not in NAMES_ONLY or change.lines):
        return None
    named: dict[str, set[str]] = {}
    for name, value in change.notes:
        named.setdefault(name, set()).add(value)
    closed, opened = frozenset(named.get("closed", ())), frozenset(named.get("opened", ()))
    if not closed and not opened:  # an older release does not say it; it is settled by a change of its own
        return None
    return LocationsChanged(int(max(named["places"], key=int)), closed, opened)


async def read_closed(client: Redis, keyspace: Keyspace) -> ClosedLocations:
    """Read which locations are closed.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    version, packed = await command(client, "HMGET", keyspace.meta, "places", "closed")
    return ClosedLocations(int(version or 0), _unpack_names(packed) if packed else frozenset())


async def skus_at(
    client: Redis, keyspace: Keyspace, locations: frozenset[str], place: int = 0
) -> tuple[dict[str, frozenset[str]], int]:
    """Look through a slice of all SKUs; return those that are known at some locations, with these, and the next place.

    Begin at place 0; the next place 0 means that these were the last. A SKU may come twice. A place stays good however
    long the next call takes, for any process.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    following, found = await command(client, "HSCAN", keyspace.skus, place, "COUNT", SKUS_PER_SCAN)
    lying = ((sku, locations & _unpack_names(packed)) for sku, packed in found.items())
    return {sku.decode(): names for sku, names in lying if names}, int(following)


async def places_of_stock(client: Redis, keyspace: Keyspace) -> AsyncIterator[frozenset[str]]:
    """Go through the locations that SKUs lie at, or did: those of a few SKUs at a time, many of them repeatedly.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    async for found in slices(client, keyspace.skus, SKUS_PER_SCAN):
        yield frozenset().union(*map(_unpack_names, found.values()))


async def registered_names(client: Redis, keyspace: Keyspace) -> list[str]:
    """Read the names of the registered locations.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    return [name.decode() for name in await command(client, "HKEYS", keyspace.locations) if name != _VERSION]


class TooManyLocationsError(Exception):
    """There would be more locations than a partition may have."""


class LocationStore:
    """The registered locations of a partition. Methods raise StoreUnavailableError if the store does not answer."""

    def __init__(self, client: Redis, keyspace: Keyspace, limits: bytes) -> None:
        """``limits``: :meth:`Retention.packed`, which every script needs."""
        self._client = client
        self._keyspace = keyspace
        self._limits = limits

    async def directory(self) -> Directory:
        """Read all of them."""
        kept = await command(self._client, "HGETALL", self._keyspace.locations)
        version = int(kept.pop(_VERSION, 0))
        return Directory((_decode(packed) for packed in kept.values()), version)

    async def version(self) -> int:
        """Read how often they have changed."""
        return int(await command(self._client, "HGET", self._keyspace.locations, _VERSION) or 0)

    async def put(self, locations: Sequence[Location], actor: str, *, allow_similar: bool = False) -> Mapping[str, str]:
        """Register locations, or replace their descriptions; other locations are unchanged.

        An order is never taken from a location after this has closed it. The entry in the journal names the actor.
        Returns those that were left out, for they would be new and are like a known name, and that name.

        Raises
        ------
        TooManyLocationsError
            There would be more than LOCATIONS_MAX.

        """
        names = await read_location_names(self._client, self._keyspace)
        locations = [msgspec.structs.replace(each, name=names.current(each.name)) for each in locations]
        # As text: the store's MessagePack knows no binary.
        descriptions = [(each.name, _encode(each).decode(), each.open) for each in locations]
        alike = [FOLD_VERSION, folds(each.name for each in locations), allow_similar]
        argument = _pack([actor, LOCATIONS_MAX, descriptions, *alike])
        keys = (*self._keyspace.describing, self._keyspace.likeness)
        function = library().function("describe_locations")
        # Confirmed: a location that was closed stays closed over a failover.
        has_room, _, similar = _unpack_registered(
            await run_confirmed(self._client, function, keys, self._limits, argument)
        )
        if not has_room:
            raise TooManyLocationsError
        return dict(similar)

    async def settle(self) -> None:
        """Tell the scripts which locations are closed, where an older release has registered them.

        A call closes and opens some of them. Repeated until all are, and no other description has come meanwhile.
        """
        while True:
            as_of, settled = await self._versions()
            if as_of == settled:
                return
            closed = sorted((await self.directory()).closed)
            if await self._settled(["closed", as_of, closed]):
                return

    async def limit_channels(self, locations: Mapping[str, Sequence[str]]) -> None:
        """Tell the scripts which locations each channel's orders may be taken from; channels left out: from all.

        One channel a call. Killed in between, it leaves some channels with what they had: told again, it goes on.
        """
        limited = {channel: sorted(names) for channel, names in sorted(locations.items()) if names}
        for channel, names in limited.items():
            await self._settled(["limit", channel], _pack(names))
        await self._settled(["limited", list(limited)])

    async def _versions(self) -> tuple[str, str]:
        as_of = await command(self._client, "HGET", self._keyspace.locations, _VERSION)
        settled = await command(self._client, "HGET", self._keyspace.meta, _SETTLED)
        return (as_of or b"0").decode(), (settled or b"0").decode()

    async def _settled(self, argument: Sequence[object], *more: bytes) -> bool:
        call = self._call("settle_places", argument)
        return _unpack_result(await run_on_keys(self._client, *call, *more))[0]

    def _call(self, function: str, argument: Sequence[object]) -> tuple[Function, Sequence[str], bytes, bytes]:
        return library().function(function), self._keyspace.describing, self._limits, _pack(argument)


async def unsettled(client: Redis, keyspaces: Sequence[Keyspace]) -> list[Keyspace]:
    """Return those of some partitions whose scripts may not know all that is closed; no cluster can be asked so.

    A partition whose keys cannot be read is among them: to settle it tells why.
    """
    try:
        async with client.pipeline(transaction=False) as pipeline:
            for keyspace in keyspaces:
                pipeline.execute_command("HGET", keyspace.locations, _VERSION)
                pipeline.execute_command("HGET", keyspace.meta, _SETTLED)
            found = await pipeline.execute(raise_on_error=False)
    except (RedisError, OSError) as error:
        raise unavailable(error, address(client.connection_pool)) from error
    return [
        keyspace
        for keyspace, as_of, settled in zip(keyspaces, found[::2], found[1::2], strict=True)
        if isinstance(as_of, Exception) or isinstance(settled, Exception) or (as_of or b"0") != (settled or b"0")
    ]


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

    async def put(self, locations: Sequence[Location], actor: str, *, allow_similar: bool = False) -> Mapping[str, str]:
        """Register locations; the next answer of this process has them, if the store still answers.

        Returns as :meth:`LocationStore.put`.
        """
        similar = await self.store.put(locations, actor, allow_similar=allow_similar)
        if self._reading is not None:
            await asyncio.wait([self._reading])  # it may have begun before
        self._fresh_until_s = 0.0
        with suppress(StoreUnavailableError):
            await self.current()
        return similar

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
                    await self.store.settle()
                    self._directory = await self.store.directory()
        except TimeoutError:
            raise StoreUnavailableError("The store does not answer; try again.") from None
        self._fresh_until_s = self._clock_s() + REFRESH_S
