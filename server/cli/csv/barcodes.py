"""CSV files of barcodes: each row sets the SKU of a barcode, and the units in its pack."""

import re
from typing import Final, NamedTuple

from server.cli.csv.csv_import import CsvFile, CsvImport, Key, Tally, Target, in_pieces, only_changed
from server.cli.csv.reader import BadCellError, Cells, Columns, shown
from server.domain.limits import BARCODES_PER_CALL_MAX, PACK_UNITS_MAX
from server.service.checks import check_barcode, check_sku
from server.store.keys import Keyspace
from server.store.repositories.barcodes import Pack, all_barcodes, put_barcodes

_FACTOR: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class Barcode(NamedTuple):
    """A barcode, and the SKU and number of units that it stands for."""

    barcode: str
    pack: Pack


def _barcode(cells: Cells) -> Barcode:
    factor = cells.get("factor") or "1"
    if not _FACTOR.fullmatch(factor) or not 1 <= int(factor) <= PACK_UNITS_MAX:
        raise BadCellError(f"factor is {shown(factor)}, not a whole number of units from 1 to {PACK_UNITS_MAX}")
    barcode = check_barcode("barcode", cells.get("barcode"))
    return Barcode(barcode, Pack(check_sku("sku", cells.get("sku")), int(factor)))


def _key(row: Barcode) -> str:
    return row.barcode


async def _put(target: Target, file: CsvFile[Barcode], tally: Tally) -> None:
    client, keyspace = target.store.client, Keyspace(target.partition)
    stored = {barcode: Barcode(barcode, pack) async for barcode, pack in all_barcodes(client, keyspace)}
    for piece in in_pieces(only_changed(file, stored, _key, tally), BARCODES_PER_CALL_MAX):
        await put_barcodes(client, keyspace, piece)
        tally.add(set=len(piece))


BARCODES: Final = CsvImport(
    columns=Columns(("barcode", "sku"), ("factor",)),
    row=_barcode,
    keys=(Key(_key, lambda row, lines: f"{shown(row.barcode)} is on line {lines} too, with another SKU or factor"),),
    put=_put,
)
