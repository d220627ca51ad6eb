"""The Postgres peer's server: ``python -m bench.peers.postgres_server DSN transaction|statement``.

Bodies, HTTP server, event loop and settings are those of Holdfast. What lies between is what a careful engineer would
write on Postgres: a pool, statements that are prepared once, the reservation's rows first and the contended stock row
last, so that its lock is held for as short as can be; rows of several lines in one order, so that no two deadlock; and
a task that ends expired holds each second. ``statement``: a reservation of one line is a single statement.
"""

import asyncio
import contextlib
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec
import uvloop
from aiohttp import web

from bench.peers.local_peers import serve
from server.schemas.availability import AvailableView
from server.schemas.reservations import LineView, ReservationView, ReserveBody

POOL: Final = 16
"""Connections: enough that commits share fsyncs. Between 4 and 32, two busy cores showed no difference beyond noise."""
_SWEEP_S: Final = 1.0
_TTL_S: Final = 900
_JSON: Final = {"Content-Type": "application/json"}

SCHEMA: Final = """
CREATE TABLE stock (
  sku text, location text, available bigint NOT NULL CHECK (available >= 0), seq bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (sku, location)
) WITH (fillfactor = 50);
CREATE TABLE reservation (
  reservation_id text, line int, sku text NOT NULL, location text NOT NULL, quantity bigint NOT NULL,
  channel text NOT NULL, state text NOT NULL, created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
  PRIMARY KEY (reservation_id, line)
);
CREATE INDEX reservation_due ON reservation (expires_at) WHERE state = 'held';
"""
_KEEP: Final = "INSERT INTO reservation VALUES ($1, $2, $3, $4, $5, $6, 'held', $7, $8)"
_TAKE: Final = """
UPDATE stock SET available = available - $3, seq = seq + 1
WHERE sku = $1 AND location = $2 AND available >= $3 RETURNING available, seq
"""
_BOTH: Final = """
WITH taken AS (
  UPDATE stock SET available = available - $5, seq = seq + 1
  WHERE sku = $3 AND location = $4 AND available >= $5 RETURNING available, seq
), kept AS (
  INSERT INTO reservation SELECT $1, $2, $3, $4, $5, $6, 'held', $7, $8 FROM taken
)
SELECT available, seq FROM taken
"""
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
Left = dict[int, Any]
"""By line: what is available afterwards, and the SKU's seq."""
Keep = Callable[["NewReservation"], Awaitable[Left]]


class NewReservation(NamedTuple):
    """What is to be kept."""

    reservation_id: str
    body: ReserveBody
    created_at: datetime
    expires_at: datetime

    def row(self, number: int) -> tuple[Any, ...]:
        """Return the row of a line, counted from 1."""
        line = self.body.lines[number - 1]
        what = (line.sku, line.location, line.quantity)
        return (self.reservation_id, number, *what, self.body.channel, self.created_at, self.expires_at)


class _ShortError(Exception):
    """There is not enough; the transaction is rolled back."""


def _by_sku(numbered: tuple[int, tuple[Any, ...]]) -> tuple[Any, ...]:
    return numbered[1][2:4]


def transaction(pool: Any) -> Keep:
    """Keep a new in a transaction of its statements."""

    async def keep(new: NewReservation) -> Left:
        left: Left = {}
        rows = [(number, new.row(number)) for number in range(1, len(new.body.lines) + 1)]
        async with pool.acquire() as connection, connection.transaction():
            for _, row in rows:
                await connection.execute(_KEEP, *row)
            for number, row in sorted(rows, key=_by_sku):
                found = await connection.fetchrow(_TAKE, *row[2:5])
                if found is None:
                    raise _ShortError
                left[number] = found
        return left

    return keep


def statement(pool: Any) -> Keep:
    """Keep a new of one line in one statement, one of more in a transaction."""
    several = transaction(pool)

    async def keep(new: NewReservation) -> Left:
        if len(new.body.lines) > 1:
            return await several(new)
        found = await pool.fetchrow(_BOTH, *new.row(1))
        if found is None:
            raise _ShortError
        return {1: found}

    return keep


def handler(keep: Keep) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer ``POST /v1/reservations``."""

    async def handle(request: web.Request) -> web.Response:
        body = _decode_body(await request.read())
        now = datetime.now(UTC)
        until = now + timedelta(seconds=body.ttl_s or _TTL_S)
        new = NewReservation(body.reservation_id or secrets.token_hex(8), body, now, until)
        try:
            left = await keep(new)
        except _ShortError:
            return web.Response(status=409, body=_encode_json({"outcome": "out_of_stock"}), headers=_JSON)
        except asyncpg.UniqueViolationError:
            return web.Response(status=422, body=_encode_json({"outcome": "id_reused"}), headers=_JSON)
        return web.Response(status=201, body=_encode_json(_view(new, left)), headers=_JSON)

    return handle


def _view(new: NewReservation, left: Left) -> ReservationView:
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
        availability=[
            AvailableView(line.sku, line.location, left[n]["available"], left[n]["seq"]) for n, line in numbered
        ],
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


async def _serve(dsn: str, how: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=POOL, max_size=POOL) as pool, _sweeping(pool):
        await serve(handler(transaction(pool) if how == "transaction" else statement(pool)))


def main() -> None:
    """Serve."""
    uvloop.run(_serve(*sys.argv[1:]))


if __name__ == "__main__":
    main()
