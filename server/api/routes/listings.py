"""Listings: which SKUs a channel sells, under which keys and at which prices."""

import re
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.availability import views
from server.api.routes.channels import channel_of, channel_store, written
from server.domain import limits
from server.domain.channels import LISTINGS_PER_CALL_MAX, Listing
from server.domain.principal import Scope
from server.schemas.channels import ListingPage, ListingsBody, ListingsPut, ListingView
from server.schemas.common import Sku
from server.service.checks import InvalidError, check_sku
from server.service.listings import _check_distinct, listing_of
from server.store.connection.timeouts import in_time

_POSITION: Final = re.compile(r"[0-9]{1,20}\Z", re.ASCII)


_POSITION_MAX: Final = 2**64 - 1
"""What the store gives as the place to go on from."""


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
