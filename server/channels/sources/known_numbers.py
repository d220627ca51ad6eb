"""What a source has said so far, and what of it waits for a person: in memory, and written with the next save."""

from typing import Final

import structlog
from msgspec.structs import replace

from server.channels.sources.stock_walk import Verdict
from server.domain.sources import Decided, WaitingNumber
from server.domain.sudden_changes import Place
from server.store.repositories.sources import SourceStore, SourceWrites

log = structlog.get_logger("holdfast.source")

_NAMED: Final = 5
"""Places that a log entry names; the routes have all."""


class KnownNumbers:
    """The numbers of one source. ``said``: by place; ``waiting``: those that are not believed."""

    def __init__(self, source: str, writes: SourceWrites) -> None:
        self._source = source
        self._writes = writes
        self.said: dict[Place, int] = {}
        self.waiting: dict[Place, WaitingNumber] = {}

    async def load(self, store: SourceStore) -> None:
        """Read what is stored."""
        self.said = {place: units async for place, units in store.numbers()}
        self.waiting = {place: each async for place, each in store.waiting()}

    def know(self, place: Place, units: int | None) -> None:
        """Keep what the source says of a place; None: it says nothing any more."""
        if self.said.get(place) == units:
            return
        if units is None:
            del self.said[place]
        else:
            self.said[place] = units
        self._writes.number(place, units)

    def keep_waiting(self, verdict: Verdict, now_ms: int) -> None:
        """Have wait what a verdict of this moment says, and nothing else any more."""
        for place, each in verdict.waiting.items():
            if self.waiting.get(place) != each:
                self._writes.waiting(place, each)
        for place in self.waiting.keys() - verdict.waiting.keys():
            self._writes.waiting(place, None)
        self.waiting = dict(verdict.waiting)
        new = sorted(place for place, each in verdict.waiting.items() if each.since_ms == now_ms)
        if new:
            some = [f"{sku} at {location}" if sku else "the whole list" for sku, location in new[:_NAMED]]
            log.warning("source_numbers_wait", source=self._source, count=len(new), some=some)

    def decide(self, place: Place, decided: Decided) -> bool:
        """Note what a person has decided; False: the number that it is about waits no longer."""
        there = self.waiting.get(place)
        if there is None or there.after != decided.after:
            return False
        self.waiting[place] = replace(there, decision=decided.decision, by=decided.by)
        self._writes.waiting(place, self.waiting[place])
        return True

    def undecided(self) -> int:
        """Count the numbers that no person has decided about."""
        return sum(1 for each in self.waiting.values() if not each.decision)
