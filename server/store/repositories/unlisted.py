"""SKUs that are in stock and on no channel: read from the listings of all channels, a slice of the SKUs at a time."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.limits import PLACES_PER_REQUEST_MAX
from server.store.connection.commands import command
from server.store.errors import TooManyPlacesError
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore
from server.store.repositories.locations import read_closed
from server.store.repositories.stock import decode_stock

FIELDS_AT_A_TIME: Final = 1_000
"""Of one HMGET: about a millisecond of the store's time."""
_unpack_names: Final = msgspec.msgpack.Decoder(list[str]).decode


class Unlisted(NamedTuple):
    """A SKU of which units are available at open locations, and that no channel lists."""

    sku: str
    available: int


class UnlistedPage(NamedTuple):
    """Some of them, in no order; ``following`` is the place of the next page, 0: that were all."""

    found: list[Unlisted]
    following: int


async def unlisted(
    client: Redis, keyspace: Keyspace, channels: Mapping[str, bool], place: int, count: int
) -> UnlistedPage:
    """Look through about ``count`` SKUs from a place on, 0 to begin with. A SKU may come twice.

    ``channels``: those that there are, and whether each lists all SKUs but those that are taken off.

    Raises
    ------
    TooManyPlacesError
        They are at more places than one request reads.
    StoreUnavailableError
        The store did not answer.

    """
    following, packed = await command(client, "HSCAN", keyspace.skus, place, "COUNT", count)
    known = {sku.decode(): _unpack_names(names) for sku, names in packed.items()}
    left = await _on_no_channel(ChannelStore(client, keyspace), channels, sorted(known))
    closed = (await read_closed(client, keyspace)).names
    fields = [(sku, name) for sku in left for name in known[sku] if name not in closed]
    if len(fields) > PLACES_PER_REQUEST_MAX:
        raise TooManyPlacesError(PLACES_PER_REQUEST_MAX)
    units: dict[str, int] = {}
    for start in range(0, len(fields), FIELDS_AT_A_TIME):
        some = fields[start : start + FIELDS_AT_A_TIME]
        records = await command(client, "HMGET", keyspace.stock, *(f"{sku}\0{name}" for sku, name in some))
        for (sku, _), record in zip(some, records, strict=True):
            if record is not None:
                units[sku] = units.get(sku, 0) + max(0, decode_stock(record).free)
    return UnlistedPage([Unlisted(sku, units[sku]) for sku in left if units.get(sku)], int(following))


async def _on_no_channel(store: ChannelStore, channels: Mapping[str, bool], skus: Sequence[str]) -> list[str]:
    left = list(skus)
    for channel, lists_all in channels.items():
        if not left:
            break
        listings = await store.listings_of(channel, left)
        left = [
            sku
            for sku, listing in zip(left, listings, strict=True)
            if not (lists_all if listing is None else listing.listed)
        ]
    return left
