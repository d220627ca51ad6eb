"""All webhook endpoints of a partition: where each continues, and that a fault in one affects no other."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import structlog

from server.channels.connection.clock import Clock
from server.channels.connection.http_transport import Transport
from server.channels.webhooks.delivery import Delivery, WebhookPlan
from server.channels.write_behind import WriteBehind
from server.store.connection.connect import StoreClient
from server.store.errors import FencedError, StoreUnavailableError
from server.store.keys import Keyspace
from server.store.repositories.publisher import PublisherStore, Writes
from server.store.repositories.replenishment import ReplenishmentStore
from server.store.repositories.webhooks import Place, WebhookStore, packed
from server.telemetry.channel_metrics import forget_webhook

log = structlog.get_logger("holdfast.webhook")

_REST_S: Final = 5.0
"""After a fault of our own, or of the store."""


class Deliveries:
    """The endpoints of one partition, while its publisher acts. ``held`` returns while it may send."""

    def __init__(
        self,
        client: StoreClient,
        keyspace: Keyspace,
        plans: Sequence[WebhookPlan],
        *,
        clock: Clock,
        held: Callable[[], Awaitable[None]],
    ) -> None:
        self._keyspace = keyspace
        self._plans = plans
        self._clock = clock
        self._held = held
        self._publishing = PublisherStore(client, keyspace)
        self._store = WebhookStore(client, keyspace)
        self._events = ReplenishmentStore(client, keyspace)
        self._transports: list[Transport] = []
        self._endpoints: list[Delivery] = []

    async def open(self, records: WriteBehind, token: int) -> None:
        """Load each endpoint's place; a new one begins with the next event, even if this process is killed now."""
        known = await self._store.places()
        names = [plan.settings.name for plan in self._plans]
        writes, key = Writes(), self._keyspace.webhook_cursors
        for name in sorted(known.keys() - set(names)):
            writes.set(key, name, None)
            log.warning("webhook_removed", webhook=name, advice="if it returns, it gets the events from then on")
        if any(name not in known for name in names):
            end = (await self._store.extent()).end
            for name in names:
                if name not in known:
                    known[name] = end
                    writes.set(key, name, packed(end))
        if writes:
            await self._publishing.record(token, writes)
        self._endpoints = [self._endpoint(plan, known[plan.settings.name], records) for plan in self._plans]

    def start(self, group: asyncio.TaskGroup) -> None:
        """Deliver to each in a task of its own."""
        for endpoint in self._endpoints:
            group.create_task(_keep_running(endpoint), name=f"webhook-{endpoint.name}")

    async def finish(self) -> None:
        """Let what is on its way be answered, and begin with nothing more."""
        await asyncio.gather(*(endpoint.finish() for endpoint in self._endpoints))

    async def close(self) -> None:
        """Close all connections."""
        for transport in self._transports:
            await transport.close()
        for endpoint in self._endpoints:
            forget_webhook(endpoint.name)
        self._transports, self._endpoints = [], []

    def _endpoint(self, plan: WebhookPlan, place: Place, records: WriteBehind) -> Delivery:
        settings = plan.settings
        transport = Transport(allow_private=settings.allow_private, timeout_s=settings.timeout_s)
        self._transports.append(transport)
        return Delivery(
            plan,
            self._keyspace.partition,
            place,
            store=self._store,
            events=self._events,
            transport=transport,
            clock=self._clock,
            note=partial(self._note, records, settings.name),
            held=self._held,
        )

    def _note(self, records: WriteBehind, name: str, place: Place) -> None:
        records.set(self._keyspace.webhook_cursors, name, packed(place))


async def _keep_running(endpoint: Delivery) -> None:
    """Run an endpoint for ever: a fault in one is logged, and no other suffers for it."""
    while True:
        try:
            await endpoint.run()
        except FencedError:
            raise
        except StoreUnavailableError as error:
            log.warning("webhook_waits", webhook=endpoint.name, reason=str(error))
        except Exception:
            log.exception("webhook_failed", webhook=endpoint.name)
        await asyncio.sleep(_REST_S)
