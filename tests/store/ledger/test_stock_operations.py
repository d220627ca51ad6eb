"""receive, adjust, count: the shelf as it is; and the journal entry that each change leaves."""

import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.operations.stock import Bucket
from server.store.ledger.ledger import Ledger
from tests.conftest import now_ms, wait_past
from tests.support.operations import (
    SHORT_MS,
    AnOperation,
    adjust,
    available,
    cancel,
    changed,
    commit,
    count,
    extend,
    fulfil,
    level,
    moved,
    order,
    receive,
    refused,
    release,
    reserve,
    stocked,
)
from tests.support.replay import Change, ChangeLine, read_journal

ON_HAND_LOG_MAX = 200
"""As in lua/lib/on_hand_log.lua."""


async def last_change(ledger: Ledger, client: Redis) -> Change:
    _, entry = (await read_journal(client, ledger.keyspace.journal))[-1]
    return entry[-1]


async def test_given_an_unknown_sku_when_units_arrive_then_it_is_known_there(ledger: Ledger) -> None:
    answer = await moved(ledger, receive("A", 5, "shop"))
    assert (answer.level.location, answer.level.on_hand, answer.level.seq) == ("shop", 5, 1)
    assert [each.location for each in (await ledger.availability(["A"])).skus[0]] == ["shop"]


async def test_given_a_known_sku_when_units_arrive_then_they_are_added(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    assert (await moved(ledger, receive("A", 2))).level.on_hand == 7


async def test_given_units_at_several_locations_when_read_then_each_is_returned(ledger: Ledger) -> None:
    await moved(ledger, receive("A", 5, "main"))
    await moved(ledger, receive("A", 2, "shop"))
    assert [(each.location, each.available) for each in (await ledger.availability(["A"])).skus[0]] == [
        ("main", 5),
        ("shop", 2),
    ]
    assert [each.location for each in (await ledger.availability(["A"], "shop")).skus[0]] == ["shop"]


async def test_given_an_unknown_sku_when_read_then_it_is_nowhere(ledger: Ledger) -> None:
    assert (await ledger.availability(["A"])).skus[0] == []
    assert (await ledger.stock("A")).levels == []


@pytest.mark.parametrize("bucket", [Bucket.ON_HAND, Bucket.DAMAGED, Bucket.QUALITY_CONTROL, Bucket.SAFETY])
async def test_given_a_bucket_when_adjusted_then_it_changes_by_that_much(ledger: Ledger, bucket: Bucket) -> None:
    await stocked(ledger, A=5)
    before = getattr(await level(ledger, "A"), bucket)
    await moved(ledger, adjust("A", bucket, 2))
    assert getattr((await moved(ledger, adjust("A", bucket, -1))).level, bucket) == before + 1


async def test_given_an_unknown_sku_when_adjusted_then_it_is_refused(ledger: Ledger) -> None:
    answer = await refused(ledger, adjust("A", Bucket.DAMAGED, -2))
    assert answer == Refused("unknown_sku", "", [LineRefusal(1, "A", "main", 2, 0)])


async def test_given_fewer_units_when_adjusted_below_zero_then_it_is_refused(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    answer = await refused(ledger, adjust("A", Bucket.ON_HAND, -6))
    assert answer == Refused("exceeds_remaining", "", [LineRefusal(1, "A", "main", 6, 5)])


async def test_given_held_units_when_reality_takes_them_then_the_shortage_is_recorded(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 4)))
    assert (await moved(ledger, adjust("A", Bucket.ON_HAND, -3))).level.available == -2
    assert await client.hget(ledger.keyspace.meta, "shortage") == b"2"


