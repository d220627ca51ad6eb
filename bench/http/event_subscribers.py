"""Many subscribers of ``GET /v1/changes`` in one process.

    python -m bench.http.event_subscribers URL SUBSCRIBERS SAMPLED [TOKEN]

It takes as little of the machine as it can: plain connections, and one regular expression over what arrives. It prints
a line of JSON when all streams are open, and answers each line of its standard input with another one.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Mapping
from typing import Final, cast

import msgspec
import uvloop

from bench.harness.black_box import address_of

OPEN_S_MAX: Final = 60.0
"""How long all streams may take to open."""
_LOOK_S: Final = 0.05
_EVENT_END: Final = b"\n\n"
_OPENED: Final = b"retry: "
"""The first thing that the server writes into a stream."""
_AVAILABILITY: Final = re.compile(rb'data: \{"sku":"([^"]+)","available":(-?\d+)')


class Question(msgspec.Struct, frozen=True):
    """What the process is asked: how far each subscriber is from ``wanted``, and whether for the sampled arrivals."""

    wanted: dict[str, int]
    arrivals: bool = False


class Answer(msgspec.Struct, frozen=True):
    """How the subscribers are.

    ``wrong``: values that are not the wanted ones, over all SKUs and subscribers. ``closed``: streams that the server
    ended. ``events``: how many each subscriber got. ``arrivals``: of each sampled subscriber, every event: when it
    came, in microseconds since 1970, and its SKU and value.
    """

    wrong: int
    closed: int
    events: list[int]
    arrivals: list[list[tuple[int, str, int]]]


class Subscriber(asyncio.Protocol):
    """One stream. It keeps the last value of each SKU, and if ``sampled`` every event with its time."""

    def __init__(self, request: bytes, *, sampled: bool) -> None:
        self._request = request
        self._sampled = sampled
        self._rest = b""
        self.opened = False
        self.closed = False
        self.events = 0
        self.last: dict[bytes, bytes] = {}
        self.arrivals: list[tuple[int, list[tuple[bytes, bytes]]]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        cast("asyncio.Transport", transport).write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # why does not matter
        """Note that the stream has ended."""
        self.closed = True

    def data_received(self, data: bytes) -> None:
        """Take the events that are whole by now."""
        received = self._rest + data
        end = received.rfind(_EVENT_END)
        if end < 0:
            self._rest = received
            return
        self._rest = received[end:]
        if not self.opened:
            self.opened = _OPENED in received
        found = _AVAILABILITY.findall(received, 0, end)
        if found:
            self.events += len(found)
            self.last.update(found)
            if self._sampled:
                self.arrivals.append((time.time_ns() // 1000, found))

    def wrong(self, wanted: Mapping[bytes, bytes]) -> int:
        """Count the SKUs whose last value is another one than the wanted."""
        return sum(self.last.get(sku) != value for sku, value in wanted.items())


def answer(question: Question, subscribers: list[Subscriber]) -> Answer:
    """Look how the subscribers are."""
    wanted = {sku.encode(): b"%d" % value for sku, value in question.wanted.items()}
    arrivals = [
        [(at_us, sku.decode(), int(value)) for at_us, found in each.arrivals for sku, value in found]
        for each in subscribers
        if each.arrivals and question.arrivals
    ]
    return Answer(
        wrong=sum(each.wrong(wanted) for each in subscribers),
        closed=sum(each.closed for each in subscribers),
        events=[each.events for each in subscribers],
        arrivals=arrivals,
    )


async def subscribe(url: str, number: int, sampled: int, token: str = "") -> None:
    """Open so many streams, say so, and answer what is asked until the standard input ends."""
    host, port = address_of(url)
    key = f"Authorization: Bearer {token}\r\n" if token else ""
    request = f"GET /v1/changes HTTP/1.1\r\nHost: {host}:{port}\r\n{key}\r\n".encode()
    loop = asyncio.get_running_loop()
    subscribers = [Subscriber(request, sampled=each < sampled) for each in range(number)]
    for each in subscribers:
        await loop.create_connection(lambda: each, host, port)  # noqa: B023  # called before the next
    async with asyncio.timeout(OPEN_S_MAX):
        while not all(each.opened for each in subscribers):  # noqa: ASYNC110  # an event would be set a thousand times
            await asyncio.sleep(_LOOK_S)
    _say(json.dumps({"open": number}).encode())
    while line := await asyncio.to_thread(sys.stdin.readline):
        _say(msgspec.json.encode(answer(msgspec.json.decode(line, type=Question), subscribers)))


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Be the subscribers."""
    url, number, sampled, *token = sys.argv[1:]
    uvloop.run(subscribe(url, int(number), int(sampled), *token))


if __name__ == "__main__":
    main()
