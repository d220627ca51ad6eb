"""Follows the journal of every partition and counts what each day brought, each change exactly once.

It reads from the cursor that the store keeps, adds up, and hands figures and new cursor to one script, which does
nothing if the cursor stands elsewhere by then. So a process that is killed at any moment, or a second one that counts
at the same time, neither loses a unit nor counts one twice, and no lease is needed.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import structlog

from server.domain.aliases import RENAMED
from server.domain.calendars import IN_UTC
from server.domain.changes import Change
from server.domain.daily_figures import CHANNELS_PER_DAY_MAX, OTHER_CHANNELS
from server.domain.locations import ClosedLocations
from server.domain.replenishment import Rules
from server.insight.backorder_fills import NOBODY_WAITED, seen_as_one
from server.insight.closed_locations import MaskedLocations
from server.insight.journal_sums import JournalSums
from server.insight.safety_stock import SafetyStockRules
from server.insight.skip_holds import worth_counting
from server.insight.whole_skus import find
from server.store.connection.commands import command
from server.store.connection.connect import StoreClient
from server.store.errors import StoreError
from server.store.journal import journal
from server.store.journal.feed import AT_A_TIME_BYTES, Entry, JournalFeed
from server.store.journal.journal import START, DamagedEntryError, parse_entry_id
from server.store.keys import PARTITIONS
from server.store.maintenance.activity import Activity
from server.store.repositories.calendars import read_calendar
from server.store.repositories.daily_figures import Counted, FigureStore, Mask
from server.store.repositories.replenishment import (
    RULES_CHANGED,
    ReplenishmentStore,
)
from server.telemetry import metrics

log = structlog.get_logger("holdfast.insight")

ROWS_MAX: Final = 50
"""Of one script, about: a millisecond of the store's time. One more entry of the journal may come on top."""
PAGE_CHANGES: Final = 400
"""About so many are asked for at a time; the event loop, which may be serving orders, gets its turn after each page."""
PAGE_ENTRIES: Final = (16, 512)
"""At least, at most. How many changes an entry holds depends on how many orders come at once."""
LOOK_S: Final = 5.0
"""How often a counter looks whether the journal has gone back."""
REST_S: Final = 5.0
"""After a failure."""
LEARN_S: Final = 30.0
"""How often the names of all partitions are read, where it is known which have changed."""
CHORE: Final = "figures"


