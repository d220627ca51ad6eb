"""A channel that sells changes its own number: ours is sent again there, though it has not changed here."""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec
import pytest
from aiohttp import web

from adapters.contract.adapter import kinds
from adapters.contract.http import Exchange
from adapters.contract.stock import Item, Outcomes, Ticket
from server.channels.channel_plan import ChannelPlan
from server.channels.write_behind import FLUSH_S
from server.domain.channels import Listing, Shown
from server.store.ledger.ledger import Ledger
from server.store.repositories.publisher import PublisherStore
from tests.channels.engine import Engine, plan, publishing
from tests.channels.plain import Plain, PlainChannel
from tests.channels.test_engine import shows, stock
from tests.conftest import wait_until
from tests.support.operations import cancel, changed, commit, fulfil, order, release, reserve, take_back
from tests.support.stores import StoreProcess

CAP_5 = {"cap": 5}
_ids = count(1)


def selling(shop: PlainChannel, name: str = "shop", rules: Any = None, **capabilities: Any) -> ChannelPlan:
    """Plan a channel that lowers its own number when it sells."""
    return plan(name, shop, rules=CAP_5 if rules is None else rules, **{"own_sale": "lowers", **capabilities})


async def buy(ledger: Ledger, shop: PlainChannel, units: int = 1, *, channel: str = "shop", sku: str = "A") -> str:
    """Let a buyer order on the channel: it takes the units off its own number, and the order reaches us."""
    shop.sell(sku, units)
    reservation_id = f"own-{next(_ids)}"
    await changed(ledger, order(reservation_id, (sku, units), channel=channel, accept_shortage=True))
    return reservation_id


async def begun(engine: Engine, shop: PlainChannel, shown: int = 5) -> None:
    await wait_until(shows(shop, A=shown))
    await wait_until(engine.is_idle)


async def is_stored(engine: Engine, sku: str) -> bool:
    """Whether what the channel has confirmed of a SKU would survive the publisher."""
    publisher = PublisherStore(engine.client, engine.keyspace)
    return sku in {known async for known, _ in publisher.shown("shop")}


# -- what is shown after a sale


@pytest.mark.parametrize(
    ("rules", "shown"),
    [(CAP_5, 5), ({"percent": 10, "buffer": 505}, 9), ({"cap": 1}, 1)],
    ids=["a cap", "a percentage of what a buffer leaves", "a cap of one"],
)
async def test_five_sales_of_a_channel_leave_it_with_the_number_that_it_is_to_show(
    rules: Any, shown: int, store: StoreProcess, ledger: Ledger, *, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 600, "A")
    async with publishing(store, partition, [selling(shop, rules=rules)]) as engine:
        await begun(engine, shop, shown)

        for _ in range(5):
            await buy(ledger, shop)
            await begun(engine, shop, shown)


async def test_a_sale_of_several_skus_is_told_for_each_of_them(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 50, "A", "B", "C")
    async with publishing(store, partition, [selling(shop)]) as engine:
        await wait_until(shows(shop, A=5, B=5, C=5))
        await wait_until(engine.is_idle)

        shop.sell("A", 2)
        shop.sell("B", 5)
        await changed(ledger, order("both", ("A", 2), ("B", 5)))

        await wait_until(shows(shop, A=5, B=5, C=5))


@pytest.mark.parametrize("way_back", ["cancel", "release", "return", "commit", "expire"])
async def test_what_comes_after_a_sale_is_told_too(
    way_back: str, store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 50, "A")
    async with publishing(store, partition, [selling(shop)]) as engine:
        await begun(engine, shop)
        held = way_back in ("release", "commit", "expire")
        await changed(ledger, reserve("r", ("A", 2)) if held else order("r", ("A", 2)))
        if way_back == "return":
            await changed(ledger, fulfil("r", (1, 2)))
        await wait_until(engine.is_idle)
        await begun(engine, shop)
        shop.shown["A"] = 7 if way_back != "commit" else 3  # what the channel makes of it by itself

        match way_back:
            case "cancel":
                await changed(ledger, cancel("r"))
            case "return":
                await changed(ledger, take_back("r", (1, 2)))
            case "commit":
                await changed(ledger, commit("r"))
            case _:
                await changed(ledger, release("r"))

        await begun(engine, shop)


