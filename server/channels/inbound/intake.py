"""The intake of one channel: walks, news, orders to read and commands, each in a task of its own, within its limits."""

import asyncio
from typing import Final

import structlog

from adapters.contract.orders import Order, Pulled
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.inbound.desk import Desk
from server.channels.inbound.in_order import take_in_order
from server.channels.inbound.let_go import LetGo, Tell
from server.channels.inbound.news import NewsTaker
from server.channels.inbound.order_records import OrderRecords
from server.channels.inbound.outbox import Outbox
from server.channels.inbound.pace import AGAIN_S, Pace, waited
from server.channels.inbound.poller import Poller, WalkName
from server.channels.inbound.reading import Reading
from server.channels.inbound.rules import Rules
from server.channels.inbound.saying import Saying
from server.channels.inbound.schedule import Schedule
from server.channels.inbound.taking import Taking
from server.domain.channels import ChannelSettings
from server.domain.intake import IntakeStatus
from server.store.repositories.intake import IntakeStore, IntakeWrites
from server.telemetry.channel_metrics import IntakeMetrics

log = structlog.get_logger("holdfast.intake")

RETURNS_EVERY_S: Final = 300.0
PURGE_S: Final = 3_600.0
_AT_A_TIME: Final = 500
LATELY_S: Final = 2.0
"""What was read so long ago is new enough for a push of the last units: each further push would read again."""
PULL_WITHIN_S: Final = 2.0
"""A channel that does not tell its orders in this time is shown its number nevertheless."""


