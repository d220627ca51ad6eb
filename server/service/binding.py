"""Late binding over HTTP: a commit or fulfil that says where what is open is to be taken from."""

import msgspec

from server.api.http.routing import Call
from server.domain.binding import Binding, Bound, at_location
from server.domain.locations import Directory
from server.domain.operations.reservations import Commit, Fulfil
from server.domain.outcomes import ReservationAnswer
from server.domain.reservation import Reservation
from server.domain.sourcing import Candidate, Rules, ranked
from server.schemas.reservations import CommitBody, FulfilBody
from server.service.checks import InvalidError, check_location
from server.service.sourcing import check_sourcing, rules_of


def check_binding(body: CommitBody | FulfilBody) -> None:
    """Let pass what can be bound, or names no address at all.

    Raises
    ------
    InvalidError
        It cannot.

    """
    if body.location is not msgspec.UNSET:
        check_location("location", body.location)
        if body.sourcing is not msgspec.UNSET:
            raise InvalidError("location", "may not stand beside sourcing")
    elif body.sourcing is not msgspec.UNSET:
        check_sourcing(body.sourcing, [], policy="all_or_nothing")
        if body.sourcing.binding is not msgspec.UNSET:
            raise InvalidError("sourcing.binding", "is decided where the promise is made")


async def settle(call: Call, body: CommitBody | FulfilBody, operation: Commit | Fulfil) -> ReservationAnswer:
    """Commit or fulfil, and bind what is open if the body says where to."""
    if body.sourcing is msgspec.UNSET and body.location is msgspec.UNSET:
        if isinstance(operation, Commit):
            return await call.ledger.run(operation)
        return await call.ledger.run(operation)
    return await call.ledger.run(Bound(operation, await _binding(call, body, operation.reservation_id)))


async def _binding(call: Call, body: CommitBody | FulfilBody, reservation_id: str) -> Binding:
    directory = await call.service.places(call.principal.partition).current()
    if isinstance(body.location, str):
        return at_location(body.location, closed=body.location in directory.closed)
    assert not isinstance(body.sourcing, msgspec.UnsetType)  # noqa: S101  # one of the two is there
    rules = rules_of(body.sourcing)
    # Open lines can only become bound ones: what is read now holds for the step that follows, or that binds nothing.
    found = await call.ledger.reservation(reservation_id)
    candidates = _candidates(directory, rules, found.reservation)
    return Binding(candidates, rules.splits_max, rules.split_lines)


def _candidates(directory: Directory, rules: Rules, record: Reservation | None) -> list[Candidate]:
    if record is None or record.open is None or record.open.bound:
        return []
    skus = {record.lines[number - 1].sku for number in record.open.lines}
    within = msgspec.structs.replace(rules, group=rules.group or record.open.group)
    return ranked(directory, within, len(skus))
