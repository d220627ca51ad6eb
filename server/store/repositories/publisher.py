"""What a publisher keeps, and the lease that lets it: written by one script that knows whose turn it is."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.allocations import Allocation
from server.domain.channels import DeadLetter, Listing, OpenTicket, Shown
from server.store.connection.commands import command, run_confirmed, run_on_keys
from server.store.errors import FencedError
from server.store.keys import ChannelKeys, Keyspace, split_field
from server.store.lua_library import library
from server.store.repositories.channels import ChannelStore, scan
from server.store.repositories.stock import decode_stock

CURSOR_LIFE_MS: Final = 3 * 86_400_000
"""Three days: longer than a weekend without a publisher."""
ARGUMENTS_MAX: Final = 4_000
"""Of one script: some two milliseconds of the store's time. Lua could unpack twice as many."""

_decode_lease = msgspec.msgpack.Decoder(tuple[int, int, int, str]).decode
_decode_places = msgspec.msgpack.Decoder(list[str]).decode
_decode_listing = msgspec.msgpack.Decoder(Listing).decode
_decode_shown = msgspec.msgpack.Decoder(Shown).decode
_decode_dead_letter = msgspec.msgpack.Decoder(DeadLetter).decode
_decode_ticket = msgspec.msgpack.Decoder(OpenTicket).decode


Level = tuple[str, str, int, int, tuple[Allocation, ...]]
"""SKU, location, what is promised to nobody, seq, and what channels have for themselves of it."""


class Lease(msgspec.Struct, frozen=True):
    """The store's answer to whoever wants to publish: ``token`` is 0 where ``owner`` holds it until ``until_ms``."""

    token: int
    until_ms: int
    now_ms: int
    owner: str


class Writes:
    """What is to be written about channels, gathered; later values replace earlier ones of the same field.

    ``hashes`` maps a key to its fields, None: to be deleted. ``dropped`` are the keys to be removed whole.
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
    """One partition as its publisher sees it. Every method raises StoreUnavailableError where the store is away."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self.client = client
        self.keyspace = keyspace

    async def take(self, owner: str, ttl_ms: int) -> Lease:
        """Take the lease or keep it. A greater token than before means that it had run out meanwhile."""
        return await self._lease("take", owner, ttl_ms)

    async def give(self, owner: str) -> None:
        """Give the lease back, so that the next one need not wait for its end."""
        await self._lease("give", owner, 0)

    async def record(self, token: int, writes: Writes) -> None:
        """Write what was gathered, a bounded piece at a time and in the order in which the keys were first named.

        So cursors, which are named last, move only after what they stand for.

        Raises
        ------
        FencedError
            The lease is another's by now; this piece and what follows it was not written.

        """
        for keys, arguments in _pieces(writes):
            written = await run_on_keys(
                self.client, library().function("publisher_write"), (self.keyspace.publisher, *keys), token, *arguments
            )
            if not written:
                raise FencedError("Another publisher has taken over; this one stops.")

    async def listings(self, channel: str) -> AsyncIterator[Listing]:
        """Go through a channel's listings."""
        async for _, packed in scan(self.client, self._keys(channel).listings):
            yield _decode_listing(packed)

    async def shown(self, channel: str) -> AsyncIterator[tuple[str, Shown]]:
        """Go through what a channel has confirmed, by SKU."""
        async for sku, packed in scan(self.client, self._keys(channel).shown):
            yield sku.decode(), _decode_shown(packed)

    async def dead_letters(self, channel: str) -> AsyncIterator[DeadLetter]:
        """Go through a channel's dead letters."""
        async for _, packed in scan(self.client, self._keys(channel).dead_letters):
            yield _decode_dead_letter(packed)

    async def tickets(self, channel: str) -> AsyncIterator[OpenTicket]:
        """Go through a channel's open tickets."""
        async for _, packed in scan(self.client, self._keys(channel).tickets):
            yield _decode_ticket(packed)

    async def levels(self) -> AsyncIterator[Level]:
        """Go through the whole stock. Sales go on meanwhile."""
        async for field, packed in scan(self.client, self.keyspace.stock):
            yield _level(*split_field(field), packed)

    async def levels_of(self, skus: Sequence[str]) -> list[Level]:
        """As :meth:`levels`, of these SKUs, some hundred at most."""
        if not skus:
            return []
        packed_places = await command(self.client, "HMGET", self.keyspace.skus, *skus)
        wanted = [
            (sku, place)
            for sku, packed in zip(skus, packed_places, strict=True)
            if packed is not None
            for place in _decode_places(packed)
        ]
        if not wanted:
            return []
        fields = [f"{sku}\0{place}" for sku, place in wanted]
        found = await command(self.client, "HMGET", self.keyspace.stock, *fields)
        return [_level(*where, packed) for where, packed in zip(wanted, found, strict=True) if packed]

    async def cursors(self) -> dict[str, str]:
        """Read the cursors by channel."""
        stored = await command(self.client, "HGETALL", self.keyspace.channel_cursors)
        return {channel.decode(): cursor.decode() for channel, cursor in stored.items()}

    async def _lease(self, wish: str, owner: str, ttl_ms: int) -> Lease:
        answer = await run_confirmed(
            self.client, library().function("publisher_lease"), (self.keyspace.publisher,), wish, owner, ttl_ms
        )
        return Lease(*_decode_lease(answer))

    def _keys(self, channel: str) -> ChannelKeys:
        return ChannelKeys(self.keyspace, channel)


async def lowest_cursor(client: Redis, keyspace: Keyspace) -> str | None:
    """Tell up to which journal id every channel has confirmed everything; None: nobody follows.

    A channel whose publisher has not been heard of for :data:`CURSOR_LIFE_MS` keeps the journal no longer: without one
    it would grow for ever. If the publisher returns to find its place gone, it tells the channel everything.
    """
    kept = ChannelStore(client, keyspace)
    cursors, statuses = await kept.cursors(), await kept.statuses()
    now_ms = await kept.now_ms()
    silent = {name for name, status in statuses.items() if now_ms - status.written_ms >= CURSOR_LIFE_MS}
    return min((cursor for name, cursor in cursors.items() if name not in silent), key=_order, default=None)


def _order(cursor: str) -> tuple[int, int]:
    milliseconds, _, number = cursor.partition("-")
    return int(milliseconds), int(number)


def _level(sku: str, location: str, packed: bytes) -> Level:
    record = decode_stock(packed)
    return sku, location, record.free, record.seq, tuple(record.allocated)


Argument = str | bytes | int


def _pieces(writes: Writes) -> list[tuple[list[str], list[Argument]]]:
    """Cut what is to be written into scripts: keys, and arguments as ``functions/publisher_write.lua`` reads them."""
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
