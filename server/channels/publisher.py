"""The publisher of one partition: takes the lease, follows the journal, and has every channel told what changed."""

import asyncio
import gc
import os
import random
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from adapters.contract.adapter import Adapter
from server.channels.connection.circuit_breaker import CircuitBreaker
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.connection.http_transport import Transport
from server.channels.lease import Lease
from server.channels.outbound.channel_state import ChannelState
from server.channels.outbound.journal_reader import JournalReader
from server.channels.outbound.sender import Sender
from server.channels.outbound.stock_levels import StockLevels
from server.channels.webhooks.deliveries import Deliveries
from server.channels.webhooks.delivery import WebhookPlan
from server.channels.write_behind import FLUSH_S, WriteBehind
from server.config.toml_tables import ChannelConfigError
from server.domain.channels import ChannelSettings, rules_in_force, understood
from server.store.connection.connect import StoreClient
from server.store.errors import FencedError, StoreError, StoreUnavailableError
from server.store.journal import journal
from server.store.journal.journal import EntryId, parse_entry_id
from server.store.journal.tail import Tail
from server.store.keys import ChannelKeys, Keyspace
from server.store.repositories.channels import ChannelStore
from server.store.repositories.publisher import PublisherStore, Writes
from server.telemetry import metrics
from server.telemetry.channel_metrics import ChannelMetrics, forget_channel

log = structlog.get_logger("holdfast.publisher")

PUSHES_PER_S_MAX: Final = 1_000
"""Of all channels together: a request costs as much as some ten items in it, so many channels go in larger pieces."""
PACE_S_MIN: Final = 0.005
STATUS_S: Final = 1.0
_RETRY_S: Final = 1.0
_FAULT_REST_S: Final = 5.0
_FINISH_S: Final = 5.0


@dataclass(frozen=True)
class ChannelPlan:
    """A channel as it is configured. ``build`` makes its adapter, with the credentials as they are at that moment.

    ``mask`` takes the credentials out of a text.
    """

    settings: ChannelSettings
    build: Callable[[], Adapter]
    mask: Callable[[str], str] = str


def _open_transport(settings: ChannelSettings) -> Transport:
    return Transport(allow_private=settings.allow_private, timeout_s=settings.timeout_s)


