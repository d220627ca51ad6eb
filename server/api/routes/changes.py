"""GET /v1/changes: every change of what may be promised, as server-sent events that can be resumed.

The journal is the source, so nothing is missed over a disconnect or a restart: an event's id is the journal id up to
which the caller is up to date. The value is read when it is sent, so a SKU that changed a hundred times meanwhile comes
once, with its newest value. If the caller was away for longer than the journal reaches back, it gets a ``reset``
event instead of silence: read everything anew, then go on from there.
"""

import asyncio
from contextlib import suppress
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

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
from server.store.journal.feed import JournalFeed

_READ_ENTRIES: Final = 500
"""Journal entries looked at before the SKUs in them are sent."""
_HEARTBEAT_S: Final = 15.0
"""A comment so often keeps proxies from closing a quiet stream."""
_LOOK_S: Final = 0.5
"""How often a quiet stream looks whether the server is stopping."""
_RECONNECT_MS: Final = 1_000


class ChangesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after``: an event id, ``0`` for all that the journal holds; without it, from now on."""

    after: Annotated[str, Meta(max_length=64)] | None = None


async def stream(call: Call) -> web.StreamResponse:
    """Stream changes until the caller leaves or the server drains."""
    state = call.state
    if state.draining or state.open_streams >= state.changes_streams_max:
        raise ProblemError(problem("overloaded", "Too many streams are open; close one or try again later."))
    cursor, reset = await _start(call)
    state.open_streams += 1
    try:
        response = await _open(call)
        with suppress(ConnectionResetError):  # the caller left, which is how a stream ends
            if reset:
                await response.write(_event("reset", cursor, {"reason": "the journal does not reach back that far"}))
            await _follow(call, response, cursor)
        return response
    finally:
        state.open_streams -= 1


async def _start(call: Call) -> tuple[str, bool]:
    """Say after which journal id to begin, and whether something before it is lost."""
    query: ChangesQuery = parse_query(call.request, ChangesQuery)
    resumed = call.request.headers.get("Last-Event-ID")
    asked = resumed or query.after
    bounds = await in_time(journal.bounds(call.state.client, call.caller.partition.keyspace))
    if asked is None:
        return bounds.last_id, False
    try:
        after = journal.START if asked == "0" else journal.format_entry_id(journal.parse_entry_id(asked))
    except ValueError:
        field = "Last-Event-ID" if resumed else "after"
        raise InvalidError(field, "must be the id of an event of this stream, or 0") from None
    if bounds.is_lost(after):
        return bounds.last_id, True
    return after, False


async def _open(call: Call) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(call.request)
    await response.write(b"retry: %d\n\n" % _RECONNECT_MS)
    return response


async def _follow(call: Call, response: web.StreamResponse, cursor: str) -> None:
    feed = call.state.feed(call.caller.principal.partition)
    feed.start()
    quiet_s = 0.0
    # Whoever left is noticed here, not by the next heartbeat: streams are counted, and there may be few to give.
    while not call.state.draining and call.request.transport is not None:
        try:
            cursor, skus = await in_time(_changed_skus(feed, cursor))
            read = await read_in_pieces(call.caller.partition.ledger, skus)
        except StoreError:
            # The store is away: the caller keeps its place and hears from us when it is back.
            await response.write(b": the store is away\n\n")
            await asyncio.sleep(_RECONNECT_MS / 1000)
            continue
        events = [availability_view(*each) for each in read if each.locations]
        if events:
            # Only the last event of a read carries the id: whoever leaves in the middle gets all of them again.
            for event in events[:-1]:
                await response.write(_event("availability", None, event))
            await response.write(_event("availability", cursor, events[-1]))
            quiet_s = 0.0
        elif not await feed.grown(cursor, _LOOK_S):
            quiet_s += _LOOK_S
            if quiet_s >= _HEARTBEAT_S:
                await response.write(b": still here\n\n")
                quiet_s = 0.0


async def _changed_skus(feed: JournalFeed, cursor: str) -> tuple[str, list[str]]:
    """Read the next piece of the journal: the new cursor, and the SKUs whose availability it touched, each once."""
    skus: dict[str, None] = {}
    seen = 0
    async for entry_id, changes in feed.read(cursor):
        cursor = entry_id
        skus.update((line.sku, None) for change in changes for line in change.lines)
        seen += 1
        if seen == _READ_ENTRIES:
            break
    return cursor, list(skus)


def _event(name: str, event_id: str | None, data: object) -> bytes:
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {name}\ndata: ".encode() + json_encode(data) + b"\n\n"


ROUTES = [
    Route(
        "GET", "/v1/changes", stream, Scope.READ, "Every change of availability, as server-sent events",
        {200: None}, query=ChangesQuery, outcomes=("invalid", "overloaded"), headers=("Last-Event-ID",), streams=True,
    ),
]  # fmt: skip
