"""Find SKUs: what is searched for, listed by state, or gone through in some order."""

import msgspec
from msgspec.structs import replace

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.api.routes.index_views import index_view
from server.api.routes.listing_views import on_channel_views
from server.domain.principal import Scope
from server.domain.stock import BUCKETS
from server.schemas.finding import FoundSkuView, SkusPage, SkusQuery
from server.service.channel_listings import of_skus
from server.service.find_skus import FoundSku, find_skus


async def read_skus(call: Call) -> SkusPage:
    """Read the SKUs that match, a page at a time; with what each channel shows of them, where that is asked for."""
    query = call.query(SkusQuery)
    page = await find_skus(call.caller, query)
    views = [_view(each) for each in page.found]
    if query.show is not msgspec.UNSET:
        shown = await of_skus(call.caller, [each.sku for each in page.found])
        views = [replace(each, channels=on_channel_views(shown[each.sku])) for each in views]
    low_up_to = page.low_up_to if query.state == "low" else msgspec.UNSET
    return SkusPage(views, page.following, index_view(page.freshness), low_up_to)


def _view(found: FoundSku) -> FoundSkuView:
    numbers, records = found.numbers, found.numbers.records.values()
    on_hand, held, committed, damaged, quality_control, safety = (
        sum(record.buckets[place] for record in records) for place in range(len(BUCKETS))
    )
    return FoundSkuView(
        found.sku, found.category, found.states, numbers.available,
        on_hand, held, committed, damaged, quality_control, safety,
        sum(record.lacks for record in records), len(records),
    )  # fmt: skip


ROUTES = [
    Route(
        "GET", "/v1/skus", read_skus, Scope.READ, "Find SKUs, and what they have, page by page",
        {200: SkusPage}, query=SkusQuery,
        outcomes=("invalid", "unknown_channel", "documents_missing", "documents_unavailable"), share=Share.REPORTS,
    ),
]  # fmt: skip
