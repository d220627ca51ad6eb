"""Sources: ERPs that own the stock, what of their numbers waits for a person, and what people decide."""

from typing import Any, Final

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain import limits
from server.domain.principal import Scope
from server.domain.sources import WHOLE_LIST, SourceSettings, TrackedOrder, WaitingNumber
from server.domain.sudden_changes import Place
from server.schemas.common import time_of
from server.schemas.sources import (
    DecisionBody,
    RefusedOrderView,
    SourceAsked,
    SourceList,
    SourceView,
    WaitingList,
    WaitingNumberView,
    WaitingQuery,
)
from server.service import sources
from server.service.sources import Standing


def _time(time_ms: int) -> Any:
    return time_of(time_ms) if time_ms else None


def _view(settings: SourceSettings, standing: Standing) -> SourceView:
    status, missing = standing.of(settings.name)
    return SourceView(
        settings.name, settings.kind, missing, status.circuit, status.reason, _time(status.known_ms),
        _time(status.whole_ms), status.places, status.waiting, status.untold, status.untold_oldest_s, status.refused,
        status.not_counted, status.supplies, status.unreadable, status.is_late, settings.rules.lead_time_days,
    )  # fmt: skip


async def read_many(call: Call) -> SourceList:
    """List every configured source and how it stands."""
    configured = sources.settings_of(call.caller)
    standing = await sources.standing(call.caller)
    return SourceList([_view(configured[name], standing) for name in sorted(configured)])


def _number(place: Place, each: WaitingNumber) -> WaitingNumberView:
    sku, location = (None, None) if place == WHOLE_LIST else place
    return WaitingNumberView(
        sku, location, each.why, each.before, each.after, time_of(each.since_ms), each.decision, each.by
    )


def _order(key: str, order: TrackedOrder) -> RefusedOrderView:
    return RefusedOrderView(key, order.channel, order.number, order.reason)


async def read_waiting(call: Call) -> WaitingList:
    """List the numbers of a source that are not believed, and the orders that it does not take."""
    query: WaitingQuery = call.query(WaitingQuery)
    found = await sources.waiting(call.caller, call.named("source"), query.limit)
    return WaitingList(
        [_number(*each) for each in found.numbers], [_order(*each) for each in found.orders], found.complete
    )


async def decide(call: Call) -> SourceAsked:
    """Confirm or refuse numbers that wait."""
    return SourceAsked(*await sources.decide(call.caller, call.named("source"), call.body))


async def pull(call: Call) -> SourceAsked:
    """Have a source read now, and told again of orders that it did not take."""
    return SourceAsked(*await sources.pull_now(call.caller, call.named("source")))


_ONE: Final = "/v1/sources/{source}"

ROUTES = [
    Route(
        "GET", "/v1/sources", read_many, Scope.READ, "Every configured source, and how it stands",
        {200: SourceList},
    ),
    Route(
        "GET", _ONE + "/waiting", read_waiting, Scope.READ, "What a source says and nobody believes",
        {200: WaitingList}, query=WaitingQuery, outcomes=("invalid", "unknown_source"), share=Share.REPORTS,
    ),
    Route(
        "POST", _ONE + "/decisions", decide, Scope.ADMIN, "Confirm or refuse numbers that wait",
        {202: SourceAsked}, DecisionBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
        outcomes=("invalid", "unknown_source", "not_waiting"), share=Share.BULK,
    ),
    Route(
        "POST", _ONE + "/pull", pull, Scope.ADMIN, "Read a source now, and tell it again what it did not take",
        {202: SourceAsked}, outcomes=("unknown_source",),
    ),
]  # fmt: skip
