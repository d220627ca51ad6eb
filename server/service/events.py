"""Events of stock: SKUs that ran low, ran out or came back, and shortages."""

from server.schemas.replenishment import EventsQuery
from server.service.caller import Caller
from server.service.checks import InvalidError
from server.service.rules import replenishment_store
from server.store.connection.timeouts import in_time
from server.store.journal.entries import START
from server.store.repositories.replenishment import StockEvent


async def events(caller: Caller, query: EventsQuery) -> tuple[list[StockEvent], str]:
    """Read events, the oldest first, and the ``after`` to read on from.

    Raises
    ------
    InvalidError
        ``after`` is not what an answer returned as its next.
    StoreUnavailableError
        The store did not answer in time.

    """
    after = START if query.after in (None, "0") else str(query.after)
    try:
        found = await in_time(replenishment_store(caller).events(after, query.limit))
    except ValueError:
        raise InvalidError("after", "must be the next of an earlier answer, or 0") from None
    return found, found[-1].id if found else after
