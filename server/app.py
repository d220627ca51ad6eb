"""One serving process: build, start, drain, in that order."""

import asyncio
import gc
import itertools
import secrets
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog
from aiohttp import http_parser, web

import server
from server.api.http import express_lane, metrics_route
from server.api.http.app_state import AppState
from server.api.http.auth import Authenticator
from server.api.http.front_door import Connection
from server.api.http.key_shares import key_shares
from server.api.http.notifications import Listener, add_notifications
from server.api.http.routing import Route, add_fallback, add_routes
from server.api.http.serving import CannotListenError, Serving
from server.api.http.system_routes import add_system_routes
from server.api.http.time_left import TimeLeft
from server.api.routes import ROUTES
from server.channels.outbound.traces import Follower
from server.channels.publisher import Publisher
from server.channels.sources.desk import ServiceSourceDesk
from server.config.file_limit import connections_allowed
from server.config.settings import ConfigError, Settings, is_loopback, load_config_file
from server.domain.principal import ApiKey, Scope
from server.insight.daily_figures import Insight
from server.order_parts import intake_parts, opened_documents, order_upkeep
from server.plans import channel_plans, hearings, sealer, settings_of, source_plans, sources_of, webhook_plans
from server.service.channels import limit_orders
from server.service.old_names import heeded
from server.service.rule_locations import as_stored, warn_of_unknown
from server.store.connection import commands
from server.store.connection.connect import StoreClient
from server.store.embedded import EmbeddedStore, ProgramChoice
from server.store.journal.feed import JournalFeed
from server.store.keys import Keyspace
from server.store.ledger.batcher import close_quietly
from server.store.ledger.ledger import Retention
from server.store.lua_library import library
from server.store.maintenance.health_watch import StoreWatch
from server.store.maintenance.housekeeping import Housekeeper, watch_event_loop
from server.store.repositories.api_keys import ApiKeyStore
from server.store.repositories.daily_figures import lowest_follower
from server.store.repositories.locations import LocationStore, unsettled
from server.store.repositories.renames import finish_renames
from server.store.topology import deployment
from server.streams.loop_share import LoopShare
from server.streams.open_streams import OpenStreams, StreamLimits
from server.telemetry.metrics_page import MetricsPage
from server.telemetry.request_tally import hand_over_regularly
from server.telemetry.tracing import Tracing, TracingMissingError

log = structlog.get_logger("holdfast")

_GC_THRESHOLD: Final = 20_000
"""New objects between two collections; Python's 700 would mean several a millisecond under load."""
_CLOSING_S: Final = 1.0
"""Of the drain's time, what is kept for closing all parts after the last answer."""
_LAST_S: Final = 0.5
"""What each part is given to close at least, also when the time is up."""


