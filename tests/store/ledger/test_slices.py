"""Reads of SKUs at thousands of places: no call of the store looks at more than so many, and all calls find all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.operations.stock import Receive
from server.domain.stock import LocationAvailability, LocationsSum
from server.store.errors import TooManyPlacesError
from server.store.ledger import slices
from server.store.ledger.ledger import Ledger
from tests.support.many_places import names_of, stock_everywhere

ONE_CALL: Final = slices.PLACES_PER_CALL
BYTES_MAX: Final = 1_100_000
"""Of one answer of the store."""


class Calls:
    """Counts what the calls of a ledger answer."""

    def __init__(self, watched: Any) -> None:
        self.places: list[int] = []
        self.skus: list[int] = []
        self.names: list[int] = []
        self.weights: list[int] = []
        self.between: Callable[[], Awaitable[None]] | None = None
        self._submit = watched._submit
        watched._submit = self._counted

    def _counted(self, call: Any, operation: bytes, weight: int) -> Any:
        return self._count(self._submit(call, operation, weight), weight)

    async def _count(self, answer: Any, weight: int) -> Any:
        found = await answer
        self.weights.append(weight)
        if hasattr(found, "levels"):
            self.places.append(len(found.levels))
        elif hasattr(found, "units"):
            self.places.append(len(found.units))
        elif hasattr(found, "next_from"):
            self.skus.append(len(found.skus))
            self.places.append(sum(getattr(each, "locations", None) or len(each) for each in found.skus))
        if self.between:
            between, self.between = self.between, None
            await between()
        return found


async def levels_of(ledger: Ledger, skus: list[str], location: str = "") -> list[list[LocationAvailability]]:
    found: list[list[LocationAvailability]] = [[] for _ in skus]
    async for each in slices.availability(ledger, skus, location):
        assert isinstance(each.value, list)
        found[each.number] += each.value
    return found


@pytest.mark.parametrize("places", [1, 15, 16, ONE_CALL - 1, ONE_CALL, ONE_CALL + 1, 2 * ONE_CALL, 10_000])
async def test_given_a_sku_at_many_places_when_read_then_each_is_found_once_and_no_call_looks_at_too_many(
    client: Redis, ledger: Ledger, places: int
) -> None:
    names = names_of(places)
    await stock_everywhere(client, ledger.keyspace, ["A"], names)
    calls = Calls(ledger)

    [found] = await levels_of(ledger, ["A"])

    assert [each.location for each in found] == names
    assert sum(each.available for each in found) == 3 * places
    assert max(calls.places) <= ONE_CALL
    assert len(calls.places) == -(-places // ONE_CALL)


async def test_given_many_places_when_summed_then_only_sums_come(client: Redis, ledger: Ledger) -> None:
    await stock_everywhere(client, ledger.keyspace, ["A", "B"], names_of(2_500))

    read = [each async for each in slices.sums(ledger, ["A", "nobody", "B"])]
    found = [(each.number, each.value) for each in read if isinstance(each.value, LocationsSum)]

    assert len(found) == len(read)
    assert sum(value.available for number, value in found if number == 0) == 7_500
    assert [value.locations for number, value in found if number == 1] == [0]
    assert sum(value.locations for number, value in found if number == 2) == 2_500
    assert max(value.seq for _, value in found) == 5_000
    assert [each.number for each in read if each.is_last] == [0, 1, 2]


async def test_given_many_skus_at_many_places_when_read_then_all_are_found(client: Redis, ledger: Ledger) -> None:
    skus = [f"S-{number}" for number in range(150)]
    await stock_everywhere(client, ledger.keyspace, skus, names_of(40))
    calls = Calls(ledger)

    found = await levels_of(ledger, skus)

    assert [len(each) for each in found] == [40] * 150
    assert max(calls.places) <= ONE_CALL


async def test_given_a_location_when_read_then_only_that_one_is_looked_at(client: Redis, ledger: Ledger) -> None:
    await stock_everywhere(client, ledger.keyspace, ["A", "B"], names_of(10_000, longest=True))
    calls = Calls(ledger)

    found = await levels_of(ledger, ["A", "nobody", "B"], names_of(10_000, longest=True)[7])

    assert [len(each) for each in found] == [1, 0, 1]
    assert len(calls.places) == 1


async def test_given_names_of_full_length_when_read_together_then_all_are_found(client: Redis, ledger: Ledger) -> None:
    skus = [f"S-{number}" for number in range(5)]
    await stock_everywhere(client, ledger.keyspace, skus, names_of(10_000, longest=True))

    assert [len(each) for each in await levels_of(ledger, skus)] == [10_000] * 5
    assert [len(each) for each in await slices.places(ledger, skus)] == [10_000] * 5


async def test_given_lists_of_many_bytes_when_places_are_read_then_no_answer_has_all(
    client: Redis, ledger: Ledger
) -> None:
    skus = [f"S-{number}" for number in range(6)]
    await stock_everywhere(client, ledger.keyspace, skus, names_of(10_000, longest=True))

    first = await ledger.places(skus)

    assert sum(len(name) for names in first.skus for name in names) <= 2 * BYTES_MAX
    assert 0 < len(first.skus) < len(skus)


async def test_given_all_allocations_when_read_then_a_call_reads_fewer_places_and_all_are_found(
    client: Redis, ledger: Ledger
) -> None:
    allocations = [[f"channel-{number:02d}", "own", 0, 0] for number in range(32)]
    await stock_everywhere(client, ledger.keyspace, ["A"], names_of(1_000), allocations=allocations)
    calls = Calls(ledger)

    [found] = await levels_of(ledger, ["A"])
    stock = await slices.stock(ledger, "A")

    assert len(found) == len(stock.levels) == 1_000
    assert len(calls.places) > 8
    assert max(calls.places) <= 250
    with pytest.raises(TooManyPlacesError):
        await slices.stock(ledger, "A", places_max=20_000)


async def test_given_a_big_and_many_small_questions_when_they_share_a_call_then_the_small_ones_are_answered_at_once(
    client: Redis, ledger: Ledger
) -> None:
    await stock_everywhere(client, ledger.keyspace, ["big"], names_of(10_000))
    await stock_everywhere(client, ledger.keyspace, [f"S-{number}" for number in range(60)], names_of(5))
    await ledger.availability(["big"])  # connected

    big = [ledger.availability(["big"]) for _ in range(3)]
    small = [ledger.availability([f"S-{number}"]) for number in range(60)]
    found = await asyncio.gather(*big, *small)

    assert all(each.next_from > 0 for each in found[:3])
    assert [(len(each.skus[0]), each.next_from) for each in found[3:]] == [(5, 0)] * 60


async def test_given_many_questions_about_big_skus_when_asked_at_once_then_each_gets_all(
    client: Redis, ledger: Ledger
) -> None:
    skus = [f"S-{number}" for number in range(20)]
    await stock_everywhere(client, ledger.keyspace, skus, names_of(1_500, longest=True))
    calls = Calls(ledger)

    async def one(sku: str) -> int:
        [found] = await levels_of(ledger, [sku])
        return len(found)

    stock = asyncio.gather(*(slices.stock(ledger, sku) for sku in skus))
    assert await asyncio.gather(*(one(sku) for sku in skus)) == [1_500] * 20
    assert [len(each.levels) for each in await stock] == [1_500] * 20
    assert max(calls.places) <= ONE_CALL


async def test_given_a_sku_that_changes_between_two_calls_when_read_then_the_seq_claims_the_first_moment_only(
    client: Redis, ledger: Ledger
) -> None:
    names = names_of(2_000)
    await stock_everywhere(client, ledger.keyspace, ["A"], names)
    calls = Calls(ledger)

    async def change() -> None:
        await ledger.run(Receive("", "", "", "A", names[0], 10, ""))
        await ledger.run(Receive("", "", "", "A", names[-1], 10, ""))

    calls.between = change
    found = [each async for each in slices.availability(ledger, ["A"])]

    first, last = found[0].value, found[-1].value
    assert isinstance(first, list)
    assert isinstance(last, list)
    assert found[0].moment.seq == 2_000
    assert first[0].available == 3
    assert (last[-1].available, last[-1].seq) == (13, 2_002)


async def test_given_a_place_that_is_new_between_two_calls_when_read_then_none_is_missed_or_read_twice(
    client: Redis, ledger: Ledger
) -> None:
    names = names_of(1_500)
    await stock_everywhere(client, ledger.keyspace, ["A"], names)
    calls = Calls(ledger)

    async def grow() -> None:
        for number in range(3):
            await ledger.run(Receive("", "", "", "A", f"new-{number}", 1, ""))

    calls.between = grow
    [found] = await levels_of(ledger, ["A"])

    assert [each.location for each in found] == [*names, "new-0", "new-1", "new-2"]


async def test_given_many_pairs_when_units_are_read_then_calls_share_the_room(client: Redis, ledger: Ledger) -> None:
    names = names_of(3_000)
    await stock_everywhere(client, ledger.keyspace, ["A"], names)
    calls = Calls(ledger)
    pairs = [("A", name) for name in [*names, "nowhere"]]

    found = await asyncio.gather(*(slices.units(ledger, pairs, "") for _ in range(6)))

    assert [units for units, _ in found] == [[3] * 3_000 + [0]] * 6
    records = await client.hvals(ledger.keyspace.stock)
    assert {record_bytes for _, record_bytes in found} == {sum(map(len, records))}
    assert max(calls.places) <= ONE_CALL


async def test_given_lists_around_each_length_of_a_head_when_places_are_added_then_the_list_is_as_it_was(
    client: Redis, ledger: Ledger
) -> None:
    for places in (0, 1, 14, 15, 16, 17, 31):
        sku, names = f"S-{places}", names_of(places)
        for name in names:
            await ledger.run(Receive("", "", "", sku, name, 1, ""))
        await ledger.run(Receive("", "", "", sku, "ş" * 20, 1, ""))
        found = await ledger.places([sku])
        assert found.skus == [[*names, "ş" * 20]]
        raw = await client.hget(ledger.keyspace.skus, sku)
        assert raw == msgspec.msgpack.encode([*names, "ş" * 20])
