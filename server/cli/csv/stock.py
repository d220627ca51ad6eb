"""CSV files of stock: each row sets what one SKU has at one location."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from server.cli.csv.csv_import import CsvFile, CsvImport, Key, Tally, Target
from server.cli.csv.reader import BadCellError, Cells, Columns, Row, shown
from server.cli.csv.send_rows import send_rows
from server.domain.limits import DEFAULT_LOCATION, QUANTITY_MAX
from server.domain.operations.base import fingerprint
from server.domain.operations.stock import Count
from server.domain.principal import LOCAL
from server.service.checks import check_location, check_sku
from server.store.ledger.ledger import Ledger

COLUMNS: Final = Columns(("sku", "on_hand"), ("location", "safety"))
_WHOLE_NUMBER: Final = re.compile(r"\+?[0-9]{1,18}", re.ASCII)


class Counted(NamedTuple):
    """The units of one SKU at one location. ``safety`` None leaves the safety stock unchanged."""

    sku: str
    location: str
    on_hand: int
    safety: int | None


KEY: Final = Key[Counted](
    lambda counted: (counted.sku, counted.location),
    lambda counted, lines: f"{shown(counted.sku)} at {counted.location} is on line {lines} too, with other figures",
)


def stock_import(reason: str, salt: str = "", location: str = DEFAULT_LOCATION) -> CsvImport[Counted]:
    """Import counts of stock.

    Parameters
    ----------
    reason
        What the journal keeps as the reason of each change.
    salt
        Makes the idempotency keys new, so that a file that was imported before counts again.
    location
        The location of rows that name none.

    """

    async def put(target: Target, file: CsvFile[Counted], tally: Tally) -> None:
        prefix = f"import:{file.digest}{salt and ':' + salt}"
        await count_rows(target.store.ledger(target.partition), file.rows, prefix, reason, tally)
        if tally.unchanged and not tally.set:
            tally.hints.append("Nothing was counted. If this is a new count with the same content, add --again.")

    return CsvImport(
        columns=COLUMNS,
        row=lambda cells: _counted(cells, location),
        keys=(KEY,),
        put=put,
        unchanged="unchanged (same file imported before)",
    )


def _counted(cells: Cells, default_location: str) -> Counted:
    sku = check_sku("sku", cells.get("sku"))
    location = check_location("location", cells.get("location") or default_location)
    safety = cells.get("safety")
    return Counted(sku, location, _units("on_hand", cells.get("on_hand")), _units("safety", safety) if safety else None)


def _units(name: str, value: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(value):
        raise BadCellError(f"{name} is {shown(value)}, not a whole number of units (no dots, commas or minus)")
    units = int(value)
    if units > QUANTITY_MAX:
        raise BadCellError(f"{name} is {units}, more than {QUANTITY_MAX}")
    return units


async def count_rows(
    ledger: Ledger,
    rows: Iterable[Row[Counted]],
    key_prefix: str,
    reason: str,
    tally: Tally,
    *,
    baseline_seq: int = -1,
) -> None:
    """Set ``on_hand`` (and ``safety``) of every row. The key of a row is ``key_prefix`` and its line number.

    ``baseline_seq`` is the seq that the partition had when the count began, -1 for none.

    Raises
    ------
    StoreUnreachableError
        A row could not be sent for a minute.

    """
    counts = ([(row, _count(row, f"{key_prefix}:{row.line}", reason, baseline_seq))] for row in rows)
    await send_rows(ledger, counts, tally)


def _count(row: Row[Counted], key: str, reason: str, baseline_seq: int) -> Count:
    sku, location, on_hand, safety_or_none = row.value
    safety = -1 if safety_or_none is None else safety_or_none
    digest = fingerprint("import", sku, location, on_hand, safety, baseline_seq)
    return Count(digest, LOCAL.actor, key, sku, location, on_hand, baseline_seq, safety, reason)
