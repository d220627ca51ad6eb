"""Documents in a file of SQLite beside the embedded store: for its user only, deleted content overwritten.

Two connections, each in a thread of its own: one writes, the other reads meanwhile. A transaction is done there in one
go: each way there and back costs as much as several statements, and far more while the event loop is busy.
"""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

from server.store.documents.database import Row, Session, Spend, Work
from server.store.documents.schema import migrate

T = TypeVar("T")

TYPES: Final = {"text": "TEXT", "bytes": "BLOB", "serial": "INTEGER PRIMARY KEY AUTOINCREMENT", "then_id": ""}
_FILE_MODE: Final = 0o600
_BUSY_S: Final = 2.0
"""How long a statement waits for another process that writes."""
_AGAIN_S: Final = 0.05
_SWITCH_AGAIN_S: Final = 0.005
_PRIMARY_CODE: Final = 0xFF
"""The part of an error's code that says what it is; the rest says more exactly why."""
_SETTINGS: Final = (
    "PRAGMA synchronous = NORMAL",
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
)


class _Call:
    """Something that is asked of the thread. ``given_up``: whoever asked for it does not wait any more.

    ``spent_s``: the processor time that it took there.
    """

    given_up = False
    spent_s = 0.0


class _Session:
    """A transaction in its thread: each statement is over when it returns, so work runs through without a pause."""

    def __init__(self, connection: sqlite3.Connection, call: _Call) -> None:
        self._connection = connection
        self._call = call

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        return self.run(statement, values).fetchall()

    async def execute(self, statement: str, *values: Any) -> int:
        return self.run(statement, values).rowcount

    async def lock(self, name: str) -> None:
        """Do nothing: one transaction writes at a time."""

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        if self._call.given_up:
            raise sqlite3.OperationalError("given up")
        return self._connection.execute(statement, values)


class _Connection:
    """A connection that lives in a thread of its own, opened at first use; one thing after the other is done there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="documents")
        self._opened: sqlite3.Connection | None = None
        self._current: _Call | None = None
        self._switching = Lock()
        """Held while it changes what the thread does, so that nobody interrupts another's statement."""

    async def transaction(self, work: Work[T], begin: str, spend: Spend | None = None) -> T:
        """Do work in a transaction; where the waiting for it ends, it is rolled back."""
        return await self.run(lambda opened, call: _transaction(opened, call, work, begin), spend)

    async def run(self, do: Callable[[sqlite3.Connection, _Call], T], spend: Spend | None = None) -> T:
        """Have the thread do something. Where the waiting for it ends, the statement that runs is interrupted."""
        call = _Call()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, call, do)
        except asyncio.CancelledError:
            self._give_up(call)
            raise
        finally:
            if spend is not None:
                spend(call.spent_s)

    async def close(self) -> None:
        """Close it; what the thread was asked to do before ends first."""
        closed: Future[None] = self._thread.submit(self._close)
        self._thread.shutdown(wait=False)
        await asyncio.wrap_future(closed)

    def _give_up(self, call: _Call) -> None:
        call.given_up = True
        with self._switching:
            if self._current is call and self._opened is not None:
                self._opened.interrupt()

    # -- in the thread

    def _do(self, call: _Call, do: Callable[[sqlite3.Connection, _Call], T]) -> T:
        if self._opened is None:
            self._opened = _open(self._path)
        with self._switching:
            self._current = call
        began_s = time.thread_time()
        try:
            return do(self._opened, call)
        finally:
            call.spent_s = time.thread_time() - began_s
            with self._switching:
                self._current = None

    def _close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            with contextlib.suppress(sqlite3.Error):
                opened.close()


class SqliteDatabase:
    """The documents in one file. A file that was removed or replaced meanwhile is left for the one that is there."""

    failures = (sqlite3.Error, OSError)
    given_ids = ""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer, self._reader = _Connection(path), _Connection(path)
        self._opening = asyncio.Lock()
        self._file: tuple[int, int] | None = None

    async def run(self, work: Work[T], *, reads: bool = False, spend: Spend | None = None) -> T:
        """Do work in a transaction, see :class:`~server.store.documents.database.Database`."""
        await self._ready()
        if reads:
            return await self._reader.transaction(work, "BEGIN", spend)
        return await self._writer.transaction(work, "BEGIN IMMEDIATE", spend)

    async def scrub(self) -> None:
        """Empty the log of writes, in which what was deleted stands until it is written over; wait for who reads it."""
        await self._ready()
        while await self._is_log_in_use():  # noqa: ASYNC110  # the database tells nobody when it is not
            await asyncio.sleep(_AGAIN_S)

    async def _is_log_in_use(self) -> bool:
        work = "PRAGMA wal_checkpoint(TRUNCATE)"
        [(is_busy, *_)] = await self._writer.run(lambda opened, _: opened.execute(work).fetchall())
        return bool(is_busy)

    async def count_on(self, session: Session, serials: Mapping[str, str]) -> None:
        """Do nothing: it counts on by itself."""

    async def close(self) -> None:
        """Close both connections; the next use opens others."""
        self._file = None
        reader, writer = self._reader, self._writer
        self._writer, self._reader = _Connection(self.path), _Connection(self.path)
        await reader.close()
        await writer.close()

    async def _ready(self) -> None:
        """Open the file and bring its tables to today's version, unless that is done and the file is the same."""
        if self._file is not None and self._file == _identity(self.path):
            return
        async with self._opening:
            if self._file is not None and self._file == _identity(self.path):
                return
            await self.close()
            _make(self.path)
            await self._writer.transaction(lambda session: migrate(session, TYPES), "BEGIN IMMEDIATE")
            self._file = _identity(self.path)


def _transaction(connection: sqlite3.Connection, call: _Call, work: Work[T], begin: str) -> T:
    session = _Session(connection, call)
    _roll_back(connection)  # only where that was interrupted
    try:
        session.run(begin)
        result = _driven(work, session)
        session.run("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise
    return result


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _driven(work: Work[T], session: _Session) -> T:
    """Run work to its end: nothing that it may wait for is ever pending."""
    running = work(session)
    try:
        running.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    running.close()
    raise RuntimeError("work on documents waits for something else than its session")


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _log_ahead(connection)
        for setting in _SETTINGS:
            connection.execute(setting)
    except BaseException:
        connection.close()
        raise
    return connection


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Have writes go to a log first. Here SQLite itself does not wait, as it does elsewhere, for who opens it too."""
    until_s = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
            time.sleep(_SWITCH_AGAIN_S)
        else:
            return


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
