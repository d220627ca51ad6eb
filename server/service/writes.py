"""Writes past the ledger: each sets what it names absolutely, so that it can be repeated without harm."""

from collections.abc import Awaitable
from typing import Final, TypeVar

from server.service.problems import ProblemError, problem
from server.store.connection.timeouts import in_time
from server.store.errors import StoreUnavailableError

T = TypeVar("T")

_ASK_AGAIN: Final = (
    "It may or may not have happened. Send the same request again: a second time it does no harm and needs no key."
)


async def written(writing: Awaitable[T]) -> T:
    """Await a write through the patient client, which may have been carried out although no answer came.

    Raises
    ------
    ProblemError
        The store did not answer in time; asking again is safe.

    """
    try:
        return await in_time(writing)
    except StoreUnavailableError as error:
        raise ProblemError(problem("outcome_unknown", _ASK_AGAIN)) from error
