"""Batches of reservations: each element on its own, also where it cannot be read or breaks a rule."""

from server.domain.operations.reservations import Reserve
from server.schemas.batches import FaultyReservation
from server.schemas.problems import Problem
from server.schemas.reservations import ReserveBody
from server.service.batches import note_batch
from server.service.caller import Caller
from server.service.checks import InvalidError
from server.service.problems import ProblemError, of_error
from server.service.reservations import lines_to_plan, named_lines, reserve_operation
from server.service.text_faults import with_others


async def reserve_operations(caller: Caller, bodies: list[ReserveBody | FaultyReservation]) -> list[Reserve | Problem]:
    """Make the operations of a batch, each with a key of its own; of a faulty element its problem.

    Raises
    ------
    ProblemError
        The key is that of another batch. Nothing happened.

    """
    made = [await _reserve_or_problem(caller.item(i), each) for i, each in enumerate(bodies)]
    if any(isinstance(each, Reserve) for each in made):
        await note_batch(caller, "reservations", [_meaning(each) for each in bodies] if caller.key else None)
    return made


async def _reserve_or_problem(caller: Caller, body: ReserveBody | FaultyReservation) -> Reserve | Problem:
    if isinstance(body, FaultyReservation):
        return _problem_of(body.error)
    try:
        return reserve_operation(caller, body, await named_lines(caller, "reserve", body))
    except (InvalidError, ProblemError) as error:
        return _problem_of(with_others(error, body))


def _problem_of(error: Exception) -> Problem:
    found = of_error(error)
    assert found is not None  # noqa: S101  # each of these has one
    return found


def _meaning(body: ReserveBody | FaultyReservation) -> object:
    """Return what distinguishes an element from another. A location that is left out may be planned, so it counts."""
    return body.sent if isinstance(body, FaultyReservation) else (body, *lines_to_plan(body))
