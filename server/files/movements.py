"""Files of movements: each row receives, adjusts, counts or moves units of one SKU."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from server.domain.operations.base import fingerprint
from server.domain.operations.stock import Count, StockOperation
from server.domain.principal import ALL_SCOPES, Principal
from server.files.barcode_quantities import without_barcodes
from server.files.cell_values import whole_number, yes_or_no
from server.files.column_words import plain
from server.files.file_import import FileImport, ReadFile, Tally, Target
from server.files.movements_preview import Movements, look_at_movements
from server.files.place_keys import counted_before, place_key
from server.files.preview import Preview
from server.files.reader import BadCellError, BadRow, Cells, Columns
from server.files.send_rows import Runs, See, send_rows
from server.schemas.stock import CountMovement, MovementBody
from server.service.caller import Caller, local_caller
from server.service.checks import InvalidError
from server.service.movements import operation_of, scan_of
from server.service.problems import of_error
from server.service.scans import Found, Scan, find_scans
from server.store.repositories.locations import registered_names
from server.turns import in_turns

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
_UNITS: Final = "whole number of units"


KINDS: Final = {
    **dict.fromkeys(("mal_kabul", "kabul", "giris", "receptie", "intrare"), "receive"),
    **dict.fromkeys(("duzeltme", "corectie", "ajustare"), "adjust"),
    **dict.fromkeys(("sayim", "inventar", "numarare"), "count"),
    **dict.fromkeys(("tasima", "mutare"), "move"),
}
"""What people call the kinds of movements in Turkish and Romanian, in plain form."""


class PlannedMovement(NamedTuple):
    """One movement. ``scan``: the barcode that stands in place of the SKU, None where the row names the SKU."""

    body: MovementBody
    scan: Scan | None


def _tagged(target: Target, operation: StockOperation) -> StockOperation:
    """Have the reason say of which import a movement is; what makes it a repeat stays as it is."""
    return msgspec.structs.replace(operation, reason=target.tagged(operation.reason))  # type: ignore[attr-defined]


async def send_movements(
    target: Target, ledger: Runs, movements: Movements, tally: Tally, see: See[PlannedMovement] | None = None
) -> None:
    """Send movements, those of a SKU in the order of the file. ``see``: see :func:`send_rows`, as for the errors."""
    registered = await registered_names(target.store.client, target.keyspace)
    await send_rows(ledger, _by_sku(movements), tally, registered, see, in_flight=target.in_flight)


def movements_import(reason: str, salt: str = "", *, allow_similar: bool = False) -> FileImport[PlannedMovement]:
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

    async def put(target: Target, file: ReadFile[PlannedMovement], tally: Tally) -> None:
        movements = [(row, _tagged(target, each)) for row, each in await prepared(target, file, tally)]
        await send_movements(target, target.ledger, movements, tally)
        if tally.unchanged and not tally.set:
            tally.hints.append("Nothing was done. If this is a new delivery with the same content, add --again.")

    async def preview(target: Target, file: ReadFile[PlannedMovement], tally: Tally) -> Preview:
        return await look_at_movements(target, await prepared(target, file, tally), tally, send_movements)

    async def prepared(target: Target, file: ReadFile[PlannedMovement], tally: Tally) -> Movements:
        name = f"move:{file.digest}"
        caller = local_caller(target.store, target.partition, f"{name}{salt and ':' + salt}")
        caller = msgspec.structs.replace(caller, principal=Principal(target.actor, target.partition, ALL_SCOPES))
        if not file.sheet.reading.as_written:
            rows = await without_barcodes(target.store.client, target.keyspace, file.rows, _units_of, tally)
            file = file._replace(rows=rows)
        movements = await _operations(caller, file, await _found(target, file), tally)
        return await _with_place_keys(target, movements, (name, salt), tally)

    return FileImport(
        name="movements",
        columns=COLUMNS,
        row=lambda cells: _movement(cells, reason, allow_similar=allow_similar),
        put=put,
        preview=preview,
        done="done",
        unchanged="unchanged (same file run before)",
    )


def _movement(cells: Cells, reason: str, *, allow_similar: bool) -> PlannedMovement:
    kind = cells.get("kind").lower()
    kind = KINDS.get(plain(kind), kind)
    given: dict[str, Any] = {name: value for name in _TEXTS if (value := cells.get(name))}
    given |= {"kind": kind, "reason": cells.get("reason") or reason}
    given["on_hand" if kind == "count" else "quantity"] = whole_number(cells, "quantity", _UNITS)
    if cells.get("safety"):
        given["safety"] = whole_number(cells, "safety", _UNITS)
    if kind in _NAMING and yes_or_no(cells, "allow_similar", empty=allow_similar):
        given["allow_similar"] = True
    try:
        body: MovementBody = msgspec.convert(given, MovementBody)
        return PlannedMovement(body, scan_of(body))
    except (msgspec.ValidationError, InvalidError) as error:
        problem = of_error(error)
        found = problem.errors[0] if problem is not None and problem.errors else None
        raise BadCellError(f"{_column(found.field)} {found.rule}" if found else str(error)) from None


def _units_of(planned: PlannedMovement) -> int:
    """Return the number that stands in the column of quantities."""
    return planned.body.on_hand if isinstance(planned.body, CountMovement) else planned.body.quantity


def _column(field: str) -> str:
    """Name the column that a field of a movement comes from."""
    return {"on_hand": "quantity", "body": "the row"}.get(field, field)


async def _found(target: Target, file: ReadFile[PlannedMovement]) -> dict[Scan, Found]:
    scans = [row.value.scan for row in file.rows if row.value.scan is not None]
    return await find_scans(target.store.client, target.keyspace, scans)


async def _operations(
    caller: Caller, file: ReadFile[PlannedMovement], found: dict[Scan, Found], tally: Tally
) -> Movements:
    """Make the operation of each row, with a key of its own; a row of which none can be made is refused."""
    operations: Movements = []
    async for row in in_turns(file.rows):
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


async def _with_place_keys(target: Target, operations: Movements, source: tuple[str, str], tally: Tally) -> Movements:
    """Give the first count of each place the key of the place; leave out those that an earlier release has made.

    Later rows of a place belong to that count: see :func:`send_rows`. ``source``: name of the file, and salt.
    """
    first: dict[tuple[str, str], int] = {}
    for row, operation in operations:
        if isinstance(operation, Count):
            first.setdefault((operation.sku, operation.location), row.line)
    lines = set(first.values())
    keyed = {
        row.line: _of_place(each, *source)
        async for row, each in in_turns(operations)
        if row.line in lines and isinstance(each, Count)
    }
    earlier = {row.line: operation.key for row, operation in operations if row.line in lines}
    done = await counted_before(target.store.client, target.keyspace, keyed, earlier)
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


def _by_sku(operations: Movements) -> Iterable[Movements]:
    """Put the operations of each SKU in a sequence: they take effect in the order of the file."""
    by_sku: dict[str, Movements] = {}
    for row, operation in operations:
        by_sku.setdefault(operation.sku, []).append((row, operation))
    return by_sku.values()
