"""The audit on real stores: never a false alarm on a live system, and every kind of drift found and named."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.key_limits import Quota
from server.domain.operations.stock import Bucket
from server.store.audit import reader
from server.store.audit.audit import AuditReport, Drift, Replay, audit
from server.store.connection.commands import command, run_function
from server.store.journal.journal import read
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from server.store.maintenance.lacking import recount_lacking
from tests.conftest import RETENTION, wait_past
from tests.support.operations import (
    adjust,
    ask,
    cancel,
    changed,
    commit,
    count,
    extend,
    fulfil,
    level,
    order,
    receive,
    release,
    reserve,
    stocked,
)

SKUS = [f"SKU {number}/ğ" for number in range(12)]
LOCATIONS = ["main", "Kadıköy"]
QUOTAS = [None, Quota("partner", 60, 9), Quota("reseller", 0, 30)]


class Traffic:
    """Random operations on one ledger, until stopped."""

    def __init__(self, ledger: Ledger, client: Redis, limits: bytes, seed: int) -> None:
        self.ledger = ledger
        self.client = client
        self.limits = limits
        self.random = random.Random(seed)
        self.done = 0
        self.ids: list[str] = []

    async def fill(self) -> None:
        await asyncio.gather(
            *(ask(self.ledger, receive(sku, 40, location)) for sku in SKUS for location in LOCATIONS),
        )

    async def run(self, buyers: int, operations: int) -> None:
        await asyncio.gather(*(self._buyer(number, operations // buyers) for number in range(buyers)), self._sweeper())

    async def _buyer(self, number: int, operations: int) -> None:
        for turn in range(operations):
            await self._one(f"r{number}-{turn}")
            self.done += 1

    async def _one(self, new_id: str) -> None:
        pick, draw = self.random.random(), self.random
        known = draw.choice(self.ids) if self.ids else "none"
        lines = [(draw.choice(SKUS), draw.randint(1, 3), draw.choice(LOCATIONS)) for _ in range(draw.randint(1, 3))]
        if pick < 0.45:
            ttl_ms = draw.choice([1, 5, 60_000])
            quota, customer_ref = draw.choice(QUOTAS), draw.choice(["", "ayşe", "mihai"])
            reserving = reserve(
                new_id, *lines, ttl_ms=ttl_ms, partial=draw.random() < 0.5, quota=quota, customer_ref=customer_ref
            )
            await ask(self.ledger, reserving)
            self.ids.append(new_id)
        elif pick < 0.55:
            await ask(self.ledger, order(new_id, *lines, accept_shortage=draw.random() < 0.3))
            self.ids.append(new_id)
        elif pick < 0.9:
            operation: Any = draw.choice([commit(known), commit(known, (1, 1), keep=True), release(known, (1, 1)),
                                          release(known), cancel(known), fulfil(known, (1, 1)), fulfil(known),
                                          extend(known, 50)])  # fmt: skip
            await ask(self.ledger, operation)
        else:
            sku, units, location = lines[0]
            movement: Any = draw.choice([receive(sku, units, location), count(sku, 30, location, safety=units),
                                         adjust(sku, Bucket.DAMAGED, units, location),
                                         adjust(sku, Bucket.ON_HAND, -units, location)])  # fmt: skip
            await ask(self.ledger, movement)

    async def _sweeper(self) -> None:
        for _ in range(50):
            await run_function(self.client, library().function("expire_holds"), self.ledger.keyspace, self.limits)
            await asyncio.sleep(0.002)


@pytest.fixture
def seed() -> int:
    return random.SystemRandom().randrange(2**32)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the audit look at a few records at a time, so that much happens under it."""
    monkeypatch.setattr(reader, "CHUNK", 5)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("trimmed", [False, True], ids=["whole journal", "trimmed journal"])