class Publisher:
    """Acts for one partition while it holds the lease, and stands by while another does.

    Parameters
    ----------
    client
        The patient client.
    tail
        The partition's journal tail, started.
    channels
        All channels of the partition.
    webhooks
        All endpoints of the partition that are told of events.
    lease_s
        How long a publisher that died keeps others from taking over.
    open_transport
        Opens a channel's way out.
    flush_s
        How often what channels have to remember is written.

    """

    def __init__(
        self,
        client: StoreClient,
        keyspace: Keyspace,
        tail: Tail,
        channels: Sequence[ChannelPlan],
        *,
        webhooks: Sequence[WebhookPlan] = (),
        lease_s: float,
        clock: Clock | None = None,
        open_transport: Callable[[ChannelSettings], Transport] = _open_transport,
        flush_s: float = FLUSH_S,
    ) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.channels: list[Sender] = []
        self.acting = False
        self._client = client
        self._keyspace = keyspace
        self._tail = tail
        self._configured = channels
        self._clock = clock or Clock()
        self._open_transport = open_transport
        self._flush_s = flush_s
        self._store = PublisherStore(client, keyspace)
        self._lease = Lease(self._store, self.owner, lease_s, self._clock)
        self._endpoints = Deliveries(client, keyspace, webhooks, clock=self._clock, held=self._lease.held)
        self._records: WriteBehind | None = None
        self._transports: list[Transport] = []

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._lease.acquire()
            try:
                await self._act()
            except* FencedError as errors:
                log.warning("publisher_fenced", partition=self._keyspace.partition, reason=_first(errors))
                await self._report_flights()
            except* StoreError as errors:
                log.warning("publisher_interrupted", partition=self._keyspace.partition, reason=_first(errors))
                await asyncio.sleep(_RETRY_S)
            except* Exception:
                log.exception("publisher_failed", partition=self._keyspace.partition)
                await asyncio.sleep(_FAULT_REST_S)
            finally:
                await self._stop_acting()

    async def finish(self) -> None:
        """Let what is on its way be answered, write all down, and give the lease back. Then cancel :meth:`run`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_S):
                await asyncio.gather(self._endpoints.finish(), *(channel.finish() for channel in self.channels))
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_FINISH_S):
                if self._records is not None:
                    await self._records.flush()
                if self.acting:
                    await self._lease.give()

    # -- acting

    async def _act(self) -> None:
        """Load what is known, then follow the journal for ever. Ends by an exception only."""
        log.info("publisher_acts", partition=self._keyspace.partition, owner=self.owner, term=self._lease.token)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lease.keep())
            reader, records = await self._load()
            await self._endpoints.open(records, self._lease.token)
            gc.freeze()  # what was loaded lives as long as we act
            self.acting = True
            metrics.PUBLISHER_ACTIVE.inc()
            group.create_task(reader.run())
            group.create_task(records.flush_regularly(self._flush_s))
            group.create_task(self._tell_status())
            for channel in self.channels:
                group.create_task(_keep_running(channel), name=f"channel-{channel.name}")
            self._endpoints.start(group)

    async def _load(self) -> tuple[JournalReader, WriteBehind]:
        end = await journal.bounds(self._client, self._keyspace)
        cursors = await self._store.cursors()
        await self._forget_removed(cursors)
        known = {each.settings.name: cursors.get(each.settings.name) for each in self._configured}
        # A channel that never was told anything, or whose place in the journal is gone, is told everything.
        kept = {name: cursor for name, cursor in known.items() if cursor is not None and not end.is_lost(cursor)}
        records = WriteBehind(self._store, self._lease.token, self._cursors, cursors)
        levels = StockLevels()
        kept_by_all = ChannelStore(self._client, self._keyspace)
        given, statuses = await kept_by_all.given_rules(), await kept_by_all.statuses()
        for each in self._configured:
            name = each.settings.name
            channel = await self._load_channel(each, records, levels, given.get(name, {}))
            if channel is not None:
                if name in statuses:
                    channel.remember(statuses[name])
                self.channels.append(channel)
        async for level in self._store.levels():
            levels.update(*level)
        last_id = parse_entry_id(end.last_id)
        for channel in self.channels:
            cursor = kept.get(channel.name)
            channel.position = last_id if cursor is None else parse_entry_id(cursor)
            if cursor is None:
                await self._forget_shown(channel)
            await channel.book.changed_all(channel.position)
        self._records = records
        reader = JournalReader(
            self._store,
            self._tail,
            levels,
            channels={channel.name: channel for channel in self.channels},
            configured={each.settings.name: each.settings.rules for each in self._configured},
            taken_over_at=last_id,
        )
        return reader, records

    async def _load_channel(
        self, configured: ChannelPlan, records: WriteBehind, levels: StockLevels, given: Mapping[str, Any]
    ) -> Sender | None:
        settings, name = configured.settings, configured.settings.name
        line = self._line(configured)
        if line is None:
            return None
        channel_metrics, channel_records = ChannelMetrics(name), records.channel(name)
        book = ChannelState(
            name,
            rules_in_force(settings.rules, understood(given)),
            lists_all=settings.listings == "all",
            capabilities=line.capabilities,
            levels=levels,
            records=channel_records,
            clock=self._clock,
            metrics=channel_metrics,
        )
        async for sku, shown in self._store.shown(name):
            book.shown[sku] = shown
        async for letter in self._store.dead_letters(name):
            book.dead_letters[letter.sku] = letter
        listings = [listing async for listing in self._store.listings(name)]
        # Those that found their key taken come last: it stays with whom it was.
        for listing in sorted(listings, key=lambda each: each.sku in book.dead_letters):
            book.take_in(listing)
        async for ticket in self._store.tickets(name):
            book.tickets[ticket.id] = ticket
        return Sender(
            book,
            line,
            records=channel_records,
            clock=self._clock,
            metrics=channel_metrics,
            pace_s=max(PACE_S_MIN, len(self._configured) / PUSHES_PER_S_MAX),
        )

    def _line(self, configured: ChannelPlan) -> ChannelClient | None:
        settings = configured.settings
        transport = self._open_transport(settings)
        self._transports.append(transport)
        try:
            return ChannelClient(
                settings.name,
                configured.build,
                transport,
                clock=self._clock,
                mask=configured.mask,
                health=CircuitBreaker(random=random.random),
                held=self._lease.held,
            )
        except ChannelConfigError as error:
            # It could be built when the server started: a file of credentials went away. The others go on.
            log.error("channel_not_built", channel=settings.name, reason=str(error), advice="mend it and restart")  # noqa: TRY400  # the reason says it all
            return None

    async def _forget_shown(self, channel: Sender) -> None:
        """Begin with a channel of which nobody knows what it shows: all is told, however often that is interrupted."""
        log.info("channel_told_everything", channel=channel.name, listings=len(channel.book.listings))
        channel.book.shown.clear()
        writes = Writes()
        writes.dropped.append(ChannelKeys(self._keyspace, channel.name).shown)
        await self._store.record(self._lease.token, writes)

    def _cursors(self) -> dict[str, EntryId]:
        return {channel.name: channel.cursor() for channel in self.channels}

    async def _forget_removed(self, cursors: Mapping[str, str]) -> None:
        """Forget what channels confirmed that are configured no more: their cursors would keep the journal for ever."""
        removed = cursors.keys() - {each.settings.name for each in self._configured}
        for name in sorted(removed):
            writes = Writes()
            keys = ChannelKeys(self._keyspace, name)
            writes.dropped += [keys.shown, keys.dead_letters, keys.tickets]
            writes.set(self._keyspace.channel_status, name, None)
            writes.set(self._keyspace.channel_cursors, name, None)
            await self._store.record(self._lease.token, writes)
            log.warning("channel_removed", channel=name, advice="if it returns to the configuration, it is told all")

    async def _tell_status(self) -> None:
        while True:
            for channel in self.channels:
                channel.status(self.owner, journal_end_ms=parse_entry_id(self._tail.last_id)[0])
            await asyncio.sleep(STATUS_S)

    async def _report_flights(self) -> None:
        """Have the one who publishes now send anew what we had on its way: it may take effect after theirs."""
        wishes = ChannelStore(self._client, self._keyspace)
        for channel in self.channels:
            skus = list(channel.book.marks.flying)
            if skus:
                with suppress(StoreUnavailableError):
                    await wishes.ask(channel.name, "channel_resend", skus, "system")

    async def _stop_acting(self) -> None:
        if self.acting:
            self.acting = False
            metrics.PUBLISHER_ACTIVE.dec()
        for channel in self.channels:
            forget_channel(channel.name)
        for transport in self._transports:
            await transport.close()
        self._transports.clear()
        await self._endpoints.close()
        self.channels = []
        self._records = None


async def _keep_running(channel: Sender) -> None:
    """Run a channel for ever: a fault in one is logged, and no other suffers for it."""
    while True:
        try:
            await channel.run()
        except* FencedError:
            raise
        except* Exception:
            log.exception("channel_failed", channel=channel.name)
            channel.line.fail("a fault of Holdfast's own; see the log")
        await asyncio.sleep(_FAULT_REST_S)


def _first(errors: BaseExceptionGroup) -> str:
    """Tell the reason of a group: the first exception in it, however deep."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
