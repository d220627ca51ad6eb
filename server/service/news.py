"""Tells the process that takes in a channel's orders what people want done: it waits in the stream of news."""

from typing import Final

from server.domain.intake import News
from server.service.problems import ProblemError, problem
from server.service.writes import written
from server.store.repositories.intake import IntakeStore

_FULL: Final = (
    "Too much of this channel waits to be taken in, and this was not added to it. Send the same request again after"
    " `Retry-After` seconds."
)


async def tell(store: IntakeStore, news: News) -> None:
    """Add news behind what waits.

    Raises
    ------
    ProblemError
        Too much waits already, or the store did not answer in time.

    """
    if not await written(store.add_news(news)):
        raise ProblemError(problem("overloaded", _FULL))
