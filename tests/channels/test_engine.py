"""The engine as a whole: a real store, a publisher, channels on real sockets, sales through the ledger."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import count

from structlog.testing import capture_logs

from adapters.contract.http import Exchange
from adapters.contract.limits import PerItem, Window
from adapters.contract.stock import Item, Outcomes, Ticket
from server.domain.channels import DeadLetter, Listing
from server.domain.operations.stock import Bucket
from server.store.connection.commands import command
from server.store.keys import ChannelKeys
from server.store.ledger.ledger import Ledger
from tests.channels.engine import Engine, plan, publishing
from tests.channels.plain import Plain, PlainChannel
from tests.conftest import wait_until
from tests.support.operations import adjust, order, receive
from tests.support.stores import StoreProcess

_ids = count(1)


async def sell(ledger: Ledger, sku: str, quantity: int = 1) -> None:
    answer = await ledger.run(order(f"order-{next(_ids)}", (sku, quantity)))
    assert not hasattr(answer, "outcome"), answer


async def stock(ledger: Ledger, units: int, *skus: str) -> None:
    await asyncio.gather(*(ledger.run(receive(sku, units)) for sku in skus))


def shows(channel: PlainChannel, **values: int) -> Callable[[], bool]:
    return lambda: all(channel.shown.get(sku) == quantity for sku, quantity in values.items())


def is_given_up(engine: Engine, channel: str) -> bool:
    """Whether a channel's circuit is open; its pauses are cut short meanwhile."""
    engine.channel(channel).revive()
    return engine.channel(channel).client.circuit_breaker.circuit == "open"


async def dead_letters(engine: Engine, channel: str) -> list[DeadLetter]:
    return [letter async for letter in engine.store.dead_letters(channel)]


# -- every change reaches every channel


async def test_one_of_three_units_sold_makes_all_five_channels_show_two(
    store: StoreProcess, ledger: Ledger, partition: str
) -> None:
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(PlainChannel()) for _ in range(5)]
        plans = [plan(f"shop-{number}", channel) for number, channel in enumerate(channels)]
        await stock(ledger, 3, "A")
        engine = await stack.enter_async_context(publishing(store, partition, plans))
        await wait_until(lambda: all(channel.shown.get("A") == 3 for channel in channels), "all show three")

        await sell(ledger, "A")

        await wait_until(lambda: all(channel.shown.get("A") == 2 for channel in channels), "all show two")
        await wait_until(engine.is_idle, "all have confirmed")


async def test_a_value_that_the_channel_has_confirmed_is_not_sent_again(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 100, "A")
    async with publishing(store, partition, [plan("shop", shop, rules={"cap": 5})]) as engine:
        await wait_until(shows(shop, A=5))

        for _ in range(20):
            await sell(ledger, "A")
        await stock(ledger, 1, "B")  # what comes after all that has been seen
        await wait_until(shows(shop, B=1))

        await wait_until(engine.is_idle)
        assert [key for key, _ in shop.applied] == ["A", "B"]


