"""Shows what a run came to, for people."""

from collections.abc import Iterable
from typing import Final

from tests.rigs.two_partitions.stage import Plan
from tests.rigs.two_partitions.tally import Tally

SHOWN_MAX: Final = 8
"""So many examples of each kind of problem are shown."""


def table(plan: Plan, tally: Tally) -> str:
    """Show operations and faults by kind, and what must be nought."""
    parts = [_operations(tally), _faults(tally), _sums(plan, tally)]
    return "\n\n".join("\n".join(part) for part in parts)


def _operations(tally: Tally) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("operation", "acknowledged", "refused", "unknown at first", "nothing done", "again", "twice at once")
    ]
    kinds = sorted({kind for kind, _ in tally.outcomes})
    for kind in kinds:
        refused = sum(times for (of, outcome), times in tally.outcomes.items() if of == kind and outcome != "done")
        counts = (
            tally.acknowledged(kind), refused, tally.unknown[kind], tally.not_done[kind], tally.replays[kind],
            tally.at_once[kind],
        )  # fmt: skip
        rows.append((kind, *(f"{each:,}" for each in counts)))
    refusals: dict[str, int] = {}
    for (_, outcome), times in tally.outcomes.items():
        refusals[outcome] = refusals.get(outcome, 0) + times
    refusals.pop("done", None)
    shown = ", ".join(f"{name} {times:,}" for name, times in sorted(refusals.items(), key=lambda each: -each[1]))
    resolved = ", ".join(f"{name} {times:,}" for name, times in sorted(tally.resolved.items())) or "none"
    return [
        *_aligned(rows),
        f"  refused: {shown}",
        f"  unknown {sum(tally.unknown.values()):,} times; once asked again: {resolved}",
        f"  reads {sum(tally.read.values()):,} on {len(tally.read)} routes",
        f"  nonsense {sum(tally.invalid.values()):,}, in {len(tally.invalid)} ways",
        f"  of the other partition {sum(tally.foreign.values()):,}, in {len(tally.foreign)} ways",
    ]


def _faults(tally: Tally) -> list[str]:
    rows: list[tuple[str, ...]] = [("fault", "times", "longest until writes went on (s)")]
    rows += [(kind, f"{times}", f"{tally.recover_s[kind]:.1f}") for kind, times in sorted(tally.faults.items())]
    return _aligned([*rows, ("all", f"{sum(tally.faults.values())}", "")])


def _sums(plan: Plan, tally: Tally) -> list[str]:
    compared = ", ".join(f"{name} {times:,}" for name, times in sorted(tally.compared.items()))
    rows = [("acknowledged", f"{tally.acknowledged():,}"), ("compared", f"{compared}; {tally.checkpoints} times")]
    script = f"{tally.script_us / 1000:.1f} ms, {tally.script}" if tally.script else "none over 1 ms"
    rows.append(("longest script", script))
    rows += [(name, f"{len(found)}") for name, found in tally.findings.all().items()]
    width = max(len(name) for name, _ in rows)
    return [
        f"{plan.store}, seed {plan.seed}, {plan.seconds:.0f} s, {plan.callers} callers:",
        *(f"  {name:<{width}}  {value}" for name, value in rows),
    ]


def problems(tally: Tally) -> list[str]:
    """List examples of all that is wrong."""
    lines: list[str] = []
    for name, found in tally.findings.all().items():
        lines += [f"{name}: {each}" for each in found[:SHOWN_MAX]]
        if len(found) > SHOWN_MAX:
            lines.append(f"{name}: and {len(found) - SHOWN_MAX:,} more")
    return lines


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Set rows in columns: the first to the left, figures to the right."""
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join(
            [f"{row[0]:<{widths[0]}}", *(f"{each:>{width}}" for each, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]  # fmt: skip
