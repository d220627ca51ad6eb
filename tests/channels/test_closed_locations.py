"""A location that is closed or opened reaches every channel, though no stock moved."""

import asyncio
from contextlib import AsyncExitStack
from itertools import count
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from server.channels.outbound import closings
from server.domain.locations import Location
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories.locations import LocationStore
from tests.channels.engine import plan, publishing
from tests.channels.plain import PlainChannel
from tests.channels.test_engine import shows
from tests.conftest import RETENTION, wait_until
from tests.support.operations import order, receive
from tests.support.stores import StoreProcess


class Places:
    """The locations of the partition, to be closed and opened."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self.store = LocationStore(client, keyspace, RETENTION.packed())

    async def close(self, *names: str) -> None:
        await self.store.put([Location(name, open=False) for name in names], "tester")

    async def open(self, *names: str) -> None:
        await self.store.put([Location(name) for name in names], "tester")


async def registered_by_an_older_release(client: Redis, ledger: Ledger, location: Location) -> None:
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.hset(ledger.keyspace.locations, location.name, msgspec.json.encode(location))
        pipeline.hincrby(ledger.keyspace.locations, "\0version", 1)
        await pipeline.execute()


@pytest.fixture
def places(client: Redis, ledger: Ledger) -> Places:
    return Places(client, ledger.keyspace)


async def stock(ledger: Ledger, units: int, *skus: str, location: str = "store") -> None:
    await asyncio.gather(*(ledger.run(receive(sku, units, location)) for sku in skus))


async def test_given_5_at_a_store_when_it_is_closed_then_every_channel_shows_0_and_5_when_it_opens_again(
    store: StoreProcess, ledger: Ledger, partition: str, places: Places
) -> None:
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(PlainChannel()) for _ in range(3)]
        plans = [plan(f"shop-{number}", channel) for number, channel in enumerate(channels)]
        await stock(ledger, 5, "A")
        engine = await stack.enter_async_context(publishing(store, partition, plans))
        await wait_until(lambda: all(channel.shown.get("A") == 5 for channel in channels))

        await places.close("store")
        await wait_until(lambda: all(channel.shown.get("A") == 0 for channel in channels), "all show none")

        await places.open("store")
        await wait_until(lambda: all(channel.shown.get("A") == 5 for channel in channels), "all show five again")
        await wait_until(engine.is_idle)


async def test_given_units_at_two_locations_when_one_is_closed_then_the_others_units_stay_on_sale(
    store: StoreProcess, ledger: Ledger, partition: str, places: Places, shop: PlainChannel
) -> None:
    await stock(ledger, 5, "A", "B")
    await stock(ledger, 2, "A", location="main")
    await stock(ledger, 9, "C", location="main")
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(shows(shop, A=7, B=5, C=9))
        before = shop.pushed_items

        await places.close("store")

        await wait_until(shows(shop, A=2, B=0, C=9))
        await wait_until(engine.is_idle)
        assert shop.pushed_items - before == 2, "what does not lie there is not sent"


async def test_given_a_channel_of_that_store_alone_when_it_is_closed_then_only_this_channel_shows_none(
    store: StoreProcess, ledger: Ledger, partition: str, places: Places, shop: PlainChannel
) -> None:
    await stock(ledger, 5, "A")
    await stock(ledger, 2, "A", location="main")
    async with PlainChannel() as other:
        plans = [
            plan("shop", shop, rules={"locations": ["store"]}),
            plan("other", other, rules={"locations": ["main"]}),
        ]
        async with publishing(store, partition, plans):
            await wait_until(lambda: shows(shop, A=5)() and shows(other, A=2)())

            await places.close("store")

            await wait_until(shows(shop, A=0))
            assert [quantity for _, quantity in other.applied] == [2]


async def test_given_a_shortage_at_a_store_when_it_is_closed_then_the_channel_shows_what_the_others_have(
    store: StoreProcess, ledger: Ledger, partition: str, places: Places, shop: PlainChannel
) -> None:
    await stock(ledger, 5, "A", location="main")
    await stock(ledger, 1, "A")
    await ledger.run(order("o1", ("A", 4, "store"), accept_shortage=True))
    async with publishing(store, partition, [plan("shop", shop)]):
        await wait_until(shows(shop, A=2))

        await places.close("store")

        await wait_until(shows(shop, A=5))


async def test_given_a_store_closed_while_nobody_publishes_when_a_publisher_takes_over_then_the_channel_learns_it(
    store: StoreProcess, ledger: Ledger, partition: str, places: Places, shop: PlainChannel
) -> None:
    await stock(ledger, 5, "A")
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(shows(shop, A=5))
        await wait_until(engine.is_idle)

    await places.close("store")

    async with publishing(store, partition, [plan("shop", shop)]):
        await wait_until(shows(shop, A=0))


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Have marking go on in small steps and end at the third, once; the event tells that it has."""
    ended, real, seen = asyncio.Event(), closings._mark_falls, count(1)  # to stop after some

    def mark_some(*args: Any, **options: Any) -> list[str]:
        if next(seen) == 3:
            ended.set()
            raise asyncio.CancelledError
        return real(*args, **options)

    monkeypatch.setattr(closings, "CALLS_AT_A_TIME", 10)
    monkeypatch.setattr(closings, "_mark_falls", mark_some)
    return ended


