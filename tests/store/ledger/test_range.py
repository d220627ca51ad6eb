"""Counters near the edges of their range: what would leave it is refused alone, and the others of its batch are not."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.exchange import ExchangeRefused
from server.domain.limits import QUANTITY_MAX, SHORT_MAX, UNITS_MAX
from server.domain.operations.stock import Bucket
from server.store.audit.audit import audit
from server.store.ledger.ledger import Ledger
from server.store.repositories.stock import decode_stock
from tests.support.http import Api
from tests.support.operations import (
    AnOperation,
    adjust,
    arrive,
    ask,
    backorder,
    changed,
    commit,
    count,
    exchange,
    expect,
    fulfil,
    level,
    move,
    moved,
    order,
    receive,
    receive_expected,
    refused,
    reserve,
    ship,
    stocked,
    take_back,
)

pytest_plugins = ("tests.support.http_fixtures",)

COUNTERS: Final = (*(each.value for each in Bucket), "available")


async def test_given_a_place_that_is_full_when_more_comes_then_that_alone_is_refused(
    ledger: Ledger, client: Redis
) -> None:
    # Given
    await stocked(ledger, A=UNITS_MAX - 1)
    await moved(ledger, count("B", 5))

    # When: one batch, in which the second would go beyond the range.
    first, second, third = await asyncio.gather(
        ledger.run(receive("A", 1)), ledger.run(receive("A", 1)), ledger.run(receive("B", 1))
    )

    # Then
    assert isinstance(second, Refused)
    assert (second.outcome, second.lines) == ("out_of_range", [LineRefusal(1, "A", "main", 1, 0, "on_hand")])
    assert not isinstance(first, Refused)
    assert not isinstance(third, Refused)
    assert ((await level(ledger, "A")).on_hand, (await level(ledger, "B")).on_hand) == (UNITS_MAX, 6)
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_a_full_place_when_each_way_in_is_tried_then_every_one_is_refused(
    ledger: Ledger, client: Redis
) -> None:
    # Given: units that were shipped before, a transfer on its way, and an expected receipt.
    await stocked(ledger, A=9)
    await moved(ledger, count("A", 9, "depo"))
    await changed(ledger, order("o1", ("A", 3)))
    await changed(ledger, fulfil("o1"))
    await ask(ledger, ship("t1", "depo", "main", ("A", 4)))
    await ask(ledger, expect("s1", "A", 5, "2030-01-01"))
    await moved(ledger, receive("A", UNITS_MAX - 6))
    before = await level(ledger, "A")

    # When
    tried: list[AnOperation] = [
        receive("A", 1),
        adjust("A", Bucket.ON_HAND, 1),
        take_back("o1", (1, 2, "restock", "")),
        arrive("t1", everything=True),
        arrive("t1", (1, 1, "damaged")),
        receive_expected("s1", "A", 1),
        exchange(take_back("o1", (1, 1, "restock", "")), order("o2", ("A", 1))),
    ]
    answers = [await ask(ledger, each) for each in tried]

    # Then
    refusals = [answer.refused if isinstance(answer, ExchangeRefused) else answer for answer in answers]
    assert [getattr(each, "outcome", each) for each in refusals] == ["out_of_range"] * len(tried)
    assert await level(ledger, "A") == before
    await moved(ledger, adjust("A", Bucket.ON_HAND, -4))
    await ask(ledger, arrive("t1", everything=True))
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_several_lines_for_one_place_when_they_come_together_then_their_sum_counts(ledger: Ledger) -> None:
    await stocked(ledger, A=UNITS_MAX)
    await changed(ledger, order("o1", ("A", 4), ("A", 4)))
    await changed(ledger, fulfil("o1"))
    await moved(ledger, receive("A", 3))
    answer = await refused(ledger, take_back("o1", (1, 3, "restock", ""), (2, 3, "restock", "")))
    assert (answer.outcome, [(line.line, line.counter) for line in answer.lines]) == ("out_of_range", [(2, "on_hand")])
    await changed(ledger, take_back("o1", (1, 3, "restock", ""), (2, 2, "restock", "")))


async def test_given_safety_stock_at_its_limit_when_available_would_fall_further_then_it_is_refused(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=5)
    await moved(ledger, adjust("A", Bucket.SAFETY, UNITS_MAX))
    assert (await refused(ledger, adjust("A", Bucket.SAFETY, 1))).lines[0].counter == "safety"
    await moved(ledger, move("A", "available", "damaged", 5))
    answer = await refused(ledger, adjust("A", Bucket.DAMAGED, 1))
    assert answer.lines == [LineRefusal(1, "A", "main", 1, 0, "available")]
    assert (await refused(ledger, order("o1", ("A", 1), accept_shortage=True))).outcome == "out_of_range"
    await moved(ledger, count("A", safety=0))


async def test_given_orders_that_accept_a_shortage_when_they_go_on_for_ever_then_no_counter_leaves_its_range(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=7)
    await moved(ledger, adjust("A", Bucket.SAFETY, 4))  # on the shelf, so it is not missing
    await changed(ledger, order("o1", ("A", QUANTITY_MAX), accept_shortage=True))
    many = order("o2", ("A", 7), *[("A", QUANTITY_MAX)] * 99, accept_shortage=True)
    answer = await refused(ledger, many)
    assert (answer.outcome, len(answer.lines)) == ("out_of_range", 99)
    assert answer.lines[0] == LineRefusal(2, "A", "main", QUANTITY_MAX, 0, "shortage")
    await changed(ledger, order("o3", ("A", 7), accept_shortage=True))
    answer = await refused(ledger, order("o4", ("A", 1), accept_shortage=True))
    assert answer.lines == [LineRefusal(1, "A", "main", 1, 0, "shortage")]
    assert (await level(ledger, "A")).committed == SHORT_MAX + 7
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_a_shortage_at_its_limit_when_all_is_shipped_then_it_stays_at_its_limit(ledger: Ledger) -> None:
    await stocked(ledger, A=1)
    await changed(ledger, order("o1", ("A", SHORT_MAX), accept_shortage=True))
    await changed(ledger, fulfil("o1"))
    assert (await refused(ledger, order("o2", ("A", 2), accept_shortage=True))).lines[0].available == 1
    await changed(ledger, order("o3", ("A", 1), accept_shortage=True))
    await moved(ledger, receive("A", 5))
    await changed(ledger, order("o4", ("A", 5), accept_shortage=True))


async def test_given_a_counter_beyond_its_range_when_it_comes_back_then_that_is_not_refused(
    ledger: Ledger, client: Redis
) -> None:
    """An older release let it go there."""
    await stocked(ledger, A=UNITS_MAX)
    field, key = "A\0main", ledger.keyspace.stock
    packed = await client.hget(key, field)
    assert isinstance(packed, bytes)
    record = msgspec.structs.replace(decode_stock(packed), on_hand=3 * UNITS_MAX)
    values = [*record.buckets, record.seq]
    await client.hset(key, field, msgspec.msgpack.encode(values))
    assert (await refused(ledger, receive("A", 1))).outcome == "out_of_range"
    await moved(ledger, adjust("A", Bucket.ON_HAND, -UNITS_MAX))
    await moved(ledger, count("A", 10))
    await moved(ledger, receive("A", 1))


async def test_given_a_backorder_limit_when_lines_wait_and_units_come_then_all_stays_within_the_range(
    ledger: Ledger, client: Redis
) -> None:
    await moved(ledger, backorder("A", QUANTITY_MAX))
    await changed(ledger, order("o1", ("A", QUANTITY_MAX), backorder=True))
    assert (await refused(ledger, order("o2", ("A", 1), backorder=True))).outcome == "out_of_stock"
    await moved(ledger, receive("A", UNITS_MAX))
    shown = await level(ledger, "A")
    assert (shown.on_hand, shown.committed) == (UNITS_MAX, QUANTITY_MAX)
    assert (await audit(client, ledger.keyspace)).drift == []


@pytest.mark.parametrize("seed", range(12))
async def test_given_any_operations_near_the_edges_when_run_together_then_every_counter_is_exact_and_in_its_range(
    ledger: Ledger, client: Redis, seed: int
) -> None:
    chance = random.Random(seed)
    near = (1, 2, 10**6, SHORT_MAX - 1, SHORT_MAX, UNITS_MAX - SHORT_MAX, UNITS_MAX - 1, UNITS_MAX, UNITS_MAX + 1)
    wanted = (1, 10**6, QUANTITY_MAX - 1, QUANTITY_MAX)
    await stocked(ledger, A=UNITS_MAX - 5, B=1)
    made: list[str] = []

    def drawn(number: int) -> Callable[[], Awaitable[object]]:
        sku, units, some = chance.choice("AB"), chance.choice(near), chance.choice(wanted)
        made.append(f"o{number}")
        known = chance.choice(made)
        return chance.choice([
            lambda: ledger.run(receive(sku, units)),
            lambda: ledger.run(adjust(sku, chance.choice([Bucket.ON_HAND, Bucket.DAMAGED, Bucket.SAFETY]), -units)),
            lambda: ledger.run(adjust(sku, chance.choice([Bucket.ON_HAND, Bucket.DAMAGED, Bucket.SAFETY]), units)),
            lambda: ledger.run(count(sku, min(units, UNITS_MAX), safety=chance.choice([-1, 0, units]))),
            lambda: ledger.run(move(sku, "available", "quality_control", units)),
            lambda: ledger.run(move(sku, "quality_control", "available", units)),
            lambda: ledger.run(order(f"o{number}", *[(sku, some)] * chance.choice([1, 1, 3]), accept_shortage=True)),
            lambda: ledger.run(order(f"o{number}", (sku, some), accept_shortage=True)),
            lambda: ledger.run(reserve(f"o{number}", ("A", some), ("B", 1), ttl_ms=chance.choice([1, 60_000]))),
            lambda: ledger.run(commit(known)),
            lambda: ledger.run(fulfil(known)),
            lambda: ledger.run(take_back(known, (1, some, chance.choice(["restock", "damaged"]), ""))),
        ])  # fmt: skip

    met: set[str] = set()
    for turn in range(40):
        calls = [drawn(20 * turn + number) for number in range(20)]
        answers = await asyncio.gather(*(call() for call in calls))
        met |= {answer.outcome for answer in answers if isinstance(answer, Refused)}
        for sku in "AB":
            shown = await level(ledger, sku)
            assert all(abs(getattr(shown, counter)) <= UNITS_MAX for counter in COUNTERS), shown
    report = await audit(client, ledger.keyspace)
    assert (report.drift, report.conclusive, report.journal_complete) == ([], True, True)
    assert "out_of_range" in met


async def test_given_a_refusal_over_http_when_read_then_it_names_place_counter_limit_and_the_way_out(api: Api) -> None:
    await api.count("A", 5)
    body = {"channel": "n11", "lines": [{"sku": "A", "quantity": 1_000_000_000}] * 2, "on_shortage": "accept"}
    shown = (await api.post("/v1/orders", body)).problem(422, "out_of_range")
    assert shown["retryable"] is False
    for word in ("A at main", "1,000,000,000", "Receive or count", "Nothing changed"):
        assert word in shown["detail"]
    assert [(line["line"], line["requested"], line["available"]) for line in shown["lines"]] == [(2, 10**9, 5)]
    (await api.get("/v1/stock/A")).ok()


async def test_given_an_order_without_a_location_when_it_accepts_a_shortage_then_the_place_that_is_short_has_a_limit(
    ledger: Ledger,
) -> None:
    await moved(ledger, count("A", 3))
    await moved(ledger, count("A", 4, "izmir"))
    await changed(ledger, order("o1", ("A", QUANTITY_MAX, ""), accept_shortage=True))
    short = min((await level(ledger, "A")).available, (await level(ledger, "A", "izmir")).available)
    assert short == 7 - QUANTITY_MAX
    answer = await refused(ledger, order("o2", ("A", 8, ""), accept_shortage=True))
    assert (answer.outcome, [(line.line, line.counter) for line in answer.lines]) == ("out_of_range", [(1, "shortage")])
    await changed(ledger, order("o3", ("A", 7, ""), accept_shortage=True))
