"""Where a list goes on: each page gives a ``next``, which is the ``after`` of the page behind it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from server.service.checks import InvalidError

PlaceT = TypeVar("PlaceT")

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


def not_a_next() -> InvalidError:
    """Make the error that no page has given an ``after``."""
    return InvalidError("after", "must be what a page gave as next")


def check_position(position: int) -> int:
    """Return a position in a hash; raises as :func:`place_in`."""
    if not 0 < position <= _SCAN_MAX:
        raise not_a_next()
    return position
