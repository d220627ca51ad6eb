"""Those who load: connections that ask without a pause, that do not read what they asked for, or that say nothing."""

import asyncio
import contextlib
import os
import secrets
import socket
from collections import Counter
from typing import Final, Literal

import msgspec
import uvloop

from tests.rigs.neighbours.apart import given, say_ready, tell, unwanted

NUMBER: Final = "@ID@"
"""In the path or the body of a request: replaced by a text that no other request has."""
SMALL_BYTES: Final = 4_096
"""The kernel's buffer of a connection that is not read."""
_HEAD_S: Final = 5.0
_READ_BYTES: Final = 1 << 18
_CLOSED_S: Final = 3.0
_PAUSE_S: Final = 0.01


class Load(msgspec.Struct):
    """What one loader does.

    ``ask``: each connection sends the next request when the answer has come. ``hold``: it sends one, and only the first
    ``reading`` of the connections read what comes. ``times``: so often the request is sent at once. ``half``: it never
    ends, and no answer is waited for.
    """

    host: str
    port: int
    does: Literal["ask", "hold"]
    connections: int
    line: str = ""
    """Method and path; empty: nothing is said."""
    token: str = ""
    headers: list[str] = []
    body: str = ""
    reading: int = 0
    times: int = 1
    half: bool = False
    pause_s: float = 0.0
    """Between two requests of a connection."""


class Loaded(msgspec.Struct):
    """What came of it. ``closed``: connections that the server had closed by the end."""

    answers: int = 0
    statuses: dict[str, int] = {}
    received_bytes: int = 0
    closed: int = 0
    first_problem: str = ""


class _Loader:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._run = secrets.token_hex(4)
        self._statuses: Counter[str] = Counter()
        self.loaded = Loaded()
        self._opened = 0
        self._count = 0

    async def run(self) -> Loaded:
        ended, load = unwanted(), self._load
        if load.does == "ask":
            tasks = [asyncio.create_task(self._ask_on()) for _ in range(load.connections)]
            say_ready()
            await ended.wait()
        else:
            tasks = [asyncio.create_task(self._hold(number, ended)) for number in range(load.connections)]
            while self._opened < load.connections and not ended.is_set():
                await asyncio.sleep(_PAUSE_S)
            say_ready()
            await ended.wait()
            await asyncio.wait(tasks, timeout=_CLOSED_S + 1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.loaded.statuses = dict(self._statuses)
        return self.loaded

    def _request(self) -> bytes:
        load = self._load
        if not load.line:
            return b""
        self._count += 1
        unique = f"{self._run}-{self._count}"
        body = load.body.replace(NUMBER, unique).encode()
        lines = [f"{load.line.replace(NUMBER, unique)} HTTP/1.1", f"Host: {load.host}:{load.port}", *load.headers]
        lines += [f"Authorization: Bearer {load.token}"] if load.token else []
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"] if load.body else []
        whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        return whole[:-2] if load.half else whole

    # -- asking

    async def _ask_on(self) -> None:
        while True:
            writer = None
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(self._load.host, self._load.port)
                while True:
                    writer.write(self._request())
                    if await self._answer(reader):
                        break
                    await asyncio.sleep(self._load.pause_s)
            if writer is not None:
                writer.close()
            await asyncio.sleep(_PAUSE_S)

    async def _answer(self, reader: asyncio.StreamReader) -> bool:
        """Read an answer and throw it away; True: it is the connection's last."""
        head = await reader.readuntil(b"\r\n\r\n")
        status, low = head[9:12].decode(), head.lower()
        self._statuses[status] += 1
        left = int(low.partition(b"content-length: ")[2].split(b"\r\n", 1)[0] or 0)
        while left:
            piece = await reader.read(min(left, _READ_BYTES))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            if status >= "400" and not self.loaded.first_problem:
                self.loaded.first_problem = f"{status} {piece[:300].decode('utf-8', 'replace')}"
            left -= len(piece)
            self.loaded.received_bytes += len(piece)
        self.loaded.answers += 1
        return b"connection: close" in low

    # -- holding

    async def _hold(self, number: int, ended: asyncio.Event) -> None:
        reads = number < self._load.reading
        try:
            reader, writer = await _connect(self._load.host, self._load.port, None if reads else SMALL_BYTES)
        except OSError as error:
            self._statuses[type(error).__name__] += 1
            self._opened += 1
            return
        try:
            writer.write(b"".join(self._request() for _ in range(self._load.times)))
            await self._opening(reader)
            if reads:
                await self._read_on(reader)
            else:
                await ended.wait()
                async with asyncio.timeout(_CLOSED_S):
                    await self._read_on(reader)
        except (OSError, asyncio.IncompleteReadError) as error:
            # A reset is a close, too; TimeoutError, an OSError, is none.
            self.loaded.closed += not isinstance(error, TimeoutError)
        finally:
            writer.close()

    async def _opening(self, reader: asyncio.StreamReader) -> None:
        try:
            if self._load.line and not self._load.half:
                async with asyncio.timeout(_HEAD_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                self._statuses[head[9:12].decode()] += 1
        except TimeoutError:
            self._statuses["no answer"] += 1
        finally:
            self._opened += 1

    async def _read_on(self, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(_READ_BYTES):
            self.loaded.received_bytes += len(piece)
        self.loaded.closed += 1


async def _connect(host: str, port: int, buffer_bytes: int | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if buffer_bytes is None:
        return await asyncio.open_connection(host, port)
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, (host, port))
    except BaseException:
        connection.close()
        raise
    # A reader that is full stops the transport from reading.
    return await asyncio.open_connection(sock=connection, limit=buffer_bytes)


def main() -> None:
    """Run as a process of its own."""
    # Real loads come from other machines: here they must not take the cores from the server that they ask. One that
    # is only nice still keeps a core for some milliseconds when the server wakes up.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    load = given(Load)

    async def run() -> Loaded:
        return await _Loader(load).run()

    tell(uvloop.run(run()))


if __name__ == "__main__":
    main()
