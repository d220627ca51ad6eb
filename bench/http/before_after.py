"""What a change did to the core, this checkout against another, in turn in one run.

    python -m bench.http.before_after DIR

``DIR`` holds the checkout from before, with a ``.venv`` of its own (``git worktree add DIR COMMIT``, then ``make -C DIR
.venv/.installed-bench``). Each checkout takes the rates of its core with its own bench, one round at a time; who
begins changes from round to round, so that a slow minute of the machine hits both. Both run the same no-op handler and
the same trivial script call, which say how far apart the two would be if nothing had changed. Where a machine is too
noisy for rates, ``--only instructions`` (with Debian's linux-perf or valgrind) counts what a reserve takes. It knows
the checkouts by their command line and their HTTP API alone: see :mod:`bench.http.instructions`.
"""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from bench.harness.black_box import ROOT, WrongStatusError
from bench.harness.figures import Figure, figure
from bench.harness.processes import ServerFailedError, end_gently
from bench.harness.report import Table, interval
from bench.http import instructions
from bench.http.instructions import CannotCountError

Round = dict[str, float]
"""One round of a checkout: what was measured -> a second, in the order in which it was taken."""

PROGRAM: Final = Path(__file__).with_name("one_round.py")
TITLES: Final = {
    "http": "requests/s over HTTP",
    "store": "reservations/s inside the store",
    "instructions": "instructions a reserve over HTTP (lower is better)",
}
PARTS: Final = tuple(TITLES)
USUAL_PARTS: Final = ("http", "store")
NAMES: Final = ("before", "after")


class OtherCheckoutError(Exception):
    """A checkout could not take its figures; the message holds the end of what it said."""


class Checkout(NamedTuple):
    """Where it is, and settings for its servers beside those of the environment."""

    path: Path
    settings: Mapping[str, str]


def take(checkout: Checkout, words: Sequence[str], program: str = "") -> Round:
    """Have a checkout take one round: it runs a program's text with some words; left out: :mod:`bench.http.one_round`.

    Raises
    ------
    OtherCheckoutError
        It has no environment, or its bench failed.

    """
    python = checkout.path / ".venv" / "bin" / "python"
    if not python.exists():
        raise OtherCheckoutError(f"{python} is not there; run: make -C {checkout.path} .venv/.installed-bench")
    command: list[str | Path] = [python, "-c", program or PROGRAM.read_text("utf-8"), *words]
    environment = os.environ | checkout.settings
    done = subprocess.run(command, cwd=checkout.path, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OtherCheckoutError(f"the bench of {checkout.path} failed:\n{done.stderr[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Round)


def in_turn(
    checkouts: Sequence[Checkout], words: Sequence[str], rounds: int, report: Callable[[str], None], program: str = ""
) -> list[list[Round]]:
    """Take the rounds of both with a program, the other one first in every second round."""
    return alternate(checkouts, rounds, report, lambda checkout: take(checkout, words, program))


def alternate(
    checkouts: Sequence[Checkout], rounds: int, report: Callable[[str], None], take_one: Callable[[Checkout], Round]
) -> list[list[Round]]:
    """Take the rounds of both, the other one first in every second round."""
    taken: list[list[Round]] = [[], []]
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 == 0 else (1, 0):
            report(f"round {turn + 1}: {NAMES[which]}")
            taken[which].append(take_one(checkouts[which]))
    return taken


def table(part: str, before: list[Round], after: list[Round]) -> Table:
    """Lay them out; a ratio is taken within a round, and the median of the rounds is shown."""
    made = Table(f"The core before and after: {TITLES[part]}", ["what", *NAMES, "after / before"])
    for name in before[0]:
        was, now = figure(each[name] for each in before), figure(each[name] for each in after)
        made.add(name, interval(was, ",.0f"), interval(now, ",.0f"), _ratio(now.over(was)))
    return made


def _ratio(ratio: Figure) -> str:
    return interval(ratio, ".2f")


def _take_part(words: Sequence[str], checkouts: Sequence[Checkout], rounds: int) -> Table:
    with Progress(console=Console(stderr=True), refresh_per_second=2, transient=True) as progress:
        task = progress.add_task("starting", total=2 * rounds)

        def report(doing: str) -> None:
            progress.update(task, advance=1, description=doing)

        part, connections, _ = words
        if part == "instructions":
            numbers = [int(number) for number in connections.split(",")]

            def count(checkout: Checkout) -> Round:
                return instructions.measure(checkout.path, numbers, checkout.settings)

            return table(part, *alternate(checkouts, rounds, report, count))
        return table(part, *in_turn(checkouts, words, rounds, report))


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.argument("before", type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True))
@click.option("--only", "parts", type=click.Choice(PARTS), multiple=True, default=USUAL_PARTS)
@click.option("--connections", default="1,32", help="Connections of the table over HTTP.")
@click.option("--seconds", type=click.IntRange(1, 600), default=2, help="Seconds of load for each cell over HTTP.")
@click.option("--rounds", type=click.IntRange(1, 99), default=5, help="Rounds of each checkout.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting for this checkout alone.")
def main(
    *, before: Path, parts: tuple[str, ...], connections: str, seconds: int, rounds: int, settings: tuple[str, ...]
) -> None:
    """Run from the command line."""
    end_gently()
    own = dict(each.split("=", 1) for each in settings)
    checkouts = Checkout(before, {}), Checkout(ROOT, own)
    try:
        for part in parts:
            _take_part((part, connections, str(seconds)), checkouts, rounds).show(Console(width=140))
    except (OtherCheckoutError, CannotCountError, ServerFailedError, WrongStatusError) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main(prog_name="python -m bench.http.before_after")
