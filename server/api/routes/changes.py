"""GET /v1/changes: every change of what is available, as server-sent events that can be resumed.

The journal is the source, so nothing is missed over a disconnect or a restart: an event's id is the journal id up to
which the caller is up to date. The value is read when it is sent, so a SKU that changed a hundred times meanwhile comes
once, with its newest value. If the caller was away for longer than the journal reaches back, or has read entries that a
store lost which came back from a backup, it gets a ``reset`` event instead of silence: read everything anew, then go on
from there.

Streams that keep up share one reading of the journal, one query and one encoding: see ``event_fanout``. Those of
browsers whose tokens are for a channel share another one: what the channel can reserve.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Annotated, Final, cast

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta

from server.api.http.admission import bearer
from server.api.http.front_door import Connection
from server.api.http.headers import header_once
from server.api.http.request_ids import REQUEST_ID
from server.api.http.routing import Call, Route
from server.api.http.sessions import principal_of, session_token
from server.api.http.stream_outlet import ConnectionOutlet
from server.api.http.wire import SERVER_NAME, json_encode, parse_query
from server.domain.browser_tokens import TEXT_MAX
from server.domain.principal import Scope
from server.service.availability import for_events
from server.service.checks import InvalidError
from server.service.problems import ProblemError, problem
from server.store.connection.timeouts import in_time
from server.store.errors import StoreUnavailableError
from server.store.journal import journal
from server.store.journal.journal import EntryId, format_entry_id, parse_entry_id
from server.store.ledger.ledger import Ledger
from server.streams.endings import DISCONNECTED, SESSION_ENDED
from server.streams.event_fanout import LOOK_AT_STREAMS_S, EventFanOut
from server.streams.event_rounds import Event
from server.streams.event_stream import WENT_BACK, EventStream
from server.streams.loop_share import LoopShare
from server.streams.open_streams import Place

log = structlog.get_logger("holdfast.http")

_RECONNECT_MS: Final = 1_000
_SESSION_LOOK_S: Final = 1.0
"""How late a stream notices that its person has signed out, in seconds."""
CHANNELS_MAX: Final = 16
"""Channels of a partition whose streams are open in one process: what changes is read anew for each of them."""
GATHER_MS_MAX: Final = 5_000
_TOO_MANY_CHANNELS: Final = (
    f"Browsers have streams for {CHANNELS_MAX} channels open here, as many as may be. Get a token without a channel, or"
    " try again when some are closed."
)
_NOT_THAT_FAR: Final = "the journal does not reach back that far"
_NOT_THERE: Final = "the journal does not have that entry any more"


class ChangesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after``: an event id, ``0`` for all that the journal holds; without it, from now on.

    ``gather_ms``: how long the stream rests after events, so that the next ones come together.
    ``access_token``: a browser's token, which counts where no ``Authorization`` was sent.
    """

    after: Annotated[str, Meta(max_length=64)] | None = None
    gather_ms: Annotated[int, Meta(ge=0, le=GATHER_MS_MAX, description="Milliseconds.")] = 0
    access_token: Annotated[str, Meta(max_length=TEXT_MAX)] | None = None


async def stream(call: Call) -> web.StreamResponse:
    """Stream changes until the caller leaves, its key or token does not hold any more, or the server drains."""
    place = call.state.streams.take(call.caller.principal, bearer(call.request))
    try:
        with _until_its_time(call, place):
            return await _stream(call, place)
    finally:
        call.state.streams.end(place, DISCONNECTED)


@contextmanager
def _until_its_time(call: Call, place: Place) -> Iterator[None]:
    """End the stream of a browser with its token, which was looked at when it came."""
    reach = place.principal.reach
    if place.principal.is_person:
        with _while_session(call, place):
            yield
        return
    if reach is None or not reach.until_s:
        yield
        return
    left_s = max(0.0, reach.until_s - time.time())
    timer = asyncio.get_running_loop().call_later(left_s, call.state.streams.expire, place)
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _while_session(call: Call, place: Place) -> Iterator[None]:
    """End the stream of a person when their session ends; that it is open does not keep the session."""
    token = session_token(call.request.headers)

    async def look() -> None:
        while place.ending is None:
            await asyncio.sleep(_SESSION_LOOK_S)
            with suppress(StoreUnavailableError):  # then nobody can sign out either
                if await principal_of(call.state, token) is None:
                    call.state.streams.expire(place, SESSION_ENDED)

    looking = asyncio.create_task(look(), name="console-session")
    try:
        yield
    finally:
        looking.cancel()


