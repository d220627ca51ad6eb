"""Counts the instructions of availability of one SKU: from memory, from the store, and at a no-op handler.

    python -m bench.http.availability_instructions          this checkout
    python -m bench.http.availability_instructions DIR      the one in ``DIR``, with a ``.venv`` of its own, and this

Counts do not depend on what else runs; see :mod:`bench.http.instructions` for how they are taken.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from bench.harness.black_box import ROOT, ask_many, interpreter
from bench.harness.processes import end_gently
from bench.harness.report import Table
from bench.http import instructions
from bench.http.from_memory import WAYS, one, started

CONNECTIONS: Final = (1, 32)


def count(checkout: Path, way: str, connections: int) -> float:
    """Count what the server of a checkout takes for one request."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        tool = instructions.counter(Path(folder))
        python = tool.python(interpreter(checkout))
        with started(way, checkout=checkout, python=python, ready_s=instructions.READY_S) as (url, pids):
            ask_many(url, connections, instructions.WARM_UP, one(way))
            return instructions.for_one(tool, pids, lambda: ask_many(url, connections, tool.requests, one(way)))[0]


def table(checkouts: Sequence[Path]) -> Table:
    """Count all ways in turn."""
    columns = ["before", "after"][-len(checkouts) :]
    made = Table("Instructions for availability of one SKU (lower is better)", ["way", "connections", *columns])
    for way in WAYS:
        for connections in CONNECTIONS:
            counted = [count(checkout, way, connections) for checkout in checkouts]
            made.add(way, str(connections), *[f"{each:,.0f}" for each in counted])
    return made


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, help=__doc__)
@click.argument("before", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
def main(*, before: Path | None) -> None:
    """Run from the command line."""
    end_gently()
    checkouts = [ROOT] if before is None else [before.resolve(), ROOT]
    table(checkouts).show(Console(width=140))


if __name__ == "__main__":
    main(prog_name="python -m bench.http.availability_instructions")
