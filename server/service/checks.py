"""The rules that types cannot express: what a name is and which characters a text may have, and how many bytes."""

import re
from base64 import urlsafe_b64decode
from contextvars import ContextVar
from datetime import datetime
from typing import Final

import msgspec

from server.domain import limits
from server.domain.safety_stock import CATEGORY_BYTES_MAX
from server.domain.spelling import StoredNames, fault, is_plain, normal
from server.schemas.common import RESERVATION_ID, UNNAMED, UNPRINTABLE, time_ms_of

STORED_NAMES: Final[dict[str, StoredNames]] = {}
"""Stored names that the door lets through, of the partitions that have any or whose names were not all looked at yet.

Nearly every store has none. Then this is empty, and that is all that a request asks.
"""
_CURRENT: Final[ContextVar[StoredNames | None]] = ContextVar("stored_names", default=None)
"""Those of the partition of the request or command that runs; read only while ``STORED_NAMES`` has any."""
_CURSOR: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_IN_BASE64: Final = "~"
_BASE64_URL: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_BAD_BASE64: Final = "must have its UTF-8 in base64url, without padding, behind the ~"
_CURSOR_MAX: Final = 2**64 - 1
"""What the store returns as the place to go on from."""


class InvalidError(Exception):
    """A request breaks a rule: ``field`` names where, ``rule`` what is expected there."""

    def __init__(self, field: str, rule: str) -> None:
        self.field = field
        self.rule = rule
        super().__init__(f"{field}: {rule}")


class UnknownBarcodeError(InvalidError):
    """No SKU is registered for the barcode of this field."""

    def __init__(self, field: str, rule: str = "is not registered") -> None:
        super().__init__(field, rule)


def heed(partition: str, names: StoredNames) -> None:
    """Have the door heed the stored names of a partition from now on."""
    if names:
        STORED_NAMES[partition] = names
    else:
        STORED_NAMES.pop(partition, None)


def enter(partition: str) -> None:
    """Begin to ask on behalf of a partition; needed only while ``STORED_NAMES`` has any."""
    _CURRENT.set(STORED_NAMES.get(partition))


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
    """Return True for most valid SKUs and locations, quickly: nothing about them can need a change or a refusal."""
    return (
        not STORED_NAMES
        and is_plain(sku)
        and len(sku) <= limits.SKU_BYTES_MAX
        and (location is UNNAMED or (is_plain(location) and len(location) <= limits.LOCATION_BYTES_MAX))
    )


def check_name(field: str, value: str, bytes_max: int, kind: str = "") -> str:
    """Return the name that is meant, see :mod:`server.domain.spelling`: the one door for names of all kinds.

    ``kind``: of the names that were stored before there was this door, and that it lets through.

    Raises
    ------
    InvalidError
        It cannot be a name. The rule says what to send instead.

    """
    if STORED_NAMES:
        stored = _CURRENT.get()
        if stored is not None:
            return _as_stored(stored, field, value, bytes_max, kind)
    elif is_plain(value) and len(value) <= bytes_max:
        return value
    return _named(field, normal(value), bytes_max)


def check_new_name(field: str, value: str, bytes_max: int) -> str:
    """Return the name that is meant by what is to be a new one, whatever is stored."""
    return _named(field, normal(value), bytes_max)


def _named(field: str, name: str, bytes_max: int) -> str:
    check_text(field, name, bytes_max)
    reason = fault(name)
    if reason:
        raise InvalidError(field, reason)
    return name


def _as_stored(stored: StoredNames, field: str, value: str, bytes_max: int, kind: str) -> str:
    """Return a name as it is stored, also in a form that could not be stored today."""
    found = stored.spelling(kind, value) or stored.spelling(kind, normal(value))
    if found is not None:
        return found
    return _named(field, normal(value), bytes_max) if stored.is_complete else check_text(field, value, bytes_max)


def check_sku(field: str, value: str) -> str:
    """Return the SKU that is meant."""
    return check_name(field, value, limits.SKU_BYTES_MAX, "sku")


def check_barcode(field: str, value: str) -> str:
    """Return the barcode that is meant."""
    return check_name(field, value, limits.BARCODE_BYTES_MAX, "barcode")


def check_location(field: str, value: str) -> str:
    """Return the name of the location that is meant."""
    return check_name(field, value, limits.LOCATION_BYTES_MAX, "location")


def check_channel(field: str, value: str) -> str:
    """Return the name of the channel that is meant."""
    return check_name(field, value, limits.NAME_BYTES_MAX)


def check_category(field: str, value: str | None) -> str:
    """Return a category if it can be one, empty for None."""
    return "" if value is None else check_text(field, value, CATEGORY_BYTES_MAX)


def check_reference(field: str, value: str | None) -> str:
    """Return a reference, empty for None."""
    return "" if value is None else check_text(field, value, limits.REFERENCE_BYTES_MAX)


def check_reason(value: str | msgspec.UnsetType) -> str:
    """Return why something is done, empty where it is not given."""
    return "" if isinstance(value, msgspec.UnsetType) else check_reference("reason", value)


def check_reservation_id(field: str, value: str) -> str:
    """Return the id that is meant: of a reservation, a transfer or an expected receipt, such as ``#1001``.

    Raises
    ------
    InvalidError
        It cannot be one. The rule says what to send instead.

    """
    if len(value) <= limits.RESERVATION_ID_BYTES_MAX and RESERVATION_ID.match(value):
        return value
    name = _named(field, normal(value), limits.RESERVATION_ID_BYTES_MAX)
    if name.startswith(_IN_BASE64):
        raise InvalidError(field, "must not begin with ~, which marks an id in base64url in a path: leave it out")
    return name


def check_id_in_path(field: str, value: str) -> str:
    """Return the id that a path names, see :func:`text_in_path`.

    Raises
    ------
    InvalidError
        It cannot be one.

    """
    return check_reservation_id(field, text_in_path(field, value))


def text_in_path(field: str, value: str) -> str:
    """Return what a part of a path names: percent-encoded, or as ``~`` and its UTF-8 in base64url.

    A proxy may decode ``%2F`` and ``%23`` before the path arrives here; it leaves the second form as it is.

    Raises
    ------
    InvalidError
        What is behind the ``~`` is something else.

    """
    if not value.startswith(_IN_BASE64):
        return value
    code = value[len(_IN_BASE64) :]
    if not _BASE64_URL.fullmatch(code):
        raise InvalidError(field, _BAD_BASE64)
    try:
        return urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode()
    except ValueError:
        raise InvalidError(field, _BAD_BASE64) from None


def check_cursor(field: str, value: str) -> str:
    """Return the place in a scan that a page returned as its next, empty for the start."""
    if value and not (_CURSOR.fullmatch(value) and int(value) <= _CURSOR_MAX):
        raise InvalidError(field, "must be what a page gave as next")
    return value


def check_time_ms(field: str, value: datetime | msgspec.UnsetType) -> int:
    """Return a time with its zone as milliseconds since 1970; 0 where none is given."""
    if not isinstance(value, datetime):
        return 0
    if value.tzinfo is None:
        raise InvalidError(field, "must have a time zone, such as 2026-11-29T20:00:00Z")
    return max(1, time_ms_of(value))


def check_idempotency_key(value: str | None) -> str:
    """Return the header's value, empty where it is absent."""
    if value is None:
        return ""
    if not value or len(value) > limits.IDEMPOTENCY_KEY_BYTES_MAX or not value.isascii() or not value.isprintable():
        raise InvalidError("Idempotency-Key", "must be 1 to 128 printable ASCII characters")
    return value
