"""Which SKUs are untracked: they have no stock and need none. Off the hot path."""

from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.likeness import FOLD_VERSION, fold
from server.store.connection.commands import command, run_on_keys
from server.store.errors import SimilarNameError
from server.store.keys import Keyspace, stored_text
from server.store.lua_library import library

NOWHERE: Final = msgspec.msgpack.encode([])
"""What the hash of the SKUs and their locations has of an untracked one; an older release knows it nowhere."""
_SCAN_MIN: Final = 10
_SCAN_MAX: Final = 200
_PLACES_PER_SCAN: Final = 20_000
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


class SkuSlice(NamedTuple):
    """Some SKUs: those that have stock, and those that are untracked. ``following``: where to go on, 0: at the end."""

    tracked: list[str]
    untracked: list[str]
    following: int


async def scan_skus(
    client: Redis, keyspace: Keyspace, position: int, count: int, places_max: int = _PLACES_PER_SCAN
) -> SkuSlice:
    """Read about ``count`` SKUs from a position on, 0 to begin with; fewer where they are at very many locations.

    One that is there during the whole scan comes at least once.
    """
    found, places, step = SkuSlice([], [], position), 0, _SCAN_MIN
    while True:
        following, packed = await command(client, "HSCAN", keyspace.skus, found.following, "COUNT", step)
        for sku, names in packed.items():
            (found.untracked if names == NOWHERE else found.tracked).append(stored_text(sku))
            places += _locations_in(names)
        found = found._replace(following=int(following))
        left = count - len(found.tracked) - len(found.untracked)
        if not found.following or left <= 0 or places >= places_max:
            return found
        # Of a chain's SKUs each names thousands of locations: then few are read at a time.
        step = max(1, min(left, _SCAN_MAX, step * 2 if places < _PLACES_PER_SCAN // 4 else _SCAN_MIN))


def _locations_in(names: bytes) -> int:
    """Return how many locations a packed list has, by its head."""
    head = names[0]
    if head & 0xF0 == 0x90:  # noqa: PLR2004  # a short array of MessagePack
        return head & 0x0F
    return int.from_bytes(names[1:3] if head == 0xDC else names[1:5])  # noqa: PLR2004
