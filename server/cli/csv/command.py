"""The command around the import of a CSV file: options, progress bar, summary, report of bad rows, exit code."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from server.cli.common import counted, heed_names, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.csv.bad_rows import print_bad_rows, read_csv, report_option, write_report
from server.cli.csv.csv_import import CsvFile, CsvImport, Tally, Target
from server.cli.csv.dry_run import CHANGED_NOTHING, opened_to_look
from server.cli.terminal import progress_console, say
from server.config.settings import Settings
from server.domain.limits import REFERENCE_BYTES_MAX
from server.service.checks import STORED_NAMES
from server.store.errors import StoreError

T = TypeVar("T")

_PROGRESS_ROWS: Final = 250
"""The bar moves after so many rows: drawing it for each would cost more than the row."""

file_argument: Final = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


allow_similar_option: Final = click.option(
    "--allow-similar", "--new", is_flag=True,
    help="Names that are not known yet are meant, even if known ones are like them or locations are registered.",
)  # fmt: skip


def import_options(command: Any) -> Any:
    """Add the file and the options that every import has; the command passes them to :func:`import_csv`."""
    return file_argument(partition_option(report_option(store_options(command))))


def reason_of(verb: str, file: Path) -> str:
    """Make the reason that the journal keeps for the rows of a file."""
    return f"{verb} {file.name}"[: REFERENCE_BYTES_MAX // 4]


def import_csv(
    kind: CsvImport[T],
    file: Path,
    *,
    partition: str,
    report: Path | None,
    dry_run: bool = False,
    **overrides: object,
) -> NoReturn:
    """Import a CSV file and end the process: exit code 0, or 1 if any row was bad or refused.

    ``dry_run``: of a kind that has a preview; nothing is changed.
    """
    settings = quiet_settings(**overrides)
    parsed = read_csv(file, kind.read)
    console = progress_console()
    for line in kind.on_other_columns(parsed.other_columns):
        console.print(line, soft_wrap=True)
    if report is not None:
        write_report(report, parsed.bad)  # now, so that a path that cannot be written is known before the work
    tally = Tally()
    with progress_bar(len(parsed.rows), console) as tally.on_progress:
        put = _preview if dry_run else _put
        parsed = run(put(kind, settings, partition, (file, parsed), tally))
    bad = sorted([*parsed.bad, *tally.refused])
    if report is not None and tally.refused:
        write_report(report, bad)
    print_bad_rows(bad, report, console)
    last = (CHANGED_NOTHING,) if dry_run else ()
    for line in (_summary(kind, parsed, tally, dry_run=dry_run), *tally.notes, *last):
        say(line)
    for hint in tally.hints:
        console.print(hint, soft_wrap=True)
    sys.exit(1 if bad else 0)


async def _put(
    kind: CsvImport[T], settings: Settings, partition: str, source: tuple[Path, CsvFile[T]], tally: Tally
) -> CsvFile[T]:
    """Send the rows; return the file, which is read again where the store has names that are let through."""
    path, file = source
    try:
        async with opened_store(settings, create=True) as store:
            await store.register(partition)
            await heed_names(store, partition)
            file = read_csv(path, kind.read) if STORED_NAMES else file
            await kind.put(Target(store, partition), file, tally)
            return file
    except asyncio.CancelledError:
        say(f"Interrupted. {_so_far(tally, file)}", err=True)
        raise
    except StoreError:
        if tally.done:
            say(_so_far(tally, file), err=True)
        raise


async def _preview(
    kind: CsvImport[T], settings: Settings, partition: str, source: tuple[Path, CsvFile[T]], tally: Tally
) -> CsvFile[T]:
    """Find out what would come of the rows; return the file as :func:`_put` does."""
    path, file = source
    assert kind.preview is not None  # noqa: S101  # its command has the option
    async with opened_to_look(settings, partition) as store:
        file = read_csv(path, kind.read) if STORED_NAMES else file
        await kind.preview(Target(store, partition), file, tally)
        return file


def _so_far(tally: Tally, file: CsvFile[T]) -> str:
    return (
        f"{tally.done:,} of {counted(len(file.rows), 'good row')} are done and stay so."
        " Run the same command again: it continues, and what is done is not done twice."
    )


def _summary(kind: CsvImport[T], file: CsvFile[T], tally: Tally, *, dry_run: bool) -> str:
    parts = [f"{tally.set:,} {'would be ' if dry_run else ''}{kind.done}"]
    if kind.unchanged:
        parts.append(f"{tally.unchanged:,} {kind.unchanged}")
    if file.repeated:
        parts.append(f"{file.repeated:,} repeated")
    bad = len(file.bad) + len(tally.refused)
    return f"{counted(file.rows_total, 'row')}: {', '.join(parts)}, {bad:,} bad"


@contextmanager
def progress_bar(total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, which is gone at the end. Call what it yields with the number of rows that are done."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task("rows", total=total)
        shown = 0

        def show(done: int) -> None:
            nonlocal shown
            if done >= shown + _PROGRESS_ROWS or done == total:
                progress.update(bar, completed=done)
                shown = done

        yield show
