"""What all callers of a run saw, added up, and all that did not add up."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Findings:
    """What must be nought. ``lost``: acknowledged, and not there. ``double``: done more often than acknowledged.

    ``differing``: anything else that is not as the books have it. ``seen``: of another partition, by one that must not
    see it. ``verify``: what the audit found. ``servers``: what a server did that it should not.
    """

    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    verify: list[str] = field(default_factory=list)
    servers: list[str] = field(default_factory=list)

    def all(self) -> dict[str, list[str]]:
        return {
            "lost": self.lost, "double": self.double, "differing": self.differing,
            "seen of the other partition": self.seen, "verify": self.verify, "servers": self.servers,
        }  # fmt: skip

    @property
    def clean(self) -> bool:
        return not any(self.all().values())


@dataclass
class Tally:
    """Counts of one run. ``outcomes``: by (kind, outcome). ``unknown``: requests without an answer that decides them.

    ``resolved``: what became of those, once they were asked again. ``read``: reads by route. ``invalid``, ``foreign``:
    requests that had to be refused. ``faults``: by kind; ``recover_s``: the longest until a write was acknowledged.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    resolved: Counter[str] = field(default_factory=Counter)
    not_done: Counter[str] = field(default_factory=Counter)
    replays: Counter[str] = field(default_factory=Counter)
    at_once: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    recover_s: dict[str, float] = field(default_factory=dict)
    script_us: int = 0
    script: str = ""
    checkpoints: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)

    def acknowledged(self, kind: str = "") -> int:
        """Count what was done, of one kind or of all."""
        return sum(times for (of, outcome), times in self.outcomes.items() if outcome == "done" and kind in ("", of))

    def note_script(self, took_us: int, name: str) -> None:
        """Note how long a script ran, if none ran longer."""
        if took_us > self.script_us:
            self.script_us, self.script = took_us, name
