"""Splitting a line over locations: against brute force, and what the store makes of it."""

import asyncio
import random
from collections import Counter
from typing import Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.operations.stock import Receive
from server.domain.reservation import Changed
from server.domain.sourcing import Candidate, Sourced, Wanted
from server.store.audit.audit import audit
from server.store.ledger.ledger import Ledger
from tests.support import operations as ops
from tests.support.brute_force import brute_force, brute_force_parts
from tests.support.random_orders import Bounds, drawn
from tests.support.sourcing_oracle import Parts, choose_parts

DRAWN: Final = 1_000
ORDERS: Final = 1_200
MOST: Final = Bounds(skus=4, locations=8, wanted=9, available=6, splits=5)
"""So little of each that lines must be split."""
Answer = list[Parts] | str


def test_given_thousands_of_random_orders_when_lines_may_be_split_then_the_choice_is_that_of_brute_force() -> None:
    choice, found = random.Random(11), Counter[str]()
    for _ in range(DRAWN):
        order = drawn(choice, MOST)
        expected = brute_force_parts(*order)
        assert choose_parts(*order) == expected, order
        found["none" if expected is None else "split" if any(len(parts) > 1 for parts in expected) else "whole"] += 1
    assert min(found["none"], found["split"], found["whole"]) > DRAWN / 20, found


class Merchant:
    """Few SKUs in small numbers at few locations, from which random orders are taken."""

    def __init__(self, seed: int) -> None:
        self.choice = random.Random(seed)
        self.stock: dict[tuple[str, str], int] = {}
        self.skus = [f"S{number}" for number in range(5)]
        self.names = [f"L{number}" for number in range(8)]
        self.orders = 0

    def delivery(self) -> Receive:
        sku, name, units = self.choice.choice(self.skus), self.choice.choice(self.names), self.choice.randint(1, 3)
        self.stock[sku, name] = self.stock.get((sku, name), 0) + units
        return ops.receive(sku, units, name)

    def order(self) -> tuple[Sourced, list[Wanted], Answer]:
        """Draw an order; returns what must come of it, which is the parts or the outcome."""
        choice = self.choice
        wanted = [Wanted(sku, choice.randint(1, 7)) for sku in choice.sample(self.skus, choice.randint(1, 3))]
        names = choice.sample(self.names, choice.randint(1, len(self.names)))
        candidates = [Candidate(name, place // choice.randint(1, 2)) for place, name in enumerate(names)]
        candidates.sort(key=lambda one: one.rank)
        splits_max = choice.randint(0, 4)
        self.orders += 1
        request = ops.reserve(f"r{self.orders}", *((want.sku, want.units, "") for want in wanted))
        planned = ops.sourced(request, candidates, splits_max, split_lines=True)
        return planned, wanted, self._expected(wanted, candidates, splits_max)

    def _expected(self, wanted: list[Wanted], candidates: list[Candidate], splits_max: int) -> Answer:
        found = brute_force_parts(wanted, candidates, self.stock, splits_max)
        if found is not None:
            for want, parts in zip(wanted, found, strict=True):
                for name, units in parts:
                    self.stock[want.sku, name] -= units
            return found
        names = [each.name for each in candidates]
        if any(all((want.sku, name) not in self.stock for name in names) for want in wanted):
            return "unknown_sku"
        sums = [sum(self.stock.get((want.sku, name), 0) for name in names) for want in wanted]
        short = any(want.units > units for want, units in zip(wanted, sums, strict=True))
        return "out_of_stock" if short else "too_many_splits"


def parts_of(answer: Changed, wanted: list[Wanted]) -> list[Parts]:
    lines = answer.reservation.lines
    return [[(line.location, line.held) for line in lines if line.sku == want.sku] for want in wanted]


@pytest.mark.timeout(120)
async def test_given_thousands_of_random_orders_when_the_store_splits_lines_then_it_does_as_brute_force(
    ledger: Ledger,
) -> None:
    merchant, outcomes = Merchant(12), Counter[str]()
    while merchant.orders < ORDERS:
        deliveries = [merchant.delivery() for _ in range(merchant.choice.randint(10, 30))]
        await asyncio.gather(*(ledger.run(each) for each in deliveries))
        drawn_orders = [merchant.order() for _ in range(12)]  # in one turn, so in one call and in this order
        answers = await asyncio.gather(*(ledger.run(operation) for operation, _, _ in drawn_orders))
        for (operation, wanted, expected), answer in zip(drawn_orders, answers, strict=True):
            found: Answer = parts_of(answer, wanted) if isinstance(answer, Changed) else answer.outcome
            assert found == expected, operation
            split = isinstance(found, list) and any(len(parts) > 1 for parts in found)
            outcomes["split" if split else "whole" if isinstance(found, list) else found] += 1
    for outcome in ("split", "whole", "out_of_stock", "too_many_splits"):
        assert outcomes[outcome] > 10, outcomes  # or it was not really tried


async def test_given_many_candidates_when_the_search_is_given_up_then_store_and_model_still_agree(
    ledger: Ledger,
) -> None:
    choice = random.Random(13)
    skus, names = [f"S{n:02}" for n in range(12)], [f"L{n:03}" for n in range(200)]
    stock = {(sku, name): choice.randint(1, 9) for sku in skus for name in choice.sample(names, 30)}
    await asyncio.gather(*(ledger.run(ops.receive(sku, units, name)) for (sku, name), units in stock.items()))
    candidates = [Candidate(name, 0) for name in names]
    wanted = [Wanted(sku, 10) for sku in skus]
    expected = choose_parts(wanted, candidates, stock, 9)
    assert brute_force(wanted, candidates, stock, 0) is None

    request = ops.reserve("r", *((sku, 10, "") for sku in skus))
    answer = await ledger.run(ops.sourced(request, candidates, 9, split_lines=True))

    assert (parts_of(answer, wanted) if isinstance(answer, Changed) else None) == expected


async def stocked(ledger: Ledger, **places: dict[str, int]) -> None:
    for name, units in places.items():
        for sku, quantity in units.items():
            await ops.moved(ledger, ops.count(sku, quantity, name))


def lines(answer: Changed) -> list[tuple[str, str, int, int]]:
    return [(line.sku, line.location, line.quantity, line.requested) for line in answer.reservation.lines]


async def test_given_no_location_with_all_units_when_lines_may_be_split_then_the_rest_is_a_line_behind_the_others(
    ledger: Ledger,
) -> None:
    await stocked(ledger, a={"A": 1}, b={"A": 2, "B": 5})
    order = ops.reserve("r", ("A", 3, ""), ("B", 1, ""))

    answer = await ops.changed(ledger, ops.sourced(order, ["a", "b"], 1, split_lines=True))

    assert lines(answer) == [("A", "b", 2, 2), ("B", "b", 1, 1), ("A", "a", 1, 1)]
    assert [await ops.available(ledger, "A", name) for name in ("a", "b")] == [0, 0]


async def test_given_the_same_when_lines_may_not_be_split_then_it_is_refused_as_ever(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 1}, b={"A": 2})

    refused = await ops.refused(ledger, ops.sourced(ops.reserve("r", ("A", 3, "")), ["a", "b"], 1))

    assert refused == Refused("out_of_stock", "", [LineRefusal(1, "A", "", 3, 2)])


async def test_given_two_locations_that_need_no_split_line_when_as_few_would_split_one_then_none_is_split(
    ledger: Ledger,
) -> None:
    await stocked(ledger, a={"A": 2, "B": 1}, b={"A": 1, "B": 1}, c={"A": 3})
    order = ops.reserve("r", ("A", 3, ""), ("B", 1, ""))

    answer = await ops.changed(ledger, ops.sourced(order, ["a", "b", "c"], 1, split_lines=True))

    assert lines(answer) == [("A", "c", 3, 3), ("B", "a", 1, 1)]


async def test_given_lines_of_one_sku_when_it_is_split_then_each_line_gets_its_units(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 1}, b={"A": 3})
    order = ops.order("r", ("A", 2, ""), ("A", 2, ""))

    answer = await ops.changed(ledger, ops.sourced(order, ["a", "b"], 1, split_lines=True))

    assert lines(answer) == [("A", "b", 2, 2), ("A", "b", 1, 1), ("A", "a", 1, 1)]


