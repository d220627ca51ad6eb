"""What one call works on is bounded, however many lines the reservations have that its operations name."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.operations.reservations import Extend, Order, Reserve
from server.store.connection.commands import run_function, run_on_keys
from server.store.ledger.batcher import Batcher
from server.store.ledger.codec import pack
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from tests.conftest import wait_past
from tests.support.operations import (
    HOUR_MS,
    SHORT_MS,
    arrive,
    available,
    backorder,
    cancel,
    changed,
    commit,
    fulfil,
    level,
    order,
    receive,
    release,
    relocate,
    reserve,
    ship,
    transferred,
)
from tests.support.replay import read_journal

LINES: Final = 100
MANY: Final = 40
LINES_MAX: Final = 200
"""Of one call, as ``lua/lib/work.lua`` has it."""
SKUS: Final = tuple(f"S{number:040d}" for number in range(LINES))


async def stocked(ledger: Ledger, location: str = "main", units: int = 1_000) -> None:
    await asyncio.gather(*(ledger.run(receive(sku, units, location)) for sku in SKUS))


def hold(name: str, ttl_ms: int = HOUR_MS, units: int = 2) -> Reserve:
    return reserve(name, *((sku, units) for sku in SKUS), ttl_ms=ttl_ms)


def orders(count: int = MANY) -> list[Order]:
    return [order(f"r{number}", *((sku, 2) for sku in SKUS)) for number in range(count)]


async def lines_of_calls(client: Redis, ledger: Ledger, operation: str) -> list[int]:
    """Return for each call with such an operation how many lines it has changed."""
    entries = [entry for _, entry in await read_journal(client, ledger.keyspace.journal)]
    return [
        sum(len(change.lines) for change in entry)
        for entry in entries
        if any(change.operation == operation for change in entry)
    ]


async def all_changed(ledger: Ledger, operations: Iterable[object]) -> None:
    await asyncio.gather(*(changed(ledger, each) for each in operations))  # type: ignore[arg-type]  # of many kinds


async def lapsed(ledger: Ledger, client: Redis, count: int = MANY) -> None:
    """Make holds of many lines whose deadlines have passed."""
    held = await asyncio.gather(*(changed(ledger, hold(f"r{number}", SHORT_MS)) for number in range(count)))
    await wait_past(client, max(each.reservation.deadline_ms for each in held))


async def test_given_many_long_holds_that_lapse_together_when_swept_then_each_call_ends_some(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger)
    await lapsed(ledger, client)
    more, calls, ended = True, 0, 0
    while more:
        reply = await run_function(client, library().function("expire_holds"), ledger.keyspace, limits_with())
        more, lateness_ms = msgspec.msgpack.decode(reply, type=tuple[bool, list[int]])
        calls, ended = calls + 1, ended + len(lateness_ms)
    assert ended == MANY
    lines = await lines_of_calls(client, ledger, "expire")
    assert sum(lines) == MANY * LINES
    assert max(lines) <= LINES_MAX
    assert calls <= 1 + len(lines), "no call is wasted"
    assert {await available(ledger, sku) for sku in SKUS} == {1_000}


async def test_given_units_in_long_holds_that_lapsed_when_a_buyer_comes_then_it_has_them_after_bounded_calls(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, units=2 * MANY)
    await lapsed(ledger, client)
    await changed(ledger, reserve("buyer", (SKUS[0], 2 * MANY)))
    lines = await lines_of_calls(client, ledger, "expire")
    assert sum(lines) == MANY * LINES + 1
    assert max(lines) <= LINES_MAX


async def test_given_many_commits_of_long_holds_at_once_when_run_then_each_call_has_some_of_them(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger)
    await all_changed(ledger, (hold(f"r{number}") for number in range(MANY)))
    await all_changed(ledger, (commit(f"r{number}") for number in range(MANY)))
    lines = await lines_of_calls(client, ledger, "commit")
    assert sum(lines) == MANY * LINES
    assert max(lines) <= LINES_MAX
    assert len(lines) <= 2 * MANY * LINES // LINES_MAX, "those that wait come together again"
    assert {(await level(ledger, sku)).committed for sku in SKUS} == {2 * MANY}


@pytest.mark.parametrize("settle", [cancel, fulfil])
async def test_given_many_settlings_of_long_orders_at_once_when_run_then_each_call_has_some_of_them(
    ledger: Ledger, client: Redis, settle: Callable[..., object]
) -> None:
    await stocked(ledger)
    await all_changed(ledger, orders())
    await all_changed(ledger, (settle(f"r{number}") for number in range(MANY)))
    lines = await lines_of_calls(client, ledger, settle.__name__)
    assert sum(lines) == MANY * LINES
    assert max(lines) <= LINES_MAX
    assert {(await level(ledger, sku)).committed for sku in SKUS} == {0}


async def test_given_small_orders_behind_long_ones_when_settled_at_once_then_they_do_not_wait(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger)
    small = [order(f"small-{number}", (SKUS[0], 1)) for number in range(4)]
    await all_changed(ledger, [*orders(2), *small])
    settled = [cancel("r0"), cancel("r1"), *(cancel(each.reservation_id) for each in small)]
    await all_changed(ledger, settled)
    assert await lines_of_calls(client, ledger, "cancel") == [2 * LINES + 4]


async def test_given_an_order_of_two_hundred_lines_when_shipped_then_one_call_does_it(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger)
    await stocked(ledger, "other")
    await all_changed(ledger, orders(1))
    await changed(ledger, relocate("r0", *((line, 1, "other") for line in range(1, LINES + 1))))
    await changed(ledger, fulfil("r0"))
    assert await lines_of_calls(client, ledger, "fulfil") == [2 * LINES]


async def test_given_many_operations_on_one_long_order_at_once_when_run_then_all_take_effect_some_a_call(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger)
    await changed(ledger, order("r", *((sku, MANY) for sku in SKUS)))
    await all_changed(ledger, (cancel("r", (1 + number, 1)) for number in range(MANY)))
    entries = [entry for _, entry in await read_journal(client, ledger.keyspace.journal)]
    cancels = [sum(change.operation == "cancel" for change in entry) for entry in entries]
    assert sum(cancels) == MANY
    assert max(cancels) <= LINES_MAX // LINES
    found = (await ledger.reservation("r")).reservation
    assert found is not None
    assert sum(line.committed for line in found.lines) == MANY * LINES - MANY


async def test_given_operations_on_one_order_when_the_first_waits_then_the_later_ones_wait_as_well(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger)
    await changed(ledger, order("r", *((sku, 9) for sku in SKUS)))
    await changed(ledger, order("small", (SKUS[0], 1)))
    await all_changed(ledger, orders(5))
    batch = [*(cancel(f"r{n}") for n in range(2)), cancel("r", (1, 1)), cancel("small"), cancel("r", (2, 1))]
    *answers, _ = await run_function(
        client, library().function("mutate_when_full"), ledger.keyspace, limits_with(), b"".join(map(pack, batch)), "0"
    )
    tags = [msgspec.msgpack.decode(answer)[0] for answer in answers]
    assert tags == [*["changed"] * 2, "retry_with_weight", "changed", "retry_with_weight"]
    found = (await ledger.reservation("r")).reservation
    assert found is not None
    assert [line.committed for line in found.lines] == [9] * LINES, "nothing has happened of what waits"


async def test_given_repeats_whose_answers_are_long_when_run_at_once_then_several_calls_answer_them(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger)
    await all_changed(ledger, (hold(f"r{number}") for number in range(2 * MANY)))
    commits = [commit(f"r{number}", key=f"k{number}") for number in range(2 * MANY)]
    first = await asyncio.gather(*(changed(ledger, each) for each in commits))
    before = await _calls(client)
    again = await asyncio.gather(*(changed(ledger, each) for each in commits))
    assert await _calls(client) - before > 1
    assert all(each.replayed for each in again)
    assert [each.reservation for each in again] == [each.reservation for each in first]


async def _calls(client: Redis) -> int:
    return int((await client.info("commandstats"))["cmdstat_fcall"]["calls"])


async def test_given_repeated_orders_that_are_long_when_run_at_once_then_all_get_their_first_answer(
    ledger: Ledger, open_batcher: Callable[..., Batcher], store: object, make_ledger: Callable[..., Ledger]
) -> None:
    await stocked(ledger)
    first = await asyncio.gather(*(changed(ledger, each) for each in orders()))
    wide = make_ledger(open_batcher(store, lines_max=10 * LINES))  # so that one call would have all of them
    again = await asyncio.gather(*(changed(wide, each) for each in orders()))
    assert all(each.replayed for each in again)
    assert [each.reservation.lines for each in again] == [each.reservation.lines for each in first]


async def test_given_long_holds_when_extended_at_once_then_all_are_extended(ledger: Ledger) -> None:
    await stocked(ledger)
    held = await asyncio.gather(*(changed(ledger, hold(f"r{number}")) for number in range(MANY)))
    extended = await asyncio.gather(
        *(changed(ledger, Extend("", "tester", f"r{number}", "", 2 * HOUR_MS)) for number in range(MANY))
    )
    assert all(
        after.reservation.deadline_ms > before.reservation.deadline_ms
        for before, after in zip(held, extended, strict=True)
    )


async def test_given_many_long_transfers_when_all_arrive_at_once_then_each_call_has_some_of_them(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger)
    shipped = [ship(f"t{number}", "main", "other", *((sku, 1) for sku in SKUS)) for number in range(20)]
    await asyncio.gather(*(transferred(ledger, each) for each in shipped))
    await asyncio.gather(*(transferred(ledger, arrive(f"t{number}", everything=True)) for number in range(20)))
    lines = await lines_of_calls(client, ledger, "transfer_receive")
    assert sum(lines) == 20 * LINES
    assert max(lines) <= LINES_MAX


async def test_given_units_for_many_long_orders_that_wait_when_they_come_then_each_call_fills_some(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger)
    await ledger.run(backorder("late", 1_000))
    waiting = [
        reserve(f"w{number}", *((sku, 1) for sku in SKUS), ("late", 1), backorder=True) for number in range(MANY)
    ]
    await all_changed(ledger, waiting)
    await ledger.run(receive("late", MANY))
    after, function = "", library().function("fill_backorders")
    while (unfilled := await client.hget(ledger.keyspace.meta, "unfilled")) is not None:
        reply = await run_function(client, function, ledger.keyspace, limits_with(), after, 200, unfilled)
        after, _ = msgspec.msgpack.decode(reply, type=tuple[str, int])
    entries = [entry for _, entry in await read_journal(client, ledger.keyspace.journal)]
    fills = [sum(change.operation == "backorder_fill" for change in entry) for entry in entries]
    assert sum(fills) == MANY
    assert max(fills) <= MANY // 2
    assert (await level(ledger, "late")).held == MANY


async def test_given_keys_with_long_answers_when_they_are_over_then_several_calls_purge_all(
    make_ledger: Callable[..., Ledger], client: Redis, limits_with: Callable[..., bytes]
) -> None:
    ledger = make_ledger(idempotency_s=0, ended_s=0)
    await stocked(ledger)
    await all_changed(ledger, (hold(f"r{number}") for number in range(2 * MANY)))
    await all_changed(ledger, (release(f"r{number}", key=f"k{number}") for number in range(2 * MANY)))
    asked, calls, looked_at = 500, 0, 500
    while looked_at == asked:
        calls += 1
        looked_at = await run_on_keys(
            client, library().function("purge_ended"), ledger.keyspace.forgetting, limits_with(), asked
        )
    assert calls > 1
    assert await client.exists(*ledger.keyspace.all[5:7], ledger.keyspace.ended) == 0


async def test_given_orders_that_become_many_lines_when_made_at_once_then_a_call_makes_one_of_them(
    ledger: Ledger, client: Redis
) -> None:
    places = [f"store-{number}" for number in range(3 * LINES)]
    await asyncio.gather(*(ledger.run(receive(sku, 1, place)) for sku in SKUS[:4] for place in places))

    await all_changed(ledger, (order(sku, (sku, LINES, "")) for sku in SKUS[:4]))

    assert await lines_of_calls(client, ledger, "order") == [LINES] * 4


async def test_given_orders_that_become_a_few_lines_when_made_at_once_then_they_share_a_call(
    ledger: Ledger, client: Redis
) -> None:
    await asyncio.gather(*(ledger.run(receive(SKUS[0], 1, place)) for place in map("store-{}".format, range(20))))

    await all_changed(ledger, (order(f"r{number}", (SKUS[0], 2, "")) for number in range(10)))

    assert max(await lines_of_calls(client, ledger, "order")) > 2
