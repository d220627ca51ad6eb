"""The parts of a process that follow the journal beside its maintenance: figures, and what the documents keep of it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

import msgspec
import structlog

from server.config.settings import Settings
from server.domain.channels import ChannelSettings
from server.domain.sources import SourceSettings
from server.insight.daily_figures import Insight
from server.insight.find_index import FindIndex
from server.insight.find_upkeep import FindUpkeep
from server.insight.followers import Followers
from server.insight.history import HistoryConsumer, HistoryUpkeep
from server.insight.journal_followers import Consumer
from server.insight.pace import Pace
from server.insight.trim_floor import Lowest, TrimFloor, lowest_of
from server.order_parts import order_upkeep
from server.store.connection.connect import StoreClient
from server.store.documents.documents import Documents
from server.store.errors import StoreError
from server.store.journal.feed import JournalFeed
from server.store.keys import Keyspace
from server.store.maintenance.activity import Activity
from server.store.repositories.configuration import note_configuration
from server.store.repositories.daily_figures import lowest_follower

log = structlog.get_logger("holdfast")

_AGAIN_S: Final = 5.0
"""After a failure."""

Task = tuple[str, Coroutine[Any, Any, None]]


class JournalReaders:
    """All that reads the journals beside the publisher, in the one process that runs maintenance."""

    def __init__(
        self,
        settings: Settings,
        store: StoreClient,
        documents: Documents | None,
        feeds: Callable[[str], JournalFeed],
        partitions: Callable[[], Iterable[str]],
        *,
        channels: Callable[[str], Iterable[str]],
    ) -> None:
        self._settings = settings
        self._store = store
        self._documents = documents
        self._feeds = feeds
        self._partitions = partitions
        self._channels = channels
        self._followers: Followers | None = None
        self._index: FindIndex | None = None
        self._pace = Pace()
        consumers: list[Consumer] = [HistoryConsumer()] if settings.history_retention_s else []
        if documents is not None:
            self._index = FindIndex(store, documents.customer_key)
            self._followers = Followers(store, documents, feeds, partitions, [*consumers, self._index], pace=self._pace)

    @property
    def lowest_cursor(self) -> Lowest:
        """Return up to where every reader of a partition's journal has read, as far as it is kept for them."""

        async def counted(partition: str) -> str | None:
            return await lowest_follower(self._store, Keyspace(partition))

        settings = self._settings
        if self._followers is None or not settings.history_retention_s:
            return counted
        floor = TrimFloor(
            self._store,
            self._followers.read_to,
            retention_s=settings.journal_retention_s,
            memory_share=settings.history_memory_share,
        )
        return lowest_of(counted, floor.of)

    def tasks(self, limits: bytes, activity: Activity) -> list[Task]:
        """Return what is to run until the end. ``limits`` is the first argument of the scripts that change stock."""
        settings, tasks = self._settings, list[Task]()
        if self._documents is not None:
            upkeep = order_upkeep(settings, self._documents, self._store, self._partitions)
            tasks.append(("order-documents", upkeep.run()))
            if settings.history_retention_s:
                kept = HistoryUpkeep(self._documents, retention_s=settings.history_retention_s)
                tasks.append(("history-upkeep", kept.run()))
            if self._index is not None:
                found = FindUpkeep(
                    self._store, self._documents, self._index, self._partitions,
                    channels=self._channels, pace=self._pace,
                )  # fmt: skip
                tasks.append(("finding", found.run()))
        if self._followers is not None:
            tasks.append(("documents-followers", self._followers.run(activity)))
        if settings.figures_interval_s > 0:
            insight = Insight(
                self._store,
                self._feeds,
                self._partitions,
                interval_s=settings.figures_interval_s,
                retention_s=settings.figures_retention_s,
                limits=limits,
                activity=activity,
            )
            tasks.append(("insight", insight.run()))
        return tasks


async def note_all(
    store: StoreClient,
    channels: Mapping[str, Mapping[str, ChannelSettings]],
    sources: Mapping[str, Mapping[str, SourceSettings]],
) -> None:
    """Have the journals say which channels and sources are configured otherwise than at the start before."""
    for partition in sorted({*channels, *sources}):  # others may be configured at another process
        configured: dict[tuple[str, str], msgspec.Struct] = {
            ("channel", name): each for name, each in channels.get(partition, {}).items()
        }
        configured |= {("source", name): each for name, each in sources.get(partition, {}).items()}
        while True:
            try:
                await note_configuration(store, Keyspace(partition), configured)
                break
            except StoreError as error:
                log.warning("configuration_not_noted", partition=partition, reason=str(error))
                await asyncio.sleep(_AGAIN_S)