async def _stream(call: Call, place: Place) -> web.StreamResponse:
    state, keyspace = call.state, call.caller.partition.keyspace
    bounds = await in_time(journal.bounds(state.client, keyspace))
    query: ChangesQuery = parse_query(call.request, ChangesQuery)
    place_asked = header_once(call.request, "Last-Event-ID") or query.after
    after, reset = _start(call, place_asked, bounds)
    end = parse_entry_id(bounds.last_id)
    # Where entries were lost and new ones came since, this one lies before the end, and yet is not there.
    asked = format_entry_id(after)
    if not reset and (0, 0) < after < end and not await in_time(journal.has_entry(state.client, keyspace, asked)):
        after, reset = end, _NOT_THERE
    if reset:
        log.warning("changes_position_lost", partition=keyspace.partition, reason=reset, end=bounds.last_id)
    response = _response(call)
    # A caller that leaves is how a stream ends, also before it has begun.
    with suppress(ConnectionError), _fan_out(call) as fan_out:
        await _open(call, response, asked if place_asked is None else "")
        following = _follow(call, response, fan_out, after, place, gather_s=query.gather_ms / 1000)
        async with fan_out.joined(end, following):
            if reset:
                await following.reset(after, reset)
            await following.run()
    response.force_close()
    return response


def _follow(
    call: Call, response: web.StreamResponse, fan_out: EventFanOut, after: EntryId, place: Place, *, gather_s: float
) -> EventStream:
    state, connection = call.state, cast("Connection", call.request.protocol)
    outlet = ConnectionOutlet(call.request, response, write_timeout_s=state.write_timeout_s)
    following = EventStream(
        outlet, fan_out, after, place, state.streams, write_timeout_s=state.write_timeout_s, gather_s=gather_s
    )
    connection.on_lost = following.lost
    return following


def _start(call: Call, asked: str | None, bounds: journal.Bounds) -> tuple[EntryId, str]:
    """Decide after which journal id to begin, and why something before it is lost; empty: nothing is."""
    last = parse_entry_id(bounds.last_id)
    if asked is None:
        return last, ""
    try:
        after = parse_entry_id(journal.START if asked == "0" else asked)
    except ValueError:
        field = "Last-Event-ID" if header_once(call.request, "Last-Event-ID") else "after"
        raise InvalidError(field, "must be the id of an event of this stream, or 0") from None
    if bounds.is_beyond(format_entry_id(after)):
        return last, WENT_BACK
    return (last, _NOT_THAT_FAR) if bounds.is_lost(format_entry_id(after)) else (after, "")


def _response(call: Call) -> web.StreamResponse:
    return web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "Server": SERVER_NAME,
            REQUEST_ID: call.request_id,
            **call.state.rates.headers(call.caller.principal),
        }
    )


async def _open(call: Call, response: web.StreamResponse, begins_at: str) -> None:
    """Begin the stream. ``begins_at``: the id to send before any event, for a caller that named none; empty: none."""
    place = f"id: {begins_at}\n" if begins_at else ""
    await response.prepare(call.request)
    await response.write(b"retry: %d\n%b\n" % (_RECONNECT_MS, place.encode()))


@contextmanager
def _fan_out(call: Call) -> Iterator[EventFanOut]:
    """Get what all streams of the caller's partition share in this process, or those for one channel in it."""
    state, principal = call.state, call.caller.principal
    name = principal.partition, "" if principal.reach is None else principal.reach.channel
    known = state.event_fan_outs.get(name) or _new_fan_out(call, *name)
    known.users += 1
    try:
        yield known
    finally:
        known.users -= 1
        # A partition has its own for good; channels are named by whoever makes tokens, so theirs go with their streams.
        if name[1] and not known.users:
            del state.event_fan_outs[name]


def _new_fan_out(call: Call, partition: str, channel: str) -> EventFanOut:
    state = call.state
    if channel and sum(of == partition and bool(one) for of, one in state.event_fan_outs) >= CHANNELS_MAX:
        raise ProblemError(problem("overloaded", _TOO_MANY_CHANNELS))
    read_events = partial(_read_events, call.caller.partition.ledger, state.loop_share, channel=channel)
    look_every_s = min(LOOK_AT_STREAMS_S, state.write_timeout_s / 4)
    made = EventFanOut(state.feed(partition), state.loop_share, read_events, look_every_s=look_every_s)
    state.event_fan_outs[partition, channel] = made
    return made


async def _read_events(ledger: Ledger, share: LoopShare, skus: list[str], *, channel: str = "") -> list[Event]:
    known = [found for found in await for_events(ledger, skus, channel) if found.is_known]
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
        browser=True,
    ),
]  # fmt: skip
