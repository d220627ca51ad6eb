"""Documents in a PostgreSQL of the merchant's own, through asyncpg: what a store of its own goes with."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from server.store.documents.database import Row, Session, Spend, Work
from server.store.documents.schema import migrate
from server.store.errors import DocumentsUrlError

T = TypeVar("T")

TYPES: Final = {
    "text": 'TEXT COLLATE "C"',
    "bytes": "BYTEA",
    "serial": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "then_id": ", id",
}
_CONNECTIONS_MAX: Final = 4
_STATEMENT_S: Final = 10.0


class _Session:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        return [tuple(row) for row in await self._connection.fetch(numbered(statement), *values)]

    async def execute(self, statement: str, *values: Any) -> int:
        *_, count = (await self._connection.execute(numbered(statement), *values)).split(" ")
        return int(count) if count.isdigit() else 0

    async def lock(self, name: str) -> None:
        await self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('holdfast ' || $1, 0))", name)


class PostgresDatabase:
    """The documents in a database of PostgreSQL; its tables stand in the schema that the user has first."""

    given_ids = " OVERRIDING SYSTEM VALUE"

    def __init__(self, url: str) -> None:
        self._asyncpg = _driver()
        self._url = url
        self._pool: Any = None
        self._opening = asyncio.Lock()

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """The exceptions that mean: it does not work now."""
        driver = self._asyncpg
        return (driver.PostgresError, driver.InterfaceError, driver.InternalClientError, OSError)

    async def run(self, work: Work[T], *, reads: bool = False, spend: Spend | None = None) -> T:  # noqa: ARG002
        """Do work in a transaction, see :class:`~server.store.documents.database.Database`."""
        pool = await self._ready()
        isolation = "repeatable_read" if reads else None
        async with pool.acquire() as connection, connection.transaction(readonly=reads, isolation=isolation):
            return await work(_Session(connection))

    async def count_on(self, session: Session, serials: Mapping[str, str]) -> None:
        """Have columns that are counted up go on behind what they have, see Database."""
        for table, column in serials.items():
            following = f"(SELECT COALESCE(MAX({column}), 0) + 1 FROM {table})"
            await session.fetch(f"SELECT setval(pg_get_serial_sequence(?, ?), {following}, false)", table, column)

    async def scrub(self) -> None:
        """Have the space of deleted rows reused; PostgreSQL overwrites it and its log in its own time."""
        pool = await self._ready()
        async with pool.acquire() as connection:
            for table in ("people", "notes", "packages", "returns", "papers"):
                await connection.execute(f"VACUUM {table}")

    async def close(self) -> None:
        """Close the pool, without waiting for answers."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    async def _ready(self) -> Any:
        """Return the pool, made and its tables brought to today's version at first use."""
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    self._pool = await self._connected()
        return self._pool

    async def _connected(self) -> Any:
        pool = self._asyncpg.create_pool(
            self._url, min_size=0, max_size=_CONNECTIONS_MAX, command_timeout=_STATEMENT_S,
            server_settings={"application_name": "holdfast"},
        )  # fmt: skip
        try:
            await pool
            async with pool.acquire() as connection, connection.transaction():
                await migrate(_Session(connection), TYPES)
        except BaseException:
            pool.terminate()
            raise
        return pool


def _driver() -> Any:
    try:
        import asyncpg  # noqa: PLC0415  # an extra of its own; only a store of its own needs it
    except ImportError:
        raise DocumentsUrlError(
            "HOLDFAST_DOCUMENTS_URL names a PostgreSQL, and its driver is not installed: pip install holdfast[postgres]"
        ) from None
    return asyncpg


def numbered(statement: str) -> str:
    """Number the values of a statement: ``?`` becomes ``$1``, ``$2`` and so on."""
    first, *others = statement.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))
