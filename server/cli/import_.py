"""``holdfast import``: set the stock from a file; safe to run again, and no row is lost silently."""

import secrets
from pathlib import Path
from typing import Any

import click

from server.cli.files.command import allow_similar_option, import_file, import_options, reason_of
from server.files.applying import Origin
from server.files.stock import stock_import


@click.command("import")
@import_options
@click.option("--again", is_flag=True, help="Count again, even if this very file was the last one imported.")
@allow_similar_option
def import_(file: Path, *, again: bool, allow_similar: bool, **options: Any) -> None:
    """Set the stock from a file.

    The first line names the columns: sku and on_hand, and optionally location (else main), safety (else unchanged),
    counted_at (else now; such as 2026-12-01T09:30:00+03:00) and allow_similar (yes or no, else no). Other columns are
    ignored, unless one looks as if it mattered: then nothing is read until --columns or --ignore-columns names it.

    CSV with any separator and encoding, or .xlsx. Columns may have Turkish or Romanian names, such as Stok Kodu and
    Adet; --columns says others. A file that may be meant in two ways is refused, with what to do.

    \b
      sku,on_hand,location,safety
      TS-1001-SİYAH-M,24,main,2
      "KABLO USB-C, 2M",110,,

    \b
      holdfast import stock.csv
      holdfast import stock.csv --dry-run
      holdfast import stock.csv --report bad.csv

    on_hand becomes what the file has; units that are held or sold stay so. Within a day the same file changes nothing
    when it is imported again, even if units were sold in between. So run an interrupted import again. Where another
    file was imported in between, it counts. For a new count with the same content, add --again.

    A new SKU or location that a known one is like, such as MAIN for main, is refused. So is a location that is not
    registered, where others are. If it is meant, add --new for all rows, or the column for one.

    First it looks at what would change. On a terminal it shows that, and asks. Elsewhere it goes on, unless there is
    something that nobody means every day: a new SKU or location, a name that differs from a known one by a dash or a
    blank, a number that grows or falls ten times (--factor), or much that falls to zero (--to-zero). Then nothing is
    imported, and the exit code is 3; --yes imports it. holdfast undo takes an import back.

    The exit code is 1 if any row was bad; the good rows are imported all the same.
    """  # noqa: D301  # click needs the character, not the two
    reason, salt = reason_of("import", file), secrets.token_hex(8) if again else ""
    kind = stock_import(reason, salt, allow_similar=allow_similar)
    import_file(kind, file, Origin("import", file.name), names_are_meant=allow_similar, **options)
