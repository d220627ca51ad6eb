"""Takes the numbers of a source that are too old for what its rules say; a newer answer ends that."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

from server.channels.sources.source_counts import SourceCounts
from server.channels.sources.stock_walk import SaidNumber
from server.domain.late_numbers import LateRules
from server.domain.sudden_changes import Place

EVERY_S: Final = 60.0
"""At the longest, how often numbers that decay are worked out anew."""
_STEPS: Final = 50
"""Of a half-life: so fine do numbers decay."""


class LateNumbers:
    """The late numbers of one source. ``taken``: the places whose number was taken for less, and for how much."""

    def __init__(self, rules: LateRules, counts: SourceCounts, locations: Collection[str]) -> None:
        self.is_late = False
        self.taken: dict[Place, int] = {}
        self._rules = rules
        self._counts = counts
        self._locations = frozenset(locations)  # and not those that it has filled before
        self._next_s = 0.0

    def answered(self, counted: Collection[Place]) -> None:
        """Know that there is a newer answer, and which places it has settled; the others stay as they were taken."""
        self.is_late, self._next_s = False, 0.0
        for place in counted:
            self.taken.pop(place, None)

    async def less(self, known: Mapping[Place, int], age_s: float) -> dict[Place, int]:
        """Return what is left of numbers of this age, where that is less than what they were taken for."""
        self.is_late = self._rules.is_late(age_s)
        if not self.is_late or self._rules.then == "keep" or age_s < self._next_s:
            return {}
        # Of a hundred thousand numbers that is a tenth of a second, in which channels want their turns.
        less = await asyncio.to_thread(self._less, dict(known), age_s)
        if not less:
            self._wait(age_s)
        return less

    async def take(self, less: Mapping[Place, int], age_s: float) -> None:
        """Count what is left, where more is on hand.

        Raises
        ------
        StoreError, OverloadedError, OutcomeUnknownError
            Not all is counted; the next time it is.

        """
        said = {place: SaidNumber(units, 0) for place, units in less.items()}
        refused = await self._counts.make(said, only_less=True)
        self.taken |= {place: units for place, units in less.items() if place not in refused}
        self._wait(age_s)

    def _wait(self, age_s: float) -> None:
        self._next_s = age_s + min(EVERY_S, self._rules.half_life_s / _STEPS)

    def _less(self, known: Mapping[Place, int], age_s: float) -> dict[Place, int]:
        there = ((place, units) for place, units in known.items() if place[1] in self._locations)
        left = ((place, self._rules.left(units, age_s)) for place, units in there)
        return {place: units for place, units in left if units < self.taken.get(place, known[place])}
