"""How many units were available at a time, and which change made it so many."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from server.domain.aliases import LocationNames
from server.domain.history import Gap, HistoryRow
from server.schemas.history import HistoryQuery
from server.service.caller import Caller
from server.service.checks import InvalidError, check_location, check_sku, check_time_ms
from server.service.documents import documents_of
from server.service.fresh_history import in_turns, read_fresh
from server.store.connection.timeouts import in_time
from server.store.documents import followed, history, history_search
from server.store.documents.database import Session
from server.store.ledger import slices
from server.store.repositories.aliases import names_of
from server.store.repositories.location_names import read_location_names

PLACES_MAX: Final = 500
"""Locations of a SKU that are looked at; each is two looks into an index."""
_EVER_MS: Final = 2**53


class PlaceThen(NamedTuple):
    """What was available at a location, None: not known, and the change that made it so, None: older than all.

    ``is_sure``: nothing is missing between that change and the time.
    """

    location: str
    available: int | None
    is_sure: bool
    change: HistoryRow | None


class StockThen(NamedTuple):
    """A SKU at a time. ``complete``: no location was left out."""

    sku: str
    at_ms: int
    places: list[PlaceThen]
    complete: bool

    @property
    def available(self) -> int:
        """What could be reserved at all locations together, as far as it is known."""
        return sum(max(0, place.available or 0) for place in self.places)


class _Around(NamedTuple):
    """The last change of a place up to the time, and the first one after it."""

    last: HistoryRow | None = None
    following: HistoryRow | None = None

    def with_row(self, row: HistoryRow, at_ms: int) -> "_Around":
        """Take in another change."""
        if row.moment.ms <= at_ms:
            return self if self.last is not None and self.last.moment > row.moment else self._replace(last=row)
        is_later = self.following is not None and self.following.moment < row.moment
        return self if is_later else self._replace(following=row)


class _Kept(NamedTuple):
    read_to: str | None
    rows: list[HistoryRow]
    gaps: list[Gap]
    complete: bool


async def stock_then(caller: Caller, query: HistoryQuery) -> StockThen | None:
    """Find out what was available at the time that a query has; None: it has none.

    Raises
    ------
    InvalidError
        The time has no SKU beside it, or a field breaks a rule.
    ProblemError
        There is no documents database.
    DocumentsError
        It does not answer.
    OverloadedError, StoreUnavailableError
        The store did not answer in time.

    """
    if not isinstance(query.at, datetime):
        return None
    if query.sku is None:
        raise InvalidError("sku", "is required with at: whose number is asked for")
    at_ms, client, keyspace = check_time_ms("at", query.at), caller.partition.client, caller.partition.keyspace
    skus = await in_time(names_of(client, keyspace, check_sku("sku", query.sku)))
    names = await in_time(read_location_names(client, keyspace))
    wanted = None if query.location is None else names.names(check_location("location", query.location))
    kept = await _kept(caller, skus, wanted, at_ms)
    fresh = await read_fresh(caller, kept.read_to, None, 0)
    rows = kept.rows
    async for some in in_turns(fresh.rows):
        rows += (row for row in some if row.sku in skus and row.available is not None)
    around = _around(rows, names, wanted, at_ms)
    gaps = [*fresh.gaps, *kept.gaps]
    places = [_place(location, each, gaps, at_ms) for location, each in sorted(around.items())]
    is_sure = not _has_gap(gaps, at_ms, _EVER_MS)
    places += [
        PlaceThen(location, units, is_sure, None)
        for location, units in (await _as_now(caller, skus[0])).items()
        if location not in around and (wanted is None or location in wanted)
    ]
    return StockThen(skus[0], at_ms, places[:PLACES_MAX], kept.complete and len(places) <= PLACES_MAX)


async def _kept(caller: Caller, skus: Sequence[str], wanted: Sequence[str] | None, at_ms: int) -> _Kept:
    partition = caller.principal.partition

    async def read(session: Session) -> _Kept:
        places = await followed.positions(session, partition)
        gaps = await history_search.gaps(session, partition, 0, _EVER_MS)
        rows, complete = list[HistoryRow](), True
        for sku in skus:
            found = wanted or await history_search.locations_of(session, partition, sku, PLACES_MAX)
            complete = complete and len(found) < PLACES_MAX
            for location in found:
                pair = await history_search.stock_at(session, partition, sku, location, at_ms)
                rows += [row for row in pair if row is not None]
        return _Kept(places.get(history.FOLLOWER), rows, gaps, complete)

    return await documents_of(caller).look(read)


def _around(
    rows: Iterable[HistoryRow], names: LocationNames, wanted: Sequence[str] | None, at_ms: int
) -> dict[str, _Around]:
    """Find the two changes around the time for each location, by what it is called now."""
    found: dict[str, _Around] = {}
    for row in rows:
        if wanted is None or row.location in wanted:
            location = names.current(row.location)
            found[location] = found.get(location, _Around()).with_row(row, at_ms)
    return found


def _place(location: str, around: _Around, gaps: Sequence[Gap], at_ms: int) -> PlaceThen:
    last, following = around.last, around.following
    if last is not None:
        return PlaceThen(location, last.available, not _has_gap(gaps, last.moment.ms, at_ms), last)
    if following is None:
        return PlaceThen(location, None, is_sure=False, change=None)
    is_sure = not _has_gap(gaps, at_ms, following.moment.ms)
    if following.detail.seq and following.detail.before is None:
        return PlaceThen(location, None, is_sure=False, change=None)
    return PlaceThen(location, following.detail.before, is_sure, None)


def _has_gap(gaps: Sequence[Gap], from_ms: int, to_ms: int) -> bool:
    """Whether something is not known of a time. What a store has lost ends with a row of its own: that did not last."""
    return any(
        gap.from_ms < to_ms and (gap.to_ms > from_ms or (gap.reason == "went_back" and gap.to_ms == from_ms))
        for gap in gaps
    )


async def _as_now(caller: Caller, sku: str) -> dict[str, int]:
    """Return what is available at each location now: where nothing was changed as far back as is known, it was so."""
    return {level.location: level.available for level in (await slices.stock(caller.ledger, sku)).levels}