async def test_given_constant_change_when_audited_again_and_again_then_no_drift_is_reported(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes], seed: int, trimmed: bool
) -> None:
    traffic = Traffic(ledger, client, limits_with(), seed)
    await traffic.fill()
    await traffic.run(buyers=8, operations=800)  # hundreds of records, past the small encodings
    if trimmed:
        await _drop_oldest(client, ledger, 40)
    running = asyncio.create_task(traffic.run(buyers=16, operations=3000))

    reports: list[AuditReport] = []
    while not running.done() or not reports:
        reports.append(await audit(client, ledger.keyspace))
    await running
    reports.append(await audit(client, ledger.keyspace))

    bad = [(report.drift, report.conclusive) for report in reports if report.drift or not report.conclusive]
    assert not bad, f"seed {seed}"
    assert all(report.journal_complete is not trimmed for report in reports)
    assert traffic.done > 3000
    assert len(reports) > 1


async def _drop_oldest(client: Redis, ledger: Ledger, entries: int) -> None:
    kept = await command(client, "XRANGE", ledger.keyspace.journal, "-", "+", "COUNT", entries)
    await command(client, "XTRIM", ledger.keyspace.journal, "MINID", "=", kept[-1][0])


async def test_given_a_hold_that_ends_under_the_scan_when_audited_then_it_is_recovered_from_the_journal(
    ledger: Ledger, client: Redis
) -> None:
    # Given: a live reservation, and a client that ends it after the moment was noted and before the scan.
    await stocked(ledger, cap=5)
    await changed(ledger, reserve("r1", ("cap", 2)))
    meddling = _before(client, "HSCAN", lambda: changed(ledger, release("r1")))

    # When / Then
    report = await audit(meddling, ledger.keyspace)
    assert (report.drift, report.conclusive, report.reservations) == ([], True, 0)


