"""Counts that arrive late, doubled or in another order: each holds as of when it was made."""

import asyncio
from typing import Final

import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.operations.stock import Bucket
from server.store.ledger.ledger import Ledger
from tests.conftest import now_ms
from tests.support.operations import (
    AnOperation,
    adjust,
    changed,
    count,
    extend,
    fulfil,
    level,
    moved,
    order,
    receive,
    refused,
    reserve,
    stocked,
)

DAY_MS: Final = 86_400_000


async def tick(client: Redis) -> int:
    """Return a time between what came before and what comes after."""
    await asyncio.sleep(0.01)
    time_ms = await now_ms(client)
    await asyncio.sleep(0.01)
    return time_ms


async def on_hand(ledger: Ledger, sku: str = "A") -> int:
    return (await level(ledger, sku)).on_hand


async def ship(ledger: Ledger, name: str, units: int) -> None:
    await changed(ledger, order(name, ("A", units)))
    await changed(ledger, fulfil(name))


async def test_given_a_count_that_comes_late_when_units_moved_since_then_they_are_added(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    counted_ms = await tick(client)
    await ship(ledger, "o", 3)
    await moved(ledger, receive("A", 5))
    await moved(ledger, adjust("A", Bucket.ON_HAND, -1, reason="torn"))
    await moved(ledger, count("A", 9, counted_ms=counted_ms))
    assert await on_hand(ledger) == 9 - 3 + 5 - 1


async def test_given_a_count_of_now_or_of_a_fast_clock_when_it_comes_then_it_is_taken_as_it_is(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    await moved(ledger, count("A", 7, counted_ms=await now_ms(client)))
    await moved(ledger, count("A", 8, counted_ms=await now_ms(client) + 50_000))
    assert await on_hand(ledger) == 8
    await moved(ledger, count("A", 9, counted_ms=await now_ms(client) + 1))
    assert await on_hand(ledger) == 9


async def test_given_a_time_too_far_ahead_when_counted_then_it_is_refused(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, A=10)
    ahead_ms = await now_ms(client) + 90_000
    assert await refused(ledger, count("A", 7, counted_ms=ahead_ms)) == Refused("ahead_of_clock", "", [])
    assert await on_hand(ledger) == 10


@pytest.mark.parametrize("difference", [0, 3])
@pytest.mark.parametrize("with_time", [False, True])
async def test_given_a_later_count_when_an_older_one_comes_then_it_is_refused(
    ledger: Ledger, client: Redis, with_time: bool, difference: int
) -> None:
    await stocked(ledger, A=10)
    older_ms = await tick(client)
    newer_ms = await tick(client)
    await moved(ledger, count("A", 10 + difference, counted_ms=newer_ms if with_time else -1))
    assert await refused(ledger, count("A", 4, counted_ms=older_ms)) == Refused("counted_since", "", [])
    assert await on_hand(ledger) == 10 + difference


async def test_given_two_late_counts_in_their_order_when_applied_then_the_correction_of_the_first_has_not_moved(
    ledger: Ledger, client: Redis
) -> None:
    """Both were made before either arrived: the second one says 9, and nothing has moved since."""
    await stocked(ledger, A=10)
    first_ms, second_ms = await tick(client), await tick(client)
    await moved(ledger, count("A", 8, counted_ms=first_ms))
    await moved(ledger, count("A", 9, counted_ms=second_ms))
    assert await on_hand(ledger) == 9
    await ship(ledger, "o", 2)
    await moved(ledger, count("A", 12, counted_ms=second_ms))
    assert await on_hand(ledger) == 10


async def test_given_two_counts_with_one_baseline_when_applied_then_the_second_number_stands(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    seq = (await level(ledger, "A")).seq
    await ship(ledger, "o", 1)
    await moved(ledger, count("A", 8, baseline_seq=seq))
    assert await on_hand(ledger) == 7
    await moved(ledger, count("A", 9, baseline_seq=seq))
    assert await on_hand(ledger) == 8


async def test_given_many_corrections_since_a_baseline_when_counted_then_the_oldest_are_forgotten_with_a_word(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=10)
    seq = (await level(ledger, "A")).seq
    for number in range(21):
        await moved(ledger, count("A", 20 + number, baseline_seq=seq))
    assert await refused(ledger, count("A", 5, baseline_seq=seq)) == Refused("baseline_expired", "", [])


async def test_given_a_first_count_when_an_older_one_comes_then_it_is_refused(ledger: Ledger, client: Redis) -> None:
    older_ms = await tick(client)
    await moved(ledger, count("A", 10))
    assert await refused(ledger, count("A", 4, counted_ms=older_ms)) == Refused("counted_since", "", [])


async def test_given_an_unknown_place_when_counted_with_a_time_then_it_is_what_was_counted(
    ledger: Ledger, client: Redis
) -> None:
    await moved(ledger, count("A", 4, counted_ms=1))
    assert await on_hand(ledger) == 4
    later_ms = await tick(client)
    await ship(ledger, "o", 1)
    await moved(ledger, count("A", 6, counted_ms=later_ms))
    assert await on_hand(ledger) == 5


async def test_given_a_trimmed_journal_when_the_time_lies_before_it_then_the_baseline_is_expired(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    counted_ms = await tick(client)
    await ship(ledger, "o", 1)
    await client.xtrim(ledger.keyspace.journal, maxlen=1, approximate=False)
    assert await refused(ledger, count("A", 4, counted_ms=counted_ms)) == Refused("baseline_expired", "", [])


async def test_given_a_journal_trimmed_whole_when_nothing_came_after_the_time_then_the_count_is_taken(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    counted_ms = await tick(client)
    await client.xtrim(ledger.keyspace.journal, maxlen=0, approximate=False)
    await moved(ledger, count("A", 4, counted_ms=counted_ms))
    assert await on_hand(ledger) == 4


async def test_given_more_changes_than_the_log_keeps_when_counted_late_then_the_baseline_is_expired(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    counted_ms = await tick(client)
    for _ in range(201):
        await moved(ledger, receive("A", 1))
    assert await refused(ledger, count("A", 4, counted_ms=counted_ms)) == Refused("baseline_expired", "", [])


async def test_given_changes_without_units_after_the_time_when_counted_then_they_are_passed_over(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    await changed(ledger, reserve("r", ("A", 1)))
    counted_ms = await tick(client)
    for _ in range(40):
        await changed(ledger, extend("r", DAY_MS))
    await ship(ledger, "o", 2)
    await moved(ledger, count("A", 9, counted_ms=counted_ms))
    assert await on_hand(ledger) == 7


async def test_given_only_changes_without_units_after_the_time_when_counted_then_the_count_is_taken(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    await changed(ledger, reserve("r", ("A", 1)))
    counted_ms = await tick(client)
    await changed(ledger, extend("r", DAY_MS))
    await moved(ledger, count("A", 9, counted_ms=counted_ms))
    assert await on_hand(ledger) == 9


async def test_given_only_changes_without_units_in_a_trimmed_journal_when_counted_then_the_baseline_is_expired(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    await changed(ledger, reserve("r", ("A", 1)))
    counted_ms = await tick(client)
    await moved(ledger, receive("A", 5))
    await changed(ledger, extend("r", DAY_MS))
    await client.xtrim(ledger.keyspace.journal, maxlen=1, approximate=False)
    assert await refused(ledger, count("A", 9, counted_ms=counted_ms)) == Refused("baseline_expired", "", [])


async def test_given_many_late_counts_in_one_call_when_applied_then_each_is_as_of_its_time(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, **{f"S{number}": 10 for number in range(40)})
    counted_ms = await tick(client)
    await asyncio.gather(*(moved(ledger, receive(f"S{number}", number)) for number in range(40) if number))
    counts: list[AnOperation] = [count(f"S{number}", 20, counted_ms=counted_ms) for number in range(40)]
    await asyncio.gather(*(moved(ledger, each) for each in counts))
    assert [await on_hand(ledger, f"S{number}") for number in range(40)] == [20 + number for number in range(40)]


async def test_given_a_key_of_a_place_when_another_body_takes_it_over_then_only_the_last_one_is_a_repeat(
    ledger: Ledger,
) -> None:
    a, b = (count("A", units, key="place A", replaces=True) for units in (5, 7))
    found = [((await moved(ledger, each)).replayed, await on_hand(ledger)) for each in (a, a, b, b, a, a)]
    assert found == [(False, 5), (True, 5), (False, 7), (True, 7), (False, 5), (True, 5)]
    assert await refused(ledger, count("A", 9, key="place A")) == Refused("id_reused", "", [])
