"""How many units a key may hold: counted by the script, for the key and each of its customers."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.key_limits import Quota
from server.domain.reservation import Changed
from server.store.audit.audit import audit
from server.store.connection.commands import command, run_function
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from server.store.maintenance.audit_reports import act_on
from tests.conftest import RETENTION, now_ms, wait_past
from tests.support import operations as ops
from tests.support.operations import AnOperation, ask, available, changed, refused, stocked
from tests.support.stores import StoreProcess

CALLERS = 200
PARTNER = Quota("partner", 10, 0)
EACH = Quota("partner", 0, 4)
BOTH = Quota("partner", 10, 4)
Counters = Callable[[], Awaitable[dict[str, int]]]


@pytest.fixture
def counters(client: Redis, ledger: Ledger) -> Counters:
    """Read the counters: a key, or a key and a customer, and the units."""

    async def read() -> dict[str, int]:
        meta: dict[bytes, bytes] = await command(client, "HGETALL", ledger.keyspace.meta)
        found = {name.decode(): int(units) for name, units in meta.items() if name.startswith(b"quota\0")}
        return {name.removeprefix("quota\0").replace("\0", " "): units for name, units in found.items()}

    return read


def no_room(of: str, requested: int, used: int, limit: int, state: str = "") -> Refused:
    return Refused("quota_exceeded", state, [LineRefusal(0, "", "", requested, limit - used, of, "", 0, limit)])


async def state_of(client: Redis, ledger: Ledger) -> list[object]:
    """Everything that a refused reserve may not touch."""
    keys = ledger.keyspace
    hashes = [await client.hgetall(key) for key in (keys.stock, keys.reservations, keys.ended, keys.meta)]
    return [*hashes, await client.zrange(keys.deadlines, 0, -1, withscores=True), await client.xlen(keys.journal)]


# -- what a reserve may


async def test_a_key_holds_up_to_its_quota_and_no_unit_more(ledger: Ledger, client: Redis, counters: Counters) -> None:
    await stocked(ledger, A=100)
    await changed(ledger, ops.reserve("r1", ("A", 7), quota=PARTNER))
    before = await state_of(client, ledger)

    assert await refused(ledger, ops.reserve("r2", ("A", 4), quota=PARTNER)) == no_room("key", 4, 7, 10)
    assert await refused(ledger, ops.reserve("r2", ("A", 2), ("A", 2), quota=PARTNER)) == no_room("key", 4, 7, 10)

    assert await state_of(client, ledger) == before
    await changed(ledger, ops.reserve("r2", ("A", 3), quota=PARTNER))
    assert await counters() == {"partner": 10}


async def test_each_customer_has_a_quota_of_its_own(ledger: Ledger, counters: Counters) -> None:
    await stocked(ledger, A=100)
    await changed(ledger, ops.reserve("r1", ("A", 4), quota=BOTH, customer_ref="ayşe"))
    assert await refused(ledger, ops.reserve("r2", ("A", 1), quota=BOTH, customer_ref="ayşe")) == no_room(
        "customer", 1, 4, 4
    )
    await changed(ledger, ops.reserve("r2", ("A", 4), quota=BOTH, customer_ref="mihai"))
    assert await refused(ledger, ops.reserve("r3", ("A", 3), quota=BOTH, customer_ref="eva")) == no_room(
        "key", 3, 8, 10
    )
    assert await counters() == {"partner": 8, "partner ayşe": 4, "partner mihai": 4}


async def test_a_key_without_a_quota_is_counted_nowhere(ledger: Ledger, counters: Counters) -> None:
    await stocked(ledger, A=100)
    await changed(ledger, ops.reserve("r1", ("A", 50), customer_ref="ayşe"))
    await changed(ledger, ops.order("o1", ("A", 1)))
    assert await counters() == {}


async def test_partial_units_and_waiting_ones_count_as_what_they_are(ledger: Ledger, counters: Counters) -> None:
    await stocked(ledger, A=3, B=1)
    await changed(ledger, ops.reserve("r1", ("A", 50), partial=True, quota=PARTNER))
    assert await counters() == {"partner": 3}

    await ask(ledger, ops.backorder("B", 20))
    assert await refused(ledger, ops.reserve("r2", ("B", 8), backorder=True, quota=PARTNER)) == no_room("key", 8, 3, 10)
    await changed(ledger, ops.reserve("r2", ("B", 7), backorder=True, quota=PARTNER))
    assert await counters() == {"partner": 10}
    await ask(ledger, ops.receive("B", 6))
    assert await counters() == {"partner": 10}


async def test_a_repeated_reserve_counts_once_and_is_answered_when_there_is_no_room(
    ledger: Ledger, counters: Counters
) -> None:
    await stocked(ledger, A=100)
    reserve = ops.reserve("r1", ("A", 10), quota=PARTNER)
    first = await ask(ledger, reserve)
    again = await ask(ledger, reserve)
    assert isinstance(first, Changed)
    assert isinstance(again, Changed)
    assert again.replayed
    assert again.reservation == first.reservation
    assert await counters() == {"partner": 10}


# -- what gives units back, and what takes more


@pytest.mark.parametrize(
    ("act", "left"),
    [
        (ops.commit("r1"), 0),
        (ops.commit("r1", (1, 1), keep=True), 3),
        (ops.commit("r1", (1, 1)), 0),
        (ops.release("r1"), 0),
        (ops.release("r1", (1, 3)), 1),
        (ops.edit("r1", (1, 1)), 1),
        (ops.edit("r1", (1, 9)), 9),
        (ops.edit("r1", (1, 1), ("B", 5)), 6),
        (ops.extend("r1", 2 * ops.HOUR_MS), 4),
        (ops.relocate("r1", (1, 0, "depo")), 4),
    ],
)
async def test_the_counters_follow_what_a_hold_has(
    ledger: Ledger, client: Redis, counters: Counters, act: AnOperation, left: int
) -> None:
    await stocked(ledger, A=100, B=100)
    await ask(ledger, ops.receive("A", 100, "depo"))
    await changed(ledger, ops.reserve("r1", ("A", 4), quota=BOTH, customer_ref="ayşe"))
    await changed(ledger, act)
    assert await counters() == ({"partner": left, "partner ayşe": left} if left else {})
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_expiry_gives_it_back_to_the_sweeper_and_to_whoever_needs_it(
    ledger: Ledger, client: Redis, counters: Counters
) -> None:
    await stocked(ledger, A=100)
    for reservation_id in ("r1", "r2"):
        await changed(
            ledger, ops.reserve(reservation_id, ("A", 10), quota=PARTNER, customer_ref="ayşe", ttl_ms=ops.SHORT_MS)
        )
        await wait_past(client, await now_ms(client) + ops.SHORT_MS)
    assert await counters() == {"partner": 10, "partner ayşe": 10}  # the second one found the first one's over

    await run_function(client, library().function("expire_holds"), ledger.keyspace, RETENTION.packed())
    assert await counters() == {}


async def test_an_edit_may_not_make_a_hold_larger_than_the_quota(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, A=100, B=100)
    await changed(ledger, ops.reserve("r1", ("A", 4), quota=PARTNER))
    await changed(ledger, ops.reserve("r2", ("A", 4), quota=PARTNER))
    await changed(ledger, ops.reserve("other", ("A", 4)))
    before = await state_of(client, ledger)

    assert await refused(ledger, ops.edit("r1", (1, 7), quota=PARTNER)) == no_room("key", 3, 8, 10, "held")
    assert await refused(ledger, ops.edit("r1", ("B", 3), quota=PARTNER)) == no_room("key", 3, 8, 10, "held")
    assert await refused(ledger, ops.edit("other", (1, 5), quota=PARTNER)) == no_room("key", 1, 0, 0, "held")

    assert await state_of(client, ledger) == before
    await changed(ledger, ops.edit("r1", (1, 0), ("B", 6), quota=PARTNER))  # what it loses makes room
    await changed(ledger, ops.edit("r2", (1, 9)))  # whoever has no quota may


async def test_what_ends_for_an_edit_may_fill_the_lines_that_it_cuts(
    ledger: Ledger, client: Redis, counters: Counters
) -> None:
    await stocked(ledger, A=3, B=100)
    await ask(ledger, ops.backorder("A", 20))
    await changed(ledger, ops.reserve("over", ("A", 3), quota=PARTNER, ttl_ms=ops.SHORT_MS))
    await changed(ledger, ops.reserve("r1", ("A", 3), ("B", 4), backorder=True, quota=PARTNER))
    await wait_past(client, await now_ms(client) + ops.SHORT_MS)

    await changed(ledger, ops.edit("r1", (1, 0), (2, 9), quota=PARTNER))

    assert (await available(ledger, "A"), await available(ledger, "B")) == (3, 91)
    assert await counters() == {"partner": 9}
    assert (await audit(client, ledger.keyspace)).drift == []


@pytest.mark.parametrize("is_edit", [True, False], ids=["edit", "reserve"])
async def test_what_ends_for_the_quota_may_fill_lines_that_wait_and_no_unit_is_taken_twice(
    ledger: Ledger, client: Redis, is_edit: bool
) -> None:
    """So many lines wait that one call does not fill all; what ends for the quota has the next ones filled."""
    quota = Quota("partner", 20, 0)
    await stocked(ledger, A=1, B=100)
    await changed(ledger, ops.reserve("over", ("A", 1), ("B", 9), quota=quota, ttl_ms=ops.SHORT_MS))
    await changed(ledger, ops.reserve("r1", ("B", 1), quota=quota))
    await ask(ledger, ops.backorder("A", 70))
    for n in range(70):
        await changed(ledger, ops.reserve(f"w{n}", ("A", 1), backorder=True))
    await ask(ledger, ops.receive("A", 75))
    left = await available(ledger, "A")
    assert left > 10  # some still wait
    await wait_past(client, await now_ms(client) + ops.SHORT_MS)

    act = ops.edit("r1", ("A", left), quota=quota) if is_edit else ops.reserve("r2", ("A", left), quota=quota)
    assert (await refused(ledger, act)).outcome == "out_of_stock"

    assert await available(ledger, "A") >= 0
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_an_order_from_a_hold_counts_for_nothing_any_more(ledger: Ledger, counters: Counters) -> None:
    await stocked(ledger, A=100)
    await changed(ledger, ops.reserve("r1", ("A", 10), quota=PARTNER))
    await changed(ledger, ops.commit("r1"))
    await changed(ledger, ops.edit("r1", (1, 30), quota=PARTNER))
    await changed(ledger, ops.cancel("r1", (1, 5)))
    await changed(ledger, ops.fulfil("r1"))
    assert await counters() == {}
    await changed(ledger, ops.reserve("r2", ("A", 10), quota=PARTNER))


async def test_a_lowered_quota_says_that_more_is_held_than_may_be(ledger: Ledger) -> None:
    await stocked(ledger, A=100)
    await changed(ledger, ops.reserve("r1", ("A", 10), quota=PARTNER))
    lower = Quota("partner", 6, 0)
    assert await refused(ledger, ops.reserve("r2", ("A", 1), quota=lower)) == no_room("key", 1, 10, 6)


# -- many at once


@pytest.fixture
async def ledgers(
    make_ledger: Callable[..., Ledger], open_batcher: Callable[..., Batcher], store: StoreProcess
) -> list[Ledger]:
    """Open one partition through three batchers, as three worker processes would."""
    return [make_ledger(open_batcher(store)) for _ in range(3)]


async def at_once(ledgers: list[Ledger], wanted: list[AnOperation]) -> Counter[str]:
    answers = await asyncio.gather(*(ask(ledgers[n % len(ledgers)], each) for n, each in enumerate(wanted)))
    return Counter(each.outcome if isinstance(each, Refused) else "held" for each in answers)


@pytest.mark.parametrize("lines", [[("A", 1)], [("A", 1), ("B", 1)]], ids=["short way", "ordinary way"])
async def test_a_quota_holds_exactly_under_200_concurrent_callers(
    ledgers: list[Ledger], client: Redis, counters: Counters, lines: list[tuple[str, int]]
) -> None:
    ledger, each = ledgers[0], len(lines)
    quota = Quota("partner", 60 * each, 20 * each)
    await stocked(ledger, A=1_000, B=1_000)
    wanted: list[AnOperation] = [
        ops.reserve(f"r{n}", *lines, quota=quota, customer_ref=f"c{n % 5}") for n in range(CALLERS)
    ]
    assert await at_once(ledgers, wanted) == {"held": 60, "quota_exceeded": 140}
    found = await counters()
    assert found.pop("partner") == 60 * each
    assert sum(found.values()) == 60 * each
    assert max(found.values()) <= 20 * each
    assert await available(ledger, "A") == 1_000 - 60

    # While a third of them lets go, as many others take their places: at no time are there more.
    held = [each for each in wanted if (await ledger.reservation(each.reservation_id)).reservation]  # type: ignore[union-attr]
    going: list[AnOperation] = [ops.release(each.reservation_id) for each in held[:20]]  # type: ignore[union-attr]
    coming: list[AnOperation] = [ops.reserve(f"s{n}", *lines, quota=quota, customer_ref=f"c{n}") for n in range(180)]
    await at_once(ledgers, [op for pair in zip(coming[:20], going, strict=True) for op in pair] + coming[20:])
    after = await counters()
    assert after["partner"] <= 60 * each
    report = await audit(client, ledger.keyspace)
    assert (report.drift, report.conclusive) == ([], True)


# -- a release that does not count


async def test_what_a_release_that_does_not_count_leaves_is_found_and_mended(
    ledger: Ledger, client: Redis, counters: Counters
) -> None:
    """As after 0.1.0 has ended a hold: the record and the stock are right, and the counters are as they were."""
    await stocked(ledger, A=100)
    await changed(ledger, ops.reserve("r1", ("A", 4), quota=BOTH, customer_ref="ayşe"))
    await changed(ledger, ops.reserve("r2", ("A", 3), quota=BOTH, customer_ref="mihai"))
    names = ("quota\0partner", "quota\0partner\0ayşe", "quota\0partner\0mihai")
    kept = dict(zip(names, await command(client, "HMGET", ledger.keyspace.meta, *names), strict=True))
    await changed(ledger, ops.release("r1"))
    await command(client, "HSET", ledger.keyspace.meta, *(each for pair in kept.items() for each in pair))
    await client.hdel(ledger.keyspace.meta, "quota\0partner\0mihai")

    report = await audit(client, ledger.keyspace)
    await act_on(client, ledger.keyspace, RETENTION.packed(), report)

    found = sorted((each.what, each.reservation_id, each.expected, each.found) for each in report.drift)
    assert found == [("quota", "partner", 3, 7), ("quota", "partner ayşe", 0, 4), ("quota", "partner mihai", 3, 0)]
    assert report.drift_units == 4 + 4 + 3
    assert await counters() == {"partner": 3, "partner mihai": 3}
    assert (await audit(client, ledger.keyspace)).drift == []
