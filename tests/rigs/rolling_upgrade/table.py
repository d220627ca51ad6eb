"""Shows what a run came to, for people."""

from collections.abc import Iterable
from typing import Final

from tests.rigs.rolling_upgrade.outcome import Outcome

SHOWN_MAX: Final = 8
"""So many examples of each kind of problem are shown."""


def table(outcome: Outcome) -> str:
    """Show phases, replays, and what must be nought."""
    parts = [_phases(outcome), _replays(outcome), _sums(outcome)]
    return "\n\n".join("\n".join(part) for part in parts)


def _phases(outcome: Outcome) -> list[str]:
    rows: list[tuple[str, ...]] = [("phase", "old", "new", "retried on connect", "slowest answer")]
    for phase in dict.fromkeys(phase for phase, _ in outcome.asked):
        old, new = (outcome.asked[phase, release] for release in ("old", "new"))
        slowest_ms = 1_000 * outcome.slowest_s.get(phase, 0.0)
        retried = outcome.retried_on_connect[phase]
        rows.append((phase, f"{old:,}", f"{new:,}", f"{retried:,}", f"{slowest_ms:,.0f} ms"))
    sums = [sum(count for (_, of), count in outcome.asked.items() if of == release) for release in ("old", "new")]
    slowest_ms = 1_000 * max(outcome.slowest_s.values(), default=0.0)
    retried = sum(outcome.retried_on_connect.values())
    rows.append(("all", *(f"{each:,}" for each in sums), f"{retried:,}", f"{slowest_ms:,.0f} ms"))
    return ["Requests answered, by phase and release:", *_aligned(rows)]


def _replays(outcome: Outcome) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("replayed", "old wrote, new replays", "new wrote, old replays", "through both at once")
    ]
    crossings = outcome.crossings
    for kind in outcome.kinds():
        counts = (crossings.replays[kind, "old"], crossings.replays[kind, "new"], crossings.at_once[kind])
        rows.append((kind, *(f"{each:,}" for each in counts)))
    old, new = (
        sum(count for (_, wrote), count in crossings.replays.items() if wrote == release) for release in ("old", "new")
    )
    rows.append(("all", f"{old:,}", f"{new:,}", f"{sum(crossings.at_once.values()):,}"))
    return [
        "Requests that went through the other release, too, and had to be answered as the first time:",
        *_aligned(rows),
    ]


def _sums(outcome: Outcome) -> list[str]:
    problems = outcome.problems()
    granted = sum(record.reply.granted for record in outcome.diary.records)
    clean = sum(each.clean for each in outcome.verified)
    handovers = ", ".join(f"{old} to {new} {took_s:.1f} s" for old, new, took_s in outcome.handovers)
    rows = [
        ("acknowledged", f"{granted:,} requests, {outcome.reservations:,} reservations"),
        ("lost", f"{len(problems['lost'])}"),
        ("double", f"{len(problems['double'])}"),
        ("miscounted", f"{len(problems['miscounted'])}"),
        ("failed requests", f"{len(problems['failed'])}"),
        ("odd answers", f"{len(problems['odd answers'])}"),
        ("unlike replays", f"{len(problems['unlike replays'])}"),
        ("wrong shown", f"{len(problems['wrong shown'])} of what {outcome.pushed:,} pushes left on the channels"),
        ("verify", f"{clean} of {len(outcome.verified)} clean, by both releases"),
        ("servers", f"{len(problems['servers'])} faults; every stop must end with 0"),
        ("publisher", handovers or "-"),
        ("libraries", ", ".join(outcome.libraries) or "-"),
        ("not tried", f"{len(problems['not tried'])}"),
    ]
    return [f"{outcome.store}, seed {outcome.seed}, {outcome.took_s:.0f} s:", *_aligned(rows)]


def problems(outcome: Outcome) -> list[str]:
    """List examples of all that is wrong."""
    lines: list[str] = []
    for name, found in outcome.problems().items():
        lines += [f"{name}: {each}" for each in found[:SHOWN_MAX]]
        if len(found) > SHOWN_MAX:
            lines.append(f"{name}: and {len(found) - SHOWN_MAX:,} more")
    return lines


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Set rows in columns: the first to the left, figures to the right; two columns are words."""
    rows = list(rows)
    if len(rows[0]) == 2:
        width = max(len(row[0]) for row in rows)
        return [f"  {name:<{width}}  {value}" for name, value in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            [f"{row[0]:<{widths[0]}}", *(f"{each:>{width}}" for each, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
