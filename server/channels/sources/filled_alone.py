"""What is done otherwise for a source that is told of no orders, such as a supplier's feed.

It fills a location of its own, so nobody else's count is there. Its number says nothing of what was sold here, and one
that it repeats is no news: what was sold meanwhile stays sold. So its number counts when it changes.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

from adapters.contract.source import Source
from server.channels.sources.desk import SourceDesk
from server.channels.sources.known_numbers import KnownNumbers
from server.channels.sources.late import LateNumbers
from server.channels.sources.stock_walk import SaidNumber, StockWalk
from server.domain.sudden_changes import Place
from server.store.repositories.sources import SourceWrites

_IS_LATE: Final = "late"


class FilledAlone:
    """The locations of one source; nothing of it is done for a source that is told of orders.

    ``groups``: those that its locations belong to.
    ``reason``: why the source may not fill its locations; empty where it may, or nobody has tried yet.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        *,
        numbers: KnownNumbers,
        late: LateNumbers,
        groups: Collection[str],
        writes: SourceWrites,
        desk: SourceDesk,
    ) -> None:
        self.reason = ""
        self.is_claimed = source.is_told
        self._name = name
        self._is_told = source.is_told
        self._locations = tuple(source.locations)
        self._groups = groups
        self._numbers = numbers
        self.late = late
        self._writes = writes
        self._desk = desk

    async def claim(self) -> bool:
        """Have the source fill its locations alone; False: it cannot, see :attr:`reason`."""
        if not self.is_claimed:
            reasons = [await self._desk.claim(self._name, each, self._groups) for each in self._locations]
            self.reason = next(filter(None, reasons), "")
            self.is_claimed = not self.reason
        return self.is_claimed

    async def expected(self, walk: StockWalk) -> dict[Place, int]:
        """Return what each number would be if nothing had changed there; leave out SKUs that nobody knows here."""
        known = await self._desk.known([sku for sku, _ in walk.listed])
        said = dict(self._numbers.said)
        # A supplier has a million SKUs that nobody knows here: no other task waits for that.
        await asyncio.to_thread(walk.keep, lambda place: place[0] in known or place in said)
        return {place: said.get(place, 0) for place in walk.said}

    def news(self, believed: Mapping[Place, SaidNumber]) -> Mapping[Place, SaidNumber]:
        """Return the numbers to count: those that changed, and those that were taken for less since they were late."""
        if self._is_told:
            return believed
        said, taken = self._numbers.said, self.late.taken
        return {place: each for place, each in believed.items() if said.get(place) != each.units or place in taken}

    def wants_all(self, not_counted: int) -> bool:
        """Whether numbers are to be read that are repeated, too: some were taken for less, or were not counted."""
        return not self._is_told and bool(self.late.taken or not_counted)

    # -- late

    def load(self, state: Mapping[str, str]) -> None:
        """Go on from what an earlier holder of the lease has taken for less: any of its numbers may have been."""
        if state.get(_IS_LATE):
            self.late.taken = dict(self._numbers.said)

    async def age(self, age_s: float) -> None:
        """Take numbers of this age for what the rules say. Errors as of counts; then it is done the next time."""
        if self._is_told or not self.is_claimed:
            return
        less = await self.late.less(self._numbers.said, age_s)
        if less:
            # Before the counts: after a kill nobody would know that a number which is repeated is not on hand.
            self._writes.state(**{_IS_LATE: 1})
            await self._writes.save()
            await self.late.take(less, age_s)

    def answered(self, counted: Collection[Place]) -> None:
        """Note a newer answer, and the places that it has settled; the others stay as they were taken."""
        was_taken = bool(self.late.taken)
        self.late.answered(counted)
        if was_taken and not self.late.taken:
            self._writes.state(**{_IS_LATE: ""})
