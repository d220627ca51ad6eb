"""A refused price holds back no quantity: price and stock are confirmed, sent and refused apart."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from adapters.contract.http import Exchange
from adapters.contract.stock import Item, Outcomes, PriceRejected, Retry, Ticket
from server.domain.channels import DeadLetter, Listing
from server.store.ledger.ledger import Ledger
from tests.channels.engine import Engine, plan, publishing
from tests.channels.plain import Plain, PlainChannel
from tests.channels.test_engine import dead_letters, sell, shows, stock
from tests.conftest import wait_until
from tests.support.stores import StoreProcess

BAD = "6.66"
"""A price that the shop refuses."""


@pytest.fixture
async def shop() -> AsyncIterator[PlainChannel]:
    async with PlainChannel(refused_prices={BAD}) as channel:
        yield channel


def priced(*skus: str, price: str = BAD) -> list[Listing]:
    return [Listing(sku, sku, price=price) for sku in skus]


async def prices_refused(engine: Engine, *skus: str) -> None:
    """Wait until the prices of exactly these SKUs are dead letters, and nothing else is left to do."""

    async def are_refused() -> bool:
        letters = await dead_letters(engine, "shop")
        return sorted((each.sku, each.field) for each in letters) == [(sku, "price") for sku in sorted(skus)]

    await wait_until(are_refused, f"the prices of {skus} are dead letters")
    await wait_until(engine.is_idle, "nothing is left to do")


# -- a zero


@pytest.mark.parametrize("kind", ["by item", "whole", "ticket", "ticket refused whole"])
async def test_three_skus_with_two_bad_prices_are_all_told_their_zero_at_once(
    kind: str, store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.whole, shop.tickets, shop.spoils_late = kind == "whole", "ticket" in kind, kind == "ticket refused whole"
    made = plan("shop", shop, listings="listed", result="whole" if shop.whole else "per_item", poll_every_s=0.02)
    await stock(ledger, 7, "A", "B", "C")
    async with publishing(store, partition, [made]) as engine:
        await engine.list_skus("shop", *priced("A", price="9.90"), *priced("B", "C"))
        await wait_until(shows(shop, A=7, B=7, C=7))
        await prices_refused(engine, "B", "C")

        await asyncio.gather(*(sell(ledger, sku, 7) for sku in "ABC"))

        await wait_until(shows(shop, A=0, B=0, C=0), "all are sold out", within_s=5.0)
        assert shop.prices == {"A": "9.90"}
        assert shop.complaints == []


@pytest.mark.parametrize("whole", [False, True])
async def test_a_bad_price_that_comes_together_with_the_fall_to_zero_does_not_hold_it_back(
    whole: bool, store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.whole = whole
    made = plan("shop", shop, listings="listed", result="whole" if whole else "per_item")
    await stock(ledger, 7, "A", "B", "C")
    async with publishing(store, partition, [made]) as engine:
        await engine.list_skus("shop", *priced("A", "B", "C", price="9.90"))
        await wait_until(shows(shop, A=7, B=7, C=7))
        await wait_until(engine.is_idle)
        await shop.stop()
        await asyncio.gather(*(sell(ledger, sku, 7) for sku in "ABC"))
        await engine.list_skus("shop", *priced("A", "B"))
        await wait_until(lambda: engine.channel("shop").state.pending_count() == 3)
        done = len(shop.applied)
        await shop.start()
        await engine.store.send_command("shop", "channel_retry", (), "test")

        await wait_until(shows(shop, A=0, B=0, C=0))

        await prices_refused(engine, "A", "B")
        assert sorted(shop.applied[done:]) == [("A", 0), ("B", 0), ("C", 0)]


async def test_a_fall_to_zero_goes_without_its_new_price_which_follows(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 7, "A")
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", *priced("A", price="9.90"))
        await wait_until(engine.is_idle)
        await wait_until(shows(shop, A=7))
        await shop.stop()
        await sell(ledger, "A", 7)
        await engine.list_skus("shop", *priced("A", price="8.80"))
        await shop.start()
        await engine.store.send_command("shop", "channel_retry", (), "test")

        await wait_until(lambda: shop.prices == {"A": "8.80"})

        assert shop.applied == [("A", 7), ("A", 0), ("A", 0)]


# -- any other quantity


@pytest.mark.parametrize("whole", [False, True])
async def test_quantities_go_alone_after_the_price_was_refused(
    whole: bool, store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.whole = whole
    skus = [f"SKU-{number}" for number in range(40)]
    made = plan("shop", shop, listings="listed", result="whole" if whole else "per_item")
    await stock(ledger, 7, *skus)
    async with publishing(store, partition, [made]) as engine:
        await engine.list_skus("shop", *priced(*skus[:3]), *priced(*skus[3:], price="9.90"))
        await wait_until(shows(shop, **dict.fromkeys(skus, 7)))
        await prices_refused(engine, *skus[:3])
        assert shop.prices == dict.fromkeys(skus[3:], "9.90")

        await sell(ledger, skus[0], 2)

        await wait_until(shows(shop, **{skus[0]: 5}))
        await prices_refused(engine, *skus[:3])


async def test_an_item_that_is_refused_for_itself_has_one_dead_letter_and_not_one_for_its_price(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.poisoned.add("A")
    await stock(ledger, 7, "A")
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", *priced("A", price="9.90"))
        await wait_until(lambda: bool(engine.channel("shop").state.dead_letter_skus()))
        await wait_until(engine.is_idle)
        await engine.publisher.finish()

        [letter] = await dead_letters(engine, "shop")

        assert (letter.field, letter.reason) == ("quantity", "A is poisoned")


class Choosy(Plain):
    """Says of an item with a price either that the price alone is refused, or "later"."""

    says: "PriceRejected | Retry"

    def push(self, items: list[Item], now_s: float) -> Exchange[Outcomes | Ticket]:  # type: ignore[override]
        outcomes = yield from super().push([item for item in items if item.price is None or _stands(self.says)], now_s)
        assert not isinstance(outcomes, Ticket)
        return outcomes | {item.key: self.says for item in items if item.price is not None}


def _stands(said: PriceRejected | Retry) -> bool:
    return isinstance(said, PriceRejected)


async def test_where_the_channel_says_that_only_the_price_is_refused_the_quantity_is_not_sent_again(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    choosy = Choosy(shop.url)
    choosy.says = PriceRejected("too_low", "the price is too low")
    shop.refused_prices.clear()
    await stock(ledger, 7, "A")
    async with publishing(store, partition, [plan("shop", shop, listings="listed", build=lambda: choosy)]) as engine:
        await engine.list_skus("shop", *priced("A"))

        await prices_refused(engine, "A")

        assert shop.applied == [("A", 7)]
        [letter] = await dead_letters(engine, "shop")
        assert (letter.code, letter.price, letter.quantity) == ("too_low", BAD, 7)


async def test_an_item_that_is_put_off_goes_at_once_without_its_price(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    choosy = Choosy(shop.url)
    choosy.says = Retry("too_often", "this price was changed too often", after_s=3600.0)
    await stock(ledger, 7, "A")
    async with publishing(store, partition, [plan("shop", shop, listings="listed", build=lambda: choosy)]) as engine:
        await engine.list_skus("shop", *priced("A", price="9.90"))

        await wait_until(shows(shop, A=7))

        assert engine.channel("shop").state.is_pending("A")  # its price, in an hour


# -- what becomes of the dead letter


async def corrected(engine: Engine, shop: PlainChannel, price: str) -> None:
    await wait_until(lambda: shop.prices == {"A": price})
    await wait_until(engine.is_idle)
    await engine.publisher.finish()
    assert await dead_letters(engine, "shop") == []


async def test_another_price_is_tried_at_once_and_the_dead_letter_goes(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 7, "A")
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", *priced("A"))
        await prices_refused(engine, "A")

        await engine.list_skus("shop", *priced("A", price="7.77"))

        await corrected(engine, shop, "7.77")


async def test_a_retry_sends_the_price_again(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 7, "A")
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", *priced("A"))
        await prices_refused(engine, "A")
        shop.refused_prices.clear()

        await engine.store.send_command("shop", "channel_retry", ["A"], "test")

        await corrected(engine, shop, BAD)


async def test_a_refused_price_stays_refused_over_a_restart(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    made = [plan("shop", shop, listings="listed")]
    await stock(ledger, 7, "A")
    async with publishing(store, partition, made) as engine:
        await engine.list_skus("shop", *priced("A"))
        await prices_refused(engine, "A")

    async with publishing(store, partition, made) as engine:
        asked = len(shop.received)
        await sell(ledger, "A", 7)
        await wait_until(shows(shop, A=0))
        await prices_refused(engine, "A")

        assert [BAD.encode() in each.body for each in shop.received[asked:]] == [False]


async def test_a_ticket_that_carried_a_bad_price_over_a_restart_does_not_hold_back_the_quantity(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.tickets, shop.slow_polls = True, 10_000
    made = [plan("shop", shop, listings="listed", poll_every_s=0.02)]
    await stock(ledger, 7, "A")
    async with publishing(store, partition, made) as engine:
        await engine.list_skus("shop", *priced("A"))
        await wait_until(lambda: bool(shop.open_tickets))
    shop.slow_polls = 0

    async with publishing(store, partition, made) as engine:
        await wait_until(shows(shop, A=7))
        await prices_refused(engine, "A")


def test_a_dead_letter_of_an_earlier_release_is_about_the_quantity() -> None:
    stored = msgspec.msgpack.encode(["A", "a", 3, "c", "r", 1, 2, 3, 4])

    assert msgspec.msgpack.decode(stored, type=DeadLetter).field == "quantity"
