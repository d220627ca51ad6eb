"""``holdfast locations``: describe warehouses and stores from a CSV file."""

from pathlib import Path
from typing import Any

import click

from server.cli.csv.command import allow_similar_option, import_csv, import_options
from server.cli.csv.locations import locations_import


@click.group()
def locations() -> None:
    """Describe warehouses and stores.

    \b
      holdfast locations import locations.csv
    """  # noqa: D301  # click needs the character, not the two


@locations.command("import")
@import_options
@allow_similar_option
def import_(file: Path, *, allow_similar: bool, **options: Any) -> None:
    """Describe locations from a CSV file.

    The first line names the columns: name, and optionally kind (warehouse or store), lat and lon (degrees), priority
    (higher comes first), footfall, open (yes or no) and groups (separated by |). UTF-8; comma, semicolon or tab.

    \b
      name,kind,lat,lon,priority,footfall,open,groups
      main,warehouse,40.9,29.3,10,,yes,warehouse
      Kadıköy,store,40.9904,29.0292,5,1200,yes,stores|istanbul

    \b
      holdfast locations import locations.csv

    A new name that a known one is like, such as KADIKÖY for Kadıköy, is a bad row. If it is meant, add --new.

    Each row replaces the description of its location: an empty cell sets the default. Locations that the file does not
    name are unchanged. Importing the same file again changes nothing. A running server uses it within a second.

    The exit code is 1 if any row was bad; the good rows are imported all the same.
    """  # noqa: D301  # click needs the character, not the two
    import_csv(locations_import(allow_similar=allow_similar), file, **options)
