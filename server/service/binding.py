"""Late binding: a commit or fulfil that names where open lines are to be taken from."""

from collections import Counter
from collections.abc import Awaitable

import msgspec

from server.domain.answers import ReservationAnswer
from server.domain.binding import Binding, Bound, at_location
from server.domain.locations import Directory
from server.domain.operations.orders import Numbered
from server.domain.operations.reservations import Commit, Fulfil
from server.domain.reservation import Reservation
from server.domain.sourcing import Candidate, Rules
from server.schemas.reservations import CommitBody, FulfilBody
from server.service.caller import Caller
from server.service.candidates import find_candidates
from server.service.checks import InvalidError, check_location
from server.service.order_numbers import numbered_commit
from server.service.sourcing import check_sourcing, rules_of
from server.store.errors import TooManyPlacesError


def check_binding(body: CommitBody | FulfilBody) -> None:
    """Check that a body names one location to bind to at most.

    Raises
    ------
    InvalidError
        It names two, or one that cannot be.

    """
    if body.location is not msgspec.UNSET:
        check_location("location", body.location)
        if body.sourcing is not msgspec.UNSET:
            raise InvalidError("location", "may not stand beside sourcing")
    elif body.sourcing is not msgspec.UNSET:
        check_sourcing(body.sourcing, [], policy="all_or_nothing")
        if body.sourcing.binding is not msgspec.UNSET:
            raise InvalidError("sourcing.binding", "is decided where the reservation is made")


def carry_out(
    caller: Caller, body: CommitBody | FulfilBody, operation: Commit | Fulfil
) -> Awaitable[ReservationAnswer]:
    """Commit or fulfil, and bind open lines if the body names where to.

    Raises as :meth:`~server.store.ledger.ledger.Ledger.run`.
    """
    if body.sourcing is msgspec.UNSET and body.location is msgspec.UNSET:
        return caller.ledger.run(_known_by_number(caller, operation, operation))
    return _bound(caller, body, operation)


async def _bound(caller: Caller, body: CommitBody | FulfilBody, operation: Commit | Fulfil) -> ReservationAnswer:
    binding = await _binding(caller, body, operation.reservation_id)
    return await caller.ledger.run(_known_by_number(caller, operation, Bound(operation, binding)))


def _known_by_number(
    caller: Caller, operation: Commit | Fulfil, bound: Commit | Fulfil | Bound
) -> Commit | Fulfil | Bound | Numbered:
    """Return what is run: a commit that names a channel's order is known by its number."""
    if isinstance(operation, Commit) and operation.order_ref:
        assert not isinstance(bound, Fulfil)  # noqa: S101  # for the types: it is of the commit
        return numbered_commit(caller, operation, bound)
    return bound


async def _binding(caller: Caller, body: CommitBody | FulfilBody, reservation_id: str) -> Binding:
    directory = await caller.partition.locations.current()
    if isinstance(body.location, str):
        return at_location(check_location("location", body.location))
    assert not isinstance(body.sourcing, msgspec.UnsetType)  # noqa: S101  # one of the two is there
    rules = rules_of(body.sourcing)
    # Open lines can only become bound ones: what is read now holds for the step that follows, or that binds nothing.
    found = await caller.ledger.reservation(reservation_id)
    candidates = await _candidates(caller, directory, rules, found.reservation)
    return Binding(candidates, rules.splits_max, rules.split_lines)


async def _candidates(
    caller: Caller, directory: Directory, rules: Rules, record: Reservation | None
) -> list[Candidate]:
    if record is None or record.open is None or record.open.bound:
        return []
    wanted: Counter[str] = Counter()
    for number in record.open.lines:
        line = record.lines[number - 1]
        wanted[line.sku] += line.held + line.committed
    within = msgspec.structs.replace(rules, group=rules.group or record.open.group)
    try:
        return (await find_candidates(caller.ledger, directory, within, wanted, record.channel)).best
    except TooManyPlacesError:
        return []  # without candidates, the units stay where they are
