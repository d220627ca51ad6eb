"""The data about channels, as the API and the commands see it: rules, listings, status, dead letters.

A command to the publisher (new rules, new listings, a comparison, a retry) is an entry of the journal, written together
with the data that it is about. So it is neither lost nor overtaken, whichever process publishes.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Any, Final, Literal

import msgspec
from redis.asyncio import Redis

from server.domain.changes import Change
from server.domain.channels import ChannelStatus, DeadLetter, Listing
from server.store.connection.commands import command, run_on_keys, together
from server.store.connection.scans import SLICE_FIELDS, scan
from server.store.keys import ChannelKeys, Keyspace
from server.store.lua_library import library
from server.store.repositories.skus import NOWHERE

ChannelCommand = Literal["channel_rules", "channel_listings", "channel_reconcile", "channel_retry", "channel_resend"]
"""A command to a channel's publisher, as the journal's operation: read the changed rules or listings, compare with the
channel, retry dead letters, or send these SKUs even if the channel seems to show them."""

_SKU: Final = "sku"
_KEY: Final = "key"
_LEFT: Final = "left_key"
_LEFT_NAME: Final = "left_name"
"""Names of a command's notes. A key that a SKU has left stands behind the SKU."""

_decode_listing = msgspec.msgpack.Decoder(Listing).decode
_decode_dead_letter = msgspec.msgpack.Decoder(DeadLetter).decode
_decode_status = msgspec.json.Decoder(ChannelStatus).decode


