"""CSV files of stock: each row sets what one SKU has at one location."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from server.cli.csv.cell_values import time_ms, yes_or_no
from server.cli.csv.csv_import import CsvFile, CsvImport, Key, Tally, Target
from server.cli.csv.place_keys import counted_before, place_key
from server.cli.csv.reader import BadCellError, Cells, Columns, Row, shown
from server.cli.csv.send_rows import See, send_rows
from server.domain.limits import DEFAULT_LOCATION, QUANTITY_MAX
from server.domain.operations.base import fingerprint
from server.domain.operations.stock import Count
from server.domain.principal import LOCAL
from server.service.checks import check_location, check_sku
from server.store.connection.connect import StoreClient
from server.store.ledger.ledger import Ledger
from server.store.repositories.locations import registered_names

COLUMNS: Final = Columns(("sku", "on_hand"), ("location", "safety", "counted_at", "allow_similar"))
_WHOLE_NUMBER: Final = re.compile(r"\+?[0-9]{1,18}", re.ASCII)


class Counted(NamedTuple):
    """The units of one SKU at one location. ``safety`` None leaves the safety stock unchanged.

    ``counted_ms``: when it was counted; None: the row does not say.
    ``allow_similar``: the names are meant, even if known ones are like them.
    """

    sku: str
    location: str
    on_hand: int
    safety: int | None
    counted_ms: int | None = None
    allow_similar: bool = False


class Source(NamedTuple):
    """What counts come from. ``name``: of the file and of what it is taken for; it is a repeat where both are the same.

    ``reason``: what the journal keeps. ``salt``: a word for an import that is no repeat, whatever came before.
    ``baseline_seq``, ``counted_ms``: as of when rows hold that do not say; -1: as of now.
    """

    name: str
    reason: str
    salt: str = ""
    baseline_seq: int = -1
    counted_ms: int = -1


def source_of(file: CsvFile[Counted], reason: str, salt: str = "") -> Source:
    """Return what the counts of an imported file come from."""
    return Source(f"import:{file.digest}", reason, salt)


KEY: Final = Key[Counted](
    lambda counted: (counted.sku, counted.location),
    lambda counted, lines: f"{shown(counted.sku)} at {counted.location} is on line {lines} too, with other figures",
)


def stock_import(
    reason: str, salt: str = "", location: str = DEFAULT_LOCATION, *, allow_similar: bool = False
) -> CsvImport[Counted]:
    """Import counts of stock.

    Parameters
    ----------
    reason
        What the journal keeps as the reason of each change.
    salt
        Makes it no repeat, so that a file that was imported before counts again.
    location
        The location of rows that name none.
    allow_similar
        New names are meant in all rows, even if known ones are like them.

    """

    async def put(target: Target, file: CsvFile[Counted], tally: Tally) -> None:
        source, ledger = source_of(file, reason, salt), target.store.ledger(target.partition)
        await count_rows(ledger, file.rows, source, tally, target.store.client)
        if tally.unchanged and not tally.set:
            tally.hints.append("Nothing was counted. If this is a new count with the same content, add --again.")

    return CsvImport(
        columns=COLUMNS,
        row=lambda cells: _counted(cells, location, allow_similar=allow_similar),
        keys=(KEY,),
        put=put,
        unchanged="unchanged (same file imported before)",
    )


def _counted(cells: Cells, default_location: str, *, allow_similar: bool) -> Counted:
    sku = check_sku("sku", cells.get("sku"))
    location = check_location("location", cells.get("location") or default_location)
    safety, counted_at = cells.get("safety"), cells.get("counted_at")
    return Counted(
        sku,
        location,
        _units("on_hand", cells.get("on_hand")),
        _units("safety", safety) if safety else None,
        time_ms("counted_at", counted_at) if counted_at else None,
        yes_or_no(cells, "allow_similar", empty=allow_similar),
    )


def _units(name: str, value: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(value):
        raise BadCellError(f"{name} is {shown(value)}, not a whole number of units (no dots, commas or minus)")
    units = int(value)
    if units > QUANTITY_MAX:
        raise BadCellError(f"{name} is {units}, more than {QUANTITY_MAX}")
    return units


async def count_rows(
    ledger: Ledger,
    rows: Sequence[Row[Counted]],
    source: Source,
    tally: Tally,
    client: StoreClient | None = None,
    *,
    see: See[Counted] | None = None,
) -> None:
    """Set ``on_hand`` (and ``safety``) of every row, unless the last count of its place came from the same source.

    ``client``: to find what an earlier release has counted; None: it cannot have counted anything. ``see``: as in
    :func:`~server.cli.csv.send_rows.send_rows`.

    Raises
    ------
    StoreUnreachableError
        A row could not be sent for a minute.

    """
    counts = {row.line: _count(row, source) for row in rows}
    earlier = {line: f"{source.name}{source.salt and ':' + source.salt}:{line}" for line in counts}
    done = set() if client is None else await counted_before(client, ledger.keyspace, counts, earlier)
    tally.add(unchanged=len(done))
    registered = [] if client is None else await registered_names(client, ledger.keyspace)
    sequences = ([(row, counts[row.line])] for row in rows if row.line not in done)
    await send_rows(ledger, sequences, tally, registered, see)


def _count(row: Row[Counted], source: Source) -> Count:
    sku, location, on_hand, safety_or_none, counted_or_none, allow_similar = row.value
    safety = -1 if safety_or_none is None else safety_or_none
    counted_ms = source.counted_ms if counted_or_none is None else counted_or_none
    digest = fingerprint(source.name, sku, location, on_hand, safety, source.baseline_seq, counted_ms)
    return Count(
        f"{digest}+{source.salt}" if source.salt else digest, LOCAL.actor, place_key(sku, location), sku, location,
        on_hand, source.baseline_seq, safety, source.reason, counted_ms, replaces=True,
        allow_similar=allow_similar,
    )  # fmt: skip
