"""Documents in a file of SQLite beside the embedded store: for its user only, deleted content overwritten.

Two connections, each in a thread of its own: one writes, the other reads meanwhile.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from server.store.documents.database import Row
from server.store.documents.schema import migrate

T = TypeVar("T")

TYPES: Final = {"text": "TEXT", "bytes": "BLOB", "serial": "INTEGER PRIMARY KEY AUTOINCREMENT"}
_FILE_MODE: Final = 0o600
_BUSY_S: Final = 2.0
"""How long a statement waits for another process that writes."""
_AGAIN_S: Final = 0.05
_SETTINGS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
)


class _Worker:
    """A thread, and the connection that is opened and used in it alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="documents")

    def opened(self) -> sqlite3.Connection:
        """Return the connection, opened at first use."""
        if self._connection is None:
            self._connection = _open(self._path)
        return self._connection

    def interrupt(self) -> None:
        """End the statement that runs."""
        if self._connection is not None:
            self._connection.interrupt()

    def afterwards(self, work: Callable[[sqlite3.Connection], object]) -> "Future[None]":
        """Have the thread do something when what it does now has ended, and before all that is asked of it later."""

        def carefully() -> None:
            if self._connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    work(self._connection)

        return self.thread.submit(carefully)


class _Connection:
    """A connection that lives in a thread of its own; one transaction at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._worker = _Worker(path)
        self.turn = asyncio.Lock()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work in the thread. Where the waiting for it ends, the statement that runs is interrupted."""
        worker = self._worker
        try:
            return await asyncio.get_running_loop().run_in_executor(worker.thread, lambda: work(worker.opened()))
        except asyncio.CancelledError:
            worker.interrupt()
            raise

    def roll_back(self) -> None:
        """Have the thread end a transaction that is open, without waiting for it."""
        self._worker.afterwards(_rolled_back)

    async def close(self) -> None:
        """Close it; what runs in the thread ends first."""
        worker, self._worker = self._worker, _Worker(self._path)
        closed = worker.afterwards(sqlite3.Connection.close)
        worker.thread.shutdown(wait=False)
        await asyncio.wrap_future(closed)


class _Session:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        return await self._connection.run(lambda opened: opened.execute(statement, values).fetchall())

    async def execute(self, statement: str, *values: Any) -> int:
        return await self._connection.run(lambda opened: opened.execute(statement, values).rowcount)

    async def lock(self, name: str) -> None:
        """Do nothing: one transaction writes at a time."""


class SqliteDatabase:
    """The documents in one file. A file that was removed or replaced meanwhile is left for the one that is there."""

    failures = (sqlite3.Error, OSError)

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer, self._reader = _Connection(path), _Connection(path)
        self._opening = asyncio.Lock()
        self._file: tuple[int, int] | None = None

    @contextlib.asynccontextmanager
    async def transaction(self, *, reads: bool = False) -> AsyncIterator[_Session]:
        """Open a transaction, see :class:`~server.store.documents.database.Database`."""
        await self._ready()
        async with _begun(self._reader if reads else self._writer, "BEGIN" if reads else "BEGIN IMMEDIATE") as session:
            yield session

    async def scrub(self) -> None:
        """Empty the log of writes, in which what was deleted stands until it is written over; wait for who reads it."""
        await self._ready()
        while await self._is_log_in_use():  # noqa: ASYNC110  # the database tells nobody when it is not
            await asyncio.sleep(_AGAIN_S)

    async def _is_log_in_use(self) -> bool:
        async with self._writer.turn:
            work = "PRAGMA wal_checkpoint(TRUNCATE)"
            [(is_busy, *_)] = await self._writer.run(lambda opened: opened.execute(work).fetchall())
        return bool(is_busy)

    async def close(self) -> None:
        """Close both connections."""
        self._file = None
        await self._reader.close()
        await self._writer.close()

    async def _ready(self) -> None:
        """Open the file and bring its tables to today's version, unless that is done and the file is the same."""
        if self._file is not None and self._file == _identity(self.path):
            return
        async with self._opening:
            if self._file is not None and self._file == _identity(self.path):
                return
            await self.close()
            _make(self.path)
            async with _begun(self._writer, "BEGIN IMMEDIATE") as session:
                await migrate(session, TYPES)
            self._file = _identity(self.path)


@contextlib.asynccontextmanager
async def _begun(connection: _Connection, begin: str) -> AsyncIterator[_Session]:
    async with connection.turn:
        try:
            await connection.run(lambda opened: opened.execute(begin))
            yield _Session(connection)
            await connection.run(lambda opened: opened.execute("COMMIT"))
        except BaseException:
            connection.roll_back()
            raise


def _rolled_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        for setting in _SETTINGS:
            connection.execute(setting)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """Make the file for this user only, before SQLite would; its log takes the same mode. No link is followed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE_MODE)
    try:
        os.fchmod(descriptor, _FILE_MODE)
    finally:
        os.close(descriptor)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
