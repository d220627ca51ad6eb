"""A server below HTTP, which does to each connection what no library would, and a name server that changes its mind."""

import asyncio
import socket
import ssl
from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal, Self

from aiohttp.abc import AbstractResolver, ResolveResult

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Two: a\r\nX-Two: b\r\n\r\nok"

Act = bytes | Literal["hang up", "reset", "silence"]


@dataclass
class RawServer:
    """Takes connections on 127.0.0.1 and does to each whole request what comes next; ``acts`` empty: answers OK.

    ``greeting`` is sent before any request. After ``takes_bytes`` of it a connection is cut off.
    """

    acts: deque[Act] = field(default_factory=deque)
    greeting: bytes = b""
    takes_bytes: int | None = None
    tls: ssl.SSLContext | None = None
    connections: int = 0
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self._writers: list[asyncio.StreamWriter] = []
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        writer.write(self.greeting)
        try:
            if self.takes_bytes is not None:
                await reader.readexactly(self.takes_bytes)
                raise ConnectionAbortedError
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0]) if lengths else 0)
        self.heads.append(head)
        self.bodies.append(body)
        act = self.acts.popleft() if self.acts else OK
        if isinstance(act, bytes):
            writer.write(act)
            await writer.drain()
        elif act == "hang up":
            writer.close()
        elif act == "reset":
            writer.transport.abort()
        return isinstance(act, bytes)


class Names(AbstractResolver):
    """A name server of the test's own: each lookup gets the next list of addresses, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = deque(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        addresses = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None:
        pass
