"""Finds barcodes that stand where quantities belong: a scan into the wrong cell makes millions of units."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from server.domain.gtin import check_digit_fault, is_gtin
from server.files.file_import import Tally
from server.files.reader import BadRow, Row
from server.store.connection.connect import StoreClient
from server.store.connection.scans import scan
from server.store.keys import Keyspace
from server.store.repositories.stock import decode_stock

T = TypeVar("T")

TIMES: Final = 1_000
"""How many times the most units that are known anywhere a number must be, to be taken for a barcode."""


async def without_barcodes(
    client: StoreClient, keyspace: Keyspace, rows: Sequence[Row[T]], units: Callable[[T], int], tally: Tally
) -> list[Row[T]]:
    """Refuse rows whose units have the form of a GTIN, and are far more than any place has had.

    Where there is nothing to compare with, the check digit decides. The store is asked only if there are such rows.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    suspect = {row.line for row in rows if is_gtin(str(units(row.value)))}
    if not suspect:
        return list(rows)
    most = max((units(row.value) for row in rows if row.line not in suspect), default=0)
    async for _, packed in scan(client, keyspace.stock):
        most = max(most, decode_stock(packed).on_hand)
    kept = []
    for row in rows:
        number = units(row.value)
        if row.line in suspect and number > TIMES * most and (most or not check_digit_fault(str(number))):
            reason = f"{number} units look like a barcode, the most of any place are {most:,}"
            reason += ". If they are meant, add --as-written"
            tally.add(refused=BadRow(row.line, reason, row.text))
        else:
            kept.append(row)
    return kept
