"""The channels of the propagation bench, a process of their own: notes when each value arrives, and answers at once.

``python -m bench.propagation.channels NAME=KIND …`` listens at a port for each channel, and at one more for commands:
how each is to behave, and what arrived. A request is written down as it came, with the time, and read only when
it is asked for: what the channels do meanwhile is taken from the machine that is measured.
"""

import asyncio
import contextlib
import itertools
import signal
import sys
import time
from typing import Final, Literal, NamedTuple, cast

import msgspec
import uvloop
from aiohttp import web

from bench.harness.http1 import Messages, message

Kind = Literal["webhook", "woocommerce"]
Conduct = Literal["answers", "hangs", "down"]
"""hangs: takes requests and never answers. down: refuses connections."""

_OK: Final = "HTTP/1.1 200 OK"


class Arrival(msgspec.Struct, frozen=True, array_like=True):
    """One request: when its last byte was there, in microseconds since 1970, and its (key, quantity)."""

    at_us: int
    items: list[tuple[int, int]]


class _Data(msgspec.Struct, frozen=True):
    key: str
    quantity: int


class _Event(msgspec.Struct, frozen=True):
    data: _Data


class _Row(msgspec.Struct, frozen=True):
    id: int
    stock_quantity: int


class _Batch(msgspec.Struct, frozen=True):
    update: list[_Row]


class _Noted(NamedTuple):
    at_us: int
    body: bytes


class Channel:
    """One simulated channel at a port of its own, which it keeps."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.conduct: Conduct = "answers"
        self.port = 0
        self.noted: list[_Noted] = []
        self.connections: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None

    async def behave(self, conduct: Conduct) -> None:
        """Behave so from now on. Connections that still wait for an answer are closed."""
        if conduct != self.conduct:
            for transport in list(self.connections):
                transport.abort()
        self.conduct = conduct
        if conduct == "down":
            self.close()
        elif self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def take(self, body: bytes) -> bytes | None:
        """Note a request; returns the answer, None where there will be none."""
        self.noted.append(_Noted(time.time_ns() // 1000, body))
        if self.conduct != "answers":
            return None
        # A shop answers an update with what it shows now: here, just what it was sent.
        return message(_OK, body if self.kind == "woocommerce" else b"{}")

    def arrivals(self) -> list[Arrival]:
        """Read what was noted."""
        return [Arrival(noted.at_us, self._items(noted.body)) for noted in self.noted]

    def _items(self, body: bytes) -> list[tuple[int, int]]:
        if self.kind == "woocommerce":
            return [(row.id, row.stock_quantity) for row in msgspec.json.decode(body, type=_Batch).update]
        events = msgspec.json.decode(body, type=list[_Event])
        return [(int(event.data.key.rpartition("-")[2]), event.data.quantity) for event in events]


class _Connection(asyncio.Protocol):
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._messages = Messages()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by its class
        self._channel.connections.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # why does not matter
        self._channel.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        for _, body in self._messages.feed(data):
            answer = self._channel.take(body)
            if answer is not None:
                self._transport.write(answer)


def controls(channels: dict[str, Channel]) -> web.Application:
    """Build what the bench asks the process."""

    async def ports(_: web.Request) -> web.Response:
        return web.json_response({name: channel.port for name, channel in channels.items()})

    async def behave(request: web.Request) -> web.Response:
        conduct = msgspec.convert(request.match_info["conduct"], Conduct)
        await channels[request.match_info["channel"]].behave(conduct)
        return web.json_response(time.time_ns() // 1000)

    async def arrived(request: web.Request) -> web.Response:
        wanted = request.query.getall("channel", list(channels))
        return web.Response(body=msgspec.msgpack.encode({name: channels[name].arrivals() for name in wanted}))

    async def forget(_: web.Request) -> web.Response:
        for channel in channels.values():
            channel.noted.clear()
        return web.json_response(None)

    app = web.Application()
    app.add_routes([web.get("/ports", ports), web.post("/channels/{channel}/{conduct}", behave)])
    app.add_routes([web.get("/arrivals", arrived), web.post("/forget", forget)])
    return app


async def serve(channels: dict[str, Channel]) -> None:
    """Be the channels until SIGTERM."""
    for channel in channels.values():
        await channel.behave("answers")
    runner = web.AppRunner(controls(channels), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print(f"channels at http://127.0.0.1:{runner.addresses[0][1]}", file=sys.stderr, flush=True)
    await stopped.wait()
    for transport in itertools.chain.from_iterable(list(channel.connections) for channel in channels.values()):
        transport.abort()
    await runner.cleanup()


def main() -> None:
    """Be the channels that are named on the command line."""
    named = (word.partition("=") for word in sys.argv[1:])
    channels = {name: Channel(msgspec.convert(kind, Kind)) for name, _, kind in named}
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(channels))


if __name__ == "__main__":
    main()
