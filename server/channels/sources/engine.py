"""The engine of one source: tells it what was sold, reads what it has, and has that counted.

One task does all of it, one thing after the other. So a number is never read while an order is on its way there, and
every number is without exactly those orders that the source had been told of.
"""

import asyncio
import contextlib
from functools import partial
from typing import Final

import structlog

from adapters.contract.errors import ChannelError, CursorRefusedError
from adapters.contract.http import COMMANDS, READ
from adapters.contract.source import WHOLE, Source
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.inbound.pace import Pace
from server.channels.sources.desk import SourceDesk
from server.channels.sources.filled_alone import FilledAlone
from server.channels.sources.known_numbers import KnownNumbers
from server.channels.sources.late import LateNumbers
from server.channels.sources.sold_orders import SoldOrders
from server.channels.sources.source_counts import SourceCounts
from server.channels.sources.stock_walk import SaidNumber, StockWalk, Verdict, judge
from server.channels.sources.supplies import Supplies
from server.channels.sources.tracked import source_of
from server.domain.sources import PULL_NOW, WHOLE_LIST, SourceSettings, SourceStatus
from server.store.errors import StoreUnavailableError
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import bounds
from server.store.repositories.sources import Position, SourceStore, SourceWrites, newest_position
from server.telemetry.source_metrics import SourceMetrics

log = structlog.get_logger("holdfast.source")

RETRY_S: Final = 5.0
"""After a page that could not be read, unless it is read more often anyway; the circuit breaker makes it longer."""
CLAIM_S: Final = 60.0
"""After a location could not be taken: a person has to act first."""
PAGES_MAX: Final = 20_000
"""A source that repeats its last page for ever is left at some time."""
LOOK_S: Final = 1.0
"""How often decisions of people are looked for, and how it stands is written."""
_SETTLE_S: Final = 0.02
"""So much later the journal is looked at again, after it has grown: what is sold together is told in a row."""
_PURGE_S: Final = 3_600.0


