"""Locations that are deleted, where nothing lies and nothing is promised: a job of many short scripts."""

import asyncio
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.likeness import folds
from server.store.connection.commands import command, run_confirmed
from server.store.keys import Keyspace
from server.store.lua_library import library
from server.store.repositories.expected_receipts import all_supply
from server.store.repositories.location_names import read_location_names
from server.store.repositories.location_renames import skus_lying
from server.store.repositories.replenishment import ReplenishmentStore
from server.store.repositories.safety_stock import SafetyStore
from server.store.repositories.transfers import all_open_transfers

_PAUSE_S: Final = 0.002
"""Between two calls, so that the hot path gets through."""
_decode: Final = msgspec.msgpack.Decoder(tuple[str, str]).decode
_pack: Final = msgspec.msgpack.Encoder().encode

IN_USE: Final = "location_in_use"


class DeletedLocation(NamedTuple):
    """What became of a location that was to be deleted; ``use``: what it is still used for."""

    outcome: str
    use: str = ""


class LocationDeletes:
    """Deletes locations of one partition. Methods raise StoreUnavailableError if the store does not answer.

    ``limits``: :meth:`Retention.packed`, which every script needs.
    """

    def __init__(self, client: Redis, keyspace: Keyspace, limits: bytes) -> None:
        self._client = client
        self._keyspace = keyspace
        self._limits = limits

    async def delete(self, location: str, actor: str) -> DeletedLocation:
        """Delete a location by the name that it has now, with its old names and its rules.

        What is in the way is looked for first, so a refusal has changed nothing, unless units came meanwhile. Killed
        in between, it leaves the location with fewer SKUs that were known there; the same request goes on.
        """
        looked = await self._over_skus("look", location, actor)
        if looked is None and not await self._is_registered(location):
            return DeletedLocation("unknown_location")
        use = looked.use if looked is not None and looked.outcome == IN_USE else await self._expected(location)
        if use:
            return DeletedLocation(IN_USE, use)
        dropped = await self._over_skus("drop", location, actor)
        if dropped is not None and dropped.outcome != "deleted":
            return dropped
        await self._remove_rules(location, actor)
        while True:
            names = (await read_location_names(self._client, self._keyspace)).names(location)
            ended = await self._call("end", actor, location, folds(names))
            if ended.outcome != "other_names":  # else it was renamed meanwhile
                return ended

    async def _over_skus(self, step: str, location: str, actor: str) -> DeletedLocation | None:
        """Go through the SKUs that are known there, up to one that is in the way; None: there is none."""
        found = None
        async for skus in skus_lying(self._client, self._keyspace, location):
            found = await self._call(step, actor, location, skus)
            if found.outcome != "deleted":
                return found
            await asyncio.sleep(_PAUSE_S)
        return found

    async def _is_registered(self, location: str) -> bool:
        return bool(await command(self._client, "HEXISTS", self._keyspace.locations, location))

    async def _expected(self, location: str) -> str:
        """Name what is on its way there; empty: nothing."""
        names = (await read_location_names(self._client, self._keyspace)).names(location)
        async for receipt in all_supply(self._client, self._keyspace):
            if receipt.location in names and receipt.expected:
                return f"a receipt of {receipt.sku} is expected there"
        async for transfer in all_open_transfers(self._client, self._keyspace):
            if transfer.destination in names or transfer.source in names:
                return "a transfer from or to it is in transit"
        return ""

    async def _remove_rules(self, location: str, actor: str) -> None:
        for store in (
            ReplenishmentStore(self._client, self._keyspace),
            SafetyStore(self._client, self._keyspace),
        ):
            found = [where for where in await store.rules() if where[1] == location]
            if found:
                await store.set_rules(dict.fromkeys(found), actor)

    async def _call(self, step: str, *words: object) -> DeletedLocation:
        function, keys = library().function("delete_location"), self._keyspace.renaming_location
        request = _pack([step, *words])
        outcome, use = _decode(await run_confirmed(self._client, function, keys, self._limits, request))
        if outcome == IN_USE:
            return DeletedLocation(
                outcome, f"{use} has units, waiting lines or an allocation there, or is known nowhere else"
            )
        return DeletedLocation(outcome)
