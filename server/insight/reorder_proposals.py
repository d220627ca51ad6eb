"""Compares stock and velocity of each SKU at each location with the rules, and proposes what to order."""

from server.domain.replenishment import Proposal, Rules, propose, rule_for
from server.domain.reports import Pace, Span
from server.insight.inbound_units import incoming
from server.insight.reports import Only, paces_by_place, shelves
from server.store.repositories.daily_figures import FigureStore


async def proposals(store: FigureStore, rules: Rules, span: Span, only: Only) -> list[Proposal]:
    """Propose what to order for every (SKU, open location) that a rule is for, in no order."""
    if not rules:
        return []
    paces, nothing = await paces_by_place(store, span, only), Pace()
    # Before the shelves: what arrives between the two reads counts twice and is ordered when it is looked again, where
    # the other way round it would be ordered though it is there.
    coming = await incoming(store, span.calendar.date_at(span.now_ms))
    found: list[Proposal] = []
    async for shelf in shelves(store, only):
        rule = rule_for(rules, shelf.sku, shelf.location)
        if rule is None or shelf.is_closed:  # nothing is sold from there, so nothing is missing
            continue
        per_day = paces.get((shelf.sku, shelf.location), nothing).per_day_28(span)
        where = shelf.sku, shelf.location
        proposal = propose(rule, *where, available=shelf.available, per_day=per_day, incoming=coming.get(where, 0))
        if proposal is not None:
            found.append(proposal)
    return found
