"""How much safety stock to keep: rules for categories and locations, which category a SKU is of, if it is tracked."""

from collections.abc import Mapping

import msgspec

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain import limits
from server.domain.principal import Scope
from server.domain.safety_stock import SafetyRule
from server.schemas.safety_stock import (
    SafetyRuleList,
    SafetyRulesBody,
    SafetyRulesPut,
    SafetyRuleView,
    SkuBody,
    SkuList,
    SkusBody,
    SkuView,
)
from server.service import rules, skus
from server.store.repositories.rules import Where


def _views(found: Mapping[Where, SafetyRule]) -> list[SafetyRuleView]:
    return [
        SafetyRuleView(category or None, location or None, rule.units, rule.percent)
        for (category, location), rule in sorted(found.items())
    ]


async def set_rules(call: Call) -> SafetyRulesPut:
    """Set how much to keep back; the last one counts where two are for the same."""
    body: SafetyRulesBody = call.body
    put = await rules.set_rules(call.caller, rules.safety_store(call.caller), rules.safety_rule, body.rules)
    return SafetyRulesPut(_views(put), await rules.unknown_categories(call.caller, put))


async def read_rules(call: Call) -> SafetyRuleList:
    """Read every rule."""
    return SafetyRuleList(_views(await rules.all_rules(rules.safety_store(call.caller))))


async def put_skus(call: Call) -> SkuList:
    """Put SKUs into categories; the last one counts where two are for the same."""
    body: SkusBody = call.body
    put = await skus.put_categories(call.caller, body)
    return SkuList([SkuView(sku, category or None) for sku, category in put.items()])


async def put_sku(call: Call) -> SkuView:
    """Put a SKU into a category, and make it tracked or untracked."""
    return _sku_view(await skus.put_sku(call.caller, call.named("sku"), call.body))


async def read_sku(call: Call) -> SkuView:
    """Read what category a SKU is of, and whether it is tracked."""
    return _sku_view(await skus.find_sku(call.caller, call.named("sku")))


def _sku_view(found: skus.SkuDetails) -> SkuView:
    former = list(found.former_names) or msgspec.UNSET
    return SkuView(found.sku, found.category or None, found.is_tracked, former)


ROUTES = [
    Route(
        "PUT", "/v1/safety/rules", set_rules, Scope.STOCK, "Set how much safety stock to keep",
        {200: SafetyRulesPut}, SafetyRulesBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX, share=Share.BULK,
    ),
    Route(
        "GET", "/v1/safety/rules", read_rules, Scope.READ, "Every rule of safety stock", {200: SafetyRuleList},
    ),
    Route(
        "PUT", "/v1/skus", put_skus, Scope.STOCK, "Put SKUs into categories",
        {200: SkuList}, SkusBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX, share=Share.BULK,
    ),
    Route(
        "PUT", "/v1/skus/{sku}", put_sku, Scope.STOCK, "Put a SKU into a category, and say whether it has stock",
        {200: SkuView}, SkuBody, outcomes=("sku_has_stock", "similar_name"),
    ),
    Route(
        "GET", "/v1/skus/{sku}", read_sku, Scope.READ, "Read what category a SKU is of, and whether it has stock",
        {200: SkuView}, outcomes=("invalid",),
    ),
]  # fmt: skip
