"""All channels of a partition whose orders come in: where each continues, and that a fault in one affects no other."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from server.channels.connection.circuit_breaker import CircuitBreaker
from server.channels.connection.clock import Clock
from server.channels.inbound.desk import Desk
from server.channels.inbound.intake import Intake
from server.channels.inbound.let_go import Tell
from server.channels.inbound.order_records import OrderRecords
from server.channels.outbound.sender import Sender
from server.channels.running import keep_running
from server.domain.channels import ChannelSettings
from server.domain.intake import IntakeStatus
from server.store.errors import FencedError, StoreUnavailableError
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import DamagedEntryError
from server.store.repositories.channels import ChannelStore
from server.store.repositories.intake import IntakeStore, IntakeWrites, with_news
from server.store.repositories.publisher import PublisherStore
from server.telemetry.channel_metrics import IntakeMetrics, forget_intake

log = structlog.get_logger("holdfast.intake")

NEWS_S: Final = 0.05
"""How often is asked for what other processes have heard; a twentieth of what an order may take to the last channel."""
_REST_S: Final = 5.0
"""After a fault of our own, or of the store."""
_SHIPS: Final = "fulfil"
NO_DOCUMENTS: Final = (
    "no orders come in without a database for their documents: with a store of your own, set HOLDFAST_DOCUMENTS_URL"
)
_QUIET_S: Final = 5.0


@dataclass(frozen=True)
class IntakeParts:
    """What intake needs beside the channels: where orders are booked, and where they are written down."""

    desk: Desk
    records: OrderRecords


class Intakes:
    """The intakes of one partition, while its publisher acts; none without ``parts``."""

    def __init__(
        self,
        store: PublisherStore,
        feed: JournalFeed,
        settings: Mapping[str, ChannelSettings],
        *,
        parts: IntakeParts | None,
        clock: Clock,
    ) -> None:
        self._store = store
        self._feed = feed
        self._settings = settings
        self._parts = parts
        self._clock = clock
        self._wanted = {name for name, each in settings.items() if each.orders.enabled}
        self._intakes: dict[str, Intake] = {}

    async def open(self, channels: Sequence[Sender], token: int) -> None:
        """Load what is stored of each channel that is to take orders; one that cannot be opened keeps back no other."""
        parts = self._parts
        for channel in channels if parts is not None else ():
            settings, intake = self._settings[channel.name], channel.client.capabilities.intake
            if not settings.orders.enabled or intake is None or parts is None:
                continue
            subtracts = channel.client.capabilities.own_sale == "subtracts"
            store = IntakeStore(self._store.client, self._store.keyspace, channel.name)
            opened = Intake(
                settings,
                channel.client.beside(CircuitBreaker(random=random.random)),
                store=store,
                writes=IntakeWrites(self._store, token, store.keys),
                desk=parts.desk,
                records=parts.records,
                clock=self._clock,
                metrics=IntakeMetrics(channel.name),
                tell_again=self._telling(channel) if subtracts else None,
            )
            try:
                await opened.open()
            except (StoreUnavailableError, FencedError):
                raise
            except Exception:
                log.exception("intake_not_opened", channel=channel.name)
            else:
                self._intakes[channel.name] = opened
                if subtracts:
                    channel.before_scarce = opened.pull_lately

    def _telling(self, channel: Sender) -> Tell:
        """Return what has listings of a channel told again, and with them all that hold their SKUs."""
        commands = ChannelStore(self._store.client, self._store.keyspace)

        async def tell(keys: Sequence[str]) -> None:
            await commands.resend(channel.name, keys, channel.state.skus_under)

        return tell

    def start(self, group: asyncio.TaskGroup) -> None:
        """Take in the orders of each channel in tasks of its own."""
        for intake in self._intakes.values():
            running = keep_running(intake.name, intake.run, lambda: None)
            group.create_task(running, name=f"intake-{intake.name}")
        if self._intakes:
            group.create_task(self._watch_news())
            group.create_task(self._watch_parcels())

    async def finish(self) -> None:
        """Let what is on its way be answered, and begin with nothing more."""
        await asyncio.gather(*(intake.finish() for intake in self._intakes.values()))

    def close(self) -> None:
        """Forget all."""
        for name in self._intakes:
            forget_intake(name)
        self._intakes = {}

    def status(self, channel: str) -> IntakeStatus | None:
        """Return how the intake of a channel stands; None: it has none, and none is wanted."""
        intake = self._intakes.get(channel)
        if intake is not None:
            return intake.status()
        if channel in self._wanted:
            return IntakeStatus(reason=NO_DOCUMENTS if self._parts is None else "it could not be opened; see the log")
        return None

    def get(self, channel: str) -> Intake | None:
        """Return the intake of a channel; None: it has none."""
        return self._intakes.get(channel)

    async def _watch_news(self) -> None:
        """Wake the channels of which something was heard, in whatever process."""
        while True:
            try:
                waiting = dict.fromkeys(self._intakes, "0-0")
                for name in await with_news(self._store.client, self._store.keyspace, waiting):
                    self._intakes[name].wake_news()
            except StoreUnavailableError:
                await asyncio.sleep(_REST_S)
            await asyncio.sleep(NEWS_S)

    async def _watch_parcels(self) -> None:
        """Have an order read of which a person has shipped something: it may be to be said to its channel.

        What is missed here is found when open orders are read.
        """
        position = self._feed.last_id
        while True:
            try:
                async for entry_id, changes in self._feed.read(position):
                    position = entry_id
                    for change in changes:
                        intake = self._intakes.get(change.channel)
                        if intake is not None and change.operation == _SHIPS:
                            await self._shipped(intake, change.reservation_id)
            except DamagedEntryError as error:
                position = error.entry_id
            except StoreUnavailableError:
                await asyncio.sleep(_REST_S)
            except Exception:
                log.exception("parcels_not_followed")
                await asyncio.sleep(_REST_S)
            await self._feed.grown(position, _QUIET_S)

    async def _shipped(self, intake: Intake, reservation_id: str) -> None:
        parts = self._parts
        number = await parts.desk.number_of(reservation_id) if parts is not None else ""
        if number:
            intake.shipped_here(number)
