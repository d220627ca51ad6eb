"""The listings of a channel, by SKU or by key, and which listing has a key.

A listing that stands for one unit of a SKU is kept by SKU, as ever. One with components is kept by its key, in a hash
of its own: an earlier release does not know it, and would publish single units under the key.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from server.domain.channels import Listing
from server.domain.components import LISTINGS_PER_COMPONENT_MAX, key_in, known_by, renamed
from server.store.connection.commands import Words, command, in_a_row, run_on_keys, together
from server.store.connection.scans import SLICE_FIELDS, scan
from server.store.keys import ChannelKeys, Keyspace
from server.store.lua_library import library
from server.store.repositories.channel_commands import command_entry, deletion_notes, listing_notes

_BY_SKU: Final = 1
_BY_KEY: Final = 2
_KEYS: Final = 3
_COMPONENTS: Final = 4
"""Places in the KEYS of ``lua/functions/put_listings.lua``."""

_RENAMED_AT_ONCE: Final = 50
"""Packs and bundles that one script changes where a component is renamed: some 2 ms."""

_READ_AT_ONCE: Final = 500
"""Commands that are sent in one go, where many channels are read."""

_decode = msgspec.msgpack.Decoder(Listing).decode
_pack = msgspec.msgpack.Encoder().encode


class Listed(NamedTuple):
    """Of some SKUs, in order: each one's own listing on a channel, and how many packs and bundles there hold it."""

    listings: list[Listing | None]
    holding: list[int]


