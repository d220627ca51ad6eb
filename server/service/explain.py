"""Why an order would be taken from where: the store's own choice, put into sentences."""

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from server.domain import limits
from server.domain.locations import Directory, Location, distance_km
from server.domain.operations.reservations import Reserve
from server.domain.sourcing import Choice, PlannedPart, Rules, UnitsAt, wanted_of
from server.domain.stock import PlacesOfSku
from server.schemas.common import UNNAMED, LineBody, time_of
from server.schemas.sourcing import (
    ExplainBody,
    ExplainedCandidate,
    ExplainedLine,
    ExplainedPart,
    ExplainView,
    Lack,
    PassedOver,
    SourcingBody,
    WhyPassedOver,
)
from server.service.caller import Caller
from server.service.candidates import Candidates, where_to_work
from server.service.checks import check_channel
from server.service.line_names import named, names_others
from server.service.order_channels import check_allowed
from server.service.reservations import lines_of
from server.service.sourcing import candidates_of, check_sourcing, rules_of, with_plan
from server.store.errors import OrderTooWideError, TooManyPlacesError
from server.store.ledger import slices
from server.store.ledger.wide_orders import NAMED_MAX, among_places

_DECIMALS: Final = 3
"""Of a distance in kilometres: metres."""


async def explain(caller: Caller, body: ExplainBody) -> ExplainView:
    """Explain which locations an order would be taken from now, and why not from the others. Nothing is held.

    A hold past its deadline that has not expired yet still counts as held.

    Raises
    ------
    InvalidError
        The body breaks a rule.
    OrderTooWideError
        The SKUs are at more places than one order looks at.

    """
    try:
        return await _explained(caller, body)
    except TooManyPlacesError as error:
        raise OrderTooWideError(error.places_max) from None


async def _explained(caller: Caller, body: ExplainBody) -> ExplainView:
    asked = (await named(caller, body)).lines if names_others(body.lines) else body.lines
    lines = lines_of(asked)
    if isinstance(body.sourcing, SourcingBody):
        check_sourcing(body.sourcing, asked, policy="all_or_nothing")
    channel = "" if body.channel is None else check_channel("channel", body.channel)
    check_allowed(caller, channel)
    directory = await caller.partition.locations.current()
    reserve = Reserve("", "", "", channel, lines, ttl_ms=0)
    if not isinstance(body.sourcing, SourcingBody):
        return await _explain_places(caller, directory, asked, reserve)
    rules = rules_of(body.sourcing)
    candidates = await candidates_of(caller, directory, rules, reserve)
    choice = await caller.ledger.explain(with_plan(rules, reserve, candidates))
    explanation = _Explanation(directory, rules, asked, choice, candidates)
    return await _shown(explanation, len(directory.locations) + len(candidates.known))


async def _explain_places(caller: Caller, directory: Directory, lines: list[LineBody], reserve: Reserve) -> ExplainView:
    """Explain where lines that name no location are taken from without sourcing."""
    wanted = wanted_of(reserve)
    skus = list(wanted)
    places = await slices.places(caller.ledger, skus, places_max=limits.PLACES_PER_ORDER_MAX)
    choice = await caller.ledger.explain_places(reserve, sum(map(len, places)))
    named: Mapping[str, PlacesOfSku] | None = None
    if choice.outcome == "sourcing_incomplete":
        most = limits.PLACES_PER_ORDER_MAX
        named = await slices.stocked(caller.ledger, skus, reserve.channel, places_max=most)
        for named_max in NAMED_MAX:
            among = among_places(reserve, wanted, named, named_max)
            choice = await caller.ledger.explain_places(among, among.weight)
            if choice.outcome != "sourcing_incomplete":
                break
    taken = [part.location for part in choice.parts]

    def place(candidate: UnitsAt) -> tuple[bool, int, bool, str]:
        name = candidate.location
        return name not in taken, -sum(map(_at_least_none, candidate.units)), name != limits.DEFAULT_LOCATION, name

    choice = msgspec.structs.replace(choice, candidates=sorted(choice.candidates, key=place))
    known, have_units = await where_to_work(sum(map(len, places)))(_names_of, places, named)
    explanation = _PlacesExplanation(directory, _AS_PLACES, lines, choice, Candidates([], known=known))
    explanation.have_units = have_units
    return await _shown(explanation, len(directory.locations) + len(known))


def _names_of(
    places: list[list[str]], named: Mapping[str, PlacesOfSku] | None
) -> tuple[frozenset[str], frozenset[str] | None]:
    """Return all places that know one of the SKUs; and those that have units, where only these were looked at."""
    known = frozenset(name for names in places for name in names)
    if named is None:
        return known, None
    return known, frozenset(name for each in named.values() for name, units, _ in each.stocked if units > 0)


async def _shown(explanation: "_Explanation", places: int) -> ExplainView:
    """Make the view; beside the event loop where it is about many places."""
    view: ExplainView = await where_to_work(places)(explanation.view)
    return view


def _at_least_none(units: int) -> int:
    return max(0, units)


_AS_PLACES: Final = Rules(("most_stock",), split_lines=True)
"""What comes closest to how lines without a location are served."""


class _Explanation:
    """The choice for one order, and what speaks against the other candidates."""

    def __init__(
        self, directory: Directory, rules: Rules, lines: list[LineBody], choice: Choice, candidates: Candidates
    ) -> None:
        self._directory = directory
        self._known = candidates.known
        self._without_units = candidates.without_units
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
        candidates = {each.location for each in self._choice.candidates}
        names = sorted({*self._directory.locations, *self._known} - candidates)
        return [PassedOver(name, self._why_passed_over(name)) for name in names]

    def _why_passed_over(self, name: str) -> WhyPassedOver:
        location, group = self._directory.locations.get(name, Location(name)), self._rules.group
        if not location.open:
            return "closed"
        if group and group not in location.groups:
            return "not_in_group"
        if name not in self._known:
            return "not_known_there"
        return "no_units" if name in self._without_units else "beyond_limit"


class _PlacesExplanation(_Explanation):
    """The same where nothing says how to choose.

    ``have_units``: where the channel can reserve units of any of the SKUs; None: all of those places are candidates.
    """

    have_units: AbstractSet[str] | None = None

    def _passed_over(self) -> list[PassedOver]:
        return [each for each in super()._passed_over() if each.location in self._known]

    def _why_passed_over(self, name: str) -> WhyPassedOver:
        why = super()._why_passed_over(name)
        if why == "closed":
            return why
        if self.have_units is None:
            return "not_for_channel"
        return "beyond_limit" if name in self.have_units else "no_units"

    def _why(self, candidate: UnitsAt, lacks: int) -> str:
        if candidate.location in self._chosen and len(self._chosen) > 1:
            return f"one of the {len(self._chosen)} locations with most units"
        return super()._why(candidate, lacks)


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
