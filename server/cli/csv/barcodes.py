"""CSV files of barcodes: each row sets the SKU of a barcode, and the units in its pack."""

import re
from typing import Final, NamedTuple

from server.cli.csv.csv_import import CsvFile, CsvImport, Key, Tally, Target, in_pieces
from server.cli.csv.reader import BadCellError, BadRow, Cells, Columns, shown
from server.domain.limits import BARCODES_PER_CALL_MAX, PACK_UNITS_MAX
from server.service.barcodes import registered_as, shortest, to_register
from server.service.checks import InvalidError, check_sku
from server.service.scans import Scan
from server.store.keys import Keyspace
from server.store.repositories.barcodes import Pack, all_barcodes, put_barcodes

_FACTOR: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class Barcode(NamedTuple):
    """A barcode, and the SKU and number of units that it stands for. ``barcode``: one for all spellings of a GTIN."""

    barcode: str
    pack: Pack
    scan: Scan


def _barcode(cells: Cells) -> Barcode:
    factor = cells.get("factor") or "1"
    if not _FACTOR.fullmatch(factor) or not 1 <= int(factor) <= PACK_UNITS_MAX:
        raise BadCellError(f"factor is {shown(factor)}, not a whole number of units from 1 to {PACK_UNITS_MAX}")
    scan = to_register("barcode", cells.get("barcode"))
    pack = Pack(check_sku("sku", cells.get("sku")), int(factor))
    return Barcode(shortest(scan.spellings[0]) if scan.spellings else cells.get("barcode"), pack, scan)


async def _put(target: Target, file: CsvFile[Barcode], tally: Tally) -> None:
    client, keyspace = target.store.client, Keyspace(target.partition)
    stored = {barcode: pack async for barcode, pack in all_barcodes(client, keyspace)}
    changed: list[tuple[str, Pack]] = []
    for row in file.rows:
        try:
            names = registered_as(row.value.scan, stored)
        except InvalidError as error:
            tally.add(refused=BadRow(row.line, f"{error.field} {error.rule}", row.text))
            continue
        if all(stored.get(name) == row.value.pack for name in names):
            tally.add(unchanged=1)
        else:
            changed += [(name, row.value.pack) for name in names]
            tally.add(set=1)
    for piece in in_pieces(changed, BARCODES_PER_CALL_MAX):
        await put_barcodes(client, keyspace, piece)


BARCODES: Final = CsvImport(
    columns=Columns(("barcode", "sku"), ("factor",)),
    row=_barcode,
    keys=(
        Key(
            lambda row: row.barcode,
            lambda row, lines: f"{shown(row.barcode)} is on line {lines} too, with another SKU or factor",
        ),
    ),
    put=_put,
)
