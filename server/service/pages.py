"""Where a list goes on: each page gives a ``next``, which is the ``after`` of the page behind it."""

import hashlib
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from server.service.checks import InvalidError

PlaceT = TypeVar("PlaceT")

_NONCE_BYTES: Final = 16
_SCAN_MAX: Final = 2**64 - 1
"""What the store returns as the position to go on from in a hash."""


def next_of(place: object) -> str:
    """Return the ``next`` that stands for a place."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_in(after: str, decode: Callable[[bytes], PlaceT]) -> PlaceT:
    """Return the place that an ``after`` stands for.

    Raises
    ------
    InvalidError
        No page can have given it.

    """
    try:
        return decode(urlsafe_b64decode(after + "=" * (-len(after) % 4)))
    except (ValueError, msgspec.MsgspecError):
        raise not_a_next() from None


def veiled(name: str, key: bytes) -> tuple[str, str]:
    """Return a name as a place may have it whose reader must not see it; only who has the key reads it again."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce.hex(), _masked(name.encode(), key, nonce).hex()


def unveiled(nonce: str, masked: str, key: bytes) -> str:
    """Return the name that :func:`veiled` was given; raises as :func:`place_in`."""
    try:
        return _masked(bytes.fromhex(masked), key, bytes.fromhex(nonce)).decode()
    except ValueError:
        raise not_a_next() from None


def _masked(text: bytes, key: bytes, nonce: bytes) -> bytes:
    """Mask a text by a stream that is used once."""
    stream = hashlib.shake_256(b"next\0" + key + nonce).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, stream, strict=True))


def not_a_next() -> InvalidError:
    """Make the error that no page has given an ``after``."""
    return InvalidError("after", "must be what a page gave as next")


def check_position(position: int) -> int:
    """Return a position in a hash; raises as :func:`place_in`."""
    if not 0 < position <= _SCAN_MAX:
        raise not_a_next()
    return position
