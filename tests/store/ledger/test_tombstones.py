"""A cancel or release that comes before its reservation is remembered, and the reservation then takes nothing."""

import time

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.reservation import Reservation
from server.store.audit.audit import audit
from server.store.connection.commands import run_on_keys
from server.store.ledger.ledger import Ledger, Retention
from server.store.lua_library import library
from tests.support.operations import (
    AnOperation,
    available,
    cancel,
    changed,
    commit,
    exchange,
    extend,
    fulfil,
    half_refused,
    map_lines,
    order,
    refused,
    release,
    relocate,
    reserve,
    sourced,
    stocked,
    take_back,
)
from tests.support.replay import Change, read_journal


async def journal_of(client: Redis, ledger: Ledger) -> list[Change]:
    return [change for _, entry in await read_journal(client, ledger.keyspace.journal) for change in entry]


@pytest.mark.parametrize("early", [cancel("r", reason="customer", remember=True), release("r", remember=True)])
@pytest.mark.parametrize(
    "late",
    [
        reserve("r", ("A", 2)),
        reserve("r", ("A", 2), ("A", 1, "")),
        reserve("r", ("A", 9), backorder=True),
        order("r", ("A", 2)),
        order("r", ("A", 90), accept_shortage=True),
        order("r", ("nobody knows", 1), accept_shortage=True),
        sourced(reserve("r", ("A", 2, "")), ["main"]),
        sourced(order("r", ("A", 2, "")), ["main"]),
    ],
)
async def test_given_a_cancel_that_came_first_when_its_reservation_comes_then_it_is_cancelled_and_takes_nothing(
    ledger: Ledger, client: Redis, early: AnOperation, late: AnOperation
) -> None:
    await stocked(ledger, A=5)
    remembered = await changed(ledger, early)
    assert (remembered.replayed, remembered.reservation.state, remembered.reservation.lines) == (False, "cancelled", [])
    made = await changed(ledger, late)
    assert (made.replayed, made.reservation.state) == (False, "cancelled")
    assert [(line.quantity, line.held, line.committed) for line in made.reservation.lines] == [
        (0, 0, 0) for _ in made.reservation.lines
    ]
    assert all(line.requested for line in made.reservation.lines)
    assert (await available(ledger, "A")) == 5
    again = await changed(ledger, late)
    assert again == msgspec.structs.replace(made, replayed=True)
    report = await audit(client, ledger.keyspace)
    assert (report.drift, report.conclusive) == ([], True)


async def test_given_a_remembered_cancel_when_it_comes_again_then_it_is_still_remembered_once(
    ledger: Ledger, client: Redis
) -> None:
    await changed(ledger, cancel("r", reason="late", remember=True))
    entries = len(await journal_of(client, ledger))
    again = await changed(ledger, cancel("r", remember=True))
    assert again.reservation.notes == [("cancel_reason", "late")]
    assert len(await journal_of(client, ledger)) == entries
    assert await client.zcard(ledger.keyspace.tombstones) == 1


async def test_given_a_key_when_a_remembered_cancel_is_repeated_after_its_order_then_the_answer_is_the_first(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=5)
    first = await changed(ledger, cancel("r", remember=True, key="k"))
    await changed(ledger, order("r", ("A", 2)))
    assert await changed(ledger, cancel("r", remember=True, key="k")) == msgspec.structs.replace(first, replayed=True)


async def test_given_a_reservation_when_cancelled_or_released_with_remember_then_it_is_as_without(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("o", ("A", 2)))
    await changed(ledger, reserve("r", ("A", 2)))
    assert (await changed(ledger, cancel("o", remember=True))).reservation.lines[0].released == 2
    assert (await changed(ledger, release("r", remember=True))).reservation.lines[0].released == 2
    assert await refused(ledger, cancel("o", remember=True)) == Refused("not_committed", "cancelled", [])
    assert await refused(ledger, release("r", remember=True)) == Refused("already_released", "released", [])
    assert await available(ledger, "A") == 5


