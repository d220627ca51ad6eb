"""The servers that Holdfast is held against: ``python -m bench.peers.local_peers noop``, ``… bare`` and ``… pool``.

All take and give the very bodies of ``POST /v1/reservations``, decode and encode them with the same types, and run on
the same event loop and HTTP server with the same settings. ``noop`` does nothing in between: the limit of what
any server built on these parts can reach. ``bare`` is the same without an application and its router. ``pool`` does
what is usually done: one script call for each request through redis-py's connection pool, with the same function and
the same records as Holdfast. The first two answer availability as well.
"""

import asyncio
import itertools
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop
from aiohttp import web
from redis.asyncio import Redis

from bench.harness.stock import LIMITS, PARTITION
from server.domain.answers import Refused
from server.domain.operations.base import fingerprint
from server.domain.operations.reservations import Line, Reserve
from server.domain.reservation import Changed
from server.domain.stock import LocationAvailable
from server.schemas.availability import (
    AvailabilityList,
    AvailabilityQueryBody,
    AvailabilityView,
    AvailableView,
)
from server.schemas.reservations import LineView, ReservationView, ReserveBody, left_views, reservation_view
from server.store.embedded import EmbeddedStore
from server.store.keys import Keyspace
from server.store.ledger.codec import pack
from server.store.lua_library import library

Handler = Callable[[web.Request], Awaitable[web.Response]]
BareHandler = Callable[[web.BaseRequest], Awaitable[web.Response]]
"""One that needs no application, and can have one."""
ONE: Final = "/v1/availability/"
MANY: Final = "/v1/availability/query"

_JSON: Final = {"Content-Type": "application/json"}
CONNECTIONS_MAX: Final = 1024
"""The pool's default of 100 answers the 101st caller with MaxConnectionsError; this is its only setting we change."""

_decode_body = msgspec.json.Decoder(ReserveBody).decode
_decode_query = msgspec.json.Decoder(AvailabilityQueryBody).decode
_encode_json = msgspec.json.Encoder().encode
_decode_answer = msgspec.msgpack.Decoder(Changed | Refused).decode


def noop() -> BareHandler:
    """Decode, build an answer of the same shape and size as Holdfast's, encode."""
    numbers = itertools.count(1)

    async def handle(request: web.BaseRequest) -> web.Response:
        body = _decode_body(await request.read())
        now = datetime.now(UTC)
        lines = [
            LineView(i, line.sku, line.location, line.quantity, line.quantity, line.quantity, 0, 0, 0, 0, 0)
            for i, line in enumerate(body.lines, 1)
        ]
        view = ReservationView(
            reservation_id=body.reservation_id or f"r{next(numbers):x}",
            state="held",
            channel=body.channel,
            created_at=now,
            lines=lines,
            expires_at=now + timedelta(seconds=body.ttl_s or 900),
            availability=[AvailableView(line.sku, line.location, 1_000_000, next(numbers)) for line in body.lines],
        )
        return web.Response(status=201, body=_encode_json(view), headers=_JSON)

    return handle


def _availability(sku: str, now: datetime) -> AvailabilityView:
    at_main = [LocationAvailable("main", 1_000_000)]
    return AvailabilityView(sku=sku, available=1_000_000, seq=1, locations=at_main, as_of=now)


async def noop_one(request: web.BaseRequest) -> web.Response:
    """Answer ``GET /v1/availability/{sku}`` with what is always there."""
    view = _availability(request.path.removeprefix(ONE), datetime.now(UTC))
    return web.Response(body=_encode_json(view), headers=_JSON)


async def noop_many(request: web.BaseRequest) -> web.Response:
    """Answer ``POST /v1/availability/query`` likewise."""
    body, now = _decode_query(await request.read()), datetime.now(UTC)
    answer = AvailabilityList([_availability(sku, now) for sku in body.skus], [])
    return web.Response(body=_encode_json(answer), headers=_JSON)


def bare() -> web.Server:
    """Make the no-op handlers' server without an application: it has no router, and no resources."""
    reserve = noop()

    async def handle(request: web.BaseRequest) -> web.Response:
        path = request.path
        if path == MANY:
            return await noop_many(request)
        return await (noop_one if path.startswith(ONE) else reserve)(request)

    return web.Server(handle, keepalive_timeout=75.0, handler_cancellation=False, auto_decompress=False)


def pool(client: Redis) -> Handler:
    """Send one script call for each request and wait for its answer."""
    fcall: Any = client.fcall
    take, keys = library().function("mutate").call_name, Keyspace(PARTITION).reserving

    async def handle(request: web.Request) -> web.Response:
        body = _decode_body(await request.read())
        operation = Reserve(
            fingerprint("reserve", body),
            "local",
            body.reservation_id or "",
            body.channel,
            [Line(line.sku, line.location, line.quantity) for line in body.lines],
            (body.ttl_s or 900) * 1000,
        )
        [packed] = await fcall(take, len(keys), *keys, LIMITS, pack(operation))
        answer = _decode_answer(packed)
        if isinstance(answer, Refused):
            return web.Response(status=409, body=_encode_json(answer.outcome), headers=_JSON)
        view = reservation_view(operation.reservation_id, answer.reservation, left_views(answer, "reserve"))
        return web.Response(status=201, body=_encode_json(view), headers=_JSON)

    return handle


async def serve(handler: Handler, *routes: web.RouteDef) -> None:
    """Serve until SIGTERM, with the settings of Holdfast's own server; the address goes to standard error."""
    app = web.Application()
    app.router.add_post("/v1/reservations", handler)
    app.router.add_routes(routes)
    # As in server/app.py.
    runner = web.AppRunner(
        app,
        handle_signals=True,
        access_log=None,
        keepalive_timeout=75.0,
        handler_cancellation=False,
        auto_decompress=False,
    )
    await _run(runner)


async def _run(runner: web.BaseRunner) -> None:
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(f"bench at http://127.0.0.1:{runner.addresses[0][1]}", file=sys.stderr, flush=True)
    try:
        await asyncio.Event().wait()
    except web.GracefulExit:
        pass
    finally:
        await runner.cleanup()


async def _serve_bare() -> None:
    await _run(web.ServerRunner(bare(), handle_signals=True))


async def _serve_pool(data_dir: Path) -> None:
    store = EmbeddedStore(data_dir, durability="fast")
    await store.start()
    client = Redis.from_url(store.url, max_connections=CONNECTIONS_MAX)
    try:
        await client.function_load(library().source, replace=True)
        await serve(pool(client))
    finally:
        await client.aclose()
        await store.stop()


def main() -> None:
    """Serve what the first word says."""
    match sys.argv[1]:
        case "noop":
            work = serve(noop(), web.get(ONE + "{sku}", noop_one), web.post(MANY, noop_many))
        case "bare":
            work = _serve_bare()
        case _:
            work = _serve_pool(Path(sys.argv[2]))
    uvloop.run(work)


if __name__ == "__main__":
    main()
