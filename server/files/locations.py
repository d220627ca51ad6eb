"""Files of locations: each row describes a warehouse or store."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from server.domain.likeness import fold
from server.domain.locations import LOCATIONS_MAX, Location
from server.files.cell_values import whole_number, yes_or_no
from server.files.column_words import plain
from server.files.file_import import (
    FileImport,
    ImportStoppedError,
    Keeper,
    Key,
    ReadFile,
    Tally,
    Target,
    in_pieces,
    only_changed,
)
from server.files.keeper import stored_in
from server.files.name_warnings import name_warnings
from server.files.preview import LINES_NAMED_MAX, Concern, Difference, Figures, Form, Preview, named_lines
from server.files.reader import BadCellError, BadRow, Cells, Columns, FileError, shown
from server.files.send_rows import new_name
from server.files.stock_preview import begun
from server.files.wording import counted
from server.schemas.locations import LocationBody
from server.service.locations import location_of
from server.service.mirrored_locations import filled_by
from server.store.repositories.known_names import nearly_known, unknown_names
from server.store.repositories.location_names import read_location_names
from server.store.repositories.locations import LOCATIONS_PER_WRITE, LocationStore, TooManyLocationsError
from server.store.repositories.mirrors import read_mirrored

KINDS: Final = {
    **dict.fromkeys(("depo", "ambar", "depozit"), "warehouse"),
    **dict.fromkeys(("magaza", "sube", "magazin"), "store"),
}
"""What people call the kinds of locations in Turkish and Romanian, in plain form."""


def _location(cells: Cells) -> Location:
    given: dict[str, object] = {
        "open": yes_or_no(cells, "open"),
        "groups": [word for each in cells.get("groups").split("|") if (word := each.strip())],
        "priority": whole_number(cells, "priority") if cells.get("priority") else 0,
        "footfall": whole_number(cells, "footfall") if cells.get("footfall") else 0,
        "position": _position(cells),
    }
    if kind := cells.get("kind"):
        given["kind"] = KINDS.get(plain(kind), kind.lower())
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


def _degrees(name: str, value: str) -> float:
    try:
        return float(value.replace(",", "."))
    except ValueError:
        raise BadCellError(f"{name} is {shown(value)}, not a number of degrees, such as 41.0082") from None


def _check(file: ReadFile[Location]) -> None:
    if len(file.rows) > LOCATIONS_MAX:
        raise FileError(
            f"It describes {len(file.rows):,} locations; a partition has at most {LOCATIONS_MAX:,}. Remove some rows."
        )


def _key(location: Location) -> str:
    return location.name


async def _put(target: Target, file: ReadFile[Location], tally: Tally, *, allow_similar: bool) -> None:
    repository = LocationStore(target.store.client, target.keyspace, target.store.retention.packed())
    stored, rows = (await repository.directory()).locations, {row.value.name: row for row in file.rows}
    mirrored = await read_mirrored(target.store.client, target.keyspace)
    for name in mirrored.keys() & rows.keys():
        tally.add(refused=BadRow(rows[name].line, filled_by(name, mirrored[name]), rows[name].text))
    rest = file._replace(rows=[row for row in file.rows if row.value.name not in mirrored])
    try:
        for piece in in_pieces(only_changed(rest, stored, _key, tally), LOCATIONS_PER_WRITE):
            similar = await repository.put(piece, target.actor, allow_similar=allow_similar)
            tally.add(set=len(piece) - len(similar))
            for name, known in similar.items():
                row = rows[name]
                tally.add(refused=BadRow(row.line, new_name("location", name, known), row.text))
    except TooManyLocationsError:
        raise ImportStoppedError(
            f"With the locations that are registered there would be more than {LOCATIONS_MAX:,}."
            " The rest of the file was not imported. Remove rows, and run the command again."
        ) from None


async def _preview(target: Target, file: ReadFile[Location], tally: Tally, *, allow_similar: bool) -> Preview:
    preview = await begun(target, FORM)
    client, keyspace = target.store.client, target.keyspace
    stored = (await LocationStore(client, keyspace, target.store.retention.packed()).directory()).locations
    new = await unknown_names(client, keyspace, "location", [row.value.name for row in file.rows])
    alike = {} if allow_similar else await _alike(target, new)
    for row in file.rows:
        location, before = row.value, stored.get(row.value.name)
        if location.name in alike:
            tally.add(refused=BadRow(row.line, new_name("location", location.name, alike[location.name]), row.text))
            continue
        was = None if before is None else _figures(before)
        preview.differences.append(Difference(row.line, (location.name,), was, _figures(location)))
        tally.add(unchanged=before == location, set=before != location)
    closed = [each for each in preview.changes if (each.before is None or each.before[0]) and not each.after[0]]
    if closed:
        lines = tuple(each.line for each in closed)
        detail = (
            f"{counted(len(closed), 'location')} would be closed, so nothing there can be sold: {named_lines(lines)}"
        )
        preview.concerns.append(Concern("closed", detail, lines[:LINES_NAMED_MAX]))
    preview.warnings = await name_warnings(target, "location", [name for name in new if name not in alike])
    return preview


async def _alike(target: Target, new: Sequence[str]) -> dict[str, str]:
    """Return which new names are like a known one, or like a new one before it, and which one that is."""
    near = await nearly_known(target.store.client, target.keyspace, "location", new, also_alike=True)
    found = {name: known for name, known in near.items() if fold(name) == fold(known)}
    first: dict[str, str] = {}
    for name in new:
        if name not in found and first.setdefault(fold(name), name) != name:
            found[name] = first[fold(name)]
    return found


def _figures(location: Location) -> Figures:
    position = location.position
    lat, lon = (None, None) if position is None else (str(position.lat), str(position.lon))
    rest = (location.priority, location.footfall, "|".join(location.groups))
    return (location.open, location.kind, lat, lon, *rest)


def _told(each: Difference) -> str:
    """Say what would change of a location."""
    if each.before is None:
        return f"{each.subject[0]}: new{'' if each.after[0] else ', closed'}"
    changes = [] if each.before[0] == each.after[0] else ["opened" if each.after[0] else "closed"]
    for name, before, after in list(zip(FORM.figures, each.before, each.after, strict=True))[1:]:
        if before != after:
            changes.append(
                f"{name} {'none' if before in (None, '') else before} → {'none' if after in (None, '') else after}"
            )
    return f"{each.subject[0]}: {', '.join(changes)}"


def _shown(figure: object) -> str:
    return "none" if figure in {None, ""} else str(figure)


FORM: Final = Form(("location",), ("open", "kind", "lat", "lon", "priority", "footfall", "groups"), _told)


async def _names(target: Target, file: ReadFile[Location]) -> list[str]:
    names = await read_location_names(target.store.client, target.keyspace)
    return [names.current(row.value.name) for row in file.rows]


async def _stored(target: Target, names: Sequence[str]) -> list[bytes | None]:
    return await stored_in(target, target.keyspace.locations, names)


def locations_import(*, allow_similar: bool = False) -> FileImport[Location]:
    """Import descriptions; ``allow_similar``: new names are meant, even if known ones are like them."""
    key = Key(_key, lambda location, lines: f"{shown(location.name)} is on line {lines} too, described differently")
    return FileImport(
        name="locations",
        columns=Columns(("name",), ("kind", "lat", "lon", "priority", "footfall", "open", "groups")),
        row=_location,
        keys=(key,),
        put=partial(_put, allow_similar=allow_similar),
        preview=partial(_preview, allow_similar=allow_similar),
        keeper=Keeper(_names, _stored),
        check=_check,
    )


LOCATIONS: Final = locations_import()
