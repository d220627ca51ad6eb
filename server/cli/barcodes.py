"""``holdfast barcodes``: tell from a CSV file which barcode is on which SKU, and how many units a pack holds."""

import asyncio
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from server.cli.common import opened_store, partition_option, progress_console, quiet_settings, run, store_options
from server.cli.csv.bad_rows import read_csv, report_option, tell_bad_rows, write_report
from server.cli.csv.barcodes import BarcodesFile, Row, read_barcodes_file
from server.config.settings import Settings
from server.domain.limits import BARCODES_PER_CALL_MAX
from server.store.keys import Keyspace
from server.store.repositories.barcodes import all_barcodes, put_barcodes


@click.group()
def barcodes() -> None:
    """Say what barcodes stand for."""


@barcodes.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@partition_option
@report_option
@store_options
def import_(file: Path, partition: str, report: Path | None, **overrides: object) -> None:
    """Say from a CSV file what barcodes stand for.

    The first line names the columns: barcode and sku, and if you like factor (units in the pack, else 1); others are
    ignored. UTF-8; comma, semicolon or tab.

    \b
      barcode,sku,factor
      8690000000031,TS-1001/SİYAH-M,
      18690000000038,TS-1001/SİYAH-M,12

    \b
      holdfast barcodes import barcodes.csv

    Barcodes that the file does not name stay as they are. Running it again changes nothing.

    The exit code is 1 if any row was bad; the good ones are taken all the same.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    parsed = read_csv(file, read_barcodes_file)
    console = progress_console()
    if parsed.ignored_columns:
        console.print(f"Ignored columns: {', '.join(parsed.ignored_columns)}", markup=False)
    if report is not None:
        write_report(report, parsed.bad)  # now, so that a path that cannot be written is known before the work
    changed = run(_import(settings, partition, parsed, console))
    tell_bad_rows(parsed.bad, report, console)
    parts = [f"{changed:,} set", f"{len(parsed.rows) - changed:,} unchanged"]
    if parsed.repeated:
        parts.append(f"{parsed.repeated:,} said twice")
    click.echo(f"{parsed.rows_total:,} rows: {', '.join([*parts, f'{len(parsed.bad):,} bad'])}")
    sys.exit(1 if parsed.bad else 0)


async def _import(settings: Settings, partition: str, file: BarcodesFile, console: Console) -> int:
    """Write what is new or says something else; gives how many those are."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        try:
            async with opened_store(settings, create=True) as store:
                await store.register(partition)
                keyspace = Keyspace(partition)
                before = {barcode: pack async for barcode, pack in all_barcodes(store.client, keyspace)}
                new = [row for row in file.rows if before.get(row.barcode) != row.pack]
                bar = progress.add_task("barcodes", total=len(new))
                for piece in _pieces(new):
                    await put_barcodes(store.client, keyspace, [(row.barcode, row.pack) for row in piece])
                    progress.advance(bar, len(piece))
                return len(new)
        except asyncio.CancelledError:
            progress.stop()
            click.echo("Interrupted. What is done stays so; run the same command again, and it goes on.", err=True)
            raise


def _pieces(rows: list[Row]) -> Iterator[list[Row]]:
    waiting = iter(rows)
    while piece := list(islice(waiting, BARCODES_PER_CALL_MAX)):
        yield piece
