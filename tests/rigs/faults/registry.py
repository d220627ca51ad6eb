"""What a fault is, what one round of it came to, and which faults there are.

A new fault is a subclass of :class:`Fault` in a module of its own, an instance of it in that module's ``FAULTS``, and
the module's name in ``MODULES``.
"""

import importlib
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from tests.rigs.crash.account import Account
from tests.rigs.faults.kinds import KINDS, Kind

MODULES: Final = (
    "tests.rigs.faults.kills",
    "tests.rigs.faults.hangs",
    "tests.rigs.faults.power",
    "tests.rigs.faults.damage",
    "tests.rigs.faults.partitions",
    "tests.rigs.faults.replies",
    "tests.rigs.faults.clock",
    "tests.rigs.faults.memory",
    "tests.rigs.faults.overload",
    "tests.rigs.faults.clusters",
    "tests.rigs.faults.soak",
)
"""In the order in which they run."""


class Setting(msgspec.Struct, frozen=True):
    """What one run of one fault is given."""

    fault: str
    store: Kind
    seed: int
    rounds: int
    minutes: float = 0.0
    """How long one round lasts, where a fault is about time; 0: as the fault itself has it."""

    def chance(self, number: int) -> random.Random:
        """Return the dice of one round: the same seed, fault, store and round throw the same."""
        return random.Random(f"{self.seed}/{self.fault}/{self.store}/{number}")

    def command(self, rounds: int) -> str:
        """Return the command that repeats the run up to and with a round."""
        minutes = f" --minutes {self.minutes:g}" if self.minutes else ""
        return (
            f"python -m tests.rigs.faults --seed {self.seed} --only {self.fault} --rounds {rounds} --store {self.store}"
            f"{minutes}"
        )


class Round(msgspec.Struct):
    """What one round came to; the lists say what did not add up, and are empty where all is well."""

    acknowledged: int
    lost: list[str] = []
    """Acknowledged, and not there any more."""
    double: list[str] = []
    """Done more than once."""
    wrong: list[str] = []
    """Anything else that is not as it should be."""
    verify: list[str] = []
    """What the audit of ``holdfast verify`` found."""
    channels: list[str] | None = None
    """Where channels show another value than the publishable one; None: no channels in this run."""
    recover_s: float = 0.0
    """From the fault to the first write that was acknowledged again."""
    note: str = ""
    """Figures that belong to this fault only."""

    def add(self, found: Account) -> None:
        """Add what an account found and none before it."""
        self.lost += [each for each in found.lost if each not in self.lost]
        self.double += [each for each in found.double if each not in self.double]
        self.wrong += [each for each in found.wrong if each not in self.wrong]

    @property
    def faults(self) -> list[str]:
        """All that did not add up, each with its kind."""
        kinds = {"lost": self.lost, "double": self.double, "wrong": self.wrong, "verify": self.verify}
        kinds["channels"] = self.channels or []
        return [f"{kind}: {each}" for kind, found in kinds.items() for each in found]


class Fault(ABC):
    """One fault: how it is brought about, and what must hold afterwards."""

    name: str
    """By which ``--only`` knows it."""
    does: str
    """What it does, in half a sentence, for the table of the documentation."""
    rounds: int = 3
    """How many rounds, unless the command line says otherwise."""
    stores: tuple[Kind, ...] = KINDS
    guarantee: str = ""
    """Why this row guarantees less than the others; empty: nothing may be lost."""

    def missing(self) -> str:
        """Return what this machine lacks for it, and how to get it; empty: nothing."""
        return ""

    def failures(self, done: Round) -> list[str]:
        """Return what a round must not show. A fault that guarantees less allows more, and must have effect."""
        return done.faults

    @abstractmethod
    def run(self, setting: Setting) -> AsyncGenerator[Round]:
        """Run the rounds, giving each as it ends, and leave nothing behind."""


def all_faults() -> list[Fault]:
    """Make the list of all faults, in the order in which they run."""
    return [fault for name in MODULES for fault in importlib.import_module(name).FAULTS]
