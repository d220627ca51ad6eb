"""What a scanner at the door sends, and which registered barcode it is: a GTIN in any spelling, or a GS1 label."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from server.domain import limits
from server.domain.gs1 import Label, LabelError, read_label
from server.domain.gtin import check_digit_fault, is_gtin, same_gtins
from server.domain.spelling import normal
from server.service.caller import Caller
from server.service.checks import InvalidError, UnknownBarcodeError, check_barcode
from server.store.connection.connect import StoreClient
from server.store.connection.timeouts import in_time
from server.store.keys import Keyspace
from server.store.repositories.barcodes import Pack, find_barcodes

_FIELDS_AT_A_TIME: Final = 1_000
_PARCEL: Final = "is the number of a parcel, not of an article: GET /v1/parcels/{sscc} lists what was announced in it"


class MisreadError(InvalidError):
    """A barcode that is not registered, and that cannot be right as it was sent. It spoils nothing else."""


class Scan(NamedTuple):
    """What was scanned. ``spellings``: under which it can be registered, the likeliest first.

    ``gtin``: of the label, empty where it is none; ``articles``: how many of them a scan of it is.
    ``fault``: why it cannot be right, unless it is registered just so, as an earlier release took it. ``itself``: the
    label as a barcode of its own, which an earlier release may have registered.
    """

    field: str
    spellings: tuple[str, ...]
    gtin: str = ""
    articles: int = 1
    fault: str = ""
    itself: str = ""


class Found(NamedTuple):
    """The pack of a scan, and the barcode under which it is registered. ``is_label``: it is more than a barcode."""

    barcode: str
    pack: Pack
    is_label: bool = False


def check_scan(field: str, text: str) -> Scan:
    """Return what was scanned.

    Raises
    ------
    InvalidError
        It can be neither a barcode nor a label.

    """
    name = normal(text)
    label, fault = label_of(name)
    if fault or label is not None:
        itself = _itself(field, text)
        gtin = "" if label is None else label.gtin
        spellings = (itself,) if itself else ()
        if label is None or not gtin:
            return Scan(field, spellings, fault=fault or _PARCEL, itself=itself)
        return Scan(field, spellings + _same(field, gtin), gtin, label.count, itself=itself)
    barcode = check_barcode(field, text)
    if not is_gtin(name):
        return Scan(field, (barcode,))
    fault = check_digit_fault(name)
    return Scan(field, (barcode,) if fault else tuple(dict.fromkeys((barcode, *_same(field, name)))), fault=fault)


def _same(field: str, gtin: str) -> tuple[str, ...]:
    """Return the spellings of a GTIN, each as it is stored."""
    return tuple(check_barcode(field, each) for each in same_gtins(gtin))


def label_of(name: str) -> tuple[Label | None, str]:
    """Return what a label says, None where it is none; and what is wrong with it."""
    try:
        return read_label(name), ""
    except LabelError as error:
        return None, str(error)


def _itself(field: str, text: str) -> str:
    """Return a label as a barcode of its own, empty where it cannot be one."""
    try:
        return check_barcode(field, text)
    except InvalidError:
        return ""


def scan_instead(at: str, sku: str | None, barcode: str | msgspec.UnsetType | None) -> Scan | None:
    """Return the barcode that stands in place of a SKU, None where the SKU is named.

    ``at``: of the fields, such as ``lines[0].``.

    Raises
    ------
    InvalidError
        Both are named, or neither, or it cannot be a barcode.

    """
    is_scanned = isinstance(barcode, str)
    if (sku is None) != is_scanned:
        raise InvalidError(f"{at}sku", "must be there, or a barcode instead")
    return check_scan(f"{at}barcode", barcode) if isinstance(barcode, str) else None


async def find_here(caller: Caller, scans: Iterable[Scan | None]) -> dict[Scan, Found]:
    """Look up scans in the caller's partition; errors as for :func:`find_scans`, in time."""
    wanted = [scan for scan in scans if scan is not None]
    partition = caller.partition
    return await in_time(find_scans(partition.client, partition.keyspace, wanted)) if wanted else {}


async def find_scans(client: StoreClient, keyspace: Keyspace, scans: Iterable[Scan]) -> dict[Scan, Found]:
    """Look up scans; what is not registered is left out.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    wanted = set(scans)
    spellings = list({spelling for scan in wanted for spelling in scan.spellings})
    packs: dict[str, Pack] = {}
    for first in range(0, len(spellings), _FIELDS_AT_A_TIME):
        packs |= await find_barcodes(client, keyspace, spellings[first : first + _FIELDS_AT_A_TIME])
    return {scan: found for scan in wanted if (found := _chosen(scan, packs)) is not None}


def _chosen(scan: Scan, packs: Mapping[str, Pack]) -> Found | None:
    barcode = next((each for each in scan.spellings if each in packs), None)
    if barcode is None:
        return None
    pack = packs[barcode]
    if not scan.gtin or barcode == scan.itself:
        return Found(barcode, pack)
    return Found(barcode, Pack(pack.sku, pack.factor * scan.articles), is_label=True)


async def pack_of(caller: Caller, at: str, sku: str | None, barcode: str | msgspec.UnsetType | None) -> Pack:
    """Return the article that a SKU names, or a barcode instead; errors as for :func:`scan_instead`.

    Raises
    ------
    UnknownBarcodeError
        The barcode is not registered.
    StoreUnavailableError
        The store did not answer in time.

    """
    scan = scan_instead(at, sku, barcode)
    return Pack(sku or "") if scan is None else known_pack(scan, await find_here(caller, [scan]))


def known_pack(scan: Scan, found: Mapping[Scan, Found]) -> Pack:
    """Return the pack of a scan; errors as for :func:`pack_of`."""
    known = found.get(scan)
    if known is None:
        refuse_misread(scan)
        raise UnknownBarcodeError(scan.field)
    return known.pack


def refuse_misread(scan: Scan) -> None:
    """Refuse what is not registered and cannot be right.

    Raises
    ------
    MisreadError
        It cannot. The rule says what to do.

    """
    if scan.fault:
        raise MisreadError(scan.field, scan.fault)


def units_of(field: str, packs: int, factor: int) -> int:
    """Return how many units so many packs are.

    Raises
    ------
    InvalidError
        They are more than one request may be about.

    """
    if abs(packs) * factor > limits.QUANTITY_MAX:
        raise InvalidError(field, f"must be at most {limits.QUANTITY_MAX // factor} packs of {factor}")
    return packs * factor
