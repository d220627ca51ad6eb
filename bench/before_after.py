"""What a change did to the core, this checkout against another, in turn in one run:  python -m bench.before_after DIR.

``DIR`` holds the checkout from before, with a ``.venv`` of its own (``git worktree add DIR COMMIT``, then ``make -C DIR
.venv/.installed-bench``). Each checkout takes the figures of its core with its own bench, one round at a time; who
begins changes from round to round, so that a slow minute of the machine hits both. Both run the same no-op handler and
the same trivial script call, which say how far apart the two would be if nothing had changed.
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

from bench.figures import Figure, figure
from bench.report import Table, interval

Round = dict[str, float]
"""One round of a checkout: what was measured -> a second, in the order in which it was taken."""

# Runs in either checkout, so it uses only what the bench has had from its first day.
_HTTP: Final = """
import json
from bench import http_table
cells = http_table.measure({connections}, {seconds}, 1, lambda _: None)
found = {{f"{{each.title}}, {{number}} connections": rounds[0].rate for (number, each), rounds in cells.items()}}
print(json.dumps(found))
"""
_STORE: Final = """
import json
from bench import store_table
from server.store.embedded.binary import find_binary
cells = store_table.measure(find_binary(), 1, lambda _: None, quick=True)
def name(case):
    return case if type(case) is str else f"{{case.state.title}}, {{case.pattern}}, batches of {{case.batch}}"
print(json.dumps({{name(case): sum(rounds) / len(rounds) for case, rounds in cells.items()}}))
"""
PARTS: Final = {"http": _HTTP, "store": _STORE}
NAMES: Final = ("before", "after")


class OtherCheckoutError(Exception):
    """A checkout could not take its figures; the message holds the end of what it said."""


class Checkout(NamedTuple):
    """Where it is, and settings for its servers beside those of the environment."""

    path: Path
    settings: Mapping[str, str]


def take(checkout: Checkout, program: str) -> Round:
    """Have a checkout take one round.

    Raises
    ------
    OtherCheckoutError
        It has no environment, or its bench failed.

    """
    python = checkout.path / ".venv" / "bin" / "python"
    if not python.exists():
        raise OtherCheckoutError(f"{python} is not there; run: make -C {checkout.path} .venv/.installed-bench")
    environment = os.environ | checkout.settings
    done = subprocess.run(
        [python, "-c", program], cwd=checkout.path, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise OtherCheckoutError(f"the bench of {checkout.path} failed:\n{done.stderr[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Round)


def in_turn(checkouts: Sequence[Checkout], program: str, rounds: int, tell: Callable[[str], None]) -> list[list[Round]]:
    """Take the rounds of both, the other one first in every second round."""
    taken: list[list[Round]] = [[], []]
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 == 0 else (1, 0):
            tell(f"round {turn + 1}: {NAMES[which]}")
            taken[which].append(take(checkouts[which], program))
    return taken


def table(part: str, before: list[Round], after: list[Round]) -> Table:
    """Lay them out; a ratio is taken within a round, and the median of the rounds is shown."""
    made = Table(f"The core before and after: {part}, a second", ["what", *NAMES, "after / before"])
    for name in before[0]:
        was, now = figure(each[name] for each in before), figure(each[name] for each in after)
        made.add(name, interval(was, ",.0f"), interval(now, ",.0f"), _ratio(now.over(was)))
    return made


def _ratio(ratio: Figure) -> str:
    return interval(ratio, ".2f")


def _take_part(part: str, program: str, checkouts: Sequence[Checkout], rounds: int) -> Table:
    with Progress(console=Console(stderr=True), refresh_per_second=2, transient=True) as progress:
        task = progress.add_task("starting", total=2 * rounds)

        def tell(doing: str) -> None:
            progress.update(task, advance=1, description=doing)

        return table(part, *in_turn(checkouts, program, rounds, tell))


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.argument("before", type=click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True))
@click.option("--only", "parts", type=click.Choice(tuple(PARTS)), multiple=True, default=tuple(PARTS))
@click.option("--connections", default="1,32", help="Connections of the table over HTTP.")
@click.option("--seconds", type=click.IntRange(1, 600), default=2, help="Seconds of load for each cell over HTTP.")
@click.option("--rounds", type=click.IntRange(1, 99), default=5, help="Rounds of each checkout.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting for this checkout alone.")
def main(
    *, before: Path, parts: tuple[str, ...], connections: str, seconds: int, rounds: int, settings: tuple[str, ...]
) -> None:
    """Run from the command line."""
    numbers = sorted({int(word) for word in connections.split(",")})
    own = dict(each.split("=", 1) for each in settings)
    checkouts = Checkout(before, {}), Checkout(Path(__file__).parent.parent, own)
    try:
        for part in parts:
            program = PARTS[part].format(connections=numbers, seconds=seconds)
            _take_part(part, program, checkouts, rounds).show(Console(width=140))
    except OtherCheckoutError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main(prog_name="python -m bench.before_after")
