"""Orders whose lines name no location: what is shown can be ordered, and only that."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Final

import pytest
from redis.asyncio import Redis

from server.domain.allocations import AllocationKind
from server.domain.answers import LineRefusal, Refused
from server.domain.exchange import Exchanged
from server.domain.locations import Location
from server.domain.operations.reservations import Order, Reserve
from server.domain.operations.stock import Bucket
from server.domain.reservation import Changed
from server.store.audit.audit import audit
from server.store.connection.commands import command
from server.store.ledger import ledger as ledger_module
from server.store.ledger.ledger import Ledger
from server.store.lua_library import Library, assemble, with_places
from server.store.repositories.locations import LocationStore
from tests.conftest import ON_ONE_STORE, RETENTION, wait_past
from tests.support import operations as ops
from tests.support.operations import changed, order, refused, reserve
from tests.support.places_oracle import may_take_from, parts_of, shown
from tests.support.sourcing_oracle import Stock

ORDERS: Final = 600
SOAK_ORDERS: Final = 10_000
PER_PARTITION: Final = 50
SKUS: Final = ("S", "T", "U")
NAMES: Final = ("main", "ankara", "izmir", "bursa", "adana")
CHANNELS: Final = ("shop", "web", "kiosk")
"""The second is limited to some places, the third now and then to none that has anything."""


@pytest.fixture
def locations(client: Redis, ledger: Ledger) -> LocationStore:
    return LocationStore(client, ledger.keyspace, RETENTION.packed())


async def close(locations: LocationStore, *names: str, is_open: bool = False) -> None:
    await locations.put([Location(name, open=is_open) for name in names], "tester")


async def stocked(ledger: Ledger, **units: int) -> None:
    """Count so many units at each place; negative: short of as many, for an order that was accepted."""
    await stocked_of(ledger, "S", units)


async def stocked_of(ledger: Ledger, sku: str, units: dict[str, int]) -> None:
    for name, there in units.items():
        await ops.moved(ledger, ops.count(sku, max(0, there), name))
        if there < 0:
            await changed(ledger, order(f"short-{sku}-{name}", (sku, -there, name), accept_shortage=True))


def taken(answer: Changed) -> list[tuple[str, int]]:
    """Return where the units of each line come from, and how many."""
    return [(line.location, line.quantity) for line in answer.reservation.lines]


async def left(ledger: Ledger, sku: str = "S") -> dict[str, int]:
    return {each.location: each.available for each in (await ledger.stock(sku)).levels}


async def test_given_units_elsewhere_only_when_ordered_without_a_location_then_they_are_taken_from_there(
    ledger: Ledger,
) -> None:
    await stocked(ledger, izmir=6)

    assert taken(await changed(ledger, order("o", ("S", 4, "")))) == [("izmir", 4)]
    assert taken(await changed(ledger, reserve("r", ("S", 2, "")))) == [("izmir", 2)]


async def test_given_all_units_at_main_when_ordered_then_they_are_taken_from_there_though_others_have_more(
    ledger: Ledger,
) -> None:
    await stocked(ledger, main=4, izmir=60)

    assert taken(await changed(ledger, order("o", ("S", 4, "")))) == [("main", 4)]


@pytest.mark.parametrize(
    ("there", "parts"),
    [
        ({"main": 3, "izmir": 9, "ankara": 7}, [("izmir", 6)]),
        ({"main": 3, "izmir": 2, "ankara": 5}, [("ankara", 5), ("main", 1)]),
        ({"main": 3, "izmir": 3, "ankara": 3}, [("main", 3), ("ankara", 3)]),
        ({"izmir": 9, "ankara": 9}, [("ankara", 6)]),
    ],
)
async def test_given_too_few_at_main_when_ordered_then_one_place_has_all_or_those_with_most_come_first(
    ledger: Ledger, there: dict[str, int], parts: list[tuple[str, int]]
) -> None:
    await stocked(ledger, **there)

    assert taken(await changed(ledger, order("o", ("S", 6, "")))) == parts


async def test_given_several_skus_when_ordered_then_the_place_with_all_of_them_comes_before_a_split(
    ledger: Ledger,
) -> None:
    await stocked(ledger, main=5, izmir=2)
    await stocked_of(ledger, "T", {"izmir": 2, "ankara": 9})

    both = await changed(ledger, order("o", ("S", 1, ""), ("T", 2, ""), ("S", 1, "")))
    apart = await changed(ledger, order("p", ("S", 1, ""), ("T", 2, "")))

    assert taken(both) == [("izmir", 1), ("izmir", 2), ("izmir", 1)]
    assert taken(apart) == [("main", 1), ("ankara", 2)]


async def test_given_split_lines_when_ordered_then_further_parts_stand_behind_all_lines_and_a_replay_has_them(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, main=2, izmir=4)
    await stocked_of(ledger, "T", {"ankara": 1})
    wanted = reserve("r", ("S", 5, ""), ("T", 1, ""))

    first = await changed(ledger, wanted)
    again = await changed(ledger, wanted)

    assert taken(first) == [("izmir", 4), ("ankara", 1), ("main", 1)]
    assert (again.replayed, again.reservation) == (True, first.reservation)
    assert await left(ledger) == {"main": 1, "izmir": 0}
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_lines_that_name_a_location_when_ordered_then_they_have_their_units_first(ledger: Ledger) -> None:
    await stocked(ledger, main=3, izmir=5)

    mixed = await changed(ledger, order("o", ("S", 4, ""), ("S", 3, "izmir")))

    assert taken(mixed) == [("main", 3), ("izmir", 3), ("izmir", 1)]


async def test_given_a_shortage_elsewhere_when_ordered_then_no_more_than_the_net_sum_can_be_had(
    ledger: Ledger,
) -> None:
    await stocked(ledger, main=5, izmir=-3)

    answer = await refused(ledger, order("o", ("S", 3, "")))

    assert (answer.outcome, answer.lines) == ("out_of_stock", [LineRefusal(1, "S", "", 3, 2)])
    assert taken(await changed(ledger, order("p", ("S", 2, "")))) == [("main", 2)]


async def test_given_a_shortage_made_in_the_same_call_when_ordered_then_it_counts(ledger: Ledger) -> None:
    await stocked(ledger, main=5, izmir=0)

    _, second = await asyncio.gather(
        ledger.run(order("o", ("S", 4, "izmir"), accept_shortage=True)), ledger.run(order("p", ("S", 2, "")))
    )

    assert isinstance(second, Refused), second


async def test_given_a_place_that_this_call_made_when_ordered_then_it_is_one_of_them(ledger: Ledger) -> None:
    await stocked(ledger, main=0)

    _, second = await asyncio.gather(ledger.run(ops.receive("S", 4, "izmir")), ledger.run(order("p", ("S", 2, ""))))

    assert isinstance(second, Changed), second
    assert taken(second) == [("izmir", 2)]


async def test_given_a_closed_main_when_ordered_then_an_open_place_is_used_until_it_opens_again(
    ledger: Ledger, locations: LocationStore
) -> None:
    await stocked(ledger, main=9, izmir=2)
    await close(locations, "main")

    assert taken(await changed(ledger, order("o", ("S", 2, "")))) == [("izmir", 2)]
    assert (await refused(ledger, order("p", ("S", 1, "")))).outcome == "out_of_stock"
    await close(locations, "main", is_open=True)
    assert taken(await changed(ledger, order("q", ("S", 1, "")))) == [("main", 1)]


async def test_given_only_closed_places_when_ordered_then_it_says_so_and_what_is_sold_already_is_booked(
    ledger: Ledger, locations: LocationStore
) -> None:
    await stocked(ledger, izmir=4)
    await close(locations, "izmir")

    answer = await refused(ledger, order("o", ("S", 1, "")))
    assert (answer.outcome, answer.lines) == ("location_closed", [LineRefusal(1, "S", "izmir", 1, 0)])
    named = await refused(ledger, order("p", ("S", 1, "izmir")))
    assert (named.outcome, named.lines) == ("location_closed", [LineRefusal(1, "S", "izmir", 1, 0)])
    assert taken(await changed(ledger, order("q", ("S", 1, ""), accept_shortage=True))) == [("izmir", 1)]
    assert taken(await changed(ledger, order("r", ("S", 1, "izmir"), accept_shortage=True))) == [("izmir", 1)]


async def test_given_a_channel_with_places_when_it_orders_then_only_those_are_used_unless_a_line_names_another(
    ledger: Ledger, locations: LocationStore
) -> None:
    await stocked(ledger, main=9, izmir=2)
    await locations.limit_channels({"web": ["izmir"]})

    assert taken(await changed(ledger, order("o", ("S", 2, ""), channel="web"))) == [("izmir", 2)]
    assert (await refused(ledger, order("p", ("S", 1, ""), channel="web"))).outcome == "out_of_stock"
    assert taken(await changed(ledger, order("q", ("S", 1, "main"), channel="web"))) == [("main", 1)]
    assert taken(await changed(ledger, order("r", ("S", 1, "")))) == [("main", 1)]


async def test_given_a_channel_that_may_take_from_no_place_of_a_sku_when_it_orders_then_it_is_out_of_stock(
    ledger: Ledger, locations: LocationStore
) -> None:
    await stocked(ledger, main=9)
    await locations.limit_channels({"web": ["izmir"]})

    assert (await refused(ledger, order("o", ("S", 1, ""), channel="web"))).outcome == "out_of_stock"
    assert taken(await changed(ledger, order("p", ("S", 1, ""), channel="web", accept_shortage=True))) == [("main", 1)]


async def test_given_an_unknown_sku_when_ordered_then_it_is_unknown_at_main(ledger: Ledger) -> None:
    answer = await refused(ledger, order("o", ("S", 1, "")))

    assert (answer.outcome, answer.lines) == ("unknown_sku", [LineRefusal(1, "S", "main", 1, 0)])


async def test_given_due_holds_when_units_are_short_everywhere_then_they_end_first(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, main=1, izmir=3)
    held = await changed(ledger, reserve("r", ("S", 3, "izmir"), ttl_ms=ops.SHORT_MS))
    await wait_past(client, held.reservation.deadline_ms)

    assert taken(await changed(ledger, order("o", ("S", 4, "")))) == [("izmir", 3), ("main", 1)]


async def test_given_a_partial_policy_when_ordered_then_it_takes_what_there_is_over_the_places(ledger: Ledger) -> None:
    await stocked(ledger, main=2, izmir=3, ankara=-1)
    await stocked_of(ledger, "T", {"izmir": 0})

    lines = (await changed(ledger, reserve("r", ("S", 9, ""), ("T", 1, ""), partial=True))).reservation.lines

    assert [(each.sku, each.location, each.requested, each.quantity) for each in lines] == [
        ("S", "izmir", 8, 3), ("T", "izmir", 1, 0), ("S", "main", 1, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "waits_at"),
    [({"main": 9, "izmir": 9}, "main"), ({"izmir": 9, "ankara": 9}, "izmir"), ({"ankara": 5}, "ankara")],
)
async def test_given_a_backorder_policy_when_ordered_then_the_rest_waits_at_main_or_where_the_sku_lies(
    ledger: Ledger, rules: dict[str, int], waits_at: str
) -> None:
    await stocked(ledger, main=1, izmir=3, ankara=2)
    for name, limit in rules.items():
        await ops.moved(ledger, ops.backorder("S", limit, name))

    answer = await changed(ledger, reserve("r", ("S", 11, ""), backorder=True))

    assert {each.location: (each.held, each.waiting) for each in answer.reservation.lines} == {
        "izmir": (3, 5 * (waits_at == "izmir")),
        "ankara": (2, 5 * (waits_at == "ankara")),
        "main": (1, 5 * (waits_at == "main")),
    }


@pytest.mark.parametrize(
    ("there", "parts"),
    [
        ({"main": 5, "izmir": -3}, {"main": (5, 2)}),
        ({"main": 2, "izmir": 6, "ankara": -4}, {"izmir": (4, 0), "main": (2, 1)}),
        ({"main": 9, "izmir": -5}, {"main": (7, 0)}),
    ],
)
async def test_given_a_shortage_elsewhere_when_units_wait_then_the_place_where_they_wait_has_given_all_it_has(
    ledger: Ledger, client: Redis, there: dict[str, int], parts: dict[str, tuple[int, int]]
) -> None:
    await stocked(ledger, **there)
    await ops.moved(ledger, ops.backorder("S", 2, "main"))

    answer = await changed(ledger, reserve("r", ("S", 7, ""), backorder=True))

    assert {each.location: (each.held, each.waiting) for each in answer.reservation.lines} == parts
    await refused(ledger, reserve("next", ("S", 7, "main")))
    assert not await client.hexists(ledger.keyspace.meta, "unfilled")


async def test_given_no_place_where_units_may_wait_when_ordered_then_it_is_refused(ledger: Ledger) -> None:
    await stocked(ledger, main=1, izmir=3)
    await ops.moved(ledger, ops.backorder("S", 1, "izmir"))

    assert (await refused(ledger, reserve("r", ("S", 9, ""), backorder=True))).outcome == "out_of_stock"


async def test_given_a_line_that_names_a_place_where_it_may_not_wait_when_another_may_then_both_are_refused(
    ledger: Ledger,
) -> None:
    await stocked(ledger, main=1, izmir=3)
    await ops.moved(ledger, ops.backorder("S", 9, "main"))

    assert (await refused(ledger, reserve("r", ("S", 5, "izmir"), ("S", 2, ""), backorder=True))).lines == [
        LineRefusal(1, "S", "izmir", 5, 3),
        LineRefusal(2, "S", "", 2, 1),
    ]


async def test_given_lines_that_wait_when_ordered_then_units_that_are_theirs_are_not_taken(ledger: Ledger) -> None:
    await stocked(ledger, main=0, izmir=0)
    await ops.moved(ledger, ops.backorder("S", 9, "izmir"))
    await changed(ledger, reserve("w", ("S", 3, "izmir"), backorder=True))
    await stocked(ledger, main=2)

    assert taken(await changed(ledger, order("o", ("S", 2, "")))) == [("main", 2)]


@pytest.mark.parametrize(
    ("there", "left_after"),
    [
        ({"main": 3, "izmir": 3}, {"main": -1, "izmir": 0}),
        ({"izmir": 3, "ankara": 2}, {"izmir": -2, "ankara": 0}),
        ({"main": -1, "izmir": 3}, {"main": -5, "izmir": 0}),
        ({"main": 7, "izmir": -3}, {"main": 0, "izmir": -3}),
    ],
)
async def test_given_a_sold_order_when_accepted_then_what_is_there_is_taken_and_only_the_rest_is_short(
    ledger: Ledger, there: dict[str, int], left_after: dict[str, int]
) -> None:
    await stocked(ledger, **there)

    await changed(ledger, order("o", ("S", 7, ""), accept_shortage=True))

    assert await left(ledger) == left_after


async def test_given_explicit_sourcing_when_accepted_then_what_is_there_is_taken_and_only_the_rest_is_short(
    ledger: Ledger,
) -> None:
    await stocked(ledger, main=3, izmir=3)

    await changed(ledger, ops.sourced(order("o", ("S", 7, ""), accept_shortage=True), ["izmir", "main"]))

    assert await left(ledger) == {"main": -1, "izmir": 0}


async def test_given_a_channels_own_units_when_others_order_then_they_are_not_theirs_at_any_place(
    ledger: Ledger,
) -> None:
    await stocked(ledger, main=2, izmir=5)
    await ops.moved(ledger, ops.allocate("S", "web", 4, location="izmir"))

    assert (await refused(ledger, order("o", ("S", 4, "")))).lines == [LineRefusal(1, "S", "", 4, 3)]
    assert taken(await changed(ledger, order("p", ("S", 7, ""), channel="web"))) == [("izmir", 5), ("main", 2)]


async def test_given_more_places_than_lines_of_a_record_when_ordered_then_there_are_too_many_splits(
    ledger: Ledger,
) -> None:
    await asyncio.gather(*(ledger.run(ops.receive("S", 1, f"L{number:03}")) for number in range(220)))

    assert (await refused(ledger, order("o", ("S", 201, "")))).outcome == "too_many_splits"
    assert len((await changed(ledger, order("p", ("S", 200, "")))).reservation.lines) == 200
    some = await changed(ledger, reserve("q", ("S", 99, ""), partial=True))
    assert sum(line.held for line in some.reservation.lines) == 20


async def test_given_a_sold_order_over_too_many_places_when_accepted_then_the_rest_is_booked_as_short(
    ledger: Ledger,
) -> None:
    await asyncio.gather(*(ledger.run(ops.receive("S", 1, f"L{number:03}")) for number in range(220)))

    lines = (await changed(ledger, order("o", ("S", 230, ""), accept_shortage=True))).reservation.lines

    assert (len(lines) <= 200, sum(line.committed for line in lines)) == (True, 230)


async def test_given_an_exchange_when_the_new_order_names_no_location_then_it_may_have_what_comes_back(
    ledger: Ledger,
) -> None:
    await stocked(ledger, main=0, izmir=1)
    await changed(ledger, order("o", ("S", 1, "")))
    await changed(ledger, ops.fulfil("o"))

    answer = await ops.exchanged(ledger, ops.exchange(ops.take_back("o", (1, 1), key="k"), order("p", ("S", 1, ""))))

    assert taken(answer.promised) == [("izmir", 1)]


async def test_given_all_units_at_main_when_ordered_then_the_store_runs_the_same_commands_as_for_a_named_location(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, main=9)
    await changed(ledger, order("o", ("S", 1, "main")))

    async def calls() -> Counter[str]:
        stats = await client.info("commandstats")
        return Counter({name: each["calls"] for name, each in stats.items() if name != "cmdstat_info"})

    before = await calls()
    await changed(ledger, order("p", ("S", 1, "main")))
    between = await calls()
    await changed(ledger, order("q", ("S", 1, "")))

    assert await calls() - between == between - before


async def received(ledger: Ledger, skus: int, places: int) -> None:
    """Receive 2 units of each SKU at each place, and 9 of the first one at one place."""
    names = [(f"S{sku}", f"L{number:04}") for sku in range(skus) for number in range(places)]
    for first in range(0, len(names), 500):
        await asyncio.gather(*(ledger.run(ops.receive(sku, 2, name)) for sku, name in names[first : first + 500]))
    await ops.moved(ledger, ops.receive("S0", 7, "L0007"))


@pytest.mark.parametrize("places", [2_000, 2_600])
async def test_given_orders_that_look_at_many_places_when_sent_together_then_each_is_made(
    ledger: Ledger, places: int
) -> None:
    await received(ledger, 1, places)

    answers = await asyncio.gather(*(ledger.run(order(f"o{number}", ("S0", 3, ""))) for number in range(4)))

    made = sorted(taken(each) for each in answers if isinstance(each, Changed))
    assert made == [[("L0000", 2), ("L0001", 1)], [("L0007", 3)], [("L0007", 3)], [("L0007", 3)]]


async def test_given_a_replacement_that_looks_at_many_places_when_exchanged_then_it_is_made(ledger: Ledger) -> None:
    await received(ledger, 1, 2_600)
    await changed(ledger, order("old", ("S0", 1, "L0000")))
    await changed(ledger, ops.fulfil("old"))

    answer, _ = await asyncio.gather(
        ledger.run(ops.exchange(ops.take_back("old", (1, 1), key="k"), order("new", ("S0", 9, "")))),
        ledger.run(ops.receive("S0", 1)),
    )

    assert isinstance(answer, Exchanged), answer
    assert taken(answer.promised) == [("L0007", 9)]


async def test_given_more_places_than_one_call_looks_at_when_ordered_then_they_are_read_in_slices(
    ledger: Ledger,
) -> None:
    await received(ledger, 31, 120)
    lines = [(f"S{sku}", 3, "") for sku in range(31)]

    made = await changed(ledger, order("o", *lines))
    assert taken(made)[0] == ("L0007", 3)
    assert sum(line.committed for line in made.reservation.lines) == 93
    assert len((await changed(ledger, order("p", *lines[:29]))).reservation.lines) == 29 + 28
    sold = await changed(ledger, order("q", *lines, accept_shortage=True))
    assert sum(line.committed for line in sold.reservation.lines) == 93


# -- against brute force


class Merchant:
    """Few SKUs at few places, of which some are closed, short, allocated or not for a channel."""

    def __init__(self, seed: int, ledger: Ledger, client: Redis) -> None:
        self.choice = random.Random(seed)
        self.ledger, self.client = ledger, client
        self.locations = LocationStore(client, ledger.keyspace, RETENTION.packed())
        self.used: Counter[tuple[str, str, str]] = Counter()
        self.closed: set[str] = set()
        self.limited: dict[str, list[str]] = {}
        self.orders = 0

    async def change(self) -> None:
        """Change what the next orders meet."""
        choice = self.choice
        sku, name, units = choice.choice(SKUS), choice.choice(NAMES), choice.randint(1, 6)
        match choice.randrange(9):
            case 0 | 1 | 2:
                await ops.moved(self.ledger, ops.meant(ops.receive(sku, units, name)))
            case 3:
                await ops.moved(self.ledger, ops.meant(ops.count(sku, units - 1, name)))
            case 4 | 5:
                await self.ledger.run(ops.adjust(sku, Bucket.DAMAGED, units, name))
            case 6:
                channel = choice.choice(CHANNELS)
                newest = await command(self.client, "XREVRANGE", self.ledger.keyspace.journal, "+", "-", "COUNT", 1)
                if newest:
                    counted = (newest[0][0].decode(), self.used[channel, sku, name])
                    kind: AllocationKind = choice.choice(("own", "cap"))
                    await self.ledger.run(ops.allocate(sku, channel, 2 * units, kind, name, counted=counted))
            case 7:
                is_open = name in self.closed
                await close(self.locations, name, is_open=is_open)
                (self.closed.discard if is_open else self.closed.add)(name)
            case _:
                self.limited["web"] = choice.sample(NAMES, choice.randint(1, 4))
                self.limited["kiosk"] = choice.sample(NAMES, 1)
                await self.locations.limit_channels(self.limited)

    async def stock_of(self, channel: str) -> dict[str, Stock]:
        """What the channel may reserve of each SKU, at the places that it may take from."""
        found: dict[str, Stock] = {}
        for sku in SKUS:
            levels = (await self.ledger.stock(sku)).levels
            found[sku] = {
                (sku, each.location): each.left(channel)
                for each in levels
                if may_take_from(each.location, channel, self.closed, self.limited)
            }
        return found

    def order(self) -> Reserve | Order:
        choice = self.choice
        self.orders += 1
        lines = [(choice.choice(SKUS), choice.randint(1, 7), "") for _ in range(choice.choice((1, 1, 2, 3)))]
        make = choice.choice((order, reserve))
        return make(f"o{self.orders}", *lines, channel=choice.choice(CHANNELS))

    async def one(self) -> bool:
        """Order, and compare with what is shown and with brute force. Returns whether it was accepted."""
        wanted = self.order()
        stock = await self.stock_of(wanted.channel)
        units: Counter[str] = Counter()
        for line in wanted.lines:
            units[line.sku] += line.quantity
        answer = await self.ledger.run(wanted)
        most = {sku: shown(sku, stock[sku]) for sku in units}
        assert isinstance(answer, Changed) == all(units[sku] <= most[sku] for sku in units), (wanted, stock, answer)
        if isinstance(answer, Changed):
            there = {place: each for sku in units for place, each in stock[sku].items()}
            parts = parts_of(units, there, most)
            got: Counter[tuple[str, str]] = Counter()
            for made in answer.reservation.lines:
                got[made.sku, made.location] += made.held + made.committed
                self.used[wanted.channel, made.sku, made.location] += made.held + made.committed
            assert got == {(sku, name): each for sku in units for name, each in parts[sku]}, (wanted, stock, answer)
        return isinstance(answer, Changed)


async def compare(make_ledger: Callable[..., Ledger], client: Redis, orders: int) -> int:
    """Make random orders and compare each with what is shown. Returns how many were accepted."""
    accepted, names = 0, count()
    for seed in range(orders // PER_PARTITION):
        ledger = make_ledger(partition=f"shown-{next(names)}")
        merchant = Merchant(seed, ledger, client)
        for _ in range(PER_PARTITION):
            for _ in range(merchant.choice.randint(0, 4)):
                await merchant.change()
            accepted += await merchant.one()
        assert (await audit(client, ledger.keyspace)).drift == []
    return accepted


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("orders", [ORDERS, pytest.param(SOAK_ORDERS, marks=pytest.mark.soak)])
async def test_given_random_orders_when_made_then_they_are_accepted_exactly_when_what_is_shown_suffices(
    make_ledger: Callable[..., Ledger], client: Redis, orders: int
) -> None:
    assert orders / 6 < await compare(make_ledger, client, orders) < orders * 4 / 5


PLANTED: Final = {
    "allocations are forgotten": (
        "  return shown <= 0 and shown or max(0, reservable(entry, channel))\n",
        "  return entry.available - entry.claimed\n",
    ),
    "a shortage elsewhere does not count": ("order.accept_shortage and max(0, left[i])", "max(0, left[i])"),
    "main is enough, whatever is short elsewhere": ("not accept_shortage and units_short() > 0", "false"),
    "a closed place is sold from": ("if not closed[name] and (not own", "if (not own"),
    "a channel takes from any place": ("(not own or own[name])", "true"),
}


@ON_ONE_STORE
@pytest.mark.parametrize("fault", PLANTED)
async def test_given_a_fault_in_the_choice_when_compared_then_it_is_found(
    make_ledger: Callable[..., Ledger], client: Redis, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    text, (right, wrong) = assemble(), PLANTED[fault]
    assert text.count(right) == 1
    faulty = Library(with_places(text.replace(right, wrong)))
    monkeypatch.setattr(ledger_module, "library", lambda: faulty)

    with pytest.raises(AssertionError):
        await compare(make_ledger, client, ORDERS)


async def test_given_a_shortage_of_another_sku_when_main_has_all_of_a_large_order_then_it_is_made(
    ledger: Ledger,
) -> None:
    await received(ledger, 31, 170)
    await asyncio.gather(*(ledger.run(ops.count(f"S{sku}", 9)) for sku in range(31)))
    await ledger.run(ops.count("OTHER", 0, safety=2))

    made = await changed(ledger, order("o", *((f"S{sku}", 3, "") for sku in range(31))))

    assert {line.location for line in made.reservation.lines} == {"main"}
