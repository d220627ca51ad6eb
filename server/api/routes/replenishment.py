"""When to order what: rules, proposals, and the events of stock that crossed a line."""

from collections.abc import Mapping

import msgspec

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain import limits
from server.domain.principal import Scope
from server.domain.replenishment import Proposal, Rule, urgency
from server.insight import reorder_proposals
from server.insight.first_rows import first_rows
from server.insight.reports import Only, span_of
from server.schemas.common import time_of
from server.schemas.replenishment import (
    EventList,
    EventsQuery,
    EventView,
    PlaceQuery,
    ProposalList,
    RuleList,
    RulesBody,
    RulesPut,
    RuleView,
)
from server.service import rules
from server.service.checks import check_location, check_sku
from server.service.events import events as stock_events
from server.service.pages import next_of, place_in
from server.store.connection.timeouts import in_report_time
from server.store.repositories.daily_figures import FigureStore
from server.store.repositories.replenishment import ReplenishmentStore
from server.store.repositories.rules import Where

_Urgency = tuple[float, int, str, str]
_decode_urgency = msgspec.json.Decoder(_Urgency).decode


def _views(found: Mapping[Where, Rule]) -> list[RuleView]:
    return [
        RuleView(sku or None, location or None, **msgspec.structs.asdict(found[sku, location]))
        for sku, location in sorted(found)
    ]


async def set_rules(call: Call) -> RulesPut:
    """Set rules by which to order and to raise alerts; the last one counts where two are for the same."""
    body: RulesBody = call.body
    store = rules.replenishment_store(call.caller)
    put = await rules.set_rules(call.caller, store, rules.replenishment_rule, body.rules)
    return RulesPut(_views(put), await rules.unknown_skus(call.caller, put))


async def read_rules(call: Call) -> RuleList:
    """Read every rule."""
    return RuleList(_views(await rules.all_rules(rules.replenishment_store(call.caller))))


async def propose(call: Call) -> ProposalList:
    """Propose what to order."""
    query: PlaceQuery = call.query(PlaceQuery)
    only = Only(
        sku=check_sku("sku", query.sku) if query.sku is not None else "",
        location=check_location("location", query.location) if query.location is not None else "",
    )
    figures = FigureStore(call.caller.partition.client, call.caller.partition.keyspace)
    store = rules.replenishment_store(call.caller)
    proposals = await in_report_time(_proposals(store, figures, only))
    behind = place_in(query.after, _decode_urgency) if query.after else None
    left = proposals if behind is None else [each for each in proposals if urgency(each) > behind]
    page = await first_rows(left, urgency, query.limit)
    return ProposalList(page, len(proposals), next_of(urgency(page[-1])) if len(page) < len(left) else "")


async def _proposals(store: ReplenishmentStore, figures: FigureStore, only: Only) -> list[Proposal]:
    span = await span_of(figures, await figures.counted())
    return await reorder_proposals.proposals(figures, await store.rules(), span, only)


async def events(call: Call) -> EventList:
    """Read what crossed a line."""
    found, following = await stock_events(call.caller, call.query(EventsQuery))
    views = [
        EventView(
            each.id, each.alert, time_of(each.at_ms), each.sku, each.location, each.available, each.reorder_point,
            each.seq,
        )
        for each in found
    ]  # fmt: skip
    return EventList(views, following)


ROUTES = [
    Route(
        "PUT", "/v1/replenishment/rules", set_rules, Scope.STOCK, "Set when and how much to order",
        {200: RulesPut}, RulesBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX, share=Share.BULK,
    ),
    Route(
        "GET", "/v1/replenishment/rules", read_rules, Scope.READ, "Every rule by which to order",
        {200: RuleList},
    ),
    Route(
        "GET", "/v1/replenishment", propose, Scope.READ, "What to order now, most urgent first",
        {200: ProposalList}, query=PlaceQuery, outcomes=("invalid",), share=Share.REPORTS,
    ),
    Route(
        "GET", "/v1/events", events, Scope.READ, "Stock that ran low, ran out or came back, and shortages",
        {200: EventList}, query=EventsQuery, outcomes=("invalid",), share=Share.REPORTS,
    ),
]  # fmt: skip
