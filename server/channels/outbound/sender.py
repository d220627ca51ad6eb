"""One channel at work: choose, send, settle, for ever, with a budget and a cursor of its own. No other waits for it."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Final

import structlog

from adapters.contract.errors import ChannelError, SpoiledError, UnknownResultError
from adapters.contract.stock import Rejected, Ticket
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.outbound.channel_state import ChannelState
from server.channels.outbound.in_flight import Flight
from server.channels.outbound.pending import Queue
from server.channels.outbound.push_results import PushResults
from server.channels.outbound.reconcile import reconcile
from server.channels.outbound.tickets import watch
from server.channels.write_behind import ChannelRecords
from server.domain.channels import ChannelStatus, LastReconcile, OpenTicket
from server.store.errors import StoreUnavailableError
from server.store.journal.journal import EntryId, before
from server.telemetry.channel_metrics import ChannelMetrics

log = structlog.get_logger("holdfast.channel")

COMPANION_S: Final = 1.0
"""How long a push rests that must not be sent as it is, until another SKU is at leisure to go with it."""
REST_S_MAX: Final = 60.0
_JITTER: Final = 0.1
_FOREVER_S: Final = float("inf")


class Sender:
    """Sends what the book says over the line, and tells the book what came of it.

    ``pace_s``: from the start of one push of several items to that of the next. What changes meanwhile goes together;
    the first goes at once.
    """

    def __init__(
        self,
        book: ChannelState,
        line: ChannelClient,
        *,
        records: ChannelRecords,
        clock: Clock,
        metrics: ChannelMetrics,
        pace_s: float,
    ) -> None:
        self.book = book
        self.line = line
        self.position: EntryId = (0, 0)
        """Up to here the channel has been told of the journal."""
        self.since_ms = clock.store_ms()
        """When the channel was first told anything."""
        self.last_reconcile: LastReconcile | None = None
        self._settler = PushResults(book, records, clock, metrics)
        self._records = records
        self._clock = clock
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._listens = False
        self._stopping = False
        self._pushes = 0
        self._pace_s = pace_s if line.capabilities.items_max > 1 else 0.0
        self._next_push_s = 0.0
        self._next_turn_s = 0.0
        # Channels that began together are not all compared at the same moment for ever.
        self._spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
        self._reconcile_asked = asyncio.Event()
        self._reconcile_ids: list[EntryId] = []
        book.on_work = self._on_work

    @property
    def name(self) -> str:
        """The channel's name."""
        return self.book.name

    def cursor(self) -> EntryId:
        """Tell up to which journal id everything is confirmed, or stands in the dead letters."""
        open_ids = [each for each in (self.book.oldest(), *self._reconcile_ids[:1]) if each is not None]
        return min(self.position, before(min(open_ids))) if open_ids else self.position

    def ask_reconcile(self, entry_id: EntryId) -> None:
        """Compare with the channel as soon as possible; the cursor waits until that is done."""
        self._reconcile_ids.append(entry_id)
        self._reconcile_asked.set()
        self.revive()

    def revive(self) -> None:
        """Try again now, however unwell the channel was."""
        self.line.revive()
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled. After a fault it may run again: what was on its way then has an unknown fate."""
        for sku in list(self.book.marks.flying):
            self.book.marks.put_back(sku, Queue.READY, forced=True).doubtful = True
        async with asyncio.TaskGroup() as group:
            for ticket in list(self.book.tickets.values()):
                group.create_task(self._watch(group, ticket, self._settler.resume(ticket, self.position)))
            group.create_task(self._reconcile_regularly())
            while not self._stopping:
                await self._send_next(group)

    async def finish(self) -> None:
        """Send nothing new, and wait until what is on its way has been answered."""
        self._stopping = True
        self._wake.set()
        while self._pushes:
            self._wake.clear()
            await self._wake.wait()

    def remember(self, status: ChannelStatus) -> None:
        """Take over what an earlier publisher knew, so that restarts do not put off what is due by time."""
        self.since_ms = status.since_ms or self.since_ms
        self.last_reconcile = status.reconcile
        self.book.last_confirmed_ms = status.last_confirmed_ms

    def status(self, publisher: str, journal_end_ms: int) -> None:
        """Write down how the channel stands, and bring its gauges up to date."""
        book, health, now_ms = self.book, self.line.health, self._clock.store_ms()
        oldest_ms = book.marks.oldest_changed_ms()
        lags_s = sorted(book.lags_s)
        status = ChannelStatus(
            publisher=publisher,
            written_ms=now_ms,
            since_ms=self.since_ms,
            listings=len(book.listings),
            dirty=len(book.marks),
            in_flight=len(book.marks.flying),
            tickets=len(book.tickets),
            oldest_unsent_s=max(0.0, (now_ms - oldest_ms) / 1000) if oldest_ms is not None else 0.0,
            last_confirmed_ms=book.last_confirmed_ms,
            circuit=health.circuit,
            reason=health.reason,
            dead_letters=len(book.dead_letters),
            lag_p50_s=_quantile(lags_s, 0.5),
            lag_p99_s=_quantile(lags_s, 0.99),
            cursor="{}-{}".format(*self.cursor()),
            reconcile=self.last_reconcile,
        )
        self._records.status(status)
        self._metrics.show(status, journal_end_ms=journal_end_ms, cadence_s=self.book.rules.cadence_s)

    # -- sending

    async def _send_next(self, group: asyncio.TaskGroup) -> None:
        self._begin_turn()
        wait_s = self._wait_s()
        flights: list[Flight] = []
        if wait_s <= 0:
            now_s = self._clock.now_s()
            self.book.think_again(now_s)
            flights = self.book.choose(self.line.items_max(), now_s, self.line.item_wait_s)
            flights = self._unlike_before(flights)
        if not flights:
            await self._rest(wait_s)
            return
        self._next_push_s = self._clock.now_s() + self._pace_s
        self._pushes += 1
        group.create_task(self._push(group, flights))

    def _wait_s(self) -> float:
        """Tell how long nothing can be sent, whatever changes; infinity: until a push or a ticket has come back."""
        limits = self.line.capabilities
        most = 1 if self.line.health.probing else limits.requests_in_flight_max
        jobs = len(self.book.tickets) + self._pushes
        if self._pushes >= most or (limits.jobs_pending_max is not None and jobs >= limits.jobs_pending_max):
            return _FOREVER_S
        return max(self.line.wait_s(), self._next_push_s - self._clock.now_s())

    async def _rest(self, wait_s: float) -> None:
        """Wait until something can be sent: for time to pass, or with ``wait_s`` 0 for work to come in."""
        self._listens = wait_s <= 0
        self._wake.clear()
        if self._listens:
            due_s = min(self.book.next_due_s(), self._turn_due_s()) - self._clock.now_s()
            wait_s = max(0.0, min(due_s, REST_S_MAX))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, REST_S_MAX)):
                await self._wake.wait()

    def _on_work(self) -> None:
        if self._listens:
            self._wake.set()

    def _turn_due_s(self) -> float:
        return self._next_turn_s if self.book.marks.awaits_turn else _FOREVER_S

    def _begin_turn(self) -> None:
        cadence_s = self.book.rules.cadence_s
        now_s = self._clock.now_s()
        if self.book.marks.awaits_turn and now_s >= self._next_turn_s:
            self.book.marks.begin_turn()
            self._next_turn_s = now_s + cadence_s

    async def _push(self, group: asyncio.TaskGroup, flights: Sequence[Flight]) -> None:
        try:
            await self._push_whole_or_halves(group, flights)
        finally:
            self._pushes -= 1
            self._wake.set()

    async def _push_whole_or_halves(self, group: asyncio.TaskGroup, flights: Sequence[Flight]) -> None:
        """Push; where one item spoils the push for all and nobody says which, push halves until it stands alone."""
        try:
            result = await self.line.push(self.book.items(flights))
        except SpoiledError as error:
            if len(flights) == 1:
                self._settler.settle(flights, {flights[0].key: Rejected(error.code, error.reason)})
                return
            await self._push_halves(group, flights)
        except ChannelError as error:
            self._settler.not_sent(flights, unknown=isinstance(error, UnknownResultError))
        else:
            if isinstance(result, Ticket):
                await self._accept(group, result, flights)
            else:
                self._settler.settle(flights, result)

    async def _push_halves(self, group: asyncio.TaskGroup, flights: Sequence[Flight]) -> None:
        middle = len(flights) // 2
        for half in (flights[:middle], flights[middle:]):
            fresh = self.book.refreshed(half, self.line.item_wait_s)
            if fresh:
                await self._push_whole_or_halves(group, fresh)

    async def _accept(self, group: asyncio.TaskGroup, ticket: Ticket, flights: Sequence[Flight]) -> None:
        kept = self._settler.accepted(ticket.id, flights, self.line.capabilities.ticket_life_s)
        group.create_task(self._watch(group, kept, flights))
        # A ticket that nobody remembers could take effect after the newer value that a successor sends.
        with contextlib.suppress(StoreUnavailableError):
            await self._records.flush()

    async def _watch(self, group: asyncio.TaskGroup, ticket: OpenTicket, flights: Sequence[Flight]) -> None:
        spoiled = await watch(ticket, flights, settler=self._settler, line=self.line, clock=self._clock)
        if spoiled:
            await self._push_halves(group, spoiled)
        self._wake.set()

    def _unlike_before(self, flights: list[Flight]) -> list[Flight]:
        """Make a push unlike all that the channel was sent lately, where it refuses what it has seen.

        Another order will do, or more items whose values are confirmed already; all values are the newest anyway.
        """
        if not flights or not self.line.repeats(self.book.items(flights)):
            return flights
        for _ in range(min(len(flights) - 1, 8)):
            flights = flights[1:] + flights[:1]
            if not self.line.repeats(self.book.items(flights)):
                return flights
        idle = list(self.book.companions(flights[0].mark.entry_id))
        for company in [*([each] for each in idle), *(idle[:size] for size in range(2, len(idle) + 1))]:
            for together in ([*flights, *company], [*company, *flights]):
                if not self.line.repeats(self.book.items(together)):
                    for companion in company:
                        self.book.accompany(companion)
                    return together
        self.book.rest(flights, COMPANION_S)
        return []

    # -- reconciling

    async def _reconcile_regularly(self) -> None:
        while True:
            await self._until_reconcile()
            self._reconcile_asked.clear()
            asked = len(self._reconcile_ids)
            self.last_reconcile = await reconcile(self.book, self.line, self._clock, self._reconciled_under)
            del self._reconcile_ids[:asked]

    def _reconciled_under(self) -> EntryId:
        """Give the journal id for what reconciling finds: that of the wish, which is then read anew after a crash."""
        return self._reconcile_ids[0] if self._reconcile_ids else self.position

    async def _until_reconcile(self) -> None:
        while not self._reconcile_asked.is_set():
            every_s = self.book.rules.reconcile_every_s
            since_s = (self._clock.store_ms() - self._compared_ms) / 1000
            due_s = every_s * self._spread - since_s if every_s else _FOREVER_S
            if due_s <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(due_s, REST_S_MAX)):  # the rules may change meanwhile
                    await self._reconcile_asked.wait()

    @property
    def _compared_ms(self) -> int:
        return self.last_reconcile.finished_ms if self.last_reconcile is not None else self.since_ms


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