class Holdfast:
    """A server in this process: the embedded store unless there is a URL, the HTTP API, and housekeeping.

    ``worker`` is the number of this process among several, None where it is alone; only the first one runs maintenance.
    """

    def __init__(self, settings: Settings, *, worker: int | None = None) -> None:
        self.settings = settings
        self._worker = worker
        self._exit = AsyncExitStack()
        self._left = TimeLeft(settings.drain_timeout_s)
        self.port = settings.port
        self.publishers: list[Publisher] = []

    async def start(self) -> None:
        """Start all parts, each after those it rests on; what was started is stopped again if a later one fails."""
        async with AsyncExitStack() as started:
            # First of all: what cannot be built as it is configured is reported before anything has started.
            self._file = load_config_file(self.settings.config, credentials=self._publishes)
            self._sealer = sealer(self.settings)
            self._plans = channel_plans(self.settings.config, self._file.channels, self._publishes, self._sealer)
            self._webhooks = webhook_plans(self.settings.config, self._file.webhooks, check=self._publishes)
            self._sources = source_plans(self.settings.config, self._file.sources, check=self._publishes)
            self._tracing = self._start_tracing(started)
            self.store_url = await self._start_store(started)
            self.state = await self._start_state(started)
            await self._start_http(started)
            await self._start_housekeeping(started)
            self._start_publishers(started)
            self._exit = started.pop_all()
        # What lives until the end need not be looked through again, and requests leave few cycles behind.
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)

    async def drain(self, *, notice: bool = False) -> None:
        """Stop within the drain's limit: answer what is in flight, close; nothing acknowledged is lost.

        ``notice``: tell callers to leave before the port closes.
        """
        notice_s = self.settings.drain_notice_s if notice and self.settings.role != "publisher" else 0.0
        within_s = self._left.seconds() - min(_CLOSING_S, self._left.seconds() / 5)
        await asyncio.gather(
            self._api.stop(within_s=within_s, notice_s=notice_s),
            *(publisher.finish(within_s) for publisher in self.publishers),
        )
        await self._exit.aclose()

    def _start_tracing(self, started: AsyncExitStack) -> Tracing | None:
        if not self.settings.tracing:
            return None
        try:
            tracing = Tracing()
        except TracingMissingError as error:
            raise ConfigError(str(error)) from None
        started.push_async_callback(self._close_tracing, tracing)
        return tracing

    async def _close_tracing(self, tracing: Tracing) -> None:
        await asyncio.to_thread(tracing.close, self._left.seconds(_LAST_S))

    async def _start_store(self, started: AsyncExitStack) -> str:
        settings = self.settings
        if settings.store_url:
            return settings.store_url
        program = ProgramChoice(**settings.store_program)
        store = EmbeddedStore(settings.data_dir, durability=settings.durability, program=program)

        async def stop() -> None:
            await store.stop(self._left.seconds(_LAST_S))

        started.push_async_callback(stop)
        await store.start()
        return store.url

    async def _start_state(self, started: AsyncExitStack) -> AppState:
        settings = self.settings
        where = deployment(self.store_url, settings.durability)
        started.push_async_callback(where.close)
        self._clients, self._nodes = where.clients, where.nodes
        if settings.store_check:
            await where.check()
        await commands.load(self._clients.maintenance, library())
        authenticator = await self._start_authenticator(self._clients.maintenance, started)
        batcher = where.batcher(
            operations_max=settings.batch_operations_max,
            lines_max=settings.batch_lines_max,
            queue_max=settings.queue_operations_max,
            queue_timeout_s=settings.queue_timeout_s,
            reply_timeout_s=settings.reply_timeout_s,
        )
        batcher.start()

        async def close() -> None:
            await close_quietly(batcher, self._left.seconds(_LAST_S))

        started.push_async_callback(close)
        is_one = settings.role != "api" and self._worker in (None, 0)
        names = await heeded(self._clients.maintenance, authenticator.partitions, looks=is_one)
        _run_until_exit(started, names, "old-names")
        self._plans = {
            partition: [replace(plan, settings=as_stored(plan.settings)) for plan in plans]
            for partition, plans in self._plans.items()
        }
        state = AppState(
            authenticator=authenticator,
            batcher=batcher,
            client=self._clients.requests,
            maintenance_client=self._clients.maintenance,
            retention=Retention(**settings.lives_s),
            new_id=_new_ids().__next__,
            new_feed=lambda keyspace: JournalFeed(where.clients.requests, keyspace, where.connections(keyspace)),
            ttl_default_s=settings.ttl_default_s,
            body_timeout_s=settings.body_timeout_s,
            slow_request_s=settings.slow_request_ms / 1000,
            write_timeout_s=settings.write_timeout_s,
            streams=OpenStreams(StreamLimits(**settings.streams_max), authenticator.authenticate),
            loop_share=LoopShare(settings.changes_loop_share),
            shares=key_shares(**settings.per_key_max, wait_s=settings.queue_timeout_s),
            bulk_at_once=settings.bulk_at_once,
            other_channels=settings.channels_beside,
            tracing=self._tracing,
            documents=opened_documents(settings, self._clients.maintenance, started),
            channels=settings_of(self._plans),
            sources=sources_of(self._sources),
        )
        authenticator.tell(state.streams.keys_changed)
        started.push_async_callback(state.close_feeds)
        # A limit is lifted, too, where no channel is configured any more; by one who has the channels.
        for partition in sorted(authenticator.partitions() | self._plans.keys() if is_one else self._plans):
            await limit_orders(state.partition(partition))
        if is_one:
            served = [state.partition(partition) for partition in sorted(self._plans)]
            _run_until_exit(started, warn_of_unknown(served), "rule-locations")
        return state

    async def _start_authenticator(self, store: StoreClient, started: AsyncExitStack) -> Authenticator:
        settings = self.settings
        authenticator = Authenticator(
            [
                ApiKey(
                    id=key.id,
                    sha256=key.sha256,
                    scopes=frozenset(Scope(scope) for scope in key.scopes),
                    partition=key.partition,
                    name=key.name,
                )
                for key in self._file.keys
            ],
            ApiKeyStore(store),
            open_to_loopback=settings.loopback_only,
        )
        await authenticator.refresh()
        if not settings.loopback_only and not authenticator.any_key:
            raise ConfigError(
                f"There is no API key yet, so Holdfast serves this machine only, not {settings.host}. Make a key with"
                " `holdfast keys new --scope admin` (it works while the server is stopped), then start again."
            )
        _run_until_exit(started, authenticator.run(), "api-keys")
        return authenticator

    async def _start_http(self, started: AsyncExitStack) -> None:
        settings = self.settings
        routes: list[Route] = [] if settings.role == "publisher" else ROUTES
        page = MetricsPage(multiprocess=self._worker is not None)
        if settings.metrics_port:
            if settings.metrics_port == settings.port:
                raise ConfigError("HOLDFAST_METRICS_PORT must be another port than HOLDFAST_PORT; 0 gives it none.")
            app = metrics_route.application(page, for_this_machine=is_loopback(settings.metrics_host))
            serving = self._serving(started, app)
            await self._listen(serving, settings.metrics_host, settings.metrics_port)
        plans = self._plans if routes and self.state.documents is not None else {}
        heard = hearings(plans, self._clients.maintenance, self._wake_intake, loopback_only=settings.loopback_only)
        app = build(self.state, routes, page=None if settings.metrics_port else page, listener=heard)
        made = express_lane.connections(self.state, routes, wanted=settings.express_lane)
        self._api = self._serving(started, app, self.state, made)
        self.port = await self._listen(self._api, settings.host, settings.port)

    def _serving(
        self,
        started: AsyncExitStack,
        app: web.Application,
        state: AppState | None = None,
        connection: Callable[..., Connection] = Connection,
    ) -> Serving:
        """Make what serves an application; it is stopped at the end."""
        settings = self.settings
        serving = Serving(
            app,
            connections_max=connections_allowed(settings.connections_max),
            per_address_max=settings.connections_per_address_max,
            first_request_s=settings.first_request_timeout_s,
            keepalive_timeout_s=settings.keepalive_timeout_s,
            write_timeout_s=settings.write_timeout_s,
            unread_bytes_max=settings.unread_bytes_max,
            state=state,
            connection=connection,
        )

        async def stop() -> None:
            await serving.stop(within_s=self._left.seconds(_LAST_S))

        started.push_async_callback(stop)
        return serving

    async def _listen(self, serving: Serving, host: str, port: int) -> int:
        try:
            return await serving.start(host, port, shares_port=self._worker is not None)
        except CannotListenError as error:
            option = "--port" if port == self.settings.port else "HOLDFAST_METRICS_PORT"
            raise ConfigError(f"{error} Choose another with {option}.") from None

    async def _start_housekeeping(self, started: AsyncExitStack) -> None:
        settings = self.settings
        _run_until_exit(started, watch_event_loop(), "event-loop-lag")
        _run_until_exit(started, hand_over_regularly(), "metrics")
        self._watch_store(started)
        if settings.role == "api" or self._worker not in (None, 0):
            return
        store, limits = self._clients.maintenance, self.state.retention.packed()
        housekeeper = Housekeeper(
            store,
            self.state.authenticator.partitions,
            self.state.retention,
            sweep_interval_s=settings.sweep_interval_s,
            audit_interval_s=settings.audit_interval_s,
            journal_retention_s=settings.journal_retention_s,
            lowest_cursor=lambda partition: lowest_follower(store, Keyspace(partition)),
            finish_renames=lambda keyspace: finish_renames(store, keyspace, limits),
            settle_locations=lambda keyspace: LocationStore(store, keyspace, limits).settle(),
            unsettled=partial(unsettled, store),
            nodes=self._nodes,
        )
        _run_until_exit(started, housekeeper.run(), "housekeeping")
        if self.state.documents is not None:
            upkeep = order_upkeep(settings, self.state.documents, store, self.state.authenticator.partitions)
            _run_until_exit(started, upkeep.run(), "order-documents")
        if settings.figures_interval_s > 0:
            insight = Insight(
                store,
                self.state.feed,
                self.state.authenticator.partitions,
                interval_s=settings.figures_interval_s,
                retention_s=settings.figures_retention_s,
                limits=limits,
                activity=housekeeper.activity,
            )
            _run_until_exit(started, insight.run(), "insight")

    def _watch_store(self, started: AsyncExitStack) -> None:
        """Report the state of the store; of several workers on one port the first one does."""
        if self._worker in (None, 0):
            watch = StoreWatch(
                self._clients.maintenance,
                self.settings.durability,
                hides_settings=not self.settings.store_check,
                is_here=self.store_url.startswith("unix:"),
                nodes=self._nodes,
                with_channels=sorted(self._plans | self._sources),
            )
            _run_until_exit(started, watch.run(), "store-watch")

    @property
    def _publishes(self) -> bool:
        """Whether this process publishes to the channels; several workers have another one for it."""
        return self.settings.role == "publisher" or (self.settings.role == "all" and self._worker is None)

    def _start_publishers(self, started: AsyncExitStack) -> None:
        """Follow each partition that has channels or endpoints; the process that holds its lease publishes to them."""
        if not self._publishes:
            return
        if self._tracing is not None:
            partitions = {plan.settings.name: name for name, plans in self._plans.items() for plan in plans}
            follower = Follower(self._clients.publisher, self._tracing, partitions)
            _run_until_exit(started, follower.run(), "traces")
        for partition in self._plans | self._webhooks | self._sources:
            feed = self.state.feed(partition)
            feed.start()
            keyspace, limits = Keyspace(partition), self.state.retention.packed()
            plans = self._plans.get(partition, [])
            takes_orders = [plan.settings.name for plan in plans if plan.settings.orders.enabled]
            publisher = Publisher(
                self._clients.publisher,
                keyspace,
                feed,
                plans,
                webhooks=self._webhooks.get(partition, []),
                lease_s=self.settings.publisher_lease_s,
                settle=LocationStore(self._clients.publisher, keyspace, limits).settle,
                orders=intake_parts(partition, self.state.partition(partition), takes_orders),
                sealer=self._sealer,
                sources=self._sources.get(partition, []),
                source_desk=ServiceSourceDesk(partition, self.state.partition(partition)),
            )
            self.publishers.append(publisher)
            _run_until_exit(started, publisher.run(), f"publisher-{partition}")

    def _wake_intake(self, channel: str) -> None:
        for publisher in self.publishers:
            publisher.wake_intake(channel)


def build(
    state: AppState, routes: list[Route] = ROUTES, *, page: MetricsPage | None, listener: Listener | None = None
) -> web.Application:
    """Build the HTTP application, without /metrics where ``page`` is None. Needs a running event loop."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise ConfigError("aiohttp was installed without its C extensions, whose absence has led to request smuggling.")
    app = web.Application()
    add_routes(app, state, routes)
    add_system_routes(app, state, routes, page=page, version=server.__version__)
    if listener is not None:
        add_notifications(app, state, listener)
    add_fallback(app, state)
    return app


def _new_ids() -> Iterator[str]:
    """Yield reservation ids: unique by a random part for the process, short and cheap by a counter."""
    prefix = secrets.token_hex(6)
    return (f"r{prefix}{number:x}" for number in itertools.count(1))


def _run_until_exit(started: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
    task = asyncio.create_task(work, name=name)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    started.push_async_callback(stop)
