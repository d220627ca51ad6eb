"""Where a list goes on: each page gives a ``next``, which is the ``after`` of the page behind it."""

import hashlib
import heapq
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from operator import itemgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from server.service.checks import InvalidError

PlaceT = TypeVar("PlaceT")
RecordT = TypeVar("RecordT")

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


class Newest(NamedTuple, Generic[RecordT]):
    """Some records, the newest first. ``there``: how many are behind the place; ``looked_at``: how many came."""

    found: list[RecordT]
    there: int
    looked_at: int


async def newest(
    records: AsyncIterator[RecordT],
    place_of: Callable[[RecordT], tuple[Any, ...]],
    behind: tuple[Any, ...] | None,
    limit: int,
) -> Newest[RecordT]:
    """Pick the newest of records that come in no order, behind a place. No two may have the same place.

    Little more than ``limit`` are in memory at any time, and there is no long work at the end.
    """
    kept, there, looked_at = list[tuple[tuple[Any, ...], RecordT]](), 0, 0
    async for each in records:
        looked_at += 1
        place = place_of(each)
        if behind is not None and place >= behind:
            continue
        there += 1
        if len(kept) < limit:
            heapq.heappush(kept, (place, each))
        elif place > kept[0][0]:
            heapq.heapreplace(kept, (place, each))
    kept.sort(key=itemgetter(0), reverse=True)
    return Newest([each for _, each in kept], there, looked_at)


def check_position(position: int) -> int:
    """Return a position in a hash; raises as :func:`place_in`."""
    if not 0 < position <= _SCAN_MAX:
        raise not_a_next()
    return position
