"""What one request is: its method, path and body, what it answers with, and what a repeat of it would do."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, auto
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode
from uuid import uuid4

import msgspec

T = TypeVar("T")

JSON: Final = "application/json"
_PLAIN_ID: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]+")
KEY_CHARACTERS_MAX: Final = 128
_NAMELESS: Final = ("", ".", "..")


class Repeat(Enum):
    """What happens when a request is sent again after its answer was lost."""

    READS = auto()
    """Nothing: it changes nothing."""
    HAS_KEY = auto()
    """Nothing: an id or an ``Idempotency-Key`` makes the server answer as it did the first time."""
    SETS = auto()
    """Nothing new: it sets something, or asks for something that has the same effect twice."""
    ADDS = auto()
    """A second effect, so it is sent again only where the first one surely was not processed."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request. Sent again, it is the same one: its key was made with it.

    Parameters
    ----------
    path
        With the query, percent-encoded.
    answer
        The type that the body of the answer is decoded into; ``bytes`` takes it as it is.
    key
        What makes repeats one effect: a ``reservation_id``, or the ``Idempotency-Key``.
    find_out
        How to find out what came of it, where all answers were lost.

    """

    method: str
    path: str
    answer: type[T]
    repeat: Repeat
    body: bytes | None = None
    content_type: str = JSON
    key: str = ""
    headers: Mapping[str, str] | None = None
    find_out: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


def read(path: str, answer: type[T], **query: object) -> Call[T]:
    """Build a request that reads."""
    return Call("GET", path + query_of(query), answer, Repeat.READS)


def read_by_post(path: str, answer: type[T], body: object) -> Call[T]:
    """Build a request that reads what its body asks for."""
    return Call("POST", path, answer, Repeat.READS, encoded(body))


def keyed(
    method: str, path: str, answer: type[T], body: object = None, *, key: str | None, find_out: str = ""
) -> Call[T]:
    """Build a request that has one effect under its ``Idempotency-Key``; without one it gets a new one."""
    known = new_key() if key is None else checked_key(key)
    repeat = find_out or f"call it again with idempotency_key={known!r}"
    return Call(
        method,
        path,
        answer,
        Repeat.HAS_KEY,
        encoded(body),
        key=known,
        headers={"Idempotency-Key": known},
        find_out=repeat,
    )


def sets(method: str, path: str, answer: type[T], body: object = None) -> Call[T]:
    """Build a request whose effect is the same when it is repeated."""
    return Call(method, path, answer, Repeat.SETS, encoded(body), find_out="call it again, which has the same effect")


def adds(method: str, path: str, answer: type[T], body: object, *, find_out: str) -> Call[T]:
    """Build a request that would have a second effect."""
    return Call(method, path, answer, Repeat.ADDS, encoded(body), find_out=find_out)


def checked_key(key: str) -> str:
    """Return an idempotency key as it is.

    Raises
    ------
    ValueError
        No header can have it.

    """
    if not (key and len(key) <= KEY_CHARACTERS_MAX and key.isascii() and key.isprintable()):
        raise ValueError(f"an idempotency_key has 1 to {KEY_CHARACTERS_MAX} printable ASCII characters, not {key!r}")
    return key


def new_key() -> str:
    """Return an idempotency key that nobody else has."""
    return uuid4().hex


def encoded(body: object) -> bytes | None:
    """Encode a body as JSON; None is no body, and bytes are one that is encoded already."""
    return body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)


def fields(**given: object) -> dict[str, Any]:
    """Return what of a body was given: None leaves a field out, and so does ``UNSET`` where None means null.

    A name that Python keeps for itself ends in an underscore.
    """
    return {
        name.rstrip("_"): value for name, value in given.items() if value is not None and value is not msgspec.UNSET
    }


def query_of(given: Mapping[str, object]) -> str:
    """Return the query string of what was given, with its question mark."""
    found = {name.rstrip("_"): _text(value) for name, value in given.items() if value is not None}
    return f"?{urlencode(found, quote_via=quote)}" if found else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def name_in_path(name: str) -> str:
    """Write a SKU, location, channel or the like for a path.

    Raises
    ------
    ValueError
        No path can have this name: every library on the way would take it for something else.

    """
    if name in _NAMELESS:
        raise ValueError(f"{name!r} cannot stand in a path; use a route that takes names in its body")
    return quote(name, safe="")


def id_in_path(text: str) -> str:
    """Write the id of a reservation, transfer or expected receipt for a path, safe with every proxy.

    Raises
    ------
    ValueError
        It is empty.

    """
    if not text:
        raise ValueError("an id has at least one character")
    if _PLAIN_ID.fullmatch(text):
        return text
    return "~" + urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
