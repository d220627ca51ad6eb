"""GET /v1/changes: every change of what is available, as server-sent events that can be resumed.

The journal is the source, so nothing is missed over a disconnect or a restart: an event's id is the journal id up to
which the caller is up to date. The value is read when it is sent, so a SKU that changed a hundred times meanwhile comes
once, with its newest value. If the caller was away for longer than the journal reaches back, or has read entries that a
store lost which came back from a backup, it gets a ``reset`` event instead of silence: read everything anew, then go on
from there.

Streams that keep up share one reading of the journal, one query and one encoding: see ``event_fanout``.
"""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Annotated, Final

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta

from server.api.http.event_fanout import PIECE_BYTES, Event, EventFanOut, Position, entry_of
from server.api.http.routing import Call, Route
from server.api.http.wire import json_encode, parse_query
from server.domain.principal import Scope
from server.schemas.availability import availability_view
from server.service.availability import read_in_pieces
from server.service.checks import InvalidError
from server.service.problems import ProblemError, problem
from server.store.connection.timeouts import in_time
from server.store.errors import StoreError
from server.store.journal import journal
from server.store.journal.journal import DamagedEntryError, EntryId, format_entry_id, parse_entry_id
from server.store.ledger.ledger import Ledger

log = structlog.get_logger("holdfast.http")

_HEARTBEAT_S: Final = 15.0
"""A comment so often keeps proxies from closing a quiet stream."""
_LOOK_S: Final = 0.5
"""How often a quiet stream looks whether the server is stopping."""
_RECONNECT_MS: Final = 1_000
_NOT_THAT_FAR: Final = "the journal does not reach back that far"
_NOT_THERE: Final = "the journal does not have that entry any more"
_WENT_BACK: Final = "the store came back without its newest entries"
_UNREADABLE: Final = "an entry of the journal cannot be read"


class ChangesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after``: an event id, ``0`` for all that the journal holds; without it, from now on."""

    after: Annotated[str, Meta(max_length=64)] | None = None


async def stream(call: Call) -> web.StreamResponse:
    """Stream changes until the caller leaves or the server drains."""
    state = call.state
    if state.draining or state.open_streams >= state.changes_streams_max:
        raise ProblemError(problem("overloaded", "Too many streams are open; close one or try again later."))
    keyspace = call.caller.partition.keyspace
    bounds = await in_time(journal.bounds(state.client, keyspace))
    after, reset = _start(call, bounds)
    end = parse_entry_id(bounds.last_id)
    # Where entries were lost and new ones came since, this one lies before the end, and yet is not there.
    asked = format_entry_id(after)
    if not reset and (0, 0) < after < end and not await in_time(journal.has_entry(state.client, keyspace, asked)):
        after, reset = end, _NOT_THERE
    if reset:
        log.warning("changes_position_lost", partition=keyspace.partition, reason=reset, end=bounds.last_id)
    state.open_streams += 1
    try:
        response, fan_out = _response(), _fan_out(call)
        # A caller that leaves is how a stream ends, also before it has begun.
        with suppress(ConnectionResetError):
            await _open(call, response)
            async with fan_out.joined(parse_entry_id(bounds.last_id)):
                following = _Stream(call, response, fan_out, after)
                if reset:
                    await following.reset(after, reset)
                await following.run()
        return response
    finally:
        state.open_streams -= 1


def _start(call: Call, bounds: journal.Bounds) -> tuple[EntryId, str]:
    """Decide after which journal id to begin, and why something before it is lost; empty: nothing is."""
    query: ChangesQuery = parse_query(call.request, ChangesQuery)
    resumed = call.request.headers.get("Last-Event-ID")
    asked = resumed or query.after
    last = parse_entry_id(bounds.last_id)
    if asked is None:
        return last, ""
    try:
        after = parse_entry_id(journal.START if asked == "0" else asked)
    except ValueError:
        field = "Last-Event-ID" if resumed else "after"
        raise InvalidError(field, "must be the id of an event of this stream, or 0") from None
    if bounds.is_beyond(format_entry_id(after)):
        return last, _WENT_BACK
    return (last, _NOT_THAT_FAR) if bounds.is_lost(format_entry_id(after)) else (after, "")


def _response() -> web.StreamResponse:
    return web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


async def _open(call: Call, response: web.StreamResponse) -> None:
    await response.prepare(call.request)
    await response.write(b"retry: %d\n\n" % _RECONNECT_MS)


def _fan_out(call: Call) -> EventFanOut:
    """Get what all streams of the caller's partition share in this process."""
    state, name = call.state, call.caller.principal.partition
    known = state.event_fan_outs.get(name)
    if known is None:
        known = EventFanOut(state.feed(name), partial(_read_events, call.caller.partition.ledger))
        state.event_fan_outs[name] = known
    return known


