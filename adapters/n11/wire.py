"""What n11 reads and answers: the lines of a task, tasks and their results, and pages of products."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from adapters.contract.http import REASON_CHARACTERS_MAX
from adapters.contract.key_lookup import KeyLookup, folded
from adapters.contract.stock import Applied, Item, Outcome, Outcomes, Rejected

STOCK_CODE_CHARACTERS_MAX: Final = 255
"""Documented by the channel."""
CURRENCIES: Final = {"": "TL", "TRY": "TL", "TL": "TL", "USD": "USD", "EUR": "EUR"}
"""The names that n11 has for currencies. A listing without a currency is in lira."""

_CENT: Final = Decimal("0.01")
_SUCCEEDED: Final = "success"
_FAILED: Final = ("fail", "failed")
"""The second is from a third party; the result of an item with any other status is unknown."""


# -- answers


class Accepted(msgspec.Struct):
    """The answer to a push."""

    id: int | str | None = None
    status: str | None = None
    reasons: Any = None


class Line(msgspec.Struct, rename="camel"):
    """The result of one item. It may have reasons although it succeeded."""

    item_code: str | None = None
    status: str | None = None
    reasons: Any = None


class Lines(msgspec.Struct, rename="camel"):
    """One page of the results."""

    content: list[Line] | None = None
    total_pages: int | None = None


class Task(msgspec.Struct):
    """The answer to a poll."""

    status: str | None = None
    skus: Lines | None = None
    reasons: Any = None


class Product(msgspec.Struct, rename="camel"):
    """What is shown of one stock code."""

    stock_code: str | None = None
    quantity: int | None = None


class Page(msgspec.Struct, rename="camel"):
    """One page of a seller's products."""

    content: list[Product]
    total_pages: int | None = None


def outcomes_of(task: Task, keys: KeyLookup) -> Outcomes:
    """Return the outcomes of the items that a page of a task's results names, where they have ended."""
    lines = (task.skus.content if task.skus else None) or []
    named = ((keys.find(line.item_code or ""), _outcome(line)) for line in lines)
    return {key: outcome for key, outcome in named if key and outcome is not None}


def _outcome(line: Line) -> Outcome | None:
    if is_one_of(line.status, _SUCCEEDED):
        return Applied()
    return Rejected("failed", reason_of(line.reasons)) if is_one_of(line.status, *_FAILED) else None


def pages_of(task: Task) -> int:
    """Return how many pages of results a task has."""
    return (task.skus.total_pages if task.skus else None) or 1


def reason_of(reasons: Any) -> str:
    """Return reasons on one line: a list of texts as documented, or whatever else is there."""
    parts = reasons if isinstance(reasons, list) else [reasons]
    text = "; ".join(str(part) for part in parts if part)
    return text[:REASON_CHARACTERS_MAX] or "no reason was given"


def is_one_of(status: str | None, *words: str) -> bool:
    """Compare a status without regard to case, which varies."""
    return folded(status or "") in words


# -- requests


def line_of(item: Item) -> dict[str, Any]:
    """Return an item as n11 reads it; a price goes only as a pair that n11 accepts."""
    line: dict[str, Any] = {"stockCode": item.key, "quantity": item.quantity}
    price, list_price = _price(item.price), _price(item.list_price)
    currency = CURRENCIES.get((item.currency or "").upper())
    if price is not None and list_price is not None and list_price >= price and currency:
        line |= {"listPrice": _number(list_price), "salePrice": _number(price), "currencyType": currency}
    return line


def _price(text: str | None) -> Decimal | None:
    """Read a price that n11 can take: more than nothing, in whole cents."""
    try:
        price = Decimal(text or "")
        return price.quantize(_CENT) if price > 0 and price == price.quantize(_CENT) else None
    except InvalidOperation:
        return None


def _number(price: Decimal) -> msgspec.Raw:
    return msgspec.Raw(f"{price:f}".encode())


def too_long(items: Sequence[Item]) -> Outcomes:
    """Reject the items whose key is too long to be a stock code; a task with one in it would be refused whole."""
    reason = f"a stock code has at most {STOCK_CODE_CHARACTERS_MAX} characters"
    return {
        item.key: Rejected("not_a_stock_code", reason) for item in items if len(item.key) > STOCK_CODE_CHARACTERS_MAX
    }
