"""A Medusa shop's admin API: its options, its requests, and what its errors mean."""

from base64 import b64encode
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Meta

from adapters.contract.errors import ClosedError, UnavailableError
from adapters.contract.http import (
    COMMANDS,
    ORDERS,
    READ,
    WRITE,
    Answer,
    Exchange,
    Request,
    check_command,
    check_status,
    excerpt,
)

T = TypeVar("T")

ITEMS_MAX: Final = 100
"""Some 0.2 s, measured; Medusa writes all of them or none."""
READ_ITEMS_MAX: Final = 300
OK, WRONG, NOT_FOUND = 200, 400, 404
Query = Iterable[tuple[str, str | int]]


class MedusaOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``base_url`` is the shop's root, as in ``https://shop.example``; the admin API is below it.

    ``key_is``: what a listing's key is in Medusa, the SKU of the inventory item or its id. ``stock_location_id`` is
    needed where the shop has several. ``shipped_is``: when a parcel's pieces have left, once it is shipped, or already
    when it is made. ``hold_unpaid_s``: for so long an order that is not paid is held; 0: it is sold once it is placed.
    """

    base_url: Annotated[str, Meta(pattern=r"^https?://[^/?#@]+(/[^?#@]*)?$")]
    stock_location_id: str | None = None
    key_is: Literal["sku", "id"] = "sku"
    items_max: Annotated[int, Meta(ge=1, le=READ_ITEMS_MAX)] = ITEMS_MAX
    shipped_is: Literal["shipped", "fulfilled"] = "shipped"
    hold_unpaid_s: Annotated[float, Meta(ge=0, le=90 * 86_400)] = 0.0


class Refusal(msgspec.Struct, frozen=True):
    """An answer that is an error: ``code`` where the database names one."""

    type: str
    message: str
    code: str = ""


class Shop:
    """One shop: its requests."""

    def __init__(self, base_url: str, secret_key: str) -> None:
        self._root = base_url.rstrip("/") + "/admin"
        token = b64encode(f"{secret_key}:".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}

    def get(self, path: str, query: Query, into: type[T], group: str = READ) -> Exchange[T | None]:
        """Ask for something; None: it is not there.

        Raises
        ------
        ClosedError
            The shop does not take the question.

        """
        answer = yield Request("GET", f"{self._root}{path}?{urlencode(list(query))}", self._headers, b"", group)
        check_status(answer)
        if answer.status == NOT_FOUND and _refusal(answer) is not None:
            return None
        if answer.status == WRONG:
            raise ClosedError(f"this version of Medusa is not supported: {excerpt(answer.body)}")
        return decoded(answer, into, private=group == ORDERS)

    def post(self, path: str, body: Any, into: type[T], group: str = WRITE) -> Exchange[T | Refusal]:
        """Send something, and return the answer, or the refusal.

        Raises
        ------
        UnknownResultError
            A command met an error of the server: it may have been carried out.

        """
        headers = {**self._headers, "Content-Type": "application/json"}
        answer = yield Request("POST", f"{self._root}{path}", headers, msgspec.json.encode(body), group)
        (check_command if group == COMMANDS else check_status)(answer)
        refusal = _refusal(answer)
        return refusal if refusal is not None else decoded(answer, into, private=group == COMMANDS)


def part(name: str) -> str:
    """Write a name as a part of a path."""
    return quote(name, safe="")


def decoded(answer: Answer, into: type[T], *, private: bool) -> T:
    """Read an answer. One that may hold personal data is not quoted where it cannot be read.

    Raises
    ------
    UnavailableError
        It is not JSON, or of another form.

    """
    quoted = "" if private else f": {excerpt(answer.body)}"
    try:
        return msgspec.json.decode(answer.body, type=into)
    except msgspec.ValidationError as error:
        raise UnavailableError(f"HTTP {answer.status} with an answer of another form ({error}){quoted}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnavailableError(f"HTTP {answer.status} with a body that is not JSON{quoted}") from None


def _refusal(answer: Answer) -> Refusal | None:
    """Return what the shop says of a 4xx; None: the answer is none of its errors."""
    if answer.status < WRONG:
        return None
    try:
        return msgspec.json.decode(answer.body, type=Refusal)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}") from None
