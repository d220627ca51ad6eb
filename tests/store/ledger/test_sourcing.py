"""Sourcing against brute force, and what the store does with the choice."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.locations import Directory, Location, Position, distance_km
from server.domain.operations.reservations import Order, Reserve
from server.domain.operations.stock import Receive
from server.domain.reservation import Changed
from server.domain.sourcing import Candidate, Plan, Rules, Sourced, Strategy, Wanted, chunks, ranked
from server.store.audit.audit import audit
from server.store.ledger.ledger import Ledger
from tests.conftest import ON_ONE_STORE, close_locations, wait_past
from tests.support import operations as ops
from tests.support.brute_force import brute_force
from tests.support.random_orders import Bounds, drawn
from tests.support.sourcing_oracle import choose

ORDERS: Final = 10_000
MOST: Final = Bounds(skus=5, locations=9, wanted=4, available=9, splits=4)


def test_given_10_000_random_orders_when_chosen_then_the_choice_is_that_of_brute_force() -> None:
    choice = random.Random(1)
    found = 0
    for _ in range(ORDERS):
        order = drawn(choice, MOST)
        expected = brute_force(*order)
        assert choose(*order) == expected, order
        found += expected is not None
    assert ORDERS / 4 < found < ORDERS


def sourced(request: Reserve | Order, candidates: Sequence[Candidate | str], splits_max: int = 0) -> Sourced:
    """Plan a reservation; candidates given as words come in that order."""
    ranked = [Candidate(each, place) if isinstance(each, str) else each for place, each in enumerate(candidates)]
    return Sourced(request, Plan(splits_max, ranked))


async def stocked(ledger: Ledger, **places: dict[str, int]) -> None:
    """Receive at each location so many units of each SKU."""
    for name, units in places.items():
        for sku, quantity in units.items():
            await ops.moved(ledger, ops.count(sku, quantity, name))


async def chosen(ledger: Ledger, operation: Sourced) -> list[str]:
    answer = await ledger.run(operation)
    assert isinstance(answer, Changed), answer
    return [line.location for line in answer.reservation.lines]


async def refused(ledger: Ledger, operation: Sourced) -> Refused:
    answer = await ledger.run(operation)
    assert isinstance(answer, Refused), answer
    return answer


class Merchant:
    """Few SKUs at few locations, from which random orders are taken."""

    def __init__(self, seed: int) -> None:
        self.choice = random.Random(seed)
        self.stock: dict[tuple[str, str], int] = {}
        self.skus = [f"S{number}" for number in range(6)]
        self.names = [f"L{number}" for number in range(9)]
        self.orders = 0

    def delivery(self) -> Receive:
        sku, name, units = self.choice.choice(self.skus), self.choice.choice(self.names), self.choice.randint(1, 4)
        self.stock[sku, name] = self.stock.get((sku, name), 0) + units
        return ops.receive(sku, units, name)

    def order(self) -> tuple[Sourced, list[str] | str]:
        """Draw an order; returns what must come of it, which is the locations or the outcome."""
        choice = self.choice
        wanted = [Wanted(sku, choice.randint(1, 3)) for sku in choice.sample(self.skus, choice.randint(1, 4))]
        rank, candidates = 0, []
        for name in choice.sample(self.names, choice.randint(1, len(self.names))):
            rank += choice.random() < 0.6
            candidates.append(Candidate(name, rank))
        splits_max = choice.randint(0, 3)
        self.orders += 1
        request = ops.reserve(f"r{self.orders}", *((want.sku, want.units, "") for want in wanted))
        return sourced(request, candidates, splits_max), self._expected(wanted, candidates, splits_max)

    def _expected(self, wanted: list[Wanted], candidates: list[Candidate], splits_max: int) -> list[str] | str:
        places = brute_force(wanted, candidates, self.stock, splits_max)
        if places is not None:
            for want, name in zip(wanted, places, strict=True):
                self.stock[want.sku, name] -= want.units
            return places
        names = [each.name for each in candidates]
        if any(all((want.sku, name) not in self.stock for name in names) for want in wanted):
            return "unknown_sku"
        most = [max(self.stock.get((want.sku, name), 0) for name in names) for want in wanted]
        short = any(want.units > units for want, units in zip(wanted, most, strict=True))
        return "out_of_stock" if short else "too_many_splits"


@ON_ONE_STORE
@pytest.mark.timeout(120)
async def test_given_10_000_random_orders_when_the_store_chooses_then_the_choice_is_that_of_brute_force(
    ledger: Ledger,
) -> None:
    merchant, outcomes = Merchant(2), Counter[str]()
    while merchant.orders < ORDERS:
        deliveries = [merchant.delivery() for _ in range(merchant.choice.randint(5, 25))]
        await asyncio.gather(*(ledger.run(each) for each in deliveries))
        drawn_orders = [merchant.order() for _ in range(12)]  # in one turn, so in one call and in this order
        answers = await asyncio.gather(*(ledger.run(operation) for operation, _ in drawn_orders))
        for (operation, expected), answer in zip(drawn_orders, answers, strict=True):
            locations: list[str] | str
            if isinstance(answer, Changed):
                locations = [line.location for line in answer.reservation.lines]
            else:
                locations = answer.outcome
            assert locations == expected, operation
            outcomes[
                "one" if len(set(locations)) == 1 else "several" if isinstance(locations, list) else locations
            ] += 1
    for outcome in ("one", "several", "unknown_sku", "out_of_stock", "too_many_splits"):
        assert outcomes[outcome] > 10, outcomes  # or it was not really tried


async def test_given_many_candidates_when_the_search_is_given_up_then_store_and_model_still_agree(
    ledger: Ledger,
) -> None:
    choice = random.Random(3)
    skus, names = [f"S{n:02}" for n in range(24)], [f"L{n:03}" for n in range(150)]
    stock = {(sku, name): 5 for sku in skus for name in choice.sample(names, 20)}
    await asyncio.gather(*(ledger.run(ops.receive(sku, 5, name)) for sku, name in stock))
    candidates = [Candidate(name, 0) for name in names]
    expected = choose([Wanted(sku, 1) for sku in skus], candidates, stock, 9)
    assert expected is not None

    locations = await chosen(ledger, sourced(ops.reserve("r", *((sku, 1, "") for sku in skus)), candidates, 9))

    assert locations == expected


async def test_given_one_location_with_everything_when_sourced_then_it_is_taken_though_others_come_first(
    ledger: Ledger,
) -> None:
    await stocked(ledger, near={"A": 5}, far={"A": 5, "B": 5}, other={"B": 5})

    locations = await chosen(ledger, sourced(ops.reserve("r", ("A", 1, ""), ("B", 1, "")), ["near", "other", "far"], 3))

    assert locations == ["far", "far"]


async def test_given_no_location_with_everything_when_sourced_then_the_fewest_are_taken(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 1}, b={"B": 1}, c={"C": 1, "B": 1})
    order = ops.reserve("r", ("A", 1, ""), ("B", 1, ""), ("C", 1, ""))

    refusal = await refused(ledger, sourced(order, ["a", "b", "c"], 0))
    locations = await chosen(ledger, sourced(order, ["a", "b", "c"], 2))

    assert (refusal.outcome, locations) == ("too_many_splits", ["a", "c", "c"])


async def test_given_equals_when_sourced_then_the_one_with_more_comes_first(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 3}, b={"A": 9}, c={"A": 5})
    equals = [Candidate("a", 0), Candidate("b", 1), Candidate("c", 1)]

    assert await chosen(ledger, sourced(ops.reserve("r1", ("A", 1, "")), equals)) == ["a"]
    assert await chosen(ledger, sourced(ops.reserve("r2", ("A", 4, "")), equals)) == ["b"]


async def test_given_lines_of_one_sku_when_sourced_then_they_come_from_one_location(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 3}, b={"A": 5})

    locations = await chosen(ledger, sourced(ops.order("r", ("A", 3, ""), ("A", 2, "")), ["a", "b"]))

    assert locations == ["b", "b"]


async def test_given_a_line_that_names_its_location_when_the_others_are_planned_then_its_units_are_its_own(
    ledger: Ledger,
) -> None:
    await stocked(ledger, a={"A": 3}, b={"A": 5})

    locations = await chosen(ledger, sourced(ops.reserve("r", ("A", 2, "a"), ("A", 2, "")), ["a", "b"]))

    assert locations == ["a", "b"]


async def test_given_a_replay_when_the_stock_has_changed_then_the_answer_is_the_first_one(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, a={"A": 3}, b={"A": 5})
    order = ops.reserve("r", ("A", 3, ""))
    first = await ledger.run(sourced(order, ["a", "b"]))
    assert isinstance(first, Changed)

    again = await ledger.run(sourced(order, ["b"]))
    await close_locations(client, ledger, "a")
    closed = await ledger.run(sourced(order, []))
    other = await refused(ledger, sourced(ops.reserve("r", ("A", 2, "")), ["a", "b"]))

    assert again == closed == msgspec.structs.replace(first, replayed=True)
    assert other.outcome == "id_reused"
    assert await ops.available(ledger, "A", "b") == 5


async def test_given_closed_locations_when_sourced_then_it_is_refused_and_nothing_changes(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, a={"A": 3})
    await close_locations(client, ledger, "a")

    named = await refused(ledger, sourced(ops.reserve("r1", ("A", 1, "a")), []))
    none_open = await refused(ledger, sourced(ops.reserve("r2", ("A", 1, "")), []))
    closed_since = await refused(ledger, sourced(ops.reserve("r3", ("A", 1, "")), ["a"]))

    assert named == Refused("location_closed", "", [LineRefusal(1, "A", "a", 1, 0)])
    assert none_open == closed_since == Refused("location_closed", "", [LineRefusal(1, "A", "", 1, 0)])
    assert await ops.available(ledger, "A", "a") == 3


async def test_given_too_little_when_sourced_then_the_refusal_names_the_most_that_one_location_has(
    ledger: Ledger,
) -> None:
    await stocked(ledger, a={"A": 3}, b={"A": 5, "B": 1})
    places = ["a", "b"]

    short = await refused(ledger, sourced(ops.reserve("r1", ("B", 1, ""), ("A", 6, "")), places, 3))
    unknown = await refused(ledger, sourced(ops.reserve("r2", ("A", 6, ""), ("C", 1, "")), places, 3))

    assert short == Refused("out_of_stock", "", [LineRefusal(2, "A", "", 6, 5)])
    assert unknown == Refused("unknown_sku", "", [LineRefusal(2, "C", "", 1, 0)])


async def test_given_an_order_sold_already_when_no_location_has_it_then_all_is_taken_and_the_first_is_short(
    ledger: Ledger,
) -> None:
    await stocked(ledger, a={"B": 1}, b={"A": 5}, c={"A": 6})

    answer = await ledger.run(sourced(ops.order("r", ("A", 12, ""), accept_shortage=True), ["a", "b", "c"]))

    assert isinstance(answer, Changed), answer
    assert [(line.location, line.committed) for line in answer.reservation.lines] == [("c", 6), ("b", 6)]
    assert await ops.available(ledger, "A", "b") == -1


async def test_given_an_overdue_hold_when_sourced_then_its_units_are_there_again(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, a={"A": 3})
    held = await ops.changed(ledger, ops.reserve("old", ("A", 3, "a"), ttl_ms=ops.SHORT_MS))
    await wait_past(client, held.reservation.deadline_ms)

    assert await chosen(ledger, sourced(ops.reserve("new", ("A", 3, "")), ["a"])) == ["a"]


async def test_given_orders_in_one_call_when_sourced_then_each_sees_what_those_before_it_left(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 1})
    orders = [ops.reserve(f"r{number}", ("A", 1, "")) for number in range(4)]

    answers = await asyncio.gather(*(ledger.run(sourced(order, ["a", "b"])) for order in orders))

    places = [each.reservation.lines[0].location if isinstance(each, Changed) else each.outcome for each in answers]
    assert places == ["a", "a", "b", "out_of_stock"]


async def test_given_sourced_orders_when_audited_then_nothing_drifts(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, a={"A": 5}, b={"B": 5})
    order = ops.order("r", ("A", 1, ""), ("B", 2, ""))
    assert await chosen(ledger, sourced(order, ["a", "b"], 1)) == ["a", "b"]

    report = await audit(client, ledger.keyspace)

    assert report.drift == []


def test_chunks_grow_and_never_part_equals() -> None:
    ranks = [0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 7, 7, 8]
    cut = chunks([Candidate(f"L{place}", rank) for place, rank in enumerate(ranks)])

    assert [[each.rank for each in chunk] for chunk in cut] == [[0, 1, 1, 1], [2, 3, 4, 5, 6, 7, 7, 7], [8]]


# -- the order of the candidates

HERE: Final = Position(41.0, 29.0)


def places(*locations: Location) -> Directory:
    return Directory(locations)


def in_ranks(directory: Directory, *strategies: Strategy, group: str = "", more: Sequence[str] = ()) -> list[list[str]]:
    """Return by rank the names of the open locations, of which more may not be registered."""
    names = directory.open_among([*directory.locations, *more], group)
    found = ranked(directory, Rules(strategies, group, HERE), names)
    return [[name for name, rank in found if rank == each] for each in sorted({rank for _, rank in found})]


CITY: Final = (
    Location("c", position=Position(41.0, 29.1), priority=1, footfall=5),
    Location("a", position=Position(41.0, 29.2), priority=2, footfall=5, groups=("stores",)),
    Location("b", position=Position(41.0, 28.9), priority=2, footfall=1, groups=("stores",)),
    Location("nowhere", priority=9, footfall=9),
    Location("shut", position=HERE, open=False, groups=("stores",)),
)


@pytest.mark.parametrize("strategy", ["nearest", "priority", "lowest_footfall", "most_stock"])
def test_what_others_fill_comes_behind_our_own_by_any_strategy(strategy: Strategy) -> None:
    near = Location("a-supplier", position=HERE, priority=100, filled_by="source:supplier")
    hall = Location("a-hall", position=HERE, priority=100, filled_by="channel:market")

    ranks = in_ranks(places(*CITY, near, hall), strategy)

    assert [each for rank in ranks for each in rank][-2:] == ["a-hall", "a-supplier"]
    assert not any({"a-hall", "a-supplier"} & set(rank) and set(rank) - {"a-hall", "a-supplier"} for rank in ranks)


@pytest.mark.parametrize(
    ("strategies", "expected"),
    [
        (("nearest",), [["b"], ["c"], ["a"], ["nowhere"]]),
        (("priority",), [["nowhere"], ["a"], ["b"], ["c"]]),
        (("lowest_footfall", "priority"), [["b"], ["a"], ["c"], ["nowhere"]]),
        (("most_stock",), [["a", "b", "c", "nowhere"]]),
        (("priority", "most_stock"), [["nowhere"], ["a", "b"], ["c"]]),
        (("priority", "most_stock", "lowest_footfall"), [["nowhere"], ["b", "a"], ["c"]]),
    ],
)
def test_candidates_are_ranked_by_what_comes_before_the_stock_and_listed_by_what_comes_after_it(
    strategies: tuple[Strategy, ...], expected: list[list[str]]
) -> None:
    # b and c lie equally far; which of them is a hair nearer is for floating point to say
    found = in_ranks(places(*CITY), *strategies)

    if strategies == ("nearest",):
        assert sorted(found[:2]) == expected[:2]
        assert found[2:] == expected[2:]
    else:
        assert found == expected


def test_candidates_are_those_that_are_open_in_the_group() -> None:
    assert in_ranks(places(*CITY), "priority", group="stores") == [["a"], ["b"]]
    assert in_ranks(places(*CITY), "priority", group="none") == []


def test_a_location_that_nobody_registered_is_open_and_far_from_everywhere_and_in_no_group() -> None:
    assert in_ranks(places(*CITY), "nearest", more=["main"])[2:] == [["a"], ["main"], ["nowhere"]]
    assert in_ranks(places(*CITY), "priority", more=["main"])[-1] == ["main"]
    assert in_ranks(places(*CITY), "lowest_footfall", more=["main"])[0] == ["main"]
    assert in_ranks(places(*CITY), "most_stock", more=["main"]) == [["a", "b", "c", "main", "nowhere"]]
    assert in_ranks(places(*CITY), "priority", group="stores", more=["main"]) == [["a"], ["b"]]


def test_candidates_sort_by_distance_as_distances_do() -> None:
    choice = random.Random(4)
    many = places(
        *(
            Location(f"L{n:03}", position=Position(choice.uniform(-90, 90), choice.uniform(-180, 180)))
            for n in range(300)
        )
    )

    found = [many.locations[each.name].position for each in ranked(many, Rules(("nearest",), "", HERE), many.locations)]

    distances = [distance_km(HERE, position) for position in found if position]
    assert distances == sorted(distances)
