"""What a row of the table is, and which rows there are.

A new row is a subclass of :class:`Timed` or :class:`Functional` in the module of its family, and an instance of it in
that module's ``ROWS``. Its first variant is the attack as it was first met; the others are its siblings.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, Final

import msgspec

from tests.rigs.neighbours.apart import Apart
from tests.rigs.neighbours.ground import Ground, Measured, opened_ground
from tests.rigs.neighbours.loader import Load, Loaded

FAMILIES: Final = ("reads", "streams", "writes", "answers", "front_door", "maintenance", "channels", "workers", "text")
"""The modules that have rows, in the order in which these run."""

P99_MS_MAX: Final = 20.0
P99_TIMES_MAX: Final = 2.0
"""The neighbour's p99 under attack must be within one of these."""
GROWN_MB_MAX: Final = 200.0
"""How much the server's memory may grow under an attack: three times what may wait for slow callers together."""
SCRIPT_MS_MAX: Final = 8.0
"""A longer script is shown, and is no failure of a row: what holds the store shows in the neighbour's p99."""


class Pace(msgspec.Struct, frozen=True):
    """How long it all takes. ``rounds``: the median of so many is judged."""

    rounds: int = 3
    alone_s: float = 1.5
    under_s: float = 2.5
    calm_s: float = 8.0
    """How long the server has at most to be as before, between two rounds."""
    size: float = 1.0
    """The part of the full size that is built up: smaller is quicker, and proves less."""

    def of(self, full: int, least: int = 1) -> int:
        """Return the number to build where ``full`` belongs to a whole run."""
        return max(least, round(full * self.size))


QUICK: Final = Pace(rounds=1, alone_s=1.0, under_s=1.5, calm_s=3.0, size=0.1)


class Line(msgspec.Struct):
    """A line of the table: what a variant of a row came to."""

    row: str
    variant: str
    rounds: list[Measured] = []
    failures: list[str] = []
    notes: list[str] = []
    took_s: float = 0.0

    def middle(self, figure: str, part: str = "") -> float:
        """Return the median of a figure over the rounds; ``part`` alone or under: of what the neighbour noticed."""
        return float(median(getattr(getattr(each, part) if part else each, figure) for each in self.rounds))

    @property
    def refused(self) -> int:
        """How many of the neighbour's requests were refused under attack, in all rounds."""
        return sum(each.under.refused for each in self.rounds)


class Row(ABC):
    """One attack, with siblings of its kind."""

    name: str
    """By which ``--only`` knows it."""
    does: str
    """What it does, for ``--help`` and the documentation."""
    variants: tuple[str, ...]
    limit_s: float = 150.0
    """A variant that takes longer is broken off, and has failed."""

    @abstractmethod
    async def run(self, variant: str, pace: Pace, line: Line) -> None:
        """Run a variant; what it comes to goes into the line."""


class Timed(Row):
    """A row that is judged by what the neighbour notices."""

    grown_mb_max: float = GROWN_MB_MAX

    @asynccontextmanager
    async def ground(self, variant: str, pace: Pace) -> AsyncIterator[Ground]:  # noqa: ARG002  # some rows need them
        """Start the server that it is about."""
        async with opened_ground() as ground:
            yield ground

    async def prepare(self, ground: Ground, variant: str, pace: Pace) -> None:
        """Build up what the attack needs, before the first round."""

    @abstractmethod
    def loads(self, ground: Ground, variant: str) -> Sequence[Load]:
        """Write down who loads, and how."""

    @asynccontextmanager
    async def attacked(self, ground: Ground, variant: str, pace: Pace) -> AsyncIterator[list[Apart[Loaded]]]:  # noqa: ARG002
        """Be under attack until the block ends."""
        async with ground.loading(self.loads(ground, variant)) as processes:
            yield processes

    async def failures(self, ground: Ground, variant: str, done: Measured) -> list[str]:  # noqa: ARG002
        """Return what else must not be after a round."""
        return []

    async def run(self, variant: str, pace: Pace, line: Line) -> None:
        """Measure the neighbour alone and under attack, in turn."""
        async with self.ground(variant, pace) as ground:
            await self.prepare(ground, variant, pace)
            for number in range(pace.rounds):
                done = await self._round(ground, variant, pace)
                line.rounds.append(done)
                found = await self.failures(ground, variant, done)
                line.failures += [f"round {number + 1}: {each}" for each in found]
                await ground.calm_down(pace.calm_s)
        line.failures += self.judged(line)

    async def _round(self, ground: Ground, variant: str, pace: Pace) -> Measured:
        await ground.calm_down(pace.calm_s)
        alone = await ground.serve(pace.alone_s)
        before_mb = ground.begin_to_measure()
        async with self.attacked(ground, variant, pace) as processes:
            under = await ground.serve(pace.under_s)
            highest_mb, script_ms = ground.memory_mb(), ground.longest_script_ms()
            attack = [await process.ended() for process in processes]
        return Measured(alone, under, highest_mb, highest_mb - before_mb, script_ms, attack)

    def judged(self, line: Line) -> list[str]:
        """Return what of the figures must not be."""
        found, alone, under = [], line.middle("p99_ms", "alone"), line.middle("p99_ms", "under")
        if under > max(P99_MS_MAX, P99_TIMES_MAX * alone):
            found.append(f"the neighbour's p99 is {under:.0f} ms, alone {alone:.0f} ms")
        if line.refused:
            first = next(each.under.first_refusal for each in line.rounds if each.under.refused)
            asked = sum(each.under.asked for each in line.rounds)
            found.append(f"{line.refused} of the neighbour's {asked} requests were refused: {first[:120]}")
        if line.middle("grown_mb") > self.grown_mb_max:
            found.append(f"the server's memory grew by {line.middle('grown_mb'):.0f} MB")
        if line.middle("longest_script_ms") > SCRIPT_MS_MAX:
            line.notes.append(f"a script took {line.middle('longest_script_ms'):.1f} ms, more than {SCRIPT_MS_MAX:g}")
        return found


class Checked(msgspec.Struct):
    """What one check came to. ``figure`` must not be above ``figure_max``; it is named by ``means``."""

    failures: list[str] = []
    figure: float | None = None
    figure_max: float = 0.0
    means: str = ""


class Functional(Row):
    """A row that is judged by what happens, and perhaps by one figure."""

    rounds_max: int = 1

    @abstractmethod
    async def check(self, variant: str, pace: Pace) -> Checked:
        """Do it once."""

    async def run(self, variant: str, pace: Pace, line: Line) -> None:
        """Do it as often as its figure needs a median."""
        done = [await self.check(variant, pace) for _ in range(min(pace.rounds, self.rounds_max))]
        line.failures += [failure for each in done for failure in each.failures]
        figures = [each.figure for each in done if each.figure is not None]
        if figures:
            middle, most, means = median(figures), done[0].figure_max, done[0].means
            line.notes.append(f"{means}: {middle:.2f} (at most {most:g})")
            if middle > most:
                line.failures.append(f"{means}: {middle:.2f}, more than {most:g}")


def all_rows() -> list[Row]:
    """Make the list of all rows, in the order in which they run."""
    rows: list[Row] = []
    for family in FAMILIES:
        module: Any = importlib.import_module(f"tests.rigs.neighbours.{family}")
        rows += module.ROWS
    return rows
