"""Sourcing over HTTP: what a body asks for, the candidates that go along with a promise, and a choice explained."""

from collections import Counter

from aiohttp import web

from server.api.http.routing import Call, Route
from server.api.http.wire import respond
from server.api.routes.reservation_answers import time_of
from server.domain import limits
from server.domain.locations import Directory, distance_km
from server.domain.principal import Scope
from server.domain.sourcing import Rules, Seen, Stock, Wanted, choose_among, look_at, ranked
from server.domain.splitting import Parts, deal, parts_among
from server.schemas.common import LineBody
from server.schemas.sourcing import (
    ExplainBody,
    ExplainedCandidate,
    ExplainedLine,
    ExplainedOutcome,
    ExplainedPart,
    ExplainView,
    Lack,
    PassedOver,
    WhyPassedOver,
)
from server.service.checks import check_location, check_sku, check_text
from server.service.sourcing import check_sourcing, planned_lines, rules_of

_DECIMALS = 3
"""Of a distance in kilometres: metres."""


async def explain(call: Call) -> web.StreamResponse:
    """Say which locations an order would be taken from now, and why not from the others. Nothing is held.

    A hold that has lapsed and is not yet ended still counts as held here.
    """
    body: ExplainBody = call.body
    for i, line in enumerate(body.lines):
        check_sku(f"lines[{i}].sku", line.sku)
        check_location(f"lines[{i}].location", line.location)
    check_sourcing(body.sourcing, body.lines, policy="all_or_nothing")
    directory = await call.service.places(call.principal.partition).current()
    skus = sorted({line.sku for line in body.lines})
    channel = check_text("channel", body.channel, limits.NAME_BYTES_MAX) if body.channel is not None else ""
    found = await call.ledger.availability(skus, channel=channel)
    stock = {
        (sku, each.location): each.available for sku, levels in zip(skus, found.skus, strict=True) for each in levels
    }
    planned = planned_lines(body.lines)
    for number, line in enumerate(body.lines, 1):
        if number not in planned and (line.sku, line.location) in stock:
            stock[line.sku, line.location] -= line.quantity
    answer = _Explanation(directory, rules_of(body.sourcing), body.lines, planned, stock)
    return respond(call.request, answer.view(time_of(found.as_of_ms)))


class _Explanation:
    """The choice for one order, and what speaks against the other candidates."""

    def __init__(
        self, directory: Directory, rules: Rules, lines: list[LineBody], planned: list[int], stock: Stock
    ) -> None:
        self._directory = directory
        self._rules = rules
        self._lines = lines
        self._planned = planned
        self._stock = stock
        units: Counter[str] = Counter()
        for number in planned:
            units[lines[number - 1].sku] += lines[number - 1].quantity
        self._wanted = [Wanted(sku, quantity) for sku, quantity in units.items()]
        # Where every line names its location there is nothing to choose, and nobody to be a candidate.
        candidates = ranked(directory, rules, len(units)) if planned else []
        self._seen = look_at(self._wanted, candidates, stock)
        self._chosen = self._choose() if candidates else None

    def _choose(self) -> list[Parts] | None:
        if self._rules.split_lines:
            return parts_among(self._seen, self._wanted, self._rules.splits_max)
        names = choose_among(self._seen, len(self._wanted), self._rules.splits_max)
        if names is None:
            return None
        return [[(name, want.units)] for name, want in zip(names, self._wanted, strict=True)]

    def view(self, as_of: object) -> ExplainView:
        """Show it."""
        taken = {name for parts in self._chosen or [] for name, _ in parts}
        names = [seen.name for seen in self._seen if seen.name in taken]
        candidates = [self._candidate(seen, names) for seen in self._seen]
        return ExplainView(self._outcome(), self._told(), candidates, self._passed_over(), as_of)  # type: ignore[arg-type]

    def _told(self) -> list[ExplainedLine]:
        of_line: dict[int, Parts] = {}
        for want, parts in zip(self._wanted, self._chosen or [], strict=False):
            numbers = [number for number in self._planned if self._lines[number - 1].sku == want.sku]
            dealt = deal([self._lines[number - 1].quantity for number in numbers], parts)
            of_line |= dict(zip(numbers, dealt, strict=True))
        lines = []
        for number, line in enumerate(self._lines, 1):
            parts = of_line.get(number, [("" if number in self._planned else line.location, line.quantity)])
            split = [ExplainedPart(*part) for part in parts] if len(parts) > 1 else []
            lines.append(ExplainedLine(number, line.sku, line.quantity, parts[0][0], split))
        return lines

    def _outcome(self) -> ExplainedOutcome:
        if self._chosen is not None or not self._wanted:
            return "chosen"
        if not self._seen:
            return "location_closed"
        names = [seen.name for seen in self._seen]
        most = [[self._stock.get((want.sku, name)) for name in names] for want in self._wanted]
        if any(all(each is None for each in row) for row in most):
            return "unknown_sku"
        together = sum if self._rules.split_lines else max
        enough = [
            together(max(0, each or 0) for each in row) >= want.units
            for want, row in zip(self._wanted, most, strict=True)
        ]
        return "too_many_splits" if all(enough) else "out_of_stock"

    def _candidate(self, seen: Seen, chosen: list[str]) -> ExplainedCandidate:
        location = self._directory.locations.get(seen.name)
        distance = None
        if location is not None and location.position is not None and self._rules.position is not None:
            distance = round(distance_km(self._rules.position, location.position), _DECIMALS)
        lacks = [
            Lack(want.sku, want.units, self._stock.get((want.sku, seen.name), 0))
            for i, want in enumerate(self._wanted)
            if i not in seen.has
        ]
        return ExplainedCandidate(
            seen.name,
            seen.name in chosen,
            self._why(seen, chosen),
            distance,
            location.footfall if location else 0,
            location.priority if location else 0,
            seen.units,
            lacks,
        )

    def _why(self, seen: Seen, chosen: list[str]) -> str:
        whole = len(seen.has) == len(self._wanted)
        if seen.name in chosen:
            if len(chosen) == 1:
                return "the first that has everything"
            return (
                f"one of the {len(chosen)} locations that have everything together: no fewer do, and these come first"
            )
        if whole:
            return f"has everything, but comes after {chosen[0]}"
        if not (any(seen.left) if self._rules.split_lines else seen.has):
            return "has none of it" if self._rules.split_lines else "has none of it in the quantity that is wanted"
        if not chosen:
            return "lacks a part, and no allowed number of locations has everything together"
        return f"lacks a part that {chosen[0]} has" if len(chosen) == 1 else "not needed beside those chosen"

    def _passed_over(self) -> list[PassedOver]:
        if not self._wanted:
            return []
        seen = {each.name for each in self._seen}
        found = []
        for location in self._directory.locations.values():
            if location.name not in seen:
                why: WhyPassedOver = "beyond_limit"
                if not location.open:
                    why = "closed"
                elif self._rules.group and self._rules.group not in location.groups:
                    why = "not_in_group"
                found.append(PassedOver(location.name, why))
        return found


ROUTES = [
    Route(
        "POST", "/v1/sourcing/explain", explain, Scope.READ, "Why an order would be taken from where, without holding",
        {200: ExplainView}, ExplainBody,
    ),
]  # fmt: skip
