"""Relocating reserved units to another location: one step, never below zero there, every counter right afterwards."""

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.reservation import Changed
from server.store.audit.audit import audit
from server.store.ledger.ledger import Ledger
from tests.conftest import close_locations, wait_past
from tests.support import operations as ops


async def stocked(ledger: Ledger, **places: int) -> None:
    """Receive at each location so many units of A."""
    for name, units in places.items():
        await ops.moved(ledger, ops.count("A", units, name))


def lines(answer: Changed) -> list[tuple[str, int, int, int, int]]:
    return [
        (line.location, line.quantity, line.held, line.committed, line.released) for line in answer.reservation.lines
    ]


async def left(ledger: Ledger) -> dict[str, int]:
    return {each.location: each.available for each in (await ledger.stock("A")).levels}


async def test_given_a_hold_when_moved_then_it_is_held_there_until_the_same_deadline(ledger: Ledger) -> None:
    await stocked(ledger, a=5, b=5)
    held = await ops.changed(ledger, ops.reserve("r", ("A", 3, "a")))

    moved = await ops.changed(ledger, ops.relocate("r", (1, 0, "b")))

    assert lines(moved) == [("a", 3, 0, 0, 3), ("b", 3, 3, 0, 0)]
    assert (moved.reservation.state, moved.reservation.deadline_ms) == ("held", held.reservation.deadline_ms)
    assert [(each.location, each.available) for each in moved.availability] == [("a", 5), ("b", 2)]


async def test_given_an_order_when_a_part_is_moved_then_both_parts_can_be_shipped(ledger: Ledger) -> None:
    await stocked(ledger, a=5, b=5)
    await ops.changed(ledger, ops.order("r", ("A", 3, "a")))

    moved = await ops.changed(ledger, ops.relocate("r", (1, 2, "b")))
    shipped = await ops.changed(ledger, ops.fulfil("r"))

    assert lines(moved) == [("a", 3, 0, 1, 2), ("b", 2, 0, 2, 0)]
    assert shipped.reservation.state == "fulfilled"
    assert [(await ops.level(ledger, "A", name)).on_hand for name in ("a", "b")] == [4, 3]


async def test_given_units_moved_twice_when_they_come_to_one_location_then_they_share_a_line(ledger: Ledger) -> None:
    await stocked(ledger, a=5, b=5)
    await ops.changed(ledger, ops.order("r", ("A", 3, "a"), ("A", 1, "a")))

    await ops.changed(ledger, ops.relocate("r", (1, 1, "b"), (2, 0, "b")))
    moved = await ops.changed(ledger, ops.relocate("r", (1, 1, "b"), (3, 1, "a")))

    assert lines(moved) == [("a", 3, 0, 1, 2), ("a", 1, 0, 0, 1), ("b", 3, 0, 2, 1), ("a", 1, 0, 1, 0)]


async def test_given_units_where_they_lie_already_when_moved_then_nothing_changes(ledger: Ledger) -> None:
    await stocked(ledger, a=5)
    held = await ops.changed(ledger, ops.reserve("r", ("A", 3, "a")))

    moved = await ops.changed(ledger, ops.relocate("r", (1, 0, "a")))

    assert moved.reservation == held.reservation


@pytest.mark.parametrize(
    ("move", "outcome", "refused_line"),
    [
        ((1, 0, "b"), "out_of_stock", LineRefusal(1, "A", "b", 3, 2)),
        ((1, 4, "c"), "exceeds_remaining", LineRefusal(1, "A", "a", 4, 3)),
        ((2, 1, "c"), "exceeds_remaining", ops.no_such_line(2, 1, 1, "", "c")),
        ((1, 1, "nowhere"), "unknown_sku", LineRefusal(1, "A", "nowhere", 1, 0)),
        ((1, 1, "shut"), "location_closed", LineRefusal(1, "A", "shut", 1, 0)),
    ],
)
async def test_given_a_move_that_cannot_be_when_asked_then_it_is_refused_whole(
    ledger: Ledger, client: Redis, move: tuple[int, int, str], outcome: str, refused_line: LineRefusal
) -> None:
    await stocked(ledger, a=5, b=2, c=9, shut=9)
    await close_locations(client, ledger, "shut")
    held = await ops.changed(ledger, ops.reserve("r", ("A", 3, "a")))
    before = await left(ledger)

    refused = await ops.refused(ledger, ops.relocate("r", move, key="k"))

    assert refused == Refused(outcome, "held", [refused_line])
    assert await left(ledger) == before
    assert (await ledger.reservation("r")).reservation == held.reservation


