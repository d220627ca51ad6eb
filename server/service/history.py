"""Who changed what, when, from what to what, and why: of the documents database, and of the journal's fresh end."""

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from server.domain.history import ADMIN_ONLY, Gap, HistoryRow, Moment
from server.domain.order_documents import KEPT_NUMBER_BYTES_MAX
from server.domain.principal import Scope
from server.schemas.history import HistoryQuery
from server.service.caller import Caller
from server.service.checks import InvalidError, check_channel, check_location, check_sku, check_text, check_time_ms
from server.service.documents import documents_of
from server.service.fresh_history import in_turns, read_fresh
from server.store.connection.timeouts import in_time
from server.store.documents import followed, history, history_search
from server.store.documents.database import Session
from server.store.documents.history_search import Found
from server.store.repositories.aliases import names_of
from server.store.repositories.daily_figures import FigureStore
from server.store.repositories.location_names import read_location_names

_NAMES_MAX: Final = 100
_EVER_MS: Final = 2**53
_CURSOR: Final = re.compile(r"(\d{1,15})-(\d{1,18})", re.ASCII)

Wanted = Mapping[str, Sequence[str]]


class History(NamedTuple):
    """A page of rows, the newest first, the ``after`` of the next one, and the gaps in the time that was asked for."""

    rows: list[HistoryRow]
    next: str
    gaps: list[Gap]
    as_of_ms: int


class _Asked(NamedTuple):
    """What is asked for: names by column, an order, before which moment, from when on, without which operations."""

    wanted: Wanted
    order: str
    upto: Moment | None
    from_ms: int
    without: Sequence[str]

    def fits(self, row: HistoryRow, reservations: Container[str]) -> bool:
        """Whether a row of the journal is asked for. ``reservations``: those of the order."""
        if (self.upto is not None and row.moment >= self.upto) or row.operation in self.without:
            return False
        if self.order and row.reservation_id not in reservations:
            return False
        return all(getattr(row, column) in names for column, names in self.wanted.items())


class _Kept(NamedTuple):
    """What the database has, as of one moment, and up to where in the journal that is."""

    read_to: str | None
    found: Found
    gaps: list[Gap]
    reservations: list[str]


async def find_history(caller: Caller, query: HistoryQuery) -> History:
    """Read a page of the history.

    Raises
    ------
    InvalidError
        A field breaks a rule, or ``after`` is not what a page returned as its next.
    ProblemError
        There is no documents database.
    DocumentsError
        It does not answer.
    StoreUnavailableError
        The store did not answer in time.

    """
    asked = await _asked(caller, query)
    kept = await _kept(caller, asked, query.limit)
    fresh = await read_fresh(caller, kept.read_to, asked.upto, asked.from_ms)
    rows = await _fitting(asked, kept.reservations, fresh.rows, query.limit + 1)
    now_ms = await in_time(FigureStore(caller.partition.client, caller.partition.keyspace).now_ms())
    page, following = _page(rows, kept.found, query.limit)
    after = "" if following is None else f"{following.ms}-{following.place}"
    return History(page, after, [*fresh.gaps, *kept.gaps], now_ms)


async def _fitting(asked: _Asked, known: Iterable[str], fresh: Sequence[HistoryRow], limit: int) -> list[HistoryRow]:
    """Choose those that are asked for, of the journal's rows. ``known``: reservations of the order in the database."""
    reservations, rows = {*known}, list[HistoryRow]()
    if asked.order:
        async for some in in_turns(fresh):
            reservations |= {row.reservation_id for row in some if row.order_ref == asked.order and row.reservation_id}
    async for some in in_turns(fresh):
        rows += (row for row in some if asked.fits(row, reservations))
        if len(rows) >= limit:
            break
    return rows[:limit]


async def _asked(caller: Caller, query: HistoryQuery) -> _Asked:
    at_ms = check_time_ms("at", query.at)
    upto = _upto(query.after, check_time_ms("to", query.to) or (at_ms + 1 if at_ms else 0))
    without = () if _is_of_stock(query) or caller.principal.allows(Scope.ADMIN) else ADMIN_ONLY
    order = "" if query.order is None else check_text("order", query.order, KEPT_NUMBER_BYTES_MAX)
    return _Asked(await _wanted(caller, query), order, upto, check_time_ms("from", query.from_), without)


def _is_of_stock(query: HistoryQuery) -> bool:
    """Whether only rows of stock are asked for, among which there are none for administrators alone."""
    return query.sku is not None or query.location is not None or query.order is not None


async def _wanted(caller: Caller, query: HistoryQuery) -> Wanted:
    """Return the names that are asked for, by column."""
    client, keyspace = caller.partition.client, caller.partition.keyspace
    wanted: dict[str, Sequence[str]] = {}
    if query.sku is not None:
        wanted["sku"] = (await in_time(names_of(client, keyspace, check_sku("sku", query.sku))))[:_NAMES_MAX]
    if query.location is not None:
        names = await in_time(read_location_names(client, keyspace))
        wanted["location"] = names.names(check_location("location", query.location))[:_NAMES_MAX]
    if query.channel is not None:
        wanted["channel"] = [check_channel("channel", query.channel)]
    if query.actor is not None:
        wanted["actor"] = [query.actor]
    if query.key is not None:
        wanted["key"] = [query.key]
    return wanted


def _upto(after: str, until_ms: int) -> Moment | None:
    """Return before which moment rows are asked for; None: up to now."""
    until = Moment(until_ms, 0) if until_ms else None
    if not after:
        return until
    match = _CURSOR.fullmatch(after)
    if match is None:
        raise InvalidError("after", "must be what a page gave as next")
    place = Moment(int(match[1]), int(match[2]))
    return place if until is None else min(place, until)


async def _kept(caller: Caller, asked: _Asked, limit: int) -> _Kept:
    partition = caller.principal.partition
    upto_ms = _EVER_MS if asked.upto is None else asked.upto.ms

    async def read(session: Session) -> _Kept:
        places = await followed.positions(session, partition)
        reservations = await history.reservations_of(session, partition, asked.order) if asked.order else []
        wanted = {**asked.wanted, "reservation": reservations} if asked.order else asked.wanted
        found = await history_search.find(
            session, partition, wanted, before=asked.upto, from_ms=asked.from_ms, without=asked.without, limit=limit
        )
        gaps = await history_search.gaps(session, partition, asked.from_ms, upto_ms)
        return _Kept(places.get(history.FOLLOWER), found, gaps, reservations)

    return await documents_of(caller).look(read)


def _page(rows: list[HistoryRow], found: Found, limit: int) -> tuple[list[HistoryRow], Moment | None]:
    """Put what is fresh in front of what the database has, which is all older."""
    if len(rows) > limit or (len(rows) == limit and (found.rows or found.following)):
        return rows[:limit], rows[limit - 1].moment
    page = [*rows, *found.rows]
    if len(page) > limit:
        return page[:limit], page[limit - 1].moment
    return page, found.following
