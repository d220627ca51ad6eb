"""Waits at the end of the journal: one blocked connection for a process, which wakes whoever wants to hear of more."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from server.store.journal.entries import EntryId, format_entry_id, parse_entry_id, text_of
from server.store.keys import Keyspace

log = structlog.get_logger("holdfast.journal")

_BLOCK_S: Final = 5.0
_BLOCK_GRACE_S: Final = 3.0
"""So much later than asked an empty answer may come before the connection counts as dead."""
_TAIL_ENTRIES: Final = 512
_RECONNECT_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)


class Tail:
    """Knows the end of one partition's journal, and wakes whoever waits for it to grow: one per process.

    Parameters
    ----------
    connect
        Makes an unconnected connection of redis-py's; the tail keeps one of its own, blocked most of the time.

    """

    def __init__(self, connect: Callable[[], AbstractConnection], keyspace: Keyspace) -> None:
        self._connect = connect
        self._journal = keyspace.journal
        self._last: EntryId = (0, 0)
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.connections = 0
        """How often it has connected: after each but the first, the store may have lost its newest entries."""

    @property
    def last_id(self) -> str:
        """The newest entry that the tail knows of; ``0-0`` until it first reached the store."""
        return format_entry_id(self._last)

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._run(), name=f"journal-tail {self._journal}")

    async def close(self) -> None:
        """Stop following; those who wait run into their timeout."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def grown(self, after_id: str, timeout_s: float) -> bool:
        """Wait until there is an entry after ``after_id``; False: none came in time."""
        after = parse_entry_id(after_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._last <= after:
                    # Looked up each time: whoever moves the end leaves a new event for those who come later.
                    await self._moved.wait()
        return self._last > after

    async def _run(self) -> None:
        attempt = 0
        while True:
            connection = self._connect()
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                # Asked anew at each connection: a store that lost its newest entries in a crash is behind us.
                self._move_to(await self._newest(connection))
                self.connections += 1
                attempt = 0
                while True:
                    await self._follow(connection)
            except (RedisError, OSError, ValueError) as error:  # TimeoutError is an OSError
                if attempt == 0:
                    log.warning("journal_tail_interrupted", reason=str(error) or type(error).__name__)
            finally:
                await connection.disconnect(nowait=True)
            await asyncio.sleep(_RECONNECT_S[min(attempt, len(_RECONNECT_S) - 1)])
            attempt += 1

    async def _newest(self, connection: AbstractConnection) -> EntryId:
        await connection.send_command("XINFO", "STREAM", self._journal)
        try:
            async with asyncio.timeout(_BLOCK_GRACE_S):
                answer = await connection.read_response(disable_decoding=True)
        except ResponseError as error:
            if "no such key" in str(error):
                return (0, 0)
            raise
        info = dict(zip(answer[::2], answer[1::2], strict=True))
        return parse_entry_id(text_of(info[b"last-generated-id"]))

    async def _follow(self, connection: AbstractConnection) -> None:
        """Wait once for entries after the newest known."""
        block_ms = int(1000 * _BLOCK_S)
        await connection.send_command(
            "XREAD", "COUNT", _TAIL_ENTRIES, "BLOCK", block_ms, "STREAMS", self._journal, self.last_id
        )
        async with asyncio.timeout(_BLOCK_S + _BLOCK_GRACE_S):
            answer = await connection.read_response(disable_decoding=True)
        if answer:
            self._move_to(parse_entry_id(text_of(answer[0][1][-1][0])))

    def _move_to(self, last: EntryId) -> None:
        if last != self._last:
            self._last = last
            self._moved.set()
            self._moved = asyncio.Event()
