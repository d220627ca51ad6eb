"""When and how much to order: rules for SKUs and locations, and the quantity that follows from them."""

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from server.domain.limits import QUANTITY_MAX

Units = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
Days = Annotated[float, Meta(ge=0, le=366)]
ANY: Final = ""
"""Stands for every SKU, or every location."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """When to order (SKU, location) anew, and up to how much. Kept as JSON: new fields need a default.

    ``reorder_point`` and ``target`` are units; ``lead_time_days`` is how long a delivery takes, ``cover_days`` how long
    it is to last once it is there. What velocity makes of the days counts where it is more than the units given.
    """

    reorder_point: Units = 0
    target: Units = 0
    lead_time_days: Days = 0.0
    cover_days: Days = 0.0


Rules = Mapping[tuple[str, str], Rule]
"""By (SKU, location), either of which may be :data:`ANY`."""


R = TypeVar("R")


def rule_for(rules: Mapping[tuple[str, str], R], sku: str, location: str) -> R | None:
    """Find the rule that holds: for both, for the SKU, for the location, for everything; the first that there is."""
    for where in ((sku, location), (sku, ANY), (ANY, location), (ANY, ANY)):
        rule = rules.get(where)
        if rule is not None:
            return rule
    return None


class Proposal(msgspec.Struct, frozen=True):
    """What to order for a (SKU, location). ``reorder_point`` and ``target`` are those that hold at this velocity.

    ``incoming`` units are on their way already: expected, and not late, or in transit from another location.
    """

    sku: str
    location: str
    available: int
    incoming: int
    per_day: float
    reorder_point: int
    target: int
    quantity: int


def propose(
    rule: Rule, sku: str, location: str, *, available: int, per_day: float, incoming: int = 0
) -> Proposal | None:
    """Propose how much to order; None: nothing.

    ``available`` may be negative: what is promised too often is ordered, too. ``incoming`` units are on their way.
    """
    point = max(rule.reorder_point, _ceil(per_day * rule.lead_time_days))
    target = max(rule.target, point, _ceil(per_day * (rule.lead_time_days + rule.cover_days)))
    there = available + incoming
    if there > point or there >= target:
        return None
    return Proposal(sku, location, available, incoming, round(per_day, 3), point, target, target - there)


def most_urgent(proposals: Iterable[Proposal]) -> list[Proposal]:
    """Order proposals: what is gone soonest first."""
    return sorted(proposals, key=lambda each: (_days_left(each), -each.quantity, each.sku, each.location))


def _days_left(proposal: Proposal) -> float:
    if proposal.available <= 0:
        return 0.0
    return proposal.available / proposal.per_day if proposal.per_day else math.inf


def _ceil(units: float) -> int:
    # A hair above a whole number is that number: 0.1 a day over 30 days are 3 units, not 4.
    return math.ceil(round(units, 6))
