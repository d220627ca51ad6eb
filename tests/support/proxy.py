"""A proxy before a real store that loses, delays and cuts, once and at a moment that a test chooses."""

import asyncio
import contextlib
import tempfile
from enum import Enum, auto
from pathlib import Path
from typing import Self

from tests.support.links import CHUNK_BYTES, SCRIPT_CALL, Link, Streams


class Fate(Enum):
    """What happens to the next script call; those after it are forwarded again."""

    FORWARD = auto()
    CUT_BEFORE = auto()
    """The connection breaks before the store sees the call."""
    CUT_AFTER = auto()
    """The store runs the call; the connection breaks instead of its reply."""
    LOSE_REPLY = auto()
    """The store runs the call; its reply never comes, and the connection stays open."""
    REPEAT_LATER = auto()
    """The reply comes, and comes again when the next call has gone out on the connection, before its own reply."""


class Proxy:
    """Listens on a unix socket of its own and forwards to the one of a store.

    ``silent`` makes new connections hang: they are accepted, and nothing that they send goes anywhere.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._directory = tempfile.TemporaryDirectory(prefix="hf-proxy-")
        self._path = Path(self._directory.name) / "s.sock"
        self._pumps: set[asyncio.Task[None]] = set()
        self._replies = asyncio.Event()
        self._replies.set()
        self.next_fate = Fate.FORWARD
        self.silent = False
        self.calls = 0
        self.connections = 0

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    def hold_replies(self) -> None:
        self._replies.clear()

    def release_replies(self) -> None:
        self._replies.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        self._directory.cleanup()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._pumps.add(task)
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.CancelledError):
            if self.silent:
                await asyncio.Event().wait()
            store = await asyncio.open_unix_connection(self._target)
            with contextlib.closing(store[1]):
                await _Link(self, (reader, writer), store).run()

    def take_fate(self, request: bytes) -> Fate:
        if SCRIPT_CALL not in request:
            return Fate.FORWARD
        self.calls += 1
        fate, self.next_fate = self.next_fate, Fate.FORWARD
        return fate

    def has_seen(self, calls: int) -> bool:
        return self.calls >= calls

    async def may_reply(self) -> None:
        await self._replies.wait()


class _Link(Link):
    """One connection; each script call on it meets its fate."""

    def __init__(self, proxy: Proxy, client: Streams, store: Streams) -> None:
        super().__init__(client, store)
        self._proxy = proxy
        self._fate = Fate.FORWARD
        self._copy = b""
        # Of a connection that is being made nothing is held: who holds replies means those of script calls.
        self._is_call = False

    async def pump_requests(self) -> None:
        while request := await self.reader.read(CHUNK_BYTES):
            if self._copy:
                self.writer.write(self._copy)
                self._copy = b""
            self._is_call = SCRIPT_CALL in request
            self._fate = self._proxy.take_fate(request)
            if self._fate is Fate.CUT_BEFORE:
                return
            self.store_writer.write(request)

    async def pump_replies(self) -> None:
        while reply := await self.store_reader.read(CHUNK_BYTES):
            if self._is_call:
                await self._proxy.may_reply()
            if self._fate is Fate.CUT_AFTER:
                return
            if self._fate is Fate.REPEAT_LATER:
                self._copy = reply
            if self._fate is not Fate.LOSE_REPLY:
                self.writer.write(reply)
