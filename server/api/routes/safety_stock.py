"""How much safety stock to keep: rules for categories and locations, and which category a SKU is of."""

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from server.api.http.routing import Call, Route
from server.api.http.wire import respond
from server.api.routes.channels import written
from server.api.routes.reports import in_report_time
from server.domain import limits
from server.domain.principal import Scope
from server.domain.replenishment import ANY, Units
from server.domain.safety_stock import CATEGORY_BYTES_MAX, SKUS_PER_CALL_MAX, Percent, SafetyRule, SafetyRules
from server.schemas.common import Body, Location, Sku
from server.service.checks import check_category, check_location, check_sku
from server.store.connection.timeouts import in_time
from server.store.repositories.safety_stock import SafetyStore

RULES_PER_CALL_MAX: Final = 1_000

Category = Annotated[str, Meta(min_length=1, max_length=CATEGORY_BYTES_MAX)]


class SafetyRuleBody(Body, frozen=True):
    """A rule for one category or all, at one location or all. ``remove``: take it away."""

    category: Category | None = None
    location: Location | None = None
    units: Units = 0
    percent: Percent = 0
    remove: bool = False


class SafetyRulesBody(Body, frozen=True):
    """Rules to set; those that are not named stay."""

    rules: Annotated[list[SafetyRuleBody], Meta(min_length=1, max_length=RULES_PER_CALL_MAX)]


class SafetyRuleView(msgspec.Struct, frozen=True):
    """A rule. ``category`` or ``location`` null: for all."""

    category: str | None
    location: str | None
    units: int
    percent: int


class SafetyRuleList(msgspec.Struct, frozen=True):
    """Rules, those for all first."""

    rules: list[SafetyRuleView]


class SkuBody(Body, frozen=True):
    """What a SKU is. ``category`` null: none."""

    category: Category | None


class NamedSkuBody(Body, frozen=True):
    """What a SKU is, with its name."""

    sku: Sku
    category: Category | None


class SkusBody(Body, frozen=True):
    """What SKUs are; those that are not named stay as they are."""

    skus: Annotated[list[NamedSkuBody], Meta(min_length=1, max_length=SKUS_PER_CALL_MAX)]


class SkuView(msgspec.Struct, frozen=True):
    """What a SKU is. ``category`` null: none."""

    sku: str
    category: str | None


class SkuList(msgspec.Struct, frozen=True):
    """What SKUs are, in the order in which they were given."""

    skus: list[SkuView]


def _store(call: Call) -> SafetyStore:
    return SafetyStore(call.service.client, call.ledger.keyspace)


def _checked(at: int, body: SafetyRuleBody) -> tuple[tuple[str, str], SafetyRule | None]:
    where = f"rules[{at}]"
    category = check_category(f"{where}.category", body.category)
    location = check_location(f"{where}.location", body.location) if body.location is not None else ANY
    return (category, location), None if body.remove else SafetyRule(units=body.units, percent=body.percent)


def _view(rules: SafetyRules) -> SafetyRuleList:
    return SafetyRuleList(
        [
            SafetyRuleView(category or None, location or None, rule.units, rule.percent)
            for (category, location), rule in sorted(rules.items())
        ]
    )


async def set_rules(call: Call) -> web.StreamResponse:
    """Set how much to keep back; the last one counts where two are for the same."""
    body: SafetyRulesBody = call.body
    rules = dict(_checked(at, each) for at, each in enumerate(body.rules))
    await written(_store(call).set_rules(rules, call.principal.actor))
    return respond(call.request, _view({where: rule for where, rule in rules.items() if rule is not None}))


async def read_rules(call: Call) -> web.StreamResponse:
    """Read every rule."""
    return respond(call.request, _view(await in_report_time(_store(call).rules())))


async def put_skus(call: Call) -> web.StreamResponse:
    """Put SKUs into categories; the last one counts where two are for the same."""
    body: SkusBody = call.body
    categories = {
        check_sku(f"skus[{at}].sku", each.sku): check_category(f"skus[{at}].category", each.category)
        for at, each in enumerate(body.skus)
    }
    await written(_store(call).set_categories(categories, call.principal.actor))
    return respond(call.request, SkuList([SkuView(sku, category or None) for sku, category in categories.items()]))


async def put_sku(call: Call) -> web.StreamResponse:
    """Say what a SKU is."""
    body: SkuBody = call.body
    sku = check_sku("sku", call.request.match_info["sku"])
    category = check_category("category", body.category)
    await written(_store(call).set_categories({sku: category}, call.principal.actor))
    return respond(call.request, SkuView(sku, category or None))


async def read_sku(call: Call) -> web.StreamResponse:
    """Read what a SKU is."""
    sku = check_sku("sku", call.request.match_info["sku"])
    [category] = await in_time(_store(call).categories([sku]))
    return respond(call.request, SkuView(sku, category or None))


ROUTES = [
    Route(
        "PUT", "/v1/safety/rules", set_rules, Scope.STOCK, "Set how much safety stock to keep",
        {200: SafetyRuleList}, SafetyRulesBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
    ),
    Route(
        "GET", "/v1/safety/rules", read_rules, Scope.READ, "Every rule of safety stock", {200: SafetyRuleList},
    ),
    Route(
        "PUT", "/v1/skus", put_skus, Scope.STOCK, "Put SKUs into categories",
        {200: SkuList}, SkusBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
    ),
    Route(
        "PUT", "/v1/skus/{sku}", put_sku, Scope.STOCK, "Put a SKU into a category",
        {200: SkuView}, SkuBody,
    ),
    Route(
        "GET", "/v1/skus/{sku}", read_sku, Scope.READ, "Read what category a SKU is of", {200: SkuView},
        outcomes=("invalid",),
    ),
]  # fmt: skip