async def test_given_a_late_commit_under_the_scan_when_audited_then_it_counts_for_nothing_at_the_start(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    # Given: an ended hold that comes back to life after the live ones were looked through.
    await stocked(ledger, cap=5)
    hold = await changed(ledger, reserve("r1", ("cap", 2), ttl_ms=1))
    await wait_past(client, hold.reservation.deadline_ms)
    await run_function(client, library().function("expire_holds"), ledger.keyspace, limits_with())
    meddling = _before(client, "ZSCAN", lambda: changed(ledger, commit("r1")))

    # When / Then
    report = await audit(meddling, ledger.keyspace)
    assert (report.drift, report.conclusive) == ([], True)


async def test_given_a_missed_reservation_that_changes_again_when_audited_then_that_is_rolled_back_too(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    # Given: an ended hold comes back after the live ones were looked through, and is shipped before it is read anew.
    await stocked(ledger, cap=5)
    hold = await changed(ledger, reserve("r1", ("cap", 2), ttl_ms=1))
    await wait_past(client, hold.reservation.deadline_ms)
    await run_function(client, library().function("expire_holds"), ledger.keyspace, limits_with())
    meddling = _before(client, "ZSCAN", lambda: changed(ledger, commit("r1")))
    meddling = _before(meddling, "XRANGE", lambda: changed(ledger, fulfil("r1")))

    # When / Then
    report = await audit(meddling, ledger.keyspace)
    assert (report.drift, report.conclusive) == ([], True)


async def test_given_a_reservation_made_under_the_scan_when_audited_then_it_rolls_back_to_nothing(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=5)
    meddling = _before(client, "HSCAN", lambda: changed(ledger, reserve("r1", ("cap", 2))))
    report = await audit(meddling, ledger.keyspace)
    assert (report.drift, report.conclusive, report.reservations) == ([], True, 1)


async def test_given_a_journal_trimmed_past_the_start_when_audited_then_it_is_inconclusive(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=5)

    async def sell_and_trim() -> None:
        for number in range(3):
            await changed(ledger, reserve(f"r{number}", ("cap", 1)))
        await _drop_oldest(client, ledger, 3)

    report = await audit(_before(client, "HSCAN", sell_and_trim), ledger.keyspace)
    assert (report.drift, report.conclusive) == ([], False)


async def test_given_trimming_that_overtakes_the_reader_when_audited_then_it_starts_over_behind_it(
    ledger: Ledger, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: a journal read entry by entry, whose first entries are trimmed while the second is waited for.
    await stocked(ledger, cap=50)
    for number in range(10):
        await changed(ledger, reserve(f"r{number}", ("cap", 1)))

    def one_by_one(client: Redis, keyspace: Keyspace, after: str, until: str) -> Any:
        return read(client, keyspace, after, until, count=1)

    monkeypatch.setattr("server.store.audit.journal_check.read", one_by_one)
    meddling = _before(client, "XRANGE", lambda: _drop_oldest(client, ledger, 6), skip=1)

    # When / Then
    report = await audit(meddling, ledger.keyspace)
    assert (report.drift, report.conclusive, report.journal_complete) == ([], True, False)


class _Meddling:
    """A client that does something else once, just before a command goes out."""

    def __init__(self, client: Redis, verb: str, act: Callable[[], Awaitable[object]], skip: int) -> None:
        self._client = client
        self._verb = verb
        self._act: Callable[[], Awaitable[object]] | None = act
        self._skip = skip

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def execute_command(self, *words: Any) -> Any:
        if words[0] == self._verb and self._act is not None:
            self._skip -= 1
            if self._skip < 0:
                act, self._act = self._act, None
                await act()
        return await self._client.execute_command(*words)  # type: ignore[no-untyped-call]


def _before(client: Redis, verb: str, act: Callable[[], Awaitable[object]], skip: int = 0) -> Any:
    return _Meddling(client, verb, act, skip)


async def test_given_all_kinds_of_changes_when_replayed_from_zero_then_every_counter_is_rebuilt(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes], seed: int
) -> None:
    # Given
    traffic = Traffic(ledger, client, limits_with(), seed)
    await traffic.fill()
    await traffic.run(buyers=8, operations=1600)

    # When
    replay = Replay(reservations=True)
    async for _, changes in read(client, ledger.keyspace):
        for change in changes:
            assert replay.apply(change) == [], f"seed {seed}"

    # Then
    for rebuilt in replay.levels():
        assert rebuilt == await level(ledger, rebuilt.sku, rebuilt.location), f"seed {seed}"
    reserved = {}
    for reservation_id in await command(client, "HKEYS", ledger.keyspace.reservations):
        found = (await ledger.reservation(reservation_id.decode())).reservation
        assert found is not None
        for number, line in enumerate(found.lines, 1):
            if line.held or line.committed:
                reserved[reservation_id.decode(), number] = (line.held, line.committed)
    assert replay.reserved == reserved, f"seed {seed}"


# -- planted drift


def _repack(packed: bytes, change: Callable[[Any], None]) -> bytes:
    record = msgspec.msgpack.decode(packed)
    change(record)
    return msgspec.msgpack.encode(record)


class Planter:
    """Changes what the store holds behind Holdfast's back."""

    def __init__(self, ledger: Ledger, client: Redis) -> None:
        self.keys = ledger.keyspace
        self.client = client

    async def edit(self, key: str, field: str, change: Callable[[Any], None]) -> None:
        packed: Any = await self.client.hget(key, field)
        await self.run("HSET", key, field, _repack(packed, change))

    async def stock(self, bucket: int, units: int) -> None:
        def change(record: Any) -> None:
            record[bucket] += units

        await self.edit(self.keys.stock, "cap\0main", change)

    async def line(self, place: int, units: int) -> None:
        def change(record: Any) -> None:
            record[8][0][place] += units

        await self.edit(self.keys.reservations, "held", change)

    async def state(self, state: str) -> None:
        def change(record: Any) -> None:
            record[0] = state

        await self.edit(self.keys.reservations, "held", change)

    async def seq(self, seq: int) -> None:
        def change(record: Any) -> None:
            record[4] = seq

        await self.edit(self.keys.reservations, "held", change)

    async def run(self, *words: Any) -> None:
        await command(self.client, *words)

    async def copy_to_ended(self) -> None:
        packed: Any = await self.client.hget(self.keys.reservations, "held")
        await self.client.hset(self.keys.ended, "held", packed)

    async def copy_first_entry(self) -> None:
        entries = await self.entries()
        await self.run("XADD", self.keys.journal, "*", "e", entries[0][1][b"e"])

    async def delete_entry(self, place: int) -> None:
        entries = await self.entries()
        await self.run("XDEL", self.keys.journal, entries[place][0])

    async def entries(self) -> Any:
        return await command(self.client, "XRANGE", self.keys.journal, "-", "+")


Plant = Callable[[Planter], Awaitable[None]]


def _plants() -> Iterator[Any]:
    """Each: what is planted, and a drift that must be among those reported."""

    def case(name: str, plant: Plant, *wanted: object) -> Any:
        sku, what, expected, found, *holder = wanted
        return pytest.param(plant, (sku, what, expected, found, *(holder or [""])), id=name)

    yield case("held", lambda p: p.stock(1, 3), "cap", "held", 2, 5)
    yield case("committed", lambda p: p.stock(2, -1), "cap", "committed", 1, 0)
    yield case("on hand", lambda p: p.stock(0, 4), "cap", "on_hand", 10, 14)
    yield case("damaged", lambda p: p.stock(3, 1), "cap", "damaged", 0, 1)
    yield case("quality control", lambda p: p.stock(4, 1), "cap", "quality_control", 0, 1)
    yield case("safety", lambda p: p.stock(5, 7), "cap", "safety", 0, 7)
    yield case("negative", lambda p: p.stock(3, -1), "cap", "negative", "damaged of at least 0", -1)
    yield case("stock seq", lambda p: p.stock(6, -1), "cap", "seq", 4, 3)
    yield case("stock seq of the future", lambda p: p.stock(6, 90), "cap", "seq", "a line of the journal", 94)
    yield case("line", lambda p: p.line(4, 1), "cap", "quantity", 2, 3, "held")
    yield case("negative line", lambda p: p.line(5, -1), "cap", "negative", 0, -1, "held")
    yield case("state", lambda p: p.state("committed"), "", "state", "held", "committed", "held")
    yield case("reservation seq", lambda p: p.seq(99), "", "seq", "a line of the journal", 99, "held")
    yield case("lost reservation", lambda p: p.run("HDEL", p.keys.reservations, "held"), "cap", "held", 0, 2)
    yield case("both live and ended", lambda p: p.copy_to_ended(), "", "place", "live or ended", "both", "held")
    yield case("deadline moved", lambda p: p.run("ZADD", p.keys.deadlines, 7, "held"), "", "deadline", Drift, 7, "held")
    yield case(
        "deadline lost", lambda p: p.run("ZREM", p.keys.deadlines, "held"), "", "deadline", Drift, "none", "held"
    )
    yield case(
        "deadline without a reservation",
        lambda p: p.run("ZADD", p.keys.deadlines, 7, "ghost"),
        "",
        "deadline",
        "none",
        7,
        "ghost",
    )
    yield case("lacking", lambda p: p.run("HINCRBY", p.keys.meta, "lacking", 2), "", "lacking", 0, 2)
    yield case("a place that lacks nothing", lambda p: p.run("HSET", p.keys.meta, "lacks\0cap\0main", 3), "cap",
               "lacking", 0, 3)  # fmt: skip
    yield case("counted for a quota", lambda p: p.run("HSET", p.keys.meta, "quota\0partner\0ayşe", 3), "", "quota",
               0, 3, "partner ayşe")  # fmt: skip
    yield case("shortage", lambda p: p.run("HINCRBY", p.keys.meta, "shortage", 2), "", "shortage", 0, 2)
    yield case("seq of the partition", lambda p: p.run("HINCRBY", p.keys.meta, "seq", 5), "", "sequence", 10, 5)
    yield case("place not listed", lambda p: p.run("HDEL", p.keys.all[1], "cap"), "cap", "skus", "listed", "unlisted")
    yield case("stock lost", lambda p: p.run("HDEL", p.keys.stock, "cap\0main"), "cap", "skus", "unlisted", "listed")
    yield case("damaged stock record", lambda p: p.run("HSET", p.keys.stock, "cap\0main", b"\xc1"), "", "unreadable",
               "a record", Drift)  # fmt: skip
    yield case("damaged reservation", lambda p: p.run("HSET", p.keys.reservations, "held", b"\xc1"), "", "unreadable",
               "a record", Drift)  # fmt: skip
    yield case("foreign entry", lambda p: p.run("XADD", p.keys.journal, "*", "x", "y"), "", "unreadable",
               "a journal entry", Drift)  # fmt: skip
    yield case("entry lost in the middle", lambda p: p.delete_entry(2), "cap", "sequence", 3, 4)
    yield case("entry lost at the end", lambda p: p.delete_entry(-1), "", "sequence", 5, 4)
    yield case("entry twice", lambda p: p.copy_first_entry(), "cap", "sequence", 6, 1)
    yield case("name not known", lambda p: p.run("HDEL", p.keys.likeness, "sku\0cap"), "cap", "likeness", "known",
               "missing")  # fmt: skip
    yield case("location not known", lambda p: p.run("HDEL", p.keys.likeness, "location\0main"), "", "likeness",
               "known", "missing")  # fmt: skip
    yield case("name under another fold", lambda p: p.run("HSET", p.keys.likeness, "sku\0cup", "Cap"), "Cap",
               "likeness", "cap", "cup")  # fmt: skip
    yield case("journal lost", lambda p: p.run("DEL", p.keys.journal), "", "sequence", 5, 0)


@pytest.mark.parametrize(("plant", "wanted"), list(_plants()))
async def test_given_planted_drift_when_audited_then_it_is_found_and_named(
    ledger: Ledger, client: Redis, plant: Plant, wanted: tuple[object, ...]
) -> None:
    # Given
    await stocked(ledger, cap=10)
    await stocked(ledger, mug=10)
    await changed(ledger, reserve("held", ("cap", 2)))
    await changed(ledger, order("ordered", ("cap", 1)))
    await changed(ledger, order("other", ("mug", 1)))
    await recount_lacking(client, ledger.keyspace, RETENTION.packed())
    assert (await audit(client, ledger.keyspace)).drift == []
    await plant(Planter(ledger, client))

    # When
    report = await audit(client, ledger.keyspace)

    # Then
    found = [(drift.sku, drift.what, drift.expected, drift.found, drift.reservation_id) for drift in report.drift]
    assert any(all(want in (Drift, said) for want, said in zip(wanted, line, strict=True)) for line in found), found
    assert report.drift_units >= 1
    assert report.conclusive


async def test_given_drift_and_a_trimmed_journal_when_audited_then_what_was_left_says_so(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=10)
    for number in range(5):
        await changed(ledger, order(f"o{number}", ("cap", 1)))
    await _drop_oldest(client, ledger, 3)
    await Planter(ledger, client).stock(0, 4)

    report = await audit(client, ledger.keyspace)

    assert report.drift == [Drift("cap", "main", "available", 5, 9)]
    assert (report.drift_units, report.journal_complete) == (4, False)


async def test_given_the_history_left_out_when_audited_then_the_journal_is_not_compared(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=10)
    await Planter(ledger, client).stock(0, 4)
    report = await audit(client, ledger.keyspace, journal=False)
    assert (report.drift, report.journal_entries) == ([], 0)


async def test_given_a_shortage_that_was_accepted_when_audited_then_it_is_no_drift(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=1)
    await changed(ledger, order("o1", ("cap", 3), accept_shortage=True))
    await changed(ledger, fulfil("o1"))
    assert (await level(ledger, "cap")).on_hand == -2
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_an_empty_partition_when_audited_then_there_is_nothing_to_report(
    ledger: Ledger, client: Redis
) -> None:
    report = await audit(client, ledger.keyspace)
    assert (report.drift, report.conclusive, report.places, report.journal_complete) == ([], True, 0, True)


async def test_given_progress_is_asked_for_when_audited_then_each_part_reports_itself(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=3)
    await changed(ledger, reserve("r1", ("cap", 1)))
    messages: list[str] = []
    await audit(client, ledger.keyspace, progress=lambda what, done, total: messages.append(f"{what} {done}/{total}"))
    assert {"reservations 1/1", "stock 1/1", "journal 2/2"} <= set(messages)
