"""Callers on kept-alive connections that send one request after the other, and books on what was answered.

Plain sockets: a client library would repeat a request by itself, and hide what these are there to count.
"""

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

import msgspec

_END: Final = b"\r\n\r\n"


class Books:
    """What became of each request: its status, or that no answer came."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.unanswered: list[str] = []
        self.told_to_close = 0
        self.refused = 0

    @property
    def acknowledged(self) -> list[str]:
        return [name for name, status in self.statuses.items() if status == 201]


class KeptAlive:
    """One connection; ``send`` raises ConnectionError where it ends instead of an answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.open = True

    @classmethod
    async def connected(cls, host: str, port: int) -> Self:
        return cls(*await asyncio.open_connection(host, port))

    async def send(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Send a request and read its answer: status and body."""
        raw = b"" if body is None else msgspec.json.encode(body)
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        try:
            self._writer.write(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)
            answer = (await self._reader.readuntil(_END)).decode("latin-1").lower()
            content = await self._reader.readexactly(int(answer.partition("content-length: ")[2].partition("\r\n")[0]))
        except (asyncio.IncompleteReadError, OSError) as error:
            self.open = False
            raise ConnectionError(str(error)) from error
        if "connection: close" in answer:
            self.open = False
        return int(answer.split()[1]), content

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


async def reserve_until_refused(host: str, port: int, name: str, books: Books, body: Callable[[str], object]) -> None:
    """Reserve without end, on one connection as long as it is kept; ends when the port is closed."""
    numbers = itertools.count()
    while True:
        try:
            connection = await KeptAlive.connected(host, port)
        except OSError:
            books.refused += 1
            return
        while connection.open:
            request = f"{name}-{next(numbers)}"
            try:
                status, _ = await connection.send("POST", "/v1/reservations", body(request))
            except ConnectionError:
                books.unanswered.append(request)
            else:
                books.statuses[request] = status
                books.told_to_close += not connection.open
        await connection.close()
