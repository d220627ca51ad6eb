"""``holdfast import``: set the stock from a CSV file; safe to run again, and no row is lost silently."""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from server.cli.csv.command import allow_similar_option, import_csv, import_options, reason_of
from server.cli.csv.dry_run import dry_run_option
from server.cli.csv.stock import stock_import
from server.cli.csv.stock_preview import preview_of


@click.command("import")
@import_options
@click.option("--again", is_flag=True, help="Count again, even if this very file was the last one imported.")
@allow_similar_option
@dry_run_option
def import_(file: Path, *, again: bool, allow_similar: bool, **options: Any) -> None:
    """Set the stock from a CSV file.

    The first line names the columns: sku and on_hand, and optionally location (else main), safety (else unchanged),
    counted_at (else now; such as 2026-12-01T09:30:00+03:00) and allow_similar (yes or no, else no). Other columns are
    ignored. UTF-8; comma, semicolon or tab.

    \b
      sku,on_hand,location,safety
      TS-1001/SİYAH-M,24,main,2
      "CREMA 50ml, SPF 30",110,,

    \b
      holdfast import stock.csv
      holdfast import stock.csv --dry-run
      holdfast import stock.csv --report bad.csv

    on_hand becomes what the file has; units that are held or sold stay so. Within a day the same file changes nothing
    when it is imported again, even if units were sold in between. So run an interrupted import again. Where another
    file was imported in between, it counts. For a new count with the same content, add --again.

    A new SKU or location that a known one is like, such as MAIN for main, is refused. So is a location that is not
    registered, where others are. If it is meant, add --new for all rows, or the column for one.

    A dry run changes nothing. It says what each row would change, and which rows are bad. It also warns of new names
    that differ from a known one by a dash or a blank, such as TS1001 from TS-1001, which are not refused.

    The exit code is 1 if any row was bad; the good rows are imported all the same.
    """  # noqa: D301  # click needs the character, not the two
    reason, salt = reason_of("import", file), secrets.token_hex(8) if again else ""
    kind = stock_import(reason, salt, allow_similar=allow_similar)
    import_csv(replace(kind, preview=preview_of(reason, salt)), file, **options)
