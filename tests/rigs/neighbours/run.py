"""Runs the rows in turn; a row that breaks off has failed, and the others still run."""

import asyncio
import time
from collections.abc import Callable, Sequence

from tests.rigs.neighbours.registry import Line, Pace, Row


async def run(
    rows: Sequence[Row],
    pace: Pace,
    lines: list[Line],
    say: Callable[[str], None],
    *,
    variant: str = "",
    minutes: float = 0,
) -> None:
    """Run all variants of some rows, or the one that is named; ``lines`` grows as they end.

    ``minutes``: what has not begun by then has failed; 0: no limit.
    """
    chosen = [(row, each) for row in rows for each in row.variants if variant in ("", each)]
    until_s = time.monotonic() + 60 * minutes
    for number, (row, each) in enumerate(chosen, 1):
        line = Line(row.name, each)
        lines.append(line)
        if minutes and time.monotonic() > until_s:
            line.failures.append(f"not begun: {minutes:g} minutes were over")
            continue
        say(f"{time.strftime('%H:%M:%S')} {number}/{len(chosen)} {row.name} {each} …")
        await _run(row, each, pace, line)
        say(f"         {'FAILED: ' + line.failures[0] if line.failures else 'held'} ({line.took_s:.0f} s)")


async def _run(row: Row, variant: str, pace: Pace, line: Line) -> None:
    began_s = time.monotonic()
    deadline = asyncio.timeout(row.limit_s)
    try:
        async with deadline:
            await row.run(variant, pace, line)
    except Exception as error:  # noqa: BLE001  # the other rows are still wanted
        why = f"it took more than {row.limit_s:g} s" if deadline.expired() else f"{type(error).__name__}: {error}"
        line.failures.append(f"it broke off: {why[:500]}")
    except BaseException:
        line.failures.append("the run was broken off")  # what was not seen to hold does not hold
        raise
    line.took_s = time.monotonic() - began_s