async def test_a_cancel_where_nothing_is_left_is_told_as_zero_at_once_whatever_the_cadence(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 2, "A")
    async with publishing(store, partition, [selling(shop, rules={"cadence_s": 3600})]) as engine:
        await begun(engine, shop, 2)
        first = await buy(ledger, shop, 2)
        second = await buy(ledger, shop, 2)  # sold twice: two are short
        assert first != second
        await begun(engine, shop, 0)
        shop.shown["A"] = 2  # the channel gives its units back by itself

        await changed(ledger, cancel(second))

        await begun(engine, shop, 0)


# -- where nothing is to be told


async def test_a_channel_that_does_not_sell_is_not_told_again(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel, other: PlainChannel
) -> None:
    await stock(ledger, 50, "A")
    plans = [
        selling(shop),
        selling(other, "feed", own_sale="none"),
    ]
    async with publishing(store, partition, plans) as engine:
        await begun(engine, shop)
        await begun(engine, other)

        await changed(ledger, order("by-the-feed", ("A", 1), channel="feed"))
        await changed(ledger, order("by-nobody-here", ("A", 1), channel="till"))
        await stock(ledger, 1, "B")

        await wait_until(lambda: shop.shown.get("B") == other.shown.get("B") == 1)
        assert [key for key, _ in shop.applied] == [key for key, _ in other.applied] == ["A", "B"]


async def test_a_channel_is_not_told_of_a_parcel_that_left(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 50, "A")
    async with publishing(store, partition, [selling(shop)]) as engine:
        await begun(engine, shop)
        sold = await buy(ledger, shop)
        await begun(engine, shop)
        told = len(shop.applied)

        await changed(ledger, fulfil(sold))
        await stock(ledger, 1, "B")

        await wait_until(shows(shop, B=1))
        assert len(shop.applied) == told + 1


# -- cadence


async def test_with_a_cadence_an_equal_number_waits_until_the_channel_may_be_sold_out_by_itself(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 50, "A")
    async with publishing(store, partition, [selling(shop, rules={"cap": 5, "cadence_s": 3600})]) as engine:
        await begun(engine, shop)

        for left in (4, 3, 2, 1):
            await buy(ledger, shop)
            await wait_until(lambda: engine.channel("shop").state.is_pending("A"))
            assert shop.shown["A"] == left
        await buy(ledger, shop)

        await begun(engine, shop)


# -- restarts, and what is on its way


async def test_a_publisher_killed_before_it_read_of_a_sale_leaves_it_to_the_next(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 50, "A")
    async with publishing(store, partition, [selling(shop)], finish=False) as engine:
        await begun(engine, shop)
        await wait_until(lambda: is_stored(engine, "A"), "what it confirmed is stored")
    await buy(ledger, shop)

    async with publishing(store, partition, [selling(shop)]) as engine:
        await begun(engine, shop)


async def test_a_publisher_killed_between_a_sale_and_its_push_leaves_it_to_the_next(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 50, "A")
    async with publishing(store, partition, [selling(shop)], finish=False) as engine:
        await begun(engine, shop)
        await shop.stop()
        await buy(ledger, shop)
        await wait_until(lambda: engine.channel("shop").state.is_pending("A"))
        await asyncio.sleep(4 * FLUSH_S)  # a cursor that had moved past the sale would be stored by now
    await shop.start()

    async with publishing(store, partition, [selling(shop)]) as engine:
        await begun(engine, shop)


