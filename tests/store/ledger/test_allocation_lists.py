"""Places with as many allocations as they may have: they count as work, and the journal has each list once."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.allocations import Allocation
from server.domain.changes import Change
from server.store.audit.audit import audit
from server.store.connection.commands import run_function
from server.store.journal.entries import decode_entry
from server.store.journal.journal import read
from server.store.journal.replay import Replay
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from tests.conftest import wait_past
from tests.support.many_places import stock_everywhere
from tests.support.operations import (
    HOUR_MS,
    SHORT_MS,
    allocate,
    arrive,
    backorder,
    bound,
    changed,
    commit,
    count,
    edit,
    fulfil,
    level,
    map_lines,
    moved,
    order,
    receive,
    release,
    relocate,
    reserve,
    ship,
    sourced,
    stocked,
    transferred,
)

ALLOCATIONS: Final = 32
SKUS: Final = tuple(f"S{number:03d}" for number in range(100))
MANY: Final = 8
LINES_MAX: Final = 200
"""Of one call, as ``lua/lib/work.lua`` has it; so many allocations count as a line."""
PER_LINE: Final = 12


async def allocated(client: Redis, ledger: Ledger, names: tuple[str, ...] = ("main", "other")) -> None:
    channels = ["web", *(f"channel-{number:02d}" for number in range(ALLOCATIONS - 1))]
    lists = [(name, "cap" if number % 2 else "own", 10, 0) for number, name in enumerate(channels)]
    await stock_everywhere(client, ledger.keyspace, SKUS, names, on_hand=1_000, allocations=lists)


async def all_done(ledger: Ledger, operations: Iterable[Any]) -> None:
    await asyncio.gather(*(changed(ledger, each) for each in operations))


async def work_of_calls(client: Redis, ledger: Ledger, operation: str) -> list[int]:
    """Return for each call with such an operation how many lines its allocations count as."""
    found = []
    async for _, changes in read(client, ledger.keyspace):
        lines = sum(len(each.lines) for each in changes if each.operation == operation)
        found += [lines * (ALLOCATIONS // PER_LINE)] if lines else []
    return found


async def changes_of(client: Redis, ledger: Ledger) -> list[Change]:
    return [change async for _, changes in read(client, ledger.keyspace) for change in changes]


def hold(name: str, ttl_ms: int = HOUR_MS) -> Any:
    return reserve(name, *((sku, 2) for sku in SKUS), ttl_ms=ttl_ms, channel="web")


@pytest.mark.parametrize("settle", [commit, release])
async def test_given_places_with_many_allocations_when_long_holds_come_and_go_then_each_call_has_few_of_them(
    client: Redis, ledger: Ledger, settle: Callable[..., Any]
) -> None:
    await allocated(client, ledger)

    await all_done(ledger, (hold(f"r{number}") for number in range(MANY)))
    await all_done(ledger, (settle(f"r{number}") for number in range(MANY)))

    for operation in ("reserve", settle.__name__):
        work = await work_of_calls(client, ledger, operation)
        assert sum(work) == MANY * len(SKUS) * (ALLOCATIONS // PER_LINE)
        assert max(work) <= LINES_MAX
    assert {(await level(ledger, sku, "main")).held for sku in SKUS} == {0}


async def test_given_places_with_many_allocations_when_long_holds_lapse_then_each_sweep_ends_few_of_them(
    client: Redis, ledger: Ledger, limits_with: Callable[..., bytes]
) -> None:
    await allocated(client, ledger)
    held = [await changed(ledger, hold(f"r{number}", SHORT_MS)) for number in range(MANY)]
    await wait_past(client, max(each.reservation.deadline_ms for each in held))

    more = True
    while more:
        reply = await run_function(client, library().function("expire_holds"), ledger.keyspace, limits_with())
        more, _ = msgspec.msgpack.decode(reply, type=tuple[bool, list[int]])

    work = await work_of_calls(client, ledger, "expire")
    assert sum(work) == MANY * len(SKUS) * (ALLOCATIONS // PER_LINE)
    assert max(work) <= LINES_MAX


async def test_given_places_with_many_allocations_when_transfers_and_orders_move_units_then_all_are_done(
    client: Redis, ledger: Ledger
) -> None:
    await allocated(client, ledger)
    names = [f"t{number}" for number in range(MANY)]

    await asyncio.gather(
        *(transferred(ledger, ship(each, "main", "other", *((sku, 1) for sku in SKUS))) for each in names)
    )
    await asyncio.gather(*(transferred(ledger, arrive(each, everything=True)) for each in names))
    await all_done(ledger, (order(each, *((sku, 2) for sku in SKUS), channel="web") for each in names))
    moves = [(line, 1, "other") for line in range(1, len(SKUS) + 1)]
    await all_done(ledger, (relocate(each, *moves) for each in names))
    await all_done(ledger, (fulfil(each) for each in names))

    for operation in ("transfer_ship", "transfer_receive", "order", "relocate", "fulfil"):
        assert len(await work_of_calls(client, ledger, operation)) > 1, operation
    there = {(await level(ledger, sku, name)).on_hand for sku in SKUS for name in ("main", "other")}
    assert there == {1_000 - 2 * MANY, 1_000}
    report = await audit(client, ledger.keyspace, journal=False)
    assert report.drift == []


async def test_given_places_with_many_allocations_when_units_find_their_places_then_each_call_has_few_of_them(
    client: Redis, ledger: Ledger
) -> None:
    names, some = [f"o{number}" for number in range(MANY)], SKUS[:30]
    unknown = [(f"?{number}", 1, "") for number in range(len(SKUS))]
    await all_done(ledger, (order(each, *unknown, accept_shortage=True) for each in names))
    await allocated(client, ledger)

    await all_done(
        ledger, (map_lines(each, *((line, sku) for line, sku in enumerate(SKUS, 1)), key="k" + each) for each in names)
    )
    await all_done(ledger, (reserve(f"e{each}", ("S000", 1, "main"), channel="web") for each in names))
    await all_done(ledger, (edit(f"e{each}", *((sku, 1, "main") for sku in SKUS[40:])) for each in names))
    late = [sourced(reserve(f"b{each}", *((sku, 1, "") for sku in some)), ["main"], open_group="") for each in names]
    await all_done(ledger, late)
    await all_done(ledger, (bound(commit(f"b{each}"), "other") for each in names))

    for operation, lines in (("map_lines", len(SKUS)), ("edit", 60), ("relocate", 2 * len(some))):
        work = await work_of_calls(client, ledger, operation)
        assert sum(work) == MANY * lines * (ALLOCATIONS // PER_LINE), operation
        assert max(work) <= LINES_MAX, operation
    assert (await audit(client, ledger.keyspace, journal=False)).drift == []


async def shared(ledger: Ledger) -> None:
    await stocked(ledger, A=50, B=50)
    await moved(ledger, allocate("A", "shop", 9))
    await moved(ledger, allocate("A", "kiosk", 4, "cap"))


async def test_given_several_lines_of_a_place_when_journaled_then_the_last_has_the_allocations_and_replays_agree(
    client: Redis, ledger: Ledger
) -> None:
    await shared(ledger)
    await moved(ledger, receive("A", 50, "other"))
    await changed(ledger, order("o", ("A", 1), ("B", 2), ("A", 3), ("A", 2), channel="shop"))
    await changed(ledger, relocate("o", (1, 1, "other"), (3, 1, "other")))
    await changed(ledger, fulfil("o"))

    *_, made, relocated, shipped = await changes_of(client, ledger)

    assert [(line.sku, line.allocations is not None) for line in made.lines] == [
        ("A", False), ("B", False), ("A", False), ("A", True),
    ]  # fmt: skip
    assert made.allocations_at(made.lines[0]) == [Allocation("shop", "own", 9, 6), Allocation("kiosk", "cap", 4, 0)]
    assert [line.location for line in relocated.lines if line.allocations] == ["main"]
    assert made.allocations_at(made.lines[1]) == ()
    assert sum(line.allocations is not None for line in shipped.lines) == 1
    replay = Replay()
    assert [fault for each in await changes_of(client, ledger) for fault in replay.apply(each)] == []
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_a_line_that_got_nothing_when_journaled_then_one_before_it_has_the_allocations(
    client: Redis, ledger: Ledger
) -> None:
    await shared(ledger)
    await changed(ledger, reserve("r", ("A", 40), ("A", 10), ("A", 5), channel="web", partial=True))

    *_, made = await changes_of(client, ledger)

    assert [(line.d_held, line.allocations is not None) for line in made.lines] == [(40, False), (1, True)]
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_a_part_of_a_journal_when_replayed_then_its_first_lines_are_taken_on_trust(
    client: Redis, ledger: Ledger
) -> None:
    await shared(ledger)
    await changed(ledger, order("o", ("A", 1), ("A", 3), channel="shop"))
    await changed(ledger, fulfil("o"))

    replay = Replay(from_zero=False)

    *_, made, shipped = await changes_of(client, ledger)
    assert replay.apply(made) + replay.apply(shipped) == []
    assert [each.allocations for each in replay.levels()] == [(await level(ledger, "A", "main")).allocations]


async def test_given_an_entry_of_an_earlier_release_when_read_then_each_line_has_its_allocations() -> None:
    line = [1, "A", "main", 0, 1, 0, 0, 0, 0, 8, 4, 0, 0, [["shop", "own", 9, 1]]]
    again = [2, "A", "main", 0, 1, 0, 0, 0, 0, 7, 5, 0, 0, [["shop", "own", 9, 2]]]
    record = [
        "held",
        1,
        2,
        3,
        5,
        "shop",
        "local",
        "",
        [["A", "main", 1, 1, 1, 0, 8, 4], ["A", "main", 1, 1, 1, 0, 7, 5]],
    ]
    told = ["reserve", "r", record, [[8, [["shop", "own", 9, 1]]], [7, [["shop", "own", 9, 2]]]]]
    packed = msgspec.msgpack.encode([["commit", 1, "local", "shop", "r", "held", [line, again], []], told])

    for change in decode_entry({b"e": packed}):
        assert [each.allocations for each in change.lines] == [
            [Allocation("shop", "own", 9, 1)],
            [Allocation("shop", "own", 9, 2)],
        ]


@pytest.mark.parametrize("channel", ["backorder", "preorder", "🔩backorder5", "own", "a—", "x" * 60, "—own"])
async def test_given_channels_with_names_like_bytes_of_a_record_when_they_sell_then_each_has_its_own(
    client: Redis, ledger: Ledger, channel: str
) -> None:
    await stocked(ledger, A=20)
    await moved(ledger, allocate("A", "first", 3))
    await moved(ledger, allocate("A", channel, 5))
    await moved(ledger, allocate("A", f"{channel}-2", 2, "cap"))
    await moved(ledger, backorder("A", 7))

    await changed(ledger, order("o", ("A", 4), channel=channel))
    await changed(ledger, order("p", ("A", 1), channel=f"{channel}-2"))
    await changed(ledger, fulfil("o"))
    await moved(ledger, count("A", 30))

    found = await level(ledger, "A", "main")
    assert found.allocated == [
        Allocation("first", "own", 3, 0),
        Allocation(channel, "own", 1, 0),
        Allocation(f"{channel}-2", "cap", 2, 1),
    ]
    assert found.backorder is not None
    assert (found.backorder.limit, found.free) == (7, 29)
    assert (await audit(client, ledger.keyspace)).drift == []
