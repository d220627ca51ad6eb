"""Files of barcodes: each row sets the SKU of a barcode, and the units in its pack."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from server.domain.gtin import check_digit_fault
from server.domain.limits import BARCODES_PER_CALL_MAX
from server.files.cell_values import pack_units
from server.files.file_import import FileImport, Keeper, Key, ReadFile, Tally, Target, in_pieces
from server.files.keeper import stored_in
from server.files.name_warnings import name_warnings
from server.files.preview import LINES_NAMED_MAX, Concern, Difference, Form, Preview, named_lines
from server.files.reader import BadRow, Cells, Columns, Reading, Row, shown
from server.files.stock_preview import begun
from server.files.wording import counted
from server.service.barcodes import registered_as, shortest, to_register
from server.service.checks import InvalidError, check_sku
from server.service.scans import Scan
from server.store.repositories.barcodes import Pack, all_barcodes, put_barcodes
from server.store.repositories.known_names import unknown_names
from server.turns import in_turns

_SHORT: Final = re.compile(r"[1-9][0-9]{8,10}", re.ASCII)
"""A spreadsheet that drops zeros leaves none in front."""
_DIGITS: Final = 12
"""Of the GTINs that begin with a zero: the UPC of American goods."""


class Barcode(NamedTuple):
    """A barcode, and the SKU and number of units that it stands for. ``barcode``: one for all spellings of a GTIN."""

    barcode: str
    pack: Pack
    scan: Scan


def _barcode(cells: Cells) -> Barcode:
    factor = pack_units(cells, "factor") if cells.get("factor") else 1
    scan = to_register("barcode", cells.get("barcode"))
    pack = Pack(check_sku("sku", cells.get("sku")), factor)
    return Barcode(shortest(scan.spellings[0]) if scan.spellings else cells.get("barcode"), pack, scan)


def _lost_zeros(rows: Sequence[Row[Barcode]], reading: Reading) -> dict[int, str]:
    """Find GTINs whose leading zeros a spreadsheet dropped.

    It is so where every number of a length that no GTIN has would be one with its zeros, in a file of GTINs. One that
    would not shows that the merchant numbers goods by themselves.
    """
    short = [row for row in rows if _SHORT.fullmatch(row.value.barcode)]
    is_full = any(row.value.scan.spellings for row in rows)
    if reading.as_written or not is_full or any(check_digit_fault(row.value.barcode) for row in short):
        return {}
    return {
        row.line: f"barcode is {row.value.barcode}: a spreadsheet seems to have dropped its zeros. Write"
        f" {row.value.barcode.zfill(_DIGITS)}, in a column of text. If it is meant, add --as-written"
        for row in short
    }


class _Plan(NamedTuple):
    """What becomes of the rows: the packs that each sets, by the barcode's name in the store; empty: it is there."""

    sets: list[tuple[Row[Barcode], list[str]]]
    stored: dict[str, Pack]


async def _planned(target: Target, file: ReadFile[Barcode], tally: Tally) -> _Plan:
    stored = {barcode: pack async for barcode, pack in all_barcodes(target.store.client, target.keyspace)}
    sets: list[tuple[Row[Barcode], list[str]]] = []
    async for row in in_turns(file.rows):
        try:
            names = registered_as(row.value.scan, stored)
        except InvalidError as error:
            tally.add(refused=BadRow(row.line, f"{error.field} {error.rule}", row.text))
            continue
        is_there = all(stored.get(name) == row.value.pack for name in names)
        tally.add(unchanged=is_there, set=not is_there)
        sets.append((row, [] if is_there else names))
    return _Plan(sets, stored)


async def _put(target: Target, file: ReadFile[Barcode], tally: Tally) -> None:
    plan = await _planned(target, file, tally)
    changed = [(name, row.value.pack) for row, names in plan.sets for name in names]
    for piece in in_pieces(changed, BARCODES_PER_CALL_MAX):
        await put_barcodes(target.store.client, target.keyspace, piece, target.actor)


async def _preview(target: Target, file: ReadFile[Barcode], tally: Tally) -> Preview:
    preview = await begun(target, FORM)
    plan = await _planned(target, file, tally)
    async for row, names in in_turns(plan.sets):
        pack = row.value.pack
        before = plan.stored.get(names[0]) if names else pack
        was = None if before is None else (before.sku, before.factor)
        preview.differences.append(Difference(row.line, (row.value.barcode,), was, (pack.sku, pack.factor)))
    moved = [each for each in preview.differences if each.before is not None and each.before[0] != each.after[0]]
    if moved:
        lines = tuple(each.line for each in moved)
        detail = f"{counted(len(moved), 'barcode')} would stand for another SKU: {named_lines(lines)}"
        preview.concerns.append(Concern("other_sku", detail, lines[:LINES_NAMED_MAX]))
    skus = [row.value.pack.sku for row, _ in plan.sets]
    preview.new_skus = await unknown_names(target.store.client, target.keyspace, "sku", skus)
    preview.warnings = await name_warnings(target, "sku", preview.new_skus, also_alike=True)
    return preview


def _told(each: Difference) -> str:
    (barcode,), before, (sku, factor) = each.subject, each.before, each.after
    if before is None:
        return f"{barcode}: new, {factor} of {sku}"
    return f"{barcode}: {before[1]} of {before[0]} → {factor} of {sku}"


FORM: Final = Form(("barcode",), ("sku", "factor"), _told)


async def _names(_target: Target, file: ReadFile[Barcode]) -> list[str]:
    return [name for row in file.rows for name in (*row.value.scan.spellings, row.value.barcode)]


async def _stored(target: Target, names: Sequence[str]) -> list[bytes | None]:
    return await stored_in(target, target.keyspace.barcodes, names)


BARCODES: Final = FileImport(
    name="barcodes",
    columns=Columns(("barcode", "sku"), ("factor",)),
    row=_barcode,
    keys=(
        Key(
            lambda row: row.barcode,
            lambda row, lines: f"{shown(row.barcode)} is on line {lines} too, with another SKU or factor",
        ),
    ),
    together=_lost_zeros,
    put=_put,
    preview=_preview,
    keeper=Keeper(_names, _stored),
)
