"""What Trendyol reads and answers: the lines of a push, its batches and products, and the words of its refusals."""

from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import msgspec

from adapters.contract.errors import ClosedError, SpoiledError, UnavailableError
from adapters.contract.http import Answer, check_status, excerpt, json_of
from adapters.contract.stock import Item

OK: Final = 200
_TOO_LARGE: Final = 413
_ABOUT_ITEMS: Final = (400, 422, _TOO_LARGE)
_STORE_FRONT: Final = "invalid.storefrontcode"


class Line(msgspec.Struct, rename="camel"):
    """The result of one item; the channel sends null for what it leaves out."""

    request_item: dict[str, Any]
    status: str | None = None
    failure_reasons: list[Any] | None = None


class Batch(msgspec.Struct, rename="camel"):
    """The answer about a ticket. By older descriptions batches of stock and prices have no status of their own."""

    status: str | None = None
    items: list[Line] | None = None
    item_count: int | None = None


class Variant(msgspec.Struct):
    """What is shown of one barcode."""

    barcode: str | None = None
    quantity: int | None = None


class Product(msgspec.Struct):
    """An approved product."""

    variants: list[Variant] | None = None


class Page(msgspec.Struct, rename="camel"):
    """One page of approved products."""

    content: list[Product]
    total_elements: int | None = None


def line(item: Item) -> dict[str, Any]:
    """Return an item as Trendyol reads it; a price keeps its digits."""
    fields: dict[str, Any] = {"barcode": item.key, "quantity": item.quantity}
    price, list_price = _price(item.price), _price(item.list_price)
    if price is not None and list_price is not None and list_price >= price:
        fields |= {"salePrice": _number(price), "listPrice": _number(list_price)}
    return fields


def _price(text: str | None) -> Decimal | None:
    try:
        price = Decimal(text or "")
    except InvalidOperation:
        return None
    return price if price.is_finite() and price >= 0 else None


def _number(price: Decimal) -> msgspec.Raw:
    return msgspec.Raw(f"{price:f}".encode())


def check_ok(answer: Answer) -> None:
    """Accept 200 only. Raises :class:`ChannelError` for the rest."""
    check_status(answer)
    if answer.status != OK:
        raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")


def raise_refused(answer: Answer) -> NoReturn:
    """Raise the reason why a push was refused whole."""
    if answer.status not in _ABOUT_ITEMS:
        raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
    if answer.status != _TOO_LARGE:
        json_of(answer)  # a page in HTML comes from a proxy
    code, reason = refusal(answer)
    if code.casefold() == _STORE_FRONT:
        raise ClosedError(f"{code}: {reason}; look at the channel's store_front_code")
    raise SpoiledError(code, reason)


def refusal(answer: Answer) -> tuple[str, str]:
    """Return a refusal's code and reason, as far as they are there.

    The documented form is ``{"errors": [{key, message, errorCode}]}``.
    """
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    errors = body.get("errors") if isinstance(body, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    code = field(first, "key") or field(first, "errorCode") or f"http_{answer.status}"
    return code, excerpt(field(first, "message").encode() or answer.body)


def field(value: Any, name: str) -> str:
    """Return a text or number of an object; empty where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return str(found) if isinstance(found, str | int) else ""
