"""A django-oscar shop's admin API: its options, its requests, its pages, and what its errors mean."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from adapters.contract.errors import ClosedError, UnavailableError, UnknownResultError
from adapters.contract.http import ORDERS, READ, WRITE, Answer, Exchange, Request, check_status, excerpt

Meaning = Literal["unpaid", "open", "shipped", "cancelled", "none"]
"""What a status of an order or of a line means; "none": it is not an order yet."""
Path = Annotated[str, Meta(pattern=r"^(/[^/?#\s]+)*$")]

OK, WRONG, NOT_FOUND = 200, 400, 404
QUERY_CHARACTERS_MAX: Final = 500
"""Of the link to a next page: it is kept in a cursor."""


class OscarOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``base_url`` is the shop's root. ``api_path`` and ``dashboard_path`` are where it has its API and dashboard.

    ``key_is``: what the listings' keys are: "id", the number of a stock record, or "sku", its partner SKU, which is
    looked up once. ``partner_id``: of which partner the SKUs are, where several have the same. ``requests_per_s``
    counts reading and writing apart, and orders apart from stock.

    ``order_statuses``: what the shop's own statuses mean, of orders and of lines. ``ship_status``, ``cancel_status``:
    which status an order gets that has left, or that is refused; empty: none. ``ship_event``, ``cancel_event``: codes
    of the shipping events that pieces get in the dashboard; empty: only whole orders can be shipped and refused.
    ``shipped_events``, ``cancelled_events``, ``returned_events``: names of events, as lines show them.
    """

    base_url: Annotated[str, Meta(pattern=r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$")]
    api_path: Path = "/api"
    dashboard_path: Path = "/dashboard"
    key_is: Literal["id", "sku"] = "id"
    partner_id: Annotated[int, Meta(ge=1)] | None = None
    requests_per_s: Annotated[float, Meta(gt=0, le=1_000)] = 20.0
    order_statuses: dict[str, Meaning] = {}
    ship_status: str = "Complete"
    cancel_status: str = "Cancelled"
    ship_event: str = ""
    cancel_event: str = ""
    shipped_events: tuple[str, ...] = ("Shipped", "Dispatched")
    cancelled_events: tuple[str, ...] = ("Cancelled", "Canceled")
    returned_events: tuple[str, ...] = ("Returned",)


class Page(msgspec.Struct, frozen=True):
    """A page of a list: each row to be read by itself, one of another form must not hide the others.

    ``next``: the query of the page behind it; empty: there is none.
    """

    rows: list[msgspec.Raw]
    next: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """What the shop says of a 4xx. ``fields``: those that it does not take, empty where the words are of the whole."""

    status: int
    reason: str
    fields: frozenset[str] = frozenset()


class _Paginated(msgspec.Struct, frozen=True):
    results: list[msgspec.Raw]
    next: str | None = None


_decode_rows: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_page: Final = msgspec.json.Decoder(_Paginated).decode


class Shop:
    """One shop: its requests."""

    def __init__(self, options: OscarOptions, username: str, password: str) -> None:
        self._root = f"{options.base_url.rstrip('/')}{options.api_path}/admin"
        token = b64encode(f"{username}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}

    def get(self, path: str, group: str = READ) -> Exchange[Answer | None]:
        """Ask for something; None: it is not there.

        Raises
        ------
        UnavailableError
            No answer came. A read changes nothing, so its result is known.
        ClosedError
            The API is not there, or does not take the question.

        """
        try:
            answer = yield Request("GET", self._root + path, self._headers, b"", group)
        except UnknownResultError as error:
            raise UnavailableError(f"no answer to a read: {error.reason}", error.after_s) from None
        check_status(answer)
        if answer.status == OK:
            return answer
        refusal = refusal_of(answer, is_private=group == ORDERS)
        if answer.status == NOT_FOUND:
            return None
        raise ClosedError(f"the shop does not take a question that its API has: HTTP {answer.status} {refusal.reason}")

    def page(self, path: str, query: str, group: str = READ) -> Exchange[Page | None]:
        """Ask for a page of a list, which is all of it where the shop divides no lists; None: there is no such list.

        Raises
        ------
        UnavailableError
            The answer is no list.

        """
        answer = yield from self.get(f"{path}?{query}", group)
        if answer is None:
            return None
        is_private = group == ORDERS
        try:
            if answer.body.lstrip().startswith(b"["):
                return Page(_decode_rows(answer.body))
            found = _decode_page(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise unexpected(answer, is_private=is_private) from None
        following = urlsplit(found.next or "").query
        if len(following) > QUERY_CHARACTERS_MAX:
            raise unexpected(answer, is_private=is_private)
        return Page(found.results, following)

    def change(self, path: str, fields: Mapping[str, Any]) -> Exchange[Answer | Refusal]:
        """Change some fields of something."""
        headers = {**self._headers, "Content-Type": "application/json"}
        answer = yield Request("PATCH", self._root + path, headers, msgspec.json.encode(fields), WRITE)
        check_status(answer)
        return answer if answer.status == OK else refusal_of(answer)


def refusal_of(answer: Answer, *, is_private: bool = False) -> Refusal:
    """Return what the shop says of a 4xx.

    Raises
    ------
    ClosedError
        Some other program has answered that there is nothing: the API is not where it was said to be.
    UnavailableError
        The answer is none of the shop's API.

    """
    try:
        found = msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        if answer.status == NOT_FOUND:
            raise ClosedError(f"there is no API at base_url and api_path: {excerpt(answer.body)}") from None
        raise unexpected(answer, is_private=is_private) from None
    if isinstance(found.get("detail"), str):
        return Refusal(answer.status, excerpt(found["detail"].encode()))
    words = "; ".join(f"{name}: {_words(value)}" for name, value in found.items())
    return Refusal(answer.status, excerpt(words.encode()), frozenset(found))


def unexpected(answer: Answer, *, is_private: bool = False) -> UnavailableError:
    """Return the error for an answer of another form; one that may hold personal data is not quoted."""
    quoted = "" if is_private else f": {excerpt(answer.body)}"
    return UnavailableError(f"HTTP {answer.status} with an answer of another form{quoted}")


def number_at_end(url: str) -> str:
    """Return the number that a link of the API ends with; empty: it has none.

    A link itself is never followed: a proxy may have put another host into it.
    """
    number = urlsplit(url).path.rstrip("/").rpartition("/")[2]
    return number if is_number(number) else ""


def is_number(text: str) -> bool:
    """Whether a text is a number as the API has them."""
    return text.isascii() and text.isdigit() and len(text) <= 18  # noqa: PLR2004  # of a database's longest


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
