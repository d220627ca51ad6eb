"""Reads a CSV file of locations: what each is and where, and which rows cannot be taken."""

from typing import Final, NamedTuple

import msgspec

from server.cli.csv.reader import BadCellError, BadRow, Cells, Columns, CsvError, Sheet, shown
from server.domain.locations import LOCATIONS_MAX, Location
from server.schemas.locations import LocationBody
from server.service.checks import InvalidError
from server.service.locations import location_of

COLUMNS: Final = Columns(("name",), ("kind", "lat", "lon", "priority", "footfall", "open", "groups"))
_YES: Final = frozenset({"", "yes", "true", "1"})
_NO: Final = frozenset({"no", "false", "0"})


class Row(NamedTuple):
    """A location and the line that it stands on, counted from 1."""

    line: int
    location: Location


class LocationsFile(NamedTuple):
    """What a file says. ``repeated`` counts rows that say again what an earlier one said."""

    rows: list[Row]
    bad: list[BadRow]
    repeated: int
    ignored_columns: list[str]

    @property
    def rows_total(self) -> int:
        """How many rows the file has, without its header and empty lines."""
        return len(self.rows) + len(self.bad) + self.repeated


def read_locations_file(content: bytes) -> LocationsFile:
    """Read a whole file.

    Raises
    ------
    CsvError
        It is not UTF-8 text, its header lacks a column or names one twice, or there are too many rows.

    """
    sheet = Sheet(content, COLUMNS)
    good, bad = sheet.sort(_row)
    rows, contradictory, repeated = sheet.one_for_each(
        good,
        lambda row: row.location.name,
        lambda row: row.location,
        lambda row, others: f"{shown(row.location.name)} stands on line {others} too, described differently",
    )
    if len(rows) > LOCATIONS_MAX:
        raise CsvError(f"It describes {len(rows):,} locations; there can be {LOCATIONS_MAX:,}.")
    return LocationsFile(rows, sorted([*bad, *contradictory]), repeated, sheet.others)


def _row(cells: Cells) -> Row:
    name = cells.get("name")
    if not name:
        raise BadCellError("name is empty")
    given: dict[str, object] = {
        "open": _is_open(cells.get("open")),
        "groups": [word for each in cells.get("groups").split("|") if (word := each.strip())],
        "priority": _whole("priority", cells.get("priority")),
        "footfall": _whole("footfall", cells.get("footfall")),
        "position": _position(cells),
    }
    if kind := cells.get("kind"):
        given["kind"] = kind.lower()
    try:
        return Row(cells.line, location_of(name, msgspec.convert(given, LocationBody)))
    except InvalidError as error:
        raise BadCellError(f"{error.field} {error.rule}") from None
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


def _whole(name: str, value: str) -> int:
    try:
        return int(value or 0)
    except ValueError:
        raise BadCellError(f"{name} is {shown(value)}, not a whole number") from None


def _degrees(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise BadCellError(f"{name} is {shown(value)}, not a number of degrees, such as 41.0082") from None


def _is_open(value: str) -> bool:
    word = value.lower()
    if word not in _YES | _NO:
        raise BadCellError(f"open is {shown(value)}, not yes or no")
    return word in _YES
