"""A TCP proxy of a store that loses, delays and repeats replies and cuts connections, by dice, while switched on."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from tests.support.links import CHUNK_BYTES, SCRIPT_CALL, Link, Streams

Mishap = Literal["lost", "late", "twice", "twice_later", "cut_before", "cut_request", "cut_reply", "cut_after"]
"""``late``: held back, some for longer than anybody waits. ``twice_later``: the copy comes after the next request went
out. ``cut_request``, ``cut_reply``: half of it still arrives."""


class Unreliable:
    """Listens on a port of its own and forwards to the socket of a store.

    While ``mishaps`` is not empty, each call of a script meets one of them with ``probability``. ``met`` counts them.
    """

    def __init__(self, target: Path, chance: random.Random, *, probability: float, late_s: float) -> None:
        self.mishaps: Sequence[Mishap] = ()
        self.met: Counter[Mishap] = Counter()
        self.late_s = late_s
        self.chance = chance
        self._target = target
        self._probability = probability
        self._links: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"redis://127.0.0.1:{port}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def mishap(self, request: bytes) -> Mishap | None:
        """Throw the dice for one request."""
        if not self.mishaps or SCRIPT_CALL not in request or self.chance.random() >= self._probability:
            return None
        drawn = self.chance.choice(self.mishaps)
        self.met[drawn] += 1
        return drawn

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.CancelledError):
            store = await asyncio.open_unix_connection(self._target)
            with contextlib.closing(store[1]):
                await _Link(self, (reader, writer), store).run()
        self._links.discard(task)


class _Link(Link):
    """One connection; each script call on it meets its fate."""

    def __init__(self, proxy: Unreliable, client: Streams, store: Streams) -> None:
        super().__init__(client, store)
        self._proxy = proxy
        self._mishap: Mishap | None = None
        self._copy = b""

    async def pump_requests(self) -> None:
        while request := await self.reader.read(CHUNK_BYTES):
            if self._copy:
                self.writer.write(self._copy)
                self._copy = b""
            self._mishap = self._proxy.mishap(request)
            if self._mishap == "cut_before":
                return
            if self._mishap == "cut_request":
                self.store_writer.write(request[: self._proxy.chance.randrange(1, len(request))])
                await self.store_writer.drain()
                return
            self.store_writer.write(request)

    async def pump_replies(self) -> None:
        while reply := await self.store_reader.read(CHUNK_BYTES):
            match self._mishap:
                case "lost":
                    continue
                case "late":
                    await asyncio.sleep(self._proxy.chance.uniform(0, self._proxy.late_s))
                case "twice":
                    self.writer.write(reply)
                case "twice_later":
                    self._copy = reply
                case "cut_reply":
                    self.writer.write(reply[: self._proxy.chance.randrange(1, len(reply))])
                    await self.writer.drain()
                    return
                case "cut_after":
                    return
                case _:
                    pass
            self.writer.write(reply)
