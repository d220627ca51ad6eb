"""The command around the import of a file: options, progress bar, summary, report of bad rows, exit code."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from server.cli.common import failure, heed_names, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.files.bad_rows import print_bad_rows, report_option, write_report
from server.cli.files.dry_run import CHANGED_NOTHING, dry_run_option, opened_to_look
from server.cli.files.preview_output import (
    CHECK,
    NEEDS_A_YES,
    as_json,
    concern_options,
    lines_of,
    rules_of,
    write_preview,
)
from server.cli.files.reading import first_read, read_in_store, reading_options
from server.cli.terminal import agreed, is_interactive, print_json, progress_console, say
from server.config.settings import Settings
from server.domain.limits import REFERENCE_BYTES_MAX
from server.domain.sudden_changes import ChangeRules
from server.files.applying import Looked, Origin, apply, look
from server.files.file_import import FileImport, ImportStoppedError, ReadFile, Tally, Target
from server.files.preview import Concern, Preview, concerns_of, summary
from server.files.sheet import facts_of
from server.files.wording import counted
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
    """Add the file and the options that every import has; the command passes them to :func:`import_file`."""
    reading = reading_options(partition_option(report_option(store_options(command))))
    return file_argument(dry_run_option(concern_options(reading)))


def reason_of(verb: str, file: Path) -> str:
    """Make the reason that the journal keeps for the rows of a file."""
    return f"{verb} {file.name}"[: REFERENCE_BYTES_MAX // 4]


class How(NamedTuple):
    """How a command imports.

    ``yes``: without a question. ``names_are_meant``: what is new is no reason for one.
    """

    settings: Settings
    partition: str
    report: Path | None
    dry_run: bool
    yes: bool
    rules: ChangeRules
    preview_file: Path | None
    as_json: bool
    names_are_meant: bool
    console: Console


def import_file(
    kind: FileImport[T],
    file: Path,
    origin: Origin,
    *,
    partition: str,
    report: Path | None,
    dry_run: bool,
    yes: bool,
    factor: float,
    to_zero: float,
    preview_file: Path | None,
    as_json: bool,
    names_are_meant: bool = False,
    **overrides: object,
) -> NoReturn:
    """Import a file and end the process: exit code 0, 1 if any row was bad, or 3 where it needs a yes and got none.

    ``dry_run``: nothing is changed. ``origin``: what it is remembered as. The others: see :class:`How`.
    """
    settings, rules, console = quiet_settings(**overrides), rules_of(factor, to_zero), progress_console()
    how = How(settings, partition, report, dry_run, yes, rules, preview_file, as_json, names_are_meant, console)
    parsed = first_read(file, kind.read, settings)
    if parsed is not None and report is not None:
        write_report(report, parsed, parsed.bad)  # now: a path that cannot be written is known before the work
    try:
        sys.exit(run(_import(kind, (file, parsed), origin, how)))
    except ImportStoppedError as error:
        raise failure(str(error)) from None


async def _import(kind: FileImport[T], source: tuple[Path, ReadFile[T] | None], origin: Origin, how: How) -> int:
    """Look at a file, ask where that is needed, and import it; return the exit code."""
    opened = opened_to_look(how.settings, how.partition) if how.dry_run else opened_store(how.settings, create=True)
    async with opened as store:
        if not how.dry_run:
            await heed_names(store, how.partition)
        file = await read_in_store(store, how.partition, kind, *source, dry_run=how.dry_run)
        for line in (*facts_of(file.sheet), *kind.on_other_columns(file.other_columns)):
            how.console.print(line, soft_wrap=True)
        if how.report is not None:
            write_report(how.report, file, file.bad)
        target, tally = Target(store, how.partition), Tally()
        with progress_bar(len(file.rows), how.console, "looked at") as tally.on_progress:
            preview = await look(kind, target, file, tally, origin=origin)
        shown = Shown(kind, file, preview, concerns_of(preview, how.rules, names_are_meant=how.names_are_meant), how)
        code = shown.decide(tally)
        if code is not None:
            return code
        await store.register(how.partition)
        done, _ = await apply_shown(shown, target, origin)
        return shown.result(done)


async def apply_shown(shown: "Shown[T]", target: Target, origin: Origin) -> tuple[Tally, str]:
    """Apply what was shown; return what came of it, and the id by which it can be undone."""
    tally, file = Tally(), shown.file
    looked = Looked(shown.looked, is_fresh=not shown.is_asked)
    try:
        with progress_bar(len(file.rows), shown.how.console, "done") as tally.on_progress:
            return tally, await apply(shown.kind, target, file, looked, tally, origin=origin)
    except asyncio.CancelledError:
        say(f"Interrupted. {_so_far(tally, file)}", err=True)
        raise
    except StoreError:
        if tally.done:
            say(_so_far(tally, file), err=True)
        raise


class Shown(NamedTuple, Generic[T]):
    """What a command prints of an import: what would be, whether it is to be, and what was done."""

    kind: FileImport[T]
    file: ReadFile[T]
    looked: Preview
    concerns: Sequence[Concern]
    how: How

    @property
    def is_seen(self) -> bool:
        """Whether somebody sees what would change: always on a terminal."""
        return is_interactive() and bool(self.looked.changes)

    @property
    def is_asked(self) -> bool:
        """Whether a person is asked before anything is changed."""
        return not self.how.dry_run and not self.how.yes and self.is_seen

    def decide(self, tally: Tally) -> int | None:
        """Show what would be, where that is to be seen; return the exit code where nothing is to be done."""
        how, needs_yes = self.how, bool(self.concerns) and not self.how.yes
        if how.preview_file is not None:
            write_preview(how.preview_file, self.looked)
        if how.dry_run or self.is_seen or needs_yes:
            self.preview(tally)
        if how.dry_run:
            return self.end(CHANGED_NOTHING, 1 if self.file.bad or self.looked.refused else 0)
        if agreed("Apply it?") if self.is_asked else not needs_yes:
            return None
        return self.end(CHECK, NEEDS_A_YES)

    def preview(self, tally: Tally) -> None:
        """Print what would be."""
        bad = sorted([*self.file.bad, *tally.refused])
        counts = self.looked.counts(len(bad))
        if self.how.report is not None and tally.refused:
            write_report(self.how.report, self.file, bad)
        if self.how.as_json:
            if not self.how.yes:  # else the result is printed
                print_json(as_json(self.looked, counts, bad, self.concerns, applied=False))
            return
        print_bad_rows(bad, self.how.report, self.how.console)
        head = (_summary(self.kind, self.file, tally, dry_run=True), f"{summary(counts)}.")
        for line in (*head, *lines_of(self.looked, self.concerns), *tally.notes):
            say(line)

    def end(self, last: str, code: int) -> int:
        """Print the last line where nothing was changed; return the exit code."""
        say(last, err=self.how.as_json)
        return code

    def result(self, tally: Tally, more: str = "") -> int:
        """Print what was done, and ``more`` behind the summary; return the exit code."""
        bad = sorted([*self.file.bad, *tally.refused])
        counts = self.looked.counts(len(bad), {row.line for row in tally.refused})
        if self.how.report is not None and tally.refused:
            write_report(self.how.report, self.file, bad)
        if self.how.as_json:
            print_json(as_json(self.looked, counts, bad, self.concerns, applied=True))
            return 1 if bad else 0
        known = {row.line for row in (*self.file.bad, *self.looked.refused)} if self.is_seen else set()
        print_bad_rows([row for row in bad if row.line not in known], self.how.report, self.how.console)
        head = _summary(self.kind, self.file, tally, dry_run=False) + more
        say(head, f"{summary(counts)}.", *tally.notes)
        hints = [*tally.hints, *(["holdfast undo takes it back."] if tally.set and self.is_seen else [])]
        for hint in hints:
            self.how.console.print(hint, soft_wrap=True)
        return 1 if bad else 0


def _so_far(tally: Tally, file: ReadFile[T]) -> str:
    return (
        f"{tally.done:,} of {counted(len(file.rows), 'good row')} are done and stay so."
        " Run the same command again: it continues, and what is done is not done twice."
    )


def _summary(kind: FileImport[T], file: ReadFile[T], tally: Tally, *, dry_run: bool) -> str:
    parts = [f"{tally.set:,} {'would be ' if dry_run else ''}{kind.done}"]
    if kind.unchanged:
        parts.append(f"{tally.unchanged:,} {kind.unchanged}")
    if file.repeated:
        parts.append(f"{file.repeated:,} repeated")
    bad = len(file.bad) + len(tally.refused)
    return f"{counted(file.rows_total, 'row')}: {', '.join(parts)}, {bad:,} bad"


@contextmanager
def progress_bar(total: int, console: Console, what: str = "rows") -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, which is gone at the end. Call what it yields with the number of rows that are done."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task(what, total=total)
        shown = 0

        def show(done: int) -> None:
            nonlocal shown
            if done >= shown + _PROGRESS_ROWS or done == total:
                progress.update(bar, completed=done)
                shown = done

        yield show
