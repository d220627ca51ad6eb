"""What is kept of the orders that come in from channels: how far they are read, what is to be read, what is said.

Only the holder of the lease changes the hashes, see ``repositories/publisher.py``. Whoever hears something from outside
adds it to the stream of news, from which the holder takes it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.intake import HEARD_BYTES_MAX, HEARD_MAX, News, OutboxEntry, ToRead, Walk
from server.store.connection.commands import command, in_a_row
from server.store.connection.scans import scan
from server.store.journal.entries import parse_entry_id
from server.store.keys import ChannelKeys, Keyspace, stored_text
from server.store.repositories.publisher import PublisherStore, Writes
from server.store.repositories.restored import RELEASED

SINCE: Final = "since"
"""The field of the hash beside those of the walks: from when on orders are taken."""
_NEWS: Final = "n"
_pack = msgspec.msgpack.Encoder().encode
_decode_walk = msgspec.msgpack.Decoder(Walk).decode
_decode_to_read = msgspec.msgpack.Decoder(ToRead).decode
_decode_entry = msgspec.msgpack.Decoder(OutboxEntry).decode
_decode_news = msgspec.msgpack.Decoder(News).decode


class IntakeStore:
    """The intake of one channel. Every method raises StoreUnavailableError if the store does not answer."""

    def __init__(self, client: Redis, keyspace: Keyspace, channel: str) -> None:
        self.keys = ChannelKeys(keyspace, channel)
        self._client = client
        self._keyspace = keyspace
        self._channel = channel

    # -- how far it is

    async def since_ms(self) -> int | None:
        """Read from when on orders are taken; None: nobody has ever begun."""
        stored = await command(self._client, "HGET", self.keys.intake, SINCE)
        return None if stored is None else int(stored)

    async def released_ms(self) -> int:
        """Read when a restored store began to speak again; 0: it was never restored."""
        return int(await command(self._client, "HGET", self.keys.intake, RELEASED) or 0)

    async def walk(self, name: str) -> Walk | None:
        """Read how far a walk has come; None: it has never begun."""
        stored = await command(self._client, "HGET", self.keys.intake, name)
        return None if stored is None else _decode_walk(stored)

    async def to_read(self) -> AsyncIterator[tuple[str, ToRead]]:
        """Go through the orders that are to be read."""
        async for field, packed in scan(self._client, self.keys.to_read):
            yield stored_text(field), _decode_to_read(packed)

    async def outbox(self) -> AsyncIterator[OutboxEntry]:
        """Go through what is said, in no order."""
        async for _, packed in scan(self._client, self.keys.outbox):
            yield _decode_entry(packed)

    async def outbox_entry(self, entry_id: str) -> OutboxEntry | None:
        """Read one command of the outbox; None: there is none."""
        stored = await command(self._client, "HGET", self.keys.outbox, entry_id)
        return None if stored is None else _decode_entry(stored)

    async def outbox_size(self) -> int:
        """Count the commands of the outbox, settled ones included."""
        return int(await command(self._client, "HLEN", self.keys.outbox))

    async def note_intake(self, now_ms: int) -> None:
        """Note that the channel takes orders under this name, so that it is known once it has another one."""
        await command(self._client, "HSET", self._keyspace.order_channels, self._channel, now_ms)

    async def erased(self, orders: Sequence[str]) -> set[str]:
        """Return those orders whose personal data was erased."""
        fields = [f"{self._channel}\0{order}" for order in orders]
        found = await command(self._client, "HMGET", self._keyspace.erased_orders, *fields) if fields else []
        return {order for order, entered_ms in zip(orders, found, strict=True) if entered_ms is not None}

    # -- news

    async def add_news(self, news: News) -> bool:
        """Add news behind what waits; False: too much waits already, and nothing was added."""
        heard = self.keys.heard
        commands: list[Sequence[str | bytes | int]] = [
            ("XADD", heard, "*", _NEWS, _pack(news)), ("XLEN", heard), ("MEMORY", "USAGE", heard, "SAMPLES", 0),
        ]  # fmt: skip
        added, waiting, used = await in_a_row(self._client, commands)
        if int(waiting) <= HEARD_MAX and int(used or 0) <= HEARD_BYTES_MAX:
            return True
        await command(self._client, "XDEL", heard, added)  # one that stays after a kill is told again, which is no harm
        return False

    async def erase(self, orders: Sequence[str], now_ms: int) -> bool:
        """Have what is personal taken from commands about orders, also from those that wait; as :meth:`add_news`."""
        if await self.outbox_size() or await self.news_waiting():
            return await self.add_news(News("erase", now_ms, list(orders)))
        return True

    async def news(self, count: int) -> list[tuple[str, News]]:
        """Read the oldest news; they stay until they are dropped."""
        found = await command(self._client, "XRANGE", self.keys.heard, "-", "+", "COUNT", count)
        return [(stored_text(entry_id), _decode_news(fields[_NEWS.encode()])) for entry_id, fields in found]

    async def drop_news(self, up_to: str) -> None:
        """Drop what was taken in, up to an id and with it."""
        milliseconds, number = parse_entry_id(up_to)
        await command(self._client, "XTRIM", self.keys.heard, "MINID", f"{milliseconds}-{number + 1}")

    async def news_waiting(self) -> int:
        """Count the news that wait."""
        return int(await command(self._client, "XLEN", self.keys.heard))


async def with_news(client: Redis, keyspace: Keyspace, channels: Mapping[str, str]) -> list[str]:
    """Name the channels that have news after an id each, in one command."""
    if not channels:
        return []
    names = {ChannelKeys(keyspace, name).heard: name for name in channels}
    found = await command(client, "XREAD", "COUNT", 1, "STREAMS", *names, *channels.values())
    streams = found.items() if isinstance(found, dict) else found or []
    return [names[stored_text(key)] for key, _ in streams]


class IntakeWrites:
    """What one channel's intake has changed and not yet written: commands first, then orders, last how far it is.

    So a cursor never stands for what a kill could take away.
    """

    def __init__(self, store: PublisherStore, token: int, keys: ChannelKeys) -> None:
        self._store = store
        self._token = token
        self._keys = keys
        self._saving = asyncio.Lock()
        self._outbox: dict[str, OutboxEntry | None] = {}
        self._to_read: dict[str, ToRead | None] = {}
        self._intake: dict[str, bytes | str | None] = {}

    def entry(self, entry_id: str, entry: OutboxEntry | None) -> None:
        """Keep a command of the outbox; None: remove it."""
        self._outbox[entry_id] = entry

    def to_read(self, order: str, wanted: ToRead | None) -> None:
        """Keep when an order is to be read; None: not any more."""
        self._to_read[order] = wanted

    def walk(self, name: str, walk: Walk) -> None:
        """Keep how far a walk has come."""
        self._intake[name] = _pack(walk)

    def since_ms(self, since_ms: int) -> None:
        """Keep from when on orders are taken."""
        self._intake[SINCE] = str(since_ms)

    async def save(self) -> None:
        """Write what was gathered, by whomever; all of it is written when this returns.

        Raises
        ------
        FencedError
            Another publisher has taken over.
        StoreUnavailableError
            The store is away; the next call writes it.

        """
        async with self._saving:
            await self._save()

    async def _save(self) -> None:
        outbox, to_read, intake = self._outbox, self._to_read, self._intake
        self._outbox, self._to_read, self._intake = {}, {}, {}
        writes = Writes()
        for entry_id, entry in outbox.items():
            writes.set(self._keys.outbox, entry_id, None if entry is None else _pack(entry))
        for order, wanted in to_read.items():
            writes.set(self._keys.to_read, order, None if wanted is None else _pack(wanted))
        for field, value in intake.items():
            writes.set(self._keys.intake, field, value)
        if not writes:
            return
        try:
            await self._store.record(self._token, writes)
        except BaseException:
            self._outbox = {**outbox, **self._outbox}
            self._to_read = {**to_read, **self._to_read}
            self._intake = {**intake, **self._intake}
            raise
