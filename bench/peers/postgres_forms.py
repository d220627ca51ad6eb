"""The forms of the Postgres peer: how a reservation gets into the database, from the usual to the best that we know.

Every form keeps the same rows, refuses the same, and is durable before its answer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

from server.schemas.reservations import ReserveBody

FORMS: Final = ("transaction", "statement", "procedure", "delayed", "batched")
COMMIT_DELAY: Final = {"commit_delay": "500", "commit_siblings": "1"}
"""Microseconds that a commit waits for others, where one more is under way: half of an fsync, as the manual advises."""
BATCHES: Final = 4
"""Batches that are under way at once: while one waits for its fsync, the next is worked on."""
BATCH_MAX: Final = 128
_SHORT: Final = "HF001"

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

-- One reservation: its rows first, then the contended rows of the stock, in one order.
CREATE FUNCTION reserve_one(
  p_id text, p_skus text[], p_locations text[], p_quantities bigint[], p_channel text, p_created timestamptz,
  p_expires timestamptz
) RETURNS TABLE (o_line int, o_available bigint, o_seq bigint) LANGUAGE plpgsql AS $$
DECLARE each record;
BEGIN
  INSERT INTO reservation
  SELECT p_id, n, sku, location, quantity, p_channel, 'held', p_created, p_expires
  FROM unnest(p_skus, p_locations, p_quantities) WITH ORDINALITY AS wanted (sku, location, quantity, n);
  FOR each IN
    SELECT sku, location, quantity, n::int AS n
    FROM unnest(p_skus, p_locations, p_quantities) WITH ORDINALITY AS wanted (sku, location, quantity, n)
    ORDER BY sku, location, n
  LOOP
    UPDATE stock SET available = available - each.quantity, seq = seq + 1
    WHERE sku = each.sku AND location = each.location AND available >= each.quantity
    RETURNING available, seq INTO o_available, o_seq;
    IF NOT FOUND THEN RAISE EXCEPTION 'short' USING ERRCODE = 'HF001'; END IF;
    o_line := each.n;
    RETURN NEXT;
  END LOOP;
END $$;

-- Many reservations of one line each, in one commit. o_seq: 0 where there was not enough, -1 where the id is taken.
CREATE FUNCTION reserve_many(
  p_ids text[], p_skus text[], p_locations text[], p_quantities bigint[], p_channels text[],
  p_created timestamptz[], p_expires timestamptz[]
) RETURNS TABLE (o_number int, o_available bigint, o_seq bigint) LANGUAGE plpgsql AS $$
DECLARE each record;
BEGIN
  FOR each IN
    SELECT id, sku, location, quantity, channel, created, expires, n::int AS n
    FROM unnest(p_ids, p_skus, p_locations, p_quantities, p_channels, p_created, p_expires)
      WITH ORDINALITY AS wanted (id, sku, location, quantity, channel, created, expires, n)
    ORDER BY sku, location, n
  LOOP
    o_number := each.n;
    UPDATE stock SET available = available - each.quantity, seq = seq + 1
    WHERE sku = each.sku AND location = each.location AND available >= each.quantity
    RETURNING available, seq INTO o_available, o_seq;
    IF NOT FOUND THEN
      o_available := 0; o_seq := 0;
    ELSE
      INSERT INTO reservation
      VALUES (each.id, 1, each.sku, each.location, each.quantity, each.channel, 'held', each.created, each.expires)
      ON CONFLICT DO NOTHING;
      IF NOT FOUND THEN
        UPDATE stock SET available = available + each.quantity, seq = seq - 1
        WHERE sku = each.sku AND location = each.location;
        o_available := 0; o_seq := -1;
      END IF;
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;
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
_ONE: Final = "SELECT o_line, o_available, o_seq FROM reserve_one($1, $2, $3, $4, $5, $6, $7)"
_MANY: Final = "SELECT o_number, o_available, o_seq FROM reserve_many($1, $2, $3, $4, $5, $6, $7)"
_TAKEN_SEQ: Final = -1


class Left(NamedTuple):
    """What is available afterwards, and the SKU's seq."""

    available: int
    seq: int


