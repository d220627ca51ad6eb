"""The listings of SKUs on many channels: read in one go, each as if its channel were asked alone."""

from typing import Final

import pytest
from redis.asyncio import Redis

from server.domain.channels import Listing
from server.domain.components import Component, known_by
from server.store.keys import Keyspace
from server.store.repositories import listings
from server.store.repositories.listings import Listed, ListingStore

CHANNELS: Final = [f"shop-{number:02}" for number in range(40)]
SKUS: Final = ["A", "B", "nowhere"]


@pytest.fixture
async def kept(client: Redis, partition: str) -> ListingStore:
    """List A on every second channel, and packs of B on every third."""
    store = ListingStore(client, Keyspace(partition))
    for number, name in enumerate(CHANNELS):
        packs = [Listing(known_by(key), key, components=[Component("B", 6)]) for key in ("six", "again")]
        some = [Listing("A", f"a-{number}")] * (number % 2 == 0) + packs * (number % 3 == 0)
        if some:
            await store.put_listings(name, some, "tester")
    return store


@pytest.mark.parametrize("at_once", [1, 12, 500])
async def test_each_channel_has_what_it_lists_whatever_is_read_at_once(
    kept: ListingStore, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(listings, "_READ_AT_ONCE", at_once)

    found = await kept.on_channels(CHANNELS, SKUS)

    assert found == [
        Listed(await kept.listings_of(name, SKUS), await kept.count_holding(name, SKUS)) for name in CHANNELS
    ]
    assert [found[0].listings[0], found[0].holding] == [Listing("A", "a-0"), [0, 2, 0]]
    assert await kept.on_channels(CHANNELS, []) == [Listed([], [])] * len(CHANNELS)


async def test_many_channels_are_read_in_few_requests(kept: ListingStore, client: Redis) -> None:
    before = (await client.info("stats"))["total_reads_processed"]

    await kept.on_channels(CHANNELS, ["A"])

    assert (await client.info("stats"))["total_reads_processed"] - before < len(CHANNELS) / 2
