"""``holdfast barcodes``: set from a CSV file which barcode is on which SKU, and how many units a pack holds."""

from pathlib import Path
from typing import Any

import click

from server.cli.csv.barcodes import BARCODES
from server.cli.csv.command import import_csv, import_options


@click.group()
def barcodes() -> None:
    """Set the SKU and the pack size of each barcode.

    \b
      holdfast barcodes import barcodes.csv
    """  # noqa: D301  # click needs the character, not the two


@barcodes.command("import")
@import_options
def import_(file: Path, **options: Any) -> None:
    """Set from a CSV file the SKU and the pack size of each barcode.

    The first line names the columns: barcode and sku, and optionally factor (units in the pack, else 1). Other columns
    are ignored. UTF-8; comma, semicolon or tab.

    \b
      barcode,sku,factor
      8690000000031,TS-1001/SİYAH-M,
      18690000000038,TS-1001/SİYAH-M,12

    \b
      holdfast barcodes import barcodes.csv

    Barcodes that the file does not name are unchanged. Importing the same file again changes nothing.

    The exit code is 1 if any row was bad; the good rows are imported all the same.
    """  # noqa: D301  # click needs the character, not the two
    import_csv(BARCODES, file, **options)
