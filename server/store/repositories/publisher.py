"""The data of a publisher, and its lease: one script writes the data only for the holder of the lease."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.allocations import Allocation
from server.domain.channels import DeadLetter, Listing, OpenTicket, Shown
from server.store.connection.commands import command, run_confirmed, run_on_keys
from server.store.connection.scans import scan
from server.store.errors import FencedError
from server.store.keys import ChannelKeys, Keyspace, split_field
from server.store.lua_library import library
from server.store.repositories.listings import ListingStore
from server.store.repositories.restored import VERSIONS_FROM, is_halted
from server.store.repositories.stock import decode_stock

ARGUMENTS_MAX: Final = 4_000
"""Of one script: some two milliseconds of the store's time. Lua could unpack twice as many."""

_decode_lease = msgspec.msgpack.Decoder(tuple[int, int, int, str]).decode
_decode_shown = msgspec.msgpack.Decoder(Shown).decode
_decode_dead_letter = msgspec.msgpack.Decoder(DeadLetter).decode
_decode_ticket = msgspec.msgpack.Decoder(OpenTicket).decode


Level = tuple[str, str, int, int, tuple[Allocation, ...]]
"""SKU, location, unreserved units, seq, and the allocations of channels there."""


class Lease(msgspec.Struct, frozen=True):
    """The store's answer to a publisher: ``token`` is 0 if another ``owner`` holds the lease until ``until_ms``."""

    token: int
    until_ms: int
    now_ms: int
    owner: str


class Writes:
    """Gathered writes about channels; a later value replaces an earlier one of the same field.

    ``hashes`` maps a key to its fields, None to delete one. ``dropped`` are the keys to be removed whole.
    """

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, bytes | str | None]] = {}
        self.dropped: list[str] = []

    def set(self, key: str, field: str, value: bytes | str | None) -> None:
        """Set a field, or delete it."""
        fields = self.hashes.get(key)
        if fields is None:
            fields = self.hashes[key] = {}
        fields[field] = value

    def __bool__(self) -> bool:
        return bool(self.hashes or self.dropped)


class PublisherStore:
    """One partition as its publisher sees it. Every method raises StoreUnavailableError if the store is unreachable."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self.client = client
        self.keyspace = keyspace

    async def acquire(self, owner: str, ttl_ms: int) -> Lease:
        """Acquire the lease or renew it. A greater token than before means that it had run out."""
        return await self._lease("acquire", owner, ttl_ms)

    async def is_halted(self) -> bool:
        """Whether the store was restored and nobody may be told anything yet."""
        return await is_halted(self.client)

    async def versions_from(self) -> int:
        """Read what is added to each seq that channels are told as a version; 0: the store was never restored."""
        return int(await command(self.client, "HGET", self.keyspace.meta, VERSIONS_FROM) or 0)

    async def release(self, owner: str) -> None:
        """Release the lease, so that another publisher need not wait for its end."""
        await self._lease("release", owner, 0)

    async def record(self, token: int, writes: Writes, *, confirmed: bool = False) -> None:
        """Write what was gathered, in bounded pieces and in the order in which the keys were first named.

        So cursors, which are named last, move only after the data that they confirm. ``confirmed``: it must survive a
        failover, see :func:`run_confirmed`.

        Raises
        ------
        FencedError
            Another publisher holds the lease; this piece and those after it are not written.

        """
        write = run_confirmed if confirmed else run_on_keys
        for keys, arguments in _pieces(writes):
            written = await write(
                self.client, library().function("publisher_write"), (self.keyspace.publisher, *keys), token, *arguments
            )
            if not written:
                raise FencedError("Another publisher holds the lease; this one stops.")

    async def listings(self, channel: str) -> AsyncIterator[Listing]:
        """Go through a channel's listings."""
        async for listing in ListingStore(self.client, self.keyspace).listings(channel):
            yield listing

    async def shown(self, channel: str) -> AsyncIterator[tuple[str, Shown]]:
        """Go through what a channel has confirmed, by key; what an earlier release wrote, by SKU."""
        async for field, packed in scan(self.client, self._keys(channel).shown):
            yield field.decode(), _decode_shown(packed)

    async def dead_letters(self, channel: str) -> AsyncIterator[DeadLetter]:
        """Go through a channel's dead letters."""
        async for _, packed in scan(self.client, self._keys(channel).dead_letters):
            yield _decode_dead_letter(packed)

    async def tickets(self, channel: str) -> AsyncIterator[OpenTicket]:
        """Go through a channel's open tickets."""
        async for _, packed in scan(self.client, self._keys(channel).tickets):
            yield _decode_ticket(packed)

    async def levels(self) -> AsyncIterator[Level]:
        """Go through the whole stock, while sales go on."""
        async for field, packed in scan(self.client, self.keyspace.stock):
            yield _level(*split_field(field), packed)

    async def cursors(self) -> dict[str, str]:
        """Read the cursors by channel."""
        stored = await command(self.client, "HGETALL", self.keyspace.channel_cursors)
        return {channel.decode(): cursor.decode() for channel, cursor in stored.items()}

    async def _lease(self, action: str, owner: str, ttl_ms: int) -> Lease:
        answer = await run_confirmed(
            self.client, library().function("publisher_lease"), (self.keyspace.publisher,), action, owner, ttl_ms
        )
        return Lease(*_decode_lease(answer))

    def _keys(self, channel: str) -> ChannelKeys:
        return ChannelKeys(self.keyspace, channel)


def _level(sku: str, location: str, packed: bytes) -> Level:
    record = decode_stock(packed)
    return sku, location, record.free, record.seq, tuple(record.allocated)


Argument = str | bytes | int


def _pieces(writes: Writes) -> list[tuple[list[str], list[Argument]]]:
    """Divide the writes into scripts: keys, and arguments as ``functions/publisher_write.lua`` reads them."""
    pieces: list[tuple[list[str], list[Argument]]] = [([], [])]
    for key in writes.dropped:
        keys, arguments = pieces[-1]
        keys.append(key)
        arguments += (len(keys) + 1, "drop")
    for key, fields in writes.hashes.items():
        for part in _parts(fields):
            if len(pieces[-1][1]) + 2 * len(part) > ARGUMENTS_MAX:
                pieces.append(([], []))
            keys, arguments = pieces[-1]
            keys.append(key)
            arguments += (len(keys) + 1, *_counted(part))
    return [piece for piece in pieces if piece[0]]


def _parts(fields: Mapping[str, bytes | str | None]) -> list[list[tuple[str, bytes | str | None]]]:
    pairs, size = list(fields.items()), ARGUMENTS_MAX // 4
    return [pairs[start : start + size] for start in range(0, len(pairs), size)]


def _counted(pairs: list[tuple[str, bytes | str | None]]) -> list[Argument]:
    kept = [(field, value) for field, value in pairs if value is not None]
    deleted = [field for field, value in pairs if value is None]
    return [len(kept), len(deleted), *(each for pair in kept for each in pair), *deleted]
