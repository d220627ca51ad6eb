"""The publisher of one partition: acquires the lease, follows the journal, and publishes changes to every channel."""

import asyncio
import gc
import os
import random
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from server.channels.channel_plan import ChannelPlan
from server.channels.connection.circuit_breaker import CircuitBreaker
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.connection.http_transport import Transport
from server.channels.full_collections import full_collections
from server.channels.inbound.intakes import IntakeParts, Intakes
from server.channels.inbound.mirrors import MirrorParts, Mirrors
from server.channels.lease import Lease
from server.channels.outbound.catalogue import Catalogue
from server.channels.outbound.channel_state import ChannelState, SavedState
from server.channels.outbound.dead_letters import DeadLetters
from server.channels.outbound.journal_reader import JournalReader
from server.channels.outbound.open_tickets import OpenTickets
from server.channels.outbound.sender import Sender
from server.channels.outbound.stock_levels import StockLevels
from server.channels.removed import forget_removed
from server.channels.running import FAULT_PAUSE_S, apart, first_reason, keep_running, raise_if_cancelled
from server.channels.sources.desk import SourceDesk
from server.channels.sources.sources import SourcePlan, Sources
from server.channels.tokens.keepers import Keepers
from server.channels.webhooks.deliveries import Deliveries
from server.channels.webhooks.delivery import WebhookPlan
from server.channels.write_behind import FLUSH_S, ChannelWriteBehind, WriteBehind
from server.config.toml_tables import ChannelConfigError
from server.domain.channels import ChannelRules, ChannelSettings, ChannelStatus, rules_in_force, understood
from server.store.connection.connect import StoreClient
from server.store.errors import FencedError, StoreError, StoreUnavailableError
from server.store.journal import journal
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import EntryId, format_entry_id, parse_entry_id
from server.store.keys import ChannelKeys, Keyspace
from server.store.repositories.channels import ChannelStore
from server.store.repositories.location_names import read_location_names
from server.store.repositories.locations import read_closed
from server.store.repositories.publisher import PublisherStore, Writes
from server.store.repositories.sealing import Sealer
from server.telemetry import metrics
from server.telemetry.channel_metrics import ChannelMetrics, forget_channel

log = structlog.get_logger("holdfast.publisher")

PUSHES_PER_S_MAX: Final = 1_000
"""Of all channels together: a request costs as much as some ten items in it, so many channels push larger batches."""
PACE_S_MIN: Final = 0.005
"""With few channels: 5 ms gather what changes together, and are half of what a change may take to a channel."""
STATUS_S: Final = 1.0
"""A publisher whose status is five seconds old counts as missing; some writes may fail before that."""
SETTLE_S: Final = 1.0
_RETRY_S: Final = 1.0
"""Pause after the store was away, so that it is not met by a burst when it comes back."""
_FINISH_S: Final = 5.0
"""How long an orderly stop takes at most, well below the 30 s after which supervisors kill."""
_LAST_WRITE_S: Final = 1.0
"""Of that, what is kept for writing the results and releasing the lease."""


def _open_transport(settings: ChannelSettings) -> Transport:
    return Transport(allow_private=settings.allow_private, timeout_s=settings.timeout_s)


