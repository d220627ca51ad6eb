"""Sells at an even pace whatever the server does: ``python -m bench.harness.paced URL RATE SECONDS SKUS [TOKEN…]``.

With the tokens of several keys, each order is the next one's. Where the URL has a path, such as ``/v1/reservations``,
units are reserved there instead of being ordered.

The load is open: each sale has a moment at which it is due, and its time counts from there, so that a server that
stalls cannot make its own figures better by being asked less.
"""

import asyncio
import json
import random
import secrets
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, cast
from urllib.parse import urlsplit

import msgspec
import uvloop

from bench.harness.http1 import Messages, message
from bench.harness.stock import sku

CONNECTIONS: Final = 64
RESULT: Final = "RESULT "
_CREATED: Final = b"HTTP/1.1 201 "
_TICK_S: Final = 0.001
_GRACE_S: Final = 30.0


class Sold(msgspec.Struct, frozen=True):
    """What the seller saw. ``sent_late_p99_us``: how long after they were due requests were sent."""

    sales: int
    failed: int
    p50_us: int
    p99_us: int
    sent_late_p99_us: int
    first_failure: str = ""


class Seller:
    """Posts orders of one unit over a few connections."""

    def __init__(self, url: str, skus: int, tokens: Sequence[str] = ()) -> None:
        parts = urlsplit(url)
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self.idle: deque[_Connection] = deque()
        self.due: deque[tuple[float, bytes]] = deque()
        self.taken_s: list[float] = []
        self.late_s: list[float] = []
        self.first_failure = ""
        self.failed = 0
        self._answered = asyncio.Event()
        self._skus = skus
        self._path = parts.path or "/v1/orders"
        self._keys = [[f"Authorization: Bearer {token}"] for token in tokens] or [[]]
        self._run = secrets.token_hex(4)
        self._choose = random.Random(7)

    async def sell(self, rate: float, seconds: float) -> Sold:
        """Sell so many units a second for so long, and wait for the last answer."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: _Connection(self), self.host, self.port)
        began_s, made, total = time.perf_counter(), 0, int(rate * seconds)
        while made < total:
            until = min(total, int((time.perf_counter() - began_s) * rate) + 1)
            for number in range(made, until):
                self.due.append((began_s + number / rate, self._order(number)))
            made = until
            self.send()
            await asyncio.sleep(_TICK_S)
        async with asyncio.timeout(_GRACE_S):
            await self._all_answered(total)
        return self._summary()

    async def _all_answered(self, total: int) -> None:
        while len(self.taken_s) < total:
            self._answered.clear()
            await self._answered.wait()

    def send(self) -> None:
        """Send what is due as far as connections are free."""
        while self.due and self.idle:
            self.idle.popleft().send(*self.due.popleft())

    def answered(self, due_s: float, head: bytes, body: bytes) -> None:
        """Note an answer."""
        self.taken_s.append(time.perf_counter() - due_s)
        self._answered.set()
        if not head.startswith(_CREATED):
            self.failed += 1
            self.first_failure = self.first_failure or (head + b" " + body).decode("utf-8", "replace")

    def _order(self, number: int) -> bytes:
        key = self._keys[number % len(self._keys)]
        body = {
            "reservation_id": f"{self._run}-{number}",
            "channel": "web",
            "lines": [{"sku": sku(self._choose.randrange(self._skus)), "quantity": 1}],
        }
        return message(f"POST {self._path} HTTP/1.1", msgspec.json.encode(body), f"Host: {self.host}:{self.port}", *key)

    def _summary(self) -> Sold:
        taken, late = sorted(self.taken_s), sorted(self.late_s)
        p50, p99 = (round(taken[len(taken) * percent // 100] * 1e6) for percent in (50, 99))
        late_p99 = round(late[len(late) * 99 // 100] * 1e6)
        return Sold(len(taken), self.failed, p50, p99, late_p99, self.first_failure)


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, seller: Seller) -> None:
        self._seller = seller
        self._messages = Messages()
        self._due_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by its class
        self._seller.idle.append(self)

    def send(self, due_s: float, request: bytes) -> None:
        self._due_s = due_s
        self._seller.late_s.append(time.perf_counter() - due_s)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        for head, body in self._messages.feed(data):
            self._seller.answered(self._due_s, head, body)
            self._seller.idle.append(self)
            self._seller.send()


def main() -> None:
    """Sell, and print what came of it."""
    url, rate, seconds, skus, *tokens = sys.argv[1:]
    sold = uvloop.run(Seller(url, int(skus), tokens).sell(float(rate), float(seconds)))
    print(RESULT + json.dumps(msgspec.to_builtins(sold)))


if __name__ == "__main__":
    main()
