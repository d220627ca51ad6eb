"""extend, commit, release, cancel, fulfil: what becomes of a reservation."""

from typing import Final

import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.reservation import Reservation
from server.store.ledger.ledger import Ledger
from tests.conftest import wait_past
from tests.support.operations import (
    HOUR_MS,
    SHORT_MS,
    AnOperation,
    available,
    cancel,
    changed,
    commit,
    extend,
    fulfil,
    level,
    no_such_line,
    order,
    refused,
    release,
    reserve,
    stocked,
)

ALIVE_MS: Final = 300
"""For a hold that must still be alive when the next operation comes, however busy the machine is."""


def counters(reservation: Reservation) -> list[tuple[int, int, int, int, int]]:
    """(held, committed, fulfilled, released, expired) of each line."""
    return [(line.held, line.committed, line.fulfilled, line.released, line.expired) for line in reservation.lines]


async def expired(ledger: Ledger, client: Redis, reservation_id: str, *lines: tuple[str, int]) -> None:
    """Hold units and wait until their deadline has passed."""
    held = await changed(ledger, reserve(reservation_id, *lines, ttl_ms=SHORT_MS))
    await wait_past(client, held.reservation.deadline_ms)


@pytest.mark.parametrize("operation", [extend("no", 1000), commit("no"), release("no"), cancel("no"), fulfil("no")])
async def test_given_an_unknown_id_when_anything_is_asked_of_it_then_it_is_unknown(
    ledger: Ledger, operation: AnOperation
) -> None:
    assert await refused(ledger, operation) == Refused("unknown_reservation", "", [])


async def test_given_a_hold_when_extended_then_its_deadline_counts_from_now(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    before = (await changed(ledger, reserve("r", ("A", 1), ttl_ms=HOUR_MS))).reservation
    after = (await changed(ledger, extend("r", 2 * HOUR_MS))).reservation
    assert before.created_ms + 2 * HOUR_MS <= after.deadline_ms < before.created_ms + 2 * HOUR_MS + 20_000


async def test_given_a_hold_when_extended_by_less_than_it_has_then_its_deadline_stays(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    before = (await changed(ledger, reserve("r", ("A", 1), ttl_ms=HOUR_MS))).reservation
    assert (await changed(ledger, extend("r", 1000))).reservation.deadline_ms == before.deadline_ms


async def test_given_a_hold_when_extended_past_the_longest_life_then_it_ends_there(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    before = (await changed(ledger, reserve("r", ("A", 1)))).reservation
    after = (await changed(ledger, extend("r", 30 * 24 * HOUR_MS))).reservation
    assert after.deadline_ms == before.created_ms + 7 * 24 * HOUR_MS


async def test_given_a_short_hold_when_extended_then_it_outlives_its_first_deadline(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    before = (await changed(ledger, reserve("r", ("A", 1), ttl_ms=ALIVE_MS))).reservation
    await changed(ledger, extend("r", HOUR_MS))
    await wait_past(client, before.deadline_ms)
    assert (await changed(ledger, commit("r"))).reservation.state == "committed"


async def test_given_a_hold_when_committed_then_its_units_are_ordered_and_the_deadline_is_gone(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 2)))
    reservation = (await changed(ledger, commit("r"))).reservation
    assert (reservation.state, reservation.deadline_ms) == ("committed", 0)
    assert counters(reservation) == [(0, 2, 0, 0, 0)]
    assert (await level(ledger, "A")).committed == 2
    assert await available(ledger, "A") == 3


async def test_given_an_order_ref_when_committed_then_it_is_noted(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 2)))
    assert (await changed(ledger, commit("r", order_ref="o-9"))).reservation.notes == [("order_ref", "o-9")]


async def test_given_a_hold_when_committed_by_line_then_the_remainder_is_released(ledger: Ledger) -> None:
    await stocked(ledger, A=5, B=5)
    await changed(ledger, reserve("r", ("A", 3), ("B", 2)))
    reservation = (await changed(ledger, commit("r", (1, 2)))).reservation
    assert reservation.state == "committed"
    assert counters(reservation) == [(0, 2, 0, 1, 0), (0, 0, 0, 2, 0)]
    assert await available(ledger, "B") == 5


