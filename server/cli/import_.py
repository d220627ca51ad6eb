"""``holdfast import``: set the stock from a CSV file; safe to run again, and no row is lost silently."""

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Final, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from server.cli.common import (
    failure,
    opened_store,
    partition_option,
    progress_console,
    quiet_settings,
    run,
    store_options,
)
from server.cli.csv.bad_rows import read_csv, report_option, tell_bad_rows, write_report
from server.cli.csv.send_rows import StoreStaysAwayError, Tally, count_rows
from server.cli.csv.stock import BadRow, StockFile, read_stock_file
from server.config.settings import Settings
from server.domain.limits import REFERENCE_BYTES_MAX

_PROGRESS_ROWS: Final = 250


class Job(NamedTuple):
    """What to import where. ``salt`` makes the keys new, so that a file that was imported before counts again."""

    file: StockFile
    partition: str
    reason: str
    salt: str


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@partition_option
@click.option("--again", is_flag=True, help="Count anew, even if this very file was imported within the last day.")
@report_option
@store_options
def import_(file: Path, partition: str, again: bool, report: Path | None, **overrides: object) -> None:
    """Set the stock from a CSV file.

    The first line names the columns: sku and on_hand, and if you like location (else main) and safety (else as it
    is); others are ignored. UTF-8; comma, semicolon or tab.

    \b
      sku,on_hand,location,safety
      TS-1001/SİYAH-M,24,main,2
      "CREMA 50ml, SPF 30",110,,

    \b
      holdfast import stock.csv
      holdfast import stock.csv --report bad.csv

    on_hand becomes what the file says; what is held or sold of it stays so. Running it again with the same file
    within a day changes nothing, also if units were sold in between: so an import that was interrupted is simply
    run again. A new count that happens to give the same file: --again.

    The exit code is 1 if any row was bad; the good ones are imported all the same.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    parsed = read_csv(file, read_stock_file)
    console = progress_console()
    if parsed.ignored_columns:
        console.print(f"Ignored columns: {', '.join(parsed.ignored_columns)}", markup=False)
    salt = secrets.token_hex(8) if again else ""
    tally = Tally()
    job = Job(parsed, partition, f"import {file.name}"[: REFERENCE_BYTES_MAX // 4], salt)
    if report is not None:
        write_report(report, parsed.bad)  # now, so that a path that cannot be written is known before the work
    try:
        run(_import(settings, job, tally, console))
    except StoreStaysAwayError as error:
        raise failure(f"{error}\n{_so_far(tally, parsed)}") from None
    bad = sorted([*parsed.bad, *tally.refused])
    if report is not None and tally.refused:
        write_report(report, bad)
    _conclude(parsed, tally, bad, report, console)


async def _import(settings: Settings, job: Job, tally: Tally, console: Console) -> None:
    rows = job.file.rows
    prefix = f"import:{job.file.digest}{job.salt and ':' + job.salt}"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task("rows", total=len(rows))

        def show(done: int) -> None:
            if done % _PROGRESS_ROWS == 0 or done == len(rows):
                progress.update(bar, completed=done)

        try:
            async with opened_store(settings, create=True) as store:
                await store.register(job.partition)
                await count_rows(store.ledger(job.partition), rows, prefix, job.reason, tally, on_progress=show)
        except asyncio.CancelledError:
            progress.stop()
            click.echo(f"Interrupted. {_so_far(tally, job.file)}", err=True)
            raise


def _so_far(tally: Tally, file: StockFile) -> str:
    return (
        f"{tally.done:,} of {len(file.rows):,} good rows are done and stay so. Run the same command again:"
        " it goes on, and what is done is not counted twice."
    )


def _conclude(file: StockFile, tally: Tally, bad: list[BadRow], report: Path | None, console: Console) -> None:
    tell_bad_rows(bad, report, console)
    parts = [f"{tally.set:,} set", f"{tally.unchanged:,} unchanged (same file imported before)"]
    if file.repeated:
        parts.append(f"{file.repeated:,} said twice")
    click.echo(f"{file.rows_total:,} rows: {', '.join([*parts, f'{len(bad):,} bad'])}")
    if tally.unchanged and not tally.set:
        console.print("Nothing was counted. If this is a new count that gave the same file: --again", markup=False)
    sys.exit(1 if bad else 0)