class ListingStore:
    """The listings of one partition. Every method raises StoreUnavailableError if the store does not answer."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self._client = client
        self._keyspace = keyspace

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
        field, keys = _version_of(channel), self._keys(channel)
        while True:
            known, packed = await self._with_version(channel, [each.sku for each in listings])
            before = [None if each is None else _decode(each) for each in packed]
            notes = list(listing_notes(listings, before))
            entry = command_entry("channel_listings", await self.now_ms(), actor, channel, notes)
            expected = known if version is None else version
            done = await run_on_keys(
                self._client,
                library().function("put_listings"),
                (*keys.listing, self._keyspace.meta, self._keyspace.journal),
                *(field, expected, entry),
                *_arguments(listings, before),
            )
            if done or version is not None:
                return bool(done)

    async def delete_listing(self, channel: str, listed_as: str, actor: str) -> bool:
        """Delete the listing of a SKU, or what is in its place; False: there is none. The journal has it."""
        keys, key = self._keys(channel), key_in(listed_as)
        where = keys.listings if key is None else keys.by_key
        while True:
            version, [packed] = await self._with_version(channel, [listed_as])
            if packed is None:
                return False
            listing = _decode(packed)
            notes = deletion_notes(listing)
            entry = command_entry("channel_listings", await self.now_ms(), actor, channel, notes)
            done = await run_on_keys(
                self._client,
                library().function("delete_listing"),
                (where, keys.components, self._keyspace.meta, self._keyspace.journal),
                *(_version_of(channel), version, entry, listed_as if key is None else key),
                *sorted(_members(listing)),
            )
            if done:
                return True

    async def rename_component(self, channel: str, old: str, new: str, actor: str) -> None:
        """Let the packs and bundles that hold a SKU name it as it is called now."""
        while True:
            version = await self.listings_version(channel)
            found = await self.holding(channel, old)
            some = [each for each in found if any(part.sku == old for part in each.components)][:_RENAMED_AT_ONCE]
            if not some:
                return
            changed = [replace(each, components=renamed(each.components, old, new)) for each in some]
            await self.put_listings(channel, changed, actor, version=version)

    async def _with_version(self, channel: str, listed_as: Sequence[str]) -> tuple[int, list[bytes | None]]:
        """Read how often listings have changed, and some of them, at one moment."""
        of_version = ("HGET", self._keyspace.meta, _version_of(channel))
        known, *found = await together(self._client, [of_version, *self._reading(channel, listed_as)])
        return int(known or 0), _in_order(listed_as, found)

    async def listings_version(self, channel: str) -> int:
        """Return how often a channel's listings have changed; earlier releases do not count what they change."""
        return int(await command(self._client, "HGET", self._keyspace.meta, _version_of(channel)) or 0)

    async def listed_under(self, channel: str, keys: Collection[str]) -> dict[str, str]:
        """Return what is listed under keys, by key: SKUs, or what stands in their place (``known_by``).

        It looks through all listings that are known by their SKU.
        """
        if not keys:
            return {}
        packed = await self._get(self._keys(channel).by_key, list(keys))
        found = {each.key: each.sku for each in packed if each is not None and each.listed}
        async for _, stored in scan(self._client, self._keys(channel).listings):
            listing = _decode(stored)
            if listing.listed and listing.key in keys:
                found[listing.key] = listing.sku
        return found

    async def listings_of(self, channel: str, listed_as: Sequence[str]) -> list[Listing | None]:
        """Read the listings of these SKUs, or what stands in their place, in order; None where there is none."""
        if not listed_as:
            return []
        found = await together(self._client, self._reading(channel, listed_as))
        return [None if each is None else _decode(each) for each in _in_order(listed_as, found)]

    async def listings(self, channel: str) -> AsyncIterator[Listing]:
        """Go through all listings, in no order."""
        for key in (self._keys(channel).listings, self._keys(channel).by_key):
            async for _, packed in scan(self._client, key):
                yield _decode(packed)

    async def page_of_listings(
        self, channel: str, position: int, count: int, *, by_key: bool = False
    ) -> tuple[int, list[Listing]]:
        """Read some listings and the position to go on from, 0 at the end and at the beginning.

        ``by_key``: those that are known by their key, else the others.
        """
        keys = self._keys(channel)
        where = keys.by_key if by_key else keys.listings
        next_position, found = await command(self._client, "HSCAN", where, position, "COUNT", count)
        return int(next_position), [_decode(packed) for packed in found.values()]

    # -- of components

    async def holding(self, channel: str, sku: str) -> list[Listing]:
        """Read the packs and bundles that hold a SKU, in the order of their keys."""
        members = await command(
            self._client, "ZRANGEBYLEX", self._keys(channel).components, *_range(sku),
            "LIMIT", 0, LISTINGS_PER_COMPONENT_MAX,
        )  # fmt: skip
        keys = [member.partition(b"\0")[2].decode() for member in members]
        return [each for each in await self._get(self._keys(channel).by_key, keys) if each is not None]

    async def count_holding(self, channel: str, skus: Sequence[str]) -> list[int]:
        """Count the packs and bundles that hold each of some SKUs."""
        if not skus:
            return []
        where = self._keys(channel).components
        return [int(each) for each in await together(self._client, [("ZLEXCOUNT", where, *_range(s)) for s in skus])]

    async def on_channels(self, channels: Sequence[str], skus: Sequence[str]) -> list[Listed]:
        """Read the listings of some SKUs on each of some channels, in order, and count what holds each of them."""
        found: list[Listed] = []
        if not skus:
            return [Listed([], []) for _ in channels]
        at_once = max(1, _READ_AT_ONCE // (len(skus) + 2))
        for first in range(0, len(channels), at_once):
            some = channels[first : first + at_once]
            reading = [self._reading(channel, skus) for channel in some]
            counting = [
                [("ZLEXCOUNT", self._keys(channel).components, *_range(sku)) for sku in skus] for channel in some
            ]
            words = [each for pair in zip(reading, counting, strict=True) for part in pair for each in part]
            answers = iter(await in_a_row(self._client, words))
            for asked in reading:
                packed = _in_order(skus, [next(answers) for _ in asked])
                counts = [int(next(answers)) for _ in skus]
                found.append(Listed([None if each is None else _decode(each) for each in packed], counts))
        return found

    # -- by key

    async def find_keys(self, channel: str, keys: Sequence[str]) -> dict[str, Listing]:
        """Find the listings that have keys, whether they are listed now or were; those that are listed come first.

        A listing of an earlier release may not be found before :meth:`index_keys`.
        """
        if not keys:
            return {}
        where = self._keys(channel)
        by_key, skus = await together(self._client, [("HMGET", where.by_key, *keys), ("HMGET", where.keys, *keys)])
        found = {key: _decode(packed) for key, packed in zip(keys, by_key, strict=True) if packed is not None}
        named = [(key, sku.decode()) for key, sku in zip(keys, skus, strict=True) if sku is not None]
        for (key, _), listing in zip(named, await self._get(where.listings, [sku for _, sku in named]), strict=True):
            if listing is None or listing.key != key:  # an earlier release has changed it
                continue
            if key not in found or (listing.listed and not found[key].listed):
                found[key] = listing
        return found

    async def index_keys(self, channel: str, missing: Sequence[str]) -> None:
        """Enter all listings in the index that :meth:`find_keys` reads; what changes meanwhile may be missed.

        ``missing``: keys that were not found. If the index has them, their SKUs have left them since.
        """
        where, pairs = self._keys(channel), list[Words]()
        await command(self._client, "HDEL", where.keys, *missing)
        async for _, packed in scan(self._client, where.listings):
            listing = _decode(packed)
            pairs.append(("HSET" if listing.listed else "HSETNX", where.keys, listing.key, listing.sku))
            if len(pairs) == SLICE_FIELDS:
                await together(self._client, pairs)
                pairs = []
        if pairs:
            await together(self._client, pairs)

    # -- others

    async def now_ms(self) -> int:
        """Read the store's clock, which all times here are of; milliseconds since 1970."""
        seconds, microseconds = await command(self._client, "TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000

    # -- the details

    async def _get(self, where: str, fields: Sequence[str]) -> list[Listing | None]:
        packed = await command(self._client, "HMGET", where, *fields) if fields else []
        return [None if each is None else _decode(each) for each in packed]

    def _reading(self, channel: str, listed_as: Sequence[str]) -> list[Words]:
        """Return the commands that read listings: those that are known by their SKU, then by their key."""
        skus, keys = _divided(listed_as)
        where = self._keys(channel)
        return [("HMGET", key, *fields) for key, fields in ((where.listings, skus), (where.by_key, keys)) if fields]

    def _keys(self, channel: str) -> ChannelKeys:
        return ChannelKeys(self._keyspace, channel)


def _divided(listed_as: Sequence[str]) -> tuple[list[str], list[str]]:
    """Divide what listings are known by: the SKUs, and the keys."""
    skus, keys = list[str](), list[str]()
    for each in listed_as:
        key = key_in(each)
        if key is None:
            skus.append(each)
        else:
            keys.append(key)
    return skus, keys


def _in_order(listed_as: Sequence[str], found: Sequence[Sequence[bytes | None]]) -> list[bytes | None]:
    """Put what was read of SKUs and of keys back into one order."""
    skus, keys = _divided(listed_as)
    read = dict(zip([*skus, *map(known_by, keys)], (each for part in found for each in part), strict=True))
    return [read[each] for each in listed_as]


def _arguments(listings: Sequence[Listing], before: Sequence[Listing | None]) -> Iterator[str | bytes | int]:
    """Go through the changes as the script reads them. What is left comes first: another may take it."""
    stored: dict[int, list[str | bytes]] = {_BY_SKU: [], _BY_KEY: []}
    left, unlisted, held, let_go = list[str](), list[Listing](), set[str](), set[str]()
    had = list[str]()
    for listing, former in zip(listings, before, strict=True):
        if key_in(listing.sku) is not None:
            stored[_BY_KEY] += (listing.key, _pack(listing))
            let_go |= _members(former)
            held |= _members(listing)
            continue
        stored[_BY_SKU] += (listing.sku, _pack(listing))
        if former is not None and former.listed and former.key != listing.key:
            left.append(former.key)
        if listing.listed:
            had += (listing.key, listing.sku)
        else:
            unlisted.append(listing)
    scores = [value for member in sorted(held - let_go) for value in (0, member)]
    changes: list[tuple[str, int, Sequence[str | bytes | int]]] = [
        ("HSET", _BY_SKU, stored[_BY_SKU]),
        ("HSET", _BY_KEY, stored[_BY_KEY]),
        ("HDEL", _KEYS, left),
        ("HSET", _KEYS, had),
        *(("HSETNX", _KEYS, (each.key, each.sku)) for each in unlisted),
        ("ZREM", _COMPONENTS, sorted(let_go - held)),
        ("ZADD", _COMPONENTS, scores),
    ]
    for verb, place, values in changes:
        if values:
            yield from (verb, place, len(values), *values)


def _members(listing: Listing | None) -> set[str]:
    components = listing.components if listing is not None else ()
    return {f"{each.sku}\0{listing.key}" for each in components if listing is not None}


def _range(sku: str) -> tuple[bytes, bytes]:
    """Return the range of a SKU's members in the sorted set of components."""
    return b"[" + sku.encode() + b"\0", b"(" + sku.encode() + b"\1"


def _version_of(channel: str) -> str:
    return f"listings:{channel}"