async def test_given_a_hold_when_committed_by_line_and_kept_then_the_remainder_stays_held(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    before = (await changed(ledger, reserve("r", ("A", 3)))).reservation
    reservation = (await changed(ledger, commit("r", (1, 1), keep=True))).reservation
    assert (reservation.state, reservation.deadline_ms) == ("held", before.deadline_ms)
    assert counters(reservation) == [(2, 1, 0, 0, 0)]


async def test_given_a_kept_remainder_when_committed_later_then_all_is_ordered(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 3)))
    await changed(ledger, commit("r", (1, 1), keep=True))
    assert counters((await changed(ledger, commit("r"))).reservation) == [(0, 3, 0, 0, 0)]


async def test_given_a_kept_remainder_when_it_expires_then_what_was_ordered_stays(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    held = await changed(ledger, reserve("r", ("A", 3), ttl_ms=ALIVE_MS))
    await changed(ledger, commit("r", (1, 1), keep=True))
    await wait_past(client, held.reservation.deadline_ms)
    assert (await refused(ledger, release("r"))).outcome == "expired"
    kept = (await ledger.reservation("r")).reservation
    assert kept is not None
    assert (kept.state, counters(kept)) == ("committed", [(0, 1, 0, 0, 2)])


@pytest.mark.parametrize("operation", [commit("r", (1, 4)), release("r", (1, 2), (1, 2))])
async def test_given_a_hold_when_more_is_asked_than_it_has_then_it_is_refused_whole(
    ledger: Ledger, operation: AnOperation
) -> None:
    await stocked(ledger, A=5, B=5)
    await changed(ledger, reserve("r", ("A", 3), ("B", 1)))
    answer = await refused(ledger, operation)
    assert answer == Refused("exceeds_remaining", "held", [LineRefusal(1, "A", "main", 4, 3)])
    assert (await level(ledger, "A")).held == 3


async def test_given_a_line_that_does_not_exist_when_released_then_it_is_named(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 3)))
    answer = await refused(ledger, release("r", (1, 1), (2, 1)))
    assert answer == Refused("exceeds_remaining", "held", [no_such_line(2, 1, 1)])


async def test_given_a_hold_when_released_then_its_units_are_available_again(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 3)))
    answer = await changed(ledger, release("r"))
    assert answer.reservation.state == "released"
    assert answer.availability[0].available == 5


async def test_given_a_hold_when_released_in_parts_then_each_part_comes_back(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 3)))
    assert counters((await changed(ledger, release("r", (1, 1)))).reservation) == [(2, 0, 0, 1, 0)]
    last = (await changed(ledger, release("r", (1, 2)))).reservation
    assert (last.state, counters(last)) == ("released", [(0, 0, 0, 3, 0)])


async def test_given_a_part_released_when_the_rest_is_committed_then_only_the_rest_is_ordered(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 3)))
    await changed(ledger, release("r", (1, 1)))
    assert counters((await changed(ledger, commit("r"))).reservation) == [(0, 2, 0, 1, 0)]


@pytest.mark.parametrize("operation", [extend("r", 1000), release("r"), commit("r")])
async def test_given_a_committed_reservation_when_treated_as_a_hold_then_it_is_already_committed(
    ledger: Ledger, operation: AnOperation
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("r", ("A", 2)))
    assert await refused(ledger, operation) == Refused("already_committed", "committed", [])


@pytest.mark.parametrize("operation", [extend("r", 1000), release("r"), commit("r")])
async def test_given_a_released_reservation_when_treated_as_a_hold_then_it_is_already_released(
    ledger: Ledger, operation: AnOperation
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 2)))
    await changed(ledger, release("r"))
    assert await refused(ledger, operation) == Refused("already_released", "released", [])


