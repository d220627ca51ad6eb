"""CSV files of locations: each row describes a warehouse or store."""

from functools import partial
from typing import Final

import msgspec

from server.cli.common import failure
from server.cli.csv.cell_values import yes_or_no
from server.cli.csv.csv_import import CsvFile, CsvImport, Key, Tally, Target, in_pieces, only_changed
from server.cli.csv.reader import BadCellError, BadRow, Cells, Columns, CsvError, shown
from server.cli.csv.send_rows import new_name
from server.domain.locations import LOCATIONS_MAX, Location
from server.domain.principal import LOCAL
from server.schemas.locations import LocationBody
from server.service.locations import location_of
from server.store.keys import Keyspace
from server.store.repositories.locations import LOCATIONS_PER_WRITE, LocationStore, TooManyLocationsError


def _location(cells: Cells) -> Location:
    given: dict[str, object] = {
        "open": yes_or_no(cells, "open"),
        "groups": [word for each in cells.get("groups").split("|") if (word := each.strip())],
        "priority": _whole(cells, "priority"),
        "footfall": _whole(cells, "footfall"),
        "position": _position(cells),
    }
    if kind := cells.get("kind"):
        given["kind"] = kind.lower()
    try:
        return location_of(cells.get("name"), msgspec.convert(given, LocationBody))
    except msgspec.ValidationError as error:
        rule, _, field = str(error).replace("`", "").partition(" - at $.")
        raise BadCellError(f"{field}: {rule[0].lower()}{rule[1:]}") from None


def _position(cells: Cells) -> dict[str, float] | None:
    lat, lon = cells.get("lat"), cells.get("lon")
    if not lat and not lon:
        return None
    if not lat or not lon:
        raise BadCellError("lat and lon must both be given, or neither")
    return {"lat": _degrees("lat", lat), "lon": _degrees("lon", lon)}


def _whole(cells: Cells, name: str) -> int:
    value = cells.get(name)
    try:
        return int(value or 0)
    except ValueError:
        raise BadCellError(f"{name} is {shown(value)}, not a whole number") from None


def _degrees(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise BadCellError(f"{name} is {shown(value)}, not a number of degrees, such as 41.0082") from None


def _check(file: CsvFile[Location]) -> None:
    if len(file.rows) > LOCATIONS_MAX:
        raise CsvError(
            f"It describes {len(file.rows):,} locations; a partition has at most {LOCATIONS_MAX:,}. Remove some rows."
        )


def _key(location: Location) -> str:
    return location.name


async def _put(target: Target, file: CsvFile[Location], tally: Tally, *, allow_similar: bool) -> None:
    repository = LocationStore(target.store.client, Keyspace(target.partition), target.store.retention.packed())
    stored, rows = (await repository.directory()).locations, {row.value.name: row for row in file.rows}
    try:
        for piece in in_pieces(only_changed(file, stored, _key, tally), LOCATIONS_PER_WRITE):
            similar = await repository.put(piece, LOCAL.actor, allow_similar=allow_similar)
            tally.add(set=len(piece) - len(similar))
            for name, known in similar.items():
                row = rows[name]
                tally.add(refused=BadRow(row.line, new_name("location", name, known), row.text))
    except TooManyLocationsError:
        raise failure(
            f"With the locations that are registered there would be more than {LOCATIONS_MAX:,}."
            " The rest of the file was not imported. Remove rows, and run the command again."
        ) from None


def locations_import(*, allow_similar: bool = False) -> CsvImport[Location]:
    """Import descriptions; ``allow_similar``: new names are meant, even if known ones are like them."""
    key = Key(_key, lambda location, lines: f"{shown(location.name)} is on line {lines} too, described differently")
    return CsvImport(
        columns=Columns(("name",), ("kind", "lat", "lon", "priority", "footfall", "open", "groups")),
        row=_location,
        keys=(key,),
        put=partial(_put, allow_similar=allow_similar),
        check=_check,
    )


LOCATIONS: Final = locations_import()
