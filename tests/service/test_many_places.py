"""Requests about SKUs at thousands of locations: read once, in slices, and refused where the answer would explode."""

import asyncio
import time
from datetime import date, timedelta
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.api.http.wire import json_encode
from server.domain import limits
from server.domain.expected_receipt import ExpectedReceipt
from server.domain.operations.stock import Receive
from server.schemas.availability import AvailabilityQuery, AvailabilityQueryBody
from server.schemas.common import PositionBody
from server.schemas.expected_receipts import AtpQuery, ExpectedReceiptBody
from server.schemas.locations import LocationBody, NearbyQuery
from server.schemas.reservations import OrderBody
from server.schemas.sourcing import ExplainBody, SourcingBody
from server.schemas.stock import StockQuery
from server.service.availability import for_events, nearby, of_sku, of_skus
from server.service.caller import Caller
from server.service.expected_receipts import expect_operation, forecast, outlook_of
from server.service.explain import explain
from server.service.locations import put_location
from server.service.problems import of_error
from server.service.reservations import make, order_operation
from server.service.stock import details
from server.store.errors import OrderTooWideError, TooManyPlacesError
from server.store.ledger import slices
from tests.support.lines import line_body
from tests.support.many_places import names_of, stock_everywhere

FAR_AHEAD: Final = date(2099, 12, 1)
ANSWER_BYTES_MAX: Final = 2_000_000
LOOP_STEP_MAX_S: Final = 0.05


def counted_calls(caller: Caller) -> list[int]:
    """Note the weight of each call from now on."""
    weights: list[int] = []
    watched: Any = caller.ledger
    submit = watched._submit

    def counted(call: Any, operation: bytes, weight: int) -> Any:
        weights.append(weight)
        return submit(call, operation, weight)

    watched._submit = counted
    return weights


@pytest.mark.parametrize("places", [2_000, 10_000])
async def test_given_a_sku_at_many_locations_when_it_is_named_1000_times_then_it_is_read_once_and_refused(
    client: Redis, caller: Caller, places: int
) -> None:
    await stock_everywhere(client, caller.partition.keyspace, ["A"], names_of(places))
    weights = counted_calls(caller)

    with pytest.raises(TooManyPlacesError):
        await of_skus(caller, AvailabilityQueryBody(["A"] * 1_000))

    assert len(weights) == places // slices.PLACES_PER_CALL


async def test_given_a_sku_at_many_locations_when_its_sum_is_read_then_each_slice_is_read_once(
    client: Redis, caller: Caller
) -> None:
    await stock_everywhere(client, caller.partition.keyspace, ["A"], names_of(2_000))
    listed, weights = await of_sku(caller, "A", None), counted_calls(caller)

    found = await of_sku(caller, "A", AvailabilityQuery(locations=False))

    assert (found.available, found.counted) == (listed.available, 2_000)
    assert len(weights) == 2_000 // slices.PLACES_PER_CALL


async def test_given_a_sku_at_few_locations_when_it_is_named_1000_times_then_it_is_read_once_and_shown_1000_times(
    client: Redis, caller: Caller
) -> None:
    await stock_everywhere(client, caller.partition.keyspace, ["A"], names_of(20))
    weights = counted_calls(caller)

    found = await of_skus(caller, AvailabilityQueryBody(["A", "nobody"] * 500))

    assert [each.sku for each in found] == ["A", "nobody"] * 500
    assert {each.available for each in found if each.is_known} == {60}
    assert len(weights) == 1


async def test_given_1000_names_of_one_sku_when_only_sums_are_asked_for_then_they_come(
    client: Redis, caller: Caller
) -> None:
    await stock_everywhere(client, caller.partition.keyspace, ["A"], names_of(10_000))

    found = await of_skus(caller, AvailabilityQueryBody(["A"] * 1_000, locations=False))

    assert {each.available for each in found} == {30_000}
    assert len(json_encode([each.view for each in found])) < ANSWER_BYTES_MAX


