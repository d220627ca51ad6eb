"""Events of stock: SKUs that ran low, ran out or came back, and shortages."""

from typing import Final

import structlog

from server.domain.alerts import ALERTS, PLACE_ALERTS, SKU_ALERTS
from server.schemas.replenishment import EventsQuery
from server.service.caller import Caller
from server.service.checks import InvalidError
from server.service.rules import replenishment_store
from server.store.connection.timeouts import in_time
from server.store.journal.entries import START, parse_entry_id
from server.store.repositories.replenishment import StockEvent
from server.store.repositories.webhooks import WebhookStore

_ABOUT: Final = {"places": frozenset(PLACE_ALERTS), "skus": frozenset(SKU_ALERTS), "all": frozenset(ALERTS)}
_READS_MAX: Final = 10
"""Pages that one request reads where most events are of other kinds."""

log = structlog.get_logger("holdfast.http")


async def events(caller: Caller, query: EventsQuery) -> tuple[list[StockEvent], str]:
    """Read events of some kinds, the oldest first, and the ``after`` to read on from.

    Where many others stand between them, there may be none although there are more behind: then ``after`` has moved.

    Raises
    ------
    InvalidError
        ``after`` is not what an answer returned as its next.
    StoreUnavailableError
        The store did not answer in time.

    """
    after = START if query.after in (None, "0") else str(query.after)
    wanted, found = _ABOUT[query.about], list[StockEvent]()
    for _ in range(_READS_MAX):
        try:
            read = await in_time(replenishment_store(caller).events(after, query.limit))
        except ValueError:
            raise InvalidError("after", "must be the next of an earlier answer, or 0") from None
        if not read:
            break
        some = [each for each in read if each.alert in wanted][: query.limit - len(found)]
        found += some
        is_full = len(found) == query.limit
        after = found[-1].id if is_full else read[-1].id
        if is_full or len(read) < query.limit:
            return found, after
    return found, after if found else await in_time(_place_of(caller, after))


async def _place_of(caller: Caller, after: str) -> str:
    """Return ``after``, or the last event where that lies before it: the store came back without its newest ones."""
    partition = caller.partition
    end = (await WebhookStore(partition.client, partition.keyspace).extent()).end.event_id
    if parse_entry_id(after) <= parse_entry_id(end):
        return after
    log.warning("events_went_back", partition=partition.keyspace.partition, after=after, end=end)
    return end
