"""``python -m bench``: takes every figure in one run, prints the tables, and holds them against the bars."""

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.harness import pages, pictures
from bench.harness.bars import Bar
from bench.harness.driver import WrongAnswerError
from bench.harness.load import LoadError, loader
from bench.harness.machine import describe, stores_here
from bench.harness.neighbours import Neighbours
from bench.harness.processes import ServerFailedError
from bench.harness.report import Table, bars_table
from bench.http import http_table, lateness
from bench.http.contestants import MiscountError
from bench.peers import table as side_by_side
from bench.propagation import propagation
from bench.scaling import whole as scaling
from bench.store import memory, sourcing_table, store_table
from server.store.embedded.binary import StoreBinary
from server.store.errors import StoreError

USUAL_PARTS: Final = ("http", "store", "memory", "latency", "propagation", "sourcing")
PARTS: Final = (*USUAL_PARTS, "peers", "scaling")
USUAL, QUICK = "1,8,32,128", "1,32"
WIDTH_MIN: Final = 110

Report = Callable[[str], None]


@dataclass
class Plan:
    """What is measured, and how long."""

    connections: list[int]
    seconds: int
    rounds: int
    quick: bool
    parts: tuple[str, ...]


@dataclass
class Findings:
    """What came out; ``summary`` is for the README."""

    tables: list[Table] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    summary: Table | None = None
    drawings: dict[str, pictures.Peers | pictures.Growth] = field(default_factory=dict)


def take(plan: Plan, stores: list[StoreBinary], report: Report) -> Findings:
    """Take all figures of a plan."""
    found = Findings()
    if "http" in plan.parts:
        cells = http_table.measure(plan.connections, plan.seconds, plan.rounds, report)
        found.tables.append(http_table.table(cells))
        found.notes.extend(_noise(cells, plan.rounds))
        if loader() == "wrk":
            found.bars.extend(http_table.bars(cells))
        else:
            found.notes.append(
                "wrk is not installed (apt-get install wrk). The loader used instead needs more of the machine than "
                "the servers do: the table compares loaders more than servers, and the bars over HTTP are not judged."
            )
    if "store" in plan.parts:
        rates = store_table.measure(stores[0], plan.rounds, report, quick=plan.quick)
        found.tables.append(store_table.table(rates, _title(stores[0])))
        found.bars.extend(store_table.bars(rates, quick=plan.quick))
    if "memory" in plan.parts:
        sizes = [memory.measure(binary, report, quick=plan.quick) for binary in stores]
        found.tables.append(memory.table(sizes))
        found.bars.extend(memory.bars(sizes))
    if "latency" in plan.parts:
        late = lateness.measure(report, quick=plan.quick)
        found.tables.append(lateness.table(late))
        found.bars.extend(lateness.bars(late))
    if "propagation" in plan.parts:
        measured = propagation.measure(plan.rounds, report, quick=plan.quick)
        found.tables.extend(propagation.tables(measured))
        found.bars.extend(propagation.bars(measured))
    if "sourcing" in plan.parts:
        chosen = sourcing_table.measure(stores[0], plan.rounds, report)
        found.tables.append(sourcing_table.table(chosen, _title(stores[0])))
        found.bars.extend(sourcing_table.bars(chosen))
    _take_others(plan, stores, report, found)
    return found


def _take_others(plan: Plan, stores: list[StoreBinary], report: Report, found: Findings) -> None:
    """Take what is only taken when it is asked for, and has a picture."""
    if "peers" in plan.parts:
        rivals = side_by_side.measure(plan.connections, plan.seconds, plan.rounds, report)
        found.tables.extend(side_by_side.tables(rivals))
        found.notes.extend(rivals.skipped)
        found.summary = side_by_side.summary(rivals)
        found.drawings["peers"] = side_by_side.picture(rivals, pages.today())
        if loader() == "wrk":
            found.bars.extend(side_by_side.bars(rivals))
    if "scaling" in plan.parts:
        grown = scaling.measure(stores[0], plan.rounds, plan.seconds, report, quick=plan.quick)
        found.tables.extend(scaling.tables(grown))
        found.drawings["scaling"] = scaling.picture(grown, pages.today())
        found.bars.extend(scaling.bars(grown))


def steps(plan: Plan, stores: list[StoreBinary]) -> int:
    """Return how often :func:`take` reports progress."""
    return sum(
        {
            "http": http_table.steps(plan.connections, plan.rounds),
            "store": store_table.steps(plan.rounds),
            "memory": memory.STEPS * len(stores),
            "latency": lateness.STEPS,
            "propagation": propagation.steps(plan.rounds),
            "sourcing": sourcing_table.steps(plan.rounds),
            "scaling": scaling.steps(plan.rounds, quick=plan.quick),
            "peers": side_by_side.steps(plan.connections, plan.rounds),
        }[part]
        for part in plan.parts
    )


