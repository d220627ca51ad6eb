"""CSV files of movements: each row receives, adjusts, counts or moves units of one SKU."""

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from server.cli.csv.cell_values import yes_or_no
from server.cli.csv.csv_import import CsvFile, CsvImport, Tally, Target
from server.cli.csv.place_keys import counted_before, place_key
from server.cli.csv.reader import BadCellError, BadRow, Cells, Columns, Row, shown
from server.cli.csv.send_rows import send_rows
from server.domain.operations.base import fingerprint
from server.domain.operations.stock import Count, StockOperation
from server.schemas.stock import MovementBody
from server.service.caller import Caller, local_caller
from server.service.checks import InvalidError
from server.service.movements import operation_of, scan_of
from server.service.problems import of_error
from server.service.scans import Found, Scan, find_scans
from server.store.keys import Keyspace
from server.store.repositories.locations import registered_names

COLUMNS: Final = Columns(
    ("kind", "quantity"),
    (
        *("sku", "barcode", "location", "reason", "from", "to", "bucket", "safety", "supply_id", "counted_at"),
        "allow_similar",
    ),
)
_TEXTS: Final = ("sku", "barcode", "location", "from", "to", "bucket", "supply_id", "counted_at")
_NAMING: Final = frozenset({"receive", "count"})
"""The kinds that make names known; the others are of units that are there."""
_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


class PlannedMovement(NamedTuple):
    """One movement. ``scan``: the barcode that stands in place of the SKU, None where the row names the SKU."""

    body: MovementBody
    scan: Scan | None


_Operations = list[tuple[Row[PlannedMovement], StockOperation]]


def movements_import(reason: str, salt: str = "", *, allow_similar: bool = False) -> CsvImport[PlannedMovement]:
    """Import movements.

    Parameters
    ----------
    reason
        The reason of rows that name none.
    salt
        Makes the idempotency keys new, so that a file that was run before has its effect again.
    allow_similar
        New names are meant in all rows, even if known ones are like them.

    """

    async def put(target: Target, file: CsvFile[PlannedMovement], tally: Tally) -> None:
        name = f"move:{file.digest}"
        caller = local_caller(target.store, target.partition, f"{name}{salt and ':' + salt}")
        movements = _operations(caller, file, await _found(target, file), tally)
        movements = await _with_place_keys(target, movements, (name, salt), tally)
        ledger = target.store.ledger(target.partition)
        registered = await registered_names(target.store.client, ledger.keyspace)
        await send_rows(ledger, _by_sku(movements), tally, registered)
        if tally.unchanged and not tally.set:
            tally.hints.append("Nothing was done. If this is a new delivery with the same content, add --again.")

    return CsvImport(
        columns=COLUMNS,
        row=lambda cells: _movement(cells, reason, allow_similar=allow_similar),
        put=put,
        done="done",
        unchanged="unchanged (same file run before)",
    )


def _movement(cells: Cells, reason: str, *, allow_similar: bool) -> PlannedMovement:
    kind = cells.get("kind").lower()
    given: dict[str, Any] = {name: value for name in _TEXTS if (value := cells.get(name))}
    given |= {"kind": kind, "reason": cells.get("reason") or reason}
    given["on_hand" if kind == "count" else "quantity"] = _number(cells, "quantity")
    if cells.get("safety"):
        given["safety"] = _number(cells, "safety")
    if kind in _NAMING and yes_or_no(cells, "allow_similar", empty=allow_similar):
        given["allow_similar"] = True
    try:
        body: MovementBody = msgspec.convert(given, MovementBody)
        return PlannedMovement(body, scan_of(body))
    except (msgspec.ValidationError, InvalidError) as error:
        problem = of_error(error)
        found = problem.errors[0] if problem is not None and problem.errors else None
        raise BadCellError(f"{_column(found.field)} {found.rule}" if found else str(error)) from None


def _column(field: str) -> str:
    """Name the column that a field of a movement comes from."""
    return {"on_hand": "quantity", "body": "the row"}.get(field, field)


def _number(cells: Cells, name: str) -> int:
    value = cells.get(name)
    if not _WHOLE_NUMBER.fullmatch(value):
        raise BadCellError(f"{name} is {shown(value)}, not a whole number of units (no dots or commas)")
    return int(value)


async def _found(target: Target, file: CsvFile[PlannedMovement]) -> dict[Scan, Found]:
    scans = [row.value.scan for row in file.rows if row.value.scan is not None]
    return await find_scans(target.store.client, Keyspace(target.partition), scans)


def _operations(caller: Caller, file: CsvFile[PlannedMovement], found: dict[Scan, Found], tally: Tally) -> _Operations:
    """Make the operation of each row, with a key of its own; a row of which none can be made is refused."""
    operations: _Operations = []
    for row in file.rows:
        try:
            made = operation_of(caller.with_key(f"{caller.key}:{row.line}"), row.value.body, row.value.scan, found)
        except InvalidError as error:
            tally.add(refused=BadRow(row.line, f"{error.field} {error.rule}", row.text))
            continue
        if made is None:
            tally.add(refused=BadRow(row.line, "this barcode is not registered; see holdfast barcodes", row.text))
        else:
            operations.append((row, made[1]))
    return operations


async def _with_place_keys(
    target: Target, operations: _Operations, source: tuple[str, str], tally: Tally
) -> _Operations:
    """Give the first count of each place the key of the place; leave out those that an earlier release has made.

    Later rows of a place belong to that count: see :func:`send_rows`. ``source``: name of the file, and salt.
    """
    first: dict[tuple[str, str], int] = {}
    for row, operation in operations:
        if isinstance(operation, Count):
            first.setdefault((operation.sku, operation.location), row.line)
    lines = set(first.values())
    keyed = {
        row.line: _of_place(each, *source) for row, each in operations if row.line in lines and isinstance(each, Count)
    }
    earlier = {row.line: operation.key for row, operation in operations if row.line in lines}
    done = await counted_before(target.store.client, Keyspace(target.partition), keyed, earlier)
    tally.add(unchanged=len(done))
    return [(row, keyed.get(row.line, operation)) for row, operation in operations if row.line not in done]


def _of_place(count: Count, name: str, salt: str) -> Count:
    request = fingerprint(name, count.fingerprint)
    return msgspec.structs.replace(
        count,
        key=place_key(count.sku, count.location),
        fingerprint=f"{request}+{salt}" if salt else request,
        replaces=True,
    )


def _by_sku(operations: _Operations) -> Iterable[_Operations]:
    """Put the operations of each SKU in a sequence: they take effect in the order of the file."""
    by_sku: dict[str, _Operations] = {}
    for row, operation in operations:
        by_sku.setdefault(operation.sku, []).append((row, operation))
    return by_sku.values()