async def test_given_a_split_order_when_sent_again_then_it_is_answered_as_the_first_time(ledger: Ledger) -> None:
    await stocked(ledger, a={"A": 1}, b={"A": 2})
    operation = ops.sourced(ops.reserve("r", ("A", 3, "")), ["a", "b"], 1, split_lines=True)
    first = await ops.changed(ledger, operation)

    again = await ops.changed(ledger, operation)

    assert again == msgspec.structs.replace(first, replayed=True)


async def test_given_too_little_everywhere_when_lines_may_be_split_then_the_refusal_names_what_all_have(
    ledger: Ledger,
) -> None:
    await stocked(ledger, a={"A": 1}, b={"A": 2}, c={"A": 1})
    places = ["a", "b", "c"]

    short = await ops.refused(ledger, ops.sourced(ops.reserve("r", ("A", 5, "")), places, 9, split_lines=True))
    apart = await ops.refused(ledger, ops.sourced(ops.reserve("r", ("A", 4, "")), places, 1, split_lines=True))

    assert short == Refused("out_of_stock", "", [LineRefusal(1, "A", "", 5, 4)])
    assert apart == Refused("too_many_splits", "", [LineRefusal(1, "A", "", 4, 4)])


async def test_given_more_lines_than_a_reservation_may_have_when_split_then_it_is_refused(ledger: Ledger) -> None:
    skus = [f"S{number:02}" for number in range(30)]
    names = [f"L{number}" for number in range(8)]
    await asyncio.gather(*(ledger.run(ops.receive(sku, 1, name)) for sku in skus for name in names))
    order = ops.reserve("r", *((sku, 8, "") for sku in skus))

    refused = await ops.refused(ledger, ops.sourced(order, names, 9, split_lines=True))

    assert refused.outcome == "too_many_lines"
    assert await ops.available(ledger, "S00", "L0") == 1


async def test_given_split_orders_in_one_call_when_audited_then_nothing_drifts(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, a={"A": 2}, b={"A": 5}, c={"A": 3})
    orders = [
        ops.sourced(ops.order(f"r{number}", ("A", 3, "")), ["a", "b", "c"], 2, split_lines=True) for number in range(4)
    ]

    answers = await asyncio.gather(*(ledger.run(each) for each in orders))

    assert [isinstance(each, Changed) for each in answers] == [True, True, True, False]
    assert sum([await ops.available(ledger, "A", name) for name in "abc"]) == 1
    assert (await audit(client, ledger.keyspace)).drift == []