@pytest.mark.parametrize("operation", [extend("r", 1000), release("r"), commit("r")])
async def test_given_a_shipped_reservation_when_treated_as_a_hold_then_it_is_already_committed(
    ledger: Ledger, operation: AnOperation
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("r", ("A", 2)))
    await changed(ledger, fulfil("r"))
    assert await refused(ledger, operation) == Refused("already_committed", "fulfilled", [])


@pytest.mark.parametrize("operation", [extend("r", 1000), release("r"), commit("r")])
async def test_given_a_cancelled_order_when_treated_as_a_hold_then_nothing_is_held(
    ledger: Ledger, operation: AnOperation
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("r", ("A", 2)))
    await changed(ledger, cancel("r"))
    assert await refused(ledger, operation) == Refused("not_held", "cancelled", [])


@pytest.mark.parametrize("operation", [cancel("r"), fulfil("r")])
async def test_given_a_hold_when_treated_as_an_order_then_nothing_is_committed(
    ledger: Ledger, operation: AnOperation
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 2)))
    assert await refused(ledger, operation) == Refused("not_committed", "held", [])


async def test_given_an_order_when_cancelled_then_its_units_are_available_and_the_reason_is_noted(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("r", ("A", 2)))
    reservation = (await changed(ledger, cancel("r", reason="fraud"))).reservation
    assert (reservation.state, reservation.notes) == ("cancelled", [("cancel_reason", "fraud")])
    assert await available(ledger, "A") == 5


async def test_given_an_order_when_a_line_is_cancelled_then_the_other_stays_ordered(ledger: Ledger) -> None:
    await stocked(ledger, A=5, B=5)
    await changed(ledger, order("r", ("A", 2), ("B", 1)))
    reservation = (await changed(ledger, cancel("r", (1, 2)))).reservation
    assert (reservation.state, counters(reservation)) == ("committed", [(0, 0, 0, 2, 0), (0, 1, 0, 0, 0)])


@pytest.mark.parametrize("operation", [cancel("r", (1, 3)), fulfil("r", (1, 3))])
async def test_given_an_order_when_more_is_asked_than_is_ordered_then_it_is_refused_whole(
    ledger: Ledger, operation: AnOperation
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("r", ("A", 2)))
    answer = await refused(ledger, operation)
    assert answer == Refused("exceeds_remaining", "committed", [LineRefusal(1, "A", "main", 3, 2)])


async def test_given_an_order_when_fulfilled_then_units_leave_the_building_and_availability_stays(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("r", ("A", 2)))
    answer = await changed(ledger, fulfil("r"))
    shelf = await level(ledger, "A")
    assert (answer.reservation.state, answer.availability[0].available) == ("fulfilled", 3)
    assert (shelf.on_hand, shelf.committed) == (3, 0)


async def test_given_an_order_when_shipped_in_several_parcels_then_each_leaves_its_notes(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("r", ("A", 3)))
    first = await changed(ledger, fulfil("r", (1, 1), tracking="T1", carrier="PTT"))
    assert (first.reservation.state, counters(first.reservation)) == ("committed", [(0, 2, 1, 0, 0)])
    last = await changed(ledger, fulfil("r", tracking="T2", invoice_ref="F-1"))
    assert last.reservation.state == "fulfilled"
    assert last.reservation.notes == [
        ("tracking", "T1"),
        ("carrier", "PTT"),
        ("parcel", "1:1"),
        ("tracking", "T2"),
        ("invoice_ref", "F-1"),
        ("parcel", "1:2"),
    ]


async def test_given_a_part_shipped_when_the_rest_is_cancelled_then_it_counts_as_fulfilled(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("r", ("A", 3)))
    await changed(ledger, fulfil("r", (1, 1)))
    reservation = (await changed(ledger, cancel("r"))).reservation
    assert (reservation.state, counters(reservation)) == ("fulfilled", [(0, 0, 1, 2, 0)])


