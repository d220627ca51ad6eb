"""A channel that is paused is sent nothing, and a test of its connection says whether it answers."""

from collections.abc import Callable
from functools import partial

from server.domain.channels import LastTest
from server.store.ledger.ledger import Ledger
from tests.channels.engine import Engine, plan, publishing
from tests.channels.plain import PlainChannel
from tests.conftest import wait_until
from tests.support.operations import receive
from tests.support.stores import StoreProcess


async def rule(engine: Engine, *, paused: bool) -> None:
    await engine.store.set_rules("shop", {"paused": paused}, "test")
    await wait_until(lambda: engine.channel("shop").state.is_paused is paused)


async def says_paused(engine: Engine) -> bool:
    status = await engine.status("shop")
    return status is not None and status.paused


def waits(engine: Engine) -> Callable[[], bool]:
    return lambda: engine.channel("shop").state.pending_count() == 1


async def outcome_of(engine: Engine) -> LastTest:
    before = engine.channel("shop").last_test
    await engine.store.send_command("shop", "channel_test", (), "test")
    await wait_until(lambda: engine.channel("shop").last_test is not before, "it is tested")
    found = engine.channel("shop").last_test
    assert found is not None
    return found


async def test_what_changes_while_a_channel_is_paused_is_sent_when_it_is_resumed(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await ledger.run(receive("A", 3))
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(lambda: shop.shown.get("A") == 3)
        await wait_until(engine.is_idle)
        await rule(engine, paused=True)
        sent = shop.pushed_items
        await ledger.run(receive("A", 4))
        await wait_until(waits(engine), "it waits")
        await wait_until(partial(says_paused, engine), "its status says so")
        assert shop.pushed_items == sent

        await rule(engine, paused=False)

        await wait_until(lambda: shop.shown.get("A") == 7, "it is sent")


async def test_a_channel_that_was_paused_is_still_after_a_restart(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await ledger.run(receive("A", 3))
    async with publishing(store, partition, [plan("shop", shop, rules={"paused": True})]) as engine:
        await wait_until(waits(engine), "it waits")
        assert shop.pushed_items == 0


async def test_a_test_says_that_the_channel_answers_and_in_its_words_why_it_does_not(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await ledger.run(receive("A", 3))
    async with publishing(store, partition, [plan("shop", shop, read_items_max=10)]) as engine:
        await wait_until(lambda: shop.shown.get("A") == 3)

        well = await outcome_of(engine)
        shop.always = "unauthorized"
        ill = await outcome_of(engine)

        assert (well.answered, well.reason) == (True, "")
        assert (ill.answered, bool(ill.reason)) == (False, True)


async def test_a_channel_that_cannot_be_read_is_sent_one_value_again(
    store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel
) -> None:
    await ledger.run(receive("A", 3))
    await ledger.run(receive("B", 3))
    async with publishing(store, partition, [plan("shop", shop)]) as engine:
        await wait_until(lambda: shop.pushed_items == 2)
        await wait_until(engine.is_idle)

        found = await outcome_of(engine)

        assert found.answered is None
        await wait_until(lambda: shop.pushed_items == 3, "one value is sent")