async def test_given_a_sku_at_all_locations_that_it_can_have_when_read_then_all_are_listed(
    client: Redis, caller: Caller
) -> None:
    names = names_of(limits.PLACES_PER_SKU_MAX, longest=True)
    await stock_everywhere(client, caller.partition.keyspace, ["A"], names)

    found = await of_sku(caller, "A", None)
    summed = await of_sku(caller, "A", AvailabilityQuery(locations=False))
    only = await of_sku(caller, "A", AvailabilityQuery(location=names[9_999]))

    assert [each.location for each in found.locations or ()] == names
    assert len(json_encode(found.view)) < ANSWER_BYTES_MAX
    assert (found.available, found.seq, found.counted) == (30_000, 10_000, 10_000)
    assert (summed.available, summed.seq, summed.counted, summed.locations) == (30_000, 10_000, 10_000, None)
    assert msgspec.json.decode(json_encode(summed.view)) == {
        "sku": "A",
        "available": 30_000,
        "seq": 10_000,
        "as_of": msgspec.json.decode(json_encode(summed.view))["as_of"],
        "locations_left_out": 10_000,
    }
    assert (only.available, only.counted) == (3, 1)


async def test_given_more_locations_than_an_answer_lists_when_read_then_reading_stops_there(
    client: Redis, caller: Caller
) -> None:
    skus = [f"S-{number}" for number in range(30)]
    await stock_everywhere(client, caller.partition.keyspace, skus, names_of(1_000))
    weights = counted_calls(caller)

    with pytest.raises(TooManyPlacesError, match="20,000"):
        await of_skus(caller, AvailabilityQueryBody(skus))
    assert len(weights) <= limits.PLACES_PER_ANSWER_MAX // slices.PLACES_PER_CALL + 1

    assert {each.available for each in await of_skus(caller, AvailabilityQueryBody(skus, locations=False))} == {3_000}
    only = await of_skus(caller, AvailabilityQueryBody(skus, location="store-00007"))
    assert {each.available for each in only} == {3}


async def test_given_more_places_than_a_request_reads_when_summed_then_it_is_refused(
    client: Redis, caller: Caller
) -> None:
    skus = [f"S-{number}" for number in range(11)]
    await stock_everywhere(client, caller.partition.keyspace, skus, names_of(10_000))
    weights = counted_calls(caller)

    with pytest.raises(TooManyPlacesError, match="100,000"):
        await of_skus(caller, AvailabilityQueryBody(skus, locations=False))

    assert len(weights) <= limits.PLACES_PER_REQUEST_MAX // slices.PLACES_PER_CALL + 1


async def test_given_a_group_at_many_locations_when_read_then_only_its_members_are_listed(
    client: Redis, caller: Caller
) -> None:
    await stock_everywhere(client, caller.partition.keyspace, ["A", "B", "C"], names_of(10_000))
    await put_location(caller, "store-09999", LocationBody(groups=["far"]))

    found = await of_skus(caller, AvailabilityQueryBody(["A", "B", "C"], group="far"))

    assert [(each.available, each.counted, each.seq) for each in found] == [(3, 1, n * 10_000) for n in (1, 2, 3)]


async def test_given_a_change_between_two_slices_when_read_then_seq_and_moment_are_those_of_the_first(
    client: Redis, caller: Caller
) -> None:
    names = names_of(1_500)
    await stock_everywhere(client, caller.partition.keyspace, ["A"], names)
    watched: Any = caller.ledger
    submit, changed = watched._submit, asyncio.Event()

    async def first_then_change(answer: Any) -> Any:
        found = await answer
        watched._submit = submit
        await caller.ledger.run(Receive("", "", "", "A", names[0], 5))
        await caller.ledger.run(Receive("", "", "", "A", names[-1], 7))
        changed.set()
        return found

    watched._submit = lambda *asked: first_then_change(submit(*asked))
    mixed = await of_sku(caller, "A", None)
    after = await of_sku(caller, "A", None)

    assert changed.is_set()
    assert (mixed.available, mixed.seq) == (4_507, 1_500)  # the second change is in it, and is not claimed
    assert (after.available, after.seq) == (4_512, 1_502)
    assert mixed.as_of_ms <= after.as_of_ms


