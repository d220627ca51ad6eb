"""Reports: which days they are about."""

from datetime import date
from typing import Final

from server.domain.daily_figures import day_of_date
from server.domain.reports import MONTH_DAYS
from server.schemas.reports import SalesQuery
from server.service.checks import InvalidError

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
