"""Barcodes: what a scanner at the door reads, and how many units of which SKU that is."""

from typing import NamedTuple

import msgspec

from server.domain.gs1 import Label
from server.domain.gtin import check_digit_fault, is_gtin, same_gtins
from server.domain.spelling import normal
from server.schemas.barcodes import BarcodeBody, BarcodesBody, BarcodesQuery, RemoveQuery
from server.service.caller import Caller
from server.service.checks import InvalidError, UnknownBarcodeError, check_reason, check_sku
from server.service.documents import Freshness, documents_of, freshness
from server.service.pages import next_of, place_in
from server.service.scans import Scan, check_scan, find_here, known_pack, label_of, refuse_misread
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.documents import finding_search as search
from server.store.documents.database import Session
from server.store.repositories.aliases import names_of
from server.store.repositories.barcodes import Pack, find_barcodes, remove_barcodes
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
    reason = check_reason(body.reason)
    await written(store_barcodes(client, keyspace, list(packs.items()), caller.actor, reason=reason))
    return len(wanted)


async def remove_barcode(caller: Caller, text: str, query: RemoveQuery) -> tuple[str, Pack]:
    """Take a barcode away, in whatever spelling it is registered; return it as it was, and what it stood for.

    Raises
    ------
    InvalidError
        It cannot be a barcode, or the reason breaks a rule.
    UnknownBarcodeError
        It is not registered.
    ProblemError
        The store did not answer in time; asking again is safe.

    """
    scan, reason = to_register("barcode", text), check_reason(query.reason)
    client, keyspace = caller.partition.client, caller.partition.keyspace
    stored = await in_time(find_barcodes(client, keyspace, scan.spellings))
    there = [(spelling, stored[spelling]) for spelling in scan.spellings if spelling in stored]
    if not there:
        refuse_misread(scan)
        raise UnknownBarcodeError(scan.field)
    await written(remove_barcodes(client, keyspace, there, caller.actor, reason=reason))
    return there[0]


class BarcodesFound(NamedTuple):
    """Barcodes of a SKU, by its name of today; ``following`` is the ``after`` of the next page, empty on the last."""

    sku: str
    found: list[tuple[str, Pack]]
    following: str
    freshness: Freshness


_decode_place = msgspec.json.Decoder(tuple[str]).decode


async def barcodes_of(caller: Caller, sku: str, query: BarcodesQuery) -> BarcodesFound:
    """Read a page of the barcodes of a SKU. An index finds them; what they stand for is read from the store.

    Raises
    ------
    InvalidError
        It cannot be a SKU, or ``after`` is not what a page returned as its next.
    ProblemError
        There is no documents database.
    DocumentsError
        It does not answer.
    StoreUnavailableError
        The store did not answer in time.

    """
    age, partition, parts = await freshness(caller), caller.principal.partition, caller.partition
    names = await in_time(names_of(parts.client, parts.keyspace, check_sku("sku", sku)))
    [after] = place_in(query.after, _decode_place) if query.after else ("",)

    async def look(session: Session) -> list[str]:
        return await search.barcodes_of(session, partition, names, after, query.limit)

    barcodes = await documents_of(caller).look(look)
    packs = await in_time(find_barcodes(parts.client, parts.keyspace, barcodes))
    found = [(barcode, packs[barcode]) for barcode in barcodes if barcode in packs and packs[barcode].sku == names[0]]
    following = next_of((barcodes[-1],)) if len(barcodes) == query.limit else ""
    return BarcodesFound(names[0], found, following, age)


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
