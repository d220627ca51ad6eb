"""The rules that types cannot express: which characters a name may have, and how many bytes."""

import re
from typing import Final

from server.domain import limits
from server.domain.safety_stock import CATEGORY_BYTES_MAX
from server.schemas.common import RESERVATION_ID, UNPRINTABLE

_CURSOR: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_CURSOR_MAX: Final = 2**64 - 1
"""What the store returns as the place to go on from."""


class InvalidError(Exception):
    """A request breaks a rule: ``field`` names where, ``rule`` what is expected there."""

    def __init__(self, field: str, rule: str) -> None:
        self.field = field
        self.rule = rule
        super().__init__(f"{field}: {rule}")


def check_text(field: str, value: str, bytes_max: int) -> str:
    """Return the text if it has 1 to ``bytes_max`` bytes and nothing unprintable.

    Raises
    ------
    InvalidError
        It has not.

    """
    # Nearly all are plain ASCII, for which this is the whole check.
    if value.isascii() and value.isprintable() and 0 < len(value) <= bytes_max:
        return value
    if UNPRINTABLE.search(value):
        raise InvalidError(field, "must not hold control characters or line breaks")
    if not value or len(value) > bytes_max or (not value.isascii() and len(value.encode()) > bytes_max):
        raise InvalidError(field, f"must have 1 to {bytes_max} bytes in UTF-8")
    return value


def is_plain_place(sku: str, location: str) -> bool:
    """Return True for most valid SKUs and locations, quickly: printable ASCII of a valid length."""
    return (
        sku.isascii()
        and sku.isprintable()
        and 0 < len(sku) <= limits.SKU_BYTES_MAX
        and location.isascii()
        and location.isprintable()
        and 0 < len(location) <= limits.LOCATION_BYTES_MAX
    )


def check_sku(field: str, value: str) -> str:
    """Return the SKU if it is one."""
    return check_text(field, value, limits.SKU_BYTES_MAX)


def check_barcode(field: str, value: str) -> str:
    """Return the barcode if it can be one."""
    return check_text(field, value, limits.BARCODE_BYTES_MAX)


def check_location(field: str, value: str) -> str:
    """Return the location's name if it can be one."""
    return check_text(field, value, limits.LOCATION_BYTES_MAX)


def check_category(field: str, value: str | None) -> str:
    """Return a category if it can be one, empty for None."""
    return "" if value is None else check_text(field, value, CATEGORY_BYTES_MAX)


def check_reference(field: str, value: str | None) -> str:
    """Return a reference, empty for None."""
    return "" if value is None else check_text(field, value, limits.REFERENCE_BYTES_MAX)


def check_reservation_id(field: str, value: str) -> str:
    """Return the id if it can be one."""
    if len(value) > limits.RESERVATION_ID_BYTES_MAX or not RESERVATION_ID.match(value):
        raise InvalidError(field, "must be 1 to 64 of A–Z a–z 0–9 _ . : -")
    return value


def check_cursor(field: str, value: str) -> str:
    """Return the place in a scan that a page returned as its next, empty for the start."""
    if value and not (_CURSOR.fullmatch(value) and int(value) <= _CURSOR_MAX):
        raise InvalidError(field, "must be what a page gave as next")
    return value


def check_idempotency_key(value: str | None) -> str:
    """Return the header's value, empty where it is absent."""
    if value is None:
        return ""
    if not value or len(value) > limits.IDEMPOTENCY_KEY_BYTES_MAX or not value.isascii() or not value.isprintable():
        raise InvalidError("Idempotency-Key", "must be 1 to 128 printable ASCII characters")
    return value
