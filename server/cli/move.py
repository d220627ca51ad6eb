"""``holdfast move``: receive, adjust, count and move units as a CSV file says; safe to run again."""

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
from server.cli.csv.movements import MovesFile, Row, read_moves_file
from server.cli.csv.reader import BadRow
from server.cli.csv.send_rows import StoreStaysAwayError, Tally, move_rows
from server.config.settings import Settings
from server.domain.limits import BARCODES_PER_CALL_MAX, REFERENCE_BYTES_MAX
from server.service.caller import Caller, local_caller
from server.service.checks import InvalidError
from server.service.movements import Movement, operation_of
from server.store.command_session import OpenStore
from server.store.keys import Keyspace
from server.store.repositories.barcodes import Pack, find_barcodes

_PROGRESS_ROWS: Final = 250


class Job(NamedTuple):
    """What to move where. ``salt`` makes the keys new, so that a file that was run before has its effect again."""

    file: MovesFile
    partition: str
    salt: str


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@partition_option
@click.option("--again", is_flag=True, help="Move anew, even if this very file was run within the last day.")
@report_option
@store_options
def move(file: Path, partition: str, again: bool, report: Path | None, **overrides: object) -> None:
    """Receive, adjust, count and move units as a CSV file says.

    The first line names the columns: kind (receive, adjust, count, move) and quantity; sku, or for what is received or
    counted barcode, and then quantity counts packs; and if you like location (else main), reason, bucket (of adjust),
    safety (of count), from and to (of move: available, damaged, quality_control), supply_id (of receive: it was
    expected). UTF-8; comma, semicolon or tab.

    \b
      kind,sku,barcode,quantity,location,from,to,reason
      receive,,18690000000038,2,main,,,PO-2041
      move,TS-1001/SİYAH-M,,1,main,available,damaged,torn

    \b
      holdfast move delivery.csv
      holdfast move delivery.csv --report bad.csv

    Rows of one SKU happen in the order of the file. Running it again with the same file within a day changes nothing:
    so what was interrupted is simply run again. A new delivery that happens to give the same file: --again.

    The exit code is 1 if any row was bad or refused; the good ones are done all the same.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    parsed = read_csv(file, lambda content: read_moves_file(content, f"move {file.name}"[: REFERENCE_BYTES_MAX // 4]))
    console = progress_console()
    if parsed.ignored_columns:
        console.print(f"Ignored columns: {', '.join(parsed.ignored_columns)}", markup=False)
    if report is not None:
        write_report(report, parsed.bad)  # now, so that a path that cannot be written is known before the work
    tally = Tally()
    job = Job(parsed, partition, secrets.token_hex(8) if again else "")
    try:
        run(_move(settings, job, tally, console))
    except StoreStaysAwayError as error:
        raise failure(f"{error}\n{_so_far(tally, parsed)}") from None
    bad = sorted([*parsed.bad, *tally.refused])
    if report is not None and tally.refused:
        write_report(report, bad)
    tell_bad_rows(bad, report, console)
    click.echo(
        f"{parsed.rows_total:,} rows: {tally.set:,} done, {tally.unchanged:,} unchanged (same file run before),"
        f" {len(bad):,} bad"
    )
    sys.exit(1 if bad else 0)


async def _move(settings: Settings, job: Job, tally: Tally, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    rows = job.file.rows
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task("rows", total=len(rows))

        def show(done: int) -> None:
            if done % _PROGRESS_ROWS == 0 or done == len(rows):
                progress.update(bar, completed=done)

        try:
            async with opened_store(settings, create=True) as store:
                await store.register(job.partition)
                caller = local_caller(store, job.partition)
                movements = _movements(caller, job, await _packs(store, job), tally)
                await move_rows(store.ledger(job.partition), movements, tally, on_progress=show)
        except asyncio.CancelledError:
            progress.stop()
            click.echo(f"Interrupted. {_so_far(tally, job.file)}", err=True)
            raise


async def _packs(store: OpenStore, job: Job) -> dict[str, Pack]:
    barcodes = sorted({row.barcode for row in job.file.rows if row.barcode})
    packs: dict[str, Pack] = {}
    for first in range(0, len(barcodes), BARCODES_PER_CALL_MAX):
        part = barcodes[first : first + BARCODES_PER_CALL_MAX]
        packs |= await find_barcodes(store.client, Keyspace(job.partition), part)
    return packs


def _movements(caller: Caller, job: Job, packs: dict[str, Pack], tally: Tally) -> list[tuple[Row, Movement]]:
    """Make the operations; rows that cannot be one are noted as refused."""
    prefix = f"move:{job.file.digest}{job.salt and ':' + job.salt}"
    movements = []
    for row in job.file.rows:
        try:
            made = operation_of(caller.with_key(f"{prefix}:{row.line}"), row.body, packs)
        except InvalidError as error:
            tally.refused.append(BadRow(row.line, f"{error.field} {error.rule}", row.text))
            continue
        if made is None:
            tally.refused.append(BadRow(row.line, "this barcode is not registered", row.text))
        else:
            movements.append((row, made[1]))
    return movements


def _so_far(tally: Tally, file: MovesFile) -> str:
    return (
        f"{tally.done:,} of {len(file.rows):,} good rows are done and stay so. Run the same command again:"
        " it goes on, and what is done is not done twice."
    )
