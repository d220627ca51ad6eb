"""What a handler returns where an operation was carried out: the view to send, and the outcome to count."""

from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import msgspec

from server.schemas.problems import Problem
from server.service.problems import OPERATING_ERRORS, ProblemError, of_error
from server.telemetry.request_tally import TALLY

REPLAYED: Final = {"Idempotent-Replayed": "true"}

ResultT = TypeVar("ResultT")
ViewT = TypeVar("ViewT")


class Answer(msgspec.Struct, Generic[ViewT], frozen=True):
    """A success. ``outcome``: the state reached, or ``replayed``, which also goes out as a header; empty: none.

    ``status`` 0: the route's.
    """

    view: ViewT
    outcome: str = ""
    headers: dict[str, str] | None = None
    status: int = 0

    @property
    def replayed(self) -> bool:
        """Whether the same request had its effect before."""
        return self.outcome == "replayed"


async def answer_item(
    operation: str,
    result: Awaitable[ResultT],
    show: Callable[[ResultT], Answer[ViewT] | Problem],
    reservation_id: str = "",
) -> Answer[ViewT] | Problem:
    """Answer and count one item of a batch as if it had come alone: an operating error is its problem, not the batch's.

    ``reservation_id``: what such a problem names, to ask again for.
    """
    answer: Answer[ViewT] | Problem
    try:
        answer = show(await result)
    except (*OPERATING_ERRORS, ProblemError) as error:
        problem = of_error(error, reservation_id)
        assert problem is not None  # noqa: S101  # each of them has one
        answer = problem
    TALLY.outcome(operation, answer.outcome)
    return answer
