"""Units that are promised before they are there: who may wait, in which order, and that what comes goes to them."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.daily_figures import Figures
from server.domain.operations.stock import Bucket
from server.domain.reservation import Changed, ReservationLine
from server.domain.stock import Backorder
from server.insight.backorder_fills import seen_as_one
from server.insight.journal_sums import JournalSums
from server.store.audit.audit import audit
from server.store.connection.commands import run_function
from server.store.journal.journal import read
from server.store.ledger import ledger as ledger_module
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from server.store.lua_library import Library, assemble, library, with_places
from server.store.maintenance import housekeeping
from server.store.maintenance.housekeeping import Housekeeper
from server.store.repositories.backorders import find_waiters
from server.store.repositories.expected_receipts import read_outlook
from tests.conftest import RETENTION, wait_past
from tests.support import operations as ops
from tests.support.stores import StoreProcess

CALLERS = 64
DAY = "2030-01-15"
FEW = 3
"""Lines that one call fills in a library of its own; 100 would take long to wait."""


@pytest.fixture(autouse=True)
async def audited(client: Redis, ledger: Ledger) -> AsyncIterator[None]:
    """Whatever a test did, counters, queue and journal agree afterwards."""
    yield
    report = await audit(client, ledger.keyspace)
    assert (report.drift, report.conclusive, report.journal_complete) == ([], True, True)


async def waiting(client: Redis, ledger: Ledger, sku: str = "") -> list[tuple[str, int]]:
    """Return the backorder queue: (reservation id, units)."""
    page = await find_waiters(client, ledger.keyspace, sku=sku)
    return [
        (each.member.reservation_id, each.reservation.lines[each.member.line - 1].backordered) for each in page.waiters
    ]


async def line_of(ledger: Ledger, reservation_id: str, number: int = 1) -> ReservationLine:
    found = await ledger.reservation(reservation_id)
    assert found.reservation
    return found.reservation.lines[number - 1]


async def state_of(ledger: Ledger, reservation_id: str) -> str:
    found = await ledger.reservation(reservation_id)
    assert found.reservation
    return found.reservation.state


async def preorder(ledger: Ledger, sku: str, limit: int) -> None:
    """Allow units of a SKU to be waited for of which none was ever there."""
    await ops.moved(ledger, ops.backorder(sku, limit, mode="preorder", on=DAY))


async def test_given_nothing_was_set_when_more_is_wanted_than_there_is_then_it_is_refused(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=2)

    refusal = await ops.refused(ledger, ops.order("o", ("A", 3), backorder=True))

    assert refusal.outcome == "out_of_stock"


async def test_given_units_may_be_waited_for_when_a_caller_did_not_ask_for_that_then_it_is_refused(
    ledger: Ledger,
) -> None:
    await preorder(ledger, "A", 10)

    assert (await ops.refused(ledger, ops.order("o", ("A", 1)))).outcome == "out_of_stock"
    assert (await ops.refused(ledger, ops.reserve("r", ("A", 1), partial=True))).outcome == "out_of_stock"


async def test_given_a_sku_that_never_was_there_when_preordered_then_the_line_waits_and_tells_the_day(
    ledger: Ledger, client: Redis
) -> None:
    await preorder(ledger, "A", 10)

    answer = await ops.changed(ledger, ops.order("o", ("A", 3), backorder=True))

    [line] = answer.reservation.lines
    assert (answer.reservation.state, line.backordered, line.committed) == ("backordered", 3, 0)
    assert (line.mode, line.promise_on, line.quantity) == ("preorder", DAY, 3)
    level = await ops.level(ledger, "A")
    assert (level.available, level.committed, level.backorder) == (0, 0, Backorder("preorder", 10, DAY, 3))
    assert await waiting(client, ledger) == [("o", 3)]


async def test_given_some_units_when_more_are_ordered_then_only_what_is_missing_waits(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=2, B=9)
    await preorder(ledger, "A", 4)

    answer = await ops.changed(ledger, ops.order("o", ("A", 5), ("B", 1), backorder=True))

    assert [(line.committed, line.backordered) for line in answer.reservation.lines] == [(2, 3), (1, 0)]
    assert answer.reservation.state == "committed"


@pytest.mark.parametrize("lines", [[("A", 5)], [("A", 2), ("A", 3)], [("A", 1), ("B", 2)]])
async def test_given_a_limit_when_a_promise_would_pass_it_then_all_of_it_is_refused(
    ledger: Ledger, client: Redis, lines: list[tuple[str, int]]
) -> None:
    await ops.stocked(ledger, B=1)
    await preorder(ledger, "A", 4)

    refusal = await ops.refused(ledger, ops.order("o", *lines, backorder=True))

    assert refusal.outcome == "out_of_stock"
    assert await waiting(client, ledger) == []


async def test_given_many_who_wait_when_units_come_then_vip_first_then_the_oldest_get_them_at_once(
    ledger: Ledger, client: Redis
) -> None:
    await preorder(ledger, "A", 20)
    for name, units, flags in (("o1", 3, ()), ("o2", 4, ("gift",)), ("v1", 5, ("vip",)), ("o3", 1, ())):
        await ops.changed(ledger, ops.order(name, ("A", units), flags=flags, backorder=True))
    assert [name for name, _ in await waiting(client, ledger)] == ["v1", "o1", "o2", "o3"]

    answer = await ops.moved(ledger, ops.receive("A", 10, key="carton"))
    again = await ops.moved(ledger, ops.receive("A", 10, key="carton"))

    assert (answer.level.available, answer.level.committed, again.replayed) == (0, 10, True)
    assert await waiting(client, ledger) == [("o2", 2), ("o3", 1)]
    assert [await state_of(ledger, name) for name in ("v1", "o1", "o2", "o3")] == [*["committed"] * 3, "backordered"]


async def test_given_who_waits_when_more_comes_than_is_waited_for_then_only_the_rest_is_available(
    ledger: Ledger, client: Redis
) -> None:
    await preorder(ledger, "A", 5)
    await ops.changed(ledger, ops.order("o", ("A", 5), backorder=True))

    answer = await ops.moved(ledger, ops.receive("A", 12))

    assert answer.level.available == 7
    entries = [changes async for _, changes in read(client, ledger.keyspace)]
    assert [change.operation for change in entries[-1]] == ["receive", "backorder_fill"]
    first, second = (change.lines[0] for change in entries[-1])
    assert seen_as_one(entries[-1]) == {first.seq: (0, 7), second.seq: (7, 7)}


@pytest.mark.parametrize(
    "way",
    [
        [ops.adjust("A", Bucket.ON_HAND, 2, reason="found")],
        [ops.count("A", 10)],
        [ops.count("A", safety=0)],
        [ops.move("A", "damaged", "available", 2, reason="mended")],
        [ops.cancel("first", (1, 2))],
        [ops.fulfil("first", (1, 1)), ops.take_back("first", (1, 1)), ops.receive("A", 1)],
        [ops.expect("s", "A", 2), ops.receive_expected("s", "A", 2)],
        [ops.ship("t", "depo", "main", ("A", 2)), ops.arrive("t", everything=True)],
        [ops.relocate("first", (1, 2, "depo"))],
        [ops.adjust("A", Bucket.QUALITY_CONTROL, -2, reason="looked at")],
    ],
)
async def test_given_who_waits_when_units_come_free_in_any_way_then_they_are_theirs(
    ledger: Ledger, way: list[ops.AnOperation]
) -> None:
    await ops.moved(ledger, ops.receive("A", 8))
    await ops.moved(ledger, ops.receive("A", 9, "depo"))
    await ops.moved(ledger, ops.move("A", "available", "damaged", 2, reason="broken"))
    await ops.moved(ledger, ops.move("A", "available", "quality_control", 2, reason="odd"))
    await ops.moved(ledger, ops.count("A", safety=2))
    await ops.moved(ledger, ops.backorder("A", 9))
    await ops.changed(ledger, ops.order("first", ("A", 2)))
    await ops.changed(ledger, ops.order("o", ("A", 2), backorder=True))

    for operation in way:
        answer = await ops.ask(ledger, operation)
        assert not isinstance(answer, Refused), answer

    assert await line_of(ledger, "o") == msgspec.structs.replace(await line_of(ledger, "o"), committed=2, owed=0)
    assert await ops.available(ledger, "A") == 0


async def test_given_a_hold_that_waits_when_its_deadline_passes_then_all_of_it_lapses(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await ops.stocked(ledger, A=1)
    await ops.moved(ledger, ops.backorder("A", 9))
    held = await ops.changed(ledger, ops.reserve("r", ("A", 3), ttl_ms=ops.SHORT_MS, backorder=True))
    await ops.changed(ledger, ops.order("o", ("A", 2), backorder=True))
    assert held.reservation.deadline_ms

    await wait_past(client, held.reservation.deadline_ms)
    await run_function(client, library().function("expire_holds"), ledger.keyspace, limits_with())

    lapsed, owed = await line_of(ledger, "r"), await line_of(ledger, "o")
    assert (lapsed.expired, lapsed.backordered, await state_of(ledger, "r")) == (3, 0, "expired")
    assert (owed.committed, owed.backordered) == (1, 1), "the released units go to the backorder queue"


async def test_given_a_lapsed_hold_in_front_of_the_queue_when_units_come_then_the_next_gets_them(
    ledger: Ledger, client: Redis
) -> None:
    await preorder(ledger, "A", 9)
    held = await ops.changed(ledger, ops.reserve("r", ("A", 2), ttl_ms=ops.SHORT_MS, backorder=True, flags=["vip"]))
    await ops.changed(ledger, ops.order("o", ("A", 2), backorder=True))
    await wait_past(client, held.reservation.deadline_ms)

    await ops.moved(ledger, ops.receive("A", 2))

    assert (await line_of(ledger, "o")).committed == 2
    assert await state_of(ledger, "r") == "expired"


async def test_given_a_hold_that_waits_when_committed_then_what_is_missing_is_owed(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=1)
    await ops.moved(ledger, ops.backorder("A", 9))
    await ops.changed(ledger, ops.reserve("r", ("A", 3), backorder=True))

    answer = await ops.changed(ledger, ops.commit("r", keep=False))

    [line] = answer.reservation.lines
    assert (answer.reservation.state, line.committed, line.owed, answer.reservation.deadline_ms) == (
        "committed", 1, 2, 0,
    )  # fmt: skip
    await ops.moved(ledger, ops.receive("A", 5))
    assert (await line_of(ledger, "r")).committed == 3
    assert await waiting(client, ledger) == []


async def test_given_an_order_that_waits_when_part_of_it_is_cancelled_then_what_is_not_there_goes_first(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=2)
    await ops.moved(ledger, ops.backorder("A", 9))
    await ops.changed(ledger, ops.order("o", ("A", 5), backorder=True))

    answer = await ops.changed(ledger, ops.cancel("o", (1, 4)))

    [line] = answer.reservation.lines
    assert (line.committed, line.backordered, line.released) == (1, 0, 4)
    assert (await ops.level(ledger, "A")).available == 1
    assert await waiting(client, ledger) == []


async def test_given_a_promise_that_waited_when_it_is_asked_for_again_then_it_answers_as_the_first_time(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, A=1)
    await ops.moved(ledger, ops.backorder("A", 9, on=DAY))
    wanted = ops.order("o", ("A", 4), backorder=True)
    first = await ops.changed(ledger, wanted)
    await ops.moved(ledger, ops.backorder("A", 2, mode="preorder"))
    await ops.moved(ledger, ops.receive("A", 9))

    again = await ops.changed(ledger, wanted)

    assert again == msgspec.structs.replace(first, replayed=True)


async def test_given_a_limit_of_zero_when_set_then_those_who_wait_stay_and_in_the_end_nothing_is_left_of_it(
    ledger: Ledger, client: Redis
) -> None:
    await preorder(ledger, "A", 9)
    await ops.changed(ledger, ops.order("o", ("A", 2), backorder=True))

    level = (await ops.moved(ledger, ops.backorder("A", 0))).level

    assert level.backorder == Backorder("backorder", 0, "", 2)
    assert (await ops.refused(ledger, ops.order("p", ("A", 1), backorder=True))).outcome == "out_of_stock"
    assert (await ops.moved(ledger, ops.receive("A", 3))).level.backorder is None
    packed = await client.hget(ledger.keyspace.stock, "A\0main")
    assert isinstance(packed, bytes)
    assert len(msgspec.msgpack.decode(packed)) == 7, "a record of which nothing is set is as it ever was"


async def test_given_who_waits_when_the_outlook_is_read_then_it_tells_how_many_units_are_waited_for(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await preorder(ledger, "A", 9)
    await ops.changed(ledger, ops.order("o", ("A", 4), backorder=True))

    outlook = await read_outlook(client, ledger.keyspace, limits_with(), "A")

    assert [(level.available, level.waiting) for level in outlook.levels] == [(0, 4)]


async def test_given_orders_that_wait_when_their_days_are_counted_then_each_sale_counts_once(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=1)
    await ops.moved(ledger, ops.backorder("A", 9))
    await ops.changed(ledger, ops.order("o", ("A", 3), backorder=True))
    await ops.changed(ledger, ops.reserve("r", ("A", 4), backorder=True))
    await ops.changed(ledger, ops.commit("r"))
    await ops.moved(ledger, ops.receive("A", 4))
    await ops.changed(ledger, ops.cancel("r", (1, 3)))

    sums = JournalSums()
    async for _, changes in read(client, ledger.keyspace):
        for change in changes:
            sums.take(change, {}, 0)

    total = Figures()
    for places in (of_day["A"].values() for of_day in sums.days.values()):
        for figures in places:
            total.add(figures)
    assert (total.ordered, total.cancelled, total.received) == (7, 3, 5)


async def test_given_a_queue_that_lost_a_line_or_has_one_too_many_when_audited_then_both_are_found(
    ledger: Ledger, client: Redis
) -> None:
    await preorder(ledger, "A", 9)
    await ops.changed(ledger, ops.order("o", ("A", 2), backorder=True))
    [member] = await client.zrange(ledger.keyspace.backorders, 0, -1)
    assert isinstance(member, bytes)
    stranger = member[:-1] + b"x"
    await client.zrem(ledger.keyspace.backorders, member)
    await client.zadd(ledger.keyspace.backorders, {stranger: 0})

    report = await audit(client, ledger.keyspace)

    assert sorted((each.what, each.expected, each.found, each.reservation_id) for each in report.drift) == [
        ("queue", "does not wait", "waits", "x"),
        ("queue", "waits", "does not wait", "o"),
    ]
    await client.zadd(ledger.keyspace.backorders, {member: 0})
    await ops.moved(ledger, ops.receive("A", 5))
    assert await ops.available(ledger, "A") == 3, "one that does not wait stands in nobody's way"
    await client.zrem(ledger.keyspace.backorders, stranger)


async def test_given_a_place_that_counts_too_many_who_wait_when_audited_then_it_is_found(
    ledger: Ledger, client: Redis
) -> None:
    await preorder(ledger, "A", 9)
    await ops.changed(ledger, ops.order("o", ("A", 2), backorder=True))
    packed = await client.hget(ledger.keyspace.stock, "A\0main")
    assert isinstance(packed, bytes)
    record = msgspec.msgpack.decode(packed)
    record[-1][-1] += 3
    await client.hset(ledger.keyspace.stock, "A\0main", msgspec.msgpack.encode(record))

    report = await audit(client, ledger.keyspace)

    assert [(each.what, each.expected, each.found, each.units) for each in report.drift] == [("backordered", 2, 5, 3)]
    await client.hset(ledger.keyspace.stock, "A\0main", packed)


async def test_given_many_callers_at_once_when_all_want_to_wait_then_the_limit_is_never_passed(
    make_ledger: Callable[..., Ledger], open_batcher: Callable[..., Batcher], store: StoreProcess, client: Redis
) -> None:
    ledgers = [make_ledger(open_batcher(store)) for _ in range(3)]
    await preorder(ledgers[0], "A", 50)

    async def caller(number: int) -> list[ops.AnAnswer]:
        mine = ledgers[number % 3]
        wanted = [ops.order(f"o{number}-{n}", ("A", 1 + number % 2), backorder=True) for n in range(3)]
        return [await ops.ask(mine, each) for each in wanted]

    answers = [each for some in await asyncio.gather(*(caller(n) for n in range(CALLERS))) for each in some]

    promised = [each for each in answers if isinstance(each, Changed)]
    units = sum(each.reservation.lines[0].backordered for each in promised)
    assert units == 50 == sum(units for _, units in await waiting(client, ledgers[0]))
    assert all(each.outcome == "out_of_stock" for each in answers if isinstance(each, Refused))


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call fill no more than a few lines."""
    old = "local FILL_MAX = 60"
    text = assemble()
    assert old in text
    few = Library(with_places(text.replace(old, f"local FILL_MAX = {FEW}")))
    monkeypatch.setattr(ledger_module, "library", lambda: few)
    monkeypatch.setattr(housekeeping, "library", lambda: few)


@pytest.mark.usefixtures("_few")
async def test_given_more_who_wait_than_one_call_may_fill_when_units_come_then_nobody_else_gets_them(
    make_ledger: Callable[..., Ledger], client: Redis
) -> None:
    ledger = make_ledger()
    await preorder(ledger, "A", 10)
    for number in range(8):
        await ops.changed(ledger, ops.order(f"o{number}", ("A", 1), backorder=True))
    answer = await ops.moved(ledger, ops.receive("A", 9))
    assert answer.level.available == 9 - FEW
    refusal = await ops.refused(ledger, ops.order("late", ("A", 2)))
    assert (refusal.outcome, refusal.lines[0].available) == ("out_of_stock", 1)

    keeper = Housekeeper(client, lambda: [ledger.keyspace.partition], RETENTION, journal_retention_s=3600)
    await keeper.sweep()

    assert await waiting(client, ledger) == []
    assert await ops.available(ledger, "A") == 1
    assert not await client.hexists(ledger.keyspace.meta, "unfilled")
    await ops.changed(ledger, ops.order("late", ("A", 1)))
