"""Maintenance: expires holds, purges ended records, trims the journal, measures and audits.

Each chore runs in a loop of its own. A chore that fails is logged once, is retried more slowly, and affects no other.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis

from server.store.audit.audit import audit
from server.store.audit.last_audit import note_audit
from server.store.connection.clients import Nodes
from server.store.connection.commands import command, run_function, run_on_keys, together
from server.store.errors import StoreError
from server.store.keys import PARTITIONS, Keyspace
from server.store.ledger.ledger import Retention
from server.store.lua_library import library
from server.store.maintenance.activity import Activity
from server.store.maintenance.audit_reports import act_on
from server.store.maintenance.lacking import recount_lacking
from server.store.maintenance.name_index import INDEX_INTERVAL_S, NameIndexing
from server.store.maintenance.old_orders import OLD_ORDERS_INTERVAL_S, forget_orders
from server.store.maintenance.partition_faults import PartitionFaults
from server.store.maintenance.slow_log import SlowLog
from server.store.maintenance.unsettled import Settle, Settling, Unsettled
from server.telemetry import metrics

log = structlog.get_logger("holdfast.housekeeping")

LowestCursor = Callable[[str], Awaitable[str | None]]
"""For a partition: the journal id up to which every reader has confirmed; None: there is no reader."""

SWEEPS_AT_ONCE: Final = 4
"""Partitions swept at one time: the store's one core is shared with the hot path."""
FILL_MAX: Final = 200
"""The (SKU, location)s with backorders that one fill script reads: a millisecond of the store's time."""
FORGET_INTERVAL_S: Final = 10.0
FORGET_COUNT: Final = 500
"""Records that one purge script reads: some milliseconds of the store's time."""
TRIM_INTERVAL_S: Final = 60.0
NODE_ENTRIES: Final = 100
"""Entries of a stream's node, by the store's default: trimming by whole nodes can leave so many old entries."""
SETTLE_INTERVAL_S: Final = 2.0
GAUGE_INTERVAL_S: Final = 5.0
RECOUNT_INTERVAL_S: Final = 3600.0
"""Where nothing is audited; each audit counts what orders lack before it begins."""
REGISTER_INTERVAL_S: Final = 30.0
RENAMES_INTERVAL_S: Final = 30.0
AUDIT_PAUSE_S: Final = 0.01
"""Between the audit's chunks: a million records take some minutes, without effect on the hot path."""
LAG_INTERVAL_S: Final = 0.25
RETRY_S: Final = 1.0
"""A chore that failed waits at least so long, so that an unreachable store is not flooded with retries."""

_NOTHING: Final = (0, 0, 0, 0, 0, 0)
"""The figures of a partition that was not measured."""

_decode_filled = msgspec.msgpack.Decoder(tuple[str, int]).decode


class _Swept(msgspec.Struct, array_like=True, frozen=True):
    """The answer of ``lua/functions/expire_holds.lua``."""

    more: bool
    lateness_ms: list[int]
    unfilled: int | None = None


_decode_swept = msgspec.msgpack.Decoder(_Swept).decode


