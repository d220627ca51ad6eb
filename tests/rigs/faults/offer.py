"""Offers reserves at a steady rate over HTTP, whatever becomes of the ones before: what a crowd does to a shop.

A process of its own, so that who asks does not share a core's turn with who counts:

    python -m tests.rigs.faults.offer HOST PORT NAME RATE SECONDS CONNECTIONS

It prints one line of JSON: ids by outcome, and the milliseconds of each answer, counted from when it was due.
"""

import asyncio
import sys
from collections import defaultdict
from typing import Final

import msgspec
import uvloop

ACCEPTED: Final = "held"
UNSENT: Final = "unsent"
"""No connection was free when it was due; no request was sent."""
SKU: Final = "offered"
HEAD: Final = (
    b"POST /v1/reservations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


class Offered(msgspec.Struct):
    """What came of one run."""

    names: dict[str, list[str]]
    """Ids of reservations by outcome."""
    accepted_ms: list[float]
    refused_ms: list[float]
    without_retry_after: int = 0

    @property
    def sent(self) -> int:
        """How many were really asked for."""
        return sum(len(names) for outcome, names in self.names.items() if outcome != UNSENT)


class _Crowd:
    def __init__(self, host: str, port: int, name: str) -> None:
        self._host, self._port, self._name = host, port, name
        self.names: dict[str, list[str]] = defaultdict(list)
        self.accepted_ms: list[float] = []
        self.refused_ms: list[float] = []
        self.without_retry_after = 0
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def run(self, rate: float, seconds: float, connections: int) -> Offered:
        self._free = [await asyncio.open_connection(self._host, self._port) for _ in range(connections)]
        loop = asyncio.get_running_loop()
        began_s, tasks, total = loop.time(), set(), round(rate * seconds)
        for number in range(total):
            due_s = began_s + number / rate
            if due_s > loop.time():
                await asyncio.sleep(due_s - loop.time())
            elif not number % 64:
                await asyncio.sleep(0)
            name = f"{self._name}-{number}"
            if not self._free:
                self.names[UNSENT].append(name)
                continue
            task = asyncio.create_task(self._ask(name, due_s, *self._free.pop()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        return Offered(self.names, self.accepted_ms, self.refused_ms, self.without_retry_after)

    async def _ask(self, name: str, due_s: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = b'{"reservation_id":"%b","channel":"web","lines":[{"sku":"%b","quantity":1}]}' % (
            name.encode(),
            SKU.encode(),
        )
        writer.write(HEAD % len(body) + body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        answer = msgspec.json.decode(await reader.readexactly(length))
        took_ms = (asyncio.get_running_loop().time() - due_s) * 1000
        self._free.append((reader, writer))
        outcome = answer.get("state") or answer["outcome"]
        self.names[outcome].append(name)
        if outcome == ACCEPTED:
            self.accepted_ms.append(took_ms)
        else:
            self.refused_ms.append(took_ms)
            self.without_retry_after += b"retry-after:" not in head.lower()


def main() -> None:
    """Run from the command line."""
    host, port, name, rate, seconds, connections = sys.argv[1:]
    offered = uvloop.run(_Crowd(host, int(port), name).run(float(rate), float(seconds), int(connections)))
    sys.stdout.write(msgspec.json.encode(offered).decode() + "\n")


if __name__ == "__main__":
    main()
