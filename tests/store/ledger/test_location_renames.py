"""A location that was renamed is found under each name that it ever had, by whatever asks for it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.limits import DEFAULT_LOCATION
from server.domain.locations import Location
from server.domain.stock import StockChanged
from server.store.audit.audit import audit
from server.store.connection.commands import command
from server.store.errors import SimilarNameError
from server.store.keys import split_field
from server.store.ledger import slices
from server.store.ledger.ledger import Ledger
from server.store.repositories.allocations import allocate
from server.store.repositories.location_names import read_location_names
from server.store.repositories.location_renames import LocationRenames, finish_location_renames
from server.store.repositories.locations import LocationStore, read_closed
from server.store.repositories.renames import AliasStore
from tests.conftest import RETENTION
from tests.support import operations as ops

LIMITS = RETENTION.packed()


def renames(client: Redis, ledger: Ledger) -> LocationRenames:
    return LocationRenames(client, ledger.keyspace, LIMITS, known_s=0)


async def rename(client: Redis, ledger: Ledger, old: str, new: str) -> str:
    done = await renames(client, ledger).rename(old, new, "tester")
    assert done.is_done is (done.outcome == "renamed")
    return done.outcome


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


async def at(ledger: Ledger, sku: str, location: str) -> int:
    [found] = (await ledger.availability([sku], location)).skus
    return sum(each.available for each in found)


async def stocked_at(ledger: Ledger, location: str, **skus: int) -> None:
    for sku, units in skus.items():
        await ops.moved(ledger, ops.receive(sku, units, location=location))


async def fields(client: Redis, ledger: Ledger) -> list[str]:
    return sorted("@".join(split_field(field)) for field in await command(client, "HKEYS", ledger.keyspace.stock))


async def test_given_a_hold_when_its_location_is_renamed_then_all_its_life_goes_on_at_the_new_name(
    client: Redis, ledger: Ledger
) -> None:
    await stocked_at(ledger, "depo", A=5)
    hold = ops.reserve("r", ("A", 2, "depo"))
    first = await ops.changed(ledger, hold)

    assert await rename(client, ledger, "depo", "Depot 1") == "renamed"
    assert await available(ledger, "A") == {"Depot 1": 3}
    committed = await ops.changed(ledger, ops.commit("r"))
    assert [(each.location, each.available) for each in committed.availability] == [("Depot 1", 3)]
    await ops.changed(ledger, ops.fulfil("r"))
    await ops.changed(ledger, ops.take_back("r", (1, 1)))
    again = await ops.changed(ledger, hold)

    assert again.replayed
    assert again.reservation.lines == first.reservation.lines, "a retry is a replay, with the first words"
    assert await at(ledger, "A", "depo") == await at(ledger, "A", "Depot 1") == 4
    assert await fields(client, ledger) == ["A@Depot 1"]


async def test_given_both_names_in_one_batch_when_run_then_they_are_one_record(client: Redis, ledger: Ledger) -> None:
    await stocked_at(ledger, "depo", A=5)
    await ops.changed(ledger, ops.reserve("old", ("A", 1, "depo")))
    assert await rename(client, ledger, "depo", "hub") == "renamed"

    answers = await asyncio.gather(
        ledger.run(ops.reserve("a", ("A", 1, "depo"))),
        ledger.run(ops.reserve("b", ("A", 1, "hub"))),
        ledger.run(ops.reserve("both", ("A", 1, "depo"), ("A", 1, "hub"))),
        ledger.run(ops.reserve("more", ("A", 1, "hub"))),
        ledger.run(ops.receive("NEW", 3, location="depo")),
        ledger.run(ops.receive("NEW", 4, location="hub")),
    )

    assert [isinstance(each, Refused) for each in answers] == [False, False, False, True, False, False]
    await asyncio.gather(ledger.run(ops.release("old")), ledger.run(ops.commit("both")))
    assert await available(ledger, "A") == {"hub": 1}
    assert await available(ledger, "NEW") == {"hub": 7}
    assert await fields(client, ledger) == ["A@hub", "NEW@hub"]


async def test_given_a_chain_when_renamed_again_then_it_is_flat_and_no_circle_is_made(
    client: Redis, ledger: Ledger
) -> None:
    await stocked_at(ledger, "a", A=5)
    await stocked_at(ledger, "x", A=1)
    assert await rename(client, ledger, "a", "b") == "renamed"
    assert await rename(client, ledger, "b", "c") == "renamed"

    names = await read_location_names(client, ledger.keyspace)
    assert (names.newest, names.moving) == ({"a": "c", "b": "c"}, {})
    assert await rename(client, ledger, "b", "c") == "renamed", "a second time it does no harm"
    assert await rename(client, ledger, "c", "a") == "name_cycle"
    assert await rename(client, ledger, "c", "x") == "name_taken"
    assert await rename(client, ledger, "x", "a") == "name_taken"
    assert await rename(client, ledger, "x", DEFAULT_LOCATION) == "name_taken"
    assert await rename(client, ledger, "a", "d") == "renamed_before"
    assert await rename(client, ledger, "y", "z") == "unknown_location"
    assert await available(ledger, "A") == {"c": 5, "x": 1}


async def test_given_a_location_like_the_new_name_when_renamed_then_it_is_refused_but_not_for_its_own(
    client: Redis, ledger: Ledger
) -> None:
    await stocked_at(ledger, "depo", A=1)
    await stocked_at(ledger, "Hub", A=1)

    with pytest.raises(SimilarNameError, match="Hub"):
        await rename(client, ledger, "depo", "HUB")
    assert await rename(client, ledger, "Hub", "hub") == "renamed"
    assert await rename(client, ledger, "hub", "centre") == "renamed"
    await ops.refused(ledger, ops.receive("A", 1, location="HUB"))
    assert await available(ledger, "A") == {"depo": 1, "centre": 1}


SKUS = [f"S{number}" for number in range(6)]


async def half_done(client: Redis, ledger: Ledger, moved: int) -> LocationRenames:
    """Rename depo to hub and stop after so many SKUs, as a kill does."""
    job = renames(client, ledger)
    assert await job.begin("depo", "hub", "tester") == "renamed"
    assert await job.move("depo", "hub", "tester", SKUS[:moved]) == moved
    return job


@pytest.mark.parametrize("moved", [0, 1, 3, 6])
async def test_given_a_rename_that_is_half_done_when_either_name_is_used_then_it_is_one_location(
    client: Redis, ledger: Ledger, moved: int
) -> None:
    await stocked_at(ledger, "depo", **dict.fromkeys(SKUS, 4))
    await stocked_at(ledger, "main", **dict.fromkeys(SKUS, 1))
    await ops.changed(ledger, ops.reserve("r", *((sku, 1, "depo") for sku in SKUS)))
    await half_done(client, ledger, moved)

    for sku in SKUS:
        assert await at(ledger, sku, "hub") == await at(ledger, sku, "depo") == 3
        assert sorted((await available(ledger, sku)).values()) == [1, 3], "seen once"
    await asyncio.gather(
        ledger.run(ops.reserve("a", *((sku, 1, "hub") for sku in SKUS))),
        ledger.run(ops.reserve("b", *((sku, 1, "depo") for sku in SKUS))),
        ledger.run(ops.commit("r")),
        ledger.run(ops.count("S0", 9, location="hub")),
        ledger.run(ops.receive("LATE", 2, location="depo")),
        ledger.run(ops.receive("LATE", 2, location="hub")),
    )
    assert [sum((await available(ledger, sku)).values()) for sku in SKUS] == [7, 2, 2, 2, 2, 2]
    assert await available(ledger, "LATE") == {"hub": 4}
    assert (await audit(client, ledger.keyspace)).drift == []
    await ops.changed(ledger, ops.order("o", *((sku, 2, "") for sku in SKUS)))
    assert sum((await available(ledger, "S5")).values()) == 0

    await finish_location_renames(client, ledger.keyspace, LIMITS)

    assert (await read_location_names(client, ledger.keyspace)).moving == {}
    assert await fields(client, ledger) == sorted(
        ["LATE@hub", *(f"{sku}@{name}" for sku in SKUS for name in ("hub", "main"))]
    )
    await ops.changed(ledger, ops.cancel("o"))
    await ops.changed(ledger, ops.release("a"))
    assert await at(ledger, "S0", "hub") == 7


async def test_given_a_rename_under_way_when_others_begin_then_they_wait(client: Redis, ledger: Ledger) -> None:
    await stocked_at(ledger, "depo", **dict.fromkeys(SKUS, 1))
    await stocked_at(ledger, "b", A=1)
    await half_done(client, ledger, 2)

    assert (await renames(client, ledger).rename("b", "c", "tester")).outcome == "rename_unfinished"
    sku_renames = AliasStore(client, ledger.keyspace, LIMITS)
    assert await sku_renames.rename_sku("S5", "T5", "tester", ()) == "rename_unfinished"
    assert (await renames(client, ledger).rename("hub", "x", "tester")).outcome == "rename_unfinished"
    assert await rename(client, ledger, "depo", "hub") == "renamed"
    assert await sku_renames.rename_sku("S5", "T5", "tester", ()) == "renamed"
    assert await at(ledger, "S5", "depo") == await at(ledger, "T5", "hub") == 1


async def test_given_more_places_than_one_call_reads_when_they_are_renamed_between_two_then_each_is_seen_once(
    client: Redis, ledger: Ledger
) -> None:
    names = [f"p{number:04}" for number in range(1_200)]
    await asyncio.gather(*(ledger.run(ops.receive("A", 1, location=name)) for name in names))
    job = renames(client, ledger)

    first = await ledger.availability(["A"])
    assert 0 < first.next_from < len(names)
    for name in ("p0001", "p0500", "p1100"):
        assert await job.rename(name, f"{name} with a longer name", "tester") == ("renamed", True, 1)
    seen = [each.location for each in first.skus[0]]
    following = first
    while following.next_from:
        following = await ledger.availability(["A"], start=following.next_from)
        seen += [each.location for each in following.skus[0]]

    assert len(seen) == len(names)
    assert len({name[:5] for name in seen}) == len(names)


async def test_given_a_closed_location_when_renamed_then_it_is_closed_all_the_time(
    client: Redis, ledger: Ledger
) -> None:
    store = LocationStore(client, ledger.keyspace, LIMITS)
    await store.put([Location("depo", "store", groups=("g",), open=False, priority=7)], "tester")
    await stocked_at(ledger, "depo", **dict.fromkeys(SKUS, 2))
    job = await half_done(client, ledger, 3)

    for sku in ("S0", "S5"):
        for name in ("depo", "hub"):
            refused = await ops.refused(ledger, ops.reserve(f"{sku}{name}", (sku, 1, name)))
            assert refused.outcome == "location_closed"
        await ops.refused(ledger, ops.reserve(f"{sku}-any", (sku, 1, "")))
        assert sum((await available(ledger, sku)).values()) == 0
    assert (await read_closed(client, ledger.keyspace)).names == {"depo", "hub"}

    assert (await job.rename("depo", "hub", "tester")).is_done

    assert (await read_closed(client, ledger.keyspace)).names == {"hub"}
    directory = await store.directory()
    assert directory.locations == {"hub": Location("hub", "store", groups=("g",), open=False, priority=7)}
    assert (await ops.refused(ledger, ops.reserve("x", ("S5", 1, "depo")))).outcome == "location_closed"
    await store.put([Location("hub", "store")], "tester")
    await ops.changed(ledger, ops.reserve("y", ("S5", 1, "depo"), ("S0", 1, "hub")))


async def test_given_an_old_name_when_it_is_registered_then_the_location_of_today_is(
    client: Redis, ledger: Ledger
) -> None:
    await stocked_at(ledger, "depo", A=1)
    assert await rename(client, ledger, "depo", "hub") == "renamed"

    store = LocationStore(client, ledger.keyspace, LIMITS)
    assert await store.put([Location("depo", open=False)], "tester") == {}

    assert list((await store.directory()).locations) == ["hub"]
    await ops.refused(ledger, ops.reserve("r", ("A", 1, "depo")))


async def test_given_a_channel_that_is_limited_to_a_location_when_that_is_renamed_then_it_still_sells_there(
    client: Redis, ledger: Ledger
) -> None:
    store = LocationStore(client, ledger.keyspace, LIMITS)
    await stocked_at(ledger, "depo", **dict.fromkeys(SKUS, 4))
    await stocked_at(ledger, "main", **dict.fromkeys(SKUS, 4))
    await store.limit_channels({"web": ["depo"]})
    await half_done(client, ledger, 3)

    await ops.changed(ledger, ops.reserve("a", ("S0", 2, ""), ("S5", 2, ""), channel="web"))
    await finish_location_renames(client, ledger.keyspace, LIMITS)
    await ops.changed(ledger, ops.reserve("b", ("S0", 2, ""), ("S5", 2, ""), channel="web"))
    await ops.refused(ledger, ops.reserve("c", ("S0", 1, ""), channel="web"))

    assert await available(ledger, "S5") == {"hub": 0, "main": 4}


async def test_given_orders_that_wait_when_the_location_is_renamed_then_units_go_to_them_in_their_order(
    client: Redis, ledger: Ledger
) -> None:
    await ops.moved(ledger, ops.backorder("A", 9, location="depo"))
    await ops.changed(ledger, ops.order("first", ("A", 2, "depo"), backorder=True))
    assert await rename(client, ledger, "depo", "hub") == "renamed"
    await ops.changed(ledger, ops.order("second", ("A", 2, "hub"), backorder=True))
    await ops.changed(ledger, ops.order("vip", ("A", 1, "depo"), backorder=True, flags=["vip"]))

    await ops.moved(ledger, ops.receive("A", 4, location="depo"))

    found = [(await ledger.reservation(name)).reservation for name in ("vip", "first", "second")]
    assert [each.lines[0].committed for each in found if each is not None] == [1, 2, 1]
    await ops.changed(ledger, ops.cancel("second"))
    assert await available(ledger, "A") == {"hub": 1}


async def test_given_an_expected_receipt_and_transfers_when_renamed_then_they_arrive_at_the_new_name(
    client: Redis, ledger: Ledger
) -> None:
    await stocked_at(ledger, "depo", A=5)
    await ops.stocked(ledger, A=5)
    await ops.expected(ledger, ops.expect("d", "A", 3, location="depo"))
    await ops.transferred(ledger, ops.ship("out", "depo", "main", ("A", 2)))
    await ops.transferred(ledger, ops.ship("in", "main", "depo", ("A", 1)))
    assert await rename(client, ledger, "depo", "hub") == "renamed"

    await ops.moved(ledger, ops.receive_expected("d", "A", 2))
    await ops.moved(ledger, ops.receive_expected("d", "A", 1, location="depo"))
    await ops.transferred(ledger, ops.arrive("in", everything=True))
    await ops.transferred(ledger, ops.cancel_transfer("out"))

    assert await available(ledger, "A") == {"hub": 9, "main": 4}


async def test_given_an_own_allocation_when_renamed_then_it_counts_what_the_channel_has_under_either_name(
    client: Redis, ledger: Ledger
) -> None:
    await stocked_at(ledger, "depo", A=9)
    await ops.changed(ledger, ops.reserve("s0", ("A", 1, "depo"), channel="shop"))
    await allocate(client, ledger, LIMITS, ops.allocate("A", "pazar", 3, location="depo"))
    assert await rename(client, ledger, "depo", "hub") == "renamed"
    await ops.changed(ledger, ops.reserve("p", ("A", 1, "depo"), channel="pazar"))

    answer = await allocate(client, ledger, LIMITS, ops.allocate("A", "shop", 4, location="hub"))

    assert isinstance(answer, StockChanged)
    assert [(each.channel, each.used) for each in answer.level.allocated] == [("pazar", 1), ("shop", 1)]


async def test_given_a_count_that_began_before_a_rename_when_it_ends_then_it_is_as_of_its_baseline(
    client: Redis, ledger: Ledger
) -> None:
    await stocked_at(ledger, "depo", A=5)
    baseline = (await slices.stock(ledger, "A")).levels[0].seq
    await stocked_at(ledger, "depo", A=1)
    assert await rename(client, ledger, "depo", "hub") == "renamed"
    await stocked_at(ledger, "hub", A=1)

    await ops.moved(ledger, ops.count("A", 4, location="depo", baseline_seq=baseline))

    assert await available(ledger, "A") == {"hub": 6}


async def test_given_a_renamed_location_when_an_order_is_edited_and_relocated_then_both_names_are_one(
    client: Redis, ledger: Ledger
) -> None:
    await stocked_at(ledger, "depo", A=9)
    await stocked_at(ledger, "main", A=9)
    await ops.changed(ledger, ops.order("o", ("A", 2, "depo")))
    assert await rename(client, ledger, "depo", "hub") == "renamed"

    await ops.changed(ledger, ops.edit("o", ("A", 3, "hub")))
    await ops.changed(ledger, ops.edit("o", ("A", 4, "depo")))
    await ops.changed(ledger, ops.relocate("o", (1, 0, "hub")))

    found = (await ledger.reservation("o")).reservation
    assert found is not None
    assert [(each.location, each.committed) for each in found.lines] == [("depo", 4)], "it is there already"
    await ops.changed(ledger, ops.relocate("o", (1, 0, "main")))
    assert await available(ledger, "A") == {"hub": 9, "main": 5}


async def test_given_a_shortage_when_its_location_is_renamed_then_it_is_one_shortage(
    client: Redis, ledger: Ledger
) -> None:
    await stocked_at(ledger, "depo", A=1)
    await ops.changed(ledger, ops.order("o", ("A", 4, "depo"), accept_shortage=True))

    assert await rename(client, ledger, "depo", "hub") == "renamed"

    assert await client.hget(ledger.keyspace.meta, "lacking") == b"3"
    assert await client.hget(ledger.keyspace.meta, "lacks\0A\0hub") == b"3"
    assert not await client.hexists(ledger.keyspace.meta, "lacks\0A\0depo")


async def test_given_a_name_that_the_door_would_change_when_renamed_then_it_is_found_by_what_the_door_makes_of_it(
    client: Redis, ledger: Ledger
) -> None:
    for name in ("depo ", "izmir ", "izmir"):
        await ops.moved(ledger, ops.meant(ops.receive("A", 3, location=name)))

    assert await rename(client, ledger, "depo ", "hub") == "renamed"
    assert (await read_location_names(client, ledger.keyspace)).newest == {"depo ": "hub", "depo": "hub"}
    assert await at(ledger, "A", "depo") == await at(ledger, "A", "depo ") == 3
    job = renames(client, ledger)
    assert (await job.rename("izmir ", "smyrna", "tester", allow_similar=True)).is_done

    assert await available(ledger, "A") == {"hub": 3, "smyrna": 3, "izmir": 3}
    assert await at(ledger, "A", "izmir") == 3, "that is another one"
