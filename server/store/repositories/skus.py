"""Which SKUs are untracked: they have no stock and need none. Off the hot path."""

from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.likeness import FOLD_VERSION, fold
from server.store.connection.commands import command, run_on_keys
from server.store.errors import SimilarNameError
from server.store.keys import Keyspace
from server.store.lua_library import library

NOWHERE: Final = msgspec.msgpack.encode([])
"""What the hash of the SKUs and their locations has of an untracked one; an older release knows it nowhere."""
_decode_answer: Final = msgspec.msgpack.Decoder(tuple[bool, str]).decode


class SkuStore:
    """The SKUs of a partition. Methods raise StoreUnavailableError if the store does not answer.

    ``limits``: :meth:`Retention.packed`, which every script needs.
    """

    def __init__(self, client: Redis, keyspace: Keyspace, limits: bytes) -> None:
        self._client = client
        self._keyspace = keyspace
        self._limits = limits

    async def is_untracked(self, sku: str) -> bool:
        """Read whether a SKU was made untracked and has had no stock since."""
        return bool(await command(self._client, "HGET", self._keyspace.skus, sku) == NOWHERE)

    async def track(self, sku: str, actor: str, *, tracked: bool, allow_similar: bool = False) -> bool:
        """Make a SKU tracked or untracked; False: it has stock records, so it stays tracked.

        The entry in the journal names the actor.

        Raises
        ------
        SimilarNameError
            It would be new, and a known SKU is like it.

        """
        request = msgspec.msgpack.encode([actor, sku, tracked, FOLD_VERSION, fold(sku), allow_similar])
        function, keys = library().function("track"), (*self._keyspace.all, self._keyspace.likeness)
        is_so, similar = _decode_answer(await run_on_keys(self._client, function, keys, self._limits, request))
        if similar:
            raise SimilarNameError(similar)
        return is_so