class ChannelStore:
    """The channels of one partition. Every method raises StoreUnavailableError if the store does not answer."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self._client = client
        self._keyspace = keyspace

    # -- rules

    async def given_rules(self) -> dict[str, dict[str, Any]]:
        """Read what was set at run time, by channel: only the fields that were given."""
        stored = await command(self._client, "HGETALL", self._keyspace.channel_rules)
        return {_text(channel): msgspec.json.decode(packed) for channel, packed in stored.items()}

    async def set_rules(self, channel: str, given: dict[str, Any], actor: str) -> None:
        """Replace what was set at run time; empty restores the configuration. The journal has it for the publisher."""
        where = self._keyspace.channel_rules
        change = ("HSET", where, channel, msgspec.json.encode(given)) if given else ("HDEL", where, channel)
        await self._together([change], channel, "channel_rules", (), actor)

    # -- listings

    async def put_listings(
        self, channel: str, listings: Sequence[Listing], actor: str, *, version: int | None = None
    ) -> bool:
        """Add or replace listings, some thousand at most, all or none. The journal has it for the publisher.

        ``version``: what :meth:`listings_version` was when they were checked; None: whatever is listed.

        Returns
        -------
        bool
            False: listings have changed since, and nothing was written.

        """
        skus = [listing.sku for listing in listings]
        pairs = [each for listing in listings for each in (listing.sku, msgspec.msgpack.encode(listing))]
        field = _version_of(channel)
        while True:
            known, packed = await together(
                self._client,
                [("HGET", self._keyspace.meta, field), ("HMGET", self._keys(channel).listings, *skus)],
            )
            notes = _notes(listings, [None if each is None else _decode_listing(each) for each in packed])
            entry = _entry("channel_listings", await self.now_ms(), actor, channel, notes)
            where = (self._keys(channel).listings, self._keyspace.meta, self._keyspace.journal)
            expected = int(known or 0) if version is None else version
            done = await run_on_keys(
                self._client, library().function("put_listings"), where, field, expected, entry, *pairs
            )
            if done or version is not None:
                return bool(done)

    async def listed_under(self, channel: str, keys: Collection[str]) -> dict[str, str]:
        """Return which SKUs are listed under keys, by key; it looks through all listings of the channel."""
        if not keys:
            return {}
        return {each.key: each.sku async for each in self.listings(channel) if each.listed and each.key in keys}

    async def listings_version(self, channel: str) -> int:
        """Return how often a channel's listings have changed; earlier releases do not count what they change."""
        return int(await command(self._client, "HGET", self._keyspace.meta, _version_of(channel)) or 0)

    async def listings_of(self, channel: str, skus: Sequence[str]) -> list[Listing | None]:
        """Read the listings of these SKUs, in order; None where there is none."""
        if not skus:
            return []
        packed = await command(self._client, "HMGET", self._keys(channel).listings, *skus)
        return [None if each is None else _decode_listing(each) for each in packed]

    async def listings(self, channel: str) -> AsyncIterator[Listing]:
        """Go through all listings, in no order."""
        async for _, packed in scan(self._client, self._keys(channel).listings):
            yield _decode_listing(packed)

    async def page_of_listings(self, channel: str, position: int, count: int) -> tuple[int, list[Listing]]:
        """Read some listings and the position to go on from, 0 at the end and at the beginning."""
        next_position, found = await command(
            self._client, "HSCAN", self._keys(channel).listings, position, "COUNT", count
        )
        return int(next_position), [_decode_listing(packed) for packed in found.values()]

    async def unknown_skus(self, skus: Sequence[str]) -> list[str]:
        """Return those SKUs, of some thousand at most, that have no stock record."""
        if not skus:
            return []
        # Where one is known can be a long list: only its length is asked for.
        lengths = await together(self._client, [("HSTRLEN", self._keyspace.skus, sku) for sku in skus])
        return [sku for sku, length in zip(skus, lengths, strict=True) if length <= len(NOWHERE)]

    # -- state

    async def channels(self) -> list[str]:
        """Name every channel that has data, in alphabetical order."""
        rules = await command(self._client, "HKEYS", self._keyspace.channel_rules)
        found = {*await self.published_channels(), *map(_text, rules)}
        prefix = ChannelKeys(self._keyspace, "*").listings.partition("*")[0]
        position = 0
        while True:
            position, keys = await command(self._client, "SCAN", position, "MATCH", prefix + "*", "COUNT", SLICE_FIELDS)
            found |= {_text(key).removeprefix(prefix).rpartition(":")[0] for key in keys}
            if not int(position):
                return sorted(found)

    async def published_channels(self) -> list[str]:
        """Name every channel that a publisher was configured with, in alphabetical order."""
        kept = await together(
            self._client, [("HKEYS", self._keyspace.channel_cursors), ("HKEYS", self._keyspace.channel_status)]
        )
        return sorted({_text(channel) for channels in kept for channel in channels})

    async def kept(self, channel: str) -> dict[str, int]:
        """Count the data of a channel: listings, shown values, dead letters and tickets."""
        keys = self._keys(channel)
        counts = await together(self._client, [("HLEN", key) for key in keys.all])
        return dict(zip(("listings", "shown", "dead_letters", "tickets"), map(int, counts), strict=True))

    async def forget(self, channel: str) -> None:
        """Remove all data of a channel; no publisher may run for it.

        Without its cursor, the journal can be trimmed past the entry where the channel stopped.
        """
        keyspace = self._keyspace
        fields = (keyspace.channel_cursors, keyspace.channel_status, keyspace.channel_rules)
        removals = [("HDEL", key, channel) for key in fields]
        await together(self._client, [("UNLINK", *self._keys(channel).all), *removals])

    async def now_ms(self) -> int:
        """Read the store's clock, which all times here are of; milliseconds since 1970."""
        seconds, microseconds = await command(self._client, "TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def statuses(self) -> dict[str, ChannelStatus]:
        """Read the state of each channel when its publisher last wrote it: a second ago where one runs."""
        stored = await command(self._client, "HGETALL", self._keyspace.channel_status)
        return {_text(channel): _decode_status(packed) for channel, packed in stored.items()}

    async def dead_letters(self, channel: str) -> AsyncIterator[DeadLetter]:
        """Go through the dead letters, in no order."""
        async for _, packed in scan(self._client, self._keys(channel).dead_letters):
            yield _decode_dead_letter(packed)

    async def cursors(self) -> dict[str, str]:
        """Read up to which journal id each channel has confirmed everything."""
        stored = await command(self._client, "HGETALL", self._keyspace.channel_cursors)
        return {_text(channel): _text(cursor) for channel, cursor in stored.items()}

    async def send_command(
        self, channel: str, name: ChannelCommand, skus: Iterable[str], actor: str, *, keys: Iterable[str] = ()
    ) -> None:
        """Send a command to a channel's publisher, for these SKUs or for all; it stays until it is carried out.

        ``keys``: for these keys, too, whoever owns them.
        """
        notes = [*((_SKU, sku) for sku in skus), *((_KEY, key) for key in keys)]
        await self._together([], channel, name, notes, actor)

    async def _together(
        self,
        changes: list[tuple[str | bytes | int, ...]],
        channel: str,
        name: ChannelCommand,
        notes: Sequence[tuple[str, str]],
        actor: str,
    ) -> None:
        entry = _entry(name, await self.now_ms(), actor, channel, notes)
        await together(self._client, [*changes, ("XADD", self._keyspace.journal, "*", "e", entry)])

    def _keys(self, channel: str) -> ChannelKeys:
        return ChannelKeys(self._keyspace, channel)


def commanded_skus(change: Change) -> list[str]:
    """Return the SKUs that a command in the journal is about; empty: all."""
    return [value for name, value in change.notes if name == _SKU]


def commanded_keys(change: Change) -> list[str]:
    """Return the keys that a command in the journal is about beside its SKUs."""
    return [value for name, value in change.notes if name == _KEY]


def left_keys(change: Change, *, lists_all: bool) -> dict[str, str]:
    """Return which keys a change of listings has taken from which SKUs; earlier releases do not write it.

    ``lists_all``: a SKU that had no listing had its own name as its key.
    """
    left, sku = {}, ""
    for name, value in change.notes:
        if name == _SKU:
            sku = value
        elif name == _LEFT or (name == _LEFT_NAME and lists_all):
            left[value] = sku
    return left


def _notes(listings: Sequence[Listing], before: Sequence[Listing | None]) -> list[tuple[str, str]]:
    """Name the SKUs, each with the key that it leaves."""
    notes = []
    for listing, former in zip(listings, before, strict=True):
        notes.append((_SKU, listing.sku))
        if former is None and listing.key != listing.sku:
            notes.append((_LEFT_NAME, listing.sku))
        elif former is not None and former.key != listing.key:
            notes.append((_LEFT, former.key))
    return notes


def _entry(name: str, now_ms: int, actor: str, channel: str, notes: Sequence[tuple[str, str]]) -> bytes:
    return msgspec.msgpack.encode([Change(name, now_ms, actor, channel, "", "", [], list(notes))])


def _version_of(channel: str) -> str:
    return f"listings:{channel}"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
