"""Several listings of one SKU, each with a factor, and bundles: a key shows the least number of whole pieces."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from server.domain.channels import Listing
from server.domain.components import Component, known_by
from server.store.ledger.ledger import Ledger
from server.store.repositories.channels import ChannelStore
from tests.channels.engine import Engine, plan, publishing
from tests.channels.plain import PlainChannel
from tests.channels.test_engine import sell, stock
from tests.channels.test_listings_moved import has_letters, settled
from tests.support.operations import changed, order
from tests.support.stores import StoreProcess

Opened = Callable[..., Any]


def made_of(key: str, listed: bool = True, **units: int) -> Listing:
    """A pack or bundle."""
    return Listing(known_by(key), key, listed, components=[Component(*each) for each in units.items()])


@pytest.fixture
def opened(store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel) -> Opened:
    @asynccontextmanager
    async def open_engine(units: dict[str, int], **given: Any) -> AsyncIterator[Engine]:
        for sku, on_hand in units.items():
            if on_hand:
                await stock(ledger, on_hand, sku)
        finish = given.pop("finish", True)
        channels = [plan("shop", shop, **{"listings": "listed", **given})]
        async with publishing(store, partition, channels, finish=finish) as engine:
            yield engine

    return open_engine


async def test_each_of_several_listings_of_a_sku_shows_its_own_number_of_whole_packs(
    opened: Opened, ledger: Ledger, shop: PlainChannel
) -> None:
    async with opened({"A": 13}) as engine:
        await engine.list_skus("shop", Listing("A", "one"), made_of("again", A=1), made_of("six", A=6))
        await settled(engine, shop, one=13, again=13, six=2)

        await sell(ledger, "A", 2)

        await settled(engine, shop, one=11, again=11, six=1)
        await sell(ledger, "A", 6)
        await settled(engine, shop, one=5, again=5, six=0)
        await has_letters(engine)


async def test_a_bundle_shows_the_least_of_its_components_and_follows_each_of_them(
    opened: Opened, ledger: Ledger, shop: PlainChannel
) -> None:
    async with opened({"A": 10, "B": 9, "C": 3}) as engine:
        await engine.list_skus("shop", Listing("B", "b"), made_of("set", A=2, B=3, C=1), made_of("other", B=4))
        await settled(engine, shop, b=9, set=3, other=2)

        await sell(ledger, "B", 1)
        await settled(engine, shop, b=8, set=2, other=2)
        await sell(ledger, "C", 3)
        await settled(engine, shop, b=8, set=0, other=2)


async def test_a_component_that_nobody_knows_makes_a_bundle_of_none(opened: Opened, shop: PlainChannel) -> None:
    async with opened({"A": 10}) as engine:
        await engine.list_skus("shop", made_of("set", A=1, nowhere=1))
        await settled(engine, shop, set=0)


async def test_the_rules_hold_for_each_component_before_pieces_are_counted(opened: Opened, shop: PlainChannel) -> None:
    async with opened({"A": 13, "B": 40}, rules={"buffer": 2, "cap": 11}) as engine:
        await engine.list_skus("shop", made_of("six", A=6), made_of("set", A=1, B=4))
        await settled(engine, shop, six=1, set=2)


async def test_other_components_and_an_unlisted_bundle_show_at_once(opened: Opened, shop: PlainChannel) -> None:
    async with opened({"A": 10, "B": 3}) as engine:
        await engine.list_skus("shop", made_of("set", A=2))
        await settled(engine, shop, set=5)

        await engine.list_skus("shop", made_of("set", A=2, B=1))
        await settled(engine, shop, set=3)
        await engine.list_skus("shop", made_of("set", False, A=2, B=1))
        await settled(engine, shop, set=0)


async def test_a_key_passes_from_a_sku_to_a_pack_and_back(opened: Opened, shop: PlainChannel) -> None:
    async with opened({"A": 13, "B": 5}) as engine:
        await engine.list_skus("shop", Listing("A", "K"))
        await settled(engine, shop, K=13)

        await engine.list_skus("shop", Listing("A", "K", listed=False), made_of("K", A=6))
        await settled(engine, shop, K=2)
        await engine.list_skus("shop", made_of("K", False, A=6), Listing("B", "K"))
        await settled(engine, shop, K=5)
        await has_letters(engine)


async def test_packs_are_further_listings_where_every_sku_is_listed(opened: Opened, shop: PlainChannel) -> None:
    async with opened({"A": 13}, listings="all") as engine:
        await engine.list_skus("shop", made_of("six", A=6))
        await settled(engine, shop, A=13, six=2)


async def test_a_restart_loads_packs_and_bundles(opened: Opened, ledger: Ledger, shop: PlainChannel) -> None:
    async with opened({"A": 13, "B": 9}, finish=False) as engine:
        await engine.list_skus("shop", made_of("six", A=6), made_of("set", A=1, B=3))
        await settled(engine, shop, six=2, set=3)
    await sell(ledger, "A", 2)

    async with opened({}) as engine:
        await settled(engine, shop, six=1, set=3)


async def test_a_channel_s_own_sale_of_a_pack_has_all_keys_of_the_sku_told_again(
    opened: Opened, ledger: Ledger, shop: PlainChannel
) -> None:
    async with opened({"A": 13}, own_sale="lowers") as engine:
        await engine.list_skus("shop", Listing("A", "one"), made_of("six", A=6))
        await settled(engine, shop, one=13, six=2)
        shop.sell("six", 1)
        await changed(ledger, order("own", ("A", 1), channel="shop"))
        await settled(engine, shop, one=12, six=2)


async def test_what_holds_a_sku_and_what_has_a_key_is_found_without_looking_through_all(
    opened: Opened,
) -> None:
    async with opened({"A": 13, "B": 1}) as engine:
        desk: ChannelStore = engine.store
        own, six, pair = Listing("A", "one"), made_of("six", A=6), made_of("pair", A=1, B=1)
        await engine.list_skus("shop", own, six, pair)

        assert await desk.holding("shop", "A") == [pair, six]
        assert await desk.count_holding("shop", ["A", "B", "C"]) == [2, 1, 0]
        assert await desk.find_keys("shop", ["one", "six", "pair", "no"]) == {"one": own, "six": six, "pair": pair}

        await engine.list_skus("shop", made_of("pair", B=2), Listing("A", "two"), Listing("B", "one"))

        assert await desk.holding("shop", "A") == [six]
        assert await desk.count_holding("shop", ["A", "B"]) == [1, 1]
        assert await desk.find_keys("shop", ["one", "two"]) == {"one": Listing("B", "one"), "two": Listing("A", "two")}


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_bundle_that_is_deleted_is_told_0_as_the_newest_of_its_key_and_the_key_is_free(
    opened: Opened, client: Redis, ledger: Ledger, shop: PlainChannel, restarted: bool
) -> None:
    kept = ChannelStore(client, ledger.keyspace)
    async with opened({"A": 10, "B": 9}) as engine:
        await engine.list_skus("shop", made_of("set", A=2, B=3), Listing("B", "b"))
        await settled(engine, shop, set=3, b=9)
        if not restarted:
            assert await kept.delete_listing("shop", known_by("set"), "test")
            assert not await kept.delete_listing("shop", known_by("set"), "test")
            await settled(engine, shop, set=0, b=9)
            assert shop.versions["set"] == sorted(shop.versions["set"])
    if restarted:
        assert await kept.delete_listing("shop", known_by("set"), "test")
    async with opened({}) as engine:
        await settled(engine, shop, set=0, b=9)
        assert await engine.store.count_holding("shop", ["A", "B"]) == [0, 0]
        assert shop.versions["set"] == sorted(shop.versions["set"])
        await sell(ledger, "B", 2)
        await settled(engine, shop, set=0, b=7)
        await engine.list_skus("shop", Listing("A", "set"))
        await settled(engine, shop, set=10, b=7)
        await has_letters(engine)
