"""From a listing as it is written down to the listing that is kept."""

from decimal import Decimal

from server.domain import limits
from server.domain.channels import KEY_BYTES_MAX, Listing
from server.schemas.channels import CURRENCY, PRICE, ListingBody
from server.service.checks import InvalidError, check_reference, check_sku, check_text


def _price(field: str, value: str | None) -> str:
    if value is None:
        return ""
    if not PRICE.match(value) or not Decimal(value):
        raise InvalidError(field, "must be decimal text above 0 with at most 4 decimals, such as 129.90")
    return value


def _prices(at: str, body: ListingBody) -> tuple[str, str, str]:
    """Check and return price, list_price and currency; empty: not told."""
    price, list_price = _price(f"{at}.price", body.price), _price(f"{at}.list_price", body.list_price)
    if list_price and not price:
        raise InvalidError(f"{at}.list_price", "needs a price beside it")
    if list_price and Decimal(list_price) < Decimal(price):
        raise InvalidError(f"{at}.list_price", "must not be below the price")
    if body.currency is not None and not CURRENCY.match(body.currency):
        raise InvalidError(f"{at}.currency", "must be three capital letters, such as TRY")
    return price, list_price, body.currency or ""


def listing_of(at: str, body: ListingBody) -> Listing:
    """Make a listing of what was given for it.

    Raises
    ------
    InvalidError
        It breaks a rule; the field is named as one below ``at``.

    """
    sku, key = check_sku(f"{at}.sku", body.sku), check_text(f"{at}.key", body.key, KEY_BYTES_MAX)
    for name, value in body.attributes.items():
        check_text(f"{at}.attributes", name, limits.NAME_BYTES_MAX)
        check_reference(f"{at}.attributes.{name}", value)
    return Listing(sku, key, body.listed, *_prices(at, body), body.attributes)


def _check_distinct(listings: list[Listing]) -> None:
    """Refuse a SKU or key that stands twice: which of the two would count, the caller can't have meant to leave open.

    Raises
    ------
    InvalidError
        One does; named is where it stands the second time.

    """
    for field in ("sku", "key"):
        seen: set[str] = set()
        for i, listing in enumerate(listings):
            value = getattr(listing, field)
            if value in seen:
                raise InvalidError(f"listings[{i}].{field}", f"stands twice in this request: {value}")
            seen.add(value)