@pytest.mark.parametrize(("places", "is_listed"), [(1_000, True), (1_001, False), (10_000, False)])
async def test_given_a_change_of_a_sku_at_many_locations_when_it_is_told_then_its_event_stays_small(
    client: Redis, caller: Caller, places: int, is_listed: bool
) -> None:
    await stock_everywhere(client, caller.partition.keyspace, ["A", "B"], names_of(places))
    await stock_everywhere(client, caller.partition.keyspace, ["C"], names_of(2))

    found = await for_events(caller.ledger, ["A", "B", "C"])

    assert [each.available for each in found] == [3 * places, 3 * places, 6]
    assert [each.locations is not None for each in found] == [is_listed, is_listed, True]
    assert max(len(json_encode(each.view)) for each in found) < 50_000
    assert [each.view.locations_left_out for each in found] == [0 if is_listed else places] * 2 + [0]


async def test_given_many_locations_when_asked_for_near_ones_then_those_come(client: Redis, caller: Caller) -> None:
    await stock_everywhere(client, caller.partition.keyspace, ["A"], names_of(10_000))
    await put_location(caller, "store-09999", LocationBody(position=PositionBody(1.0, 0.0)))

    _, near = await nearby(caller, "A", NearbyQuery(0.0, 0.0), decimals=3)

    assert [each.location.name for each in near] == ["store-09999"]


async def test_given_many_locations_when_the_stock_is_explained_then_all_come_or_the_one_that_is_named(
    client: Redis, caller: Caller
) -> None:
    await stock_everywhere(client, caller.partition.keyspace, ["A"], names_of(10_000))

    everywhere = await details(caller, "A")
    there = await details(caller, "A", StockQuery("store-00007"))

    assert everywhere is not None
    assert (len(everywhere.stock.levels), everywhere.stock.available) == (10_000, 30_000)
    assert there is not None
    assert [(each.location, each.on_hand) for each in there.stock.levels] == [("store-00007", 3)]
    assert await details(caller, "A", StockQuery("nowhere")) is None


async def test_given_more_locations_than_an_answer_lists_when_the_stock_is_explained_then_it_is_refused(
    client: Redis, caller: Caller
) -> None:
    await stock_everywhere(client, caller.partition.keyspace, ["A"], names_of(limits.PLACES_PER_ANSWER_MAX + 1))

    with pytest.raises(TooManyPlacesError):
        await details(caller, "A")
    with pytest.raises(TooManyPlacesError):
        await of_sku(caller, "A", None)
    assert (await of_sku(caller, "A", AvailabilityQuery(locations=False))).available == 60_003
    assert await details(caller, "A", StockQuery("store-00007")) is not None


async def expected_everywhere(client: Redis, caller: Caller, receipts: int) -> None:
    """Expect ten units of A so many times, at as many stores."""
    keyspace = caller.partition.keyspace
    ids = [f"supply-{number:05d}" for number in range(receipts)]
    records: dict[Any, Any] = {
        name: msgspec.msgpack.encode(ExpectedReceipt("A", f"store-{n:05d}", 10, 0, FAR_AHEAD))
        for n, name in enumerate(ids)
    }
    await client.hset(keyspace.supply, mapping=records)
    await client.hset(keyspace.supply_skus, "A", msgspec.msgpack.encode(ids))


async def test_given_10000_locations_and_receipts_when_asked_what_can_be_promised_then_all_count(
    client: Redis, caller: Caller
) -> None:
    await stock_everywhere(client, caller.partition.keyspace, ["A"], names_of(10_000))
    await expected_everywhere(client, caller, 10_000)
    await put_location(caller, "store-00003", LocationBody(open=False))

    found = await forecast(caller, "A", AtpQuery(from_=FAR_AHEAD, to=FAR_AHEAD + timedelta(days=1)))
    there = await outlook_of(caller, "A", "store-00007")

    assert found is not None
    assert (found.available, found.days[0].projected) == (29_997, 29_997 + 99_990)
    assert [supply_id for supply_id, _ in there.supply] == ["supply-00007"]
    assert [(level.location, level.available) for level in there.levels] == [("store-00007", 3)]


