"""All sources of a partition: where each continues, and that a fault in one affects no other."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from adapters.contract.adapter import Adapter
from adapters.contract.source import Source
from server.channels.connection.access import Access
from server.channels.connection.circuit_breaker import CircuitBreaker
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.connection.file_transport import FileTransport
from server.channels.connection.http_transport import Transport
from server.channels.running import keep_running
from server.channels.sources.desk import SourceDesk
from server.channels.sources.engine import SourceEngine
from server.config.toml_tables import ChannelConfigError
from server.domain.sources import SourceSettings, SourceStatus
from server.store.errors import StoreUnavailableError
from server.store.journal.feed import JournalFeed
from server.store.repositories.publisher import PublisherStore, Writes
from server.store.repositories.sources import SourceStore, SourceWrites, source_statuses
from server.telemetry.source_metrics import forget_source

log = structlog.get_logger("holdfast.source")

_STATUS_S: Final = 1.0


@dataclass(frozen=True)
class SourcePlan:
    """A source as it is configured. ``build`` makes its adapter with the credentials as they are then.

    ``mask`` takes the credentials out of a text.
    """

    settings: SourceSettings
    build: Callable[[], Adapter]
    mask: Callable[[str], str] = str


def _open_transport(settings: SourceSettings) -> Transport:
    file = settings.options.get("file")
    if isinstance(file, str) and file:
        return FileTransport(file, allow_private=settings.allow_private, timeout_s=settings.timeout_s)
    return Transport(allow_private=settings.allow_private, timeout_s=settings.timeout_s)


class Sources:
    """The sources of one partition, while its publisher acts; none without a ``desk``."""

    def __init__(
        self,
        store: PublisherStore,
        feed: JournalFeed,
        plans: Sequence[SourcePlan],
        *,
        desk: SourceDesk | None,
        owner: str,
        clock: Clock,
        held: Callable[[], Awaitable[None]],
        open_transport: Callable[[SourceSettings], Transport] = _open_transport,
    ) -> None:
        self._store = store
        self._feed = feed
        self._plans = plans if desk is not None else ()
        self._desk = desk
        self._owner = owner
        self._clock = clock
        self._held = held
        self._open_transport = open_transport
        self._token = 0
        self._transports: list[Transport] = []
        self._engines: list[SourceEngine] = []
        self._not_built: dict[str, str] = {}

    async def open(self, token: int) -> None:
        """Build the engine of each; one that cannot be built keeps back no other, and is shown with its reason."""
        self._token = token
        names = {plan.settings.name for plan in self._plans}
        stored = await source_statuses(self._store.client, self._store.keyspace)
        writes = Writes()
        for name in sorted(stored.keys() - names):
            writes.set(self._store.keyspace.source_status, name, None)
            log.warning(
                "source_removed", source=name, advice="what is kept of it stays, for when it is configured again"
            )
        if writes:
            await self._store.record(token, writes)
        for plan in self._plans:
            try:
                self._engines.append(self._engine(plan))
            except ChannelConfigError as error:
                self._not_built[plan.settings.name] = str(error)
                advice = "correct it, restart"
                log.error("source_not_built", source=plan.settings.name, reason=str(error), advice=advice)  # noqa: TRY400

    def _engine(self, plan: SourcePlan) -> SourceEngine:
        name, desk = plan.settings.name, self._desk
        if desk is None:
            raise RuntimeError("there is no desk")
        transport = self._open_transport(plan.settings)
        self._transports.append(transport)
        client = ChannelClient(
            name,
            plan.build,
            transport,
            clock=self._clock,
            access=Access(plan.mask),
            circuit_breaker=CircuitBreaker(random=random.random),
            held=self._held,
        )
        if not isinstance(client.adapter, Source):
            raise ChannelConfigError(f"{plan.settings.kind} is no kind of source")
        return SourceEngine(
            plan.settings,
            client,
            owner=self._owner,
            store=SourceStore(self._store.client, self._store.keyspace, name),
            writes=SourceWrites(self._store, self._token, name),
            desk=desk,
            feed=self._feed,
            clock=self._clock,
        )

    def start(self, group: asyncio.TaskGroup) -> None:
        """Work for each in a task of its own."""
        for engine in self._engines:
            group.create_task(keep_running(engine.name, engine.run, lambda: None), name=f"source-{engine.name}")
        if self._not_built:
            group.create_task(self._show_not_built())

    async def _show_not_built(self) -> None:
        """Have everybody see which sources cannot be read, until a restart."""
        while True:
            for name, reason in self._not_built.items():
                writes = SourceWrites(self._store, self._token, name)
                now_ms = self._clock.store_ms()
                writes.status(SourceStatus(publisher=self._owner, written_ms=now_ms, circuit="halted", reason=reason))
                with suppress(StoreUnavailableError):
                    await writes.save()
            await asyncio.sleep(_STATUS_S)

    async def finish(self) -> None:
        """Let what is on its way be answered, and begin with nothing more."""
        await asyncio.gather(*(engine.finish() for engine in self._engines))

    async def close(self) -> None:
        """Close all connections."""
        for transport in self._transports:
            await transport.close()
        for engine in self._engines:
            forget_source(engine.name)
        self._transports, self._engines = [], []
        self._not_built.clear()
