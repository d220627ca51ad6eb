"""Lists reservations in pages, and finds the holders of a SKU. Off the hot path.

Reservations are in two hashes, the live and the ended, and a page continues where the last one stopped (HSCAN). A
reservation that exists during the whole listing is returned at least once, even if it moves between the hashes. Live
ones are read before the ended, so one that ends is found in one of them or in both. One that comes back from the ended
(a late commit) is found at the end, through the journal. A caller recognises a repetition by its id.

A hold whose deadline has passed is shown as ended, even if the sweeper has not ended it yet.

A channel is found under each form in which earlier releases have stored its name. The script returns what may be one.
"""

import re
import time
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.changes import Change
from server.domain.reservation import Reservation, as_of
from server.domain.spelling import is_spelling
from server.store.connection.commands import command, run_function, together
from server.store.journal.entries import Bounds, parse_entry_id
from server.store.journal.journal import bounds, read
from server.store.keys import Keyspace
from server.store.lua_library import library
from server.store.repositories.aliases import names_of
from server.store.repositories.location_names import read_location_names

WORK_MAX_S: Final = 0.05
"""After this time a page is returned as it is, with the position to continue from."""

PAGE_BYTES_MAX: Final = 1024 * 1024
"""Of the records in one page, as they are stored; some 5 MB as JSON. One answer of the store can come on top."""
_RECORDS_PER_READ: Final = 100
"""Records that are read by their ids in one command."""
HOLDERS_WORK_MAX_S: Final = 0.25
SCAN_MAX: Final = 500
"""The most reservations that one call of the script reads: about a millisecond of the store's time."""
STATES: Final = frozenset({"held", "committed", "backordered", "fulfilled", "released", "expired", "cancelled"})
_CURSOR: Final = re.compile(
    r"(live|ended|lapsed|revived):([0-9]{1,20}(?:-[0-9]{1,20})?)@([0-9]{1,20}-[0-9]{1,20})", re.ASCII
)
_SCAN_CURSOR_MAX: Final = 2**64 - 1
_decode = msgspec.msgpack.Decoder(Reservation).decode


class Page(msgspec.Struct, frozen=True):
    """Some reservations as (id, reservation), none twice. ``next`` is where to continue; empty: there are no more.

    They are shown as of ``as_of_ms`` or a little later, on the store's clock.
    A page may hold fewer than asked, or none, and still have a ``next``. It may hold a few more than asked.
    """

    reservations: list[tuple[str, Reservation]]
    next: str
    as_of_ms: int


class Holder(msgspec.Struct, frozen=True):
    """A line that holds units of a SKU; ``expires_at_ms`` is 0 where nothing is held."""

    reservation_id: str
    channel: str
    line: int
    location: str
    held: int
    committed: int
    expires_at_ms: int
    state: str


class _Query(NamedTuple):
    client: Redis
    keyspace: Keyspace
    limits: bytes
    state: str
    skus: tuple[str, ...]
    """All the names of the SKU that is asked for; none: of any."""
    fields: Mapping[str, str]
    unmapped: bool = False
    channel: str = ""
    """As it is asked for today; empty: of any."""

    def request(self, *, ended: bool, cursor: str, count: int) -> bytes:
        """Pack what ``lua/functions/list_reservations.lua`` takes: fields go by their place in a record, from 1."""
        places = Reservation.__struct_fields__
        wanted = {places.index(name) + 1: value for name, value in self.fields.items()}
        if self.state:
            wanted[places.index("state") + 1] = self.state
        return msgspec.msgpack.encode([ended, cursor, count, self.skus, wanted, self.unmapped, self.channel])


class _Position(NamedTuple):
    """A position in a listing. ``since`` is the journal's last id when it began; ``position`` depends on the phase."""

    phase: str
    position: str
    since: str

    def __str__(self) -> str:
        return f"{self.phase}:{self.position}@{self.since}"