def _noise(cells: http_table.Cells, rounds: int) -> Iterator[str]:
    if rounds == 1:
        yield "One round only, so the noise is not known."
    else:
        yield (
            f"Noise: the rounds of the no-op handler lie up to {http_table.noise(cells):.0%} apart. In brackets: the "
            "slowest and the fastest round. Ratios are taken within a round; the median of the rounds is shown."
        )


def _title(binary: StoreBinary) -> str:
    return f"{binary.family.capitalize()} {'.'.join(map(str, binary.version))}"


def save(group: str, machine: list[tuple[str, str]], found: Findings, tables: list[Table]) -> None:
    """Put the results between their marks in the report, in the place of the ones before; draw what has a picture."""
    parts = pages.taken_on(machine)
    when = parts[0]
    parts += [table.markdown() for table in tables] + [f"{note}\n" for note in found.notes]
    for name, results in found.drawings.items():
        pictures.save(name, results)
        parts.insert(0, f"![{results.caption}](img/{name}.svg)\n")
    pages.put(pages.REPORT, pages.begin(group), parts)
    if found.summary is not None:
        shown = [f"![{results.caption}](docs/img/{name}.svg)\n" for name, results in found.drawings.items()]
        pages.put(pages.README, pages.begin(group), [when, *shown, found.summary.markdown()])


def _groups(parts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Sort parts by where their results stand: the usual ones together, each other one in a place of its own."""
    groups: dict[str, tuple[str, ...]] = {}
    for part in parts:
        group = "results" if part in USUAL_PARTS else part
        groups[group] = (*groups.get(group, ()), part)
    return groups


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--only", "parts", type=click.Choice(PARTS), multiple=True, help="Take this part only; may be repeated.")
@click.option("--connections", default=None, help="Connections of the table over HTTP [1,8,32,128; quick: 1,32].")
@click.option("--seconds", type=click.IntRange(1, 600), default=None, help="Seconds of load for each cell [2].")
@click.option("--rounds", type=click.IntRange(1, 99), default=None, help="Rounds, whose median counts [3; quick: 1].")
@click.option("--quick", is_flag=True, help="A rough look in a minute: one round, smaller stores.")
@click.option("--save", "keep", is_flag=True, help="Write the results into docs/benchmarks.md.")
def main(
    parts: tuple[str, ...], connections: str | None, seconds: int | None, rounds: int | None, *, quick: bool, keep: bool
) -> None:
    """Take the figures that the README and docs/benchmarks.md name, in one run on this machine."""
    try:
        numbers = sorted({int(word) for word in (connections or (QUICK if quick else USUAL)).split(",")})
    except ValueError:
        raise click.BadParameter(
            "must be numbers with commas between them, such as 1,32", param_hint="--connections"
        ) from None
    plan = Plan(numbers, seconds or (1 if quick else 2), rounds or (1 if quick else 3), quick, parts or USUAL_PARTS)
    console = Console()
    if console.width < WIDTH_MIN and not console.is_terminal:
        console = Console(width=WIDTH_MIN)
    # After a SIGTERM, as a time limit sends it, every server that was started must still be ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        stores = stores_here()
        machine = list(describe(stores, Path(tempfile.gettempdir())))
        for name, value in machine:
            console.print(f"[bold]{name}[/bold]: {value}", highlight=False)
        for group, chosen in _groups(plan.parts).items():
            _take_group(group, replace(plan, parts=chosen), stores, console, machine, keep=keep)
    except (ServerFailedError, LoadError, MiscountError, WrongAnswerError, StoreError) as error:
        raise click.ClickException(str(error)) from None


def _take_group(
    group: str, plan: Plan, stores: list[StoreBinary], console: Console, machine: list[tuple[str, str]], *, keep: bool
) -> None:
    neighbours = Neighbours()
    found = _take_with_progress(plan, stores)
    tables = [*found.tables, bars_table(found.bars)] if found.bars else found.tables
    if (cores := neighbours.cores()) is not None:
        found.notes.append(f"While this ran, other processes kept {cores:.2f} of the machine's cores busy.")
    for table in tables:
        console.print()
        table.show(console)
    for note in found.notes:
        console.print(note, highlight=False)
    if keep:
        save(group, machine, found, tables)
        console.print(f"Written to {pages.REPORT.name}.")


def _take_with_progress(plan: Plan, stores: list[StoreBinary]) -> Findings:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Seldom redrawn: what is drawn is taken from the machine that is measured.
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=2, transient=True) as progress:
        task = progress.add_task("starting", total=steps(plan, stores))

        def report(doing: str) -> None:
            progress.update(task, advance=1, description=doing)

        return take(plan, stores, report)


if __name__ == "__main__":
    main(prog_name="python -m bench")
