"""When and how much to order: rules for SKUs and locations, and the quantity that follows from them."""

import math
from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from server.domain.limits import QUANTITY_MAX

Units = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
Days = Annotated[float, Meta(ge=0, le=366)]
ANY: Final = ""
"""Stands for every SKU, or every location."""
_NEVER: Final = 1e18
"""Days until something runs out that does not sell: a number, so that a page can name it as its place."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """When to reorder a (SKU, location), and up to how much. Kept as JSON: new fields need a default.

    ``reorder_point`` and ``target`` are units; ``lead_time_days`` is how long a delivery takes, ``cover_days`` how long
    it is to last. The days times the velocity count where they are more than the units.
    """

    reorder_point: Units = 0
    target: Units = 0
    lead_time_days: Days = 0.0
    cover_days: Days = 0.0


Rules = Mapping[tuple[str, str], Rule]
"""By (SKU, location), either of which may be :data:`ANY`."""


R = TypeVar("R")


def rule_for(rules: Mapping[tuple[str, str], R], sku: str, location: str) -> R | None:
    """Return the first rule that exists: for both, for the SKU, for the location, for everything; or None."""
    for where in ((sku, location), (sku, ANY), (ANY, location), (ANY, ANY)):
        rule = rules.get(where)
        if rule is not None:
            return rule
    return None


class Proposal(msgspec.Struct, frozen=True, gc=False):
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

    ``available`` may be negative: a shortage is ordered as well. ``incoming``: units that are expected or in transit.
    """
    point = max(rule.reorder_point, _ceil(per_day * rule.lead_time_days))
    target = max(rule.target, point, _ceil(per_day * (rule.lead_time_days + rule.cover_days)))
    there = available + incoming
    if there > point or there >= target:
        return None
    return Proposal(sku, location, available, incoming, round(per_day, 3), point, target, target - there)


def urgency(proposal: Proposal) -> tuple[float, int, str, str]:
    """Return the key by which proposals are sorted: what runs out soonest first."""
    return _days_left(proposal), -proposal.quantity, proposal.sku, proposal.location


def _days_left(proposal: Proposal) -> float:
    if proposal.available <= 0:
        return 0.0
    return proposal.available / proposal.per_day if proposal.per_day else _NEVER


def _ceil(units: float) -> int:
    # A hair above a whole number is that number: 0.1 a day over 30 days are 3 units, not 4.
    return math.ceil(round(units, 6))