async def test_given_a_count_when_it_is_taken_then_on_hand_is_what_was_counted(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    assert (await moved(ledger, count("A", 3))).level.on_hand == 3


async def test_given_an_unknown_sku_when_counted_as_none_then_it_is_known_with_none(ledger: Ledger) -> None:
    answer = await moved(ledger, count("A", 0))
    assert (answer.level.on_hand, answer.level.seq) == (0, 1)
    assert (await refused(ledger, reserve("r", ("A", 1)))).outcome == "out_of_stock"


async def test_given_what_is_already_so_when_counted_then_nothing_changes(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, A=5)
    before = await client.xlen(ledger.keyspace.journal)
    answer = await moved(ledger, count("A", 5, safety=0))
    assert answer.level.seq == 1
    assert await client.xlen(ledger.keyspace.journal) == before


async def test_given_a_safety_stock_when_counted_then_it_is_not_available(ledger: Ledger) -> None:
    answer = await moved(ledger, count("A", 5, safety=2))
    assert (answer.level.safety, answer.level.available) == (2, 3)


async def test_given_only_a_safety_stock_when_counted_then_on_hand_stays(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    answer = await moved(ledger, count("A", safety=2))
    assert (answer.level.on_hand, answer.level.safety) == (5, 2)


async def test_given_only_on_hand_when_counted_then_the_safety_stock_stays(ledger: Ledger) -> None:
    await moved(ledger, count("A", 5, safety=2))
    assert (await moved(ledger, count("A", 9))).level.safety == 2


async def test_given_units_received_since_the_baseline_when_counted_then_they_are_added(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    baseline_seq = (await level(ledger, "A")).seq
    await moved(ledger, receive("A", 5))
    assert (await moved(ledger, count("A", 8, baseline_seq=baseline_seq))).level.on_hand == 13


async def test_given_units_shipped_since_the_baseline_when_counted_then_they_are_taken_off(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    await changed(ledger, order("o", ("A", 4)))
    baseline_seq = (await level(ledger, "A")).seq
    await changed(ledger, fulfil("o", (1, 3)))
    assert (await moved(ledger, count("A", 10, baseline_seq=baseline_seq))).level.on_hand == 7


async def test_given_units_received_and_shipped_since_when_counted_then_both_are_reckoned(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    await changed(ledger, order("o", ("A", 4)))
    baseline_seq = (await level(ledger, "A")).seq
    await moved(ledger, receive("A", 5))
    await changed(ledger, fulfil("o"))
    await moved(ledger, adjust("A", Bucket.ON_HAND, -1))
    assert (await moved(ledger, count("A", 9, baseline_seq=baseline_seq))).level.on_hand == 9


async def test_given_reservations_made_since_the_baseline_when_counted_then_they_do_not_matter(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    baseline_seq = (await level(ledger, "A")).seq
    await changed(ledger, reserve("r", ("A", 3)))
    assert (await moved(ledger, count("A", 8, baseline_seq=baseline_seq))).level.on_hand == 8


async def test_given_movements_elsewhere_since_the_baseline_when_counted_then_they_do_not_matter(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=10)
    await moved(ledger, receive("A", 10, "shop"))
    baseline_seq = (await level(ledger, "A", "shop")).seq
    await stocked(ledger, B=7)
    await moved(ledger, receive("A", 7, "shop"))
    assert (await moved(ledger, count("A", 8, baseline_seq=baseline_seq))).level.on_hand == 8


async def test_given_more_shipped_since_than_counted_when_counted_then_on_hand_is_zero_not_less(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=10)
    await changed(ledger, order("o", ("A", 5)))
    baseline_seq = (await level(ledger, "A")).seq
    await changed(ledger, fulfil("o"))
    assert (await moved(ledger, count("A", 2, baseline_seq=baseline_seq))).level.on_hand == 0


async def test_given_an_earlier_count_since_the_baseline_when_counted_then_its_correction_is_not_lost(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=10)
    baseline_seq = (await level(ledger, "A")).seq
    await moved(ledger, receive("A", 1))
    await moved(ledger, receive("A", 1))
    assert (await moved(ledger, count("A", 10, baseline_seq=baseline_seq + 1))).level.on_hand == 11


async def test_given_a_baseline_that_was_never_given_out_when_counted_then_it_is_invalid(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    assert await refused(ledger, count("A", 5, baseline_seq=2)) == Refused("invalid", "", [])


async def test_given_a_baseline_for_a_sku_not_known_then_when_counted_the_figure_holds(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    assert (await moved(ledger, count("B", 5, baseline_seq=1))).level.on_hand == 5


async def test_given_as_many_changes_as_are_kept_when_counted_then_the_baseline_still_holds(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    baseline_seq = (await level(ledger, "A")).seq
    for _ in range(ON_HAND_LOG_MAX):
        await moved(ledger, receive("A", 1))
    assert (await moved(ledger, count("A", 10, baseline_seq=baseline_seq))).level.on_hand == 10 + ON_HAND_LOG_MAX


async def test_given_more_changes_than_are_kept_when_counted_then_the_baseline_is_too_old(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    baseline_seq = (await level(ledger, "A")).seq
    for _ in range(ON_HAND_LOG_MAX + 1):
        await moved(ledger, receive("A", 1))
    answer = await refused(ledger, count("A", 10, baseline_seq=baseline_seq))
    assert answer == Refused("baseline_expired", "", [])
    assert (await moved(ledger, count("A", 10, baseline_seq=baseline_seq + 1))).level.on_hand == 10 + ON_HAND_LOG_MAX


async def test_given_any_change_when_written_then_the_journal_says_who_when_and_what(
    ledger: Ledger, client: Redis
) -> None:
    before_ms = await now_ms(client)
    await moved(ledger, receive("A", 5, "shop", reason="delivery 7"))
    change = await last_change(ledger, client)
    assert before_ms <= change.at_ms <= await now_ms(client)
    assert change == Change(
        operation="receive",
        at_ms=change.at_ms,
        actor="tester",
        channel="",
        reservation_id="",
        state="",
        lines=[ChangeLine(0, "A", "shop", 5, 0, 0, 0, 0, 0, available=5, seq=1)],
        notes=[("reason", "delivery 7"), ("new_sku", "A")],
    )


async def test_given_a_reserve_when_written_then_the_journal_names_line_bucket_and_channel(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5, B=5)
    await changed(ledger, reserve("r", ("A", 2), ("B", 1), channel="n11", order_ref="o-1"))
    change = await last_change(ledger, client)
    assert (change.operation, change.channel, change.reservation_id, change.state) == ("reserve", "n11", "r", "held")
    assert change.lines == [
        ChangeLine(1, "A", "main", 0, 2, 0, 0, 0, 0, available=3, seq=3),
        ChangeLine(2, "B", "main", 0, 1, 0, 0, 0, 0, available=4, seq=4),
    ]
    assert change.notes == [("order_ref", "o-1")]


async def test_given_each_operation_when_written_then_the_journal_says_which_buckets_by_how_much(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=9)
    await changed(ledger, reserve("r", ("A", 4)))
    expected: list[tuple[AnOperation, str, str, tuple[int, int, int]]] = [
        (commit("r", (1, 1), keep=True), "commit", "held", (0, -1, 1)),
        (release("r", (1, 1)), "release", "held", (0, -1, 0)),
        (commit("r"), "commit", "committed", (0, -2, 2)),
        (cancel("r", (1, 1)), "cancel", "committed", (0, 0, -1)),
        (fulfil("r"), "fulfil", "fulfilled", (-2, 0, -2)),
    ]
    for operation, name, state, deltas in expected:
        await changed(ledger, operation)
        change = await last_change(ledger, client)
        line = change.lines[0]
        assert (change.operation, change.state, (line.on_hand, line.held, line.committed)) == (name, state, deltas)


async def test_given_an_extension_when_written_then_the_journal_says_until_when(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, A=9)
    await changed(ledger, reserve("r", ("A", 4), ttl_ms=1000))
    deadline_ms = (await changed(ledger, extend("r", 9_999_999))).reservation.deadline_ms
    change = await last_change(ledger, client)
    assert (change.lines, change.notes) == ([], [("deadline_ms", str(deadline_ms))])


async def test_given_an_expiry_when_written_then_the_journal_says_that_the_system_ended_it(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=9)
    held = await changed(ledger, reserve("r", ("A", 4), ttl_ms=SHORT_MS))
    await wait_past(client, held.reservation.deadline_ms)
    await refused(ledger, release("r"))
    change = await last_change(ledger, client)
    assert (change.operation, change.actor, change.state) == ("expire", "system", "expired")
    assert change.lines == [ChangeLine(1, "A", "main", 0, -4, 0, 0, 0, 0, available=9, seq=3)]
    assert await available(ledger, "A") == 9


async def test_given_a_refusal_when_nothing_expired_then_the_journal_stays_as_it_was(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=9)
    before = await client.xlen(ledger.keyspace.journal)
    await refused(ledger, reserve("r", ("A", 10)))
    await refused(ledger, adjust("A", Bucket.ON_HAND, -10))
    assert await client.xlen(ledger.keyspace.journal) == before