class Intake:
    """Orders of one channel come in, and what is said about them goes out, while this process holds the lease."""

    def __init__(
        self,
        settings: ChannelSettings,
        client: ChannelClient,
        *,
        store: IntakeStore,
        writes: IntakeWrites,
        desk: Desk,
        records: OrderRecords,
        clock: Clock,
        metrics: IntakeMetrics,
        tell_again: Tell | None = None,
    ) -> None:
        intake = client.capabilities.intake
        if intake is None:
            raise ValueError(f"channel {settings.name} has no orders to take in")
        self.name = settings.name
        self._settings, self._intake, self._client = settings.orders, intake, client
        self._store, self._writes, self._records = store, writes, records
        self._clock, self._metrics = clock, metrics
        self._pace = Pace(self.name, client, clock)
        self._schedule = schedule = Schedule(writes)
        self._outbox = outbox = Outbox(writes)
        self._taking = taking = Taking(
            settings,
            intake,
            desk=desk,
            records=records,
            rules=Rules(settings, intake, outbox, desk),
            schedule=schedule,
            let_go=LetGo(tell_again),
            clock=clock,
            metrics=metrics,
        )
        self._reading = reading = Reading(
            self.name,
            client,
            schedule=schedule,
            taking=taking,
            writes=writes,
            pace=self._pace,
            clock=clock,
        )
        self._saying = Saying(
            self.name,
            client,
            outbox,
            reading=reading,
            records=records,
            writes=writes,
            pace=self._pace,
            clock=clock,
            erased=store.erased,
        )
        outbox.on_work = self._saying.wake.set
        self._news = NewsTaker(
            self.name,
            store=store,
            writes=writes,
            taking=taking,
            reading=reading,
            records=records,
            schedule=schedule,
            outbox=outbox,
            clock=clock,
            read_returns=self._read_returns,
        )
        self._returns_now = asyncio.Event()
        self._unreadable_returns: set[str] = set()
        self._pull_now = asyncio.Event()
        self._pulled = asyncio.Event()
        self._pulled_s = float("-inf")
        every_s = settings.orders.pull_every_s or intake.pull_every_s
        self._orders = self._poller("orders", every_s)
        self._pollers = [self._orders] if intake.pulls else []
        if intake.returns:
            self._pollers.append(self._poller("returns", max(every_s, RETURNS_EVERY_S)))

    def _poller(self, name: WalkName, every_s: float) -> Poller:
        return Poller(
            name,
            self._client,
            intake=self._intake,
            writes=self._writes,
            clock=self._clock,
            every_s=every_s,
            take=self._take_page if name == "orders" else self._take_returns,
        )

    async def open(self) -> None:
        """Load what is stored by an earlier holder; the first start decides from when on orders are taken."""
        stored_ms, asked_ms = await self._store.since_ms(), self._settings.since_ms
        since_ms = asked_ms if asked_ms is not None else stored_ms if stored_ms is not None else self._clock.store_ms()
        # Many channels tell whole seconds: what is sold in the second of the first start is no older order.
        since_ms -= since_ms % 1000
        if since_ms != stored_ms:
            self._writes.since_ms(since_ms)
        self._taking.since_ms = since_ms
        await self._store.note_intake(self._clock.store_ms())
        self._schedule.load([each async for each in self._store.to_read()])
        self._outbox.released_ms = await self._store.released_ms()
        self._outbox.load([each async for each in self._store.outbox()], self._clock.store_ms())
        reaches_back = stored_ms is None or since_ms >= stored_ms
        for poller in self._pollers:
            poller.begin(await self._store.walk(poller.name) if reaches_back else None, since_ms)
        await self._writes.save()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for poller in self._pollers:
                group.create_task(self._walk(poller))
            for part in (self._news, self._reading, self._saying):
                group.create_task(self._pace.forever(part.next, part.wake))
            group.create_task(self._purge_regularly())

    async def finish(self) -> None:
        """Begin nothing new, and wait until what is on its way is answered and written."""
        await self._pace.finish()

    # -- what others tell it, and what they may know

    def wake_news(self) -> None:
        """Have the news taken in: somebody has added some."""
        self._news.wake.set()

    def shipped_here(self, order: str) -> None:
        """Look at an open order, of which units have left here."""
        self._reading.look_at(order)

    async def pull_lately(self) -> bool:
        """Read what has changed at the channel, unless that was done just now; return whether it was in time."""
        if not self._intake.pulls:
            return True
        now_s = self._clock.now_s()
        since_s, end_s = now_s - max(LATELY_S, self._intake.pull_floor_s), now_s + PULL_WITHIN_S
        while self._pulled_s < since_s and self._clock.now_s() < end_s:
            self._pulled.clear()
            self._pull_now.set()
            await waited(self._pulled, end_s - self._clock.now_s())
        return self._pulled_s >= since_s

    def status(self) -> IntakeStatus:
        """Return how it stands, and update the gauges."""
        now_ms = self._clock.store_ms()
        outbox, undecided, oldest_s = self._outbox.counts(now_ms)
        known_ms = self._orders.known_until_ms() if self._intake.pulls else now_ms
        status = IntakeStatus(
            lag_s=max(0.0, (now_ms - known_ms) / 1000),
            open=len(self._schedule),
            to_read=self._schedule.due_count(now_ms),
            inbox=self._schedule.inbox_count() + len(self._unreadable_returns),
            outbox=outbox,
            undecided=undecided,
            outbox_oldest_s=oldest_s,
            heard_waiting=self._news.waiting,
            since_ms=self._taking.since_ms,
            reason=self._orders.reason or self._client.circuit_breaker.reason,
            commands=sorted(self._intake.commands),
        )
        self._metrics.show(status)
        return status

    # -- walks

    async def _walk(self, poller: Poller) -> None:
        while True:
            is_of_orders = poller is self._orders
            (self._pull_now if is_of_orders else self._returns_now).clear()
            began_s, pause_s = self._clock.now_s(), await self._pace.guarded(poller.page)
            if is_of_orders and pause_s and not poller.reason:
                self._pulled_s = began_s
                self._pulled.set()
            pause_s = AGAIN_S if pause_s is None else pause_s
            if is_of_orders:
                await waited(self._pull_now, pause_s)
            else:
                await waited(self._returns_now, pause_s)

    def _read_returns(self) -> None:
        self._returns_now.set()

    async def _take_page(self, pulled: Pulled, asked_s: float) -> None:
        async def take(order: Order) -> None:
            await self._taking.take(order, asked_s=asked_s)

        await take_in_order(pulled.orders, take)
        for each in pulled.unreadable:
            await self._taking.leave(each)
        for key in pulled.hints:
            self._reading.hint(key)
        self._reading.wake.set()

    async def _take_returns(self, pulled: Pulled, _asked_s: float) -> None:
        for case in pulled.returns:
            await self._records.returned(self.name, case)
            self._unreadable_returns.discard(case.key)
        for each in pulled.unreadable:
            log.error("return_not_understood", channel=self.name, order=each.key, reason=each.reason)
            self._unreadable_returns.add(each.case)
            await self._records.unreadable_return(self.name, each.case, each.reason)

    async def _purge_regularly(self) -> None:
        while True:
            await self._pace.guarded(self._forget_erased)
            self._outbox.purge(self._clock.store_ms(), self._schedule.__contains__)
            await asyncio.sleep(PURGE_S)

    async def _forget_erased(self) -> float:
        """Take what is personal from commands of erased orders that were never sent; others are looked at before."""
        orders = sorted(self._outbox.orders_with_words())
        for first in range(0, len(orders), _AT_A_TIME):
            for order in await self._store.erased(orders[first : first + _AT_A_TIME]):
                self._outbox.erase(order)
        await self._writes.save()
        return PURGE_S
