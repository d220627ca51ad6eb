"""When to order what: rules, proposals, and the events of stock that crossed a line."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.channels import written
from server.api.routes.reports import Limit, figure_store, in_report_time
from server.api.routes.reservation_answers import time_of
from server.domain import limits
from server.domain.alerts import Alert
from server.domain.principal import Scope
from server.domain.replenishment import ANY, Days, Proposal, Rule, Units, most_urgent
from server.insight import reorder_proposals
from server.insight.reports import Only, span_of
from server.schemas.common import Body, Location, Sku
from server.service.checks import InvalidError, check_location, check_sku
from server.store.connection.timeouts import in_time
from server.store.journal.journal import START
from server.store.repositories.daily_figures import FigureStore
from server.store.repositories.replenishment import ReplenishmentStore

RULES_PER_CALL_MAX: Final = 1_000


class RuleBody(Body, frozen=True):
    """A rule for one SKU or all, at one location or all. ``remove``: take it away."""

    sku: Sku | None = None
    location: Location | None = None
    reorder_point: Units = 0
    target: Units = 0
    lead_time_days: Days = 0.0
    cover_days: Days = 0.0
    remove: bool = False


class RulesBody(Body, frozen=True):
    """Rules to set; those that are not named stay."""

    rules: Annotated[list[RuleBody], Meta(min_length=1, max_length=RULES_PER_CALL_MAX)]


class RuleView(msgspec.Struct, frozen=True):
    """A rule. ``sku`` or ``location`` null: for all."""

    sku: str | None
    location: str | None
    reorder_point: int
    target: int
    lead_time_days: float
    cover_days: float


class RuleList(msgspec.Struct, frozen=True):
    """Every rule, those for all first."""

    rules: list[RuleView]


class PlaceQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SKU or all, at one location or all."""

    sku: Sku | None = None
    location: Location | None = None
    limit: Limit = 100


class ProposalList(msgspec.Struct, frozen=True):
    """What to order, most urgent first; ``proposals_total`` counts those beyond the limit, too."""

    proposals: list[Proposal]
    proposals_total: int


class EventsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after``: the ``next`` of an earlier answer; without it from the oldest event that is kept."""

    after: Annotated[str, Meta(max_length=64)] | None = None
    limit: Limit = 100


class EventView(msgspec.Struct, frozen=True):
    """A line that was crossed. ``available``: what could be promised right after it."""

    id: str
    type: Alert
    at: datetime
    sku: str
    location: str
    available: int
    reorder_point: int
    seq: int


class EventList(msgspec.Struct, frozen=True):
    """Events, oldest first. ``next`` goes into ``after`` to read on, also when there is none now."""

    events: list[EventView]
    next: str


def _store(call: Call) -> ReplenishmentStore:
    return ReplenishmentStore(call.service.client, call.ledger.keyspace)


def _checked(at: int, body: RuleBody) -> tuple[tuple[str, str], Rule | None]:
    sku = check_sku(f"rules[{at}].sku", body.sku) if body.sku is not None else ANY
    location = check_location(f"rules[{at}].location", body.location) if body.location is not None else ANY
    rule = Rule(
        reorder_point=body.reorder_point,
        target=body.target,
        lead_time_days=body.lead_time_days,
        cover_days=body.cover_days,
    )
    return (sku, location), None if body.remove else rule


def _view(rules: dict[tuple[str, str], Rule]) -> RuleList:
    return RuleList(
        [
            RuleView(sku or None, location or None, **msgspec.structs.asdict(rules[sku, location]))
            for sku, location in sorted(rules)
        ]
    )


async def set_rules(call: Call) -> web.StreamResponse:
    """Set rules by which to order and to raise alerts; the last one counts where two are for the same."""
    body: RulesBody = call.body
    rules = dict(_checked(at, each) for at, each in enumerate(body.rules))
    await written(_store(call).set_rules(rules, call.principal.actor))
    return respond(call.request, _view({where: rule for where, rule in rules.items() if rule is not None}))


async def read_rules(call: Call) -> web.StreamResponse:
    """Read every rule."""
    return respond(call.request, _view(await in_report_time(_store(call).rules())))


async def propose(call: Call) -> web.StreamResponse:
    """Propose what to order."""
    query: PlaceQuery = parse_query(call.request, PlaceQuery)
    only = Only(
        sku=check_sku("sku", query.sku) if query.sku is not None else "",
        location=check_location("location", query.location) if query.location is not None else "",
    )
    found = most_urgent(await in_report_time(_proposals(_store(call), figure_store(call), only)))
    return respond(call.request, ProposalList(found[: query.limit], len(found)))


async def _proposals(store: ReplenishmentStore, figures: FigureStore, only: Only) -> list[Proposal]:
    span = await span_of(figures, await figures.counted())
    return await reorder_proposals.proposals(figures, await store.rules(), span, only)


async def events(call: Call) -> web.StreamResponse:
    """Read what crossed a line."""
    query: EventsQuery = parse_query(call.request, EventsQuery)
    after = START if query.after in (None, "0") else str(query.after)
    try:
        found = await in_time(_store(call).events(after, query.limit))
    except ValueError:
        raise InvalidError("after", "must be the next of an earlier answer, or 0") from None
    views = [
        EventView(
            each.id, each.alert, time_of(each.at_ms), each.sku, each.location, each.available, each.reorder_point,
            each.seq,
        )
        for each in found
    ]  # fmt: skip
    return respond(call.request, EventList(views, views[-1].id if views else after))


ROUTES = [
    Route(
        "PUT", "/v1/replenishment/rules", set_rules, Scope.STOCK, "Set when and how much to order",
        {200: RuleList}, RulesBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
    ),
    Route(
        "GET", "/v1/replenishment/rules", read_rules, Scope.READ, "Every rule by which to order",
        {200: RuleList},
    ),
    Route(
        "GET", "/v1/replenishment", propose, Scope.READ, "What to order now, most urgent first",
        {200: ProposalList}, query=PlaceQuery, outcomes=("invalid",),
    ),
    Route(
        "GET", "/v1/events", events, Scope.READ, "Stock that ran low, ran out or came back, and shortages",
        {200: EventList}, query=EventsQuery, outcomes=("invalid",),
    ),
]  # fmt: skip
