"""The publishers of a process: one for each partition that has channels, sources or endpoints, replaced on a reload."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import structlog

from server.api.http.app_state import AppState
from server.channels.inbound.mirrors import MirrorParts
from server.channels.outbound.traces import Follower
from server.channels.publisher import Publisher
from server.channels.sources.desk import ServiceSourceDesk
from server.config.settings import Settings
from server.configuration import Configuration
from server.maintenance_parts import note_all
from server.order_parts import intake_parts
from server.store.connection.connect import StoreClient
from server.store.keys import Keyspace
from server.store.repositories.locations import LocationStore
from server.telemetry.tracing import Tracing

log = structlog.get_logger("holdfast.publisher")

RELOAD_S: Final = 5.0
"""How long a publisher that is replaced may finish what it has in flight; what is left its successor sends again."""
_ANEW: Final = "*"
"""The tasks that are about all partitions."""


class Publishing:
    """Follows each such partition; the process that holds its lease publishes to its channels.

    ``parts``: what the service works with in a partition, and its journal's feed. ``tracing`` None: no traces.
    """

    def __init__(self, settings: Settings, client: StoreClient, parts: AppState, tracing: Tracing | None) -> None:
        self._settings = settings
        self._client = client
        self._parts = parts
        self._tracing = tracing
        self._publishers: dict[str, Publisher] = {}
        self._fingerprints: dict[str, bytes] = {}
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}

    @property
    def publishers(self) -> list[Publisher]:
        """Those that run."""
        return list(self._publishers.values())

    async def follow(self, configured: Configuration) -> list[str]:
        """Publish as is configured from now on; return the partitions in which that is otherwise than before."""
        changed = sorted(
            name
            for name in {*self._fingerprints, *configured.fingerprints}
            if self._fingerprints.get(name) != configured.fingerprints.get(name)
        )
        await asyncio.gather(*(self._end(partition) for partition in changed))
        self._fingerprints = dict(configured.fingerprints)
        if changed:
            await self._cancel(_ANEW)
            self._follow_all(configured)
        for partition in changed:
            if partition in configured.fingerprints:
                self._begin(partition, configured)
        return changed

    async def finish(self, within_s: float) -> None:
        """Have all of them answer what is in flight, and hand over."""
        await asyncio.gather(*(publisher.finish(within_s) for publisher in self.publishers))

    async def stop(self) -> None:
        """End all of it."""
        for name in list(self._tasks):
            await self._cancel(name)

    def wake_intake(self, channel: str) -> None:
        """Have a channel's news taken in at once, if its orders are taken in here."""
        for publisher in self.publishers:
            publisher.wake_intake(channel)

    def _follow_all(self, configured: Configuration) -> None:
        """Begin what is about all partitions: traces, and that the journal says what is configured."""
        if self._tracing is not None:
            partitions = {plan.settings.name: name for name, plans in configured.channels.items() for plan in plans}
            self._run(_ANEW, Follower(self._client, self._tracing, partitions).run(), "traces")
        noting = note_all(self._parts.maintenance_client, self._parts.channels, self._parts.sources)
        self._run(_ANEW, noting, "configuration")

    def _begin(self, partition: str, configured: Configuration) -> None:
        feed = self._parts.feed(partition)
        feed.start()
        keyspace, parts = Keyspace(partition), self._parts.partition(partition)
        plans = configured.channels.get(partition, [])
        takes_orders = [plan.settings.name for plan in plans if plan.settings.orders.enabled]
        publisher = self._publishers[partition] = Publisher(
            self._client,
            keyspace,
            feed,
            plans,
            webhooks=configured.webhooks.get(partition, []),
            lease_s=self._settings.publisher_lease_s,
            settle=LocationStore(self._client, keyspace, parts.limits).settle,
            orders=intake_parts(partition, parts, takes_orders),
            sealer=configured.sealer,
            sources=configured.sources.get(partition, []),
            source_desk=ServiceSourceDesk(partition, parts),
            mirrors=MirrorParts(parts),
        )
        self._run(partition, publisher.run(), f"publisher-{partition}")

    async def _end(self, partition: str) -> None:
        publisher = self._publishers.pop(partition, None)
        if publisher is not None:
            await publisher.finish(RELOAD_S)
        await self._cancel(partition)

    def _run(self, name: str, work: Coroutine[Any, Any, None], task: str) -> None:
        self._tasks.setdefault(name, []).append(asyncio.create_task(work, name=task))

    async def _cancel(self, name: str) -> None:
        tasks = self._tasks.pop(name, [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