class SourceEngine:
    """What is done with one source while this process holds the lease."""

    def __init__(
        self,
        settings: SourceSettings,
        client: ChannelClient,
        *,
        owner: str,
        store: SourceStore,
        writes: SourceWrites,
        desk: SourceDesk,
        feed: JournalFeed,
        clock: Clock,
    ) -> None:
        self.name = settings.name
        self._settings, self._rules, self._client = settings, settings.rules, client
        self._owner, self._store, self._writes, self._desk = owner, store, writes, desk
        self._feed, self._clock = feed, clock
        self._metrics = SourceMetrics(self.name)
        self._pace = Pace(self.name, client, clock)
        self._wake = asyncio.Event()
        self._forget()

    def _forget(self) -> None:
        """Begin with nothing but what is stored."""
        self._is_told = self._source.is_told
        self._sold = SoldOrders(
            self.name,
            self._client,
            self._source.locations if self._is_told else (),
            feed=self._feed,
            writes=self._writes,
            desk=self._desk,
            clock=self._clock,
        )
        self._counts = SourceCounts(self.name, self._sold, self._desk, self._feed, is_told=self._is_told)
        self._supplies = Supplies(self.name, self._client, writes=self._writes, desk=self._desk, clock=self._clock)
        self._walk: StockWalk | None = None
        self._cursor = WHOLE
        self._numbers = KnownNumbers(self.name, self._writes)
        late = LateNumbers(self._rules.late, self._counts, self._source.locations)
        self._alone = FilledAlone(
            self.name,
            self._source,
            numbers=self._numbers,
            late=late,
            groups=self._rules.groups,
            writes=self._writes,
            desk=self._desk,
        )
        self._begun_ms = self._known_ms = self._whole_ms = 0
        self._next_s = self._whole_s = self._looked_s = self._purged_s = float("-inf")
        self._not_counted = 0
        self._unreadable: list[str] = []
        self._reason = ""

    @property
    def _source(self) -> Source:
        return source_of(self._client.adapter)

    # -- beginning, working, ending

    async def open(self) -> None:
        """Load what is stored by an earlier holder of the lease; the first start takes the open orders over."""
        self._forget()
        state = await self._store.state()
        self._begun_ms = int(state.get("begun_ms", 0)) or self._clock.store_ms()
        self._known_ms, self._whole_ms = int(state.get("known_ms", 0)), int(state.get("whole_ms", 0))
        self._cursor = state.get("walk", WHOLE)
        await self._numbers.load(self._store)
        self._alone.load(state)
        self._supplies.taken = {key: each async for key, each in self._store.supplies()}
        orders = {key: order async for key, order in self._store.orders()}
        cursor, first = state.get("cursor", ""), not state
        end = await bounds(self._store.client, self._store.keyspace)
        self._sold.load(orders, Position(cursor or end.last_id, int(state.get("seq", 0))))
        if not cursor or end.is_lost(cursor):
            position = await newest_position(self._store.client, self._store.keyspace)
            await self._sold.begin(position, self._rules.open_orders if first else "tell")
            log.info("source_begins", source=self.name, first=first, orders=self._sold.counts(0)[0])
        self._writes.state(begun_ms=self._begun_ms)
        await self._writes.save()

    async def run(self) -> None:
        """Work until cancelled."""
        await self.open()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pace.forever(self._round, self._wake))
            group.create_task(self._listen())
            group.create_task(self._show_regularly())

    async def finish(self) -> None:
        """Begin nothing new, and wait until what is on its way is answered and written."""
        await self._pace.finish()

    async def _listen(self) -> None:
        """Wake the engine as soon as the journal grows."""
        while True:
            if await self._feed.grown(self._sold.position, LOOK_S):
                self._wake.set()
                await asyncio.sleep(_SETTLE_S)

    # -- one round

    async def _round(self) -> float:
        await self._sold.follow()
        await self._look_regularly()
        if self._known_ms:
            await self._alone.age((self._clock.store_ms() - self._known_ms) / 1000)
        # One order and one page in turn: neither many orders nor a long list keep the other back.
        return min(await self._tell(), await self._read_if_claimed())

    async def _tell(self) -> float:
        """Tell of the order that is due next; return after how many seconds there is another."""
        wait_ms = self._sold.wait_ms()
        if wait_ms is None:
            return LOOK_S
        wait_s = max(wait_ms / 1000, self._pace.wait_s(COMMANDS))
        if wait_s > 0:
            return wait_s
        await self._sold.tell_next()
        return 0.0

    async def _read_if_claimed(self) -> float:
        """Read, unless the source is to fill a location alone and cannot."""
        if not self._alone.is_claimed and self._clock.now_s() >= self._next_s and not await self._alone.claim():
            self._put_off(self._alone.reason, CLAIM_S)
        return await self._read() if self._alone.is_claimed else LOOK_S

    async def _read(self) -> float:
        """Read the next page, if it is time; return after how many seconds there is another."""
        now_s = self._clock.now_s()
        wait_s = max(0.0 if self._walk is not None else self._next_s - now_s, self._pace.wait_s(READ))
        if wait_s > 0:
            return wait_s
        walk = self._walk = self._walk or self._new_walk(now_s)
        try:
            page = await self._client.talk(
                lambda source: source_of(source).pull_stock(walk.cursor, self._clock.wall_s())
            )
        except CursorRefusedError as error:
            log.warning("source_cursor_refused", source=self.name, reason=error.reason, advice="everything is read")
            self._whole_s, self._walk = float("-inf"), None
            return 0.0 if not walk.whole else RETRY_S
        except ChannelError as error:
            self._put_off(error.reason, error.after_s)
            return RETRY_S
        walk.add(
            page,
            locations=self._source.locations,
            told=self._sold.told_units,
            unsure=self._sold.unsure_places(),
        )
        if page.more and walk.pages >= PAGES_MAX:
            self._put_off(f"the list does not end after {PAGES_MAX:,} pages")
        if page.more:
            return 0.0
        await self._believe(walk)
        if walk.whole and self._rules.supply:
            await self._read_supplies()
        return 0.0

    def _new_walk(self, now_s: float) -> StockWalk:
        whole = self._cursor == WHOLE or now_s >= self._whole_s or self._alone.wants_all(self._not_counted)
        return StockWalk(WHOLE if whole else self._cursor, whole=whole, began_ms=self._clock.store_ms())

    def _put_off(self, reason: str, after_s: float | None = None) -> None:
        """Begin the walk again later; no number changes meanwhile."""
        self._reason, self._walk = reason, None
        self._next_s = self._clock.now_s() + max(min(RETRY_S, self._rules.pull_every_s), after_s or 0.0)

    # -- what comes of a walk

    async def _believe(self, walk: StockWalk) -> None:
        """Judge a walk that has ended, count what is believed, and write down how far that is."""
        self._walk = None  # where the store is away meanwhile, a new one begins
        now_ms, now_s = self._clock.store_ms(), self._clock.now_s()
        before = await (self._counts.expected(walk.said) if self._is_told else self._alone.expected(walk))
        judged = partial(judge, walk, before=before, known=self._numbers.said, waiting=self._numbers.waiting)
        # Of a hundred thousand numbers that is a third of a second, in which other channels want their turns.
        verdict = await asyncio.to_thread(judged, rules=self._rules.changes, now_ms=now_ms)
        is_taken = not walk.whole or WHOLE_LIST not in verdict.waiting
        if is_taken:
            await self._take(verdict)
            self._cursor, self._known_ms, self._reason = walk.cursor, walk.began_ms, ""
            self._writes.state(walk=walk.cursor, known_ms=walk.began_ms)
        else:
            self._reason = f"the list as a whole is {verdict.waiting[WHOLE_LIST].why}; its numbers wait for a person"
            self._whole_s = float("-inf")  # else one that is as it was before would say nothing, and this would wait on
        if is_taken and walk.whole:
            self._whole_ms, self._whole_s = walk.began_ms, now_s + self._rules.whole_every_s
            self._writes.state(whole_ms=walk.began_ms)
        # After the counts: what a person has confirmed is asked for again where a kill takes them away.
        self._numbers.keep_waiting(verdict, now_ms)
        self._next_s = now_s + self._rules.pull_every_s
        if walk.whole or walk.listed:
            self._unreadable = walk.unreadable
        await self._writes.save()

    async def _take(self, verdict: Verdict) -> None:
        refused = await self._counts.make(self._alone.news(verdict.believed))
        for place, said in verdict.believed.items():
            if place not in refused:
                self._numbers.know(place, said.units)
        told = self._sold.told_units
        nothing = {place: SaidNumber(0, told[place]) for place, is_zero in verdict.gone.items() if is_zero}
        refused |= await self._counts.make(nothing)
        for place in verdict.gone:
            self._numbers.know(place, None)
        self._alone.answered((verdict.believed.keys() | verdict.gone.keys()) - refused.keys())
        self._not_counted = len(refused)

    async def _read_supplies(self) -> None:
        if not self._source.supplies:
            return
        try:
            await self._supplies.read(self._source)
        except ChannelError as error:
            log.warning("source_supply_not_read", source=self.name, reason=error.reason)
        await self._writes.save()

    # -- people, and how it stands

    async def _show_regularly(self) -> None:
        """Write how it stands each second, also while an answer is waited for."""
        while True:
            self._writes.status(self.status())
            with contextlib.suppress(StoreUnavailableError):
                await self._writes.save()
            await asyncio.sleep(LOOK_S)

    async def _look_regularly(self) -> None:
        """Take what people have decided, each second."""
        now_s = self._clock.now_s()
        if now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        decided = await self._store.decisions()
        for place, each in decided.values():
            if place == PULL_NOW:
                self._sold.tell_again()
                self._client.revive()
            elif not self._numbers.decide(place, each):
                continue
            self._walk, self._next_s, self._whole_s = None, float("-inf"), float("-inf")
        self._writes.taken(decided)
        if now_s - self._purged_s >= _PURGE_S:
            self._purged_s = now_s
            self._sold.purge()
        await self._writes.save()

    def status(self) -> SourceStatus:
        """Return how it stands, and update the gauges."""
        now_ms = self._clock.store_ms()
        untold, oldest_s, refused = self._sold.counts(now_ms)
        status = SourceStatus(
            publisher=self._owner,
            written_ms=now_ms,
            circuit=self._client.circuit_breaker.circuit,
            reason=self._reason or self._client.circuit_breaker.reason,
            begun_ms=self._begun_ms,
            known_ms=self._known_ms,
            whole_ms=self._whole_ms,
            places=len(self._numbers.said),
            waiting=self._numbers.undecided(),
            untold=untold,
            untold_oldest_s=oldest_s,
            refused=refused,
            not_counted=self._not_counted,
            supplies=len(self._supplies.taken),
            unreadable=self._unreadable,
            is_late=self._alone.late.is_late,
        )
        self._metrics.show(status, now_ms, self._rules.pull_every_s)
        return status