async def test_given_all_receipts_that_a_sku_can_have_when_one_more_is_expected_then_it_is_refused_and_others_go_on(
    client: Redis, caller: Caller
) -> None:
    most = limits.RECEIPTS_PER_SKU_MAX
    await expected_everywhere(client, caller, most)
    body = ExpectedReceiptBody(sku="A", quantity=10, expected_on=FAR_AHEAD, location="main")

    async def expect(supply_id: str, body: ExpectedReceiptBody) -> str:
        answer = await caller.ledger.run(await expect_operation(caller, supply_id, body))
        return getattr(answer, "outcome", "changed")

    assert await expect("one-more", body) == "too_many_receipts"
    assert await expect("supply-00007", msgspec.structs.replace(body, quantity=5)) == "changed"
    assert await expect("of-another", msgspec.structs.replace(body, sku="B")) == "changed"
    await caller.ledger.run(Receive("", "", "", "A", "main", 1))
    assert len((await outlook_of(caller, "A", None)).supply) == most


async def test_given_an_order_for_skus_at_many_locations_when_explained_then_calls_stay_small(
    client: Redis, caller: Caller
) -> None:
    skus = [f"S-{number}" for number in range(3)]
    await stock_everywhere(client, caller.partition.keyspace, skus, names_of(10_000))
    lines = [line_body(sku, 1) for sku in skus]

    plain = await explain(caller, ExplainBody(lines))
    sourced = await explain(caller, ExplainBody(lines, sourcing=SourcingBody("priority")))

    assert sourced.outcome == "chosen"
    assert plain.outcome == "chosen"
    assert {each.why for each in plain.passed_over} == {"beyond_limit"}
    assert len(json_encode(sourced)) < ANSWER_BYTES_MAX


@pytest.mark.parametrize("sourcing", [msgspec.UNSET, SourcingBody("priority")])
async def test_given_more_places_than_an_order_looks_at_when_explained_or_ordered_then_it_is_refused_with_the_way_out(
    client: Redis, caller: Caller, sourcing: Any
) -> None:
    most = limits.PLACES_PER_SKU_MAX
    skus = [f"S-{number}" for number in range(limits.PLACES_PER_ORDER_MAX // most + 1)]
    packed = msgspec.msgpack.encode(names_of(most))
    await client.hset(caller.partition.keyspace.skus, mapping=dict.fromkeys(skus, packed))
    lines = [line_body(sku, 1) for sku in skus]

    with pytest.raises(OrderTooWideError) as refused:
        await explain(caller, ExplainBody(lines, sourcing=sourcing))

    sent = of_error(refused.value)
    assert sent is not None
    assert (sent.status, sent.outcome, sent.retryable) == (422, "sourcing_incomplete", False)
    if isinstance(sourcing, SourcingBody):
        body = OrderBody(channel="web", lines=lines, sourcing=sourcing)
        with pytest.raises(OrderTooWideError):
            await make(caller, body, order_operation(caller, body))


async def test_given_an_order_for_many_skus_at_all_their_locations_when_planned_then_others_go_on_meanwhile(
    client: Redis, caller: Caller
) -> None:
    skus = [f"S-{number}" for number in range(30)]
    await stock_everywhere(client, caller.partition.keyspace, skus, names_of(limits.PLACES_PER_ORDER_MAX // 30))
    body = ExplainBody([line_body(sku, 1) for sku in skus], sourcing=SourcingBody("most_stock"))
    steps_s: list[float] = []

    async def note_steps() -> None:
        before_s = time.thread_time()  # of this thread alone, so a busy machine does not matter
        while True:
            await asyncio.sleep(0)
            now_s = time.thread_time()
            steps_s.append(now_s - before_s)
            before_s = now_s

    noting = asyncio.create_task(note_steps())
    try:
        assert (await explain(caller, body)).outcome == "chosen"
    finally:
        noting.cancel()

    assert max(steps_s) < LOOP_STEP_MAX_S
