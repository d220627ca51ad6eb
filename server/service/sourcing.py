"""Which location each line of an order is taken from."""

import msgspec

from server.domain import limits
from server.domain.locations import Directory, Position
from server.domain.operations.reservations import Order, Reserve
from server.domain.sourcing import SKUS_MAX, Plan, Rules, Sourced, Strategy, wanted_of
from server.schemas.common import UNNAMED, LineBody
from server.schemas.reservations import OrderBody, ReserveBody
from server.schemas.sourcing import SourcingBody
from server.service.caller import Caller
from server.service.candidates import Candidates, find_candidates
from server.service.checks import InvalidError, check_text
from server.store.errors import OrderTooWideError, TooManyPlacesError


def planned_lines(lines: list[LineBody]) -> list[int]:
    """Return the numbers, from 1, of the lines that name no location."""
    return [number for number, line in enumerate(lines, 1) if line.location is UNNAMED]


def check_sourcing(body: SourcingBody, lines: list[LineBody], *, policy: str) -> None:
    """Check that the lines can be planned as the body asks.

    Raises
    ------
    InvalidError
        They cannot.

    """
    strategies = _strategies(body)
    if len(set(strategies)) < len(strategies):
        raise InvalidError("sourcing.strategy", "names one of them twice")
    if "nearest" in strategies and body.position is None:
        raise InvalidError("sourcing.position", "is needed for nearest")
    if body.group is not None:
        check_text("sourcing.group", body.group, limits.NAME_BYTES_MAX)
    planned = planned_lines(lines)
    if policy != "all_or_nothing" and planned:
        raise InvalidError("policy", f"may not be {policy} where lines are planned: name their locations")
    if len({lines[number - 1].sku for number in planned}) > SKUS_MAX:
        raise InvalidError("lines", f"may have {SKUS_MAX} different SKUs to plan; name the locations of the others")


def _strategies(body: SourcingBody) -> tuple[Strategy, ...]:
    return (body.strategy,) if isinstance(body.strategy, str) else tuple(body.strategy)


def rules_of(body: SourcingBody) -> Rules:
    """Read what was asked for."""
    position = None if body.position is None else Position(body.position.lat, body.position.lon)
    return Rules(
        _strategies(body),
        body.group or "",
        position,
        body.splits_max,
        split_lines=body.split_lines is True,
        late=body.binding == "late",
    )


async def planned(
    caller: Caller, body: ReserveBody | OrderBody, operation: Reserve | Order
) -> Reserve | Order | Sourced:
    """Add to a reserve or order what is needed to choose locations as its caller asks, where some are to be chosen.

    What is sold already is booked also where its SKUs are at more places than one order looks at: without a plan.

    Raises
    ------
    OrderTooWideError
        They are at more places. Nothing happened.

    """
    directory = await caller.partition.locations.current()
    if body.sourcing is msgspec.UNSET or not planned_lines(body.lines):
        return operation
    rules = rules_of(body.sourcing)
    try:
        candidates = await candidates_of(caller, directory, rules, operation)
    except TooManyPlacesError as error:
        if isinstance(operation, Order) and operation.accept_shortage:
            return operation
        raise OrderTooWideError(error.places_max) from None
    return with_plan(rules, operation, candidates)


async def candidates_of(caller: Caller, directory: Directory, rules: Rules, operation: Reserve | Order) -> Candidates:
    """Find the locations that the lines without one may be taken from."""
    return await find_candidates(caller.ledger, directory, rules, wanted_of(operation), operation.channel)


def with_plan(rules: Rules, operation: Reserve | Order, candidates: Candidates) -> Sourced:
    """Add the plan for the lines that name no location."""
    open_group = rules.group if rules.late else None
    plan = Plan(rules.splits_max, candidates.best, rules.split_lines, open_group, candidates.is_cut)
    return Sourced(operation, plan)