class Housekeeper:
    """The maintenance of one deployment. One process runs it; a second one would do the work twice, without harm.

    Parameters
    ----------
    client
        The patient client, off the hot path.
    partitions
        Returns the partitions that this process serves; those in the store's registry are added.
    retention, journal_retention_s
        How long ended reservations, idempotency keys and journal entries are kept.
    sweep_interval_s
        How often expired holds are looked for. A hold ends at most this late, plus the time of the sweep.
    audit_interval_s
        How often counters, reservations and journal are audited; 0: never.
    lowest_cursor
        Entries that readers of the journal have not confirmed are not trimmed.
    finish_renames
        Finishes the renames of a partition that were interrupted; None: nothing does.
    settle_locations
        Has a partition's scripts know which locations are closed.
    unsettled
        Returns those of some partitions that may need it; None: each is asked by itself.
    nodes
        For a cluster: returns a client of each node.

    """

    def __init__(
        self,
        client: Redis,
        partitions: Callable[[], Iterable[str]],
        retention: Retention,
        *,
        journal_retention_s: float,
        sweep_interval_s: float = 0.05,
        audit_interval_s: float = 3600.0,
        audit_pause_s: float = AUDIT_PAUSE_S,
        forget_interval_s: float = FORGET_INTERVAL_S,
        trim_interval_s: float = TRIM_INTERVAL_S,
        gauge_interval_s: float = GAUGE_INTERVAL_S,
        lowest_cursor: LowestCursor | None = None,
        settle_locations: Settle | None = None,
        finish_renames: Settle | None = None,
        unsettled: Unsettled | None = None,
        nodes: Nodes | None = None,
    ) -> None:
        self._client = client
        self._served = partitions
        self._limits = retention.packed()
        self._journal_retention_ms = int(1000 * journal_retention_s)
        self._audit_pause_s = audit_pause_s
        self._lowest_cursor = lowest_cursor
        self._registered: frozenset[str] = frozenset()
        self._known: tuple[frozenset[str], frozenset[str]] = frozenset(), frozenset()
        """The registered and the served partitions of which ``_listed`` is made."""
        self._listed: list[Keyspace] = []
        self._keyspaces: dict[str, Keyspace] = {}
        self._sweeping = asyncio.Semaphore(SWEEPS_AT_ONCE)
        self.activity = Activity(client, self._partitions, clustered=nodes is not None)
        self._slow_log = SlowLog(client, nodes)
        self._faults = PartitionFaults(self.activity)
        self._names = NameIndexing(client, self._limits, self._faults)
        self._settling: Settling | None = None
        if settle_locations is not None:
            asked = None if nodes is not None else unsettled
            self._settling = Settling(self.activity, self._faults, settle_locations, asked)
        self._clock_ahead_ms: int | None = None
        """How far the store's clock is ahead of ours; None: to be asked."""
        self._oldest_ms: dict[str, int] = {}
        self._measured: dict[str, tuple[int, ...]] = {}
        self._sums: tuple[int, ...] = _NOTHING
        self._drift_units: dict[str, int] = {}
        self._registered_s = -REGISTER_INTERVAL_S
        self.forget_orders = partial(self._faults.each, "orders", partial(forget_orders, client, retention))
        self._chores: list[tuple[str, float, Callable[[], Awaitable[None]]]] = [
            ("sweep", sweep_interval_s, self.sweep_due),
            ("forget", forget_interval_s, self.forget),
            ("settle", SETTLE_INTERVAL_S, self.settle),
            ("index", INDEX_INTERVAL_S, self._names.run),
            ("trim", trim_interval_s, self.trim),
            ("gauges", gauge_interval_s, self.measure),
            ("orders", OLD_ORDERS_INTERVAL_S, self.forget_orders),
        ]
        if finish_renames is not None:
            self._chores.append(("renames", RENAMES_INTERVAL_S, partial(self._faults.each, "renames", finish_renames)))
        audits, recounts = ("audit", audit_interval_s, self.audit), ("recount", RECOUNT_INTERVAL_S, self.recount)
        self._chores.append(audits if audit_interval_s > 0 else recounts)

    async def run(self) -> None:
        """Run maintenance until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.activity.run(), name="housekeeping-look")
            group.create_task(self._slow_log.run(), name="slow-log")
            for name, interval_s, chore in self._chores:
                group.create_task(_repeat(name, interval_s, chore), name=f"housekeeping-{name}")

    async def sweep(self) -> None:
        """End every hold that is due now, in every partition."""
        await self._sweep_all(self._partitions())

    async def sweep_due(self) -> None:
        """End every hold that is due now, in the partitions that are busy or known to have one."""
        now_ms = time.time_ns() // 1_000_000
        if self._clock_ahead_ms is None:
            seconds, microseconds = await command(self._client, "TIME")
            self._clock_ahead_ms = int(seconds) * 1000 + int(microseconds) // 1000 - now_ms
        store_ms = now_ms + self._clock_ahead_ms
        names = self.activity.sweepable(store_ms)
        await self._sweep_all([self._keyspaces[name] for name in names])
        await self.activity.rest(store_ms)

    async def _sweep_all(self, keyspaces: list[Keyspace]) -> None:
        await asyncio.gather(*(self._faults.guarded("sweep", keyspace, self._sweep) for keyspace in keyspaces))

    async def forget(self) -> None:
        """Purge ended reservations, closed transfers, received receipts and idempotency keys past their retention."""
        await self._faults.each("forget", self._forget)

    async def _forget(self, keyspace: Keyspace) -> None:
        looked_at = FORGET_COUNT
        while looked_at == FORGET_COUNT:
            looked_at = await run_on_keys(
                self._client, library().function("purge_ended"), keyspace.forgetting, self._limits, FORGET_COUNT
            )
            if looked_at:
                self.activity.touch(keyspace.partition)
            await asyncio.sleep(0.001)  # let the hot path through between two scripts

    async def settle(self) -> None:
        """Have the scripts know which locations are closed, where an older release beside this one registered them."""
        if self._settling is not None:
            await self._settling.run()

    async def trim(self) -> None:
        """Trim the journal by age, never by length and never past what a reader has not confirmed."""
        seconds, _ = await command(self._client, "TIME")
        now_ms = int(seconds) * 1000
        self._clock_ahead_ms = None  # asked anew: clocks drift
        await self._faults.each("trim", partial(self._trim, now_ms))
        oldest_ms = min(self._oldest_ms.values(), default=now_ms)
        metrics.JOURNAL_OLDEST_SECONDS.set(max(0, now_ms - oldest_ms) / 1000)
        metrics.JOURNAL_RETENTION_SECONDS.set(self._journal_retention_ms / 1000)

    async def _trim(self, now_ms: int, keyspace: Keyspace) -> None:
        entries = self.activity.entries(keyspace.partition)
        if entries is not None and entries <= NODE_ENTRIES:
            self._oldest_ms.pop(keyspace.partition, None)
            return  # one node at most, which is not dropped in part
        oldest_ms = max(now_ms - self._journal_retention_ms, 0)
        cursor = await self._lowest_cursor(keyspace.partition) if self._lowest_cursor is not None else None
        oldest = min(oldest_ms, int(cursor.partition("-")[0])) if cursor else oldest_ms
        # Approximate: the store drops whole nodes, and at most some 10,000 entries a call.
        dropped = 1
        while dropped:
            dropped = await command(self._client, "XTRIM", keyspace.journal, "MINID", "~", oldest)
            if dropped:
                self.activity.touch(keyspace.partition)
            await asyncio.sleep(0.001)
        first_ms = await self._first_ms(keyspace)
        if first_ms is None:
            self._oldest_ms.pop(keyspace.partition, None)
        else:
            self._oldest_ms[keyspace.partition] = first_ms

    async def _first_ms(self, keyspace: Keyspace) -> int | None:
        """Return the time of the oldest entry after the journal's first node, which may be trimmed in part."""
        entries = await command(self._client, "XRANGE", keyspace.journal, "-", "+", "COUNT", NODE_ENTRIES + 1)
        return int(entries[-1][0].partition(b"-")[0]) if len(entries) > NODE_ENTRIES else None

    async def _register(self) -> None:
        """Read the partitions of all processes, and add ours: holds expire even if a partition's key is removed."""
        now_s = time.monotonic()
        if now_s - self._registered_s < REGISTER_INTERVAL_S:
            return
        self._registered = frozenset(name.decode() for name in await command(self._client, "SMEMBERS", PARTITIONS))
        unknown = {keyspace.partition for keyspace in self._partitions()} - self._registered
        if unknown:
            await command(self._client, "SADD", PARTITIONS, *sorted(unknown))
        self._registered_s = now_s

    async def measure(self) -> None:
        """Set the gauges, summed over the partitions."""
        await self._register()
        await self._faults.each("gauges", self._measure)
        live, held, ended, lacking, entries, unmapped = self._sums
        _HELD.set(held)
        _COMMITTED.set(max(0, live - held))
        _ENDED.set(ended)
        metrics.SHORTAGE_UNITS.set(lacking)
        metrics.JOURNAL_ENTRIES.set(entries)
        metrics.UNMAPPED_LINES.set(unmapped)

    async def recount(self) -> None:
        """Count anew what orders lack, and note names that an older release has stored, in every partition."""
        await self._faults.each("recount", self._recount)

    async def _recount(self, keyspace: Keyspace) -> None:
        await recount_lacking(self._client, keyspace, self._limits)
        await self._names.again(keyspace)
        await self._measure(keyspace)

    async def _measure(self, keyspace: Keyspace) -> None:
        figures = await self._figures(keyspace)
        before = self._measured.get(keyspace.partition, _NOTHING)
        self._measured[keyspace.partition] = figures
        self._sums = tuple(a + b - c for a, b, c in zip(self._sums, figures, before, strict=True))

    async def audit(self) -> None:
        """Audit every partition, one after the other; drift is logged and counted in the gauge."""
        await self._faults.each("audit", self._audit)
        metrics.DRIFT_UNITS.set(sum(self._drift_units.values()))

    async def _audit(self, keyspace: Keyspace) -> None:
        await self._recount(keyspace)
        report = await audit(self._client, keyspace, pause_s=self._audit_pause_s)
        await act_on(self._client, keyspace, self._limits, report)
        self._drift_units[keyspace.partition] = report.drift_units
        await note_audit(self._client, keyspace, report.drift_units, conclusive=report.conclusive)
        if report.drift_units or not report.conclusive:
            self.activity.failed("audit", keyspace.partition)  # again next time, although nothing changes

    def _partitions(self) -> list[Keyspace]:
        # Made anew only where one has come: this is asked at each look, and there may be thousands.
        known = self._registered, frozenset(self._served())
        if known != self._known:
            names = known[0].union(known[1])
            for name in names.difference(self._keyspaces):
                self._keyspaces[name] = Keyspace(name)
            self._known, self._listed = known, [self._keyspaces[name] for name in sorted(names)]
        return self._listed

    async def _sweep(self, keyspace: Keyspace) -> None:
        async with self._sweeping:
            more = True
            while more:
                began_s = time.monotonic()
                swept = _decode_swept(
                    await run_function(self._client, library().function("expire_holds"), keyspace, self._limits)
                )
                more = swept.more
                if more:
                    # However many holds have lapsed together, half of the store's time stays with the hot path.
                    await asyncio.sleep(time.monotonic() - began_s)
                if swept.lateness_ms:
                    self.activity.touch(keyspace.partition)
                for each_ms in swept.lateness_ms:
                    metrics.EXPIRY_LATENESS_SECONDS.observe(each_ms / 1000)
                if swept.unfilled is not None:
                    await self._fill(keyspace, swept.unfilled)
                if more and not swept.lateness_ms:
                    log.error("sweep_blocked", partition=keyspace.partition, advice="run holdfast verify")
                    return

    async def _fill(self, keyspace: Keyspace, unfilled: int) -> None:
        """Fill backorders, where more lines waited than one script may fill."""
        after, function = "", library().function("fill_backorders")
        while True:
            reply = await run_function(self._client, function, keyspace, self._limits, after, FILL_MAX, unfilled)
            after, _ = _decode_filled(reply)
            if not after:
                return
            await asyncio.sleep(0.001)  # let the hot path through between two scripts

    async def _figures(self, keyspace: Keyspace) -> tuple[int, ...]:
        answers = await together(
            self._client,
            [
                ("HLEN", keyspace.reservations),
                ("ZCARD", keyspace.deadlines),
                ("HLEN", keyspace.ended),
                ("HGET", keyspace.meta, "lacking"),
                ("XLEN", keyspace.journal),
                ("HGET", keyspace.meta, "unmapped"),
            ],
        )
        return tuple(int(answer or 0) for answer in answers)


async def watch_event_loop(interval_s: float = LAG_INTERVAL_S) -> None:
    """Measure until cancelled how much later than asked the event loop runs a timer. Every worker runs it."""
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + interval_s
        await asyncio.sleep(interval_s)
        metrics.EVENT_LOOP_LAG_SECONDS.observe(max(0.0, loop.time() - due_s))


async def _repeat(name: str, interval_s: float, chore: Callable[[], Awaitable[None]]) -> None:
    """Run a chore again and again, even after it fails."""
    failing = False
    while True:
        try:
            await chore()
        except StoreError as error:
            if not failing:
                log.warning("housekeeping_waits", chore=name, reason=str(error))
            failing = True
            await asyncio.sleep(RETRY_S)
        except Exception:
            if not failing:
                log.exception("housekeeping_failed", chore=name)
            failing = True
            await asyncio.sleep(RETRY_S)
        else:
            if failing:
                log.warning("housekeeping_recovered", chore=name)
            failing = False
        await asyncio.sleep(interval_s)


_HELD = metrics.RESERVATIONS.labels("held")
_COMMITTED = metrics.RESERVATIONS.labels("committed")
_ENDED = metrics.RESERVATIONS.labels("ended")
