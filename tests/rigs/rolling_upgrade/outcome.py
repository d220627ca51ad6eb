"""What a run came to: everything that must be nought, and whether enough was tried to believe it."""

from collections import Counter
from dataclasses import dataclass, field

from tests.rigs.rolling_upgrade.checks import Findings
from tests.rigs.rolling_upgrade.desk import Crossings
from tests.rigs.rolling_upgrade.records import Diary
from tests.rigs.rolling_upgrade.servers import Verified


@dataclass
class Outcome:
    """One run on one store. ``asked`` and ``retried_on_connect`` count requests by phase (and release).

    ``libraries``: those in the store, as each release found them. ``libraries_wanted``: how many there must be.
    ``reservations`` is how many must be there; ``pushed`` how many values took effect on the channels.
    """

    store: str
    seed: int
    diary: Diary
    crossings: Crossings
    findings: Findings
    wrong_shown: list[str]
    verified: list[Verified]
    server_faults: list[str]
    asked: Counter[tuple[str, str]]
    retried_on_connect: Counter[str]
    slowest_s: dict[str, float]
    libraries: list[str] = field(default_factory=list)
    libraries_wanted: int = 0
    handovers: list[tuple[str, str, float]] = field(default_factory=list)
    reservations: int = 0
    pushed: int = 0
    took_s: float = 0.0

    def untried(self) -> list[str]:
        """List what this run cannot vouch for, because it did not happen."""
        found = [
            f"no {kind} that {wrote} wrote was replayed by the other release"
            for kind in self.kinds()
            for wrote in ("old", "new")
            if not self.crossings.replays[kind, wrote]
        ]
        if not self.kinds():
            found.append("nothing was asked")
        if self.libraries_wanted != len(self.libraries):
            found.append(f"the store has {len(self.libraries)} function libraries, not {self.libraries_wanted}")
        if not self.verified:
            found.append("verify did not run")
        return found

    def kinds(self) -> list[str]:
        """Name the kinds of requests that were granted and can be replayed."""
        records = [each for each in self.diary.records if each.reply.granted]
        return sorted({each.ask.kind for each in records if each.ask.is_protected or each.ask.method == "GET"})

    def problems(self) -> dict[str, list[str]]:
        """List all that is not as it should be, by what the table calls it."""
        return {
            "lost": self.findings.lost,
            "double": self.findings.double,
            "miscounted": self.findings.miscounted,
            "failed": self.diary.failed,
            "odd answers": self.diary.odd,
            "unlike replays": self.diary.unlike,
            "wrong shown": self.wrong_shown,
            "verify": [f"{each.release}, {each.when}: {each.found}" for each in self.verified if not each.clean],
            "servers": self.server_faults,
            "not tried": self.untried(),
        }

    @property
    def held(self) -> bool:
        return not any(self.problems().values())
