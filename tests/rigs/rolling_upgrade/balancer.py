"""A load balancer of the smallest kind, within the callers' process: who is ready gets the requests in turn.

It does what those in use do: it asks each server for its readiness, and if a connection is refused, so that nothing was
sent, it takes the next server. It never sends anything a second time that may have arrived.
"""

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Self

import aiohttp
import msgspec
from yarl import URL

from tests.rigs.rolling_upgrade.records import Ask, Reply
from tests.rigs.rolling_upgrade.servers import Server

READY_EVERY_S: Final = 0.1
READY_TIMEOUT_S: Final = 2.0
ANSWER_S: Final = 30.0
"""How long an answer is waited for: far beyond every deadline of the server's own."""
CONNECTIONS_MAX: Final = 200


class LostError(Exception):
    """It was sent, or may have been, and no answer came."""


class NobodyReadyError(Exception):
    """No server that may answer is in rotation."""


@dataclass
class Backend:
    """One server as the balancer knows it."""

    server: Server
    ready: bool = False
    leaving: bool = False

    @property
    def release(self) -> str:
        return self.server.release.name


@dataclass
class Balancer:
    """``phase`` is what requests are counted under. ``asked`` counts answers by (phase, release)."""

    phase: str = ""
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    slowest_s: dict[str, float] = field(default_factory=dict)
    retried_on_connect: Counter[str] = field(default_factory=Counter)
    by_server: Counter[str] = field(default_factory=Counter)
    _backends: list[Backend] = field(default_factory=list)
    _turn: int = 0

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=ANSWER_S))
        # By itself the client would send a PUT again whose connection broke; whether that is safe is what is tried.
        self._session._retry_connection = False
        self._watch = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watch
        await self._session.close()

    async def add(self, server: Server) -> None:
        """Let a server take part, and wait until it says that it is ready."""
        backend = Backend(server)
        async with asyncio.timeout(ANSWER_S):
            while not await self._is_ready(server):
                await asyncio.sleep(READY_EVERY_S)
        backend.ready = True
        self._backends.append(backend)

    def take_out(self, server: Server) -> None:
        """Send a server nothing new from now on, as before a planned stop."""
        for backend in self._backends:
            if backend.server is server:
                backend.leaving = True

    def remove(self, server: Server) -> None:
        """Forget a server that has ended."""
        self._backends = [backend for backend in self._backends if backend.server is not server]

    def releases(self) -> set[str]:
        """Name the releases that have a server in rotation."""
        return {backend.release for backend in self._in_rotation()}

    def other(self, release: str) -> str:
        """Name a release in rotation that is not this one; empty where there is none."""
        return next(iter(self.releases() - {release}), "")

    async def send(self, ask: Ask, release: str = "") -> Reply:
        """Send a request to whose turn it is, of one release or of any.

        Raises
        ------
        LostError
            It may have arrived, and no answer came.
        NobodyReadyError
            No server that may answer is in rotation.

        """
        refused: list[Backend] = []
        while True:
            backend = self._next(release, refused)
            try:
                return await self._send(ask, backend)
            except aiohttp.ClientConnectorError:
                # Refused: nothing has left. It is out of rotation until it says again that it is ready.
                backend.ready = False
                refused.append(backend)
                self.retried_on_connect[self.phase] += 1
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise LostError(f"{backend.server.name}: {type(error).__name__} {error}") from None

    async def _send(self, ask: Ask, backend: Backend) -> Reply:
        began_s = time.monotonic()
        phase = self.phase
        async with self._session.request(
            ask.method,
            URL(backend.server.url + ask.path, encoded=True),
            data=msgspec.json.encode(ask.body) if ask.body is not None else None,
            headers={"Content-Type": "application/json"} | ({"Idempotency-Key": ask.key} if ask.key else {}),
        ) as response:
            raw = await response.read()
            replayed = response.headers.get("Idempotent-Replayed") == "true"
            status = response.status
        took_s = time.monotonic() - began_s
        self.asked[phase, backend.release] += 1
        self.by_server[backend.server.name] += 1
        self.slowest_s[phase] = max(took_s, self.slowest_s.get(phase, 0.0))
        body = msgspec.json.decode(raw) if raw else None
        return Reply(status, body, replayed, backend.server.name, backend.release, took_s)

    def _in_rotation(self) -> list[Backend]:
        return [backend for backend in self._backends if backend.ready and not backend.leaving]

    def _next(self, release: str, refused: list[Backend]) -> Backend:
        found = [
            backend for backend in self._in_rotation() if backend not in refused and release in ("", backend.release)
        ]
        if not found:
            raise NobodyReadyError(release or "any release")
        self._turn += 1
        return found[self._turn % len(found)]

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(READY_EVERY_S)
            for backend in list(self._backends):
                backend.ready = await self._is_ready(backend.server)

    async def _is_ready(self, server: Server) -> bool:
        # Not over the requests' session: a probe opens a connection each time, as probes do.
        timeout = aiohttp.ClientTimeout(total=READY_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(server.url + "/readyz") as response,
            ):
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False
