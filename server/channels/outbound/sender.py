"""One channel at work: choose, send, apply the results, for ever, within its own limits. No channel waits for it."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from msgspec.structs import replace

from adapters.contract.errors import ChannelError, SpoiledError, UnknownResultError
from adapters.contract.stock import Item, Rejected, Ticket
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.outbound.channel_state import ChannelState
from server.channels.outbound.identical_bodies import arrangements, first_new
from server.channels.outbound.in_flight import InFlight
from server.channels.outbound.open_tickets import OpenTickets
from server.channels.outbound.probe import probe
from server.channels.outbound.push_results import PushResults
from server.channels.outbound.reconcile import reconcile
from server.channels.outbound.retry_policy import COMPANION_WAIT_S, WAIT_S_MAX
from server.channels.outbound.tickets import watch
from server.channels.write_behind import ChannelWriteBehind
from server.domain.channels import ChannelStatus, LastReconcile, LastTest, OpenTicket
from server.domain.intake import IntakeStatus
from server.domain.mirrors import MirrorStatus
from server.store.errors import StoreUnavailableError
from server.store.journal.journal import EntryId, before
from server.telemetry.channel_metrics import ChannelMetrics

log = structlog.get_logger("holdfast.channel")

CLOCK_ERROR_S_MAX: Final = 60.0
"""A comparison that ended later than this in the future was timed by a clock that has gone back since: it is void."""
SCARCE_UNITS: Final = 3
"""So few that an order which is not taken in yet may be for all of them."""
_JITTER: Final = 0.1
"""Share by which the intervals of comparing differ between channels that began together."""
_FOREVER_S: Final = float("inf")


class Sender:
    """Sends what is due in the channel's state through the client, and applies what came of it.

    ``pace_s``: from the start of one push of several items to that of the next. What changes meanwhile goes together;
    the first goes at once.
    """

    def __init__(
        self,
        state: ChannelState,
        client: ChannelClient,
        *,
        tickets: OpenTickets,
        write_behind: ChannelWriteBehind,
        clock: Clock,
        metrics: ChannelMetrics,
        pace_s: float,
    ) -> None:
        self.state = state
        self.client = client
        self.position: EntryId = (0, 0)
        """The journal id up to which the channel's changes are pending or confirmed."""
        self.since_ms = clock.store_ms()
        """When something was first published to the channel."""
        self.last_reconcile: LastReconcile | None = None
        self.last_test: LastTest | None = None
        self._tickets = tickets
        self._push_results = PushResults(state, tickets, clock, metrics)
        self._write_behind = write_behind
        self._clock = clock
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._listens = False
        self._stopping = False
        self._pushes = 0
        self._pace_s = pace_s if client.capabilities.items_max > 1 else 0.0
        self._next_push_s = 0.0
        self._next_cadence_s = 0.0
        self._spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  # spreads load, protects nothing
        self._test_asked = asyncio.Event()
        self._reconcile_asked = asyncio.Event()
        self._reconcile_ids: list[EntryId] = []
        self._marking: list[EntryId] = []
        self.before_scarce: Callable[[], Awaitable[object]] | None = None
        """For a channel that subtracts its open orders: has those taken in that it has got, before it is shown few."""
        state.on_work = self._on_work
        client.access.tell(self._wake.set)

    @property
    def name(self) -> str:
        """The channel's name."""
        return self.state.name

    def cursor(self) -> EntryId:
        """Return the journal id up to which everything is confirmed, or stands in the dead letters."""
        open_ids = [
            each for each in (self.state.oldest(), *self._reconcile_ids[:1], *self._marking) if each is not None
        ]
        return min(self.position, before(min(open_ids))) if open_ids else self.position

    def ask_reconcile(self, entry_id: EntryId) -> None:
        """Compare with the channel as soon as possible; the cursor waits until that is done."""
        self._reconcile_ids.append(entry_id)
        self._reconcile_asked.set()
        self.revive()

    def ask_test(self) -> None:
        """Find out as soon as possible whether the channel answers; see :attr:`last_test`."""
        self._test_asked.set()

    def begin_marking(self, entry_id: EntryId) -> None:
        """Hold back the cursor: not all that a journal entry concerns is pending yet."""
        self._marking.append(entry_id)

    def end_marking(self, entry_id: EntryId) -> None:
        """Let the cursor go on. Not called after a fault: the entry must be read again then."""
        self._marking.remove(entry_id)

    def revive(self) -> None:
        """Try again now, whatever failed before."""
        self.client.revive()
        self._wake.set()

    def fault(self) -> None:
        """Count a fault of Holdfast's own as one of the channel's, so that it pauses."""
        self.client.fail("an internal fault of Holdfast; see the log")

    async def run(self) -> None:
        """Work until cancelled. After a fault it may run again: the result of what was in flight is then unknown."""
        self.state.interrupted()
        async with asyncio.TaskGroup() as group:
            for ticket in self._tickets.resume():
                group.create_task(self._watch(group, ticket, self._push_results.resume(ticket, self.position)))
            group.create_task(self._reconcile_regularly())
            group.create_task(self._test_when_asked())
            while not self._stopping:
                await self._send_next(group)

    async def finish(self) -> None:
        """Send nothing new, and wait until what is in flight has been answered."""
        self._stopping = True
        self._wake.set()
        while self._pushes:
            self._wake.clear()
            await self._wake.wait()

    def resume_status(self, status: ChannelStatus) -> None:
        """Take over an earlier publisher's times, so that restarts do not put off what is due by time."""
        self.since_ms = status.since_ms or self.since_ms
        self.last_reconcile, self.last_test = status.reconcile, status.test
        self.state.resume_status(status)

    def write_status(
        self,
        publisher: str,
        journal_end_ms: int,
        intake: IntakeStatus | None = None,
        mirror: MirrorStatus | None = None,
    ) -> None:
        """Write the channel's status with that of its orders and of what it holds, and update its gauges."""
        circuit_breaker, signed_out = self.client.circuit_breaker, self.client.access.signed_out
        status = replace(
            self.state.status(publisher, self._clock.store_ms()),
            since_ms=self.since_ms,
            tickets=len(self._tickets),
            circuit="halted" if signed_out else circuit_breaker.circuit,
            reason=f"Halted: {signed_out}" if signed_out else circuit_breaker.reason,
            signed_out=bool(signed_out),
            cursor="{}-{}".format(*self.cursor()),
            reconcile=self.last_reconcile,
            test=self.last_test,
            intake=intake,
            mirror=mirror,
        )
        self._write_behind.status(status)
        self._metrics.show(status, journal_end_ms=journal_end_ms, cadence_s=self.state.cadence_s)

    # -- sending

    async def _send_next(self, group: asyncio.TaskGroup) -> None:
        self._release_cadence()
        wait_s = self._wait_s()
        batch: Sequence[InFlight] = []
        items: Sequence[Item] = []
        if wait_s <= 0:
            now_s = self._clock.now_s()
            self.state.resend_due(now_s)
            batch = self.state.due(self.client.items_max(), now_s, self.client.item_wait_s)
            items = [sent.item() for sent in batch]
            if batch and self.client.repeats(items):
                batch, items = self._rearranged(batch, items)
        if not batch:
            await self._wait(wait_s)
            return
        self._next_push_s = self._clock.now_s() + self._pace_s
        self._pushes += 1
        group.create_task(self._push(group, batch, items))

    def _wait_s(self) -> float:
        """Return how long nothing can be sent, whatever changes; infinity: until something else wakes it.

        That is the result of a push or a ticket, or, where the channel is paused, other rules.
        """
        if self.state.is_paused:
            return _FOREVER_S
        limits = self.client.capabilities
        most = 1 if self.client.circuit_breaker.probing else limits.requests_in_flight_max
        jobs = len(self._tickets) + self._pushes
        if self._pushes >= most or (limits.jobs_pending_max is not None and jobs >= limits.jobs_pending_max):
            return _FOREVER_S
        return max(self.client.wait_s(), self._next_push_s - self._clock.now_s())

    async def _wait(self, wait_s: float) -> None:
        """Wait until something can be sent: for time to pass, or with ``wait_s`` 0 until something is pending."""
        self._listens = wait_s <= 0
        self._wake.clear()
        if self._listens:
            due_s = min(self.state.next_due_s(), self._cadence_due_s()) - self._clock.now_s()
            wait_s = max(0.0, min(due_s, WAIT_S_MAX))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, WAIT_S_MAX)):
                await self._wake.wait()

    def _on_work(self) -> None:
        if self._listens:
            self._wake.set()

    def _cadence_due_s(self) -> float:
        return self._next_cadence_s if self.state.awaits_cadence else _FOREVER_S

    def _release_cadence(self) -> None:
        now_s = self._clock.now_s()
        if now_s >= self._cadence_due_s():
            self.state.release_cadence()
            self._next_cadence_s = now_s + self.state.cadence_s

    async def _push(self, group: asyncio.TaskGroup, batch: Sequence[InFlight], items: Sequence[Item]) -> None:
        try:
            if self.before_scarce is not None and any(0 < item.quantity <= SCARCE_UNITS for item in items):
                await self.before_scarce()
                batch = self.state.refreshed(batch)
                items = [sent.item() for sent in batch]
            if batch:
                await self._push_whole_or_parts(group, batch, items)
        finally:
            self._pushes -= 1
            self._wake.set()

    async def _push_whole_or_parts(
        self, group: asyncio.TaskGroup, batch: Sequence[InFlight], items: Sequence[Item]
    ) -> None:
        """Push; where one unnamed item spoils the push for all, push parts until it stands alone."""
        try:
            result = await self.client.push(items)
        except SpoiledError as error:
            if len(batch) == 1:
                self._push_results.apply(batch, {batch[0].key: Rejected(error.code, error.reason)})
                return
            await self._push_parts(group, batch)
        except ChannelError as error:
            self._push_results.not_sent(batch, unknown=isinstance(error, UnknownResultError))
        else:
            if isinstance(result, Ticket):
                await self._accept(group, result, batch)
            else:
                self._push_results.apply(batch, result)

    async def _push_parts(self, group: asyncio.TaskGroup, batch: Sequence[InFlight]) -> None:
        for part in self.state.divided(batch):
            await self._push_whole_or_parts(group, part, [sent.item() for sent in part])

    async def _accept(self, group: asyncio.TaskGroup, ticket: Ticket, batch: Sequence[InFlight]) -> None:
        stored = self._push_results.accepted(ticket.id, batch, self.client.capabilities.ticket_life_s)
        group.create_task(self._watch(group, stored, batch))
        # A ticket that is not stored could take effect after the newer value that a successor sends.
        with contextlib.suppress(StoreUnavailableError):
            await self._write_behind.flush()

    async def _watch(self, group: asyncio.TaskGroup, ticket: OpenTicket, batch: Sequence[InFlight]) -> None:
        spoiled = await watch(ticket, batch, push_results=self._push_results, client=self.client, clock=self._clock)
        if spoiled:
            await self._push_parts(group, spoiled)
        self._wake.set()

    def _rearranged(
        self, batch: Sequence[InFlight], items: Sequence[Item]
    ) -> tuple[Sequence[InFlight], Sequence[Item]]:
        """Arrange a push that the channel would refuse as a repetition; empty: it has to wait for a companion."""
        parcels = list(zip(batch, items, strict=True))
        companions = [(each, each.item()) for each in self.state.companions(batch[0].pending.entry_id)]
        arranged = first_new(arrangements(parcels, companions), self.client.repeats)
        if arranged is None:
            for sent in batch:
                self.state.retry(sent, COMPANION_WAIT_S)
            return [], []
        together, arranged_items = zip(*arranged, strict=True)
        pushed = {sent.key for sent in batch}
        for sent in together:
            if sent.key not in pushed:
                self.state.accompany(sent)
        return together, arranged_items

    # -- reconciling

    async def _test_when_asked(self) -> None:
        while True:
            await self._test_asked.wait()
            self._test_asked.clear()
            self.last_test = await probe(self.state, self.client, self._clock, self.position)
            self._wake.set()

    async def _reconcile_regularly(self) -> None:
        while True:
            await self._until_reconcile()
            self._reconcile_asked.clear()
            asked = len(self._reconcile_ids)
            self.last_reconcile = await reconcile(self.state, self.client, self._clock, self._reconcile_position)
            del self._reconcile_ids[:asked]

    def _reconcile_position(self) -> EntryId:
        """Return the journal id for what reconciling finds: that of the command, which a crash makes it read again."""
        return self._reconcile_ids[0] if self._reconcile_ids else self.position

    async def _until_reconcile(self) -> None:
        while not self._reconcile_asked.is_set():
            every_s = self.state.reconcile_every_s
            since_s = (self._clock.store_ms() - self._compared_ms) / 1000
            due_s = every_s * self._spread - since_s if every_s else _FOREVER_S
            # A time well ahead is of a clock that was fast: nobody knows when it was, so it is due.
            if due_s <= 0 or (every_s and since_s < -CLOCK_ERROR_S_MAX):
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(due_s, WAIT_S_MAX)):  # the rules may change meanwhile
                    await self._reconcile_asked.wait()

    @property
    def _compared_ms(self) -> int:
        return self.last_reconcile.finished_ms if self.last_reconcile is not None else self.since_ms