async def test_given_a_shipped_order_when_fulfilled_again_then_nothing_is_committed(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("r", ("A", 3)))
    await changed(ledger, fulfil("r"))
    assert await refused(ledger, fulfil("r")) == Refused("not_committed", "fulfilled", [])


async def test_given_an_overdue_hold_when_committed_while_units_are_there_then_they_are_taken_anew(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    await expired(ledger, client, "r", ("A", 3))
    reservation = (await changed(ledger, commit("r"))).reservation
    assert (reservation.state, counters(reservation)) == ("committed", [(0, 3, 0, 0, 0)])
    assert await available(ledger, "A") == 2


async def test_given_an_overdue_hold_when_committed_after_its_units_are_gone_then_it_is_expired(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5, B=5)
    await expired(ledger, client, "r", ("B", 1), ("A", 3))
    await changed(ledger, reserve("other", ("A", 4)))
    answer = await refused(ledger, commit("r"))
    assert answer == Refused("expired", "expired", [LineRefusal(2, "A", "main", 3, 1)])
    assert await available(ledger, "B") == 5


async def test_given_an_overdue_hold_when_a_line_with_units_is_committed_then_only_that_is_ordered(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5, B=5)
    await expired(ledger, client, "r", ("B", 1), ("A", 3))
    await changed(ledger, reserve("other", ("A", 4)))
    reservation = (await changed(ledger, commit("r", (1, 1)))).reservation
    assert (reservation.state, counters(reservation)) == ("committed", [(0, 1, 0, 0, 0), (0, 0, 0, 0, 3)])


async def test_given_a_late_commit_that_was_refused_when_units_come_then_it_succeeds(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=3)
    await expired(ledger, client, "r", ("A", 3))
    await changed(ledger, reserve("other", ("A", 3)))
    await refused(ledger, commit("r"))
    await changed(ledger, release("other"))
    assert (await changed(ledger, commit("r"))).reservation.state == "committed"


async def test_given_a_late_commit_when_it_asks_for_more_than_expired_then_it_is_refused(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    await expired(ledger, client, "r", ("A", 3))
    answer = await refused(ledger, commit("r", (1, 4)))
    assert answer == Refused("exceeds_remaining", "expired", [LineRefusal(1, "A", "main", 4, 3)])


@pytest.mark.parametrize("operation", [extend("r", 1000), release("r")])
async def test_given_an_overdue_hold_when_treated_as_a_hold_then_it_is_expired(
    ledger: Ledger, client: Redis, operation: AnOperation
) -> None:
    await stocked(ledger, A=5)
    await expired(ledger, client, "r", ("A", 3))
    assert await refused(ledger, operation) == Refused("expired", "expired", [])


@pytest.mark.parametrize("operation", [cancel("r"), fulfil("r")])
async def test_given_an_overdue_hold_when_treated_as_an_order_then_nothing_is_committed(
    ledger: Ledger, client: Redis, operation: AnOperation
) -> None:
    await stocked(ledger, A=5)
    await expired(ledger, client, "r", ("A", 3))
    assert await refused(ledger, operation) == Refused("not_committed", "expired", [])


async def test_given_a_late_commit_when_it_is_shipped_then_it_ends_like_any_order(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    await expired(ledger, client, "r", ("A", 3))
    await changed(ledger, commit("r"))
    assert (await changed(ledger, fulfil("r"))).reservation.state == "fulfilled"
    assert (await level(ledger, "A")).on_hand == 2


async def test_given_a_reservation_that_ended_and_came_back_when_forgetting_is_due_then_it_is_not_marked(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    await expired(ledger, client, "r", ("A", 3))
    await refused(ledger, release("r"))
    assert await client.hexists(ledger.keyspace.ended, "r")
    await changed(ledger, commit("r"))
    assert await client.hexists(ledger.keyspace.reservations, "r")
    assert not await client.hexists(ledger.keyspace.ended, "r")
    assert await client.zscore(ledger.keyspace.all[6], "rr") is None
