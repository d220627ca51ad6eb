"""Locations that are renamed: a job of many short scripts, which another process can go on with."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple

import msgspec
import structlog
from redis.asyncio import Redis

from server.domain.likeness import FOLD_VERSION, folds
from server.domain.locations import Location
from server.domain.principal import SYSTEM
from server.domain.spelling import asked_as
from server.store.connection.commands import command, run_confirmed
from server.store.connection.scans import slices
from server.store.errors import SimilarNameError
from server.store.keys import Keyspace
from server.store.lua_library import library
from server.store.repositories.location_names import read_location_names, read_moved
from server.store.repositories.locations import REFRESH_S

log = structlog.get_logger("holdfast.names")

SKUS_AT_A_TIME: Final = 100
"""SKUs that one call of the script moves: some 2 ms."""
LIST_BYTES_AT_A_TIME: Final = 30_000
"""Of their lists of places, each of which is read and written as a whole; one longer list has a call of its own."""
KNOWN_S: Final = REFRESH_S + 0.3
"""After so long, each process has the new description in its copy."""
_PAUSE_S: Final = 0.002
"""Between two calls, so that the hot path gets through."""

_encode: Final = msgspec.json.Encoder().encode
_decode_location: Final = msgspec.json.Decoder(Location).decode
_decode_names: Final = msgspec.msgpack.Decoder(frozenset[str]).decode
_decode_renamed: Final = msgspec.msgpack.Decoder(tuple[str, int, str]).decode
_pack: Final = msgspec.msgpack.Encoder().encode


class Renaming(NamedTuple):
    """How far the rename of a location is. ``moved``: SKUs that lie under the new name, since it began."""

    outcome: str
    is_done: bool = False
    moved: int = 0


class LocationRenames:
    """The renames of locations of one partition. Methods raise StoreUnavailableError if the store does not answer.

    ``limits``: :meth:`Retention.packed`, which every script needs. ``known_s``: until each process has read of a new
    description; before, no SKU moves.
    """

    def __init__(self, client: Redis, keyspace: Keyspace, limits: bytes, *, known_s: float = KNOWN_S) -> None:
        self._client = client
        self._keyspace = keyspace
        self._limits = limits
        self._known_s = known_s

    async def rename(
        self,
        old: str,
        new: str,
        actor: str,
        *,
        allow_similar: bool = False,
        reason: str = "",
        within_s: float | None = None,
        report: Callable[[int], None] | None = None,
    ) -> Renaming:
        """Rename a location, or go on with that; both names mean the same from the first call on. The journal has why.

        ``within_s``: how long to move SKUs; whoever asks again, or maintenance, goes on. None: until all have moved.
        ``report``: is called with how many have moved, while they do.

        Raises
        ------
        SimilarNameError
            Another known location is like the new name, and nothing changed.

        """
        stop_s = None if within_s is None else asyncio.get_running_loop().time() + within_s
        outcome = await self.begin(old, new, actor, allow_similar=allow_similar, reason=reason)
        if outcome != "renamed" or not await self._is_moving(old, new):
            return Renaming(outcome, is_done=outcome == "renamed")
        if await command(self._client, "HEXISTS", self._keyspace.locations, new):
            await asyncio.sleep(self._known_s)
        async for skus in skus_lying(self._client, self._keyspace, old):
            if not await self._is_moving(old, new):
                break  # another process was quicker
            await self._call("move", actor, old, new, skus)
            if report is not None:
                report(await read_moved(self._client, self._keyspace))
            if stop_s is not None and asyncio.get_running_loop().time() >= stop_s:
                return Renaming(outcome, is_done=False, moved=await read_moved(self._client, self._keyspace))
            await asyncio.sleep(_PAUSE_S)
        moved = await read_moved(self._client, self._keyspace)
        await self._call("end", actor, old, new)
        return Renaming(outcome, is_done=True, moved=moved)

    async def begin(self, old: str, new: str, actor: str, *, allow_similar: bool = False, reason: str = "") -> str:
        """Have both names mean the same location from now on; return the outcome.

        Raises as :meth:`rename`.
        """
        while True:
            before = await command(self._client, "HGET", self._keyspace.locations, old)
            alike = FOLD_VERSION, folds((old, new, asked_as(old))), allow_similar, asked_as(old)
            outcome, _, similar = await self._call(
                "begin", actor, old, new, *_descriptions(before, new), *alike, reason
            )
            if outcome == "similar_name":
                raise SimilarNameError(similar)
            if outcome != "described":  # else its description has changed since it was read
                return outcome

    async def move(self, old: str, new: str, actor: str, skus: Sequence[str]) -> int:
        """Move some SKUs, each of them whole; return how many did not lie under the new name before."""
        _, moved, _ = await self._call("move", actor, old, new, list(skus))
        return moved

    async def _is_moving(self, old: str, new: str) -> bool:
        return (await read_location_names(self._client, self._keyspace)).moving.get(new) == old

    async def _call(self, step: str, *words: object) -> tuple[str, int, str]:
        function, keys = library().function("rename_location"), self._keyspace.renaming_location
        request = _pack([step, *words])
        return _decode_renamed(await run_confirmed(self._client, function, keys, self._limits, request))


async def skus_lying(client: Redis, keyspace: Keyspace, location: str) -> AsyncIterator[list[str]]:
    """Go through the SKUs whose lists of places have a location, so many at a time as one script has room for.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    async for found in slices(client, keyspace.skus, SKUS_AT_A_TIME):
        skus: list[str] = []
        room = LIST_BYTES_AT_A_TIME
        for sku, packed in found.items():
            if location not in _decode_names(packed):
                continue
            if skus and (len(packed) > room or len(skus) == SKUS_AT_A_TIME):
                yield skus
                skus, room = [], LIST_BYTES_AT_A_TIME
            skus.append(sku.decode())
            room -= len(packed)
        if skus:
            yield skus


def _descriptions(packed: bytes | None, new: str) -> tuple[str, str, str]:
    """Return a description as it is, as it is under the old name until all has moved, and under the new one."""
    if packed is None:
        return "", "", ""
    location = _decode_location(packed)
    meanwhile, after = msgspec.structs.replace(location, renamed_to=new), msgspec.structs.replace(location, name=new)
    return packed.decode(), _encode(meanwhile).decode(), _encode(after).decode()


async def finish_location_renames(client: Redis, keyspace: Keyspace, limits: bytes) -> None:
    """Finish the renames of locations of a partition. Where one goes on at the same time, both move some SKUs.

    Raises
    ------
    StoreUnavailableError
        The store did not answer. What was moved until then is moved; begin again.

    """
    for new, old in (await read_location_names(client, keyspace)).moving.items():
        done = await LocationRenames(client, keyspace, limits).rename(old, new, SYSTEM)
        log.info("location_rename_finished", partition=keyspace.partition, location=old, to=new, moved=done.moved)
