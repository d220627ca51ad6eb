"""A route with a span around it, where traces are asked for; others do not even pay for the question."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from aiohttp import web

from server.api.http.auth import Authenticator
from server.store.connection.connect import StoreClient
from server.store.errors import StoreError
from server.store.keys import Keyspace
from server.store.repositories.traces import Traced, remember
from server.telemetry.tracing import Tracing

log = structlog.get_logger("holdfast.tracing")

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MSGPACK: Final = "application/msgpack"
_SERVER_ERROR: Final = 500


class _Level(msgspec.Struct):
    sku: str
    seq: int


class _Touched(msgspec.Struct):
    """The part of an answer that names the changes it made."""

    availability: list[_Level] = []


_decode_json = msgspec.json.Decoder(_Touched).decode
_decode_msgpack = msgspec.msgpack.Decoder(_Touched).decode


class Noting(NamedTuple):
    """What it takes to note a trace: who changed something is not known from an answer, so the key is read again."""

    authenticator: Authenticator
    client: StoreClient


def traced(handle: Handle, method: str, path: str, tracing: Tracing, noting: Noting) -> Handle:
    """Put a span around a route; what a sampled request changed is noted, so that the publisher continues its trace."""
    notes: set[asyncio.Task[None]] = set()

    async def handle_traced(request: web.Request) -> web.StreamResponse:
        with tracing.request(method, path, request.headers) as span:
            response = await handle(request)
            if span.is_recording():
                span.set_attribute("http.response.status_code", response.status)
                if response.status >= _SERVER_ERROR:
                    span.set_attribute("error.type", str(response.status))
                note = _note(noting, request, response, tracing.context()) if method != "GET" else None
                if note is not None:
                    task = asyncio.create_task(note)
                    notes.add(task)
                    task.add_done_callback(notes.discard)
        return response

    return handle_traced


def _note(noting: Noting, request: web.Request, response: web.StreamResponse, traceparent: str) -> Any:
    """Make the work of noting what an answer changed; None: nothing."""
    levels = _touched(response)
    principal = noting.authenticator.authenticate(request.headers.get("Authorization")) if levels else None
    return (
        _remember(noting.client, Keyspace(principal.partition), levels, traceparent) if principal is not None else None
    )


def _touched(response: web.StreamResponse) -> list[_Level]:
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return []
    try:
        decode = _decode_msgpack if response.content_type == _MSGPACK else _decode_json
        return decode(response.body).availability
    except msgspec.DecodeError:
        return []  # an answer of another kind


async def _remember(client: StoreClient, keyspace: Keyspace, levels: list[_Level], traceparent: str) -> None:
    now_ms = time.time_ns() // 1_000_000
    try:
        for level in levels:
            await remember(client, keyspace, level.sku, Traced(level.seq, now_ms, traceparent))
    except StoreError as error:
        log.debug("trace_not_noted", reason=str(error))
