"""``holdfast locations``: describe warehouses and stores from a CSV file."""

import sys
from pathlib import Path

import click

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
from server.cli.csv.locations import LocationsFile, read_locations_file
from server.cli.csv.reader import shown
from server.config.settings import Settings
from server.domain.locations import LOCATIONS_MAX
from server.domain.principal import LOCAL
from server.store.keys import Keyspace
from server.store.repositories.locations import LocationStore, TooManyLocationsError, pieces


@click.group()
def locations() -> None:
    """Look after the warehouses and stores: what they are, where, and whether they are open."""


@locations.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@partition_option
@report_option
@store_options
def import_(file: Path, partition: str, report: Path | None, **overrides: object) -> None:
    """Describe locations from a CSV file.

    The first line names the columns: name, and if you like kind (warehouse or store), lat and lon (degrees), priority
    (higher comes first), footfall, open (yes or no) and groups (with | between them). UTF-8; comma, semicolon or tab.

    \b
      name,kind,lat,lon,priority,footfall,open,groups
      main,warehouse,40.9,29.3,10,,yes,warehouse
      Kadıköy,store,40.9904,29.0292,5,1200,yes,stores|istanbul

    \b
      holdfast locations import locations.csv

    Each row describes its location anew: what is left empty goes back to its default. Locations that the file does not
    name stay as they are. Running it again changes nothing. A running server knows it within a second.

    The exit code is 1 if any row was bad; the good ones are taken all the same.
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    parsed = read_csv(file, read_locations_file)
    console = progress_console()
    if report is not None:
        write_report(report, parsed.bad)
    if parsed.ignored_columns:
        console.print(f"Columns not used: {', '.join(map(shown, parsed.ignored_columns))}", markup=False)
    described = run(_describe(settings, parsed, partition))
    tell_bad_rows(parsed.bad, report, console)
    repeated = f", {parsed.repeated:,} said twice" if parsed.repeated else ""
    unchanged = len(parsed.rows) - described
    click.echo(
        f"{parsed.rows_total:,} rows: {described:,} set, {unchanged:,} unchanged{repeated}, {len(parsed.bad):,} bad"
    )
    sys.exit(1 if parsed.bad else 0)


async def _describe(settings: Settings, file: LocationsFile, partition: str) -> int:
    """Describe those that differ from what is known; returns how many."""
    async with opened_store(settings, create=True) as store:
        await store.register(partition)
        kept = LocationStore(store.client, Keyspace(partition))
        known = (await kept.directory()).locations
        changed = [row.location for row in file.rows if known.get(row.location.name) != row.location]
        try:
            for piece in pieces(changed):
                await kept.put(piece, LOCAL.actor)
        except TooManyLocationsError:
            raise failure(
                f"There would be more than {LOCATIONS_MAX:,} locations with those known already. Nothing more was set."
            ) from None
        return len(changed)
