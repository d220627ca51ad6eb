"""What the parts of a reservation are named by: the number of a line, a channel's key, or a barcode."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from server.domain.channels import KEY_BYTES_MAX
from server.schemas.reservations import PartBody
from server.schemas.returns_and_exchanges import ReturnPartBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_name
from server.service.scans import Found, Scan, check_scan, find_here, known_pack, units_of
from server.store.repositories.barcodes import Pack

Parts = Sequence[PartBody | ReturnPartBody]


class Scannable(Protocol):
    """What may name a barcode in place of something else."""

    @property
    def barcode(self) -> str | msgspec.UnsetType:
        """What was scanned."""
        ...


_SKU: Final = "\0"
"""In front of a SKU that stands in the place of a line's number, see ``lua/lib/channel_lines.lua``."""
NO_SCANS: Final[Mapping[Scan, Found]] = {}


class NamedPart(NamedTuple):
    """A part as the scripts take it: units of a line or SKU, or pieces of what a channel wrote under its key."""

    name: int | str
    quantity: int


async def find_scanned(caller: Caller, parts: Sequence[Scannable] | None) -> Mapping[Scan, Found]:
    """Look up what the barcodes of parts stand for; nothing is asked where none has one.

    Raises
    ------
    InvalidError
        What stands in place of a barcode can be none.
    StoreUnavailableError
        The store did not answer in time.

    """
    scans = [_scan(number, part.barcode) for number, part in enumerate(parts or ()) if isinstance(part.barcode, str)]
    return await find_here(caller, scans) if scans else NO_SCANS


def named_parts(parts: Parts | None, found: Mapping[Scan, Found] = NO_SCANS) -> list[NamedPart]:
    """Return what each part is named by. ``found``: what :func:`find_scanned` has found.

    Raises
    ------
    InvalidError
        One is named by nothing or by two things, or a key is there twice.
    UnknownBarcodeError
        A barcode is not registered.

    """
    named: list[NamedPart] = []
    keys: set[str] = set()
    for number, part in enumerate(parts or ()):
        named.append(_named(number, part, found))
        if isinstance(part.key, str):
            key = str(named[-1].name)
            if key in keys:
                raise InvalidError(f"lines[{number}].key", f"is there twice: {key}; add the quantities up")
            keys.add(key)
    return named


def _named(number: int, part: PartBody | ReturnPartBody, found: Mapping[Scan, Found]) -> NamedPart:
    at = f"lines[{number}]"
    if (part.line > 0) + isinstance(part.key, str) + isinstance(part.barcode, str) != 1:
        raise InvalidError(f"{at}.line", "must be there, or the channel's key or a barcode in its place")
    if isinstance(part.key, str):
        return NamedPart(check_name(f"{at}.key", part.key, KEY_BYTES_MAX), part.quantity)
    if part.barcode is msgspec.UNSET:
        return NamedPart(part.line, part.quantity)
    pack = scanned_pack(number, part.barcode, found)
    return NamedPart(_SKU + pack.sku, units_of(f"{at}.quantity", part.quantity, pack.factor))


def scanned_pack(number: int, barcode: str, found: Mapping[Scan, Found]) -> Pack:
    """Return what the barcode of a part stands for; errors as for :func:`named_parts`."""
    return known_pack(_scan(number, barcode), found)


def _scan(number: int, barcode: str) -> Scan:
    return check_scan(f"lines[{number}].barcode", barcode)
