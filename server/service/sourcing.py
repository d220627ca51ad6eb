"""Which location each line of an order is taken from."""

import msgspec

from server.domain import limits
from server.domain.locations import Directory, Position
from server.domain.operations.reservations import Order, Reserve
from server.domain.sourcing import SKUS_MAX, Plan, Rules, Sourced, Strategy, ranked
from server.schemas.common import UNNAMED, LineBody
from server.schemas.reservations import OrderBody, ReserveBody
from server.schemas.sourcing import SourcingBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_text


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
    """Add to a reserve or order what is needed to choose locations as its caller asks, where some are to be chosen."""
    directory = await caller.partition.locations.current()
    if body.sourcing is msgspec.UNSET or not planned_lines(body.lines):
        return operation
    return with_plan(directory, body.sourcing, operation)


def with_plan(directory: Directory, sourcing: SourcingBody, operation: Reserve | Order) -> Sourced:
    """Add the plan for the lines that name no location: where they may be taken from."""
    rules = rules_of(sourcing)
    skus = len({line.sku for line in operation.lines if not line.location})
    open_group = rules.group if rules.late else None
    candidates = ranked(directory, rules, skus) if skus else []
    plan = Plan(rules.splits_max, candidates, rules.split_lines, open_group)
    return Sourced(operation, plan)