class Publisher:
    """Acts for one partition while it holds the lease, and stands by while another does.

    Parameters
    ----------
    client
        The patient client.
    feed
        The partition's journal feed, started.
    channels
        All channels of the partition.
    webhooks
        All endpoints of the partition that events are delivered to.
    lease_s
        How many seconds a publisher that died keeps others from taking over.
    open_transport
        Opens a channel's HTTP transport.
    flush_s
        How many seconds apart what channels store is written.
    settle
        Has the scripts know which locations are closed, where an older release has registered them.
    orders
        Where the orders of channels are booked and written down; None: none come in.
    sealer
        Encrypts credentials that change; None: there is no key for it.
    sources, source_desk
        All sources of the partition, and where what they say is counted.
    mirrors
        Where it is counted what channels hold themselves; None: it is not.

    """

    def __init__(
        self,
        client: StoreClient,
        keyspace: Keyspace,
        feed: JournalFeed,
        channels: Sequence[ChannelPlan],
        *,
        webhooks: Sequence[WebhookPlan] = (),
        lease_s: float,
        clock: Clock | None = None,
        open_transport: Callable[[ChannelSettings], Transport] = _open_transport,
        flush_s: float = FLUSH_S,
        settle: Callable[[], Awaitable[None]] | None = None,
        orders: IntakeParts | None = None,
        sealer: Sealer | None = None,
        sources: Sequence[SourcePlan] = (),
        source_desk: SourceDesk | None = None,
        mirrors: MirrorParts | None = None,
    ) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.channels: list[Sender] = []
        self.acting = False
        self._client = client
        self._keyspace = keyspace
        self._feed = feed
        self._configured = channels
        self._clock = clock or Clock()
        self._open_transport = open_transport
        self._flush_s = flush_s
        self._settle = settle
        self._store = PublisherStore(client, keyspace)
        self._lease = Lease(self._store, self.owner, lease_s, self._clock)
        self._endpoints = Deliveries(client, keyspace, webhooks, clock=self._clock, held=self._lease.held)
        self._keepers = Keepers(self._store, sealer, self._clock, self._lease.held)
        settings = {each.settings.name: each.settings for each in channels}
        self._intakes = Intakes(self._store, feed, settings, parts=orders, clock=self._clock)
        self._sources = Sources(
            self._store, feed, sources,
            desk=source_desk, owner=self.owner, clock=self._clock, held=self._lease.held,
        )  # fmt: skip
        self._mirrors = Mirrors(settings, parts=mirrors, clock=self._clock)
        self._write_behind: WriteBehind | None = None
        self._transports: list[Transport] = []
        self._not_built: dict[str, str] = {}

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            pause_s = 0.0
            await self._lease.acquire()
            try:
                await apart(self._act)
            except* FencedError as errors:
                log.warning("publisher_fenced", partition=self._keyspace.partition, reason=first_reason(errors))
                await self._report_in_flight()
            except* StoreError as errors:
                log.warning("publisher_interrupted", partition=self._keyspace.partition, reason=first_reason(errors))
                pause_s = _RETRY_S
            except* Exception:
                log.exception("publisher_failed", partition=self._keyspace.partition)
                pause_s = FAULT_PAUSE_S
            finally:
                await self._stop_acting()
            raise_if_cancelled()
            await asyncio.sleep(pause_s)

    async def finish(self, within_s: float = _FINISH_S) -> None:
        """Wait for what is in flight, write everything, and release the lease. Then cancel :meth:`run`."""
        within_s = min(within_s, _FINISH_S)
        end_s = asyncio.get_running_loop().time() + within_s
        with suppress(TimeoutError):
            async with asyncio.timeout_at(end_s - min(_LAST_WRITE_S, within_s / 2)):
                fed = (self._intakes.finish(), self._mirrors.finish(), self._sources.finish())
                apart = (self._endpoints.finish(), *fed)
                await asyncio.gather(*apart, *(channel.finish() for channel in self.channels))
                await self._keepers.finish()
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout_at(end_s):
                if self._write_behind is not None:
                    await self._write_behind.flush()
                if self.acting:
                    await self._lease.release()

    def wake_intake(self, channel: str) -> None:
        """Have a channel's news taken in at once, if its orders are taken in here."""
        intake = self._intakes.get(channel)
        if intake is not None:
            intake.wake_news()

    # -- acting

    async def _act(self) -> None:
        """Load what is known, then follow the journal for ever. Ends by an exception only."""
        log.info("publisher_acts", partition=self._keyspace.partition, owner=self.owner, term=self._lease.token)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lease.keep())
            with full_collections.put_off():
                reader, write_behind = await self._load()
                await self._endpoints.open(write_behind, self._lease.token)
                await self._intakes.open(self.channels, self._lease.token)
                await self._sources.open(self._lease.token)
                self._mirrors.open(self.channels, await ChannelStore(self._client, self._keyspace).statuses())
                gc.freeze()  # what was loaded lives as long as we act
            self.acting = True
            metrics.PUBLISHER_ACTIVE.inc()
            group.create_task(reader.run())
            group.create_task(write_behind.flush_regularly(self._flush_s))
            group.create_task(self._write_status_regularly())
            group.create_task(self._settle_regularly())
            for channel in self.channels:
                group.create_task(
                    keep_running(channel.name, channel.run, channel.fault), name=f"channel-{channel.name}"
                )
            self._keepers.start(group)
            self._endpoints.start(group)
            self._intakes.start(group)
            self._sources.start(group)
            self._mirrors.start(group)

    async def _load(self) -> tuple[JournalReader, WriteBehind]:
        cursors = await self._store.cursors()  # before the journal's end, which may have moved on behind them
        end = await journal.bounds(self._client, self._keyspace)
        for name in sorted(name for name, cursor in cursors.items() if end.is_beyond(cursor)):
            log.warning("channel_went_back", channel=name, cursor=cursors[name], end=end.last_id)
        await forget_removed(self._store, self._lease.token, cursors, {each.settings.name for each in self._configured})
        # A channel that was never published to, or whose place in the journal is gone, is sent everything.
        kept = {name: parse_entry_id(cursor) for name, cursor in cursors.items() if not end.is_lost(cursor)}
        write_behind = WriteBehind(self._store, self._lease.token, self._cursors, cursors)
        stock_levels, last_id = StockLevels(), parse_entry_id(end.last_id)
        stock_levels.versions_from = await self._store.versions_from()
        await self._load_channels(write_behind, stock_levels)
        # After the journal's end was read: what is closed later stands in an entry that is still to be read.
        stock_levels.closed = await read_closed(self._client, self._keyspace)
        stock_levels.names = await read_location_names(self._client, self._keyspace)
        async for level in self._store.levels():
            stock_levels.update(*level)
        for channel in self.channels:
            channel.position = kept.get(channel.name, last_id)
            await channel.state.settle_loaded()
            if channel.name not in kept:
                await self._forget_shown(channel)
            await channel.state.changed_all(channel.position)
        self._write_behind = write_behind
        reader = JournalReader(
            self._store,
            self._feed,
            stock_levels,
            channels={channel.name: channel for channel in self.channels},
            configured={each.settings.name: each.settings.rules for each in self._configured},
            taken_over_at=last_id,
        )
        return reader, write_behind

    async def _load_channels(self, write_behind: WriteBehind, stock_levels: StockLevels) -> None:
        stored = ChannelStore(self._client, self._keyspace)
        given, statuses = await stored.given_rules(), await stored.statuses()
        for each in self._configured:
            name = each.settings.name
            rules = rules_in_force(each.settings.rules, understood(given.get(name, {})))
            channel = await self._load_channel(each, rules, write_behind.channel(name), stock_levels)
            if channel is not None:
                if name in statuses:
                    channel.resume_status(statuses[name])
                self.channels.append(channel)

    async def _load_channel(
        self, plan: ChannelPlan, rules: ChannelRules, write_behind: ChannelWriteBehind, stock_levels: StockLevels
    ) -> Sender | None:
        client = await self._open_client(plan)
        if client is None:
            return None
        name, metrics = plan.settings.name, ChannelMetrics(plan.settings.name)
        catalogue = Catalogue(
            rules,
            lists_all=plan.settings.listings == "all",
            capabilities=client.capabilities,
            stock_levels=stock_levels,
            dead_letters=DeadLetters(write_behind),
            write_behind=write_behind,
        )
        state = ChannelState(
            catalogue, capabilities=client.capabilities, write_behind=write_behind, clock=self._clock, metrics=metrics
        )
        await state.load(await self._saved_state(name))
        tickets = {ticket.id: ticket async for ticket in self._store.tickets(name)}
        return Sender(
            state,
            client,
            tickets=OpenTickets(write_behind, tickets),
            write_behind=write_behind,
            clock=self._clock,
            metrics=metrics,
            pace_s=max(PACE_S_MIN, len(self._configured) / PUSHES_PER_S_MAX),
        )

    async def _saved_state(self, name: str) -> SavedState:
        return SavedState(
            shown={field: shown async for field, shown in self._store.shown(name)},
            dead_letters=[letter async for letter in self._store.dead_letters(name)],
            listings=[listing async for listing in self._store.listings(name)],
        )

    async def _open_client(self, plan: ChannelPlan) -> ChannelClient | None:
        transport = self._open_transport(plan.settings)
        self._transports.append(transport)
        try:
            access = await self._keepers.open(
                plan.settings, plan.grant, transport, mask=plan.mask, token=self._lease.token
            )
            return ChannelClient(
                plan.settings.name,
                plan.build,
                transport,
                clock=self._clock,
                access=access,
                circuit_breaker=CircuitBreaker(random=random.random),
                held=self._lease.held,
            )
        except ChannelConfigError as error:
            # It could be built when the server started: a file of credentials is gone since. The others go on.
            self._not_built[plan.settings.name] = str(error)
            log.error("channel_not_built", channel=plan.settings.name, reason=str(error), advice="correct it, restart")  # noqa: TRY400  # the reason is enough
            return None

    async def _forget_shown(self, channel: Sender) -> None:
        """Begin with a channel whose values are unknown: everything is sent, however often that is interrupted."""
        left = channel.state.forget_shown()
        log.info("channel_sent_everything", channel=channel.name, listings=len(channel.state))
        writes, where = Writes(), ChannelKeys(self._keyspace, channel.name).shown
        writes.dropped.append(where)
        for shown in left:  # nobody else knows of these keys
            writes.set(where, shown.key, msgspec.msgpack.encode(shown))
        # Keys that are left from now on stand in the journal alone.
        writes.set(self._keyspace.channel_cursors, channel.name, format_entry_id(channel.position))
        await self._store.record(self._lease.token, writes)

    def _cursors(self) -> dict[str, EntryId]:
        return {channel.name: channel.cursor() for channel in self.channels}

    async def _write_status_regularly(self) -> None:
        while True:
            for channel in self.channels:
                end_ms = parse_entry_id(self._feed.last_id)[0]
                name = channel.name
                channel.write_status(self.owner, end_ms, self._intakes.status(name), self._mirrors.status(name))
            self._write_not_built()
            await asyncio.sleep(STATUS_S)

    def _write_not_built(self) -> None:
        """Have everybody see which channels cannot be published to, until a restart."""
        if self._write_behind is None:
            return
        now_ms = self._clock.store_ms()
        for name, reason in self._not_built.items():
            status = ChannelStatus(publisher=self.owner, written_ms=now_ms, circuit="halted", reason=reason)
            self._write_behind.channel(name).status(status)

    async def _settle_regularly(self) -> None:
        """The processes that serve orders may all be of an older release, or be without orders."""
        while self._settle is not None:
            with suppress(StoreUnavailableError):
                await self._settle()
            await asyncio.sleep(SETTLE_S)

    async def _report_in_flight(self) -> None:
        """Have the current publisher send again what of ours may still take effect after theirs."""
        commands = ChannelStore(self._client, self._keyspace)
        for channel in self.channels:
            with suppress(StoreUnavailableError):
                await commands.resend(channel.name, channel.state.unsure(), channel.state.names_at)

    async def _stop_acting(self) -> None:
        if self.acting:
            self.acting = False
            metrics.PUBLISHER_ACTIVE.dec()
            gc.unfreeze()  # what was loaded is garbage from now on
        for channel in self.channels:
            forget_channel(channel.name)
        await self._keepers.close()
        for transport in self._transports:
            await transport.close()
        self._transports.clear()
        self._not_built.clear()
        await self._endpoints.close()
        await self._sources.close()
        self._intakes.close()
        self._mirrors.close()
        self.channels = []
        self._write_behind = None
