"""Listings: which SKUs a channel sells, under which keys and at which prices."""

import re
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from server.api.answers import ListingPage, ListingsPut, ListingView
from server.api.availability import views
from server.api.bodies import CURRENCY, PRICE, ListingBody, ListingsBody, Sku
from server.api.channels import channel_of, channel_store, written
from server.api.reservations import parse_query
from server.api.routing import Call, Route
from server.api.rules import InvalidError, check_reference, check_sku, check_text
from server.api.service import in_time
from server.api.wire import respond
from server.domain import limits
from server.domain.channels import KEY_BYTES_MAX, LISTINGS_PER_CALL_MAX, Listing
from server.domain.principal import Scope

_POSITION: Final = re.compile(r"[0-9]{1,20}\Z", re.ASCII)
_POSITION_MAX: Final = 2**64 - 1
"""What the store gives as the place to go on from."""


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


async def put(call: Call) -> web.StreamResponse:
    """Add listings, or replace those of the same SKUs."""
    channel = channel_of(call).name
    body: ListingsBody = call.body
    listings = [listing_of(f"listings[{i}]", each) for i, each in enumerate(body.listings)]
    _check_distinct(listings)
    # Before the write: if this fails, nothing has happened.
    _, unknown = await views(call.ledger, [listing.sku for listing in listings])
    await written(channel_store(call).put_listings(channel, listings, call.principal.actor))
    return respond(call.request, ListingsPut(len(listings), unknown))


class ListingsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SKU's, or all; ``after`` is the ``next`` of the page before."""

    sku: Sku | None = None
    after: Annotated[str, Meta(max_length=20)] = ""
    limit: Annotated[int, Meta(ge=1, le=LISTINGS_PER_CALL_MAX)] = 100


async def read(call: Call) -> web.StreamResponse:
    """Read listings, a page at a time."""
    channel = channel_of(call).name
    query: ListingsQuery = parse_query(call.request, ListingsQuery)
    position = _position(query.after)
    store = channel_store(call)
    if query.sku is not None:
        sku = check_sku("sku", query.sku)
        found = [each for each in await in_time(store.listings_of(channel, [sku])) if each is not None]
        position = 0
    else:
        position, found = await in_time(store.page_of_listings(channel, position, query.limit))
    return respond(call.request, ListingPage([_view(each) for each in found], str(position) if position else ""))


def _position(after: str) -> int:
    if after and (not _POSITION.match(after) or not 0 < int(after) <= _POSITION_MAX):
        raise InvalidError("after", "must be what a page gave as next")
    return int(after or 0)


def _view(each: Listing) -> ListingView:
    return ListingView(
        each.sku, each.key, each.listed, each.price, each.list_price, each.currency, each.attributes
    )  # fmt: skip


_PATH: Final = "/v1/channels/{channel}/listings"

ROUTES = [
    Route(
        "PUT", _PATH, put, Scope.ADMIN, "Add or replace up to 1,000 listings",
        {200: ListingsPut}, ListingsBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
        outcomes=("unknown_channel",),
    ),
    Route(
        "GET", _PATH, read, Scope.READ, "Read listings, page by page",
        {200: ListingPage}, query=ListingsQuery, outcomes=("invalid", "unknown_channel"),
    ),
]  # fmt: skip
