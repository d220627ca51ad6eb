"""One serving process: build, start, drain, in that order."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

import structlog
from aiohttp import http_parser, web

import server
from server.access_parts import configured_keys
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
from server.api.http.tls import Tls
from server.api.routes import ROUTES
from server.config.file_limit import connections_allowed
from server.config.settings import ConfigError, Settings, is_loopback
from server.configuration import as_stored_now, read_configuration
from server.maintenance_parts import JournalReaders
from server.order_parts import opened_documents
from server.plans import settings_of, sources_of
from server.publishing_parts import Publishing
from server.reloading import Reloading
from server.service.caller import new_ids
from server.service.mirrors import settle_locations
from server.service.old_names import heeded
from server.service.rule_locations import warn_of_unknown
from server.store.connection import commands
from server.store.connection.connect import StoreClient
from server.store.embedded import EmbeddedStore, ProgramChoice
from server.store.journal.feed import JournalFeed
from server.store.ledger.batcher import close_quietly
from server.store.ledger.ledger import Retention
from server.store.lua_library import library
from server.store.maintenance.health_watch import StoreWatch
from server.store.maintenance.housekeeping import Housekeeper, watch_event_loop
from server.store.repositories.api_keys import ApiKeyStore
from server.store.repositories.console_sessions import ConsoleSessions
from server.store.repositories.locations import LocationStore, unsettled
from server.store.repositories.renames import finish_renames
from server.store.repositories.restored import refuse_half_restored
from server.store.topology import deployment
from server.streams.loop_share import LoopShare
from server.streams.open_streams import OpenStreams, StreamLimits
from server.telemetry import access_log, logs
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

    async def start(self) -> None:
        """Start all parts, each after those it rests on; what was started is stopped again if a later one fails."""
        async with AsyncExitStack() as started:
            # First of all: what cannot be built as it is configured is reported before anything has started.
            self._configured = read_configuration(self.settings, publishes=self._publishes)
            logs.configure(
                self._configured.file.settings.log_level or self.settings.log_level, self.settings.log_format
            )
            self._tracing = self._start_tracing(started)
            self.store_url = await self._start_store(started)
            self.state = await self._start_state(started)
            self._publishing = Publishing(self.settings, self._clients.publisher, self.state, self._tracing)
            self._reloading = Reloading(self.settings, self.state, self._publishing, publishes=self._publishes)
            self._reloading.hear(self._configured)
            await self._start_http(started)
            await self._start_housekeeping(started)
            if self._publishes:
                started.push_async_callback(self._publishing.stop)
                await self._publishing.follow(self._configured)
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
            self._publishing.finish(within_s),
        )
        await self._exit.aclose()

    async def reload(self) -> bool:
        """Take the configuration file over anew; False: something is wrong with it, and nothing has changed."""
        return await self._reloading.reload()

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
        await refuse_half_restored(self._clients.maintenance)
        await commands.load(self._clients.maintenance, library())
        authenticator = await self._start_authenticator(self._clients.maintenance, started)
        batcher = where.batcher(**settings.batcher_bounds)
        batcher.start()

        async def close() -> None:
            await close_quietly(batcher, self._left.seconds(_LAST_S))

        started.push_async_callback(close)
        is_one = settings.role != "api" and self._worker in (None, 0)
        names = await heeded(self._clients.maintenance, authenticator.partitions, looks=is_one)
        _run_until_exit(started, names, "old-names")
        self._configured = configured = as_stored_now(self._configured)
        state = AppState(
            authenticator=authenticator,
            batcher=batcher,
            client=self._clients.requests,
            maintenance_client=self._clients.maintenance,
            retention=Retention(**settings.lives_s),
            new_id=new_ids().__next__,
            new_feed=lambda keyspace: JournalFeed(where.clients.requests, keyspace, where.connections(keyspace)),
            ttl_default_s=settings.ttl_default_s,
            body_timeout_s=settings.body_timeout_s,
            slow_request_s=settings.slow_request_ms / 1000,
            write_timeout_s=settings.write_timeout_s,
            streams=OpenStreams(StreamLimits(**settings.streams_max), authenticator.who),
            loop_share=LoopShare(settings.changes_loop_share),
            shares=key_shares(**settings.per_key_max, wait_s=settings.queue_timeout_s),
            copied_places_max=settings.copied_places_max,
            bulk_at_once=settings.bulk_at_once,
            other_channels=settings.channels_beside,
            tracing=self._tracing,
            documents=opened_documents(settings, self._clients.maintenance, started),
            access_log=access_log.opened(settings.access_log, settings.access_log_every, started),
            channels=settings_of(configured.channels),
            sources=sources_of(configured.sources),
            cors=configured.cors,
            browser_tokens=configured.browser_tokens,
            sessions=ConsoleSessions(self._clients.maintenance, **settings.console_lives_s),
        )
        authenticator.tell(state.streams.keys_changed)
        started.push_async_callback(state.close_feeds)
        # A limit is lifted, too, where no channel is configured any more; by one who has the channels.
        partitions = configured.channels.keys()
        for partition in sorted(authenticator.partitions() | partitions if is_one else partitions):
            await settle_locations(state.partition(partition))
        if is_one:
            _run_until_exit(started, warn_of_unknown(map(state.partition, sorted(partitions))), "rule-locations")
        return state

    async def _start_authenticator(self, store: StoreClient, started: AsyncExitStack) -> Authenticator:
        settings = self.settings
        authenticator = Authenticator(
            configured_keys(self._configured.file.keys),
            ApiKeyStore(store),
            open_to_loopback=settings.loopback_only,
            tokens=self._configured.browser_tokens,
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
            app = metrics_route.application(page, for_this_machine=is_loopback(settings.metrics_host))
            serving = self._serving(started, app)
            await self._listen(serving, settings.metrics_host, settings.metrics_port)
        heard = self._reloading.heard
        app = build(self.state, routes, page=None if settings.metrics_port else page, listener=heard)
        made = express_lane.connections(self.state, routes, wanted=settings.express_lane)
        self._api = self._serving(started, app, self.state, made, self._reloading.tls)
        self.port = await self._listen(self._api, settings.host, settings.port)

    def _serving(
        self,
        started: AsyncExitStack,
        app: web.Application,
        state: AppState | None = None,
        connection: Callable[..., Connection] = Connection,
        tls: Tls | None = None,
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
            tls=tls,
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
        partitions = self.state.authenticator.partitions
        readers = JournalReaders(
            settings,
            store,
            self.state.documents,
            self.state.feed,
            partitions,
            channels=lambda partition: self.state.channels.get(partition, ()),
        )
        housekeeper = Housekeeper(
            store,
            partitions,
            self.state.retention,
            sweep_interval_s=settings.sweep_interval_s,
            audit_interval_s=settings.audit_interval_s,
            journal_retention_s=settings.journal_retention_s,
            lowest_cursor=readers.lowest_cursor,
            finish_renames=lambda keyspace: finish_renames(store, keyspace, limits),
            settle_locations=lambda keyspace: LocationStore(store, keyspace, limits).settle(),
            unsettled=partial(unsettled, store),
            nodes=self._nodes,
        )
        _run_until_exit(started, housekeeper.run(), "housekeeping")
        for name, work in readers.tasks(limits, housekeeper.activity):
            _run_until_exit(started, work, name)

    def _watch_store(self, started: AsyncExitStack) -> None:
        """Report the state of the store; of several workers on one port the first one does."""
        if self._worker in (None, 0):
            watch = StoreWatch(
                self._clients.maintenance,
                self.settings.durability,
                hides_settings=not self.settings.store_check,
                is_here=self.store_url.startswith("unix:"),
                nodes=self._nodes,
                with_channels=lambda: {*self.state.channels, *self.state.sources},
            )
            _run_until_exit(started, watch.run(), "store-watch")

    @property
    def _publishes(self) -> bool:
        """Whether this process publishes to the channels; several workers have another one for it."""
        return self.settings.role == "publisher" or (self.settings.role == "all" and self._worker is None)


def build(
    state: AppState, routes: list[Route] = ROUTES, *, page: MetricsPage | None, listener: Listener | None = None
) -> web.Application:
    """Build the HTTP application, without /metrics where ``page`` is None. Needs a running event loop."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise ConfigError("aiohttp was installed without its C extensions, whose absence has led to request smuggling.")
    app = web.Application()
    if state.cors is not None:
        state.cors.add_to(app)
    add_routes(app, state, routes)
    add_system_routes(app, state, routes, page=page, version=server.__version__)
    if listener is not None:
        add_notifications(app, state, listener)
    add_fallback(app, state)
    return app


def _run_until_exit(started: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
    task = asyncio.create_task(work, name=name)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    started.push_async_callback(stop)
