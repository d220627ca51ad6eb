"""The Postgres peer's server: ``python -m bench.peers.postgres_server DSN FORM``, see ``postgres_forms.py``.

Bodies, HTTP server, event loop and settings are those of Holdfast. What lies between is what a careful engineer would
write on Postgres: a pool, statements that are prepared once, the reservation's rows first and the contended stock row
last, so that its lock is held for as short as can be; rows of several lines in one order, so that no two deadlock; and
a task that ends expired holds each second.
"""

import asyncio
import contextlib
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
import uvloop
from aiohttp import web

from bench.peers.local_peers import serve
from bench.peers.postgres_forms import COMMIT_DELAY, Keep, KnownIdError, Lefts, NewReservation, ShortError, keep_in
from server.schemas.availability import AvailableView
from server.schemas.reservations import LineView, ReservationView, ReserveBody

POOL: Final = 16
"""Connections: enough that commits share fsyncs. Between 4 and 32, two busy cores showed no difference beyond noise."""
_SWEEP_S: Final = 1.0
_TTL_S: Final = 900
_JSON: Final = {"Content-Type": "application/json"}
_SWEEP: Final = """
WITH expired AS (
  UPDATE reservation SET state = 'expired' WHERE state = 'held' AND expires_at <= now()
  RETURNING sku, location, quantity
), back AS (
  SELECT sku, location, sum(quantity)::bigint AS units FROM expired GROUP BY sku, location
)
UPDATE stock SET available = available + back.units, seq = seq + 1
FROM back WHERE stock.sku = back.sku AND stock.location = back.location
"""

_decode_body = msgspec.json.Decoder(ReserveBody).decode
_encode_json = msgspec.json.Encoder().encode


def handler(keep: Keep) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer ``POST /v1/reservations``."""

    async def handle(request: web.Request) -> web.Response:
        body = _decode_body(await request.read())
        now = datetime.now(UTC)
        until = now + timedelta(seconds=body.ttl_s or _TTL_S)
        new = NewReservation(body.reservation_id or secrets.token_hex(8), body, now, until)
        try:
            left = await keep(new)
        except ShortError:
            return web.Response(status=409, body=_encode_json({"outcome": "out_of_stock"}), headers=_JSON)
        except KnownIdError:
            return web.Response(status=422, body=_encode_json({"outcome": "id_reused"}), headers=_JSON)
        return web.Response(status=201, body=_encode_json(_view(new, left)), headers=_JSON)

    return handle


def _view(new: NewReservation, left: Lefts) -> ReservationView:
    numbered = list(enumerate(new.body.lines, 1))
    return ReservationView(
        reservation_id=new.reservation_id,
        state="held",
        channel=new.body.channel,
        created_at=new.created_at,
        lines=[
            LineView(n, line.sku, line.location, line.quantity, line.quantity, line.quantity, 0, 0, 0, 0, 0)
            for n, line in numbered
        ],
        expires_at=new.expires_at,
        availability=[AvailableView(line.sku, line.location, *left[n]) for n, line in numbered],
    )


@contextlib.asynccontextmanager
async def _sweeping(pool: Any) -> AsyncIterator[None]:
    async def sweep() -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            await pool.execute(_SWEEP)

    task = asyncio.create_task(sweep())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _serve(dsn: str, form: str) -> None:
    settings = COMMIT_DELAY if form == "delayed" else {}
    connecting = asyncpg.create_pool(dsn, min_size=POOL, max_size=POOL, server_settings=settings)
    async with connecting as pool, _sweeping(pool):
        await serve(handler(keep_in(form, pool)))


def main() -> None:
    """Serve."""
    uvloop.run(_serve(*sys.argv[1:]))


if __name__ == "__main__":
    main()
