"""Follows the journals of all partitions into the documents database, one after the other, and knows how far it is."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog

from server.insight.journal_followers import PIECES_MAX, Consumer, JournalFollower
from server.insight.pace import Pace
from server.store.connection.commands import command
from server.store.connection.connect import StoreClient
from server.store.documents.documents import Documents
from server.store.errors import DocumentsError, StoreError
from server.store.journal.feed import JournalFeed
from server.store.keys import PARTITIONS
from server.store.maintenance.activity import Activity
from server.telemetry.history_gauges import HISTORY_AGE_SECONDS

log = structlog.get_logger("holdfast.insight")

INTERVAL_S: Final = 1.0
"""How often it is looked whether something has happened."""
REST_S: Final = 5.0
"""After a failure."""
LEARN_S: Final = 30.0
"""How often the names of all partitions are read, where it is known which have changed."""
CHORE: Final = "documents"


class Followers:
    """Followers of all partitions, those of the store's registry included.

    ``feeds`` gives a partition's journal feed. ``activity`` knows which have changed; None: each is asked every time.
    ``pace``: shared with what else can wait; None: their own.
    """

    def __init__(
        self,
        client: StoreClient,
        documents: Documents,
        feeds: Callable[[str], JournalFeed],
        partitions: Callable[[], Iterable[str]],
        consumers: Sequence[Consumer],
        *,
        interval_s: float = INTERVAL_S,
        pace: Pace | None = None,
    ) -> None:
        self._client = client
        self._documents = documents
        self._feeds = feeds
        self._served = partitions
        self._consumers = consumers
        self._interval_s = interval_s
        self._followers: dict[str, JournalFollower] = {}
        self._failing: set[str] = set()
        self._learned_s = -LEARN_S
        self._done_s = 0.0
        self._pace = pace or Pace()
        self._left: set[str] = set()
        self._aside: set[str] = set()
        """Partitions in which a consumer is set aside: it goes on there whether anything happens or not."""

    def read_to(self, partition: str) -> str | None:
        """Return the id up to which all is followed in a partition; None: that is not known."""
        follower = self._followers.get(partition)
        return None if follower is None else follower.read_to

    async def run(self, activity: Activity | None = None) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_age(), name="history-age")
            while True:
                if await self.follow(activity):
                    self._done_s = asyncio.get_running_loop().time()
                await asyncio.sleep(REST_S if self._failing else 0.0 if self._left else self._interval_s)

    async def _tell_age(self) -> None:
        """Set the metric also while much is followed at once."""
        loop = asyncio.get_running_loop()
        self._done_s = loop.time()
        while True:
            HISTORY_AGE_SECONDS.set(loop.time() - self._done_s)
            await asyncio.sleep(self._interval_s)

    async def follow(self, activity: Activity | None = None) -> bool:
        """Follow every partition up to its end; False: not all could be. A fault in one disturbs no other."""
        now_s = asyncio.get_running_loop().time()
        if activity is None or self._failing or now_s - self._learned_s >= LEARN_S:
            self._learned_s = now_s
            await self._learn_partitions()
        self._left.clear()
        self._aside.clear()
        for name in self._due(activity):
            try:
                if activity is not None:
                    activity.begin(CHORE, name)
                    if activity.entries(name) == 0:  # nothing was ever written there
                        self._failing.discard(name)  # it may have failed before anybody had looked
                        continue
                if not await self._followers[name].catch_up(PIECES_MAX):
                    self._leaves(activity, self._left, name)
                elif self._followers[name].sets_aside:
                    self._leaves(activity, self._aside, name)
                self._failing.discard(name)
            except DocumentsError as error:
                self._fails(activity, name, str(error))
                break  # the others would meet the same
            except StoreError as error:
                self._fails(activity, name, str(error))
            except Exception:  # noqa: BLE001  # the others are to be followed all the same
                self._fails(activity, name, "", exc_info=True)
        return not (self._failing or self._left or self._aside)

    def _leaves(self, activity: Activity | None, among: set[str], name: str) -> None:
        """Note that there is more in a partition, after the turns of others."""
        among.add(name)
        if activity is not None:
            activity.failed(CHORE, name)

    def _due(self, activity: Activity | None) -> list[str]:
        """Name the partitions in which something has happened since they were followed; those that failed first."""
        if activity is None:
            return sorted(self._followers)
        due = [each.partition for each in activity.due(CHORE) if each.partition in self._followers]
        return sorted(due, key=lambda name: name not in self._failing)

    async def _learn_partitions(self) -> None:
        try:
            registered = {name.decode() for name in await command(self._client, "SMEMBERS", PARTITIONS)}
        except StoreError as error:
            self._fails(None, "", str(error))
            registered = set()
        else:
            self._failing.discard("")
        for name in registered.union(self._served()).difference(self._followers):
            self._followers[name] = JournalFollower(
                self._feeds(name), self._documents, self._consumers, self._client, self._pace
            )

    def _fails(self, activity: Activity | None, name: str, reason: str, *, exc_info: bool = False) -> None:
        if activity is not None and name:
            activity.failed(CHORE, name)
        if name not in self._failing:
            log.warning("following_waits", partition=name, reason=reason, exc_info=exc_info)
        self._failing.add(name)
