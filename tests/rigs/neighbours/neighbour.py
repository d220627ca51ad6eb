"""The neighbour: reserves at an even pace with a key of its own, whatever others do.

The load is open: each request has a moment at which it is due, and its time counts from there. What is refused, breaks
off or is not answered at all counts as refused.
"""

import asyncio
import secrets
from collections import deque
from typing import Final

import msgspec
import uvloop

from bench.harness.http1 import message
from tests.rigs.neighbours.apart import given, say_ready, tell

CONNECTIONS: Final = 32
GRACE_S: Final = 10.0
"""How long the last answers may take; one that takes longer counts as refused, and with this time."""
_CREATED: Final = b"HTTP/1.1 201 "


class Asks(msgspec.Struct):
    """What a neighbour does."""

    host: str
    port: int
    token: str
    sku: str
    rate_per_s: float = 100.0
    seconds: float = 3.0


class Served(msgspec.Struct):
    """What a neighbour noticed."""

    asked: int
    refused: int
    p50_ms: float
    p99_ms: float
    first_refusal: str = ""


class _Neighbour:
    def __init__(self, asks: Asks) -> None:
        self._asks = asks
        self._run = secrets.token_hex(4)
        self._due: deque[tuple[float, bytes]] = deque()
        self._more = asyncio.Event()
        self.taken_s: list[float] = []
        self.refused = 0
        self.first_refusal = ""

    async def run(self) -> Served:
        loop, asks = asyncio.get_running_loop(), self._asks
        callers = [asyncio.create_task(self._call()) for _ in range(CONNECTIONS)]
        total = max(1, round(asks.rate_per_s * asks.seconds))
        say_ready()
        began_s = loop.time()
        for number in range(total):
            due_s = began_s + number / asks.rate_per_s
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            self._due.append((due_s, self._request(number)))
            self._more.set()
        until_s = loop.time() + GRACE_S
        while len(self.taken_s) < total and loop.time() < until_s:
            await asyncio.sleep(0.005)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        self._give_up(total - len(self.taken_s))
        taken = sorted(self.taken_s)
        p50, p99 = (1000 * taken[min(total - 1, total * percent // 100)] for percent in (50, 99))
        return Served(total, self.refused, round(p50, 2), round(p99, 2), self.first_refusal)

    def _give_up(self, unanswered: int) -> None:
        if unanswered:
            self.refused += unanswered
            self.first_refusal = self.first_refusal or f"{unanswered} were not answered within {GRACE_S:g} s"
            self.taken_s += [GRACE_S] * unanswered

    async def _call(self) -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while True:
            while not self._due:
                self._more.clear()
                await self._more.wait()
            due_s, request = self._due.popleft()
            try:
                streams = streams or await asyncio.open_connection(self._asks.host, self._asks.port)
                await self._ask(due_s, request, *streams)
            except (OSError, asyncio.IncompleteReadError) as error:
                self._note(due_s, f"{type(error).__name__}: {error}")
                streams = None

    async def _ask(
        self, due_s: float, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]
        body = await reader.readexactly(int(length or 0))
        refusal = "" if head.startswith(_CREATED) else (head.split(b"\r\n", 1)[0] + b" " + body).decode()
        self._note(due_s, refusal)

    def _note(self, due_s: float, refusal: str) -> None:
        self.taken_s.append(asyncio.get_running_loop().time() - due_s)
        self.refused += bool(refusal)
        self.first_refusal = self.first_refusal or refusal

    def _request(self, number: int) -> bytes:
        lines = [{"sku": self._asks.sku, "quantity": 1}]
        body = {"reservation_id": f"{self._run}-{number}", "channel": "web", "lines": lines}
        headers = f"Host: {self._asks.host}:{self._asks.port}", f"Authorization: Bearer {self._asks.token}"
        return message("POST /v1/reservations HTTP/1.1", msgspec.json.encode(body), *headers)


def main() -> None:
    """Run as a process of its own."""
    asks = given(Asks)

    async def run() -> Served:
        return await _Neighbour(asks).run()

    tell(uvloop.run(run()))


if __name__ == "__main__":
    main()
