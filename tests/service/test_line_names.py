"""Keys of listings that an earlier release has put are found, too, and looking for them does not go on for ever."""

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.channels import Listing
from server.service import line_names
from server.service.caller import Caller
from server.service.line_names import stored_listings
from server.store.connection.commands import command
from server.store.keys import ChannelKeys


async def put_as_before(client: Redis, caller: Caller, *listings: Listing) -> None:
    """Write as an earlier release does: by SKU alone."""
    where = ChannelKeys(caller.partition.keyspace, "shop").listings
    for each in listings:
        await command(client, "HSET", where, each.sku, msgspec.msgpack.encode(each))


async def test_the_key_of_a_listing_that_an_earlier_release_put_is_found(
    caller: Caller, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Listing("A", "k1"), Listing("B", "k1", listed=False)
    await put_as_before(client, caller, other, one)
    assert await stored_listings(caller, "shop", ["k1", "k2"]) == {"k1": one}, "the listed one has it"

    await put_as_before(client, caller, Listing("A", "k2"))

    assert await stored_listings(caller, "shop", ["k1", "k2"]) == {}, "all listings are looked through once a minute"
    monkeypatch.setattr(line_names, "_looked_at", {})
    assert await stored_listings(caller, "shop", ["k1", "k2"]) == {"k1": other, "k2": Listing("A", "k2")}