class _Slice(NamedTuple):
    """The result of one step, and the position after it; None: the phase is over."""

    found: list[tuple[str, Reservation]]
    position: str | None
    now_ms: int
    size: int = 0
    """Bytes of the records as they are stored."""


async def list_reservations(
    client: Redis,
    keyspace: Keyspace,
    limits: bytes,
    *,
    state: str = "",
    sku: str = "",
    unmapped: bool = False,
    channel: str = "",
    after: str = "",
    limit: int = 100,
    **fields: str,
) -> Page:
    """Return the next reservations that match; an empty ``state`` or ``sku`` matches all.

    ``unmapped``: only those with a line that waits for a SKU. ``channel``: also where it is stored in a form that would
    be changed today. ``fields``: other texts of :class:`Reservation` that must be the same; an empty one matches all.

    Raises
    ------
    ValueError
        ``after`` is not what a page gave as ``next``, or belongs to another state; or there is no such state.

    """
    if state and state not in STATES:
        raise ValueError(f"state {state!r} is none of {', '.join(sorted(STATES))}")
    fields = {name: value for name, value in fields.items() if value}
    query = _Query(client, keyspace, limits, state, await _names(client, keyspace, sku), fields, unmapped, channel)
    phases = _phases(state, unmapped=unmapped)
    place: _Position | None = _parse(after, phases) if after else await _first_place(query, phases)
    found: dict[str, Reservation] = {}
    as_of_ms, size = 0, 0
    stop_s = time.monotonic() + WORK_MAX_S
    count = limit
    while place is not None:
        part = await _STEPS[place.phase](query, place, count)
        found.update(part.found)
        size += part.size
        as_of_ms = as_of_ms or part.now_ms
        place = _next_place(place, part.position, phases)
        if len(found) >= limit or size >= PAGE_BYTES_MAX or time.monotonic() >= stop_s:
            break
        # If few match, read more. As soon as many do, read no more than the page still takes.
        is_sparse = 2 * len(part.found) < count
        count = min(2 * count, SCAN_MAX) if is_sparse else max(1, min(limit - len(found), SCAN_MAX))
    return Page(list(found.items()), "" if place is None else str(place), as_of_ms)


async def holders(
    client: Redis, keyspace: Keyspace, limits: bytes, sku: str, limit: int = 100, *, location: str = ""
) -> tuple[list[Holder], bool]:
    """Return the lines that hold or have committed units of a SKU; True: there may be more than these.

    ``location`` empty: at any.
    """
    query = _Query(client, keyspace, limits, "", await _names(client, keyspace, sku), {})
    places = (await read_location_names(client, keyspace)).names(location) if location else []
    found: dict[tuple[str, int], Holder] = {}
    stop_s = time.monotonic() + HOLDERS_WORK_MAX_S
    place: _Position | None = _Position("live", "0", "0-0")
    while place is not None:
        part = await _scan(query, place, SCAN_MAX)
        for reservation_id, reservation in part.found:
            for holder in holders_of(reservation_id, reservation, query.skus, places):
                found[reservation_id, holder.line] = holder
        place = place._replace(position=part.position) if part.position is not None else None
        if len(found) > limit or time.monotonic() >= stop_s:
            break
    return list(found.values())[:limit], place is not None or len(found) > limit


async def live_of(
    client: Redis, keyspace: Keyspace, limits: bytes, *, sku: str, channel: str
) -> AsyncIterator[tuple[str, Reservation]]:
    """Go through the live reservations of a channel that name a SKU, as they are stored; some may come twice."""
    names = await _names(client, keyspace, sku)
    query, cursor = _Query(client, keyspace, limits, "", names, {"channel": channel}), "0"
    while True:
        request = query.request(ended=False, cursor=cursor, count=SCAN_MAX)
        reply: list[Any] = await run_function(
            client, library().function("list_reservations"), keyspace, limits, request
        )
        _, following, *flat = reply
        for name, packed in zip(flat[::2], flat[1::2], strict=True):
            yield name.decode(), _decode(packed)
        cursor = following.decode()
        if cursor == "0":
            return


