"""``holdfast channels listings``: set from a file the keys and prices at which a channel lists SKUs."""

from pathlib import Path
from typing import Any

import click

from server.cli.channels.common import channel_argument
from server.cli.files.command import import_file, import_options
from server.files.applying import Origin
from server.files.listings import listings_import


@click.command()
@channel_argument
@click.option("--new", "is_new", is_flag=True, help="Also for a channel that no server has published to yet.")
@import_options
def listings(channel: str, file: Path, is_new: bool, **options: Any) -> None:
    """Set from a file what a channel lists.

    The first line names the columns: sku and key (what the channel calls it), and optionally listed (yes or no; no
    publishes 0), price, list_price, currency, factor and components. Every other column becomes an attribute of the
    listing, for adapters that need one. CSV or .xlsx.

    \b
      sku,key,listed,price,list_price,currency
      TS-1001-SİYAH-M,8680001234567,yes,129.90,159.90,TRY
      "KABLO USB-C, 2M",8680007654321,no,,,

    \b
      holdfast channels listings my-shop listings.csv
      holdfast channels listings my-shop listings.csv --dry-run
      holdfast channels listings my-shop listings.csv --report bad.csv

    With a factor the key is a pack of so many, beside the SKU's own listing. A bundle has no sku, but components.

    \b
      sku,key,factor,components
      ÇAY-RİZE-1KG,8680000000062,6,
      ,8680000000994,,2*ÇAY-RİZE-1KG | LOKUM-GÜLLÜ-500G

    Listings that the file does not name are unchanged. Importing the same file again changes nothing. A listing may
    name a SKU without stock: the channel shows 0 until there is some.

    What counts is the end of the whole file: SKUs may swap keys, and one may take the key that another leaves.
    Of two SKUs that are listed under one key in the end, the row of the new one is bad.

    First it looks at what would change, and asks on a terminal. Elsewhere SKUs without stock, names nearly like known
    ones, and much that is unlisted need --yes: without it nothing is imported, and the exit code is 3. holdfast undo
    takes it back.

    The exit code is 1 if any row was bad; the good rows are imported all the same. A file that is interrupted is partly
    imported: each key then has one SKU. Run the same command again.
    """  # noqa: D301  # click needs the character, not the two
    import_file(listings_import(channel, is_new=is_new), file, Origin("listings", file.name, channel), **options)
