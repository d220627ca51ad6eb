"""Listings: which SKUs a channel sells, under which keys and at which prices, and what it shows of each."""

from typing import Final

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.api.routes.listing_views import on_channel_views, standing_view
from server.domain import limits
from server.domain.principal import Scope
from server.schemas.channels import (
    ListingPage,
    ListingsBody,
    ListingsPut,
    ListingsQuery,
    SkuOnChannels,
)
from server.service import channel_listings
from server.service.listings import put_listings


async def put(call: Call) -> ListingsPut:
    """Add listings, or replace those of the same SKUs, and packs and bundles of the same keys."""
    body: ListingsBody = call.body
    unknown = await put_listings(call.caller, call.named("channel"), body)
    return ListingsPut(len(body.listings), unknown)


async def read(call: Call) -> ListingPage:
    """Read listings and what the channel shows of them, a page at a time."""
    found, following = await channel_listings.find(call.caller, call.named("channel"), call.query(ListingsQuery))
    return ListingPage([standing_view(each) for each in found], following)


async def read_sku(call: Call) -> SkuOnChannels:
    """Read what each channel shows of a SKU."""
    sku, found = await channel_listings.of_sku(call.caller, call.named("sku"))
    return SkuOnChannels(sku, on_channel_views(found))


_PATH: Final = "/v1/channels/{channel}/listings"


ROUTES = [
    Route(
        "PUT", _PATH, put, Scope.ADMIN, "Add or replace up to 1,000 listings",
        {200: ListingsPut}, ListingsBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
        outcomes=("unknown_channel", "key_taken"), share=Share.BULK,
    ),
    Route(
        "GET", _PATH, read, Scope.READ, "Read listings and what the channel shows of them, page by page",
        {200: ListingPage}, query=ListingsQuery,
        outcomes=("invalid", "unknown_channel", "documents_missing", "documents_unavailable"), share=Share.REPORTS,
    ),
    Route(
        "GET", "/v1/stock/{sku}/channels", read_sku, Scope.READ, "What each channel shows of a SKU, and should show",
        {200: SkuOnChannels}, outcomes=("invalid",), share=Share.REPORTS,
    ),
]  # fmt: skip
