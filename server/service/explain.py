"""Why an order would be taken from where: the store's own choice, put into sentences."""

from collections import defaultdict
from typing import Final

from server.domain import limits
from server.domain.locations import Directory, distance_km
from server.domain.operations.reservations import Reserve
from server.domain.sourcing import Choice, PlannedPart, Rules, UnitsAt
from server.schemas.common import UNNAMED, LineBody, time_of
from server.schemas.sourcing import (
    ExplainBody,
    ExplainedCandidate,
    ExplainedLine,
    ExplainedPart,
    ExplainView,
    Lack,
    PassedOver,
    WhyPassedOver,
)
from server.service.caller import Caller
from server.service.checks import check_text
from server.service.reservations import lines_of
from server.service.sourcing import check_sourcing, rules_of, with_plan

_DECIMALS: Final = 3
"""Of a distance in kilometres: metres."""


async def explain(caller: Caller, body: ExplainBody) -> ExplainView:
    """Explain which locations an order would be taken from now, and why not from the others. Nothing is held.

    A hold past its deadline that has not expired yet still counts as held.

    Raises
    ------
    InvalidError
        The body breaks a rule.

    """
    lines = lines_of(body.lines)
    check_sourcing(body.sourcing, body.lines, policy="all_or_nothing")
    channel = "" if body.channel is None else check_text("channel", body.channel, limits.NAME_BYTES_MAX)
    directory = await caller.partition.locations.current()
    reserve = Reserve("", "", "", channel, lines, ttl_ms=0)
    choice = await caller.ledger.explain(with_plan(directory, body.sourcing, reserve))
    return _Explanation(directory, rules_of(body.sourcing), body.lines, choice).view()


class _Explanation:
    """The choice for one order, and what speaks against the other candidates."""

    def __init__(self, directory: Directory, rules: Rules, lines: list[LineBody], choice: Choice) -> None:
        self._directory = directory
        self._rules = rules
        self._lines = lines
        self._choice = choice
        taken = {part.location for part in choice.parts}
        self._chosen = [each.location for each in choice.candidates if each.location in taken]

    def view(self) -> ExplainView:
        choice = self._choice
        return ExplainView(
            choice.outcome,
            self._explained_lines(),
            [self._candidate(each) for each in choice.candidates],
            self._passed_over() if choice.wanted else [],
            time_of(choice.as_of_ms),
        )

    def _explained_lines(self) -> list[ExplainedLine]:
        parts_of: defaultdict[int, list[PlannedPart]] = defaultdict(list)
        for part in self._choice.parts:
            parts_of[part.line].append(part)
        return [_explained_line(number, line, parts_of[number]) for number, line in enumerate(self._lines, 1)]

    def _candidate(self, candidate: UnitsAt) -> ExplainedCandidate:
        wanted = self._choice.wanted
        lacks = [
            Lack(want.sku, want.units, units)
            for want, units in zip(wanted, candidate.units, strict=True)
            if units < want.units
        ]
        location = self._directory.locations.get(candidate.location)
        return ExplainedCandidate(
            candidate.location,
            candidate.location in self._chosen,
            self._why(candidate, len(lacks)),
            self._distance_km(candidate.location),
            location.footfall if location else 0,
            location.priority if location else 0,
            sum(max(0, units) for units in candidate.units),
            lacks,
        )

    def _distance_km(self, name: str) -> float | None:
        location = self._directory.locations.get(name)
        if location is None or location.position is None or self._rules.position is None:
            return None
        return round(distance_km(self._rules.position, location.position), _DECIMALS)

    def _why(self, candidate: UnitsAt, lacks: int) -> str:
        chosen = self._chosen
        if candidate.location in chosen:
            return _why_chosen(len(chosen))
        if not lacks:
            after = f"comes after {chosen[0]}" if chosen else "a line names a closed location"
            return f"has everything, but {after}"
        if self._rules.split_lines:
            if not any(units > 0 for units in candidate.units):
                return "has none of it"
        elif lacks == len(candidate.units):
            return "has none of it in the quantity that is wanted"
        return _why_not_enough(chosen)

    def _passed_over(self) -> list[PassedOver]:
        candidates, group = {each.location for each in self._choice.candidates}, self._rules.group
        found = []
        for location in self._directory.locations.values():
            if location.name not in candidates:
                why: WhyPassedOver = "beyond_limit"
                if not location.open:
                    why = "closed"
                elif group and group not in location.groups:
                    why = "not_in_group"
                found.append(PassedOver(location.name, why))
        return found


def _explained_line(number: int, line: LineBody, parts: list[PlannedPart]) -> ExplainedLine:
    """Show where a line would come from: its parts, or the location that it names; empty where there is none."""
    named = "" if line.location is UNNAMED else line.location
    split = [ExplainedPart(part.location, part.units) for part in parts] if len(parts) > 1 else []
    return ExplainedLine(number, line.sku, line.quantity, parts[0].location if parts else named, split)


def _why_chosen(locations: int) -> str:
    if locations == 1:
        return "the first that has everything"
    return f"one of the {locations} locations that have everything together: no fewer do, and these come first"


def _why_not_enough(chosen: list[str]) -> str:
    if not chosen:
        return "lacks a part, and no allowed number of locations has everything together"
    return f"lacks a part that {chosen[0]} has" if len(chosen) == 1 else "not needed beside those chosen"
