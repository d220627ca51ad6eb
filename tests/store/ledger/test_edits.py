"""Edits: a hold or order changes its quantities in one step, and lets nothing go that it keeps."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.daily_figures import Figures
from server.domain.operations.stock import Bucket
from server.domain.reservation import Changed
from server.store.audit.audit import audit
from server.store.journal.journal import bounds, read
from server.store.ledger.ledger import Ledger
from server.store.repositories.skus import SkuStore
from tests.conftest import RETENTION, close_locations, now_ms, wait_past
from tests.support import operations as ops


def lines(answer: Changed) -> list[tuple[str, str, int, int, int]]:
    """Show of each line: SKU, location, quantity, held, committed."""
    return [(each.sku, each.location, each.quantity, each.held, each.committed) for each in answer.reservation.lines]


async def counter(client: Redis, ledger: Ledger, name: str) -> int:
    return int(await client.hget(ledger.keyspace.meta, name) or 0)


async def untrack(client: Redis, ledger: Ledger, sku: str) -> None:
    assert await SkuStore(client, ledger.keyspace, RETENTION.packed()).track(sku, "tester", tracked=False)


@pytest.fixture(autouse=True)
async def agrees(client: Redis, ledger: Ledger) -> AsyncIterator[None]:
    """After each test, buckets, reservations and journal agree."""
    yield
    report = await audit(client, ledger.keyspace)
    assert report.drift == []
    assert report.journal_complete


# -- raise, lower, add, drop


async def test_given_a_hold_when_edited_then_lines_are_raised_lowered_added_and_dropped_at_once(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, A=5, B=5, C=5, D=5)
    held = await ops.changed(ledger, ops.reserve("r", ("A", 2), ("B", 3), ("C", 1)))

    edited = await ops.changed(ledger, ops.edit("r", (1, 4), ("B", 1), (3, 0), ("D", 2)))

    assert lines(edited) == [
        ("A", "main", 4, 4, 0), ("B", "main", 1, 1, 0), ("C", "main", 0, 0, 0), ("D", "main", 2, 2, 0),
    ]  # fmt: skip
    assert (edited.reservation.state, edited.reservation.deadline_ms) == ("held", held.reservation.deadline_ms)
    assert {each.sku: each.available for each in edited.availability} == {"A": 1, "B": 4, "C": 5, "D": 3}


async def test_given_an_order_when_edited_then_units_are_committed_and_can_be_shipped(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=5, B=5)
    await ops.changed(ledger, ops.order("o", ("A", 2)))

    edited = await ops.changed(ledger, ops.edit("o", ("A", 3), ("B", 1)))
    shipped = await ops.changed(ledger, ops.fulfil("o"))

    assert lines(edited) == [("A", "main", 3, 0, 3), ("B", "main", 1, 0, 1)]
    assert shipped.reservation.state == "fulfilled"
    assert ((await ops.level(ledger, "A")).on_hand, (await ops.level(ledger, "B")).on_hand) == (2, 4)


async def test_given_one_element_that_cannot_be_when_edited_then_nothing_changes(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=5, B=1)
    await ops.changed(ledger, ops.reserve("r", ("A", 2)))
    before = await ledger.reservation("r")

    refused = await ops.refused(ledger, ops.edit("r", (1, 1), ("B", 2)))

    assert refused == Refused("out_of_stock", "held", [LineRefusal(2, "B", "main", 2, 1)])
    assert (await ledger.reservation("r")).reservation == before.reservation
    assert await ops.available(ledger, "A") == 3


async def test_given_the_last_unit_when_a_basket_keeps_it_and_changes_another_then_a_racer_never_gets_it(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, A=1, B=9)
    await ops.changed(ledger, ops.reserve("r", ("A", 1), ("B", 1)))

    async def edits() -> None:
        for units in range(2, 9):
            await ops.changed(ledger, ops.edit("r", ("A", 1), ("B", units)))

    async def race() -> list[Refused]:
        return [await ops.refused(ledger, ops.reserve(f"x{number}", ("A", 1))) for number in range(40)]

    _, refusals = await asyncio.gather(edits(), race())

    assert {each.outcome for each in refusals} == {"out_of_stock"}


async def test_given_units_that_one_line_loses_when_another_there_wants_them_then_it_has_them(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=3)
    await ops.changed(ledger, ops.reserve("r", ("A", 2), ("A", 1)))

    edited = await ops.changed(ledger, ops.edit("r", (1, 0), (2, 3)))

    assert lines(edited) == [("A", "main", 0, 0, 0), ("A", "main", 3, 3, 0)]


async def test_given_the_same_edit_twice_without_a_key_then_the_second_changes_nothing(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=9, B=9)
    await ops.changed(ledger, ops.reserve("r", ("A", 1)))
    operation = ops.edit("r", (1, 3), ("B", 2))
    first = await ops.changed(ledger, operation)
    entries = await client.xlen(ledger.keyspace.journal)

    second = await ops.changed(ledger, operation)

    assert second.reservation == first.reservation
    assert await client.xlen(ledger.keyspace.journal) == entries


async def test_given_a_key_when_the_edit_is_repeated_then_it_is_replayed_and_another_body_is_refused(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, A=9)
    await ops.changed(ledger, ops.reserve("r", ("A", 1)))
    operation = ops.edit("r", (1, 3), key="k")
    first = await ops.changed(ledger, operation)
    await ops.changed(ledger, ops.edit("r", (1, 2)))

    again = await ops.changed(ledger, operation)

    assert again == msgspec.structs.replace(first, replayed=True)
    assert (await ops.refused(ledger, ops.edit("r", (1, 4), key="k"))).outcome == "id_reused"
    assert await ops.available(ledger, "A") == 7


async def test_given_an_edited_reservation_when_it_is_made_again_then_the_first_answer_is_returned(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, A=9, B=9)
    made = ops.reserve("r", ("A", 4), ("B", 2))
    first = await ops.changed(ledger, made)
    await ops.changed(ledger, ops.edit("r", (1, 1), (2, 6)))

    again = await ops.changed(ledger, made)

    assert again.replayed
    assert [(each.quantity, each.requested, each.held) for each in again.reservation.lines] == [(4, 4, 4), (2, 2, 2)]
    assert msgspec.structs.replace(again.reservation, lines=[]) == msgspec.structs.replace(first.reservation, lines=[])


# -- what an edit may not do


@pytest.mark.parametrize(
    ("elements", "refusal"),
    [
        ([(3, 1)], ("exceeds_remaining", [ops.no_such_line(1, 2, 1)])),
        ([(1, 2), (1, 3)], ("named_twice", [LineRefusal(2, "A", "main", 3, 0)])),
        ([(1, 2), ("A", 3)], ("named_twice", [LineRefusal(2, "A", "", 3, 0)])),
        ([("A", 3), ("A", 1, "store")], ("named_twice", [LineRefusal(2, "A", "store", 1, 0)])),
        ([("C", 3), ("C", 1)], ("named_twice", [LineRefusal(2, "C", "", 1, 0)])),
        ([("A", 0), ("B", 0)], ("nothing_left", [])),
        ([("nobody", 1)], ("unknown_sku", [LineRefusal(1, "nobody", "main", 1, 0)])),
        ([("A", 1, "nowhere")], ("unknown_sku", [LineRefusal(1, "A", "nowhere", 1, 0)])),
        ([("A", 1, "shut")], ("location_closed", [LineRefusal(1, "A", "shut", 1, 0)])),
    ],
)
async def test_given_an_edit_that_cannot_be_then_its_refusal_says_why(
    client: Redis, ledger: Ledger, elements: list[tuple[int | str, int]], refusal: tuple[str, list[LineRefusal]]
) -> None:
    await ops.stocked(ledger, A=9, B=9, C=9)
    await ops.moved(ledger, ops.receive("A", 3, "shut"))
    await close_locations(client, ledger, "shut")
    await ops.changed(ledger, ops.reserve("r", ("A", 2), ("B", 1)))

    refused = await ops.refused(ledger, ops.edit("r", *elements))

    assert (refused.outcome, refused.lines) == refusal
    assert refused.state == "held"


async def test_given_shipped_and_returned_units_when_fewer_are_wanted_then_it_is_refused(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=9)
    await ops.changed(ledger, ops.order("o", ("A", 5)))
    await ops.changed(ledger, ops.fulfil("o", (1, 3)))
    await ops.changed(ledger, ops.take_back("o", (1, 2)))

    refused = await ops.refused(ledger, ops.edit("o", (1, 2)))
    least = await ops.changed(ledger, ops.edit("o", (1, 3)))

    assert refused == Refused("below_shipped", "committed", [LineRefusal(1, "A", "main", 2, 3)])
    assert (least.reservation.state, least.reservation.lines[0].returned) == ("fulfilled", 2)


async def test_given_a_shipped_order_when_units_are_added_then_it_is_an_order_again(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=9)
    await ops.changed(ledger, ops.order("o", ("A", 2)))
    await ops.changed(ledger, ops.fulfil("o"))

    more = await ops.changed(ledger, ops.edit("o", ("A", 3)))

    assert (more.reservation.state, lines(more)) == ("committed", [("A", "main", 3, 0, 1)])
    assert await client.hexists(ledger.keyspace.reservations, "o")
    assert not await client.hexists(ledger.keyspace.ended, "o")


@pytest.mark.parametrize(("ending", "outcome"), [(ops.release("r"), "already_released"), (ops.cancel("r"), "not_held")])
async def test_given_an_ended_reservation_when_edited_then_it_stays_ended(
    ledger: Ledger, ending: ops.AnOperation, outcome: str
) -> None:
    await ops.stocked(ledger, A=9)
    made = ops.reserve("r", ("A", 2)) if outcome == "already_released" else ops.order("r", ("A", 2))
    await ops.changed(ledger, made)
    await ops.changed(ledger, ending)

    assert (await ops.refused(ledger, ops.edit("r", ("A", 1)))).outcome == outcome


async def test_given_a_hold_past_its_deadline_when_edited_then_it_has_expired(client: Redis, ledger: Ledger) -> None:
    await ops.stocked(ledger, A=9)
    held = await ops.changed(ledger, ops.reserve("r", ("A", 2), ttl_ms=ops.SHORT_MS))
    await wait_past(client, held.reservation.deadline_ms)

    assert (await ops.refused(ledger, ops.edit("r", ("A", 1)))).outcome == "expired"
    assert await ops.available(ledger, "A") == 9


async def test_given_more_lines_than_a_reservation_can_have_when_edited_then_it_is_refused(ledger: Ledger) -> None:
    skus = [f"S{number}" for number in range(201)]
    await ops.stocked(ledger, **dict.fromkeys(skus, 1))
    await ops.changed(ledger, ops.reserve("r", *((sku, 1) for sku in skus[:100])))
    await ops.changed(ledger, ops.edit("r", *((sku, 1) for sku in skus[100:200])))

    refused = await ops.refused(ledger, ops.edit("r", (skus[200], 1)))

    assert refused.outcome == "too_many_lines"


# -- deadlines


async def test_given_a_hold_when_edited_with_a_ttl_then_the_deadline_moves_and_never_back(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=9)
    held = await ops.changed(ledger, ops.reserve("r", ("A", 2), ttl_ms=ops.HOUR_MS))

    later = await ops.changed(ledger, ops.edit("r", (1, 3), ttl_ms=2 * ops.HOUR_MS))
    same = await ops.changed(ledger, ops.edit("r", (1, 3), ttl_ms=1_000))

    assert later.reservation.deadline_ms > held.reservation.deadline_ms
    assert same.reservation.deadline_ms == later.reservation.deadline_ms


async def test_given_an_order_when_edited_with_a_ttl_then_it_is_refused(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=9)
    await ops.changed(ledger, ops.order("o", ("A", 2)))

    assert (await ops.refused(ledger, ops.edit("o", (1, 3), ttl_ms=1_000))).outcome == "already_committed"


# -- where further units come from


async def test_given_a_line_whose_place_has_the_units_when_its_sku_is_raised_then_it_keeps_its_place(
    ledger: Ledger,
) -> None:
    for place, units in (("main", 9), ("store", 4)):
        await ops.moved(ledger, ops.receive("A", units, place))
    await ops.changed(ledger, ops.reserve("r", ("A", 1, "store")))

    kept = await ops.changed(ledger, ops.edit("r", ("A", 4)))
    elsewhere = await ops.changed(ledger, ops.edit("r", ("A", 6)))

    assert lines(kept) == [("A", "store", 4, 4, 0)]
    assert lines(elsewhere) == [("A", "store", 4, 4, 0), ("A", "main", 2, 2, 0)]


async def test_given_lines_at_several_places_when_their_sku_is_lowered_then_the_last_line_loses_first(
    ledger: Ledger,
) -> None:
    for place in ("main", "store"):
        await ops.moved(ledger, ops.receive("A", 3, place))
    await ops.changed(ledger, ops.order("o", ("A", 2), ("A", 2, "store")))

    fewer = await ops.changed(ledger, ops.edit("o", ("A", 1)))
    there = await ops.changed(ledger, ops.edit("o", ("A", 3, "store")))

    assert lines(fewer) == [("A", "main", 1, 0, 1), ("A", "store", 0, 0, 0)]
    assert lines(there) == [("A", "main", 1, 0, 1), ("A", "store", 3, 0, 3)]


async def test_given_a_line_that_is_raised_by_its_number_when_its_place_is_short_then_it_is_refused(
    ledger: Ledger,
) -> None:
    for place, units in (("main", 9), ("store", 1)):
        await ops.moved(ledger, ops.receive("A", units, place))
    await ops.changed(ledger, ops.reserve("r", ("A", 1, "store")))

    refused = await ops.refused(ledger, ops.edit("r", (1, 3)))

    assert refused == Refused("out_of_stock", "held", [LineRefusal(1, "A", "store", 2, 0)])


async def test_given_units_of_an_expired_hold_when_a_line_wants_them_then_they_are_there(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=3)
    await ops.changed(ledger, ops.reserve("r", ("A", 1)))
    due = await ops.changed(ledger, ops.reserve("x", ("A", 2), ttl_ms=ops.SHORT_MS))
    await wait_past(client, due.reservation.deadline_ms)

    assert lines(await ops.changed(ledger, ops.edit("r", (1, 3)))) == [("A", "main", 3, 3, 0)]


async def test_given_units_of_another_channels_own_when_a_line_wants_them_then_it_is_refused(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=5)
    await ops.changed(ledger, ops.reserve("r", ("A", 1), channel="shop"))
    await ops.changed(ledger, ops.reserve("q", ("A", 1), channel="pazar"))
    seen = (await bounds(client, ledger.keyspace)).last_id
    await ops.moved(ledger, ops.allocate("A", "pazar", 3, counted=(seen, 1)))

    refused = await ops.refused(ledger, ops.edit("r", (1, 3)))
    more = await ops.changed(ledger, ops.edit("q", (1, 4)))

    assert refused == Refused("out_of_stock", "held", [LineRefusal(1, "A", "main", 2, 1)])
    assert lines(more) == [("A", "main", 4, 4, 0)]
    assert [each.used for each in (await ops.level(ledger, "A")).allocated] == [4]


# -- what waits, what is short, what has no stock


async def test_given_a_line_that_waits_when_lowered_then_what_is_not_there_is_dropped_first(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=2)
    await ops.moved(ledger, ops.backorder("A", 9))
    await ops.changed(ledger, ops.order("o", ("A", 5), backorder=True))

    fewer = await ops.changed(ledger, ops.edit("o", (1, 3)))
    none_wait = await ops.changed(ledger, ops.edit("o", (1, 1)))
    await ops.moved(ledger, ops.receive("A", 9))

    assert [(each.reservation.lines[0].committed, each.reservation.lines[0].owed) for each in (fewer, none_wait)] == [
        (2, 1), (1, 0),
    ]  # fmt: skip
    assert await client.zcard(ledger.keyspace.backorders) == 0
    assert await ops.available(ledger, "A") == 10


async def test_given_units_that_others_wait_for_when_a_line_is_lowered_then_they_go_to_them(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=3)
    await ops.moved(ledger, ops.backorder("A", 9))
    await ops.changed(ledger, ops.reserve("r", ("A", 3)))
    await ops.changed(ledger, ops.order("w", ("A", 2), backorder=True))

    await ops.changed(ledger, ops.edit("r", (1, 1)))
    waited = (await ledger.reservation("w")).reservation
    refused = await ops.refused(ledger, ops.edit("r", (1, 2)))

    assert waited is not None
    assert waited.lines[0].committed == 2
    assert refused.outcome == "out_of_stock"


async def test_given_a_hold_that_ends_for_an_edit_when_that_cuts_a_line_that_waits_then_its_units_are_not_cut_twice(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=3, B=5)
    await ops.moved(ledger, ops.backorder("A", 9))
    await ops.changed(ledger, ops.reserve("over", ("A", 3), ("B", 1), ttl_ms=ops.SHORT_MS))
    await ops.changed(ledger, ops.reserve("r", ("A", 3), ("B", 4), backorder=True))
    await wait_past(client, await now_ms(client) + ops.SHORT_MS)

    edited = await ops.changed(ledger, ops.edit("r", (1, 0), (2, 5)))

    assert [(each.held, each.waiting) for each in edited.reservation.lines] == [(0, 0), (5, 0)]
    assert (await ops.available(ledger, "A"), await ops.available(ledger, "B")) == (3, 0)


async def test_given_an_order_that_is_sold_already_when_raised_then_it_is_short_and_a_hold_is_refused(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=2)
    await ops.changed(ledger, ops.order("o", ("A", 2)))
    await ops.moved(ledger, ops.receive("B", 1))
    await ops.changed(ledger, ops.reserve("r", ("B", 1)))

    edited = await ops.changed(ledger, ops.edit("o", (1, 4), ("B", 2), accept_shortage=True))

    assert lines(edited) == [("A", "main", 4, 0, 4), ("B", "main", 2, 0, 2)]
    assert (await ops.available(ledger, "A"), await ops.available(ledger, "B")) == (-2, -2)
    assert await counter(client, ledger, "lacking") == 4
    assert (await ops.refused(ledger, ops.edit("r", (1, 2), accept_shortage=True))).outcome == "not_committed"


async def test_given_an_untracked_sku_when_edited_then_it_has_one_line_without_a_location(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=2)
    await untrack(client, ledger, "WRAP")
    await ops.changed(ledger, ops.reserve("r", ("A", 1)))

    await ops.changed(ledger, ops.edit("r", ("WRAP", 1)))
    await ops.changed(ledger, ops.edit("r", ("WRAP", 3, "main")))
    edited = await ops.changed(ledger, ops.edit("r", (2, 2)))

    assert lines(edited) == [("A", "main", 1, 1, 0), ("WRAP", "", 2, 2, 0)]
    assert edited.reservation.lines[1].mode == "untracked"


async def test_given_a_sku_that_was_untracked_when_raised_then_its_units_come_from_its_stock(
    client: Redis, ledger: Ledger
) -> None:
    await untrack(client, ledger, "WRAP")
    await ops.changed(ledger, ops.reserve("r", ("WRAP", 1)))
    await ops.stocked(ledger, WRAP=1)

    refused = await ops.refused(ledger, ops.edit("r", (1, 2)))
    edited = await ops.changed(ledger, ops.edit("r", ("WRAP", 2)))

    assert refused.outcome == "unknown_sku"
    assert lines(edited) == [("WRAP", "", 1, 1, 0), ("WRAP", "main", 1, 1, 0)]


async def test_given_an_unmapped_line_when_edited_then_its_units_stay_owed_until_it_is_mapped(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=9)
    await ops.changed(ledger, ops.order("o", ("A", 1), ("?", 2), accept_shortage=True))

    unmapped = await ops.refused(ledger, ops.edit("o", (2, 3)))
    more = await ops.changed(ledger, ops.edit("o", (2, 3), ("?!", 1), accept_shortage=True))
    again = await ops.changed(ledger, ops.edit("o", ("?", 3), ("?!", 1), accept_shortage=True))
    count = await counter(client, ledger, "unmapped")
    mapped = await ops.changed(ledger, ops.map_lines("o", (2, "A"), (3, "A")))

    assert unmapped.outcome == "line_unmapped"
    assert [(each.sku, each.owed, each.mode) for each in more.reservation.lines[1:]] == [
        ("?", 3, "unmapped"), ("?!", 1, "unmapped"),
    ]  # fmt: skip
    assert again.reservation == more.reservation
    assert count == 2
    assert lines(mapped) == [("A", "main", 1, 0, 1), ("A", "main", 3, 0, 3), ("A", "main", 1, 0, 1)]
    assert await counter(client, ledger, "unmapped") == 0


async def test_given_an_unmapped_line_that_is_dropped_when_it_is_raised_again_then_it_is_counted_once(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=9)
    await ops.changed(ledger, ops.order("o", ("A", 1), ("?", 2), accept_shortage=True))

    await ops.changed(ledger, ops.edit("o", (2, 0)))
    dropped = await counter(client, ledger, "unmapped")
    await ops.changed(ledger, ops.edit("o", (2, 1), accept_shortage=True))

    assert (dropped, await counter(client, ledger, "unmapped")) == (0, 1)


async def test_given_a_raised_line_when_mapped_to_its_own_sku_then_it_is_refused_as_before(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=9)
    await ops.changed(ledger, ops.order("o", ("A", 1)))
    await ops.changed(ledger, ops.edit("o", (1, 2)))

    assert (await ops.refused(ledger, ops.map_lines("o", (1, "A")))).outcome == "line_mapped"


# -- what others see


async def test_given_an_edited_order_then_its_journal_entry_is_counted_as_ordered_and_cancelled(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=9, B=9)
    await ops.changed(ledger, ops.order("o", ("A", 4), ("B", 1)))

    await ops.changed(ledger, ops.edit("o", (1, 1), (2, 3)))

    [change] = [entry async for _, entry in read(client, ledger.keyspace)][-1]
    figures = {line.sku: Figures() for line in change.lines}
    for line in change.lines:
        figures[line.sku].take(change.operation, line.d_on_hand, line.d_committed + line.d_owed)
    assert (change.operation, change.state, change.reservation_id) == ("edit", "committed", "o")
    assert (figures["A"], figures["B"]) == (Figures(cancelled=3), Figures(ordered=2))


async def test_given_safety_stock_when_a_line_is_raised_then_it_is_kept_back(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=5)
    await ops.moved(ledger, ops.adjust("A", Bucket.SAFETY, 3, reason="why"))
    await ops.changed(ledger, ops.reserve("r", ("A", 1)))

    assert (await ops.refused(ledger, ops.edit("r", (1, 3)))).outcome == "out_of_stock"
