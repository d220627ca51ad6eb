"""What is due now: holds that lapse next, deliveries, and whether the books agree."""

from datetime import date, timedelta
from typing import NamedTuple

from server.schemas.today import TodayQuery
from server.service import calendars
from server.service.caller import Caller
from server.store.audit.last_audit import Books, read_books
from server.store.connection.connect import StoreClient
from server.store.connection.timeouts import in_report_time
from server.store.keys import Keyspace
from server.store.repositories.due import Deliveries, Lapsing, deliveries_until, lapsing
from server.store.repositories.restored import Restored, read_restored


class Due(NamedTuple):
    """What is due at a moment on the store's clock; ``books`` None: there was no audit yet.

    ``halted`` None: nothing is halted.
    """

    today: date
    lapsing: Lapsing
    deliveries: Deliveries
    books: Books | None
    halted: Restored | None
    as_of_ms: int


async def due(caller: Caller, query: TodayQuery) -> Due:
    """Read it.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    client, keyspace = caller.partition.client, caller.partition.keyspace
    calendar, now_ms = await calendars.today(caller)
    today = calendar.date_at(now_ms)
    until = today + timedelta(days=query.days)
    holds = await in_report_time(lapsing(client, keyspace, now_ms, now_ms + query.within_s * 1000, query.limit))
    deliveries = await in_report_time(deliveries_until(client, keyspace, until, query.limit))
    books, restored = await in_report_time(_standing(client, keyspace))
    halted = restored if restored is not None and restored.is_halted else None
    return Due(today, holds, deliveries, books, halted, now_ms)


async def _standing(client: StoreClient, keyspace: Keyspace) -> tuple[Books | None, Restored | None]:
    return await read_books(client, keyspace), await read_restored(client)
