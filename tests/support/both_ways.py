"""Two servers that differ in their way alone, sent the same: what they answer is compared, byte by byte.

Times and the ids that a server chooses are masked, and so are ``Date`` and the length that follows from them.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, Self

import msgspec

from tests.support.http import MSGPACK, RawConnection, Server, opened, raw_connection
from tests.support.random_http import Exchange, RandomRequests

QUIET_S: Final = 0.25
"""Nothing more comes after such a time, where it is not known how many answers there are."""
SILENT_S: Final = 2.0
"""The same where nothing has come at all."""
_LATE_S: Final = 15.0
_LOOK_S: Final = 0.05
_TIME: Final = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_NEW_ID: Final = re.compile(rb"\b[qr][0-9a-f]{13,}")
"""Of a reservation, or of a request."""
_VARIES: Final = re.compile(rb"(?m)^(Date|Content-Length): .*$")
_LENGTH: Final = re.compile(rb"(?mi)^content-length: *(\d+)")


MADE: Final = RandomRequests(0, [])
"""Makes requests for servers without keys."""


@contextlib.asynccontextmanager
async def admitted(server: Server) -> AsyncIterator[RawConnection]:
    """Open a connection on which a request was let in, at a server without keys that has stock to sell."""
    async with opened(server) as api:
        await api.count("A", 1_000_000)
    async with raw_connection(server) as connection, asyncio.timeout(30):
        await connection.send(MADE.warm_up())
        assert await connection.status() == 200
        await rested(server)
        yield connection


async def rested(server: Server) -> None:
    """Wait until a server of one process has done what comes behind its answers: aiohttp waits for the next request.

    Only then a connection may take the lane. Whole requests on another connection take more rounds of its event loop.
    """
    async with opened(server) as api:
        for _ in range(3):
            await api.get("/livez")


class Outcome(msgspec.Struct):
    """What came back: the answers, and whether the connection was ``closed`` or ``reset`` behind them."""

    answers: list[bytes]
    end: str = ""


class Caller:
    """One connection to one server; opened anew where the server has closed it."""

    def __init__(self, server: Server, warm_up: bytes) -> None:
        self._server = server
        self._warm_up = warm_up
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def exchange(self, exchange: Exchange, outcome: Outcome) -> None:
        """Send something, and read what comes into ``outcome``: as many answers as there must be, or all that come."""
        if self._writer is None:
            await self._open()
        try:
            await self._send(exchange)
        except (ConnectionError, RuntimeError):  # the latter is uvloop's word for it
            outcome.end = "reset"
        await self._read(outcome, exchange.answers)

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        self._writer = None

    async def _open(self) -> None:
        """Connect, and have a request let in: only then the connection may use the lane."""
        self._reader, self._writer = await asyncio.open_connection(self._server.host, self._server.port)
        self._writer.write(self._warm_up)
        await self._answer()

    async def _send(self, exchange: Exchange) -> None:
        assert self._writer is not None
        pieces = exchange.pieces
        for number, piece in enumerate(pieces):
            self._writer.write(piece)
            await self._writer.drain()
            if number < len(pieces) - 1:
                await asyncio.sleep(exchange.pause_s if len(pieces) < 10 else 0)  # so that it is a packet of its own

    async def _read(self, outcome: Outcome, answers: int) -> None:
        try:
            while not answers or len(outcome.answers) < answers:
                outcome.answers.append(await self._answer())
        except asyncio.IncompleteReadError as error:
            outcome.end = outcome.end or "closed"
            if error.partial:
                outcome.answers.append(error.partial)
        except ConnectionError:
            outcome.end = "reset"

    async def _answer(self) -> bytes:
        assert self._reader is not None
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        has_body = length is not None and not head.startswith(b"HTTP/1.1 304")
        body = await self._reader.readexactly(int(length[1])) if length is not None and has_body else b""
        return masked(head, body)


def masked(head: bytes, body: bytes) -> bytes:
    """Mask what may differ: times, new ids, and the lengths of what holds them."""
    if MSGPACK.encode() in head:
        body = msgspec.json.encode(_masked(msgspec.msgpack.decode(body)))
    body = _NEW_ID.sub(b"ID", _TIME.sub(b"TIME", body))
    return _NEW_ID.sub(b"ID", _VARIES.sub(rb"\1: ...", head)) + body


def _masked(value: Any) -> Any:
    """Write what MessagePack says with the order of its names; a time there is one by its type."""
    if isinstance(value, dict):
        return [[name, _masked(each)] for name, each in value.items()]
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return value


class BothWays:
    """A caller of a server with the lane, and one of a server without."""

    def __init__(self, express: Server, ordinary: Server, warm_up: bytes) -> None:
        self._callers = [Caller(server, warm_up) for server in (express, ordinary)]
        self.requests = 0
        self.resets = 0

    async def compare(self, exchange: Exchange) -> None:
        """Send it to both. They must answer the same; where a connection was reset, as far as the answers came."""
        express, ordinary = outcomes = [Outcome([]), Outcome([])]
        reading = [
            asyncio.create_task(caller.exchange(exchange, outcome))
            for caller, outcome in zip(self._callers, outcomes, strict=True)
        ]
        await self._wait(reading, outcomes, knows_end=exchange.answers > 0)
        were_done = all(each.done() for each in reading)
        for task in reading:
            task.cancel()
        failed = [
            each for each in await asyncio.gather(*reading, return_exceptions=True) if isinstance(each, Exception)
        ]
        assert not failed, (exchange, failed)
        self.requests += max(1, exchange.answers)
        if "reset" in (express.end, ordinary.end):
            self.resets += 1
            common = min(len(express.answers), len(ordinary.answers))
            assert express.answers[:common] == ordinary.answers[:common], (exchange, express, ordinary)
        else:
            assert express == ordinary, (exchange, express, ordinary)
        if express.end or ordinary.end or not were_done:
            await self.close()

    async def _wait(
        self, reading: Sequence["asyncio.Task[None]"], outcomes: Sequence[Outcome], *, knows_end: bool
    ) -> None:
        """Wait until both have read all, or for a while nothing more has come and both have the same."""
        loop = asyncio.get_running_loop()
        until_s, quiet_s, before = loop.time() + _LATE_S, 0.0, -1
        while loop.time() < until_s and not all(each.done() for each in reading):
            done, _ = await asyncio.wait(reading, timeout=_LOOK_S)
            now = sum(len(each.answers) for each in outcomes) + len(done)
            is_quiet = not knows_end and now == before and outcomes[0] == outcomes[1]
            quiet_s, before = quiet_s + _LOOK_S if is_quiet else 0.0, now
            if quiet_s >= (QUIET_S if now else SILENT_S):
                return

    async def close(self) -> None:
        for caller in self._callers:
            await caller.close()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, express: Server, ordinary: Server, warm_up: bytes) -> AsyncIterator[Self]:
        both = cls(express, ordinary, warm_up)
        try:
            yield both
        finally:
            await both.close()