class Answering(PlainChannel):
    """Takes a push at once, and answers when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def _push(self, request: web.Request) -> web.Response:
        answer = await super()._push(request)
        await self.may_answer.wait()
        return answer


async def test_a_sale_during_a_push_is_told_after_it(store: StoreProcess, ledger: Ledger, partition: str) -> None:
    await stock(ledger, 50, "A")
    async with Answering() as shop, publishing(store, partition, [selling(shop)]) as engine:
        await begun(engine, shop)
        shop.may_answer.clear()
        await buy(ledger, shop)
        await wait_until(shows(shop, A=5))
        assert engine.channel("shop").state.in_flight()
        await buy(ledger, shop, 3)
        shop.may_answer.set()

        await begun(engine, shop)


async def test_a_key_that_is_left_during_a_push_is_emptied_of_what_a_cancel_there_gave_back(
    store: StoreProcess, ledger: Ledger, partition: str
) -> None:
    await stock(ledger, 4, "A")
    async with Answering() as shop, publishing(store, partition, [selling(shop, listings="listed")]) as engine:
        await engine.list_skus("shop", Listing("A", "old"))
        await wait_until(shows(shop, old=4))
        await wait_until(engine.is_idle)
        shop.may_answer.clear()
        await changed(ledger, order("sells-out", ("A", 4), channel="till"))
        await wait_until(shows(shop, old=0))
        shop.shown["old"] = 2  # a cancel there, before anybody knows that its 0 was taken

        await engine.list_skus("shop", Listing("A", "new"))
        await wait_until(lambda: engine.channel("shop").state.is_pending("new"))
        shop.may_answer.set()

        await wait_until(shows(shop, old=0, new=0))


class Comparing(Plain):
    """Notes the quantity that each value replaces, as a channel that compares before it sets would be told."""

    previous: list[int | None]

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:
        self.previous += [item.previous for item in items]
        return (yield from super().push(items, now_s))


async def test_a_number_that_the_channel_has_changed_is_not_given_as_the_one_to_compare_with(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    comparing = Comparing(shop.url, own_sale="lowers")
    comparing.previous = []
    await stock(ledger, 50, "A")
    async with publishing(store, partition, [plan("shop", shop, rules=CAP_5, build=lambda: comparing)]) as engine:
        await begun(engine, shop)
        await buy(ledger, shop)
        await begun(engine, shop)
        await changed(ledger, order("elsewhere", ("A", 46), channel="till"))
        await begun(engine, shop, 3)

    assert comparing.previous == [None, None, 5]


def test_what_an_earlier_release_stored_as_shown_was_not_sold_since() -> None:
    stored = msgspec.msgpack.encode(["a", 5, "", "", 7, 1_000])

    assert msgspec.msgpack.decode(stored, type=Shown).confirms("a", 5)


# -- what it costs, and which kinds it is about


async def test_the_extra_pushes_are_no_more_than_the_channel_s_own_sales(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel, other: PlainChannel
) -> None:
    await stock(ledger, 1_000, "A")
    plans = [selling(shop), selling(other, "second")]
    async with publishing(store, partition, plans) as engine:
        await begun(engine, shop)
        await begun(engine, other)

        for number in range(100):
            await buy(ledger, (shop, other)[number % 2], channel=("shop", "second")[number % 2])

        await begun(engine, shop)
        await begun(engine, other)
        extra = len(shop.applied) + len(other.applied) - 2
        print(f"100 sales on 2 channels: {extra} extra pushes")  # noqa: T201  # the figure of the decision record
        assert 2 <= extra <= 100


@pytest.mark.parametrize(
    ("kind", "own_sale"),
    [
        ("allegro", "lowers"), ("amazon", "lowers"), ("emag", "lowers"), ("hepsiburada", "lowers"),
        ("medusa", "subtracts"), ("n11", "lowers"), ("oscar", "subtracts"), ("shopify", "lowers"),
        ("trendyol", "lowers"), ("vendure", "subtracts"), ("webhook", "none"), ("woocommerce", "lowers"),
    ],
)  # fmt: skip
def test_each_kind_says_what_it_does_to_its_number_when_it_sells(kind: str, own_sale: str) -> None:
    options, credentials = {
        "medusa": ({"base_url": "http://127.0.0.1"}, ("secret_key",)),
        "allegro": ({}, ("client_id", "client_secret")),
        "amazon": ({"seller_id": "A2SELLER0001", "marketplace_id": "A1PA6795UKMFR9"}, ("client_id", "client_secret")),
        "emag": ({}, ("username", "password")),
        "hepsiburada": ({"merchant_id": "0" * 36, "integrator": "me"}, ("service_key",)),
        "n11": ({}, ("app_key", "app_secret")),
        "oscar": ({"base_url": "https://example.com"}, ("username", "password")),
        "shopify": ({"shop": "s.myshopify.com", "location_id": "1"}, ("access_token",)),
        "trendyol": ({"seller_id": 1}, ("api_key", "api_secret")),
        "vendure": ({"base_url": "http://127.0.0.1/admin-api"}, ("api_key",)),
        "webhook": ({"url": "https://example.com/"}, ("secret",)),
        "woocommerce": ({"base_url": "https://example.com"}, ("consumer_key", "consumer_secret")),
    }[kind]
    made = kinds()[kind]
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    adapter = made.build(msgspec.convert(options, made.options), dict.fromkeys(credentials, secret))

    assert adapter.capabilities.own_sale == own_sale
