"""Listings: which SKUs a channel sells, under which keys and at which prices."""

import re
from decimal import Decimal
from typing import Final

from server.domain import limits
from server.domain.channels import KEY_BYTES_MAX, Listing
from server.schemas.channels import CURRENCY, PRICE, ListingBody, ListingsBody, ListingsQuery
from server.service.caller import Caller
from server.service.channels import channel_of, store_of
from server.service.checks import InvalidError, check_name, check_reference, check_sku, check_text
from server.service.writes import written
from server.store.connection.timeouts import in_time

_POSITION: Final = re.compile(r"[0-9]{1,20}\Z", re.ASCII)
_POSITION_MAX: Final = 2**64 - 1
"""What the store returns as the place to go on from."""


def _price(field: str, value: str | None) -> str:
    if value is None:
        return ""
    if not PRICE.match(value) or not Decimal(value):
        raise InvalidError(field, "must be decimal text above 0 with at most 4 decimals, such as 129.90")
    return value


def _prices(at: str, body: ListingBody) -> tuple[str, str, str]:
    """Check and return price, list_price and currency; empty: left out."""
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
    sku, key = check_sku(f"{at}.sku", body.sku), check_name(f"{at}.key", body.key, KEY_BYTES_MAX)
    for name, value in body.attributes.items():
        check_text(f"{at}.attributes", name, limits.NAME_BYTES_MAX)
        check_reference(f"{at}.attributes.{name}", value)
    return Listing(sku, key, body.listed, *_prices(at, body), body.attributes)


async def put_listings(caller: Caller, channel: str, body: ListingsBody) -> list[str]:
    """Add listings, or replace those of the same SKUs; return the SKUs that the store does not know.

    Raises
    ------
    InvalidError
        A listing breaks a rule, or a SKU or key is there twice.
    ProblemError
        The channel is not configured, or the store did not answer in time.

    """
    name = channel_of(caller, channel).name
    listings = [listing_of(f"listings[{i}]", each) for i, each in enumerate(body.listings)]
    _check_distinct(listings)
    # Before the write: if this fails, nothing has happened.
    unknown = await in_time(store_of(caller).unknown_skus([listing.sku for listing in listings]))
    await written(store_of(caller).put_listings(name, listings, caller.actor))
    return unknown


def _check_distinct(listings: list[Listing]) -> None:
    """Refuse a SKU or key that is there twice: the caller cannot have meant to leave open which of the two counts.

    Raises
    ------
    InvalidError
        One is; the field names its second place.

    """
    for field in ("sku", "key"):
        seen: set[str] = set()
        for i, listing in enumerate(listings):
            value = getattr(listing, field)
            if value in seen:
                raise InvalidError(f"listings[{i}].{field}", f"stands twice in this request: {value}")
            seen.add(value)


async def find_listings(caller: Caller, channel: str, query: ListingsQuery) -> tuple[list[Listing], str]:
    """Read a page of listings, in no order, and the ``after`` of the next one, empty on the last.

    Raises
    ------
    InvalidError
        A field breaks a rule, or ``after`` is not what a page returned as its next.
    ProblemError
        The channel is not configured.
    StoreUnavailableError
        The store did not answer in time.

    """
    name = channel_of(caller, channel).name
    position, store = _position(query.after), store_of(caller)
    if query.sku is not None:
        sku = check_sku("sku", query.sku)
        return [each for each in await in_time(store.listings_of(name, [sku])) if each is not None], ""
    position, found = await in_time(store.page_of_listings(name, position, query.limit))
    return found, str(position) if position else ""


def _position(after: str) -> int:
    if after and (not _POSITION.match(after) or not 0 < int(after) <= _POSITION_MAX):
        raise InvalidError("after", "must be what a page gave as next")
    return int(after or 0)
