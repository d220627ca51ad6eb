"""Barcodes: what a scanner at the door reads, and how many units of which SKU that is."""

from server.schemas.barcodes import BarcodeBody, BarcodesBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_barcode, check_sku
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.repositories.barcodes import Pack, find_barcodes
from server.store.repositories.barcodes import put_barcodes as store_barcodes


async def put_barcodes(caller: Caller, body: BarcodesBody) -> int:
    """Set what barcodes stand for; return how many.

    Raises
    ------
    InvalidError
        A field breaks a rule, or a barcode is there twice.
    ProblemError
        The store did not answer in time; asking again is safe.

    """
    packs = _packs(body.barcodes)
    await written(store_barcodes(caller.partition.client, caller.partition.keyspace, packs))
    return len(packs)


def _packs(barcodes: list[BarcodeBody]) -> list[tuple[str, Pack]]:
    packs: dict[str, Pack] = {}
    for number, each in enumerate(barcodes):
        at = f"barcodes[{number}]"
        barcode = check_barcode(f"{at}.barcode", each.barcode)
        if barcode in packs:
            raise InvalidError(f"{at}.barcode", f"stands twice in this request: {barcode}")
        packs[barcode] = Pack(check_sku(f"{at}.sku", each.sku), each.factor)
    return list(packs.items())


async def find_barcode(caller: Caller, barcode: str) -> Pack | None:
    """Read what a barcode stands for; None: it is not registered.

    Raises
    ------
    InvalidError
        It cannot be a barcode.
    StoreUnavailableError
        The store did not answer in time.

    """
    checked = check_barcode("barcode", barcode)
    return (await in_time(find_barcodes(caller.partition.client, caller.partition.keyspace, [checked]))).get(checked)
