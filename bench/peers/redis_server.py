"""The naive Redis peer's server: ``python -m bench.peers.redis_server DATA_DIR``.

What most public examples of stock reservation on Redis do: one script for each request through the client's pool, which
takes the units from a counter and keeps the hold in a key with a TTL. When the key expires, the units are not released.
Bodies, HTTP server, event loop, store and durability are those of Holdfast.
"""

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop
from aiohttp import web
from redis.asyncio import Redis

from bench.peers.local_peers import CONNECTIONS_MAX, serve
from server.schemas.availability import AvailableView
from server.schemas.reservations import LineView, ReservationView, ReserveBody
from server.store.embedded import EmbeddedStore

TAKE: Final = """
local available = tonumber(redis.call('GET', KEYS[1]) or '0')
local quantity = tonumber(ARGV[1])
if available < quantity then return {0, available} end
redis.call('DECRBY', KEYS[1], quantity)
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return {1, available - quantity}
"""
_TTL_S: Final = 900
_JSON: Final = {"Content-Type": "application/json"}

_decode_body = msgspec.json.Decoder(ReserveBody).decode
_encode_json = msgspec.json.Encoder().encode


def stock_key(sku: str) -> str:
    """Name the counter of a SKU."""
    return f"stock:{sku}"


def hold_key(reservation_id: str) -> str:
    """Name the key of a hold."""
    return f"hold:{reservation_id}"


def handler(client: Redis, digest: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer ``POST /v1/reservations`` of one line."""
    evalsha: Any = client.evalsha

    async def handle(request: web.Request) -> web.Response:
        body = _decode_body(await request.read())
        [line], identity, ttl_s = body.lines, body.reservation_id or "", body.ttl_s or _TTL_S
        hold = _encode_json({"sku": line.sku, "quantity": line.quantity, "channel": body.channel})
        keys = stock_key(line.sku), hold_key(identity)
        taken, available = await evalsha(digest, len(keys), *keys, line.quantity, hold, ttl_s)
        if not taken:
            return web.Response(status=409, body=_encode_json({"outcome": "out_of_stock"}), headers=_JSON)
        now, units = datetime.now(UTC), line.quantity
        view = ReservationView(
            reservation_id=identity,
            state="held",
            channel=body.channel,
            created_at=now,
            lines=[LineView(1, line.sku, line.location, units, units, units, 0, 0, 0, 0, 0)],
            expires_at=now + timedelta(seconds=ttl_s),
            availability=[AvailableView(line.sku, line.location, available, 0)],
        )
        return web.Response(status=201, body=_encode_json(view), headers=_JSON)

    return handle


async def _serve(data_dir: Path) -> None:
    store = EmbeddedStore(data_dir, durability="durable")
    await store.start()
    client = Redis.from_url(store.url, max_connections=CONNECTIONS_MAX)
    try:
        digest: Any = await client.script_load(TAKE)
        await serve(handler(client, digest))
    finally:
        await client.aclose()
        await store.stop()


def main() -> None:
    """Serve."""
    uvloop.run(_serve(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