Lefts = dict[int, Left]
"""By line, counted from 1."""
Keep = Callable[["NewReservation"], Awaitable[Lefts]]


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


class ShortError(Exception):
    """There is not enough; nothing was kept."""


class KnownIdError(Exception):
    """The id is taken; nothing was kept."""


def keep_in(form: str, pool: Any) -> Keep:
    """Return what keeps a reservation in this form."""
    if form == "batched":
        return Batched(pool).keep
    return {"transaction": transaction, "statement": statement}.get(form, procedure)(pool)


def _by_sku(numbered: tuple[int, tuple[Any, ...]]) -> tuple[Any, ...]:
    return numbered[1][2:4]


def transaction(pool: Any) -> Keep:
    """Keep a reservation in a transaction of its statements."""

    async def keep(new: NewReservation) -> Lefts:
        left: Lefts = {}
        rows = [(number, new.row(number)) for number in range(1, len(new.body.lines) + 1)]
        async with pool.acquire() as connection, connection.transaction():
            try:
                for _, row in rows:
                    await connection.execute(_KEEP, *row)
            except asyncpg.UniqueViolationError:
                raise KnownIdError from None
            for number, row in sorted(rows, key=_by_sku):
                found = await connection.fetchrow(_TAKE, *row[2:5])
                if found is None:
                    raise ShortError
                left[number] = Left(*found)
        return left

    return keep


def statement(pool: Any) -> Keep:
    """Keep a reservation of one line in one statement, one of more in a transaction."""
    several = transaction(pool)

    async def keep(new: NewReservation) -> Lefts:
        if len(new.body.lines) > 1:
            return await several(new)
        try:
            found = await pool.fetchrow(_BOTH, *new.row(1))
        except asyncpg.UniqueViolationError:
            raise KnownIdError from None
        if found is None:
            raise ShortError
        return {1: Left(*found)}

    return keep


def procedure(pool: Any) -> Keep:
    """Keep a reservation by a function of the database: one round trip, however many lines."""

    async def keep(new: NewReservation) -> Lefts:
        lines = new.body.lines
        columns = [[getattr(line, name) for line in lines] for name in ("sku", "location", "quantity")]
        try:
            rows = await pool.fetch(
                _ONE, new.reservation_id, *columns, new.body.channel, new.created_at, new.expires_at
            )
        except asyncpg.UniqueViolationError:
            raise KnownIdError from None
        except asyncpg.PostgresError as error:
            if error.sqlstate == _SHORT:
                raise ShortError from None
            raise
        return {number: Left(available, seq) for number, available, seq in rows}

    return keep


class Batched:
    """Keeps what has gathered in one commit, as Holdfast's own batcher does; one of several lines by itself."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._alone = procedure(pool)
        self._waiting: deque[tuple[NewReservation, asyncio.Future[Left]]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()

    async def keep(self, new: NewReservation) -> Lefts:
        """Keep a reservation with those that wait."""
        if len(new.body.lines) > 1:
            return await self._alone(new)
        answer: asyncio.Future[Left] = asyncio.get_running_loop().create_future()
        self._waiting.append((new, answer))
        if len(self._under_way) < BATCHES:
            task = asyncio.create_task(self._work())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return {1: await answer}

    async def _work(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
            try:
                self._answer(batch, await self._pool.fetch(_MANY, *_columns([new for new, _ in batch])))
            except (asyncpg.PostgresError, OSError) as error:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)

    def _answer(self, batch: list[tuple[NewReservation, "asyncio.Future[Left]"]], rows: list[Any]) -> None:
        for number, available, seq in rows:
            answer = batch[number - 1][1]
            if answer.done():
                continue  # the caller has left
            if seq > 0:
                answer.set_result(Left(available, seq))
            else:
                answer.set_exception(KnownIdError() if seq == _TAKEN_SEQ else ShortError())


def _columns(batch: list[NewReservation]) -> list[list[Any]]:
    lines = [(new.body.lines[0], new) for new in batch]
    rows = [
        (new.reservation_id, line.sku, line.location, line.quantity, new.body.channel, new.created_at, new.expires_at)
        for line, new in lines
    ]
    return [list(column) for column in zip(*rows, strict=True)]
