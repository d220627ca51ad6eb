"""Sourcing sees what lies there: candidates are the locations where the SKUs are, registered or not."""

import asyncio
import random
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused, ReservationAnswer
from server.domain.reservation import Changed
from server.domain.sourcing import Strategy
from server.schemas.common import PositionBody
from server.schemas.locations import LocationBody
from server.schemas.reservations import OrderBody, ReserveBody
from server.schemas.sourcing import ExplainBody, ExplainView, SourcingBody
from server.service.caller import Caller
from server.service.explain import explain
from server.service.locations import put_location
from server.service.reservations import make, order_operation, reserve_operation
from tests.conftest import ON_ONE_STORE
from tests.support import operations as ops
from tests.support.lines import line_body
from tests.support.many_places import names_of, stock_everywhere

PRIORITY = SourcingBody("priority")
SPLIT = SourcingBody("priority", splits_max=9, split_lines=True)
NEAREST = SourcingBody("nearest", position=PositionBody(41.0, 29.0))


async def received(caller: Caller, units: dict[str, int], sku: str = "S") -> None:
    names = list(units.items())
    for first in range(0, len(names), 500):
        few = names[first : first + 500]
        await asyncio.gather(*(caller.ledger.run(ops.count(sku, there, name)) for name, there in few))


async def reserved(caller: Caller, *wanted: tuple[str, int], sourcing: SourcingBody = PRIORITY) -> ReservationAnswer:
    body = ReserveBody(channel="web", lines=[line_body(*each) for each in wanted], sourcing=sourcing)
    return await make(caller, body, reserve_operation(caller, body))


async def explained(caller: Caller, *wanted: tuple[str, int], sourcing: SourcingBody = PRIORITY) -> ExplainView:
    return await explain(caller, ExplainBody([line_body(*each) for each in wanted], sourcing, "web"))


async def agreed(caller: Caller, *wanted: tuple[str, int], sourcing: SourcingBody = PRIORITY) -> Sequence[str]:
    """Return where each line of an order comes from, after an explanation has said the same; or why it is refused."""
    view = await explained(caller, *wanted, sourcing=sourcing)
    answer = await reserved(caller, *wanted, sourcing=sourcing)
    if isinstance(answer, Refused):
        assert view.outcome == answer.outcome
        return [answer.outcome]
    places = [line.location for line in answer.reservation.lines]
    assert [line.location for line in view.lines] == places[: len(view.lines)]
    return places


@pytest.mark.parametrize("sourcing", [PRIORITY, NEAREST, SourcingBody("most_stock"), SourcingBody("lowest_footfall")])
async def test_given_a_place_that_nobody_registered_when_another_is_registered_then_units_there_can_be_ordered(
    caller: Caller, sourcing: SourcingBody
) -> None:
    await received(caller, {"main": 10})
    assert await agreed(caller, ("S", 1), sourcing=sourcing) == ["main"]

    await put_location(caller, "izmir", LocationBody())

    assert await agreed(caller, ("S", 9), sourcing=sourcing) == ["main"]


async def test_given_only_places_that_nobody_registered_when_sourced_then_all_of_them_are_candidates(
    caller: Caller,
) -> None:
    await received(caller, {"depo": 2, "izmir": 5})

    assert await agreed(caller, ("S", 2)) == ["depo"]
    assert await agreed(caller, ("S", 5), sourcing=NEAREST) == ["izmir"]


async def test_given_a_registered_place_when_sourced_then_it_is_ranked_before_those_without_a_position(
    caller: Caller,
) -> None:
    await received(caller, {"depo": 5, "izmir": 5})
    await put_location(caller, "izmir", LocationBody(position=PositionBody(38.4, 27.1), priority=-0))

    assert await agreed(caller, ("S", 1), sourcing=NEAREST) == ["izmir"]
    assert await agreed(caller, ("S", 1)) == ["depo"]


async def test_given_a_group_when_sourced_then_a_place_that_nobody_registered_is_not_in_it(caller: Caller) -> None:
    await received(caller, {"main": 10, "izmir": 1})
    await put_location(caller, "izmir", LocationBody(groups=["stores"]))
    stores = SourcingBody("priority", group="stores")

    assert await agreed(caller, ("S", 1), sourcing=stores) == ["izmir"]
    assert await agreed(caller, ("S", 1), sourcing=stores) == ["out_of_stock"]
    assert await agreed(caller, ("T", 1), sourcing=stores) == ["unknown_sku"]
    assert await agreed(caller, ("S", 1), sourcing=SourcingBody("priority", group="none")) == ["location_closed"]


async def test_given_a_sku_at_closed_places_only_when_sourced_then_it_says_so(caller: Caller) -> None:
    await received(caller, {"izmir": 4})
    await put_location(caller, "izmir", LocationBody(open=False))

    assert await agreed(caller, ("S", 1)) == ["location_closed"]
    assert await agreed(caller, ("T", 1)) == ["unknown_sku"]


@ON_ONE_STORE
@pytest.mark.parametrize("places", [601, 2_003])
async def test_given_hundreds_of_places_when_all_units_are_in_the_last_then_an_order_gets_them(
    caller: Caller, places: int
) -> None:
    await received(caller, {f"L{number:04}": 0 for number in range(places - 1)} | {"last": 1_000})

    assert await agreed(caller, ("S", 1_000)) == ["last"]
    assert await agreed(caller, ("S", 1)) == ["out_of_stock"]


