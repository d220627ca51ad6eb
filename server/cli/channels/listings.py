"""``holdfast channels listings``: set from a CSV file the keys and prices at which a channel lists SKUs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from server.cli.channels.common import channel_argument
from server.cli.csv.command import import_csv, import_options
from server.cli.csv.dry_run import dry_run_option
from server.cli.csv.listings import listings_import
from server.cli.csv.listings_preview import preview_of


@click.command()
@channel_argument
@click.option("--new", "is_new", is_flag=True, help="Also for a channel that no server has published to yet.")
@import_options
@dry_run_option
def listings(channel: str, file: Path, is_new: bool, **options: Any) -> None:
    """Set from a CSV file what a channel lists.

    The first line names the columns: sku and key (what the channel calls it), and optionally listed (yes or no; no
    publishes 0), price, list_price, currency, factor and components. Every other column becomes an attribute of the
    listing, for adapters that need one. UTF-8; comma, semicolon or tab.

    \b
      sku,key,listed,price,list_price,currency
      TS-1001/SİYAH-M,8680001234567,yes,129.90,159.90,TRY
      "CREMA 50ml, SPF 30",8680007654321,no,,,

    \b
      holdfast channels listings my-shop listings.csv
      holdfast channels listings my-shop listings.csv --dry-run
      holdfast channels listings my-shop listings.csv --report bad.csv

    With a factor the key is a pack of so many, beside the SKU's own listing. A bundle has no sku, but components.

    \b
      sku,key,factor,components
      MUG,8680000000062,6,
      ,8680000000994,,2*MUG | SPOON

    Listings that the file does not name are unchanged. Importing the same file again changes nothing. A listing may
    name a SKU without stock: the channel shows 0 until there is some.

    What counts is the end of the whole file: SKUs may swap keys, and one may take the key that another leaves.
    Of two SKUs that are listed under one key in the end, the row of the new one is bad.

    A dry run changes nothing. It says what each row would change, and which rows are bad. It also warns of new SKUs and
    keys that differ from a known one by a dash or a blank only.

    The exit code is 1 if any row was bad; the good rows are imported all the same. A file that is interrupted is partly
    imported: each key then has one SKU. Run the same command again.
    """  # noqa: D301  # click needs the character, not the two
    kind = listings_import(channel, is_new=is_new)
    import_csv(replace(kind, preview=preview_of(channel, is_new=is_new)), file, **options)
