"""Keys that change hands: what a key shows in the end is the number of the SKU that is listed under it by then."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from server.domain.channels import Listing, Shown
from server.store.connection import connect
from server.store.connection.commands import command
from server.store.keys import ChannelKeys, Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories.channels import ChannelStore
from tests.channels.engine import Engine, plan, publishing
from tests.channels.plain import PlainChannel
from tests.channels.test_engine import dead_letters, sell, shows, stock
from tests.conftest import wait_until
from tests.support.stores import StoreProcess

Opened = Callable[..., Any]


@pytest.fixture
def opened(store: StoreProcess, ledger: Ledger, partition: str, shop: PlainChannel) -> Opened:
    """Return a function that stocks SKUs and publishes to the shop meanwhile."""

    @asynccontextmanager
    async def open_engine(units: dict[str, int], **given: Any) -> AsyncIterator[Engine]:
        for sku, on_hand in units.items():
            if on_hand:
                await stock(ledger, on_hand, sku)
        finish = given.pop("finish", True)
        async with publishing(
            store, partition, [plan("shop", shop, **{"listings": "listed", **given})], finish=finish
        ) as engine:
            yield engine

    return open_engine


async def settled(engine: Engine, shop: PlainChannel, **values: int) -> None:
    await wait_until(shows(shop, **values), f"the shop shows {values}")
    await wait_until(engine.is_idle, "nothing is pending")


async def has_letters(engine: Engine, *letters: tuple[str, str, str]) -> None:
    """Wait until these dead letters are written down, and no others: SKU, key and code."""

    async def is_so() -> bool:
        return {(each.sku, each.key, each.code) for each in await dead_letters(engine, "shop")} == set(letters)

    assert set(engine.channel("shop").state.dead_letter_skus()) == {sku for sku, *_ in letters}
    await wait_until(is_so, f"{letters} are written down")


# -- swaps, chains and keys that become free


async def test_two_keys_swapped_in_one_request_show_each_other_s_number_and_no_dead_letter(
    opened: Opened, ledger: Ledger, shop: PlainChannel
) -> None:
    async with opened({"RED": 9, "BLUE": 0}) as engine:
        await engine.list_skus("shop", Listing("RED", "K1"), Listing("BLUE", "K2"))
        await settled(engine, shop, K1=9, K2=0)

        await engine.list_skus("shop", Listing("RED", "K2"), Listing("BLUE", "K1"))

        await settled(engine, shop, K1=0, K2=9)
        await has_letters(engine)
        await sell(ledger, "RED", 2)
        await settled(engine, shop, K1=0, K2=7)


async def test_a_swap_of_equal_numbers_that_one_of_them_sold_before_is_right(
    opened: Opened, ledger: Ledger, shop: PlainChannel
) -> None:
    async with opened({"RED": 5, "BLUE": 5}) as engine:
        await engine.list_skus("shop", Listing("RED", "K1"), Listing("BLUE", "K2"))
        await settled(engine, shop, K1=5, K2=5)
        await sell(ledger, "BLUE", 2)
        await settled(engine, shop, K2=3)

        await engine.list_skus("shop", Listing("RED", "K2"), Listing("BLUE", "K1"))
        await settled(engine, shop, K1=3, K2=5)
        await engine.list_skus("shop", Listing("RED", "K1"), Listing("BLUE", "K2"))

        await settled(engine, shop, K1=5, K2=3)


async def test_a_chain_of_keys_moves_along_and_the_one_that_is_left_over_is_emptied(
    opened: Opened, shop: PlainChannel
) -> None:
    units = {"A": 1, "B": 2, "C": 3}
    async with opened(units) as engine:
        await engine.list_skus("shop", Listing("A", "K1"), Listing("B", "K2"), Listing("C", "K3"))
        await settled(engine, shop, K1=1, K2=2, K3=3)

        await engine.list_skus("shop", Listing("A", "K2"), Listing("B", "K3"), Listing("C", "K4"))

        await settled(engine, shop, K1=0, K2=1, K3=2, K4=3)
        await has_letters(engine)


async def test_an_unlisted_owner_frees_its_key(opened: Opened, shop: PlainChannel) -> None:
    async with opened({"A": 4, "B": 7}) as engine:
        await engine.list_skus("shop", Listing("A", "K"))
        await settled(engine, shop, K=4)

        await engine.list_skus("shop", Listing("A", "K", listed=False))
        await settled(engine, shop, K=0)
        await engine.list_skus("shop", Listing("B", "K"))

        await settled(engine, shop, K=7)
        await has_letters(engine)


async def test_a_key_that_is_freed_and_taken_by_another_request_is_the_taker_s(
    opened: Opened, shop: PlainChannel
) -> None:
    async with opened({"A": 4, "B": 7}) as engine:
        await engine.list_skus("shop", Listing("A", "K1"))
        await settled(engine, shop, K1=4)

        await engine.list_skus("shop", Listing("A", "K2"))
        await engine.list_skus("shop", Listing("B", "K1"))

        await settled(engine, shop, K1=7, K2=4)


async def test_a_key_that_was_taken_is_had_as_soon_as_its_owner_leaves_it(opened: Opened, shop: PlainChannel) -> None:
    async with opened({"A": 4, "B": 7}) as engine:
        await engine.list_skus("shop", Listing("A", "K"))
        await engine.list_skus("shop", Listing("B", "K"))
        await wait_until(lambda: "B" in engine.channel("shop").state.dead_letter_skus(), "B's key is taken")

        await engine.list_skus("shop", Listing("A", "K2"))

        await settled(engine, shop, K=7, K2=4)
        await has_letters(engine)


# -- keys that SKUs have by themselves


async def test_an_explicit_key_wins_over_the_sku_that_has_it_as_its_name_and_gives_it_back(
    opened: Opened, shop: PlainChannel
) -> None:
    async with opened({"A": 4, "B": 7}, listings="all") as engine:
        await settled(engine, shop, A=4, B=7)

        await engine.list_skus("shop", Listing("A", "B"))

        await settled(engine, shop, A=0, B=4)
        await has_letters(engine, ("B", "B", "key_taken"))

        await engine.list_skus("shop", Listing("B", "A"))
        await settled(engine, shop, A=7, B=4)
        await has_letters(engine)

        await engine.list_skus("shop", Listing("A", "A"), Listing("B", "B"))
        await settled(engine, shop, A=4, B=7)


async def test_a_sku_that_comes_later_does_not_take_its_name_from_the_one_that_is_listed_under_it(
    opened: Opened, ledger: Ledger, shop: PlainChannel
) -> None:
    async with opened({"A": 4}, listings="all") as engine:
        await engine.list_skus("shop", Listing("A", "NEW"))
        await settled(engine, shop, A=0, NEW=4)

        await stock(ledger, 8, "NEW")
        await wait_until(lambda: "NEW" in engine.channel("shop").state.dead_letter_skus(), "NEW's key is taken")
        await sell(ledger, "A")

        await settled(engine, shop, NEW=3)
        await engine.list_skus("shop", Listing("A", "NEW", listed=False))
        await settled(engine, shop, NEW=8)
        await has_letters(engine)


# -- dead letters


async def test_a_success_under_another_key_clears_nobody_s_dead_letter(
    opened: Opened, ledger: Ledger, shop: PlainChannel
) -> None:
    async with opened({"A": 4, "B": 7}) as engine:
        shop.poisoned.add("K1")
        await engine.list_skus("shop", Listing("A", "K1"), Listing("B", "K2"))
        await settled(engine, shop, K2=7)
        await has_letters(engine, ("A", "K1", "refused"))

        await engine.list_skus("shop", Listing("A", "K2"), Listing("B", "K1"))
        await settled(engine, shop, K2=4)

        await has_letters(engine, ("B", "K1", "refused"))
        await sell(ledger, "A")
        await settled(engine, shop, K2=3)
        await has_letters(engine, ("B", "K1", "refused"))


async def test_a_corrected_key_is_sent_at_once_and_the_old_dead_letter_is_gone(
    opened: Opened, shop: PlainChannel
) -> None:
    async with opened({"A": 4}) as engine:
        shop.poisoned.add("WRONG")
        await engine.list_skus("shop", Listing("A", "WRONG"))
        await wait_until(lambda: "A" in engine.channel("shop").state.dead_letter_skus(), "A is refused")

        await engine.list_skus("shop", Listing("A", "RIGHT"))

        await settled(engine, shop, RIGHT=4)
        await has_letters(engine)
        assert "WRONG" not in shop.shown


# -- answers that come late


@pytest.mark.parametrize("refused", [False, True], ids=["success", "refusal"])
async def test_a_ticket_under_a_key_that_moved_meanwhile_counts_for_nobody(
    opened: Opened, ledger: Ledger, shop: PlainChannel, refused: bool
) -> None:
    shop.tickets, shop.slow_polls = True, 10**6
    async with opened({"A": 4, "B": 7}, poll_every_s=0.02) as engine:
        await engine.list_skus("shop", Listing("A", "K1"), Listing("B", "K2"))
        await wait_until(lambda: len(shop.open_tickets) == 1, "both are in a ticket")
        await engine.list_skus("shop", Listing("A", "K2"), Listing("B", "K1"))
        position = engine.channel("shop").position
        await sell(ledger, "A")
        await wait_until(lambda: engine.channel("shop").position > position, "the swap is known")
        if refused:
            shop.poisoned.update({"K1", "K2"})
        polls = shop.polls["t0"]
        shop.slow_polls = polls
        await wait_until(lambda: "t0" not in shop.open_tickets, "the ticket has ended")
        shop.slow_polls = 0
        shop.poisoned.clear()

        await settled(engine, shop, K1=7, K2=3)

        await has_letters(engine)
        assert shop.complaints == []


async def test_a_push_without_an_answer_under_the_old_key_is_not_what_the_new_owner_shows(
    opened: Opened, shop: PlainChannel
) -> None:
    async with opened({"A": 4, "B": 7}) as engine:
        await engine.list_skus("shop", Listing("A", "K1"), Listing("B", "K2"))
        await settled(engine, shop, K1=4, K2=7)
        shop.faults.append("reset_after")

        await engine.list_skus("shop", Listing("A", "K2"), Listing("B", "K1"))
        await engine.list_skus("shop", Listing("A", "K1"), Listing("B", "K3"))

        await wait_until(shows(shop, K1=4, K2=0, K3=7), "all is as listed last")
        await has_letters(engine)


# -- over a restart


async def test_keys_that_moved_while_nobody_published_are_right_after_a_restart(
    opened: Opened, shop: PlainChannel, store: StoreProcess, partition: str
) -> None:
    async with opened({"A": 4, "B": 7, "C": 2}) as engine:
        await engine.list_skus("shop", Listing("A", "K1"), Listing("B", "K2"), Listing("C", "K3"))
        await settled(engine, shop, K1=4, K2=7, K3=2)
    pool = connect.connection_pool(store.url)
    desk = ChannelStore(connect.client(pool), Keyspace(partition))
    await desk.put_listings("shop", [Listing("A", "K2"), Listing("B", "K1"), Listing("C", "K4")], "test")
    await pool.aclose()

    async with opened({}) as engine:
        await settled(engine, shop, K1=7, K2=4, K3=0, K4=2)


async def test_a_key_that_was_left_and_never_confirmed_is_emptied_by_the_next_publisher(
    opened: Opened, shop: PlainChannel
) -> None:
    """What was on its way under the old key may be shown there, though nothing stored says so."""
    async with opened({"A": 4}, finish=False) as engine:
        shop.always = "silent_after"
        await engine.list_skus("shop", Listing("A", "K1"))
        await wait_until(shows(shop, K1=4), "it is shown, and nobody knows")
        await engine.list_skus("shop", Listing("A", "K2"))
    shop.always = None

    async with opened({}) as engine:
        await wait_until(shows(shop, K1=0, K2=4), "the old key is emptied")


async def test_a_name_that_was_left_and_never_confirmed_is_emptied_by_the_next_publisher(
    opened: Opened, shop: PlainChannel
) -> None:
    shop.always = "silent_after"
    async with opened({"A": 4}, finish=False, listings="all") as engine:
        await wait_until(shows(shop, A=4), "it is shown, and nobody knows")
        await engine.list_skus("shop", Listing("A", "K"))
    shop.always = None

    async with opened({}, listings="all"):
        await wait_until(shows(shop, A=0, K=4), "the name is emptied")


async def test_what_an_earlier_release_stored_by_sku_is_taken_over(
    opened: Opened, shop: PlainChannel, store: StoreProcess, partition: str
) -> None:
    where = ChannelKeys(Keyspace(partition), "shop").shown
    async with opened({"A": 4, "B": 7}) as engine:
        await engine.list_skus("shop", Listing("A", "K1"), Listing("B", "K2"))
        await settled(engine, shop, K1=4, K2=7)
    pool = connect.connection_pool(store.url)
    client = connect.client(pool)
    for key in ("K1", "K2"):
        shown = msgspec.msgpack.decode(await command(client, "HGET", where, key), type=Shown)
        await command(client, "HDEL", where, key)
        await command(client, "HSET", where, shown.sku, msgspec.msgpack.encode(msgspec.to_builtins(shown)[:-1]))
    await pool.aclose()
    pushed = shop.pushed_items

    async with opened({}) as engine:
        await engine.list_skus("shop", Listing("B", "K3"))
        await settled(engine, shop, K1=4, K2=0, K3=7)

    assert shop.pushed_items == pushed + 2
    assert set(store.command("HKEYS", where)) == {b"K1", b"K2", b"K3"}