class DailyFigureCounter:
    """Counts one partition. ``retention_s``: how long the figures of a day are kept after it.

    ``client`` is asked past the feed's buffer; None: the feed's own.
    """

    def __init__(self, feed: JournalFeed, *, retention_s: float, client: StoreClient | None = None) -> None:
        client, keyspace = client or feed.client, feed.keyspace
        self._feed = feed
        self._client = client
        self._keyspace = keyspace
        self._store = FigureStore(client, keyspace)
        self._retention_s = retention_s
        self._counted: Counted | None = None
        self._cursor = ""
        self._calendar = IN_UTC
        self._masked = MaskedLocations(self._store)
        self._replenishment = ReplenishmentStore(client, keyspace)
        self._rules: Rules = {}
        self._highest_point = 0
        self._page_entries = PAGE_ENTRIES[0]
        self._looked_s = 0.0
        self._others_on = -1

    async def catch_up(self) -> None:
        """Count up to the journal's end, as far as it is when that is reached.

        Raises
        ------
        StoreUnavailableError
            The store is away; what was not counted is counted next time.

        """
        if self._counted is not None and self._is_time_to_look():
            end = await journal.bounds(self._client, self._keyspace)
            if end.is_beyond(self._counted.cursor):
                self._counted = None
        if self._counted is None:
            self._counted = await self._begin()
        try:
            while await self._count_some(self._counted):
                pass
        except BaseException:
            self._counted = None  # whether the last script ran has to be read from the store
            raise

    def _is_time_to_look(self) -> bool:
        """Whether it is time to see that the journal has not gone back, as where a backup was restored meanwhile."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._looked_s < LOOK_S:
            return False
        self._looked_s = now_s
        return True

    async def _begin(self) -> Counted:
        """Read how far it is counted; a gap in the journal from there on is logged and skipped."""
        await self._read_rules()
        self._calendar = await read_calendar(self._client, self._keyspace)
        found, end = await self._store.counted(), await journal.bounds(self._client, self._keyspace)
        self._cursor = found.cursor if found is not None else ""
        await self._masked.begin(self._cursor)
        if found is not None and end.is_beyond(found.cursor):
            # All that the journal has was counted, and more that it lost: from its beginning it would be counted twice.
            log.error("figures_went_back", partition=self._keyspace.partition, counted=found.cursor, end=end.last_id)
            return Counted(end.last_id, found.since_ms)
        if found is not None and not end.is_lost(found.cursor):
            return found
        since_ms = parse_entry_id(end.first_id)[0] if end.entries else await self._store.now_ms()
        if found is not None:
            log.error("figures_have_a_gap", partition=self._keyspace.partition, after=found.cursor, since_ms=since_ms)
        return Counted(START if end.entries else end.last_id, since_ms)

    async def _read_rules(self) -> None:
        self._rules = await self._replenishment.rules_by_any_name()
        self._highest_point = max((rule.reorder_point for rule in self._rules.values()), default=0)

    async def _count_some(self, counted: Counted) -> bool:
        """Count some of what is new; False: that was all, except for entries that came meanwhile.

        To continue with those would never end while orders come, and write a cursor for every few of them.
        """
        sums, upto, more = JournalSums(self._masked.mask.closed, self._calendar), counted.cursor, True
        while more and sums.size < ROWS_MAX:
            page = await self._feed.read_page(upto, self._page_entries, self._client)
            more = len(page) == self._page_entries
            taken = await self._take_page(sums, page)
            if taken:
                upto = page[taken - 1].entry_id
            if sums.size >= ROWS_MAX:
                more = more or taken < len(page)
                break
            if taken < len(page):  # the next entry closes or opens locations: it is counted by itself
                if upto == counted.cursor:
                    return await self._count_closings(counted, page[taken])
                more = True
                break
        if upto == self._cursor:
            return False
        days = self._calendar.packed
        if not await self._add(Counted(upto, counted.since_ms), sums, self._masked.mask, self._masked.mask.closed):
            return self._calendar.packed != days  # then nobody else has counted it
        metrics.FIGURES_CHANGES.inc(sums.changes)
        return more

    async def _count_closings(self, counted: Counted, entry: Entry) -> bool:
        """Raise some of the events of locations that were closed or opened."""
        moved = self._masked.moved_by(entry.changes)
        assert moved is not None  # noqa: S101  # or the page would not have ended before it
        step = await self._masked.next_step(entry.entry_id, moved, entry.changes[0].at_ms, self._rules)
        sums = JournalSums()
        sums.events = step.events
        upto = Counted(entry.entry_id, counted.since_ms) if step.is_last else counted
        days = self._calendar.packed
        closed = self._masked.mask.closed.after(moved)
        return await self._add(upto, sums, step.mask, closed) or self._calendar.packed != days

    async def _add(self, upto: Counted, sums: JournalSums, mask: Mask, closed: ClosedLocations) -> bool:
        """Write it and move the cursor there; False: another process has counted it, or days are of another zone.

        ``closed``: after what is added.
        """
        findings = await find(self._store, sums.events, closed.names)
        added = await self._store.add(
            self._cursor, upto, sums.days, sums.events,
            retention_s=self._retention_s, mask=mask, calendar=self._calendar, findings=findings,
        )  # fmt: skip
        if not added:
            self._counted = await self._begin()
            log.info("counted_by_another", partition=self._keyspace.partition)
            return False
        self._tell_others(max(sums.days, default=0), added - 1)
        for event in sums.events:
            metrics.ALERTS_RAISED.labels(event.operation).inc()
        self._counted, self._cursor = upto, upto.cursor
        self._masked.mask = mask._replace(stored_step=mask.step, stored_closed=mask.closed)
        return True

    def _tell_others(self, day: int, channels: int) -> None:
        """Log once a day that more channels were named than its figures tell apart."""
        if channels and day != self._others_on:
            self._others_on = day
            log.warning(
                "channels_counted_as_others",
                partition=self._keyspace.partition,
                channels_max=CHANNELS_PER_DAY_MAX,
                counted_as=OTHER_CHANNELS,
                advice="find who orders with so many names of channels: GET /v1/reports/sales?by=channel lists them",
            )

    async def _take_page(self, sums: JournalSums, page: list[Entry]) -> int:
        """Take entries up to one that closes or opens locations; return how many."""
        before, idle, taken, read_bytes = sums.changes, 0, 0, 0
        for entry in page:
            if sums.size >= ROWS_MAX:
                break
            if read_bytes >= AT_A_TIME_BYTES:
                read_bytes = 0
                await asyncio.sleep(0)
            taken, read_bytes = taken + 1, read_bytes + entry.size_bytes
            try:
                changes, others = worth_counting(entry, self._highest_point)
            except (msgspec.DecodeError, DamagedEntryError) as error:
                log.error("counting_skips_entry", entry=entry.entry_id, reason=str(error))  # noqa: TRY400
                continue
            idle += others
            if changes and self._masked.moved_by(changes) is not None:
                taken -= 1
                break
            if changes:
                await self._take(sums, changes)
        sums.pass_over(idle)
        least, most = PAGE_ENTRIES
        wanted = PAGE_CHANGES * taken // max(1, sums.changes - before)
        self._page_entries = min(most, max(least, wanted))
        return taken

    async def _take(self, sums: JournalSums, changes: list[Change]) -> None:
        filled = seen_as_one(changes) if len(changes) > 1 else NOBODY_WAITED
        for change in changes:
            if change.operation in (RULES_CHANGED, RENAMED):
                await self._read_rules()
            sums.take(change, self._rules, self._highest_point, filled)


class Insight:
    """Counts all partitions and sees to their safety stock, one after the other, every ``interval_s``.

    ``limits`` is the first argument of the scripts that change stock.
    ``feeds`` gives a partition's journal feed.
    ``partitions`` gives those that this process serves; those that the store's registry names are added.
    ``activity`` knows which have changed; None: each is asked every time.
    """

    def __init__(
        self,
        client: StoreClient,
        feeds: Callable[[str], JournalFeed],
        partitions: Callable[[], Iterable[str]],
        *,
        interval_s: float,
        retention_s: float,
        limits: bytes,
        activity: Activity | None = None,
    ) -> None:
        self._client = client
        self._activity = activity
        self._learned_s = -LEARN_S
        self._feeds = feeds
        self._served = partitions
        self._interval_s = interval_s
        self._retention_s = retention_s
        self._limits = limits
        self._countings: dict[str, DailyFigureCounter] = {}
        self._safeguardings: dict[str, SafetyStockRules] = {}
        self._failing: set[str] = set()

    async def run(self) -> None:
        """Count until cancelled."""
        loop = asyncio.get_running_loop()
        done_s = loop.time()
        while True:
            if await self.count():
                done_s = loop.time()
            metrics.FIGURES_AGE_SECONDS.set(loop.time() - done_s)
            await asyncio.sleep(REST_S if self._failing else self._interval_s)

    async def count(self) -> bool:
        """Count every partition up to its end; False: not all could be. A fault in one disturbs no other."""
        now_s = asyncio.get_running_loop().time()
        if self._activity is None or self._failing or now_s - self._learned_s >= LEARN_S:
            self._learned_s = now_s
            await self._learn_partitions()
        for name in self._due():
            try:
                if self._activity is not None:
                    self._activity.begin(CHORE, name)
                await self._countings[name].catch_up()
                await self._safeguardings[name].catch_up()
                self._failing.discard(name)
            except StoreError as error:
                self._fails(name, str(error))
            except Exception:  # noqa: BLE001  # the others are to be counted all the same
                self._fails(name, "", exc_info=True)
        return not self._failing

    def _due(self) -> list[str]:
        """Name the partitions in which something has happened since they were counted."""
        if self._activity is None:
            return sorted(self._countings)
        return [each.partition for each in self._activity.due(CHORE) if each.partition in self._countings]

    async def _learn_partitions(self) -> None:
        try:
            registered = {name.decode() for name in await command(self._client, "SMEMBERS", PARTITIONS)}
        except StoreError as error:
            self._fails("", str(error))
            registered = set()
        else:
            self._failing.discard("")
        for name in registered.union(self._served()).difference(self._countings):
            feed = self._feeds(name)
            self._countings[name] = DailyFigureCounter(feed, retention_s=self._retention_s, client=self._client)
            self._safeguardings[name] = SafetyStockRules(feed, self._limits, self._client)

    def _fails(self, name: str, reason: str, *, exc_info: bool = False) -> None:
        if self._activity is not None and name:
            self._activity.failed(CHORE, name)
        if name not in self._failing:
            log.warning("counting_waits", partition=name, reason=reason, exc_info=exc_info)
        self._failing.add(name)