@pytest.mark.parametrize(
    ("operation", "outcome"),
    [
        (commit("r"), "not_held"),
        (extend("r", 1000), "not_held"),
        (release("r"), "not_held"),
        (cancel("r"), "not_committed"),
        (fulfil("r"), "not_committed"),
        (fulfil("r", (1, 1)), "not_committed"),
        (take_back("r", (1, 1)), "not_fulfilled"),
        (relocate("r", (1, 0, "depo")), "not_held"),
        (map_lines("r", (1, "A", "")), "exceeds_remaining"),
    ],
)
@pytest.mark.parametrize("met", [False, True])
async def test_given_a_tombstone_or_what_met_it_when_anything_is_asked_of_it_then_it_is_refused(
    ledger: Ledger, operation: AnOperation, outcome: str, met: bool
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, cancel("r", remember=True))
    if met:
        await changed(ledger, order("r", ("A", 2)))
    found = await refused(ledger, operation)
    if outcome == "exceeds_remaining" and met:
        outcome = "line_mapped"
    assert (found.outcome, found.state) == (outcome, "cancelled")


async def test_given_a_tombstone_when_an_exchange_names_it_as_the_replacement_then_neither_half_happens(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("old", ("A", 2)))
    await changed(ledger, fulfil("old"))
    await changed(ledger, cancel("new", remember=True))
    swap = exchange(take_back("old", (1, 1)), reserve("new", ("A", 1)))
    assert await half_refused(ledger, swap) == ("promise", "id_reused")


async def test_given_another_body_when_a_reservation_that_met_a_tombstone_comes_again_then_the_id_is_reused(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, cancel("r", remember=True))
    await changed(ledger, order("r", ("A", 2)))
    assert await refused(ledger, order("r", ("A", 3))) == Refused("id_reused", "cancelled", [])


async def test_given_as_many_tombstones_as_there_may_be_when_another_comes_then_it_is_refused_until_one_is_gone(
    ledger: Ledger, client: Redis
) -> None:
    now_ms = int(time.time() * 1000)
    full = {f"t{number}": now_ms + 100_000 for number in range(99_999)}
    full |= {"lapsed": now_ms - 100_000}
    names = list(full)
    for first in range(0, len(names), 10_000):
        await client.zadd(ledger.keyspace.tombstones, {name: full[name] for name in names[first : first + 10_000]})
    await changed(ledger, cancel("last", remember=True))
    assert await refused(ledger, release("more", remember=True)) == Refused("too_many_remembered", "", [])
    assert await refused(ledger, release("more")) == Refused("unknown_reservation", "", [])
    await stocked(ledger, A=5)
    await changed(ledger, order("last", ("A", 2)))
    await changed(ledger, release("more", remember=True))


async def test_given_a_tombstone_when_its_time_has_passed_then_it_is_purged_and_the_order_is_taken(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, cancel("r", remember=True))
    keys = ledger.keyspace
    until_ms = await client.zscore(keys.all[6], "rr")
    assert until_ms
    assert until_ms == await client.zscore(keys.tombstones, "r")
    for key, member in ((keys.all[6], "rr"), (keys.tombstones, "r")):
        await client.zadd(key, {member: 1})
    limits = Retention(1, 1, 1, 1).packed()
    await run_on_keys(client, library().function("purge_ended"), keys.forgetting, limits, 100)
    assert (await client.zcard(keys.tombstones), await client.hexists(keys.ended, "r")) == (0, False)
    assert (await changed(ledger, order("r", ("A", 2)))).reservation.state == "committed"


@pytest.mark.parametrize("plant", ["uncounted", "counted"])
async def test_given_a_tombstone_and_its_count_that_disagree_when_audited_then_it_is_found(
    ledger: Ledger, client: Redis, plant: str
) -> None:
    await changed(ledger, cancel("r", remember=True))
    if plant == "uncounted":
        await client.zrem(ledger.keyspace.tombstones, "r")
    else:
        await client.zadd(ledger.keyspace.tombstones, {"nobody": 2**52})
    report = await audit(client, ledger.keyspace)
    assert [(each.what, each.reservation_id) for each in report.drift] == [
        ("tombstone", "r" if plant == "uncounted" else "nobody")
    ]


def test_given_a_record_without_lines_when_asked_then_it_is_a_tombstone() -> None:
    assert Reservation("cancelled", 0, 0, 0, 0, "", "", "", []).is_tombstone
