"""The scripts that rename and delete a SKU, and the renames that a kill has interrupted: they are finished."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import structlog
from redis.asyncio import Redis

from server.domain.likeness import FOLD_VERSION, folds
from server.domain.principal import SYSTEM
from server.domain.spelling import asked_as
from server.store.connection.commands import run_confirmed
from server.store.errors import SimilarNameError
from server.store.keys import Keyspace
from server.store.lua_library import library
from server.store.repositories.aliases import moving_names, names_of
from server.store.repositories.channels import ChannelStore
from server.store.repositories.listings import ListingStore
from server.store.repositories.location_renames import finish_location_renames

log = structlog.get_logger("holdfast.names")

PLACES_AT_A_TIME: Final = 200
"""Places that one call of the script moves: some 3 ms."""
DELETED_AT_ONCE: Final = 1_500
"""Places of a SKU that can be deleted; they go in one call."""
_PAUSE_S: Final = 0.002
"""Between two calls, so that the hot path gets through."""
_decode_renamed: Final = msgspec.msgpack.Decoder(tuple[str, bool, str]).decode
_decode_deleted: Final = msgspec.msgpack.Decoder(tuple[str, str, str, str]).decode
_pack: Final = msgspec.msgpack.Encoder().encode


class Deleted(NamedTuple):
    """What became of a SKU that was to be deleted, and what it is still used for.

    ``use``: "units" at a location (``where``), "expected", "listed" on a channel, or "component" of what that lists
    under ``key``; empty: for nothing.
    """

    outcome: str
    use: str = ""
    where: str = ""
    key: str = ""


class AliasStore:
    """The old names of one partition. Methods raise StoreUnavailableError if the store does not answer.

    ``limits``: :meth:`Retention.packed`, which every script needs.
    """

    def __init__(self, client: Redis, keyspace: Keyspace, limits: bytes) -> None:
        self._client = client
        self._keyspace = keyspace
        self._limits = limits

    async def rename_sku(
        self,
        old: str,
        new: str,
        actor: str,
        channels: Sequence[str],
        *,
        allow_similar: bool = False,
        reason: str = "",
    ) -> str:
        """Rename a SKU, whatever it takes; return the outcome, "renamed" where all of it is. The journal has why.

        Where it was interrupted, the same request goes on. From the first call on, both names mean the same.
        Packs and bundles take the new name while the stock lies under the old one, so a kill leaves none behind.

        Raises
        ------
        SimilarNameError
            Another known SKU is like the new name, and nothing changed.

        """
        places = 0 if await self._is_component(old, channels) else PLACES_AT_A_TIME
        while True:
            outcome, is_left = await self.rename_some(
                old, new, actor, channels, places, allow_similar=allow_similar, reason=reason
            )
            if not is_left:
                return outcome
            if not places:
                for channel in channels:
                    await ListingStore(self._client, self._keyspace).rename_component(channel, old, new, actor)
                places = PLACES_AT_A_TIME
            await asyncio.sleep(_PAUSE_S)

    async def rename_some(
        self,
        old: str,
        new: str,
        actor: str,
        channels: Sequence[str],
        places: int,
        *,
        allow_similar: bool = False,
        reason: str = "",
    ) -> tuple[str, bool]:
        """Begin to rename a SKU, or go on, with so many places; return the outcome, and whether some are left.

        Raises as :meth:`rename_sku`.
        """
        alike = FOLD_VERSION, folds((old, new)), allow_similar
        request = _pack([actor, old, new, places, list(channels), *alike, asked_as(old), reason])
        keys, function = self._keyspace.renaming(channels), library().function("rename_sku")
        outcome, is_left, similar = _decode_renamed(
            await run_confirmed(self._client, function, keys, self._limits, request)
        )
        if outcome == "similar_name":
            raise SimilarNameError(similar)
        return outcome, is_left

    async def _is_component(self, sku: str, channels: Sequence[str]) -> bool:
        listings = ListingStore(self._client, self._keyspace)
        return any([any(await listings.count_holding(channel, [sku])) for channel in channels])

    async def delete_sku(self, sku: str, actor: str, channels: Sequence[str]) -> Deleted:
        """Delete a SKU that has no units and promises none."""
        keys, function = self._keyspace.renaming(channels), library().function("delete_sku")
        while True:
            named = folds(await names_of(self._client, self._keyspace, sku))
            request = _pack([actor, sku, DELETED_AT_ONCE, list(channels), named])
            deleted = Deleted(
                *_decode_deleted(await run_confirmed(self._client, function, keys, self._limits, request))
            )
            if deleted.outcome != "other_names":  # else it was renamed meanwhile
                return deleted


async def finish_renames(client: Redis, keyspace: Keyspace, limits: bytes) -> None:
    """Finish the renames of a partition, of locations first. Where one goes on elsewhere, both move some of its places.

    Raises
    ------
    StoreUnavailableError
        The store did not answer. What was moved until then is moved; begin again.

    """
    await finish_location_renames(client, keyspace, limits)
    skus = await moving_names(client, keyspace)
    if not skus:
        return
    channels = await ChannelStore(client, keyspace).channels()
    for new, old in skus.items():
        outcome = await AliasStore(client, keyspace, limits).rename_sku(old, new, SYSTEM, channels)
        log.info("rename_finished", partition=keyspace.partition, sku=old, to=new, outcome=outcome)
