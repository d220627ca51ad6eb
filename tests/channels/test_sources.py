"""An ERP that owns the stock: what it says is counted, what is sold is told there, and nothing is counted twice."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.domain.sources import PULL_NOW, WHOLE_LIST, Decided
from tests.channels.odoo_simulator import OdooSimulator
from tests.channels.source_world import EVERY_S, MAIN, NAME, SourceWorld, source_world
from tests.support.stores import StoreProcess

A, B = ("A", MAIN), ("B", MAIN)
WHOLE: dict[str, Any] = {"whole_every_s": EVERY_S}


@pytest.fixture
async def world(store: StoreProcess, partition: str, client: Any) -> AsyncIterator[SourceWorld]:  # noqa: ARG001
    async with source_world(store, partition) as world:
        yield world


def shelf(world: SourceWorld, *, units: int = 60, skus: int = 12) -> list[str]:
    """Have the ERP own some SKUs."""
    names = [f"S{number:02}" for number in range(skus)]
    for name in names:
        world.odoo.add(name, units)
    return names


# -- numbers come in


async def test_what_the_erp_has_is_available_here(world: SourceWorld) -> None:
    names = shelf(world, skus=7)  # three pages of three
    world.odoo.add("none", 0)

    async with world.running():
        for name in names:
            await world.becomes(name, 60)
        await world.becomes("none", 0)
        await world.until(lambda: _has(world, places=8), "that is shown")


async def test_what_changes_there_changes_here_and_only_that_is_read(world: SourceWorld) -> None:
    names = shelf(world)

    async with world.running():
        await world.becomes(names[-1], 60)
        await world.knows()
        world.odoo.calls.clear()
        world.odoo.add(names[3], 47)
        await world.becomes(names[3], 47)

    assert ("product.product", "search_count") not in world.odoo.calls
    assert await world.available(names[4]) == 60


async def test_a_product_whose_number_is_none_stands_as_it_is_and_is_shown(world: SourceWorld) -> None:
    names = shelf(world)

    async with world.running(**WHOLE):
        await world.becomes(names[-1], 60)
        world.odoo.unclear = names[0]
        for name in names[1:]:
            world.odoo.add(name, 59)
        await world.becomes(names[1], 59)
        await world.until(lambda: _shows(world, names[0]), "it is shown")

    assert await world.available(names[0]) == 60


async def _shows(world: SourceWorld, sku: str) -> bool:
    return (await world.status()).unreadable == [sku]


async def test_what_the_erp_has_promised_and_not_got_is_nothing_here(world: SourceWorld) -> None:
    world.odoo.add("A", -4)

    async with world.running():
        await world.becomes("A", 0)


# -- what is sold is told, and counted once


async def test_an_order_becomes_a_sale_there_and_is_counted_once(world: SourceWorld) -> None:
    world.odoo.add("A", 10)

    async with world.running(**WHOLE):
        await world.becomes("A", 10)
        await world.order("o1", "A", 3)
        assert await world.available("A") == 7
        await world.until(lambda: world.odoo.sold("o1") == {"A": 3}, "the ERP knows of it")
        await world.walks()
        assert await world.available("A") == 7
        assert world.odoo.free("A") == 7

        world.odoo.deliver("o1")  # the ERP's own people send it out, and nobody says so here
        await world.walks()
        assert await world.available("A") == 7

        await world.ship("o1", 3)
        await world.walks()
        assert await world.available("A") == 7

    record = await world.record("A")
    assert record is not None
    assert (record.on_hand, record.committed) == (7, 0)


async def test_what_is_shipped_here_before_the_erp_delivers_it_is_counted_once(world: SourceWorld) -> None:
    world.odoo.add("A", 10)

    async with world.running(**WHOLE):
        await world.becomes("A", 10)
        await world.order("o1", "A", 3)
        await world.ship("o1", 3)
        await world.until(lambda: world.odoo.sold("o1") == {"A": 3}, "the ERP knows of it")
        await world.walks()
        assert await world.available("A") == 7


async def test_a_cancelled_order_is_cancelled_there(world: SourceWorld) -> None:
    world.odoo.add("A", 10)

    async with world.running(**WHOLE):
        await world.becomes("A", 10)
        await world.order("o1", "A", 3)
        await world.until(lambda: world.odoo.sold("o1") == {"A": 3}, "the ERP knows of it")
        await world.cancel("o1", 1)
        await world.until(lambda: world.odoo.sold("o1") == {"A": 2}, "it knows of the piece")
        await world.walks()
        assert await world.available("A") == 8
        await world.cancel("o1", 2)
        await world.until(lambda: world.odoo.sold("o1") == {}, "it knows of the rest")
        await world.walks()
        assert await world.available("A") == 10


async def test_what_the_erp_sells_itself_is_gone_here(world: SourceWorld) -> None:
    world.odoo.add("A", 10)

    async with world.running():
        await world.becomes("A", 10)
        world.odoo.add("A", 4)
        await world.becomes("A", 4)


async def test_an_order_that_the_erp_refuses_is_taken_off_its_numbers_and_shown(world: SourceWorld) -> None:
    world.odoo.add("A", 10)

    async with world.running(**WHOLE):
        await world.becomes("A", 10)
        world.odoo.refuses_orders = "The customer is blocked"
        await world.order("o1", "A", 3)
        await world.until(lambda: _refuses(world, 1), "it is refused")
        assert [(key, order.reason) async for key, order in world.kept.refused()] == [
            ("o1", "main: The customer is blocked")
        ]
        await world.walks()
        assert (await world.available("A"), world.odoo.free("A")) == (7, 10)
        await world.ship("o1", 3)
        await world.walks()
        assert await world.available("A") == 7  # the ERP has it on its shelf still, and does not know

        world.odoo.refuses_orders = ""
        await world.kept.decide(_pull_now())
        await world.until(lambda: world.odoo.sold("o1") == {"A": 3}, "it takes it")
        await world.walks()
        assert (await world.available("A"), world.odoo.free("A")) == (7, 7)
        await world.until(lambda: _refuses(world, 0), "it is refused no more")
        assert [each async for each in world.kept.refused()] == []


async def _has(world: SourceWorld, **wanted: int) -> bool:
    status = await world.status()
    return {name: getattr(status, name) for name in wanted} == wanted


def _pull_now() -> Any:
    return {PULL_NOW: Decided("confirmed", 0, "desk")}


async def _refuses(world: SourceWorld, count: int) -> bool:
    return (await world.status()).refused == count


async def test_an_order_that_was_delivered_there_and_is_cancelled_here_waits_for_a_person(world: SourceWorld) -> None:
    world.odoo.add("A", 10)

    async with world.running(**WHOLE):
        await world.becomes("A", 10)
        await world.order("o1", "A", 3)
        await world.until(lambda: world.odoo.sold("o1") == {"A": 3}, "the ERP knows of it")
        world.odoo.deliver("o1")
        await world.cancel("o1", 3)
        await world.until(lambda: _refuses(world, 1), "it is refused")
        await world.walks()

        assert await world.available("A") == 7  # whether the units come back, the ERP will say


# -- the first start


@pytest.mark.parametrize(("open_orders", "left"), [("tell", 7), ("known", 10)])
async def test_orders_that_are_older_than_the_first_start_are_told_or_known(
    world: SourceWorld, open_orders: str, left: int
) -> None:
    world.odoo.add("A", 10)
    await world.receive("A", 4)
    await world.order("old", "A", 3)

    async with world.running(open_orders=open_orders, **WHOLE):
        await world.becomes("A", left)
        await world.order("new", "A", 1)
        await world.until(lambda: world.odoo.sold("new") == {"A": 1}, "the ERP knows of the new one")
        await world.walks()

        assert await world.available("A") == left - 1
        assert world.odoo.sold("old") == ({"A": 3} if open_orders == "tell" else {})


# -- late, cut off, empty, too large, another shop's


async def stands(world: SourceWorld, names: list[str], units: int = 60) -> None:
    """The numbers stand, walk after walk."""
    await world.walks(3)
    assert {name: await world.available(name) for name in names} == dict.fromkeys(names, units)


async def test_an_answer_that_comes_late_does_not_bring_back_what_was_sold_meanwhile(world: SourceWorld) -> None:
    world.odoo.add("A", 10)

    async with world.running(**WHOLE):
        await world.becomes("A", 10)
        world.odoo.answer_s = 0.3
        for number in range(5):
            await world.order(f"o{number}", "A", 1)
            await world.ship(f"o{number}", 1)
            assert await world.available("A") == 9 - number
            await world.until(lambda: bool(world.odoo.received), "a request is on its way")
            world.odoo.received.clear()
        world.odoo.answer_s = 0.0
        await world.walks()
        assert await world.available("A") == 5
        await world.until(lambda: world.odoo.free("A") == 5, "the ERP knows of all")
        await world.walks()
        assert await world.available("A") == 5


async def test_a_list_that_is_cut_off_changes_nothing_and_is_said(world: SourceWorld) -> None:
    names = shelf(world)

    async with world.running(**WHOLE):
        await world.becomes(names[-1], 60)
        world.odoo.cut = 2
        world.odoo.add(names[0], 3)
        await world.until(lambda: _says(world, "cut off"), "the reason is said")

    assert {await world.available(name) for name in names} == {60}


async def _says(world: SourceWorld, words: str) -> bool:
    return words in (await world.status()).reason


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ({"cut": 2, "counts_what_it_says": True}, "missing"),
        ({"empty": True, "counts_what_it_says": True}, "empty"),
        ({"renamed": "other-"}, "missing"),
    ],
)
async def test_a_list_that_lacks_much_waits_as_a_whole(world: SourceWorld, lie: dict[str, Any], why: str) -> None:
    names = shelf(world)

    async with world.running(**WHOLE):
        await world.becomes(names[-1], 60)
        await world.knows()

        def lies() -> None:
            for name, value in lie.items():
                setattr(world.odoo, name, value)
            for name in names[:2]:
                world.odoo.add(name, 20)

        # A walk that meets the lie on its way lacks one product alone, and that one waits besides the list.
        await world.between_walks(lies)
        await world.until(lambda: _waits(world, WHOLE_LIST, why), "the list waits")
        known_ms = int((await world.kept.state())["known_ms"])
        await stands(world, names)
        await world.until(lambda: _has(world, waiting=1), "that is shown")
        await world.until(lambda: _says(world, "wait for a person"), "with the reason")
        assert int((await world.kept.state())["known_ms"]) == known_ms  # what it says since then is not known to be so
        assert await world.record(f"other-{names[0]}") is None

        for name in lie:
            setattr(world.odoo, name, getattr(OdooSimulator(), name))
        await world.becomes(names[0], 20)
        await world.until(lambda: _is_clear(world), "nothing waits any more")


async def _waits(world: SourceWorld, place: tuple[str, str], why: str) -> bool:
    found = (await world.waiting()).get(place)
    return found is not None and found.why == why


async def _is_clear(world: SourceWorld) -> bool:
    return not await world.waiting() and (await world.status()).waiting == 0


async def test_numbers_that_are_a_hundred_times_too_large_wait(world: SourceWorld) -> None:
    names = shelf(world)

    async with world.running(**WHOLE):
        await world.becomes(names[-1], 60)
        world.odoo.scale = 100
        await world.until(lambda: _waits(world, (names[0], MAIN), "grew"), "they wait")
        await stands(world, names)
        await world.until(lambda: _has(world, waiting=len(names)), "that is shown")

        world.odoo.scale = 1
        await world.until(lambda: _is_clear(world), "nothing waits any more")
        await stands(world, names)


async def test_where_much_falls_to_nothing_at_once_that_waits_and_the_rest_is_taken(world: SourceWorld) -> None:
    names = shelf(world)

    async with world.running(**WHOLE):
        await world.becomes(names[-1], 60)

        def falls() -> None:
            for name in names[:4]:
                world.odoo.add(name, 0)
            world.odoo.add(names[5], 58)

        await world.between_walks(falls)  # one that is read alone would be believed
        await world.until(lambda: _waits(world, (names[0], MAIN), "zeroed"), "they wait")
        await world.becomes(names[5], 58)
        await stands(world, names[:4])


# -- people decide


async def test_what_a_person_confirms_is_counted_and_what_one_refuses_stands(world: SourceWorld) -> None:
    world.odoo.add("A", 1_000)
    world.odoo.add("B", 1_000)

    async with world.running():
        await world.becomes("B", 1_000)
        world.odoo.add("A", 20)
        await world.until(lambda: _waits(world, A, "fell"), "A waits")
        await world.decide("confirmed")
        await world.becomes("A", 20)

        world.odoo.add("B", 30)
        await world.until(lambda: _waits(world, B, "fell"), "B waits")
        await world.decide("refused")
        await world.until(lambda: _undecided(world, 0), "it is refused")
        await world.knows()
        assert await world.available("B") == 1_000

        world.odoo.add("B", 29)  # another number is another question
        await world.until(lambda: _undecided(world, 1), "it waits anew")
        world.odoo.add("B", 990)
        await world.becomes("B", 990)
        await world.until(lambda: _is_clear(world), "nothing waits any more")


async def _undecided(world: SourceWorld, count: int) -> bool:
    return (await world.status()).waiting == count


async def test_a_product_that_the_erp_lists_no_more_stands_until_a_person_says_that_it_is_gone(
    world: SourceWorld,
) -> None:
    names = shelf(world)

    async with world.running(**WHOLE):
        await world.becomes(names[-1], 60)
        await world.knows()
        world.odoo.archive(names[0])
        await world.until(lambda: _waits(world, (names[0], MAIN), "gone"), "it waits")
        await stands(world, names)
        await world.decide("confirmed")
        await world.becomes(names[0], 0)
        await world.until(lambda: _is_clear(world), "nothing waits any more")
        await world.until(lambda: _has(world, places=len(names) - 1), "it is forgotten")


# -- the ERP is away


async def test_while_the_erp_is_away_no_number_changes_and_its_age_grows(world: SourceWorld) -> None:
    world.odoo.add("A", 10)

    async with world.running(timeout_s=0.3, **WHOLE):
        await world.becomes("A", 10)
        await world.odoo.stop()
        await world.order("o1", "A", 3)
        await world.until(lambda: _untold(world, 1), "it is to be told")
        await world.until(lambda: _says(world, ""), "and that it is away is said")
        assert await world.available("A") == 7
        await world.odoo.start()
        await world.kept.decide(_pull_now())
        await world.until(lambda: world.odoo.sold("o1") == {"A": 3}, "it is told when it is back")
        await world.walks()
        assert (await world.available("A"), world.odoo.free("A")) == (7, 7)


async def _untold(world: SourceWorld, count: int) -> bool:
    status = await world.status()
    return status.untold == count and status.circuit != "closed"


@pytest.mark.parametrize("fault", ["reset_after", "silent_after", "failing", "not_json", "reset"])
async def test_a_lost_answer_sells_nothing_twice(world: SourceWorld, fault: Any) -> None:
    world.odoo.add("A", 10)

    async with world.running(timeout_s=0.3, **WHOLE):
        await world.becomes("A", 10)
        world.odoo.faults.extend([fault] * 3)
        await world.order("o1", "A", 3)
        await world.until(lambda: world.odoo.sold("o1") == {"A": 3}, "the ERP knows of it")
        await world.until(lambda: _untold_none(world), "and that is known")
        await world.walks()
        assert (await world.available("A"), world.odoo.free("A")) == (7, 7)


async def _untold_none(world: SourceWorld) -> bool:
    return (await world.status()).untold == 0


async def test_after_a_kill_all_goes_on_where_it_was(world: SourceWorld) -> None:
    world.odoo.add("A", 10)
    async with world.running(finish=False):
        await world.becomes("A", 10)
        world.odoo.answer_s = 0.2
        await world.order("o1", "A", 3)
        await world.until(lambda: world.odoo.sold("o1") == {"A": 3}, "the ERP knows of it, and nobody here knows that")
    await world.order("o2", "A", 1)  # while nobody runs
    world.odoo.answer_s = 0.0

    async with world.running(**WHOLE):
        await world.until(lambda: world.odoo.sold("o2") == {"A": 1}, "the ERP knows of the other one")
        await world.walks()
        assert (await world.available("A"), world.odoo.free("A")) == (6, 6)
        assert world.odoo.sold("o1") == {"A": 3}


async def test_a_source_of_which_much_is_kept_is_found_again_by_its_name(world: SourceWorld) -> None:
    world.odoo.add("A", 10)
    async with world.running():
        await world.becomes("A", 10)
        await world.order("o1", "A", 3)
        await world.until(lambda: world.odoo.sold("o1") == {"A": 3}, "the ERP knows of it")

    kept = {key: order async for key, order in world.kept.orders()}
    assert [(order.sold, order.told) for order in kept.values()] == [([("A", MAIN, 3)], [("A", MAIN, 3)])]
    assert NAME in world.kept.keys.orders
