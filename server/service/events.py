"""Events of stock: SKUs that ran low, ran out or came back, and shortages."""

import structlog

from server.schemas.replenishment import EventsQuery
from server.service.caller import Caller
from server.service.checks import InvalidError
from server.service.rules import replenishment_store
from server.store.connection.timeouts import in_time
from server.store.journal.entries import START, parse_entry_id
from server.store.repositories.replenishment import StockEvent
from server.store.repositories.webhooks import WebhookStore

log = structlog.get_logger("holdfast.http")


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
    if found:
        return found, found[-1].id
    return [], await in_time(_place_of(caller, after))


async def _place_of(caller: Caller, after: str) -> str:
    """Return ``after``, or the last event where that lies before it: the store came back without its newest ones."""
    partition = caller.partition
    end = (await WebhookStore(partition.client, partition.keyspace).extent()).end.event_id
    if parse_entry_id(after) <= parse_entry_id(end):
        return after
    log.warning("events_went_back", partition=partition.keyspace.partition, after=after, end=end)
    return end
