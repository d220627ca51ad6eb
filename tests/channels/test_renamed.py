"""Renames under a publisher: the listing's key goes on, and a name that was a key itself is told 0."""

import pytest
from redis.asyncio import Redis

from server.domain.channels import Listing
from server.domain.locations import Location
from server.store.ledger.ledger import Ledger
from server.store.repositories.channels import ChannelStore
from server.store.repositories.location_renames import LocationRenames
from server.store.repositories.locations import LocationStore
from server.store.repositories.renames import AliasStore
from tests.channels.engine import plan, publishing
from tests.channels.plain import PlainChannel
from tests.channels.test_engine import dead_letters, sell, shows, stock
from tests.conftest import RETENTION, wait_until
from tests.support import operations as ops
from tests.support.stores import StoreProcess


async def rename(client: Redis, ledger: Ledger, old: str, new: str, places: int = 200) -> None:
    renames, is_left = AliasStore(client, ledger.keyspace, RETENTION.packed()), True
    while is_left:
        outcome, is_left = await renames.rename_some(old, new, "tester", ["shop"], places)
        assert outcome == "renamed"


@pytest.mark.parametrize("places", [1, 200])
async def test_given_an_explicit_listing_when_its_sku_is_renamed_then_its_key_shows_the_number_and_sells(  # noqa: PLR0917  # fixtures
    store: StoreProcess, client: Redis, ledger: Ledger, partition: str, shop: PlainChannel, places: int
) -> None:
    await stock(ledger, 7, "A")
    await ops.moved(ledger, ops.receive("A", 2, location="depo"))
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", Listing("A", "869001"))
        await wait_until(shows(shop, **{"869001": 9}))

        await rename(client, ledger, "A", "B", places)
        await sell(ledger, "A", 2)

        await wait_until(shows(shop, **{"869001": 7}))
        await wait_until(engine.is_idle)
        assert set(shop.shown) == {"869001"}
        assert await dead_letters(engine, "shop") == []


@pytest.mark.parametrize("places", [1, 200])
async def test_given_a_sku_that_is_its_own_key_when_renamed_then_the_old_key_is_told_0(  # noqa: PLR0917  # fixtures
    store: StoreProcess, client: Redis, ledger: Ledger, partition: str, shop: PlainChannel, places: int
) -> None:
    await stock(ledger, 7, "A", "OTHER")
    await ops.moved(ledger, ops.receive("A", 2, location="depo"))
    async with publishing(store, partition, [plan("shop", shop, listings="all")]) as engine:
        await wait_until(shows(shop, A=9, OTHER=7))

        await rename(client, ledger, "A", "B", places)

        await wait_until(shows(shop, A=0, B=9, OTHER=7))
        await sell(ledger, "B")
        await wait_until(shows(shop, A=0, B=8, OTHER=7))
        await wait_until(engine.is_idle)


async def test_given_a_rename_while_no_publisher_runs_when_one_comes_then_the_keys_are_right(
    store: StoreProcess, client: Redis, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 7, "A")
    async with publishing(store, partition, [plan("shop", shop, listings="all")]):
        await wait_until(shows(shop, A=7))

    await rename(client, ledger, "A", "B")

    async with publishing(store, partition, [plan("shop", shop, listings="all")]):
        await wait_until(shows(shop, A=0, B=7))


async def test_given_a_listing_when_deleted_then_its_key_is_told_0(
    store: StoreProcess, client: Redis, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 7, "A")
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", Listing("A", "869001"))
        await wait_until(shows(shop, **{"869001": 7}))

        assert await ChannelStore(client, ledger.keyspace).delete_listing("shop", "A", "tester")
        assert not await ChannelStore(client, ledger.keyspace).delete_listing("shop", "A", "tester")

        await wait_until(shows(shop, **{"869001": 0}))


async def test_given_a_channel_whose_rule_names_a_location_when_that_is_renamed_then_its_keys_show_the_same(  # fixtures
    store: StoreProcess, client: Redis, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    for sku in ("A", "B"):
        await ops.moved(ledger, ops.receive(sku, 7, location="depo"))
        await ops.moved(ledger, ops.receive(sku, 5))
    job = LocationRenames(client, ledger.keyspace, RETENTION.packed(), known_s=0)
    limited = plan("shop", shop, listings="all", rules={"locations": ["depo"]})
    async with publishing(store, partition, [limited]) as engine:
        await wait_until(shows(shop, A=7, B=7))

        assert await job.begin("depo", "hub", "tester") == "renamed"
        await job.move("depo", "hub", "tester", ["A"])
        await ops.changed(ledger, ops.order("a", ("A", 1, "depo"), ("B", 2, "hub")))
        await wait_until(shows(shop, A=6, B=5))
        assert (await job.rename("depo", "hub", "tester")).is_done
        await ops.changed(ledger, ops.order("b", ("A", 1, "hub"), ("B", 2, "depo")))

        await wait_until(shows(shop, A=5, B=3))
        await wait_until(engine.is_idle)
    async with publishing(store, partition, [limited]) as engine:
        await ops.changed(ledger, ops.order("c", ("A", 1, "hub"), ("B", 1, "depo")))
        await wait_until(shows(shop, A=4, B=2))
        await wait_until(engine.is_idle)


async def test_given_a_closed_location_when_it_is_renamed_then_no_channel_shows_its_units(  # fixtures
    store: StoreProcess, client: Redis, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    locations = LocationStore(client, ledger.keyspace, RETENTION.packed())
    await ops.moved(ledger, ops.receive("A", 7, location="depo"))
    await ops.moved(ledger, ops.receive("A", 5))
    await locations.put([Location("depo", open=False)], "tester")
    job = LocationRenames(client, ledger.keyspace, RETENTION.packed(), known_s=0)
    async with publishing(store, partition, [plan("shop", shop, listings="all")]) as engine:
        await wait_until(shows(shop, A=5))

        assert (await job.rename("depo", "hub", "tester")).is_done
        await sell(ledger, "A")
        await wait_until(shows(shop, A=4))
        await wait_until(engine.is_idle)
        await locations.put([Location("hub")], "tester")

        await wait_until(shows(shop, A=11))
