"""The front door: who has no key, who names another host, and who says nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from tests.rigs.neighbours.ground import ATTACKER, Ground, Measured, opened_ground
from tests.rigs.neighbours.loader import Load
from tests.rigs.neighbours.registry import Checked, Functional, Pace, Row, Timed
from tests.support.http import Server, opened
from tests.support.stores import free_port

SCRAPERS: Final = 8
IDLE: Final = 1_000
FEW_FILES: Final = ("sh", "-c", 'ulimit -n 1024 && exec "$@"', "sh")
"""Words in front of a command that gives it 1,024 files."""
_STOCK: Final = b'{"movements":[{"kind":"receive","sku":"planted","quantity":1}]}'


class Metrics(Timed):
    """Many who ask for /metrics."""

    name = "metrics"
    does = "8 connections that ask for /metrics: without a key, with one, and on a port of its own"
    variants = ("keyless", "with-a-key", "own-port")

    @asynccontextmanager
    async def ground(self, variant: str, pace: Pace) -> AsyncIterator[Ground]:  # noqa: ARG002  # as the others have it
        self._port = free_port() if variant == "own-port" else 0
        async with opened_ground(metrics_port=self._port) as ground:
            yield ground

    def loads(self, ground: Ground, variant: str) -> Sequence[Load]:
        token = ATTACKER.token if variant == "with-a-key" else ""
        load = ground.load("ask", SCRAPERS, "GET /metrics", token=token)
        load.port = self._port or load.port
        return [load]

    async def failures(self, ground: Ground, variant: str, done: Measured) -> list[str]:  # noqa: ARG002  # as the others
        wanted = "401" if variant == "keyless" else "200"
        others = {status: count for status, count in done.attack[0].statuses.items() if status != wanted}
        return [f"answers besides {wanted}: {others}"] if others else []


class Idle(Timed):
    """A thousand connections where there are 1,024 files."""

    name = "idle"
    does = "1,000 keyless idle connections at 1,024 open files: nobody is shut out, and the log says so"
    variants = ("say-nothing", "half-a-head", "refused-again-and-again")

    @asynccontextmanager
    async def ground(self, variant: str, pace: Pace) -> AsyncIterator[Ground]:  # noqa: ARG002  # as the others have it
        async with opened_ground(prefix=FEW_FILES) as ground:
            yield ground

    def loads(self, ground: Ground, variant: str) -> Sequence[Load]:
        if variant == "refused-again-and-again":
            return [ground.load("ask", IDLE // 4, "GET /v1/locations", token="")]
        line = "" if variant == "say-nothing" else "GET /v1/locations"
        return [ground.load("hold", IDLE, line, token="", half=variant == "half-a-head")]

    async def failures(self, ground: Ground, variant: str, done: Measured) -> list[str]:  # noqa: ARG002  # as the others
        said = ground.server.stderr
        if variant != "refused-again-and-again" and "connections_limit_met" not in said:
            return ["the log does not say that the limit of connections was met"]
        return []


class Foreign(Functional):
    """Requests to a server without keys that do not come from programs of its machine."""

    name = "foreign"
    does = "a keyless server, a foreign Host, Origin or proxy: PUT, GET and POST are refused, and nothing changes"
    variants = ("host-and-origin", "proxy-headers", "names-that-look-alike")
    headers: Final = {
        "host-and-origin": (
            ("Host: evil.example",),
            ("Host: 127.0.0.1", "Origin: http://evil.example"),
            ("Host: localhost", "Origin: null"),
        ),
        "proxy-headers": (
            ("Host: 127.0.0.1", "X-Forwarded-For: 203.0.113.9"),
            ("Host: 127.0.0.1", "Forwarded: for=203.0.113.9"),
            ("Host: 127.0.0.1", "Sec-Fetch-Site: cross-site"),
        ),
        "names-that-look-alike": (
            ("Host: localhost.evil.example",),
            ("Host: 127.0.0.1.evil.example",),
            ("Host: 127.0.0.1", "Origin: http://localhost.evil.example"),
        ),
    }

    async def check(self, variant: str, pace: Pace) -> Checked:  # noqa: ARG002  # it is short already
        server, found = Server(), []
        try:
            await asyncio.to_thread(server.start)
            async with opened(server) as api:
                before = (await api.get("/v1/reservations")).raw
                for headers in self.headers[variant]:
                    for line in ("GET /v1/locations", "PUT /v1/locations/evil", "POST /v1/stock/movements"):
                        body = b"" if line.startswith("GET") else b"{}" if line.startswith("PUT") else _STOCK
                        status = await _asked(server, line, headers, body)
                        found += [f"{line} with {', '.join(headers)}: {status}"] if status != 403 else []
                assert (await api.get("/v1/reservations")).raw == before
                locations = (await api.get("/v1/locations")).raw
                planted = (await api.get("/v1/stock/planted")).status
                found += ["a location was planted"] if b"evil" in locations else []
                found += ["stock was planted"] if planted == 200 else []
        finally:
            server.close()
        return Checked(found)


async def _asked(server: Server, line: str, headers: Sequence[str], body: bytes) -> int:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    lines = [f"{line} HTTP/1.1", *headers, "Content-Type: application/json", f"Content-Length: {len(body)}"]
    try:
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()


ROWS: Final[tuple[Row, ...]] = (Metrics(), Idle(), Foreign())