async def test_hundreds_of_changes_while_a_channel_is_away_become_one_update_for_each_sku(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    skus = [f"SKU-{number}" for number in range(10)]
    await stock(ledger, 1000, *skus)
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(shows(shop, **dict.fromkeys(skus, 1000)))
        await shop.stop()
        before = shop.pushed_items

        for _ in range(50):
            await asyncio.gather(*(sell(ledger, sku) for sku in skus))
        await shop.start()
        await engine.store.send_command("shop", "channel_retry", (), "test")  # need not wait for the next probe

        await wait_until(shows(shop, **dict.fromkeys(skus, 950)))
        await wait_until(engine.is_idle)
        assert shop.pushed_items - before <= 5 * len(skus)
        for sku in skus:
            reported = [quantity for key, quantity in shop.applied if key == sku]
            assert reported == sorted(reported, reverse=True)


async def test_a_restart_with_nothing_new_sends_nothing(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 3, "A", "B")
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(shows(shop, A=3, B=3))
        await wait_until(engine.is_idle)
    sent = shop.pushed_items

    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await stock(ledger, 1, "C")
        await wait_until(shows(shop, C=1))

    assert shop.pushed_items == sent + 1


async def test_what_happened_while_no_publisher_ran_is_published_by_the_next(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 3, "A", "B")
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(engine.is_idle)
        await wait_until(shows(shop, A=3))

    await sell(ledger, "A", 2)

    async with publishing(store, partition, [plan("shop", shop)]):
        await wait_until(shows(shop, A=1, B=3))


async def test_a_publisher_whose_place_in_the_journal_is_gone_publishes_everything(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 3, "A", "B")
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(shows(shop, A=3, B=3))
        await wait_until(engine.is_idle)
    await sell(ledger, "A")
    await sell(ledger, "A")
    shop.shown.clear()

    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        pass
    async with publishing(store, partition, []) as engine:
        await engine.client.xtrim(engine.keyspace.journal, maxlen=0, approximate=False)
        await sell(ledger, "B")
    async with publishing(store, partition, [plan("shop", shop)]):
        await wait_until(shows(shop, A=1, B=2))


# -- rules, listings, cadence


async def test_a_publisher_whose_place_lies_beyond_the_journal_s_end_publishes_everything(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    """A backup was restored: the channel shows what the store has lost."""
    await stock(ledger, 9, "A")
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(shows(shop, A=9))
        await wait_until(engine.is_idle)
        await engine.publisher.finish()
        await command(engine.client, "HSET", ledger.keyspace.channel_cursors, "shop", "9999999999999-0")
    shop.shown["A"] = 4
    with capture_logs() as logs:
        async with publishing(store, partition, [plan("shop", shop)]):
            await wait_until(shows(shop, A=9))
    assert [each["channel"] for each in logs if each["event"] == "channel_went_back"] == ["shop"]


async def test_rules_set_at_run_time_take_effect_at_once(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 10, "A")
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(shows(shop, A=10))

        await engine.store.set_rules("shop", {"buffer": 3, "percent": 50}, "test")
        await wait_until(shows(shop, A=3))

        await engine.store.set_rules("shop", {}, "test")
        await wait_until(shows(shop, A=10))


async def test_only_what_is_listed_is_published_and_under_the_channel_s_own_key(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 10, "A", "B")
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", Listing("A", "869001"))
        await wait_until(lambda: shop.shown == {"869001": 10})

        await engine.list_skus("shop", Listing("A", "869001", listed=False))
        await wait_until(lambda: shop.shown == {"869001": 0})


async def test_a_listing_of_an_unknown_sku_is_shown_as_none_until_stock_arrives(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", Listing("NEW", "NEW"))
        await wait_until(shows(shop, NEW=0))

        await stock(ledger, 4, "NEW")

        await wait_until(shows(shop, NEW=4))


async def test_a_listing_that_gets_another_key_is_emptied_under_the_old_one(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 4, "A")
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", Listing("A", "old"))
        await wait_until(shows(shop, old=4))

        await engine.list_skus("shop", Listing("A", "new"))

        await wait_until(shows(shop, old=0, new=4))
        assert shop.applied == [("old", 4), ("old", 0), ("new", 4)]


async def test_an_old_key_that_the_channel_knows_no_more_does_not_keep_the_new_one_from_being_published(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 4, "A")
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", Listing("A", "old"))
        await wait_until(shows(shop, old=4))
        shop.poisoned.add("old")

        await engine.list_skus("shop", Listing("A", "new"))

        await wait_until(shows(shop, new=4))
        assert not engine.channel("shop").state.dead_letter_skus()


async def test_two_skus_under_one_key_do_not_fight_over_it(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 4, "A", "B")
    async with publishing(store, partition, [plan("shop", shop, listings="listed")]) as engine:
        await engine.list_skus("shop", Listing("A", "k"))
        await engine.list_skus("shop", Listing("B", "k"))
        await wait_until(lambda: "B" in engine.channel("shop").state.dead_letter_skus())

        await engine.list_skus("shop", Listing("A", "k2"))
        await engine.store.send_command("shop", "channel_retry", (), "test")

        await wait_until(shows(shop, k=4, k2=4))
        assert not engine.channel("shop").state.dead_letter_skus()


async def test_locations_that_the_channel_does_not_sell_from_do_not_count(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await ledger.run(receive("A", 5, location="main"))
    await ledger.run(receive("A", 7, location="store"))
    async with publishing(store, partition, [plan("shop", shop, rules={"locations": ["store"]})]):
        await wait_until(shows(shop, A=7))


async def test_a_channel_with_a_cadence_is_sent_a_fall_to_zero_at_once(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 2, "A", "B")
    async with publishing(store, partition, [plan("shop", shop, rules={"cadence_s": 3600})]) as engine:
        await wait_until(shows(shop, A=2, B=2))

        await sell(ledger, "B")
        await sell(ledger, "A", 2)

        await wait_until(shows(shop, A=0))
        assert shop.shown["B"] == 2
        assert engine.channel("shop").state.is_pending("B")


async def test_falls_to_zero_go_first_when_there_is_little_to_spend(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    skus = [f"SKU-{number}" for number in range(30)]
    await stock(ledger, 5, *skus)
    limits = (Window(2, 0.2),)
    async with publishing(store, partition, [plan("shop", shop, items_max=15, limits=limits)]) as engine:
        await wait_until(shows(shop, **dict.fromkeys(skus, 5)))
        await wait_until(engine.is_idle)
        await shop.stop()
        await asyncio.gather(*(sell(ledger, sku) for sku in skus))
        await wait_until(lambda: engine.channel("shop").state.pending_count() == 30)
        await sell(ledger, skus[-1], 4)
        done = len(shop.applied)
        await shop.start()
        await engine.store.send_command("shop", "channel_retry", (), "test")

        await wait_until(engine.is_idle)

        assert shop.applied[done] == (skus[-1], 0)


async def test_a_price_goes_with_the_stock_and_only_when_it_is_new(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 5, "A")
    limits = (PerItem(1, 3600.0, priced=True),)
    async with publishing(store, partition, [plan("shop", shop, listings="listed", limits=limits)]) as engine:
        await engine.list_skus("shop", Listing("A", "A", price="9.90"))
        await wait_until(lambda: shop.prices == {"A": "9.90"})
        await wait_until(engine.is_idle)

        await engine.list_skus("shop", Listing("A", "A", price="8.90"))
        await wait_until(lambda: engine.channel("shop").state.is_pending("A"))
        await sell(ledger, "A")

        await wait_until(shows(shop, A=4))
        assert shop.prices == {"A": "9.90"}  # one price an hour: the stock does not wait for it
        assert engine.channel("shop").state.is_pending("A")


# -- channels that misbehave


async def test_one_bad_row_in_a_thousand_reaches_the_dead_letters_and_the_others_arrive(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    skus = [f"SKU-{number}" for number in range(1000)]
    await stock(ledger, 7, *skus)
    shop.poisoned.add("SKU-500")
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(lambda: len(shop.shown) == 999)
        await wait_until(engine.is_idle)
        await engine.publisher.finish()

        letters = await dead_letters(engine, "shop")

        assert [(letter.sku, letter.reason, letter.quantity) for letter in letters] == [
            ("SKU-500", "SKU-500 is poisoned", 7)
        ]


async def test_a_bad_row_that_is_not_named_is_found_by_halving(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    skus = [f"SKU-{number}" for number in range(200)]
    await stock(ledger, 7, *skus)
    shop.whole, shop.poisoned = True, {"SKU-17", "SKU-150"}
    async with publishing(store, partition, [plan("shop", shop, result="whole")]) as engine:
        await wait_until(engine.is_idle)
        await wait_until(lambda: len(shop.shown) == 198)
        await engine.publisher.finish()

        assert {letter.sku for letter in await dead_letters(engine, "shop")} == {"SKU-17", "SKU-150"}


async def test_a_dead_letter_that_is_tried_again_after_its_cause_was_corrected_is_one_no_more(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 7, "A")
    shop.poisoned.add("A")
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(lambda: "A" in engine.channel("shop").state.dead_letter_skus())
        shop.poisoned.clear()

        await engine.store.send_command("shop", "channel_retry", ["A"], "test")

        await wait_until(shows(shop, A=7))
        await wait_until(engine.is_idle)
        await engine.publisher.finish()
        assert await dead_letters(engine, "shop") == []


async def test_a_channel_that_fails_and_one_that_hangs_hold_up_no_other(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel, other: PlainChannel
) -> None:
    async with PlainChannel() as hanging:
        await stock(ledger, 9, "A")
        shop.always, hanging.always = "failing", "silent"
        plans = [plan("failing", shop), plan("hanging", hanging, timeout_s=30.0), plan("well", other)]
        async with publishing(store, partition, plans, finish=False) as engine:
            for left in range(8, 4, -1):
                await sell(ledger, "A")
                await wait_until(shows(other, A=left))
            await wait_until(lambda: is_given_up(engine, "failing"))
            shop.always = None
            await engine.store.send_command("failing", "channel_retry", (), "test")

            await wait_until(shows(shop, A=5))

            await wait_until(lambda: engine.channel("failing").client.circuit_breaker.circuit == "closed")
            assert "A" not in hanging.shown


async def test_the_newest_value_arrives_whatever_the_network_does(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 50, "A")
    shop.faults.extend(["reset_after", "reset", "failing", "not_json", "throttled", "moved", "unavailable"])
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        for _ in range(20):
            await sell(ledger, "A")
            await engine.store.send_command("shop", "channel_retry", (), "test")

        await wait_until(shows(shop, A=30))


async def test_what_a_channel_confirmed_and_did_not_apply_is_found_and_corrected(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 9, "A", "B")
    async with publishing(store, partition, [plan("shop", shop, read_items_max=100)]) as engine:
        await wait_until(shows(shop, A=9, B=9))
        await wait_until(engine.is_idle)
        shop.lying = True
        await sell(ledger, "A")
        await wait_until(lambda: shop.pushed_items == 3)
        await wait_until(engine.is_idle)
        shop.lying = False

        await engine.store.send_command("shop", "channel_reconcile", (), "test")

        await wait_until(shows(shop, A=8, B=9))
        report = engine.channel("shop").last_reconcile
        assert report is not None
        assert (report.checked, report.differed, report.read_back) == (2, 1, True)


async def test_a_channel_that_cannot_be_read_is_sent_everything_again(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await stock(ledger, 9, "A")
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(shows(shop, A=9))
        await wait_until(engine.is_idle)
        shop.shown["A"] = 99

        await engine.store.send_command("shop", "channel_reconcile", (), "test")

        await wait_until(shows(shop, A=9))


async def test_credentials_that_were_changed_are_read_anew(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    built: list[int] = []

    def build() -> Plain:
        built.append(1)
        return Plain(shop.url)

    await stock(ledger, 9, "A")
    shop.always = "unauthorized"
    async with publishing(store, partition, [plan("shop", shop, build=build)]) as engine:
        await wait_until(lambda: engine.channel("shop").client.circuit_breaker.circuit == "open")
        shop.always = None

        await engine.store.send_command("shop", "channel_retry", (), "test")

        await wait_until(shows(shop, A=9))
        assert len(built) == 2


async def test_a_channel_taken_out_of_the_configuration_holds_nothing_back_and_is_sent_all_when_it_returns(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel, other: PlainChannel
) -> None:
    both, one = [plan("gone", shop), plan("kept", other)], [plan("kept", other)]
    await stock(ledger, 9, "A")
    async with publishing(store, partition, both) as engine:
        await wait_until(engine.is_idle)
        await wait_until(shows(shop, A=9))
    async with publishing(store, partition, one) as engine:
        assert set(await engine.store.cursors()) == {"kept"}
        assert not await engine.client.exists(ChannelKeys(engine.keyspace, "gone").shown)
    shop.shown["A"] = 99

    async with publishing(store, partition, both):
        await wait_until(shows(shop, A=9))


async def test_an_answer_that_the_adapter_did_not_expect_is_a_fault_of_that_channel_only(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel, other: PlainChannel
) -> None:
    class Careless(Plain):
        broken = True

        def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes | Ticket]:
            if self.broken:
                raise KeyError("results")
            return (yield from super().push(items, now_s))

    await stock(ledger, 9, "A")
    careless = Careless(shop.url)
    plans = [plan("careless", shop, build=lambda: careless), plan("well", other)]
    async with publishing(store, partition, plans) as engine:
        await wait_until(shows(other, A=9))
        careless.broken = False
        await engine.store.send_command("careless", "channel_retry", (), "test")

        await wait_until(shows(shop, A=9))


# -- tickets


async def test_a_ticket_is_not_a_confirmation(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.tickets, shop.slow_polls = True, 3
    await stock(ledger, 9, "A")
    async with publishing(store, partition, [plan("shop", shop, poll_every_s=0.02)]) as engine:
        await wait_until(lambda: bool(shop.open_tickets))
        assert engine.channel("shop").state.is_pending("A")
        await sell(ledger, "A")  # waits for the ticket: two pushes with one key could pass each other

        await wait_until(shows(shop, A=8))
        await wait_until(engine.is_idle)
        assert [quantity for _, quantity in shop.applied] == [9, 8]
        assert shop.complaints == []


async def test_a_ticket_survives_a_restart_of_the_publisher(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.tickets, shop.slow_polls = True, 10_000
    await stock(ledger, 9, "A")
    async with publishing(store, partition, [plan("shop", shop, poll_every_s=0.02)]) as engine:
        await wait_until(lambda: bool(shop.open_tickets))
        await wait_until(lambda: has_ticket(engine))
    shop.slow_polls = 0
    async with publishing(store, partition, [plan("shop", shop, poll_every_s=0.02)]) as engine:
        await wait_until(shows(shop, A=9))
        await wait_until(engine.is_idle)
        assert shop.complaints == []
        await engine.publisher.finish()
        assert not await has_ticket(engine)


async def has_ticket(engine: Engine) -> bool:
    return bool(await engine.client.exists(ChannelKeys(engine.keyspace, "shop").tickets))


async def test_a_ticket_that_one_row_spoils_is_halved_until_the_row_stands_alone(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    skus = [f"SKU-{number}" for number in range(20)]
    await stock(ledger, 7, *skus)
    shop.tickets, shop.spoils_late, shop.poisoned = True, True, {"SKU-7"}
    async with publishing(store, partition, [plan("shop", shop, poll_every_s=0.02)]) as engine:
        await wait_until(lambda: len(shop.shown) == 19)

        await wait_until(lambda: set(engine.channel("shop").state.dead_letter_skus()) == {"SKU-7"})
        assert shop.complaints == []


async def test_what_a_lost_ticket_carried_is_sent_again(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.tickets, shop.slow_polls = True, 10_000
    await stock(ledger, 9, "A")
    async with publishing(store, partition, [plan("shop", shop, poll_every_s=0.02)]):
        await wait_until(lambda: bool(shop.open_tickets))
        shop.open_tickets.clear()
        shop.slow_polls = 0

        await wait_until(shows(shop, A=9))


async def test_no_body_goes_twice_to_a_channel_that_refuses_what_it_has_seen(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    shop.remembers_bodies = True
    await stock(ledger, 5, "A", *"BCDEFG")
    async with publishing(store, partition, [plan("shop", shop, identical_body_window_s=900.0)]) as engine:
        await wait_until(engine.is_idle)
        await wait_until(shows(shop, A=5, G=5))
        for delta in (-1, 1) * 5:
            await ledger.run(adjust("A", Bucket.ON_HAND, delta))
            await wait_until(shows(shop, A=5 if delta > 0 else 4))
        await wait_until(engine.is_idle)

    assert shop.complaints == []