async def _names(client: Redis, keyspace: Keyspace, sku: str) -> tuple[str, ...]:
    return await names_of(client, keyspace, sku) if sku else ()


def holders_of(
    reservation_id: str, reservation: Reservation, skus: Collection[str], places: Collection[str]
) -> list[Holder]:
    """Return the lines of a reservation that hold or have committed units of a SKU, by any of its names.

    ``places``: all names of the location that is asked for; none: any.
    """
    return [
        Holder(
            reservation_id=reservation_id,
            channel=reservation.channel,
            line=number,
            location=line.location,
            held=line.held,
            committed=line.committed,
            expires_at_ms=reservation.deadline_ms if line.held else 0,
            state=reservation.state,
        )
        for number, line in enumerate(reservation.lines, start=1)
        if line.sku in skus and (line.held or line.committed) and (not places or line.location in places)
    ]


def _phases(state: str, *, unmapped: bool) -> tuple[str, ...]:
    """Return the phases that can hold reservations of a state, in the order in which they move."""
    if state == "held" or (unmapped and not state):  # the units of an unmapped line are owed
        return ("live",)
    if state in ("committed", "backordered"):
        return ("lapsed", "live")  # an expired hold may leave committed units
    if state in ("expired", "fulfilled"):
        return ("lapsed", "ended")
    if state:
        return ("ended",)
    return ("live", "ended", "revived")


_BEGINNINGS: Final = {"live": "0", "ended": "0", "lapsed": "0", "revived": "0-0"}


async def _first_place(query: _Query, phases: tuple[str, ...]) -> _Position:
    journal = await bounds(query.client, query.keyspace) if "revived" in phases else Bounds()
    return _Position(phases[0], _BEGINNINGS[phases[0]], journal.last_id)


def _next_place(place: _Position, position: str | None, phases: tuple[str, ...]) -> _Position | None:
    if position is not None:
        return place._replace(position=position)
    following = phases[phases.index(place.phase) + 1 :]
    if not following:
        return None
    beginning = place.since if following[0] == "revived" else _BEGINNINGS[following[0]]
    return _Position(following[0], beginning, place.since)


def _parse(after: str, phases: tuple[str, ...]) -> _Position:
    """Read a cursor, and refuse what the store would refuse."""
    match = _CURSOR.fullmatch(after)
    if match is None:
        raise ValueError("must be what a page gave as next")
    place = _Position(*match.groups())
    if place.phase not in phases:
        raise ValueError("belongs to a listing of another state: leave it out to begin anew")
    if not (_is_entry_id(place.since) and _is_position(place)):
        raise ValueError("must be what a page gave as next")
    return place


def _is_position(place: _Position) -> bool:
    if place.phase == "revived":
        return _is_entry_id(place.position)
    return place.position.isdigit() and int(place.position) <= _SCAN_CURSOR_MAX


def _is_entry_id(text: str) -> bool:
    try:
        parse_entry_id(text)
    except ValueError:
        return False
    return True


async def _scan(query: _Query, place: _Position, count: int) -> _Slice:
    """Read a slice of the live or of the ended reservations."""
    request = query.request(ended=place.phase == "ended", cursor=place.position, count=count)
    reply: list[Any] = await run_function(
        query.client,
        library().function("list_reservations"),
        query.keyspace,
        query.limits,
        request,
    )
    now_ms, cursor, *flat = reply
    found = _matching(query, list(zip(flat[::2], flat[1::2], strict=True)), int(now_ms))
    return _Slice(found, None if cursor == b"0" else cursor.decode(), int(now_ms), sum(map(len, flat[1::2])))


