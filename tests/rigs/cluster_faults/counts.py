"""What a run of one fault came to, and the table of several."""

from collections.abc import Sequence

import msgspec


class Counts(msgspec.Struct):
    """One row of the table; the lists say what did not add up, and are empty where all is well."""

    fault: str
    store: str
    rounds: int = 0
    acknowledged: int = 0
    unknown: int = 0
    """Answered outcome_unknown, or not at all: asked again afterwards."""
    lost: list[str] = []
    """Acknowledged, and not there any more."""
    double: list[str] = []
    """Done more than once."""
    wrong: list[str] = []
    """Anything else that is not as it should be."""
    verify: list[str] = []
    """What the audit of ``holdfast verify`` found."""
    channels: list[str] = []
    """Where a channel shows another value than the publishable one."""
    recover_s: float = 0.0
    """The longest time from the fault to the first write that was acknowledged again."""
    note: str = ""

    @property
    def failures(self) -> list[str]:
        """All that must not be."""
        named = (
            ("lost", self.lost), ("double", self.double), ("wrong", self.wrong), ("verify", self.verify),
            ("channels", self.channels),
        )  # fmt: skip
        return [f"{what}: {each}" for what, found in named for each in found]


def table(rows: Sequence[Counts]) -> str:
    """Show the rows."""
    head = (
        f"{'fault':<26} {'store':<8} {'rounds':>6} {'acked':>7} {'unknown':>7} {'lost':>5} {'double':>6} {'wrong':>5} "
        f"{'verify':>6} {'channels':>8} {'recovery':>8}"
    )
    return "\n".join([head, *map(_line, rows)])


def _line(row: Counts) -> str:
    return (
        f"{row.fault:<26} {row.store:<8} {row.rounds:>6} {row.acknowledged:>7} {row.unknown:>7} {len(row.lost):>5} "
        f"{len(row.double):>6} {len(row.wrong):>5} {len(row.verify) or 'clean':>6} {len(row.channels) or 'equal':>8} "
        f"{row.recover_s:>6.2f} s  {row.note}"
    )
