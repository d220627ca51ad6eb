"""Reports: which days they are about, and what is in stock and on no channel."""

from datetime import date
from typing import Final

from server.domain.daily_figures import day_of_date
from server.domain.reports import MONTH_DAYS
from server.schemas.reports import SalesQuery, UnlistedQuery
from server.service.caller import Caller
from server.service.checks import InvalidError, check_cursor
from server.store.connection.timeouts import in_report_time
from server.store.repositories.unlisted import UnlistedPage, unlisted

REPORT_DAYS_MAX: Final = 366


def days_of(query: SalesQuery, today: int) -> range:
    """Return the days that are asked for, numbered from 1970, both ends of the query included.

    Raises
    ------
    InvalidError
        They are too many, or none.

    """
    last = day_of_date(query.to) if isinstance(query.to, date) else today
    first = day_of_date(query.from_) if isinstance(query.from_, date) else last - MONTH_DAYS + 1
    if first > last:
        raise InvalidError("from", "must not be after to")
    if last - first >= REPORT_DAYS_MAX:
        raise InvalidError("from", f"must be at most {REPORT_DAYS_MAX} days before to")
    return range(first, last + 1)


async def on_no_channel(caller: Caller, query: UnlistedQuery) -> UnlistedPage:
    """Find SKUs that are in stock and that no channel of the partition lists, a page at a time.

    Raises
    ------
    InvalidError
        ``after`` is not what a page returned as its next.
    TooManyPlacesError
        The SKUs of the page are at more places than one request reads.
    StoreUnavailableError
        The store did not answer in time.

    """
    partition, after = caller.partition, check_cursor("after", query.after)
    channels = {name: each.listings == "all" for name, each in partition.channels.items()}
    page = unlisted(partition.client, partition.keyspace, channels, int(after or 0), query.limit)
    return await in_report_time(page)
