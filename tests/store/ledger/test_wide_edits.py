"""In a chain of thousands of stores: edits, mappings and orders that are sold already see all places, as new ones."""

import asyncio
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal
from server.domain.reservation import Changed
from server.store.audit.audit import audit
from server.store.ledger import slices, wide_orders
from server.store.ledger.ledger import Ledger
from server.store.repositories.location_renames import LocationRenames
from tests.conftest import RETENTION, close_locations
from tests.support import operations as ops
from tests.support.many_places import names_of, stock_everywhere

CHAIN: Final = 5_000
STORES: Final = names_of(CHAIN)


def taken(made: Changed) -> list[tuple[str, str, int]]:
    return [
        (line.sku, line.location, line.held + line.committed)
        for line in made.reservation.lines
        if line.held + line.committed
    ]


async def chain(client: Redis, ledger: Ledger, *skus: str, main: bool = True, **units: int) -> None:
    """Have SKUs known at all stores of a chain, and at `main`; units: of the first SKU, by the number of the store."""
    await stock_everywhere(client, ledger.keyspace, skus, ["main", *STORES] if main else STORES, on_hand=0)
    for store, quantity in units.items():
        await ops.moved(ledger, ops.count(skus[0], quantity, f"store-{store[1:]}"))


async def agree(client: Redis, ledger: Ledger) -> bool:
    return not (await audit(client, ledger.keyspace, journal=False)).drift


# -- edits


