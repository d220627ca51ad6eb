"""Files of stock: each row sets what one SKU has at one location."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from server.domain.limits import DEFAULT_LOCATION
from server.domain.operations.base import fingerprint
from server.domain.operations.stock import Count
from server.domain.principal import LOCAL
from server.files.barcode_quantities import without_barcodes
from server.files.cell_values import time_ms, units, yes_or_no
from server.files.file_import import IN_FLIGHT, FileImport, Key, ReadFile, Tally, Target
from server.files.place_keys import counted_before, place_key
from server.files.preview import Preview
from server.files.reader import BadCellError, Cells, Columns, Row, shown
from server.files.send_rows import See, send_rows
from server.files.stock_preview import look_at_stock
from server.service.checks import check_location, check_sku
from server.store.connection.connect import StoreClient
from server.store.ledger.ledger import Ledger
from server.store.repositories.locations import registered_names
from server.turns import in_turns

KIND: Final = "stock"
"""What it is remembered by what was said of the columns of counts."""
COLUMNS: Final = Columns(("sku", "on_hand"), ("location", "safety", "counted_at", "allow_similar"))


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
    ``as_written``: quantities are meant that look like barcodes.
    """

    name: str
    reason: str
    salt: str = ""
    baseline_seq: int = -1
    counted_ms: int = -1
    as_written: bool = False


def source_of(file: ReadFile[Counted], reason: str, salt: str = "") -> Source:
    """Return what the counts of an imported file come from."""
    return Source(f"import:{file.digest}", reason, salt, as_written=file.sheet.reading.as_written)


KEY: Final = Key[Counted](
    lambda counted: (counted.sku, counted.location),
    lambda counted, lines: f"{shown(counted.sku)} at {counted.location} is on line {lines} too, with other figures",
)


def stock_import(
    reason: str, salt: str = "", location: str = DEFAULT_LOCATION, *, allow_similar: bool = False
) -> FileImport[Counted]:
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

    async def put(target: Target, file: ReadFile[Counted], tally: Tally) -> None:
        source = source_of(file, target.tagged(reason), salt)
        await count_rows(
            target.ledger, file.rows, source, tally, target.store.client,
            actor=target.actor, in_flight=target.in_flight,
        )  # fmt: skip
        if tally.unchanged and not tally.set:
            tally.hints.append("Nothing was counted. If this is a new count with the same content, add --again.")

    async def preview(target: Target, file: ReadFile[Counted], tally: Tally) -> Preview:
        return await preview_counts(target, file.rows, source_of(file, reason, salt), tally)

    return FileImport(
        name=KIND,
        columns=COLUMNS,
        row=lambda cells: _counted(cells, location, allow_similar=allow_similar),
        keys=(KEY,),
        put=put,
        preview=preview,
        unchanged="unchanged (same file imported before)",
    )


def count_import(
    reason: str, location: str, *, baseline_seq: int = -1, counted_ms: int = -1, allow_similar: bool = False
) -> FileImport[Counted]:
    """Import what was counted at a location: rows of others are bad. The parameters are those of a :class:`Source`."""

    def source(target: Target, file: ReadFile[Counted]) -> Source:
        name = f"count:{file.digest}:{location}:{baseline_seq}"
        as_written = file.sheet.reading.as_written
        return Source(name, target.tagged(reason), "", baseline_seq, counted_ms, as_written)

    async def put(target: Target, file: ReadFile[Counted], tally: Tally) -> None:
        await count_rows(
            target.ledger, file.rows, source(target, file), tally, target.store.client,
            actor=target.actor, in_flight=target.in_flight,
        )  # fmt: skip

    async def preview(target: Target, file: ReadFile[Counted], tally: Tally) -> Preview:
        return await preview_counts(target, file.rows, source(target, file), tally)

    def row(cells: Cells) -> Counted:
        counted = _counted(cells, location, allow_similar=allow_similar)
        if counted.location != location:
            raise BadCellError(f"is at {counted.location}, but the count is of {location}")
        return counted

    return FileImport(
        name=KIND,
        columns=COLUMNS,
        row=row,
        keys=(KEY,),
        put=put,
        preview=preview,
        done="counted",
        unchanged="unchanged (counted before)",
    )


def _counted(cells: Cells, default_location: str, *, allow_similar: bool) -> Counted:
    sku = check_sku("sku", cells.get("sku"))
    location = check_location("location", cells.get("location") or default_location)
    counted_at = cells.get("counted_at")
    return Counted(
        sku,
        location,
        units(cells, "on_hand"),
        units(cells, "safety") if cells.get("safety") else None,
        time_ms("counted_at", counted_at) if counted_at else None,
        yes_or_no(cells, "allow_similar", empty=allow_similar),
    )


async def count_rows(
    ledger: Ledger,
    rows: Sequence[Row[Counted]],
    source: Source,
    tally: Tally,
    client: StoreClient | None = None,
    *,
    see: See[Counted] | None = None,
    actor: str = LOCAL.actor,
    in_flight: int = IN_FLIGHT,
) -> None:
    """Set ``on_hand`` (and ``safety``) of every row, unless the last count of its place came from the same source.

    ``client``: to find what an earlier release has counted; None: it cannot have counted anything. ``see``,
    ``in_flight``: as in :func:`~server.files.send_rows.send_rows`.

    Raises
    ------
    StoreUnreachableError
        A row could not be sent for a minute.

    """
    if client is not None and not source.as_written:
        rows = await without_barcodes(client, ledger.keyspace, rows, lambda value: value.on_hand, tally)
    counts = {row.line: _count(row, source, actor) async for row in in_turns(rows)}
    earlier = {line: f"{source.name}{source.salt and ':' + source.salt}:{line}" for line in counts}
    done = set() if client is None else await counted_before(client, ledger.keyspace, counts, earlier)
    tally.add(unchanged=len(done))
    registered = [] if client is None else await registered_names(client, ledger.keyspace)
    sequences = ([(row, counts[row.line])] for row in rows if row.line not in done)
    await send_rows(ledger, sequences, tally, registered, see, in_flight=in_flight)


async def preview_counts(target: Target, rows: Sequence[Row[Counted]], source: Source, tally: Tally) -> Preview:
    """Find out what :func:`count_rows` would do: the store's own answers to its counts, without their effect.

    Errors as for :func:`count_rows`.
    """

    async def send(ledger: Ledger, see: See[Counted]) -> None:
        await count_rows(
            ledger, rows, source, tally, target.store.client, see=see, actor=target.actor, in_flight=target.in_flight
        )

    preview = await look_at_stock(target, send, tally, lambda counted: counted.allow_similar)
    told = {each.line for each in preview.differences} | {bad.line for bad in tally.refused}
    preview.settled = {row.line for row in rows} - told
    return preview


def _count(row: Row[Counted], source: Source, actor: str) -> Count:
    sku, location, on_hand, safety_or_none, counted_or_none, allow_similar = row.value
    safety = -1 if safety_or_none is None else safety_or_none
    counted_ms = source.counted_ms if counted_or_none is None else counted_or_none
    digest = fingerprint(source.name, sku, location, on_hand, safety, source.baseline_seq, counted_ms)
    return Count(
        f"{digest}+{source.salt}" if source.salt else digest, actor, place_key(sku, location), sku, location,
        on_hand, source.baseline_seq, safety, source.reason, counted_ms, replaces=True,
        allow_similar=allow_similar,
    )  # fmt: skip
