"""Keeps the safety stock of one partition at the value of its rules, as rules, categories and stock change.

Where there are no rules, nothing is done but to look for one. Else it follows the journal from where it began, and
looks again at each (SKU, location) whose units changed; when it begins, when rules change, and once an hour, at all.
So it keeps nothing over a restart, and two that do it at the same time do no harm: the script changes what differs.
"""

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import Final

import structlog

from server.domain.aliases import is_of_location
from server.domain.changes import Change, ChangeLine
from server.domain.replenishment import rule_for
from server.domain.safety_stock import SafetyRules
from server.store.connection.connect import StoreClient
from server.store.journal import journal
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import DamagedEntryError
from server.store.repositories.daily_figures import FigureStore
from server.store.repositories.safety_stock import (
    APPLIED,
    APPLY_MAX,
    CATEGORIES_CHANGED,
    RULES_CHANGED,
    SafetyStore,
    SafetyTarget,
)

log = structlog.get_logger("holdfast.insight")

LOOK_AGAIN_S: Final = 3_600.0
"""What another process was to see to and did not, because it died, is seen to by then."""
PAGE_ENTRIES: Final = 64

SkuLocation = tuple[str, str]


class SafetyStockRules:
    """The safety stock of one partition. ``limits`` is the first argument of the scripts.

    ``client`` is asked past the feed's buffer; None: the feed's own.
    """

    def __init__(self, feed: JournalFeed, limits: bytes, client: StoreClient | None = None) -> None:
        client, keyspace = client or feed.client, feed.keyspace
        self._feed = feed
        self._client = client
        self._limits = limits
        self._store = SafetyStore(client, keyspace)
        self._figures = FigureStore(client, keyspace)
        self._cursor = ""
        self._looked_s = 0.0
        self._rules: SafetyRules = {}
        self._capped: set[SkuLocation] = set()

    async def catch_up(self) -> None:
        """Bring every (SKU, location) to the value of its rule.

        Raises
        ------
        StoreUnavailableError
            The store is away; all is looked at anew when it is back.

        """
        try:
            await self._catch_up()
        except BaseException:
            self._cursor = ""
            raise

    async def _catch_up(self) -> None:
        if not await self._store.in_use():
            self._cursor = ""
            return
        now_s = asyncio.get_running_loop().time()
        end = await journal.bounds(self._client, self._feed.keyspace)
        if self._cursor and end.is_beyond(self._cursor):
            log.warning("safety_stock_looks_again", partition=self._feed.keyspace.partition, read=self._cursor,
                        end=end.last_id)  # fmt: skip
        if not self._cursor or end.is_lost(self._cursor) or now_s - self._looked_s > LOOK_AGAIN_S:
            await self._look_at_all(end.last_id)
            self._looked_s = now_s
            return
        try:
            await self._follow()
        except DamagedEntryError:
            await self._look_at_all(end.last_id)

    async def _look_at_all(self, end: str) -> None:
        """Look at every (SKU, location); ``end`` is where the journal was before the rules were read."""
        self._rules = await self._store.rules_by_any_name()
        self._capped.clear()
        pairs: set[SkuLocation] = set()
        async for pair in self._store.applied():
            pairs.add(pair)
            if len(pairs) >= APPLY_MAX:
                await self._apply(pairs)
                pairs.clear()
        async for shelf in self._figures.shelves():
            # Most rules are for all of a location or category; which SKUs have one is looked up with the stock.
            if self._rules:
                pairs.add((shelf.sku, shelf.location))
            if len(pairs) >= APPLY_MAX:
                await self._apply(pairs)
                pairs.clear()
        await self._apply(pairs)
        self._cursor = end

    async def _follow(self) -> None:
        pairs: set[SkuLocation] = set()
        async for entry_id, changes in self._feed.read(self._cursor, PAGE_ENTRIES, self._client):
            for change in changes:
                if change.operation == RULES_CHANGED or is_of_location(change):
                    await self._look_at_all(entry_id)
                    pairs.clear()
                elif change.operation == CATEGORIES_CHANGED:
                    pairs |= await self._pairs_of(sku for name, sku in change.notes if name == "sku")
                else:
                    self._note(pairs, change)
            self._cursor = entry_id
            if len(pairs) >= APPLY_MAX:
                await self._apply(pairs)
                pairs.clear()
        await self._apply(pairs)

    def _note(self, pairs: set[SkuLocation], change: Change) -> None:
        if change.operation == APPLIED:
            return
        for line in change.lines:
            pair = line.sku, line.location
            if _matters(line) or pair in self._capped:
                pairs.add(pair)

    async def _pairs_of(self, skus: Iterable[str]) -> set[SkuLocation]:
        return {(shelf.sku, shelf.location) for sku in skus for shelf in await self._figures.shelves_of(sku)}

    async def _apply(self, pairs: Iterable[SkuLocation]) -> None:
        waiting = iter(sorted(pairs))
        while piece := list(islice(waiting, APPLY_MAX)):
            categories = await self._store.categories([sku for sku, _ in piece])
            wanted = [self._wanted(pair, category) for pair, category in zip(piece, categories, strict=True)]
            found = await self._store.apply(wanted, self._limits)
            self._capped.difference_update(piece)
            self._capped.update((each.sku, each.location) for each in found.capped)

    def _wanted(self, pair: SkuLocation, category: str) -> SafetyTarget:
        sku, location = pair
        rule = rule_for(self._rules, category, location)
        return (
            SafetyTarget(sku, location, -1, 0)
            if rule is None
            else SafetyTarget(sku, location, rule.units, rule.percent)
        )


def _matters(line: ChangeLine) -> bool:
    """Whether a change may move what a rule comes to. A reservation of free units does not."""
    return bool(line.available < 0 or line.d_on_hand or line.d_damaged or line.d_quality_control or line.d_safety)
