"""What a channel holds itself is counted at its location, and on sale nowhere else; a bad reading changes nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from adapters.contract.warehouse import Warehouse
from server.channels.inbound.mirror import NOTHING
from server.channels.inbound.mirrors import MirrorParts
from server.domain.channels import ChannelStatus, Listing
from server.domain.components import Component, known_by
from server.domain.mirrors import MirrorStatus
from server.service.caller import Caller, local_caller
from server.store.command_session import OpenStore
from server.store.connection import commands
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from tests.channels.engine import Engine, plan, publishing
from tests.channels.plain import PlainChannel
from tests.conftest import RETENTION, wait_until
from tests.support import operations as ops
from tests.support.stores import StoreProcess

HALL: Final = "market-hall"
OFTEN: Final = {"location": HALL, "every_s": 1.0}
SKUS: Final = ("A", "B", "C")
WAREHOUSE: Final = Warehouse(every_s=900.0)


@pytest.fixture
async def caller(store: StoreProcess, client: Redis, batcher: Batcher, partition: str) -> AsyncIterator[Caller]:
    await commands.load(client, library())
    made = local_caller(OpenStore(store.url, client, batcher, RETENTION), partition)
    yield made
    await made.partition.locations.close()


class Scene:
    """A market that holds units itself, a shop, and a publisher for both."""

    def __init__(self, engine: Engine, opened: "Opened", close: Callable[[], Awaitable[None]]) -> None:
        self.engine = engine
        self.ledger = opened.ledger
        self.market = opened.market
        self.shop = opened.shop
        self.close = close

    async def there(self) -> dict[str, int]:
        """Return what is on hand at the location, by SKU."""
        found = {}
        for sku in SKUS:
            levels = (await self.ledger.stock(sku, HALL)).levels
            if levels:
                found[sku] = levels[0].on_hand
        return found

    def counted(self, **units: int) -> Awaitable[None]:
        async def is_so() -> bool:
            return await self.there() == units

        return wait_until(is_so, f"{units} are counted")

    async def status(self) -> MirrorStatus | None:
        status: ChannelStatus | None = await self.engine.status("market")
        return None if status is None else status.mirror

    def told(self, is_meant: Callable[[MirrorStatus], bool], what: str) -> Awaitable[None]:
        async def is_so() -> bool:
            status = await self.status()
            return status is not None and is_meant(status)

        return wait_until(is_so, what)

    async def read_again(self, times: int = 2) -> None:
        """Wait for whole readings that began after this; one may be on its way now."""
        wanted = self.market.readings + times
        await wait_until(lambda: self.market.readings >= wanted, "it is read again")


class Opened:
    """Opens scenes; all are closed at the end."""

    def __init__(self, stack: AsyncExitStack, store: StoreProcess, caller: Caller, ledger: Ledger) -> None:
        self._stack, self._store, self._caller = stack, store, caller
        self.ledger = ledger
        self.market = PlainChannel()
        self.shop = PlainChannel()

    async def __call__(self, mirror: dict[str, Any] = OFTEN, **rules: Any) -> Scene:
        for channel in (self.market, self.shop):
            if not channel.port:
                await self._stack.enter_async_context(channel)
        plans = [
            plan("market", self.market, mirror=mirror, rules=rules, warehouse=WAREHOUSE),
            plan("shop", self.shop),
        ]
        channels = {each.settings.name: each.settings for each in plans}
        parts = replace(self._caller.partition, channels=channels)
        partition = self._caller.partition.keyspace.partition
        own = await self._stack.enter_async_context(AsyncExitStack())
        engine = await own.enter_async_context(publishing(self._store, partition, plans, mirrors=MirrorParts(parts)))
        return Scene(engine, self, own.aclose)


@pytest.fixture
async def opened(store: StoreProcess, caller: Caller, ledger: Ledger) -> AsyncIterator[Opened]:
    for sku in SKUS:
        await ops.moved(ledger, ops.count(sku, 0))
    async with AsyncExitStack() as stack:
        yield Opened(stack, store, caller, ledger)


async def test_what_it_holds_is_counted_over_all_pages_and_shown_on_no_channel(opened: Opened) -> None:
    await ops.moved(opened.ledger, ops.receive("A", 2))
    opened.market.held = {"A": 5, "B": 0, "C": 7}

    scene = await opened()

    await scene.counted(A=5, B=0, C=7)
    await wait_until(lambda: scene.market.shown.get("C") == 0 and scene.shop.shown.get("C") == 0, "C is known, as none")
    assert (scene.market.shown["A"], scene.shop.shown["A"]) == (2, 2)
    await scene.told(lambda status: (status.skus, status.units, status.unmapped) == (2, 12, 0), "its figures")
    status = await scene.status()
    assert status is not None
    assert (status.location, status.reason, status.read_ms > 0) == (HALL, "", True)


async def test_what_changes_there_follows_and_no_change_writes_no_entry(opened: Opened, client: Redis) -> None:
    opened.market.held = {"A": 5}
    scene = await opened()
    await scene.counted(A=5)
    await scene.read_again()
    entries = await client.xlen(scene.ledger.keyspace.journal)

    await scene.read_again()
    assert await client.xlen(scene.ledger.keyspace.journal) == entries

    scene.market.held["A"] = 3
    await scene.counted(A=3)


async def test_units_for_others_are_on_sale_on_the_others_alone(opened: Opened) -> None:
    opened.market.held = {"A": 5}
    await ops.moved(opened.ledger, ops.receive("A", 2))

    scene = await opened({**OFTEN, "reserve_for_others": True}, locations=["main"])

    await wait_until(lambda: scene.shop.shown.get("A") == 7, "the shop shows both")
    assert scene.market.shown["A"] == 2
    await ops.changed(scene.ledger, ops.order("o1", ("A", 6, ""), channel="shop"))
    await wait_until(lambda: scene.shop.shown.get("A") == 1, "what is left")


async def test_a_reading_that_finds_nothing_changes_nothing_and_says_so(opened: Opened) -> None:
    opened.market.held = {"A": 5, "B": 2}
    scene = await opened()
    await scene.counted(A=5, B=2)
    await scene.told(lambda status: status.units == 7, "its figures")

    scene.market.held = {}
    await scene.read_again(3)

    await scene.told(lambda status: status.reason == NOTHING, "it is told")
    assert await scene.there() == {"A": 5, "B": 2}
    await scene.told(lambda status: status.units == 7, "its figures stand")
    scene.market.held = {"A": 4, "B": 2}
    await scene.counted(A=4, B=2)
    await scene.told(lambda status: not status.reason, "it is well again")


async def test_a_channel_that_is_down_or_breaks_off_changes_nothing(opened: Opened) -> None:
    opened.market.held = {"A": 5, "B": 2, "C": 1}
    scene = await opened()
    await scene.counted(A=5, B=2, C=1)

    scene.market.always, scene.market.only = "reset_after", "/held"
    scene.market.held = {"A": 1}
    await scene.told(lambda status: bool(status.reason), "the failure is told")

    assert await scene.there() == {"A": 5, "B": 2, "C": 1}
    scene.market.held = {"A": 4, "B": 2, "C": 1}
    scene.market.always = None
    await scene.counted(A=4, B=2, C=1)


async def test_what_one_reading_lacks_stays_and_what_two_lack_is_gone(opened: Opened) -> None:
    opened.market.held = {"A": 5, "B": 2, "C": 1}
    scene = await opened()
    await scene.counted(A=5, B=2, C=1)

    del scene.market.held["B"]

    await scene.counted(A=5, B=0, C=1)
    scene.market.held["B"] = 2
    await scene.counted(A=5, B=2, C=1)


async def test_with_a_row_that_nobody_understands_nothing_is_gone(opened: Opened) -> None:
    opened.market.held = {"A": 5, "B": 2, "C": 1}
    scene = await opened()
    await scene.counted(A=5, B=2, C=1)

    scene.market.unreadable = 1
    del scene.market.held["B"]
    scene.market.held["A"] = 4
    await scene.counted(A=4, B=2, C=1)
    await scene.read_again(3)

    assert await scene.there() == {"A": 4, "B": 2, "C": 1}
    await scene.told(lambda status: status.reason == "1 rows could not be understood", "it is told")


async def test_what_was_counted_by_a_publisher_before_goes_too_where_it_is_not_held_any_more(opened: Opened) -> None:
    opened.market.held = {"A": 5, "B": 2}
    first = await opened()
    await first.counted(A=5, B=2)
    await first.close()

    del opened.market.held["B"]
    second = await opened()

    await second.counted(A=5, B=0)


async def test_listings_and_names_find_the_sku_and_others_are_counted_as_unmapped(opened: Opened) -> None:
    await ops.moved(opened.ledger, ops.receive("C", 1))
    opened.market.held = {"KEY-A": 3, "six": 2, "both": 1, "c": 4, "nobody": 9}
    scene = await opened()
    pack = Listing(known_by("six"), "six", components=[Component("B", 6)])
    bundle = Listing(known_by("both"), "both", components=[Component("A", 1), Component("B", 1)])

    await scene.engine.list_skus("market", Listing("A", "key-a"), pack, bundle)

    await scene.counted(A=3, B=12, C=4)
    await scene.told(lambda status: status.unmapped == 2, "the others are told")


async def test_a_location_of_our_own_is_left_alone_and_the_reason_is_told(opened: Opened) -> None:
    await ops.moved(opened.ledger, ops.receive("A", 9, HALL))
    opened.market.held = {"A": 5}

    scene = await opened()

    await scene.told(lambda status: "a location of your own" in status.reason, "the reason is told")
    assert await scene.there() == {"A": 9}
    assert scene.market.readings == 0


def has_read(market: PlainChannel, before: int) -> bool:
    return market.readings > before


async def test_a_publisher_that_is_torn_away_leaves_nothing_that_the_next_one_does_not_mend(
    store: StoreProcess, caller: Caller, ledger: Ledger
) -> None:
    held = {f"S{number}": number + 1 for number in range(40)}
    for sku in held:
        await ops.moved(ledger, ops.count(sku, 0))

    async def all_counted() -> bool:
        levels = [(await ledger.stock(sku, HALL)).levels for sku in held]
        return [each[0].on_hand if each else 0 for each in levels] == list(held.values())

    async with PlainChannel(held=held) as market:
        plans = [plan("market", market, mirror=OFTEN, warehouse=WAREHOUSE)]
        parts = MirrorParts(replace(caller.partition, channels={"market": plans[0].settings}))
        partition = ledger.keyspace.partition
        for _ in range(4):
            before = market.readings
            async with publishing(store, partition, plans, mirrors=parts, finish=False):
                await wait_until(partial(has_read, market, before), "it has read")
        async with publishing(store, partition, plans, mirrors=parts):
            await wait_until(all_counted, "all is counted")