@ON_ONE_STORE
@pytest.mark.parametrize("elsewhere", [0, 1])
async def test_given_thirty_skus_at_a_hundred_places_when_one_has_all_then_an_order_of_all_gets_them(
    caller: Caller, elsewhere: int
) -> None:
    skus = [f"S{number}" for number in range(30)]
    for sku in skus:
        await received(caller, {f"L{number:03}": elsewhere for number in range(100)} | {"last": 5}, sku)

    assert set(await agreed(caller, *((sku, 5) for sku in skus))) == {"last"}


@ON_ONE_STORE
async def test_given_more_places_with_units_than_can_be_looked_at_when_none_has_enough_then_it_is_out_of_stock(
    caller: Caller,
) -> None:
    await received(caller, {f"L{number:03}": 1 for number in range(501)})

    assert await agreed(caller, ("S", 2)) == ["out_of_stock"]
    assert await agreed(caller, ("S", 11), sourcing=SPLIT) == ["sourcing_incomplete"]
    assert await agreed(caller, ("S", 1)) == ["L000"]
    body = OrderBody(channel="web", lines=[line_body("S", 502)], on_shortage="accept", sourcing=PRIORITY)
    sold = await make(caller, body, order_operation(caller, body))
    assert isinstance(sold, Changed), sold
    assert sum(line.committed for line in sold.reservation.lines) == 502


@ON_ONE_STORE
async def test_given_places_that_are_left_out_when_explained_then_it_says_why(caller: Caller) -> None:
    await received(caller, {f"L{number:03}": 0 for number in range(600)} | {"last": 1, "shut": 9})
    await put_location(caller, "shut", LocationBody(open=False))
    await put_location(caller, "empty", LocationBody())

    view = await explained(caller, ("S", 1))

    assert [each.location for each in view.candidates] == ["last"]
    why = {each.location: each.why for each in view.passed_over}
    assert (why["L000"], why["shut"], why["empty"]) == ("no_units", "closed", "not_known_there")


@ON_ONE_STORE
@pytest.mark.parametrize("strategy", ["priority", "most_stock"])
async def test_given_many_places_with_many_allocations_when_sourced_then_a_script_looks_at_those_that_have_units(
    client: Redis, caller: Caller, strategy: Strategy
) -> None:
    lists = [(f"marketplace-{number:02d}", "own", 0, 0) for number in range(32)]
    names = names_of(500)
    for sku in "ABCDE":
        await stock_everywhere(client, caller.partition.keyspace, [sku], names, on_hand=1, allocations=lists)
        await received(caller, {names[-1]: 5}, sku)
    lines = [line_body(sku, 3) for sku in "ABCDE"]

    body = ExplainBody(lines, SourcingBody(strategy), "web")
    view = await explain(caller, body)

    assert {line.location for line in view.lines} == {names[-1]}
    assert len(view.candidates) * len(lines) < 400
    assert await agreed(caller, *((sku, 3) for sku in "ABCDE"), sourcing=SourcingBody(strategy)) == [names[-1]] * 5
    assert await agreed(caller, ("A", 3), ("B", 1)) == ["out_of_stock"]


# -- without sourcing


async def test_given_random_orders_without_sourcing_when_explained_then_each_then_comes_from_there(
    caller: Caller,
) -> None:
    choice, outcomes = random.Random(5), set[str]()
    for number in range(60):
        skus = [f"{number}-{sku}" for sku in "ABC"]
        names = choice.sample(("main", "ankara", "bursa", "izmir", "shut"), 3)
        for sku in skus[:2]:
            await received(caller, {name: choice.randint(0, 4) for name in names}, sku)
        lines = [line_body(choice.choice(skus[: choice.choice((2, 2, 3))]), choice.randint(1, 5)) for _ in range(2)]
        await put_location(caller, "shut", LocationBody(open=choice.random() < 0.5))
        await caller.partition.locations.store.limit_channels({"web": ["ankara", "izmir"]} if number % 3 == 0 else {})
        body = ReserveBody(channel="web", lines=lines)

        view = await explain(caller, ExplainBody(lines, channel="web"))
        answer = await make(caller, body, reserve_operation(caller, body))

        outcomes.add(view.outcome)
        if isinstance(answer, Refused):
            assert view.outcome == answer.outcome
            continue
        parts = [
            [(part.location, part.quantity) for part in line.parts] or [(line.location, line.quantity)]
            for line in view.lines
        ]
        made = [each[0] for each in parts] + [part for each in parts for part in each[1:]]
        assert made == [(line.location, line.held) for line in answer.reservation.lines]
        assert {each.location for each in view.candidates if each.chosen} == {name for name, _ in made}
    assert outcomes >= {"chosen", "out_of_stock", "unknown_sku"}


async def test_given_places_that_may_not_be_taken_from_when_explained_then_it_says_why(caller: Caller) -> None:
    await received(caller, {"main": 3, "izmir": 2, "shut": 9})
    await put_location(caller, "shut", LocationBody(open=False))
    await caller.partition.locations.store.limit_channels({"web": ["izmir", "shut"]})

    view = await explain(caller, ExplainBody([line_body("S", 2)], channel="web"))

    assert (view.outcome, [line.location for line in view.lines]) == ("chosen", ["izmir"])
    assert [(each.location, each.why) for each in view.candidates] == [("izmir", "the first that has everything")]
    assert {each.location: each.why for each in view.passed_over} == {"main": "not_for_channel", "shut": "closed"}
