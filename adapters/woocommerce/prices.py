"""The prices of a WooCommerce product: what is sent, and whether the shop shows it."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.contract.stock import Item, PriceRejected


def price_fields(item: Item) -> dict[str, str]:
    """Return the fields of a price; without a list price above it, an earlier sale ends ("" ends it there).

    A sale price goes with empty dates: else the shop shows it only between the dates of an earlier sale.
    """
    if item.price is None:
        return {} if item.list_price is None else {"regular_price": item.list_price}
    if item.list_price is None or item.list_price == item.price:
        return {"regular_price": item.price, "sale_price": ""}
    sale = {"sale_price": item.price, "date_on_sale_from": "", "date_on_sale_to": ""}
    return {"regular_price": item.list_price, **sale}


def other_price(item: Item, row: Mapping[str, Any]) -> PriceRejected | None:
    """Return why a price does not count as applied: the shop answers that it shows another. None: it shows it.

    ``price`` is what buyers pay, whatever it comes from; ``regular_price`` is the list price beside it.
    """
    fields = price_fields(item)
    wanted = {"price": item.price, "regular_price": fields.get("regular_price")}
    for name, value in wanted.items():
        if value is not None and not _is_equal(value, row.get(name, value)):
            return PriceRejected("other_price", f"the shop answers with {name} {row[name]!r} to {value}")
    return None


def _is_equal(price: str, answered: Any) -> bool:
    try:
        return Decimal(price) == Decimal(str(answered))
    except InvalidOperation:
        return False
