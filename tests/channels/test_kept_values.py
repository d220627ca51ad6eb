"""A channel that says yes and changes nothing, or whose answer leaves an item out: neither stays unseen."""

import msgspec
import pytest

from adapters.trendyol import stock as trendyol
from adapters.trendyol.account import Options
from server.channels.outbound import tickets
from server.channels.outbound.retry_policy import REFUSALS_MAX
from server.domain.channels import DeadLetter, Listing
from server.store.ledger.ledger import Ledger
from tests.channels.engine import Engine, plan, publishing
from tests.channels.plain import PlainChannel
from tests.channels.test_engine import dead_letters, sell, shows, stock
from tests.channels.trendyol_simulator import TrendyolSimulator
from tests.conftest import wait_until
from tests.support.stores import StoreProcess


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing between tries of one item."""
    for module in ("push_results", "dead_letters"):
        for name in ("backoff_s", "dead_letter_wait_s"):
            monkeypatch.setattr(f"server.channels.outbound.{module}.{name}", lambda *_: 0.0, raising=False)


async def compare(engine: Engine) -> None:
    """Compare everything once, and wait until what differed was sent."""
    channel = engine.channel("shop")
    before = channel.last_reconcile
    await engine.store.send_command("shop", "channel_reconcile", (), "test")
    await wait_until(lambda: channel.last_reconcile is not before, "compared")
    await wait_until(engine.is_idle)


async def sell_and_send(ledger: Ledger, engine: Engine, shop: PlainChannel) -> None:
    sent = shop.pushed_items
    await sell(ledger, "A")
    await wait_until(lambda: shop.pushed_items > sent)
    await wait_until(engine.is_idle)


async def letters(engine: Engine) -> list[DeadLetter]:
    assert engine.publisher._write_behind is not None  # what is to be stored, is
    await engine.publisher._write_behind.flush()
    return await dead_letters(engine, "shop")


# -- says yes and keeps the old value


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("tickets", [False, True])
async def test_a_shop_that_says_yes_and_keeps_its_number_is_a_dead_letter_after_three_comparisons(
    tickets: bool, store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.keeps, shop.tickets = {"A"}, tickets
    shop.stock("A", quantity=5)
    await stock(ledger, 9, "A", "B")
    async with publishing(store, partition, [plan("shop", shop, read_items_max=10, poll_every_s=0.02)]) as engine:
        await wait_until(shows(shop, B=9))
        await wait_until(engine.is_idle)
        for _ in range(2):
            await compare(engine)
            assert await letters(engine) == []

        await compare(engine)

        [letter] = await letters(engine)
        assert (letter.sku, letter.field, letter.code, letter.quantity) == ("A", "quantity", "kept", 9)
        assert letter.reason == "the channel says yes and keeps showing 5; we sent 9 three times"
        status = engine.channel("shop").state.status("test", 0)
        assert (status.dead_letters, status.refused_prices) == (1, 0)


@pytest.mark.usefixtures("hasty")
async def test_a_shop_that_keeps_its_number_whatever_it_is_sent_is_found_too(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.keeps = {"A"}
    shop.stock("A", quantity=5)
    await stock(ledger, 9, "A")
    async with publishing(store, partition, [plan("shop", shop, read_items_max=10)]) as engine:
        await wait_until(lambda: shop.pushed_items == 1)
        await wait_until(engine.is_idle)

        for _ in range(2):
            await compare(engine)
            await sell_and_send(ledger, engine, shop)
        await compare(engine)

        [letter] = await letters(engine)
        assert letter.reason == (
            "the channel says yes and keeps showing 5; we sent other numbers three times, the last was 7"
        )


@pytest.mark.usefixtures("hasty")
async def test_the_dead_letter_outlives_a_restart_and_further_yeses_and_goes_when_a_comparison_agrees(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.keeps = {"A"}
    shop.stock("A", quantity=5)
    made = [plan("shop", shop, read_items_max=10)]
    await stock(ledger, 9, "A")
    for _ in range(3):  # each comparison by another publisher
        async with publishing(store, partition, made) as engine:
            await wait_until(engine.is_idle)
            await compare(engine)
    async with publishing(store, partition, made) as engine:
        [letter] = await letters(engine)
        assert letter.code == "kept"
        await sell_and_send(ledger, engine, shop)
        assert [each.code for each in await letters(engine)] == ["kept"]
        shop.keeps.clear()
        await sell_and_send(ledger, engine, shop)
        assert shop.shown["A"] == 7

        await compare(engine)

        assert await letters(engine) == []


@pytest.mark.usefixtures("hasty")
async def test_a_number_that_was_changed_at_the_shop_and_could_be_corrected_does_not_count(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 9, "A")
    async with publishing(store, partition, [plan("shop", shop, read_items_max=10)]) as engine:
        await wait_until(shows(shop, A=9))
        await wait_until(engine.is_idle)
        for _ in range(4):
            shop.shown["A"] = 5
            await compare(engine)
            await compare(engine)

        assert await letters(engine) == []


@pytest.mark.usefixtures("hasty")
async def test_a_retry_counts_anew(store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel) -> None:
    shop.keeps = {"A"}
    shop.stock("A", quantity=5)
    await stock(ledger, 9, "A")
    async with publishing(store, partition, [plan("shop", shop, read_items_max=10)]) as engine:
        await wait_until(lambda: shop.pushed_items == 1)
        await wait_until(engine.is_idle)
        for _ in range(3):
            await compare(engine)

        await engine.store.send_command("shop", "channel_retry", ["A"], "test")
        await wait_until(lambda: not engine.channel("shop").state.dead_letter_skus())
        await wait_until(engine.is_idle)
        await compare(engine)

        assert await letters(engine) == []


# -- an answer that leaves an item out


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("tickets", [False, True])
async def test_an_item_that_a_finished_answer_does_not_name_is_sent_again_at_once(
    tickets: bool, store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.unnamed, shop.tickets = {"A"}, tickets
    await stock(ledger, 9, "A", "B")
    async with publishing(store, partition, [plan("shop", shop, poll_every_s=0.02)]) as engine:
        await wait_until(shows(shop, B=9))
        await wait_until(lambda: shop.pushed_items > 2)
        shop.unnamed.clear()

        await wait_until(shows(shop, A=9, B=9))
        await wait_until(engine.is_idle)
        assert await letters(engine) == []


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("price", ["", "9.90"])
async def test_an_item_that_no_answer_names_is_a_dead_letter_in_the_end(
    price: str, store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.unnamed = {"A"}
    await stock(ledger, 9, "A")
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", Listing("A", "A", price=price))
        await wait_until(lambda: bool(engine.channel("shop").state.dead_letter_skus()))
        await wait_until(engine.is_idle)

        [letter] = await letters(engine)

        assert (letter.code, letter.field) == ("not_named", "quantity")
        assert letter.reason == f"the channel's answer does not name it (sent {REFUSALS_MAX} times)"


@pytest.mark.parametrize("has_status", [True, False], ids=["completed", "without a status"])
async def test_a_barcode_that_an_ended_ticket_leaves_out_is_in_flight_no_longer(
    has_status: bool, store: StoreProcess, ledger: Ledger, partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trendyol, "POLL_EVERY_S", 0.02)
    monkeypatch.setattr(tickets, "LEFT_OUT_MAX", 3)
    async with TrendyolSimulator(has_status=has_status, left_out={"A"}) as market:
        market.stock("A", "B")
        options = msgspec.convert({"seller_id": 4711, "base_url": market.url}, Options)
        made = plan("shop", market, build=lambda: trendyol.Trendyol(options, market.credentials))
        await stock(ledger, 9, "A", "B")
        async with publishing(store, partition, [made]) as engine:
            await wait_until(lambda: market.shown == {"A": 9, "B": 9})

            await wait_until(lambda: len(market.tickets) > 1, "A is sent again")
            market.left_out.clear()

            await wait_until(engine.is_idle)