async def _overdue(query: _Query, place: _Position, count: int) -> _Slice:
    """Read holds whose deadline has passed and that are not ended yet, the oldest first: rarely any."""
    now_ms = await _now_ms(query.client)
    due = await _due(query, int(place.position), now_ms, "LIMIT", 0, count)
    is_last = len(due) < count
    if not due:
        return _Slice([], None, now_ms)
    last_ms = max(due.values())
    due |= await _due(query, last_ms, last_ms)  # all of one millisecond, so that the next page begins behind it
    pairs = await _live_records(query, list(due))
    size = sum(len(record) for _, record in pairs)
    return _Slice(_matching(query, pairs, now_ms), None if is_last else str(last_ms + 1), now_ms, size)


async def _live_records(query: _Query, ids: list[bytes]) -> list[tuple[bytes, bytes]]:
    pairs: list[tuple[bytes, bytes]] = []
    for first in range(0, len(ids), _RECORDS_PER_READ):
        part = ids[first : first + _RECORDS_PER_READ]
        records = await command(query.client, "HMGET", query.keyspace.reservations, *part)
        pairs += [(member, record) for member, record in zip(part, records, strict=True) if record is not None]
    return pairs


async def _due(query: _Query, from_ms: int, to_ms: int, *limit: str | int) -> dict[bytes, int]:
    words = (query.keyspace.deadlines, from_ms, to_ms, "BYSCORE", *limit, "WITHSCORES")
    flat: list[bytes] = await command(query.client, "ZRANGE", *words)
    return {member: int(deadline_ms) for member, deadline_ms in zip(flat[::2], flat[1::2], strict=True)}


async def _revived(query: _Query, place: _Position, count: int) -> _Slice:
    """Read reservations that came back since the listing began: committed after their hold had ended."""
    now_ms = await _now_ms(query.client)
    last_id: str | None = None
    ids: dict[str, None] = {}
    async for entry_id, changes in _some_entries(query, place.position):
        last_id = entry_id
        ids |= {change.reservation_id: None for change in changes if _is_late(change)}
        if len(ids) >= count:
            break
    if not ids:
        return _Slice([], last_id, now_ms)
    keys = (query.keyspace.reservations, query.keyspace.ended)
    live, ended = await together(query.client, [("HMGET", key, *ids) for key in keys])
    records = [mine or other for mine, other in zip(live, ended, strict=True)]
    pairs = [(name.encode(), record) for name, record in zip(ids, records, strict=True) if record is not None]
    return _Slice(_matching(query, pairs, now_ms), last_id, now_ms)


def _is_late(change: Change) -> bool:
    """Whether a change committed units whose hold had ended: such units were not held any more."""
    return change.operation == "commit" and any(line.d_committed and not line.d_held for line in change.lines)


async def _some_entries(query: _Query, after: str) -> AsyncIterator[tuple[str, list[Change]]]:
    """Read one page's worth of the journal."""
    left = SCAN_MAX
    async for entry in read(query.client, query.keyspace, after):
        yield entry
        left -= 1
        if left == 0:
            return


def _matching(query: _Query, pairs: list[tuple[bytes, bytes]], now_ms: int) -> list[tuple[str, Reservation]]:
    """Decode, show as of now, and keep those that match."""
    found = []
    for raw_id, packed in pairs:
        reservation = as_of(_decode(packed), now_ms)
        if (
            query.state in ("", reservation.state)
            and all(getattr(reservation, name) == value for name, value in query.fields.items())
            and (not query.channel or is_spelling(reservation.channel, query.channel))
            and (not query.skus or any(line.sku in query.skus for line in reservation.lines))
            and (not query.unmapped or any(line.is_unmapped for line in reservation.lines))
        ):
            found.append((raw_id.decode(), reservation))
    return found


async def _now_ms(client: Redis) -> int:
    seconds, microseconds = await command(client, "TIME")
    return int(seconds) * 1000 + int(microseconds) // 1000


_STEPS: Final = {"live": _scan, "ended": _scan, "lapsed": _overdue, "revived": _revived}
