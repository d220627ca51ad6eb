"""Shortages: where more is promised than there is, and which orders will not get all of their units."""

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.reservation_answers import time_of
from server.domain import limits
from server.domain.principal import Scope
from server.schemas.stock import ShortageList, ShortageView, ShortLineView
from server.service.checks import check_cursor
from server.store.connection.timeouts import in_time
from server.store.repositories.shortages import Shortage, find_shortages


class ShortageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after`` is the ``next`` of the page before."""

    after: Annotated[str, Meta(max_length=20)] = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50


def _view(shortage: Shortage) -> ShortageView:
    lines = [
        ShortLineView(
            each.reservation_id, each.line, each.channel, each.state, each.order_ref, each.flags,
            time_of(each.created_ms), each.quantity, each.lacks,
        )
        for each in shortage.lines
    ]  # fmt: skip
    return ShortageView(shortage.sku, shortage.location, shortage.short, lines, shortage.complete)


async def read(call: Call) -> web.StreamResponse:
    """Read what is short, a page at a time."""
    query: ShortageQuery = parse_query(call.request, ShortageQuery)
    after = check_cursor("after", query.after)
    service = call.service
    page = await in_time(
        find_shortages(service.client, call.ledger.keyspace, service.retention.packed(), after, query.limit)
    )
    return respond(call.request, ShortageList([_view(each) for each in page.shortages], page.next))


ROUTES = [
    Route(
        "GET", "/v1/shortages", read, Scope.READ, "Read where more is promised than there is",
        {200: ShortageList}, query=ShortageQuery, outcomes=("invalid",),
    ),
]  # fmt: skip
