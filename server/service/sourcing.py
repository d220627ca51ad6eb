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
    """Add to a reserve or order what is needed to choose or refuse locations, where that may be so."""
    directory = await caller.partition.locations.current()
    made = with_plan(directory, body.sourcing, body.lines, operation)
    is_needed = made.plan.closed or any(line.location == "" for line in made.promise.lines)
    return made if is_needed else operation


def with_plan(
    directory: Directory, sourcing: SourcingBody | msgspec.UnsetType, lines: list[LineBody], operation: Reserve | Order
) -> Sourced:
    """Add the plan for the lines that name no location: the candidates, and which other lines name a closed one."""
    numbers = planned_lines(lines) if isinstance(sourcing, SourcingBody) else []
    closed = [] if _is_sold_already(operation) else _closed_lines(directory, operation, numbers)
    plan = Plan(0, [], closed)
    if numbers and isinstance(sourcing, SourcingBody):
        rules, skus = rules_of(sourcing), len({lines[number - 1].sku for number in numbers})
        open_group = rules.group if rules.late else None
        plan = Plan(rules.splits_max, ranked(directory, rules, skus), closed, rules.split_lines, open_group)
    with_gaps = [
        msgspec.structs.replace(line, location="") if number in numbers else line
        for number, line in enumerate(operation.lines, 1)
    ]
    return Sourced(msgspec.structs.replace(operation, lines=with_gaps), plan)


def _is_sold_already(operation: Reserve | Order) -> bool:
    return isinstance(operation, Order) and operation.accept_shortage


def _closed_lines(directory: Directory, operation: Reserve | Order, planned: list[int]) -> list[int]:
    return [
        number
        for number, line in enumerate(operation.lines, 1)
        if line.location in directory.closed and number not in planned
    ]
