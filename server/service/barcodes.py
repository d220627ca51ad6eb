"""Barcodes: what a scanner at the door reads, and how many units of which SKU that is."""

from typing import NamedTuple

from server.domain.gs1 import Label
from server.domain.gtin import check_digit_fault, is_gtin, same_gtins
from server.domain.spelling import normal
from server.schemas.barcodes import BarcodeBody, BarcodesBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_sku
from server.service.scans import Scan, check_scan, find_here, known_pack, label_of
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.repositories.barcodes import Pack, find_barcodes
from server.store.repositories.barcodes import put_barcodes as store_barcodes


class ReadBarcode(NamedTuple):
    """What a scan stands for. ``barcode``: as it is registered. ``label``: what else the label says, None for none."""

    barcode: str
    pack: Pack
    label: Label | None


async def put_barcodes(caller: Caller, body: BarcodesBody) -> int:
    """Set what barcodes stand for; return how many.

    Raises
    ------
    InvalidError
        A field breaks a rule, or a barcode is there twice.
    ProblemError
        The store did not answer in time; asking again is safe.

    """
    wanted = [
        (to_register(f"barcodes[{number}].barcode", each.barcode), _pack(f"barcodes[{number}].", each))
        for number, each in enumerate(body.barcodes)
    ]
    client, keyspace = caller.partition.client, caller.partition.keyspace
    asked = list({spelling for scan, _ in wanted for spelling in scan.spellings})
    stored = await in_time(find_barcodes(client, keyspace, asked))
    packs: dict[str, Pack] = {}
    for scan, pack in wanted:
        for barcode in registered_as(scan, stored):
            if barcode in packs:
                raise InvalidError(scan.field, f"stands twice in this request: {barcode}")
            packs[barcode] = pack
    await written(store_barcodes(client, keyspace, list(packs.items())))
    return len(wanted)


def _pack(at: str, body: BarcodeBody) -> Pack:
    return Pack(check_sku(f"{at}sku", body.sku), body.factor)


def to_register(field: str, text: str) -> Scan:
    """Return a barcode that is to be registered.

    Raises
    ------
    InvalidError
        It cannot be one.

    """
    label, fault = label_of(normal(text))
    if label is None or fault:
        scan = check_scan(field, text)
        return scan if scan.fault else scan._replace(spellings=tuple(dict.fromkeys(sorted(scan.spellings, key=len))))
    if not label.gtin or "02" in label.elements:
        raise InvalidError(field, "must be a barcode, or a label that names an article (01)")
    return Scan(field, tuple(same_gtins(label.gtin)))


def registered_as(scan: Scan, stored: dict[str, Pack]) -> list[str]:
    """Return under which spellings a barcode is registered, or is to be: those that are there, else the shortest.

    Raises
    ------
    InvalidError
        It cannot be right, and is not stored from before that was checked.

    """
    there = [spelling for spelling in scan.spellings if spelling in stored]
    if there:
        return there
    if scan.fault:
        raise InvalidError(scan.field, scan.fault)
    return [shortest(scan.spellings[0])]


def shortest(barcode: str) -> str:
    """Return the spelling under which a barcode is registered first: one for each GTIN, whoever comes first."""
    fits = is_gtin(barcode) and not check_digit_fault(barcode)
    return same_gtins(barcode)[0] if fits else barcode


async def find_barcode(caller: Caller, text: str) -> ReadBarcode:
    """Read what a barcode or label stands for.

    Raises
    ------
    InvalidError
        It cannot be a barcode.
    UnknownBarcodeError
        It is not registered.
    StoreUnavailableError
        The store did not answer in time.

    """
    scan = check_scan("barcode", text)
    found = await find_here(caller, [scan])
    pack = known_pack(scan, found)
    known = found[scan]
    return ReadBarcode(known.barcode, pack, label_of(normal(text))[0] if known.is_label else None)
