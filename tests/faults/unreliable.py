"""A TCP proxy before a store that loses, delays and repeats replies and cuts connections, by dice, while told to."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Self

Mishap = Literal["lost", "late", "twice", "twice_later", "cut_before", "cut_request", "cut_reply", "cut_after"]
"""``late``: held back, some for longer than anybody waits. ``twice_later``: the copy comes after the next request went
out. ``cut_request``, ``cut_reply``: half of it still arrives."""

_CHUNK_BYTES: Final = 1 << 20
_CALL: Final = b"FCALL"


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
        if not self.mishaps or _CALL not in request or self.chance.random() >= self._probability:
            return None
        drawn = self.chance.choice(self.mishaps)
        self.met[drawn] += 1
        return drawn

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.CancelledError):
            store_reader, store_writer = await asyncio.open_unix_connection(self._target)
            with contextlib.closing(store_writer):
                await _Link(self, reader, writer, store_reader, store_writer).run()
        self._links.discard(task)


class _Link:
    """One connection, with a pump for each direction; when one ends, both do."""

    def __init__(
        self,
        proxy: Unreliable,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        store_reader: asyncio.StreamReader,
        store_writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._reader, self._writer = reader, writer
        self._store_reader, self._store_writer = store_reader, store_writer
        self._mishap: Mishap | None = None
        self._copy = b""

    async def run(self) -> None:
        pumps = [asyncio.create_task(self._pump_requests()), asyncio.create_task(self._pump_replies())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump_requests(self) -> None:
        while request := await self._reader.read(_CHUNK_BYTES):
            if self._copy:
                self._writer.write(self._copy)
                self._copy = b""
            self._mishap = self._proxy.mishap(request)
            if self._mishap == "cut_before":
                return
            if self._mishap == "cut_request":
                self._store_writer.write(request[: self._proxy.chance.randrange(1, len(request))])
                await self._store_writer.drain()
                return
            self._store_writer.write(request)

    async def _pump_replies(self) -> None:
        while reply := await self._store_reader.read(_CHUNK_BYTES):
            match self._mishap:
                case "lost":
                    continue
                case "late":
                    await asyncio.sleep(self._proxy.chance.uniform(0, self._proxy.late_s))
                case "twice":
                    self._writer.write(reply)
                case "twice_later":
                    self._copy = reply
                case "cut_reply":
                    self._writer.write(reply[: self._proxy.chance.randrange(1, len(reply))])
                    await self._writer.drain()
                    return
                case "cut_after":
                    return
                case _:
                    pass
            self._writer.write(reply)
