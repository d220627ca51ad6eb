"""WooCommerce: what a real shop was seen to do, and what the adapter makes of it."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

import msgspec
import pytest

from adapters.contract.adapter import Adapter
from adapters.contract.stock import Applied, Item, Outcomes, PriceRejected, Rejected, Ticket
from adapters.testing.driving import PATIENT_S, Driven
from adapters.woocommerce import ADAPTER, Options
from server.channels.connection.http_transport import Transport
from server.domain.channels import Listing
from server.store.ledger.ledger import Ledger
from tests.channels.engine import plan, publishing
from tests.channels.woocommerce_simulator import EXTERNAL, KEY, SECRET, WooCommerceSimulator
from tests.conftest import wait_until
from tests.support.operations import order, receive
from tests.support.stores import StoreProcess

FUTURE: Final = "2099-01-01T00:00:00"
PAST: Final = "2001-01-01T00:00:00"


class Shop:
    """A simulated shop, and adapters for it: each new one knows nothing, as after a restart."""

    def __init__(self, simulator: WooCommerceSimulator, transport: Transport) -> None:
        self.simulator = simulator
        self._transport = transport

    def started(self, **options: Any) -> Driven:
        built: Adapter = ADAPTER.build(
            msgspec.convert({"base_url": self.simulator.url, **options}, Options),
            {"consumer_key": KEY, "consumer_secret": SECRET},
        )
        return Driven(built, self._transport.send)

    def paths(self) -> list[str]:
        root = "/wp-json/wc/v3"
        return [f"{each.method} {each.path.removeprefix(root)}" for each in self.simulator.received]


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    transport = Transport(allow_private=["127.0.0.1"], timeout_s=PATIENT_S)
    async with WooCommerceSimulator() as simulator:
        yield Shop(simulator, transport)
    await transport.close()
    assert simulator.complaints == []


def value(key: str, quantity: int, **fields: Any) -> Item:
    return Item(**{"key": key, "sku": key, "quantity": quantity, "version": 1, **fields})


def refused(outcomes: Outcomes | Ticket, key: str) -> Rejected:
    assert isinstance(outcomes, dict)
    outcome = outcomes[key]
    assert isinstance(outcome, Rejected)
    return outcome


# -- prices


@pytest.mark.parametrize(("sale_from", "sale_to"), [(FUTURE, ""), ("", PAST), (FUTURE, FUTURE), (PAST, PAST)])
@pytest.mark.parametrize("key", ["1", "120/125"])
async def test_a_sale_price_counts_from_now_whatever_the_dates_of_an_earlier_sale(
    key: str, sale_from: str, sale_to: str, shop: Shop
) -> None:
    shop.simulator.stock(key)
    product = shop.simulator.products[int(key.rpartition("/")[2])]
    product.sale_from, product.sale_to = sale_from, sale_to

    outcomes = await shop.started().push(value(key, 7, price="11", list_price="22"))

    assert outcomes == {key: Applied()}
    assert (product.price, product.sale_from, product.sale_to) == ("11", "", "")


async def test_a_price_without_a_sale_leaves_the_dates_alone(shop: Shop) -> None:
    product = shop.simulator.add("1", 1)
    product.sale_from = FUTURE

    assert await shop.started().push(value("1", 7, price="11")) == {"1": Applied()}
    assert (product.price, product.sale_from) == ("11", FUTURE)


@pytest.mark.parametrize(
    ("fixed", "price", "list_price", "words"),
    [
        ({"date_on_sale_from": FUTURE}, "11", "22", "price '22' to 11"),
        ({"sale_price": "10.5"}, "11", None, "price '10.5' to 11"),
        ({"regular_price": "23"}, "11", "22", "regular_price '23' to 22"),
        ({"regular_price": "23"}, None, "22", "regular_price '23' to 22"),
    ],
)
async def test_a_price_that_the_shop_does_not_show_is_never_confirmed(
    fixed: dict[str, str], price: str | None, list_price: str | None, words: str, shop: Shop
) -> None:
    shop.simulator.stock("1")
    shop.simulator.fixed = fixed

    outcomes = await shop.started().push(value("1", 7, price=price, list_price=list_price))

    assert outcomes == {"1": PriceRejected("other_price", f"the shop answers with {words}")}


async def test_a_product_with_variations_has_no_price_of_its_own_to_confirm(shop: Shop) -> None:
    shop.simulator.add("1", 1).is_variable = True

    outcomes = await shop.started().push(value("1", 7, price="11"))

    assert outcomes == {"1": PriceRejected("other_price", "the shop answers with price '' to 11")}


@pytest.mark.parametrize(("price", "shown"), [("11.50", "11.5"), ("11", "11.0000"), ("7.1234", "7.1234")])
async def test_a_price_is_compared_as_a_number(price: str, shown: str, shop: Shop) -> None:
    shop.simulator.stock("1")
    shop.simulator.fixed = {"regular_price": shown}

    assert await shop.started().push(value("1", 7, price=price)) == {"1": Applied()}


@pytest.mark.parametrize("key", ["1", "120/125"])
async def test_a_price_that_the_shop_does_not_show_is_a_dead_letter_and_holds_back_no_quantity(
    key: str, shop: Shop, store: StoreProcess, ledger: Ledger, partition: str
) -> None:
    shop.simulator.stock(key)
    shop.simulator.fixed = {"date_on_sale_from": FUTURE}
    await ledger.run(receive("S-1", 7))

    plans = [plan("shop", shop.simulator, build=lambda: shop.started().adapter, listings="listed")]
    async with publishing(store, partition, plans) as engine:
        await engine.list_skus("shop", Listing("S-1", key, price="11", list_price="22"))
        await wait_until(lambda: "S-1" in engine.channel("shop").state.dead_letter_skus())
        await ledger.run(order("o-1", ("S-1", 3)))
        await wait_until(lambda: shop.simulator.shown == {key: 4})
        await engine.publisher.finish()
        letters = [letter async for letter in engine.store.dead_letters("shop")]

    assert [(letter.sku, letter.field, letter.code) for letter in letters] == [("S-1", "price", "other_price")]


# -- backorders


@pytest.mark.parametrize("allowed", ["yes", "notify"])
@pytest.mark.parametrize("key", ["1", "120/125"])
async def test_what_is_told_zero_is_not_sold_where_backorders_are_ended(key: str, allowed: str, shop: Shop) -> None:
    shop.simulator.stock(key, quantity=3)
    product = shop.simulator.products[int(key.rpartition("/")[2])]
    product.backorders = allowed

    outcomes = await shop.started(backorders="no").push(value(key, 0))

    assert (outcomes, product.is_sold_at_zero) == ({key: Applied()}, False)


async def test_backorders_stay_as_the_shop_has_them_unless_an_option_ends_them(shop: Shop) -> None:
    product = shop.simulator.add("1", 1)
    product.backorders = "notify"

    assert await shop.started().push(value("1", 0)) == {"1": Applied()}
    assert product.backorders == "notify"
    assert b"backorders" not in shop.simulator.received[-1].body


async def test_backorders_that_the_shop_puts_back_are_no_confirmation(shop: Shop) -> None:
    shop.simulator.stock("1")
    shop.simulator.fixed = {"backorders": "yes"}

    outcomes = await shop.started(backorders="no").push(value("1", 0))

    assert refused(outcomes, "1").code == "other_backorders"


@pytest.mark.parametrize("key", ["1", "120/125"])
async def test_backorders_that_were_allowed_since_are_ended_by_the_next_comparison(
    key: str, shop: Shop, store: StoreProcess, ledger: Ledger, partition: str
) -> None:
    shop.simulator.stock(key)
    await ledger.run(receive("S-1", 7))
    build = partial(shop.started, backorders="no")
    plans = [plan("shop", shop.simulator, build=lambda: build().adapter, listings="listed")]
    async with publishing(store, partition, plans) as engine:
        await engine.list_skus("shop", Listing("S-1", key))
        await wait_until(lambda: shop.simulator.shown == {key: 7})
        await wait_until(engine.is_idle)
        product = shop.simulator.products[int(key.rpartition("/")[2])]
        product.backorders = "notify"

        await engine.store.send_command("shop", "channel_reconcile", (), "test")

        await wait_until(lambda: product.backorders == "no")


async def test_backorders_that_are_kept_make_no_difference(shop: Shop) -> None:
    shop.simulator.add("1", 1, quantity=7).backorders = "yes"

    assert await shop.started().read(["1"]) == {"1": 7}
    assert await shop.started(backorders="no").read(["1"]) == {}


# -- variations are read back


async def test_variations_under_their_own_ids_are_read_back_after_a_restart(shop: Shop) -> None:
    keys = [str(1000 + number) for number in range(60)]
    for number, key in enumerate(keys):
        shop.simulator.add(f"{10 + number % 7}/{key}", int(key), 10 + number % 7, quantity=number)

    assert await shop.started().read(keys) == {key: number for number, key in enumerate(keys)}
    assert shop.paths() == ["GET /products", "GET /variations"]


async def test_variations_of_many_products_are_read_in_one_request(shop: Shop) -> None:
    keys = [f"{10 + number}/{1000 + number}" for number in range(100)]
    shop.simulator.stock(*keys, quantity=4)

    assert await shop.started().read(keys) == dict.fromkeys(keys, 4)
    assert shop.paths() == ["GET /variations"]


async def test_products_and_variations_are_read_together(shop: Shop) -> None:
    shop.simulator.stock("1", "120/125", quantity=4)
    shop.simulator.add("120/126", 126, 120).manages_stock = "parent"

    assert await shop.started().read(["1", "125", "120/125", "126", "777"]) == {"1": 4, "125": 4, "120/125": 4}


async def test_a_variation_that_was_read_is_pushed_to_its_product_at_once(shop: Shop) -> None:
    shop.simulator.stock("120/125")
    channel = shop.started()
    await channel.read(["125"])

    assert await channel.push(value("125", 6)) == {"125": Applied()}


async def test_a_shop_without_the_collection_of_variations_is_read_product_by_product(shop: Shop) -> None:
    shop.simulator.has_all_variations = False
    shop.simulator.stock("1", "120/125", "120/126", "130/135", quantity=4)

    shown = await shop.started().read(["1", "125", "120/126", "130/135", "777"])

    assert shown == dict.fromkeys(["1", "125", "120/126", "130/135"], 4)


@pytest.mark.parametrize("key", ["125", "120/125"])
async def test_a_variation_that_the_collection_leaves_out_is_read_from_its_product(key: str, shop: Shop) -> None:
    shop.simulator.hidden = {125}
    shop.simulator.stock("120/125", "120/126", "1", quantity=4)

    assert await shop.started().read([key, "126", "1", "777"]) == {key: 4, "126": 4, "1": 4}


@pytest.mark.parametrize("has_all_variations", [True, False])
async def test_a_variation_of_another_product_is_not_read_as_this_one(has_all_variations: bool, shop: Shop) -> None:
    shop.simulator.has_all_variations = has_all_variations
    shop.simulator.stock("120/125", "130/135", quantity=4)

    assert await shop.started().read(["130/125", "130/135"]) == {"130/135": 4}


# -- what the shop refuses


@pytest.mark.parametrize("key", ["1", "120/125"])
async def test_a_product_that_is_sold_elsewhere_is_refused_in_the_shop_s_words(key: str, shop: Shop) -> None:
    shop.simulator.stock(key, "2")
    shop.simulator.external = {int(key.rpartition("/")[2])}

    outcomes = await shop.started().push(value(key, 7), value("2", 4))

    assert outcomes == {key: Rejected("product_external_invalid_manage_stock", EXTERNAL), "2": Applied()}


@pytest.mark.parametrize("key", ["700/701", "120/1", "130/125"])
async def test_a_variation_that_is_not_there_is_neither_written_nor_read(key: str, shop: Shop) -> None:
    shop.simulator.stock("120/125", "1", quantity=4)
    channel = shop.started()

    outcomes = await channel.push(value(key, 7))

    assert refused(outcomes, key).code == "woocommerce_rest_product_variation_invalid_id"
    assert await channel.read([key]) == {}
    assert shop.simulator.applied == []


# -- SKUs in another case


@pytest.mark.parametrize(
    ("listed", "sku"), [("s-0001", "S-0001"), ("TS-1001-M", "ts-1001-m"), ("çanta, küçük", "ÇANTA, Küçük")]
)
async def test_a_sku_in_another_case_is_found(listed: str, sku: str, shop: Shop) -> None:
    shop.simulator.add(sku, 1, sku=sku)
    channel = shop.started(key_is="sku")

    assert await channel.push(value(listed, 6)) == {listed: Applied()}
    assert await channel.read([listed]) == {listed: 6}


async def test_a_sku_that_stands_there_exactly_is_taken_before_one_in_another_case(shop: Shop) -> None:
    for number, sku in enumerate(["ab", "AB", "Ab"], 1):
        shop.simulator.add(sku, number, sku=sku)

    outcomes = await shop.started(key_is="sku").push(value("AB", 6), value("Ab", 7))

    assert outcomes == {"AB": Applied(), "Ab": Applied()}
    assert shop.simulator.shown == {"ab": 0, "AB": 6, "Ab": 7}


async def test_a_sku_that_is_there_in_several_cases_but_not_its_own_is_refused(shop: Shop) -> None:
    shop.simulator.add("ab", 1, sku="ab")
    shop.simulator.add("Ab", 2, sku="Ab")

    outcomes = await shop.started(key_is="sku").push(value("AB", 6))

    assert refused(outcomes, "AB").code == "sku_not_unique"
    assert shop.simulator.applied == []


@pytest.mark.parametrize("first", ["ab", "AB"])
async def test_two_listings_that_differ_in_case_never_write_to_one_product(first: str, shop: Shop) -> None:
    shop.simulator.add("AB", 1, sku="AB")
    channel = shop.started(key_is="sku")

    await channel.push(value(first, 1))
    outcomes = await channel.push(value("AB", 6), value("ab", 7))

    assert isinstance(outcomes, dict)
    assert (outcomes["AB"], refused(outcomes, "ab").code) == (Applied(), "sku_not_unique")
    assert shop.simulator.shown == {"AB": 6}


async def test_two_listings_of_which_the_shop_has_neither_as_written_are_not_mixed_up(shop: Shop) -> None:
    shop.simulator.add("AB", 1, sku="AB")
    channel = shop.started(key_is="sku")

    await channel.push(value("ab", 1))
    outcomes = await channel.push(value("aB", 6))

    assert refused(outcomes, "aB").reason == "the shop has the SKU 'aB' only as 'AB', which is listed as 'ab'"
    assert shop.simulator.shown == {"AB": 1}
