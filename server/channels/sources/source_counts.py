"""Makes counts of what a source says: exact at a seq of the partition, so that no sale is counted twice or left out.

The source's number is without the units of all orders that it had been told of. What it was not told of is taken off,
and what is committed here is put back on, since it lies there still. The result is what ``on_hand`` was at a seq, and
the count corrects it by what was shipped or came back since.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

import structlog

from server.channels.sources.desk import SourceCount, SourceDesk
from server.channels.sources.sold_orders import SoldOrders
from server.channels.sources.stock_walk import SaidNumber
from server.domain.stock import StockRecord
from server.domain.sudden_changes import Place
from server.store.journal.feed import JournalFeed

log = structlog.get_logger("holdfast.source")

AT_ONCE: Final = 200
_TRIES_MAX: Final = 50
_BEHIND_S: Final = 0.2
"""For so long is waited for an entry of the journal that is written already."""
BUSY: Final = "busy"
"""In place of an outcome: a place changed each time that it was looked at."""


class SourceCounts:
    """The counts of one source. ``is_told`` False: its numbers know of no order; what is sold comes off them here."""

    def __init__(
        self, source: str, sold: SoldOrders, desk: SourceDesk, feed: JournalFeed, *, is_told: bool = True
    ) -> None:
        self._source = source
        self._is_told = is_told
        self._sold = sold
        self._desk = desk
        self._feed = feed

    async def expected(self, said: Mapping[Place, SaidNumber]) -> dict[Place, int]:
        """Return what the source would say of places if nothing but what is known here had happened."""
        found: dict[Place, int] = {}
        for places in _parts(said):
            await self._sold.follow()
            records = await self._desk.levels(places)
            for place in places:
                record = records[place]
                if record is not None:
                    found[place] = record.on_hand - record.committed + self._too_high(place, said[place])
        return found

    async def make(self, said: Mapping[Place, SaidNumber], *, only_less: bool = False) -> dict[Place, str]:
        """Count what the source says; return the outcomes of what the stock did not take.

        ``only_less``: leave places alone where no more than that is on hand.
        """
        refused: dict[Place, str] = {}
        for places in _parts(said):
            refused |= await self._some({place: said[place] for place in places}, only_less=only_less)
        for outcome in sorted(set(refused.values())):
            skus = [sku for (sku, _), each in refused.items() if each == outcome]
            log.warning("source_not_counted", source=self._source, outcome=outcome, skus=skus[:5], count=len(skus))
        return refused

    async def _some(self, said: dict[Place, SaidNumber], *, only_less: bool) -> dict[Place, str]:
        refused: dict[Place, str] = {}
        for _ in range(_TRIES_MAX):
            await self._sold.follow()
            records = await self._desk.levels(list(said))
            seq = self._sold.seq
            settled = [place for place, record in records.items() if record is None or record.seq <= seq]
            counts = [SourceCount(place, self._on_hand(records[place], place, said[place]), seq) for place in settled]
            wanted = [each for each in counts if _changes(each, records, only_less=only_less)]
            refused |= await self._desk.count(self._source, wanted)
            for place in settled:
                del said[place]
            if not said:
                return refused
            await self._feed.grown(self._sold.position, _BEHIND_S)
        return refused | dict.fromkeys(said, BUSY)

    def _on_hand(self, record: StockRecord | None, place: Place, said: SaidNumber) -> int:
        committed = record.committed if record is not None and self._is_told else 0
        return max(0, said.units + committed - self._too_high(place, said))

    def _too_high(self, place: Place, said: SaidNumber) -> int:
        """Return by how much a number is too high: what the source did not know when it said it."""
        return self._sold.untold_at(place) + self._sold.told_units[place] - said.told


def _changes(count: SourceCount, records: Mapping[Place, StockRecord | None], *, only_less: bool) -> bool:
    record = records[count.place]
    if only_less:
        return record is not None and count.on_hand < record.on_hand
    return record is None or record.on_hand != count.on_hand


def _parts(places: Iterable[Place]) -> Iterator[list[Place]]:
    rest = iter(places)
    while part := list(islice(rest, AT_ONCE)):
        yield part
