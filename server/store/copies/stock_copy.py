"""A copy of a partition's stock in this process, for those who allow an age: it answers without a call of the store.

It has the SKUs that were asked for, and follows the journal. So it is the store's stock as it was a moment ago, and the
feed says how long ago at most. Whoever changes stock is never answered by it: a reserve decides in the store.

What is not plain is asked in the store: a SKU at very many places, old names, and everything while something is being
renamed. Where locations are closed or opened, or names change, the copy is emptied, and reads anew what that means.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Container, Sequence
from typing import Final

import structlog

from server.domain.aliases import NAMES_ONLY
from server.domain.changes import Change, ChangeLine
from server.domain.copied_stock import FoundLevels
from server.store.copies.copied_sku import CopiedSku
from server.store.copies.copy_room import CopyRoom
from server.store.errors import OverloadedError, StoreError
from server.store.journal.feed import JournalFeed, Seen
from server.store.journal.journal import DamagedEntryError, EntryId, format_entry_id, parse_entry_id
from server.store.ledger.ledger import Ledger
from server.store.ledger.slices import PLACES_PER_CALL, SKUS_PER_CALL
from server.store.repositories.locations import CHANGED, closings

log = structlog.get_logger("holdfast.store")

IDLE_S: Final = 60.0
"""So long after the last question the copy is dropped, and the journal is followed for it no more."""
LOOK_S: Final = 0.5
"""How often it is looked whether the feed had to connect anew, and whether anybody asks."""
_RETRY_S: Final = 1.0
WANTED_MAX: Final = 4_000
"""SKUs that wait to be read; who asks for more is answered by the store as well."""


class StockCopy:
    """The copy of one partition. Needs a running event loop.

    Parameters
    ----------
    feed
        It is started with the first question.
    ledger
        Reads what is missing, a call at a time, in the system's turn.

    """

    def __init__(self, feed: JournalFeed, ledger: Ledger, room: CopyRoom) -> None:
        self.places = 0
        """How much it keeps, see :attr:`CopiedSku.places`."""
        self.locations_version = 0
        self.has_old_names = False
        self._feed = feed
        self._ledger = ledger
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._skus: OrderedDict[str, CopiedSku] = OrderedDict()
        self._wanted: dict[str, None] = {}
        self._reading: dict[str, list[ChangeLine]] = {}
        """SKUs that are being read, with what the journal has said of them meanwhile."""
        self._reads = self._emptied = 0
        self._position: EntryId = (0, 0)
        self._connections = 0
        self._seen: Seen | None = None
        self._asked_s = 0.0
        self._following: asyncio.Task[None] | None = None
        self._filling: asyncio.Task[None] | None = None

    # -- for those who ask

    def seen(self, age_max_s: float) -> Seen | None:
        """Return up to when the copy knows all; None: it is older than that, or nothing can be said of it."""
        now_s = self._asked_s = self._loop.time()
        if self._following is None:
            self._start()
            return None
        feed = self._feed
        if not feed.is_connected or feed.connections != self._connections:
            return None
        seen = feed.seen if self._position == feed.end else self._seen
        return seen if seen is not None and now_s - seen.at_s <= age_max_s else None

    @property
    def names(self) -> Container[str]:
        """The SKUs that are kept, by names that were checked."""
        return self._skus

    def sku(self, name: str) -> CopiedSku | None:
        """Return what is kept of a SKU; None: nothing, and from now on it is wanted."""
        known = self._skus.get(name)
        if known is None:
            self._want(name)
            return None
        return None if known.is_left_out else known

    async def close(self) -> None:
        """Drop everything, and follow no more."""
        tasks = [each for each in (self._following, self._filling) if each is not None]
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._stop()

    # -- following the journal

    def _start(self) -> None:
        self._room.copies.add(self)
        self._feed.watch()
        self._feed.start()
        self._begin()
        self._following = self._loop.create_task(self._follow(), name=f"stock-copy {self._feed.keyspace.journal}")

    def _stop(self) -> None:
        if self._following is not None:
            self._following = None
            self._feed.unwatch()
        self._empty()
        self._room.copies.discard(self)

    def _begin(self) -> None:
        """Know nothing, and follow from the journal's end."""
        self._empty()
        self._connections, self._position = self._feed.connections, self._feed.end

    async def _follow(self) -> None:
        while self._loop.time() - self._asked_s < IDLE_S:
            try:
                await self._advance()
            except DamagedEntryError as damaged:
                log.error("copy_skips_entry", entry=damaged.entry_id, reason=str(damaged))  # noqa: TRY400  # it names it
                self._empty()
                self._position = parse_entry_id(damaged.entry_id)
            except StoreError:
                self._begin()
            except Exception:
                log.exception("copy_failed", partition=self._feed.keyspace.partition)
                self._begin()
                await asyncio.sleep(_RETRY_S)
            await self._feed.grown(format_entry_id(self._position), LOOK_S)
        self._stop()

    async def _advance(self) -> None:
        feed = self._feed
        if feed.connections != self._connections or not feed.has_kept(self._position):
            self._begin()  # the store may have lost what was read, or the feed is further than it can be followed
        async for entry_id, changes in feed.read(format_entry_id(self._position)):
            for change in changes:
                self._take(change)
            self._position = parse_entry_id(entry_id)
        if self._position == feed.end:
            self._seen = feed.seen

    def _take(self, change: Change) -> None:
        if change.operation == CHANGED:
            if closings(change) is not None:
                self._empty()
        elif change.operation in NAMES_ONLY and not change.lines:
            self._empty()
        for line in change.lines:
            if line.sku in self._reading:
                self._reading[line.sku].append(line)
            known = self._skus.get(line.sku)
            if known is not None and (change.operation in NAMES_ONLY or not known.follow(line)):
                self._drop(line.sku)
        if change.operation in NAMES_ONLY:
            self._emptied += 1  # what is being read may be of before

    # -- what is kept

    def _empty(self) -> None:
        self._emptied += 1
        self._skus.clear()
        self._wanted.clear()
        self._room.change(-self.places)
        self.places = self.locations_version = 0
        self.has_old_names = False
        self._seen = None

    def _drop(self, sku: str) -> None:
        places = self._skus.pop(sku).places
        self.places -= places
        self._room.change(-places)

    def _keep(self, sku: str, copied: CopiedSku) -> None:
        if sku in self._skus:
            self._drop(sku)
        self._skus[sku] = copied
        self.places += copied.places
        self._room.change(copied.places)
        self._room.make()

    def drop_oldest(self) -> None:
        """Let go of what was read the longest ago."""
        self._drop(next(iter(self._skus)))

    # -- reading what is wanted

    def _want(self, sku: str) -> None:
        if len(self._wanted) < WANTED_MAX and sku not in self._reading:
            self._wanted[sku] = None
            if self._filling is None:
                self._filling = self._loop.create_task(self._fill(), name="stock-copy-fill")

    async def _fill(self) -> None:
        try:
            while self._wanted and self._feed.is_connected:
                await self._read([*self._wanted][:SKUS_PER_CALL])
        except (StoreError, OverloadedError):
            self._wanted.clear()  # who asks again wants them again
            await asyncio.sleep(_RETRY_S)
        except Exception:
            log.exception("copy_failed", partition=self._feed.keyspace.partition)
            await asyncio.sleep(_RETRY_S)
        finally:
            self._reading.clear()
            self._filling = None

    async def _read(self, skus: Sequence[str]) -> None:
        emptied = self._emptied
        self._reading = {sku: [] for sku in skus}
        found = await self._ledger.levels(list(skus), weight=PLACES_PER_CALL)  # alone in its call
        self._reads += 1
        whole = len(found.skus) - (found.next_from > 0)
        for sku in skus[: max(1, whole)]:
            self._wanted.pop(sku, None)
        if emptied != self._emptied:
            return
        if found.is_moving:
            self._wanted.clear()
            await asyncio.sleep(_RETRY_S)
            return
        self._take_over(skus, found, whole)

    def _take_over(self, skus: Sequence[str], found: FoundLevels, whole: int) -> None:
        self.locations_version = max(self.locations_version, found.locations_version)
        self.has_old_names = self.has_old_names or found.has_old_names
        if not whole:  # more than one call reads
            self._keep(skus[0], CopiedSku([], found.as_of_ms, is_left_out=True))
        for sku, each in zip(skus, found.skus[:whole], strict=False):
            is_old_name = each.name != sku
            copied = CopiedSku([] if is_old_name else each.levels, found.as_of_ms, is_left_out=is_old_name)
            if all(map(copied.follow, self._reading[sku])):
                self._keep(sku, copied)
