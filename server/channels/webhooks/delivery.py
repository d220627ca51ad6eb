"""Delivers events to one endpoint: each of its kinds, in order, until it has answered 2xx; then records the place.

Unlike a value of the stock, an event is never replaced by a newer one. So there is no mark here but a place in the
stream of events, which moves on when the endpoint has confirmed. After a crash an event may be delivered once more,
under the same id.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from adapters.contract.adapter import Adapter
from adapters.contract.errors import ChannelError, CredentialsError, UnavailableError
from adapters.contract.stock import Applied, Notice
from server.channels.connection.circuit_breaker import AFTER_S_MAX, CircuitBreaker
from server.channels.connection.clock import Clock
from server.channels.connection.http_transport import Transport, converse
from server.config.toml_tables import ChannelConfigError
from server.domain.webhooks import WebhookSettings
from server.store.repositories.daily_figures import EVENTS_KEPT_MS
from server.store.repositories.replenishment import ReplenishmentStore, StockEvent
from server.store.repositories.webhooks import Place, WebhookStore
from server.telemetry.channel_metrics import WebhookMetrics

log = structlog.get_logger("holdfast.webhook")

POLL_S: Final = 0.25
"""How often it is looked for new events, which are raised once a second by default."""
PAGE: Final = 100
BACKOFF_S_MAX: Final = 60.0
_NAP_S_MAX: Final = 5.0
"""Of a long pause at once, so that the figures stay fresh meanwhile."""


@dataclass(frozen=True)
class WebhookPlan:
    """An endpoint as it is configured. ``build`` makes what sends, with the secret as it is at that moment.

    ``mask`` takes the credentials out of a text.
    """

    settings: WebhookSettings
    build: Callable[[], Adapter]
    mask: Callable[[str], str] = str


class Delivery:
    """One endpoint's place in the stream, and the conversation with it.

    Parameters
    ----------
    place
        The last event that it has confirmed.
    note
        Has a place written down, some time soon.
    held
        Returns while we may send.
    kept_ms
        How old an event may get; what could not be delivered by then is dropped.

    """

    def __init__(
        self,
        plan: WebhookPlan,
        partition: str,
        place: Place,
        *,
        store: WebhookStore,
        events: ReplenishmentStore,
        transport: Transport,
        clock: Clock,
        note: Callable[[Place], None],
        held: Callable[[], Awaitable[None]],
        kept_ms: int = EVENTS_KEPT_MS,
    ) -> None:
        self.name = plan.settings.name
        self.place = place
        self._plan = plan
        self._partition = partition
        self._store = store
        self._events = events
        self._transport = transport
        self._clock = clock
        self._note = note
        self._held = held
        self._kept_ms = kept_ms
        self._metrics = WebhookMetrics(self.name)
        self._health = CircuitBreaker(cap_s=BACKOFF_S_MAX, random=random.random)
        self._adapter: Adapter | None = None
        self._sending = asyncio.Lock()
        self._dropped = 0

    async def run(self) -> None:
        """Deliver until cancelled. Ends by an exception only."""
        while True:
            events = await self._page()
            for event in events:
                if event.alert in self._plan.settings.events:
                    await self._deliver(event)
                self._move(Place(event.id, self.place.number + 1))
            self._report_dropped()
            if not events:
                self._metrics.oldest_unsent.set(0)
                await asyncio.sleep(POLL_S)

    async def finish(self) -> None:
        """Let what is on its way be answered, and begin with nothing more."""
        await self._sending.acquire()

    async def _page(self) -> list[StockEvent]:
        extent = await self._store.extent()
        if extent.is_before(self.place):
            # As from a backup: what it has confirmed is not there, and what comes now is after the end as it is.
            confirmed, end = self.place.event_id, extent.end.event_id
            log.warning("webhook_went_back", webhook=self.name, partition=self._partition, confirmed=confirmed, end=end)
            self._move(extent.end)
        missed = extent.missed(self.place)
        if missed:
            self._drop(missed)
            self._move(Place(self.place.event_id, self.place.number + missed))
        self._metrics.waiting.set(max(0, extent.end.number - self.place.number))
        return await self._events.events(self.place.event_id, PAGE)

    def _move(self, place: Place) -> None:
        self.place = place
        self._note(place)

    # -- one event

    async def _deliver(self, event: StockEvent) -> None:
        """Try until it is confirmed, or too old to be kept for."""
        began_s = self._clock.now_s()
        while True:
            age_ms = self._clock.store_ms() - event.at_ms
            if age_ms > self._kept_ms:
                self._drop(1)
                return
            self._report_dropped()
            # An event's time lies ahead where the store's clock was fast: it waits all the same.
            self._metrics.oldest_unsent.set(max(age_ms / 1000, self._clock.now_s() - began_s))
            pause_s = self._pause_s()
            if pause_s > 0:
                await asyncio.sleep(min(pause_s, _NAP_S_MAX))
                self._metrics.waiting.set(max(0, (await self._store.extent()).end.number - self.place.number))
                continue
            await self._held()
            async with self._sending:
                if await self._is_confirmed(event):
                    return

    def _pause_s(self) -> float:
        """Compute the pause before the next attempt, in seconds. One that is gone is tried once an hour."""
        pause_s = self._health.wait_s(self._clock.now_s())
        if math.isinf(pause_s):
            self._health.revive()
            self._health.failed(UnavailableError(self._health.reason, AFTER_S_MAX), self._clock.now_s())
            return AFTER_S_MAX
        return pause_s

    async def _is_confirmed(self, event: StockEvent) -> bool:
        try:
            if self._adapter is None:
                self._adapter = self._plan.build()
            outcome = await converse(
                self._adapter.notify(_notice(self._partition, event), self._clock.wall_s()), self._transport.send
            )
            if not isinstance(outcome, Applied):
                # An endpoint that ignores the event answers 2xx; any other answer may come from a proxy in between.
                raise UnavailableError(getattr(outcome, "reason", type(outcome).__name__))
        except ChannelConfigError as error:
            return self._failed(UnavailableError(str(error)))
        except ChannelError as error:
            return self._failed(error)
        if self._health.succeeded(self._clock.now_s()) is not None:
            log.warning("webhook_recovered", webhook=self.name, partition=self._partition)
        self._metrics.delivered.inc()
        return True

    def _failed(self, error: ChannelError) -> bool:
        self._metrics.failed.inc()
        if isinstance(error, CredentialsError):
            self._adapter = None  # built anew: the secret may have been changed in its file
        details = {"webhook": self.name, "partition": self._partition, "reason": self._plan.mask(error.reason)}
        if self._health.failed(error, self._clock.now_s()) is not None:
            log.error("webhook_fails", advice="its events are kept; repair the receiver", **details)
        else:
            log.info("webhook_delivery_failed", **details)
        return False

    # -- what cannot be kept

    def _drop(self, number: int) -> None:
        self._dropped += number
        self._metrics.dropped.inc(number)

    def _report_dropped(self) -> None:
        if self._dropped:
            log.error(
                "webhook_events_dropped", webhook=self.name, partition=self._partition, events=self._dropped,
                advice="it was away for longer than events are kept; GET /v1/stock has the current levels",
            )  # fmt: skip
            self._dropped = 0


def _notice(partition: str, event: StockEvent) -> Notice:
    return Notice(
        id=f"evt_{partition.replace('.', ':')}_{event.id}",  # what is signed is cut at dots
        type=event.alert,
        subject=event.sku,
        at_ms=event.at_ms,
        data={
            "event": event.id,
            "sku": event.sku,
            "location": event.location,
            "available": event.available,
            "reorder_point": event.reorder_point,
            "seq": event.seq,
        },
    )