async def test_given_a_kill_in_the_middle_of_marking_when_another_takes_over_then_all_are_told(
    store: StoreProcess, ledger: Ledger, places: Places, shop: PlainChannel, stuck: asyncio.Event
) -> None:
    skus, partition = [f"S{number}" for number in range(60)], ledger.keyspace.partition
    await stock(ledger, 5, *skus)
    async with publishing(store, partition, [plan("shop", shop)], finish=False) as engine:
        await wait_until(shows(shop, **dict.fromkeys(skus, 5)))
        await wait_until(engine.is_idle)
        await places.close("store")
        await stuck.wait()
        await wait_until(engine.is_idle, "what was marked is confirmed")
        channel = engine.channel("shop")
        assert channel.cursor() < channel.position
    assert 0 < list(shop.shown.values()).count(0) < len(skus)

    async with publishing(store, partition, [plan("shop", shop)]):
        await wait_until(shows(shop, **dict.fromkeys(skus, 0)))


async def test_given_an_older_release_that_closes_a_store_when_nobody_orders_then_the_channels_learn_it(
    store: StoreProcess, client: Redis, ledger: Ledger, shop: PlainChannel
) -> None:
    await stock(ledger, 5, "A")
    async with publishing(store, ledger.keyspace.partition, [plan("shop", shop)]):
        await wait_until(shows(shop, A=5))

        await registered_by_an_older_release(client, ledger, Location("store", open=False))
        await wait_until(shows(shop, A=0))

        await registered_by_an_older_release(client, ledger, Location("store"))
        await wait_until(shows(shop, A=5))


async def test_given_a_store_that_an_older_release_had_closed_when_this_one_starts_then_the_channels_show_none(
    store: StoreProcess, client: Redis, ledger: Ledger, shop: PlainChannel
) -> None:
    await stock(ledger, 5, "A")
    await registered_by_an_older_release(client, ledger, Location("store", open=False))

    async with publishing(store, ledger.keyspace.partition, [plan("shop", shop)]):
        await wait_until(shows(shop, A=0))


async def test_given_falls_to_zero_among_others_when_a_store_closes_then_the_falls_go_first(
    store: StoreProcess, ledger: Ledger, partition: str, places: Places, shop: PlainChannel
) -> None:
    mixed = [f"S{number:02}" for number in range(40)]
    await stock(ledger, 5, *mixed)
    await stock(ledger, 3, *mixed[::2], location="main")
    async with publishing(store, partition, [plan("shop", shop, items_max=5)]) as engine:
        await wait_until(lambda: all(shop.shown.get(sku) in {5, 8} for sku in mixed))
        await wait_until(engine.is_idle)
        before = len(shop.applied)

        await places.close("store")

        await wait_until(shows(shop, **dict.fromkeys(mixed[::2], 3), **dict.fromkeys(mixed[1::2], 0)))
        quantities = [quantity for _, quantity in shop.applied[before:]]
        assert quantities == [0] * 20 + [3] * 20


async def test_given_a_value_made_before_the_mask_when_it_is_confirmed_after_it_then_it_does_not_stay(
    store: StoreProcess, ledger: Ledger, partition: str, places: Places, shop: PlainChannel
) -> None:
    await stock(ledger, 5, "A")
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(shows(shop, A=5))
        for _ in range(5):
            await places.close("store")
            await places.open("store")
        await places.close("store")

        await wait_until(shows(shop, A=0))
        await wait_until(engine.is_idle)
        assert shop.shown["A"] == 0