async def test_given_one_move_of_two_that_cannot_be_when_asked_then_none_is_made(ledger: Ledger) -> None:
    await stocked(ledger, a=5, b=3)
    await ops.changed(ledger, ops.reserve("r", ("A", 2, "a"), ("A", 2, "a")))

    refused = await ops.refused(ledger, ops.relocate("r", (1, 0, "b"), (2, 0, "b")))

    assert refused.lines == [LineRefusal(2, "A", "b", 2, 1)]
    assert await left(ledger) == {"a": 1, "b": 3}


async def test_given_nothing_reserved_when_moved_then_it_says_why(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, a=5, b=5)
    await ops.changed(ledger, ops.reserve("released", ("A", 1, "a")))
    await ops.changed(ledger, ops.release("released"))
    expired = await ops.changed(ledger, ops.reserve("expired", ("A", 1, "a"), ttl_ms=ops.SHORT_MS))
    await wait_past(client, expired.reservation.deadline_ms)

    outcomes = [
        (await ops.refused(ledger, ops.relocate(name, (1, 0, "b")))).outcome
        for name in ("released", "expired", "nobody")
    ]

    assert outcomes == ["not_held", "expired", "unknown_reservation"]


async def test_given_an_overdue_hold_there_when_moved_then_its_units_are_free(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, a=5, b=3)
    expired = await ops.changed(ledger, ops.reserve("old", ("A", 3, "b"), ttl_ms=ops.SHORT_MS))
    await ops.changed(ledger, ops.reserve("r", ("A", 3, "a")))
    await wait_past(client, expired.reservation.deadline_ms)

    await ops.changed(ledger, ops.relocate("r", (1, 0, "b")))

    assert await left(ledger) == {"a": 5, "b": 0}


async def test_given_a_replay_when_the_units_were_moved_then_each_answers_as_the_first_time(ledger: Ledger) -> None:
    await stocked(ledger, a=5, b=5)
    reserve, move = ops.reserve("r", ("A", 3, "a")), ops.relocate("r", (1, 0, "b"), key="k")
    held, moved = await ops.changed(ledger, reserve), await ops.changed(ledger, move)

    again = await ops.changed(ledger, ops.relocate("r", (1, 0, "b"), key="k"))

    assert await ops.changed(ledger, reserve) == msgspec.structs.replace(held, replayed=True)
    assert again == msgspec.structs.replace(moved, replayed=True)
    assert (await ops.refused(ledger, ops.relocate("r", (2, 0, "a"), key="k"))).outcome == "id_reused"


async def test_given_too_many_lines_when_moved_then_it_is_refused(ledger: Ledger) -> None:
    skus = [f"S{number}" for number in range(100)]
    await asyncio.gather(*(ledger.run(ops.receive(sku, 5, name)) for sku in skus for name in "abc"))
    await ops.changed(ledger, ops.order("r", *((sku, 2, "a") for sku in skus)))
    await ops.changed(ledger, ops.relocate("r", *((number, 1, "b") for number in range(1, 101))))

    refused = await ops.refused(ledger, ops.relocate("r", (1, 1, "c")))
    back = await ops.changed(ledger, ops.relocate("r", (1, 1, "b")))

    assert refused == Refused("too_many_lines", "committed", [])
    assert len(back.reservation.lines) == 200


async def test_given_racing_moves_to_the_last_units_when_made_then_only_so_many_succeed(ledger: Ledger) -> None:
    await stocked(ledger, a=30, b=7)
    for number in range(20):
        await ops.changed(ledger, ops.order(f"r{number}", ("A", 1, "a")))

    answers = await asyncio.gather(*(ledger.run(ops.relocate(f"r{n}", (1, 0, "b"))) for n in range(20)))

    assert sum(isinstance(each, Changed) for each in answers) == 7
    assert await left(ledger) == {"a": 17, "b": 0}


async def test_given_moves_of_holds_and_orders_when_audited_then_nothing_drifts(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, a=5, b=5)
    await ops.changed(ledger, ops.reserve("r", ("A", 4, "a")))
    await ops.changed(ledger, ops.commit("r", (1, 2), keep=True))
    moved = await ops.changed(ledger, ops.relocate("r", (1, 3, "b")))
    assert lines(moved) == [("a", 4, 0, 1, 3), ("b", 3, 2, 1, 0)]

    report = await audit(client, ledger.keyspace)

    assert (report.drift, report.conclusive) == ([], True)