async def test_given_a_chain_when_an_edit_raises_and_adds_lines_then_units_come_from_the_stores(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A", s04000=3, s04321=2)
    await chain(client, ledger, "B", s04999=4)
    await ops.changed(ledger, ops.reserve("r", ("A", 1, "")))
    edit = ops.edit("r", ("A", 4), ("B", 2), key="k")

    edited, again = [await ops.changed(ledger, edit) for _ in range(2)]

    assert sorted(taken(edited)) == [("A", "store-04000", 3), ("A", "store-04321", 1), ("B", "store-04999", 2)]
    assert (edited.replayed, again.replayed, again.reservation) == (False, True, edited.reservation)
    refusal = await ops.refused(ledger, ops.edit("r", ("A", 6)))
    assert (refusal.outcome, refusal.lines) == ("out_of_stock", [LineRefusal(1, "A", "", 2, 1)])
    lowered = await ops.changed(ledger, ops.edit("r", ("A", 1), ("B", 0)))
    assert taken(lowered) == [("A", "store-04000", 1)]
    assert await agree(client, ledger)


async def test_given_an_order_in_a_chain_when_edited_in_one_batch_with_others_then_each_gets_its_units(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A", s04000=2, s04001=2, s04002=2, s04003=2)
    for number in range(4):
        await ops.changed(ledger, ops.order(f"o{number}", ("A", 1, f"store-{4_000 + number:05d}")))

    answers = await asyncio.gather(*(ledger.run(ops.edit(f"o{number}", ("A", 2))) for number in range(4)))

    assert all(isinstance(each, Changed) for each in answers), answers
    assert (await ops.refused(ledger, ops.order("p", ("A", 1, "")))).outcome == "out_of_stock"


async def test_given_a_place_that_sells_out_while_the_others_are_read_when_edited_then_its_sku_is_looked_for_as_well(
    client: Redis, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chain(client, ledger, "A", s04000=5)
    await chain(client, ledger, "B", s04001=2, s04002=5)
    await ops.changed(ledger, ops.reserve("r", ("B", 1, "store-04001")))
    read = slices.stocked

    async def read_late(*arguments: Any, **more: Any) -> Any:
        found = await read(*arguments, **more)
        await ledger.run(ops.reserve("late", ("B", 1, "store-04001")))
        return found

    monkeypatch.setattr(slices, "stocked", read_late)

    edited = await ops.changed(ledger, ops.edit("r", ("A", 1), ("B", 2)))

    assert taken(edited) == [("B", "store-04001", 1), ("A", "store-04000", 1), ("B", "store-04002", 1)]


async def test_given_edits_that_race_for_the_same_stores_when_others_have_units_then_all_get_theirs(
    client: Redis, ledger: Ledger
) -> None:
    await stock_everywhere(client, ledger.keyspace, ["A"], STORES, on_hand=1)
    for number in range(12):
        await ops.changed(ledger, ops.reserve(f"r{number}", ("A", 1, STORES[number])))

    answers = await asyncio.gather(*(ledger.run(ops.edit(f"r{number}", ("A", 60))) for number in range(12)))

    assert all(isinstance(each, Changed) for each in answers), answers


async def test_given_an_order_in_a_chain_when_an_edit_accepts_a_shortage_then_what_is_there_is_taken(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A", s04999=3)
    await ops.changed(ledger, ops.order("o", ("A", 1, "")))

    edited = await ops.changed(ledger, ops.edit("o", ("A", 7), accept_shortage=True))

    assert taken(edited) == [("A", "store-04999", 3), ("A", "main", 4)]
    assert await ops.available(ledger, "A", "main") == -4


# -- what is sold already


async def test_given_a_chain_when_an_order_is_accepted_then_all_stores_are_seen_and_the_rest_is_short_at_main(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A", "B", s03999=2, s04999=1)

    made = await ops.changed(ledger, ops.order("o", ("A", 2, ""), ("B", 1, ""), ("A", 3, ""), accept_shortage=True))

    assert sorted(taken(made)) == [("A", "main", 2), ("A", "store-03999", 2), ("A", "store-04999", 1), ("B", "main", 1)]
    assert await agree(client, ledger)


@pytest.mark.parametrize("is_closed", [False, True])
async def test_given_a_chain_without_main_when_nothing_is_there_then_an_accepted_order_is_short_at_one_store(
    client: Redis, ledger: Ledger, *, is_closed: bool
) -> None:
    await chain(client, ledger, "A", main=False)
    if is_closed:
        await close_locations(client, ledger, "store-00000")

    made = await ops.changed(ledger, ops.order("o", ("A", 2, ""), accept_shortage=True))

    assert taken(made) == [("A", "store-00001" if is_closed else "store-00000", 2)]


async def test_given_a_shortage_at_stores_that_are_not_named_when_accepted_then_it_hides_no_units(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A", s04999=3)
    await ops.changed(ledger, ops.order("short", ("A", 9, "store-00007"), accept_shortage=True))

    made = await ops.changed(ledger, ops.order("o", ("A", 3, ""), accept_shortage=True))

    assert taken(made) == [("A", "store-04999", 3)]


async def test_given_more_places_than_an_order_looks_at_when_accepted_then_it_is_booked_all_the_same(
    client: Redis, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wide_orders, "PLACES_PER_ORDER_MAX", 8_000)
    await chain(client, ledger, "A", s00003=1)
    await chain(client, ledger, "B", main=False)

    made = await ops.changed(ledger, ops.order("o", ("A", 2, ""), ("B", 1, ""), accept_shortage=True))

    assert sorted(taken(made)) == [("A", "main", 1), ("A", "store-00003", 1), ("B", "store-00000", 1)]
    assert (await ops.refused(ledger, ops.order("p", ("A", 1, ""), ("B", 1, "")))).outcome == "sourcing_incomplete"


async def test_given_a_wrong_location_when_an_order_is_accepted_then_its_units_come_from_the_chain(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A", s04999=3)

    made = await ops.changed(ledger, ops.order("o", ("A", 3, "nowhere"), accept_shortage=True))

    assert taken(made) == [("A", "store-04999", 3)]


async def test_given_a_plan_that_cannot_be_when_accepted_then_the_order_is_taken_from_the_chain(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A", s04999=3)
    await ops.changed(ledger, ops.order("old", ("A", 1, "")))
    await ops.changed(ledger, ops.fulfil("old"))

    made = await ops.changed(ledger, ops.sourced(ops.order("o", ("A", 1, ""), accept_shortage=True), ["nowhere"]))
    replacement = ops.sourced(ops.order("new", ("A", 2, ""), accept_shortage=True), ["nowhere"])
    answer = await ops.exchanged(ledger, ops.exchange(ops.take_back("old", (1, 1), key="k"), replacement))

    assert taken(made) == [("A", "store-04999", 1)]
    assert taken(answer.promised) == [("A", "store-04999", 2)]


async def test_given_places_with_long_records_when_more_is_sold_than_a_call_can_look_at_then_all_is_booked(
    client: Redis, ledger: Ledger
) -> None:
    lists = [(f"a-channel-with-a-name-of-{'x' * 36}{number:02d}", "own", 0, 0) for number in range(32)]
    await stock_everywhere(client, ledger.keyspace, ["A"], names_of(300), on_hand=1, allocations=lists)

    made = await ops.changed(ledger, ops.order("o", ("A", 50, ""), accept_shortage=True))
    edited = await ops.changed(ledger, ops.edit("o", ("A", 60)))

    assert (len(taken(made)), len(taken(edited))) == (50, 60)


# -- unmapped lines


async def test_given_a_chain_when_a_line_is_mapped_to_its_sku_then_units_come_from_the_stores(
    client: Redis, ledger: Ledger
) -> None:
    await ops.changed(ledger, ops.order("o", ("?", 5, ""), accept_shortage=True))
    await chain(client, ledger, "A", s04999=3)

    mapped = await ops.changed(ledger, ops.map_lines("o", (1, "A")))

    assert sorted(taken(mapped)) == [("A", "main", 2), ("A", "store-04999", 3)]
    assert await agree(client, ledger)


# -- names that change meanwhile


async def test_given_stores_that_are_renamed_between_two_slices_when_the_places_are_read_then_each_is_seen_once(
    client: Redis, ledger: Ledger
) -> None:
    names = names_of(1_200)
    await asyncio.gather(*(ledger.run(ops.receive("A", 1, name)) for name in names))
    renames = LocationRenames(client, ledger.keyspace, RETENTION.packed(), known_s=0)

    found = await ledger.stocked(["A"], "web")
    seen = [name for name, _, _ in found.skus[0].stocked]
    assert 0 < found.next_from < len(names)
    for number in (1, 499, 1_100):
        assert (await renames.rename(names[number], f"{names[number]} with a longer name", "tester")).is_done
    while found.next_from:
        found = await ledger.stocked(["A"], "web", start=found.next_from)
        seen += [name for name, _, _ in found.skus[0].stocked]

    assert (len(seen), {name[: len(names[0])] for name in seen}) == (len(names), set(names))
    assert f"{names[1_100]} with a longer name" in seen
