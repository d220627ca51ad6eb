"""A SKU that was renamed is found under each name that it ever had, by whatever asks for it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.channels import Listing
from server.domain.components import Component, known_by
from server.domain.sourcing import Candidate
from server.domain.stock import StockChanged
from server.store.audit.audit import audit
from server.store.errors import SimilarNameError
from server.store.ledger.ledger import Ledger
from server.store.repositories.aliases import names_of
from server.store.repositories.allocations import allocate
from server.store.repositories.channels import ChannelStore
from server.store.repositories.location_renames import LocationRenames
from server.store.repositories.renames import AliasStore
from server.store.repositories.skus import SkuStore
from tests.conftest import RETENTION
from tests.support import operations as ops


async def rename(client: Redis, ledger: Ledger, old: str, new: str) -> str:
    return await AliasStore(client, ledger.keyspace, RETENTION.packed()).rename_sku(old, new, "tester", ())


@pytest.fixture(autouse=True)
async def agrees(client: Redis, ledger: Ledger) -> AsyncIterator[None]:
    """After each test, buckets, reservations and journal agree."""
    yield
    report = await audit(client, ledger.keyspace)
    assert report.drift == []
    assert report.conclusive
    assert report.journal_complete


async def available(ledger: Ledger, sku: str) -> dict[str, int]:
    [found] = (await ledger.availability([sku])).skus
    return {each.location: each.available for each in found}


async def test_given_a_hold_when_its_sku_is_renamed_then_it_is_committed_shipped_and_returned_under_the_new_name(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=5)
    hold = ops.reserve("r", ("A", 2))
    first = await ops.changed(ledger, hold)

    assert await rename(client, ledger, "A", "B") == "renamed"
    assert await available(ledger, "B") == {"main": 3}
    committed = await ops.changed(ledger, ops.commit("r"))
    assert [(each.sku, each.available) for each in committed.availability] == [("B", 3)]
    await ops.changed(ledger, ops.fulfil("r"))
    await ops.changed(ledger, ops.take_back("r", (1, 1)))
    again = await ops.changed(ledger, hold)

    assert again.replayed
    assert again.reservation.lines == first.reservation.lines, "a retry is a replay, with the first words"
    assert await available(ledger, "B") == {"main": 4}
    assert await available(ledger, "A") == {"main": 4}, "the old name is read through the alias"
    assert await client.hkeys(ledger.keyspace.stock) == [b"B\0main"]


async def test_given_both_names_in_one_batch_when_run_then_they_are_one_record(client: Redis, ledger: Ledger) -> None:
    await ops.stocked(ledger, A=5)
    await ops.changed(ledger, ops.reserve("old", ("A", 1)))
    assert await rename(client, ledger, "A", "B") == "renamed"

    answers = await asyncio.gather(
        ledger.run(ops.reserve("a", ("A", 1))),
        ledger.run(ops.reserve("b", ("B", 1))),
        ledger.run(ops.reserve("both", ("A", 1), ("B", 1))),
        ledger.run(ops.reserve("more", ("B", 1))),
    )

    assert [isinstance(each, Refused) for each in answers] == [False, False, False, True]
    await asyncio.gather(ledger.run(ops.release("old")), ledger.run(ops.commit("both")))
    assert await available(ledger, "B") == {"main": 1}


async def test_given_a_chain_when_renamed_again_then_it_is_flat_and_no_circle_is_made(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=5, X=1)
    assert await rename(client, ledger, "A", "B") == "renamed"
    assert await rename(client, ledger, "B", "C") == "renamed"

    assert await names_of(client, ledger.keyspace, "A") == ("C", "A", "B")
    assert await client.hget(ledger.keyspace.aliases, "A") == b"C"
    assert await rename(client, ledger, "B", "C") == "renamed", "a second time it does no harm"
    assert await rename(client, ledger, "C", "A") == "name_cycle"
    assert await rename(client, ledger, "C", "X") == "name_taken"
    assert await rename(client, ledger, "X", "A") == "name_taken"
    assert await rename(client, ledger, "A", "D") == "renamed_before"
    assert await rename(client, ledger, "Y", "Z") == "unknown_sku"
    assert await available(ledger, "A") == {"main": 5}


@pytest.mark.parametrize("moved_before", [1, 2, 5])
async def test_given_a_rename_that_is_half_done_when_either_name_is_used_then_it_is_one_sku(
    client: Redis, ledger: Ledger, moved_before: int
) -> None:
    names = [f"p{number}" for number in range(6)]
    for name in names:
        await ops.moved(ledger, ops.receive("A", 3, location=name))
    await ops.changed(ledger, ops.reserve("r", *(("A", 1, name) for name in names)))
    await _begin(client, ledger, moved_before)

    assert await available(ledger, "B") == dict.fromkeys(names, 2)
    assert await available(ledger, "A") == dict.fromkeys(names, 2)
    await asyncio.gather(
        ledger.run(ops.reserve("a", ("A", 1, "p3"))),
        ledger.run(ops.reserve("b", ("B", 1, "p3"))),
        ledger.run(ops.reserve("c", ("B", 1, "p0"))),
        ledger.run(ops.commit("r")),
    )
    assert await available(ledger, "B") == {**dict.fromkeys(names, 2), "p3": 0, "p0": 1}
    report = await audit(client, ledger.keyspace)
    assert report.drift == []

    assert await rename(client, ledger, "A", "B") == "renamed"
    assert sorted(await client.hkeys(ledger.keyspace.stock)) == [f"B\0{name}".encode() for name in names]
    assert await available(ledger, "B") == {**dict.fromkeys(names, 2), "p3": 0, "p0": 1}


async def _begin(client: Redis, ledger: Ledger, places: int) -> None:
    """Rename A to B and stop after so many places, as a kill does."""
    store = AliasStore(client, ledger.keyspace, RETENTION.packed())
    assert await store.rename_some("A", "B", "tester", (), places) == ("renamed", True)


async def test_given_orders_that_wait_when_the_sku_is_renamed_then_units_go_to_them_in_their_order(
    client: Redis, ledger: Ledger
) -> None:
    await ops.moved(ledger, ops.backorder("A", 9))
    await ops.changed(ledger, ops.order("first", ("A", 2), backorder=True))
    assert await rename(client, ledger, "A", "B") == "renamed"
    await ops.changed(ledger, ops.order("second", ("B", 2), backorder=True))
    await ops.changed(ledger, ops.order("vip", ("A", 1), backorder=True, flags=["vip"]))

    await ops.moved(ledger, ops.receive("A", 4))

    found = [(await ledger.reservation(name)).reservation for name in ("vip", "first", "second")]
    assert [each.lines[0].committed for each in found if each is not None] == [1, 2, 1]
    await ops.changed(ledger, ops.cancel("second"))
    assert await available(ledger, "B") == {"main": 1}


async def test_given_an_expected_receipt_and_a_transfer_when_renamed_then_they_arrive_under_the_new_name(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=5)
    await ops.expected(ledger, ops.expect("d", "A", 3))
    await ops.transferred(ledger, ops.ship("t", "main", "depo", ("A", 2)))
    assert await rename(client, ledger, "A", "B") == "renamed"

    await ops.moved(ledger, ops.receive_expected("d", "B", 1))
    await ops.moved(ledger, ops.receive_expected("d", "A", 2))
    await ops.transferred(ledger, ops.arrive("t", everything=True))

    assert await available(ledger, "B") == {"main": 6, "depo": 2}


async def test_given_an_own_allocation_when_renamed_then_it_counts_what_the_channel_has_under_either_name(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=9)
    await ops.changed(ledger, ops.reserve("r", ("A", 2)))
    await allocate(client, ledger, RETENTION.packed(), ops.allocate("A", "pazar", 3))
    assert await rename(client, ledger, "A", "B") == "renamed"
    await ops.changed(ledger, ops.reserve("p", ("A", 1), channel="pazar"))
    await ops.changed(ledger, ops.release("r"))

    answer = await allocate(client, ledger, RETENTION.packed(), ops.allocate("B", "shop", 4))
    await ops.changed(ledger, ops.reserve("s", ("B", 4), ("A", 2), channel="shop"))
    await ops.refused(ledger, ops.reserve("x", ("B", 1), channel="shop"))

    assert isinstance(answer, StockChanged)
    assert [(each.channel, each.used) for each in answer.level.allocated] == [("pazar", 1), ("shop", 0)]


async def test_given_a_count_that_began_before_a_rename_when_it_ends_then_it_is_as_of_its_baseline(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=5)
    baseline = (await ops.level(ledger, "A")).seq
    await ops.moved(ledger, ops.receive("A", 1))
    assert await rename(client, ledger, "A", "B") == "renamed"
    await ops.moved(ledger, ops.receive("B", 1))

    await ops.moved(ledger, ops.count("B", 4, baseline_seq=baseline))

    assert await available(ledger, "B") == {"main": 6}


async def test_given_a_renamed_sku_when_an_order_is_edited_by_either_name_then_it_is_the_same_line(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=9)
    await ops.changed(ledger, ops.order("o", ("A", 2)))
    assert await rename(client, ledger, "A", "B") == "renamed"

    await ops.changed(ledger, ops.edit("o", ("B", 3)))
    await ops.changed(ledger, ops.edit("o", ("A", 4)))

    found = (await ledger.reservation("o")).reservation
    assert found is not None
    assert [(each.sku, each.committed) for each in found.lines] == [("A", 4)]
    assert await available(ledger, "B") == {"main": 5}


async def two_places(ledger: Ledger) -> None:
    """Have some of A at two places."""
    for place in ("main", "depo"):
        await ops.moved(ledger, ops.receive("A", 5, place))


async def committed_at(ledger: Ledger, reservation_id: str) -> list[tuple[str, str, int]]:
    found = (await ledger.reservation(reservation_id)).reservation
    assert found is not None
    return [(each.sku, each.location, each.committed) for each in found.lines]


async def test_given_units_moved_before_a_rename_when_more_are_moved_there_then_they_are_in_one_line(
    client: Redis, ledger: Ledger
) -> None:
    await two_places(ledger)
    await ops.changed(ledger, ops.order("o", ("A", 3)))
    await ops.changed(ledger, ops.relocate("o", (1, 1, "depo")))
    assert await rename(client, ledger, "A", "B") == "renamed"

    await ops.changed(ledger, ops.relocate("o", (1, 1, "depo")))

    assert await committed_at(ledger, "o") == [("A", "main", 1), ("A", "depo", 2)]


async def test_given_a_location_that_was_renamed_when_more_is_moved_or_bound_there_then_it_is_in_one_line(
    client: Redis, ledger: Ledger
) -> None:
    await two_places(ledger)
    await ops.changed(ledger, ops.sourced(ops.order("o", ("A", 3, "")), ["main"], 0, open_group=""))
    await ops.changed(ledger, ops.relocate("o", (1, 1, "depo")))
    done = await LocationRenames(client, ledger.keyspace, RETENTION.packed(), known_s=0).rename("depo", "hub", "tester")
    assert done.is_done

    await ops.changed(ledger, ops.relocate("o", (1, 1, "hub")))
    bound = await ops.changed(ledger, ops.bound(ops.fulfil("o", (1, 1)), Candidate("hub", 0), location="hub"))

    assert [(each.location, each.committed, each.fulfilled) for each in bound.reservation.lines] == [
        ("main", 0, 0),
        ("depo", 2, 1),
    ]


async def test_given_an_untracked_sku_that_was_renamed_when_it_is_tracked_and_untracked_then_any_name_is_its_own(
    client: Redis, ledger: Ledger
) -> None:
    store = SkuStore(client, ledger.keyspace, RETENTION.packed())
    assert await store.track("Wrap", "tester", tracked=False)
    assert await rename(client, ledger, "Wrap", "Paper") == "renamed"
    names = await client.hgetall(ledger.keyspace.likeness)

    assert await store.track("Wrap", "tester", tracked=True)
    assert await store.track("Wrap", "tester", tracked=False)

    assert await store.is_untracked("Paper")
    assert await client.hgetall(ledger.keyspace.likeness) == names
    with pytest.raises(SimilarNameError, match="Paper"):
        await store.track("PAPER", "tester", tracked=False)


async def test_given_a_sku_like_the_new_name_when_renamed_then_it_is_refused_but_not_for_a_name_of_its_own(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=1, Mug=1)

    with pytest.raises(SimilarNameError, match="Mug"):
        await rename(client, ledger, "A", "MUG")
    assert await available(ledger, "A") == {"main": 1}
    assert await rename(client, ledger, "Mug", "mug") == "renamed"
    assert await rename(client, ledger, "mug", "Cup") == "renamed"

    await ops.refused(ledger, ops.receive("MUG", 1))
    assert (await audit(client, ledger.keyspace)).drift == []


@pytest.mark.parametrize("rule", [False, True])
@pytest.mark.parametrize("name", ["A", "B"])
async def test_given_a_rename_that_stopped_when_an_order_is_spread_over_its_places_then_no_unit_is_there_twice(
    client: Redis, ledger: Ledger, name: str, rule: bool
) -> None:
    places = [f"p{number}" for number in range(6)]
    for place in places:
        await ops.moved(ledger, ops.receive("A", 2, location=place))
        if rule:
            await ops.moved(ledger, ops.backorder("A", 9, location=place))
    await _begin(client, ledger, 2)

    await ops.changed(ledger, ops.order("o", (name, 9, "")))

    assert sum((await available(ledger, "B")).values()) == 3
    assert (await audit(client, ledger.keyspace)).drift == []
    assert await rename(client, ledger, "A", "B") == "renamed"
    assert len(await client.hkeys(ledger.keyspace.stock)) == 6
    await ops.changed(ledger, ops.cancel("o"))
    assert sum((await available(ledger, "B")).values()) == 12
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_packs_of_a_sku_when_it_is_renamed_then_they_hold_it_under_the_new_name_and_it_cannot_be_deleted(
    client: Redis, ledger: Ledger
) -> None:
    channels = ChannelStore(client, ledger.keyspace)
    await ops.stocked(ledger, A=9)
    own, pack = Listing("A", "869"), Listing(known_by("869x6"), "869x6", components=[Component("A", 6)])
    assert await channels.put_listings("shop", [own, pack], "tester")

    store = AliasStore(client, ledger.keyspace, RETENTION.packed())
    assert await store.rename_sku("A", "B", "tester", ["shop"]) == "renamed"

    found = await channels.find_keys("shop", ["869", "869x6"])
    assert found["869"].sku == "B"
    assert found["869x6"].components == [Component("B", 6)]
    assert await channels.count_holding("shop", ["A", "B"]) == [0, 1]
    await ops.moved(ledger, ops.count("B", 0))
    assert await channels.delete_listing("shop", "B", "tester")
    assert (await store.delete_sku("A", "tester", ["shop"])).outcome == "sku_in_use"


async def test_given_a_name_that_the_door_would_change_when_renamed_then_it_is_found_by_what_the_door_makes_of_it(
    client: Redis, ledger: Ledger
) -> None:
    for sku, units in {"TS-1 ": 5, "TS-2 ": 2, "TS-2": 3, "TS-3 ": 4}.items():
        await ops.moved(ledger, ops.meant(ops.receive(sku, units)))

    assert await rename(client, ledger, "TS-1 ", "MUG") == "renamed"
    assert await rename(client, ledger, "TS-2 ", "CUP") == "renamed"
    assert await rename(client, ledger, "TS-3 ", "TS-3") == "renamed"

    assert await available(ledger, "TS-1") == await available(ledger, "TS-1 ") == {"main": 5}
    assert await available(ledger, "TS-2") == {"main": 3}, "that is another one"
    assert await available(ledger, "TS-3") == await available(ledger, "TS-3 ") == {"main": 4}
    await ops.changed(ledger, ops.reserve("r", ("TS-1", 5)))
    await ops.moved(ledger, ops.receive("TS-1", 1))
    assert await available(ledger, "MUG") == {"main": 1}
