"""Safety stock over the wire: rules of how much to keep, and the categories of SKUs."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from server.domain.replenishment import Units
from server.domain.safety_stock import CATEGORY_BYTES_MAX, SKUS_PER_CALL_MAX, Percent
from server.schemas.common import AllowSimilar, Body, Location, Sku

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


class SafetyRulesPut(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rules that were set. ``unknown_categories``: no SKU is of these yet, so check their names."""

    rules: list[SafetyRuleView]
    unknown_categories: list[str] = []


class SkuBody(Body, frozen=True):
    """What a SKU is; what is left out stays as it is.

    ``category`` null: none. ``tracked`` false: it has no stock and needs none, such as gift wrap.
    """

    category: Category | msgspec.UnsetType | None = msgspec.UNSET
    tracked: bool | msgspec.UnsetType = msgspec.UNSET
    allow_similar: AllowSimilar = msgspec.UNSET


class NamedSkuBody(Body, frozen=True):
    """What a SKU is, with its name."""

    sku: Sku
    category: Category | None


class SkusBody(Body, frozen=True):
    """What SKUs are; those that are not named stay as they are."""

    skus: Annotated[list[NamedSkuBody], Meta(min_length=1, max_length=SKUS_PER_CALL_MAX)]


class SkuView(msgspec.Struct, frozen=True):
    """What a SKU is. ``category`` null: none. ``tracked`` is left out where many are put into categories.

    ``sku`` is what it is called now; ``former_names``, left out where there are none, are what it was called before.
    """

    sku: str
    category: str | None
    tracked: bool | msgspec.UnsetType = msgspec.UNSET
    former_names: list[str] | msgspec.UnsetType = msgspec.UNSET


class SkuList(msgspec.Struct, frozen=True):
    """What SKUs are, in the order in which they were given."""

    skus: list[SkuView]
