"""``python -m bench.targets``: the table of figures to reach, from one command on this machine.

    python -m bench.targets                              every row that needs no other checkout
    python -m bench.targets --before ../holdfast-before  the rows that compare with one, too
    python -m bench.targets --only tail --only told-p99  some rows
    python -m bench.targets --quick                      a rough look: one round of a second each

Each ratio is taken within a round, of servers that took turns; the median of the rounds counts. A row that cannot be
taken here says so, and why.
"""

import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import redis
from rich.console import Console

from bench.harness import pages
from bench.harness.black_box import WrongStatusError
from bench.harness.driver import WrongAnswerError
from bench.harness.load import LoadError
from bench.harness.machine import describe, stores_here
from bench.harness.neighbours import Neighbours
from bench.harness.processes import ServerFailedError, end_gently
from bench.http.contestants import MiscountError
from bench.http.instructions import CannotCountError
from bench.peers.base import MissingError
from bench.propagation.figures import NeverReceivedError
from bench.targets.parts import PARTS, ROWS, BeforeMissingError, Part, Plan
from bench.targets.rows import NotRun, Result, cells, table
from server.store.errors import StoreError

COMMAND: Final = "python -m bench.targets"
MARK: Final = pages.begin("targets", COMMAND)
_WIDTH: Final = 160
_CANNOT: Final = (
    AssertionError, BeforeMissingError, CannotCountError, LoadError, MiscountError, MissingError, NeverReceivedError,
    OSError, ServerFailedError, StoreError, WrongAnswerError, WrongStatusError, click.ClickException, redis.RedisError,
    subprocess.SubprocessError,
)  # fmt: skip
"""What keeps a row from being taken, and not the others: a tool that is missing, a server or a check that fails."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.option("--only", "keys", type=click.Choice([row.key for row in ROWS]), multiple=True, help="May be repeated.")
@click.option(
    "--before",
    type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True),
    help="Another checkout, with a .venv of its own, for the rows that compare with one.",
)
@click.option("--seconds", type=click.IntRange(1, 600), default=None, help="Of each stretch of load  [3; quick: 1]")
@click.option("--rounds", type=click.IntRange(1, 99), default=None, help="Whose median counts  [3; quick: 1]")
@click.option("--quick", is_flag=True, help="A rough look.")
@click.option("--save", "keep", is_flag=True, help="Write the table into docs/benchmarks.md.")
def main(
    *, keys: tuple[str, ...], before: Path | None, seconds: int | None, rounds: int | None, quick: bool, keep: bool
) -> None:
    """Run from the command line."""
    end_gently()
    console, progress = Console(width=_WIDTH), Console(stderr=True, width=_WIDTH)
    began_s = time.monotonic()

    def report(doing: str) -> None:
        minutes, rest_s = divmod(round(time.monotonic() - began_s), 60)
        progress.print(f"{minutes:3d}:{rest_s:02d}  {doing}", highlight=False, soft_wrap=True)

    usual = 1 if quick else 3
    plan = Plan(rounds or usual, seconds or usual, quick, before, report)
    machine = list(describe(stores_here(), Path(tempfile.gettempdir())))
    for name, value in machine:
        console.print(f"[bold]{name}[/bold]: {value}", highlight=False)
    neighbours = Neighbours()
    results = take(keys or [row.key for row in ROWS], plan)
    if (cores := neighbours.cores()) is not None:
        machine.append(("other processes meanwhile", f"{cores:.2f} cores"))
        console.print(f"[bold]{machine[-1][0]}[/bold]: {machine[-1][1]}", highlight=False)
    made = table(ROWS, results)
    made.show(console)
    if keep:
        pages.put(pages.REPORT, MARK, [*pages.taken_on(machine), made.markdown()])
        console.print(f"Written to {pages.REPORT.name}.")


def take(keys: Sequence[str], plan: Plan, parts: Sequence[Part] = PARTS) -> dict[str, Result]:
    """Take the rows of these keys, each part once."""
    results: dict[str, Result] = {}
    for part in parts:
        wanted = [row for row in part.rows if row.key in keys]
        if not wanted:
            continue
        found = _take_part(part, plan)
        for row in wanted:
            results[row.key] = result = found if isinstance(found, NotRun) else found[row.key]
            plan.report(f"{row.title}: {', '.join(cells(row, result))}")
    return results


def _take_part(part: Part, plan: Plan) -> "dict[str, Result] | NotRun":
    try:
        return dict(part.take(plan))
    except _CANNOT as error:
        message = error.message if isinstance(error, click.ClickException) else str(error)
        return NotRun(message or type(error).__name__)


if __name__ == "__main__":
    main(prog_name=COMMAND)
