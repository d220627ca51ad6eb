"""GET /v1/changes: every change of what is available, as server-sent events that can be resumed.

The journal is the source, so nothing is missed over a disconnect or a restart: an event's id is the journal id up to
which the caller is up to date. The value is read when it is sent, so a SKU that changed a hundred times meanwhile comes
once, with its newest value. If the caller was away for longer than the journal reaches back, or has read entries that a
store lost which came back from a backup, it gets a ``reset`` event instead of silence: read everything anew, then go on
from there.

Streams that keep up share one reading of the journal, one query and one encoding: see ``event_fanout``.
"""

from contextlib import suppress
from functools import partial
from typing import Annotated, Final, cast

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta

from server.api.http.front_door import Connection
from server.api.http.routing import Call, Route
from server.api.http.stream_outlet import ConnectionOutlet
from server.api.http.wire import SERVER_NAME, header_once, json_encode, parse_query
from server.domain.principal import Scope
from server.service.availability import for_events
from server.service.checks import InvalidError
from server.store.connection.timeouts import in_time
from server.store.journal import journal
from server.store.journal.journal import EntryId, format_entry_id, parse_entry_id
from server.store.ledger.ledger import Ledger
from server.streams.endings import DISCONNECTED
from server.streams.event_fanout import LOOK_AT_STREAMS_S, EventFanOut
from server.streams.event_rounds import Event
from server.streams.event_stream import WENT_BACK, EventStream
from server.streams.loop_share import LoopShare
from server.streams.open_streams import Place

log = structlog.get_logger("holdfast.http")

_RECONNECT_MS: Final = 1_000
_NOT_THAT_FAR: Final = "the journal does not reach back that far"
_NOT_THERE: Final = "the journal does not have that entry any more"


class ChangesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after``: an event id, ``0`` for all that the journal holds; without it, from now on."""

    after: Annotated[str, Meta(max_length=64)] | None = None


async def stream(call: Call) -> web.StreamResponse:
    """Stream changes until the caller leaves, its key does not hold any more, or the server drains."""
    place = call.state.streams.take(call.caller.principal, call.request.headers.get("Authorization"))
    try:
        return await _stream(call, place)
    finally:
        call.state.streams.end(place, DISCONNECTED)


async def _stream(call: Call, place: Place) -> web.StreamResponse:
    state, keyspace = call.state, call.caller.partition.keyspace
    bounds = await in_time(journal.bounds(state.client, keyspace))
    after, reset = _start(call, bounds)
    end = parse_entry_id(bounds.last_id)
    # Where entries were lost and new ones came since, this one lies before the end, and yet is not there.
    asked = format_entry_id(after)
    if not reset and (0, 0) < after < end and not await in_time(journal.has_entry(state.client, keyspace, asked)):
        after, reset = end, _NOT_THERE
    if reset:
        log.warning("changes_position_lost", partition=keyspace.partition, reason=reset, end=bounds.last_id)
    response, fan_out = _response(), _fan_out(call)
    # A caller that leaves is how a stream ends, also before it has begun.
    with suppress(ConnectionError):
        await _open(call, response)
        following = _follow(call, response, fan_out, after, place)
        async with fan_out.joined(end, following):
            if reset:
                await following.reset(after, reset)
            await following.run()
    response.force_close()
    return response


def _follow(
    call: Call, response: web.StreamResponse, fan_out: EventFanOut, after: EntryId, place: Place
) -> EventStream:
    state, connection = call.state, cast("Connection", call.request.protocol)
    outlet = ConnectionOutlet(call.request, response, write_timeout_s=state.write_timeout_s)
    following = EventStream(outlet, fan_out, after, place, state.streams, write_timeout_s=state.write_timeout_s)
    connection.on_lost = following.lost
    return following


def _start(call: Call, bounds: journal.Bounds) -> tuple[EntryId, str]:
    """Decide after which journal id to begin, and why something before it is lost; empty: nothing is."""
    query: ChangesQuery = parse_query(call.request, ChangesQuery)
    resumed = header_once(call.request, "Last-Event-ID")
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
        return last, WENT_BACK
    return (last, _NOT_THAT_FAR) if bounds.is_lost(format_entry_id(after)) else (after, "")


def _response() -> web.StreamResponse:
    return web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "Server": SERVER_NAME,
        }
    )


async def _open(call: Call, response: web.StreamResponse) -> None:
    await response.prepare(call.request)
    await response.write(b"retry: %d\n\n" % _RECONNECT_MS)


def _fan_out(call: Call) -> EventFanOut:
    """Get what all streams of the caller's partition share in this process."""
    state, name = call.state, call.caller.principal.partition
    known = state.event_fan_outs.get(name)
    if known is None:
        read_events = partial(_read_events, call.caller.partition.ledger, state.loop_share)
        look_every_s = min(LOOK_AT_STREAMS_S, state.write_timeout_s / 4)
        known = state.event_fan_outs[name] = EventFanOut(
            state.feed(name), state.loop_share, read_events, look_every_s=look_every_s
        )
    return known


async def _read_events(ledger: Ledger, share: LoopShare, skus: list[str]) -> list[Event]:
    known = [found for found in await for_events(ledger, skus) if found.is_known]
    async with share.turn(ledger.keyspace.partition):
        views = [found.view for found in known]
        return [
            Event(view.sku, b"event: availability\ndata: %b\n\n" % json_encode(view), is_out=view.available <= 0)
            for view in views
        ]


ROUTES = [
    Route(
        "GET", "/v1/changes", stream, Scope.READ, "Every change of availability, as server-sent events",
        {200: None}, query=ChangesQuery, outcomes=("invalid", "overloaded"), headers=("Last-Event-ID",), streams=True,
    ),
]  # fmt: skip