async def _read_events(ledger: Ledger, skus: list[str]) -> list[Event]:
    views = [availability_view(*found) for found in await read_in_pieces(ledger, skus) if found.locations]
    return [
        Event(
            view.sku,
            (view.seq, view.locations_version),
            b"event: availability\ndata: %b\n\n" % json_encode(view),
            is_out=view.available <= 0,
        )
        for view in views
    ]


class _Stream:
    """One open stream: its position is the journal id up to which its caller has everything."""

    def __init__(self, call: Call, response: web.StreamResponse, fan_out: EventFanOut, position: Position) -> None:
        self._call = call
        self._response = response
        self._fan_out = fan_out
        self._position = position
        self._now_s = asyncio.get_running_loop().time
        self._written_s = self._now_s()
        self._sent_alone: dict[str, tuple[int, int]] = {}
        """The versions that it sent while it caught up by itself: events that were read before must not follow."""
        self._alone_until_s = 0.0
        self._rewinds = fan_out.rewinds

    async def run(self) -> None:
        """Follow until the server drains or the caller is gone."""
        # A caller that left is noticed here, not by the next heartbeat: the number of streams is limited.
        while not self._call.state.draining and self._call.request.transport is not None:
            try:
                await self._step()
            except DamagedEntryError as damaged:
                await self.reset(parse_entry_id(damaged.entry_id), _UNREADABLE)
            except StoreError:
                await self._wait_for_store()

    async def reset(self, position: Position, reason: str) -> None:
        """Have the caller read everything anew, and go on from a position."""
        body = b"id: %b\nevent: reset\ndata: %b\n\n" % (
            format_entry_id(entry_of(position)).encode(),
            json_encode({"reason": reason}),
        )
        await self._write(body)
        self._position = position
        self._sent_alone = {}  # a seq may come again

    async def _step(self) -> None:
        fan_out = self._fan_out
        grown = await fan_out.grown(self._position, _LOOK_S)
        if fan_out.rewinds != self._rewinds:
            self._rewinds = fan_out.rewinds
            await self.reset(fan_out.position, _WENT_BACK)
        elif not fan_out.reaches(self._position):
            await self._catch_up()
        elif grown:
            await self._take()
        elif fan_out.store_is_away:
            await self._wait_for_store()
        elif self._now_s() - self._written_s >= _HEARTBEAT_S:
            await self._write(b": still here\n\n")

    async def _take(self) -> None:
        upto, body = self._fan_out.after(self._position, self._sent_alone)
        if upto == self._fan_out.position and self._fan_out.read_at_s > self._alone_until_s:
            self._sent_alone = {}
        await self._write(body)
        self._position = upto

    async def _catch_up(self) -> None:
        """Read alone up to the journal's end, which is no less far than the fan-out was before."""
        while True:
            ready = self._fan_out.position
            found = await self._fan_out.read_alone(self._position)
            await self._write(found.body)
            if not found.more:
                break
            self._position = found.upto
        self._position = max(found.upto, ready)
        self._sent_alone = {event.sku: event.version for event in found.events}
        self._alone_until_s = self._now_s()

    async def _wait_for_store(self) -> None:
        """The caller keeps its place, and gets the rest when the store is back."""
        await self._write(b": the store is away\n\n")
        await asyncio.sleep(_RECONNECT_MS / 1000)

    async def _write(self, body: bytes) -> None:
        if not body:
            return
        # In pieces: the connection of a caller that does not read must not hold all of it.
        for start in range(0, len(body), PIECE_BYTES):
            await self._response.write(body[start : start + PIECE_BYTES])
        self._written_s = self._now_s()


ROUTES = [
    Route(
        "GET", "/v1/changes", stream, Scope.READ, "Every change of availability, as server-sent events",
        {200: None}, query=ChangesQuery, outcomes=("invalid", "overloaded"), headers=("Last-Event-ID",), streams=True,
    ),
]  # fmt: skip
