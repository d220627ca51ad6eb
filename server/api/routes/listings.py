"""Listings: which SKUs a channel sells, under which keys and at which prices."""

from typing import Final

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain import limits
from server.domain.channels import Listing
from server.domain.components import sku_in
from server.domain.principal import Scope
from server.schemas.channels import ComponentView, ListingPage, ListingsBody, ListingsPut, ListingsQuery, ListingView
from server.service.channels import channel_of
from server.service.listings import find_listings, put_listings


async def put(call: Call) -> ListingsPut:
    """Add listings, or replace those of the same SKUs, and packs and bundles of the same keys."""
    body: ListingsBody = call.body
    unknown = await put_listings(call.caller, call.named("channel"), body)
    return ListingsPut(len(body.listings), unknown)


async def read(call: Call) -> ListingPage:
    """Read listings, a page at a time."""
    channel = channel_of(call.caller, call.named("channel")).name
    found, following = await find_listings(call.caller, channel, call.query(ListingsQuery))
    return ListingPage([_view(each) for each in found], following)


def _view(each: Listing) -> ListingView:
    sku, factor, components = sku_in(each.sku), 0, [ComponentView(part.sku, part.quantity) for part in each.components]
    if len(components) == 1:
        sku, factor, components = components[0].sku, components[0].quantity, []
    return ListingView(
        sku, each.key, each.listed, each.price, each.list_price, each.currency, each.attributes, factor, components
    )


_PATH: Final = "/v1/channels/{channel}/listings"


ROUTES = [
    Route(
        "PUT", _PATH, put, Scope.ADMIN, "Add or replace up to 1,000 listings",
        {200: ListingsPut}, ListingsBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
        outcomes=("unknown_channel", "key_taken"), share=Share.BULK,
    ),
    Route(
        "GET", _PATH, read, Scope.READ, "Read listings, page by page",
        {200: ListingPage}, query=ListingsQuery, outcomes=("invalid", "unknown_channel"), share=Share.REPORTS,
    ),
]  # fmt: skip
