"""reserve and order: units are reserved while they are there."""

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.changes import ChangeLine
from server.domain.limits import LINES_MAX
from server.domain.operations.stock import Bucket
from server.domain.reservation import Changed
from server.store.journal.journal import read
from server.store.ledger.ledger import Ledger
from tests.conftest import now_ms
from tests.support.operations import (
    adjust,
    available,
    changed,
    count,
    level,
    moved,
    order,
    receive,
    refused,
    reserve,
    stocked,
)


def left(answer: Changed) -> list[tuple[str, int, int]]:
    """(SKU, available, seq) after each line was served."""
    return [(line.sku, line.first_available, line.first_seq) for line in answer.reservation.lines]


async def test_given_enough_units_when_reserved_then_they_are_held_and_no_longer_available(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    answer = await changed(ledger, reserve("r", ("A", 3)))
    line = answer.reservation.lines[0]
    assert (answer.reservation.state, line.quantity, line.requested, line.held) == ("held", 3, 3, 3)
    assert (await level(ledger, "A")).held == 3
    assert await available(ledger, "A") == 2


async def test_given_a_ttl_when_reserved_then_the_deadline_is_counted_on_the_stores_clock(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    before_ms = await now_ms(client)
    reservation = (await changed(ledger, reserve("r", ("A", 1), ttl_ms=1234))).reservation
    assert before_ms <= reservation.created_ms <= await now_ms(client)
    assert reservation.deadline_ms == reservation.created_ms + 1234
    assert reservation.ttl_ms == 1234


async def test_given_references_and_flags_when_reserved_then_the_reservation_keeps_them(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    wanted = reserve("r", ("A", 1), channel="n11", order_ref="o-7", customer_ref="Ayşe", flags=["vip", "gift"])
    await changed(ledger, wanted)
    kept = (await ledger.reservation("r")).reservation
    assert kept is not None
    assert (kept.channel, kept.order_ref, kept.customer_ref, kept.flags) == ("n11", "o-7", "Ayşe", ["vip", "gift"])
    assert (kept.actor, kept.fingerprint) == ("tester", wanted.fingerprint)


@pytest.mark.parametrize("length", [1, 15, 16, 31, 32, 64])
@pytest.mark.parametrize("lines", [1, 15, 16, LINES_MAX])
async def test_given_names_and_lines_of_any_size_when_reserved_then_record_and_journal_keep_them(
    ledger: Ledger, client: Redis, length: int, lines: int
) -> None:
    """Both are put together byte by byte, and MessagePack writes short and long things in different ways."""
    name = "x" * length
    sku, units = "s" * 2 * length, 300
    await moved(ledger, receive(sku, lines * units, name))
    wanted = reserve(name, *[(sku, units, name)] * lines, channel=name, order_ref="o" * 4 * length)
    answer = (await changed(ledger, wanted)).reservation
    assert [(line.sku, line.location, line.held) for line in answer.lines] == [(sku, name, units)] * lines
    assert (answer.channel, answer.order_ref, answer.seq) == (name, "o" * 4 * length, lines + 1)
    assert (await ledger.reservation(name)).reservation == answer
    (_, [_]), (_, [change]) = [entry async for entry in read(client, ledger.keyspace)]
    assert (change.reservation_id, change.channel, len(change.lines)) == (name, name, lines)
    assert change.lines[-1] == ChangeLine(lines, sku, name, 0, units, 0, 0, 0, 0, 0, lines + 1)


async def test_given_several_lines_when_reserved_then_availability_and_seq_are_returned_for_each(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=5, B=2)
    answer = await changed(ledger, reserve("r", ("A", 2), ("B", 2)))
    assert left(answer) == [("A", 3, 3), ("B", 0, 4)]
    assert answer.reservation.seq == 4


async def test_given_one_unit_too_few_when_reserved_then_it_is_refused_with_what_there_is(ledger: Ledger) -> None:
    await stocked(ledger, A=2)
    answer = await refused(ledger, reserve("r", ("A", 3)))
    assert answer == Refused("out_of_stock", "", [LineRefusal(1, "A", "main", 3, 2)])


async def test_given_one_short_line_of_two_when_reserved_then_nothing_is_held_of_either(ledger: Ledger) -> None:
    await stocked(ledger, A=5, B=1)
    answer = await refused(ledger, reserve("r", ("A", 2), ("B", 2)))
    assert answer.lines == [LineRefusal(2, "B", "main", 2, 1)]
    assert (await level(ledger, "A")).held == 0
    assert (await ledger.reservation("r")).reservation is None


async def test_given_lines_of_one_sku_when_reserved_then_their_sum_must_be_there(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    answer = await refused(ledger, reserve("r", ("A", 3), ("A", 3)))
    assert answer == Refused("out_of_stock", "", [LineRefusal(2, "A", "main", 3, 2)])


async def test_given_lines_of_one_sku_that_fit_when_reserved_then_each_holds_its_own(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    answer = await changed(ledger, reserve("r", ("A", 3), ("A", 2)))
    assert [line.held for line in answer.reservation.lines] == [3, 2]
    assert left(answer) == [("A", 2, 2), ("A", 0, 3)]


async def test_given_an_unknown_sku_when_reserved_then_the_line_is_named(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    answer = await refused(ledger, reserve("r", ("A", 1), ("nowhere", 4)))
    assert answer == Refused("unknown_sku", "", [LineRefusal(2, "nowhere", "main", 4, 0)])


async def test_given_a_sku_at_another_location_when_reserved_here_then_it_is_unknown_here(ledger: Ledger) -> None:
    await moved(ledger, receive("A", 5, "shop"))
    answer = await refused(ledger, reserve("r", ("A", 1, "main")))
    assert answer.outcome == "unknown_sku"


async def test_given_units_at_two_locations_when_reserved_at_one_then_the_other_keeps_its_units(ledger: Ledger) -> None:
    await moved(ledger, receive("A", 5, "main"))
    await moved(ledger, receive("A", 5, "shop"))
    await changed(ledger, reserve("r", ("A", 4, "shop")))
    assert await available(ledger, "A", "main") == 5
    assert await available(ledger, "A", "shop") == 1


@pytest.mark.parametrize("sku", ["Ayakkabı 42/Siyah", "ȘOSETE\t", "{x}", "a" * 128, "'\"\\"])
async def test_given_a_sku_of_any_shape_when_reserved_then_it_comes_back_as_it_was(ledger: Ledger, sku: str) -> None:
    await moved(ledger, receive(sku, 5))
    answer = await changed(ledger, reserve("r", (sku, 2)))
    assert left(answer) == [(sku, 3, 2)]


async def test_given_the_largest_quantity_when_reserved_then_it_is_exact(ledger: Ledger) -> None:
    await moved(ledger, receive("A", 1_000_000_000))
    await moved(ledger, receive("A", 1_000_000_000))
    answer = await changed(ledger, reserve("r", ("A", 1_000_000_000)))
    assert answer.reservation.lines[0].held == 1_000_000_000
    assert await available(ledger, "A") == 1_000_000_000


async def test_given_a_hundred_lines_when_reserved_then_all_are_held(ledger: Ledger) -> None:
    skus = [f"sku-{n}" for n in range(100)]
    for sku in skus:
        await moved(ledger, receive(sku, 1))
    answer = await changed(ledger, reserve("r", *((sku, 1) for sku in skus)))
    assert [line.sku for line in answer.reservation.lines] == skus


@pytest.mark.parametrize("bucket", [Bucket.DAMAGED, Bucket.QUALITY_CONTROL, Bucket.SAFETY])
async def test_given_units_set_aside_when_reserved_then_they_are_left(ledger: Ledger, bucket: Bucket) -> None:
    await stocked(ledger, A=3)
    await moved(ledger, adjust("A", bucket, 1))
    assert (await refused(ledger, reserve("r", ("A", 3)))).lines[0].available == 2
    await changed(ledger, reserve("r", ("A", 2)))


async def test_given_a_shortage_when_reserved_then_none_is_said_to_be_available_not_less(ledger: Ledger) -> None:
    await stocked(ledger, A=1)
    await moved(ledger, count("A", safety=3))
    assert (await refused(ledger, reserve("r", ("A", 1)))).lines == [LineRefusal(1, "A", "main", 1, 0)]


async def test_given_too_few_units_when_partially_reserved_then_it_holds_what_there_is(ledger: Ledger) -> None:
    await stocked(ledger, A=2, B=5)
    answer = await changed(ledger, reserve("r", ("A", 3), ("B", 3), partial=True))
    assert [(line.requested, line.quantity, line.held) for line in answer.reservation.lines] == [(3, 2, 2), (3, 3, 3)]


async def test_given_one_line_without_units_when_partially_reserved_then_it_holds_none_of_it(ledger: Ledger) -> None:
    await stocked(ledger, A=1, B=1)
    await changed(ledger, reserve("first", ("A", 1)))
    answer = await changed(ledger, reserve("r", ("A", 3), ("B", 1), partial=True))
    assert [line.held for line in answer.reservation.lines] == [0, 1]


async def test_given_lines_of_one_sku_when_partially_reserved_then_the_first_is_served_first(ledger: Ledger) -> None:
    await stocked(ledger, A=4)
    answer = await changed(ledger, reserve("r", ("A", 3), ("A", 3), partial=True))
    assert [line.held for line in answer.reservation.lines] == [3, 1]


async def test_given_no_units_at_all_when_partially_reserved_then_it_is_out_of_stock(ledger: Ledger) -> None:
    await stocked(ledger, A=1)
    await changed(ledger, reserve("first", ("A", 1)))
    answer = await refused(ledger, reserve("r", ("A", 3), partial=True))
    assert answer == Refused("out_of_stock", "", [LineRefusal(1, "A", "main", 3, 0)])


async def test_given_an_id_without_protection_when_reserved_then_it_is_held_like_any_other(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, msgspec.structs.replace(reserve("r", ("A", 2)), fingerprint=""))
    assert (await level(ledger, "A")).held == 2


async def test_given_units_when_ordered_then_they_are_committed_at_once_without_a_deadline(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    reservation = (await changed(ledger, order("o", ("A", 2)))).reservation
    assert (reservation.state, reservation.deadline_ms, reservation.ttl_ms) == ("committed", 0, 0)
    assert (reservation.lines[0].held, reservation.lines[0].committed) == (0, 2)
    assert (await level(ledger, "A")).committed == 2


async def test_given_too_few_units_when_ordered_then_it_is_refused(ledger: Ledger) -> None:
    await stocked(ledger, A=1)
    answer = await refused(ledger, order("o", ("A", 2)))
    assert answer == Refused("out_of_stock", "", [LineRefusal(1, "A", "main", 2, 1)])


async def test_given_too_few_units_when_partially_ordered_then_it_commits_what_there_is(ledger: Ledger) -> None:
    await stocked(ledger, A=1)
    answer = await changed(ledger, order("o", ("A", 2), partial=True))
    assert (answer.reservation.lines[0].requested, answer.reservation.lines[0].committed) == (2, 1)


async def test_given_too_few_units_when_a_shortage_is_accepted_then_availability_falls_below_zero(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=1)
    answer = await changed(ledger, order("o", ("A", 3), accept_shortage=True))
    assert answer.reservation.lines[0].committed == 3
    assert left(answer) == [("A", -2, 2)]


async def test_given_a_shortage_when_it_comes_and_goes_then_meta_counts_its_units(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1)
    await changed(ledger, order("o", ("A", 3), accept_shortage=True))
    assert await client.hget(ledger.keyspace.meta, "shortage") == b"2"
    await moved(ledger, receive("A", 5))
    assert await client.hget(ledger.keyspace.meta, "shortage") == b"0"


async def test_given_a_batch_of_mixed_fates_when_it_runs_then_each_stands_alone(ledger: Ledger) -> None:
    await stocked(ledger, A=3)
    wanted = [reserve("1", ("A", 2)), reserve("2", ("A", 2)), reserve("3", ("X", 1)), reserve("4", ("A", 1))]
    answers = await asyncio.gather(*(ledger.run(each) for each in wanted))
    assert [getattr(answer, "outcome", "held") for answer in answers] == ["held", "out_of_stock", "unknown_sku", "held"]
    assert await available(ledger, "A") == 0
