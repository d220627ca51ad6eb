"""What all simulated channels share: a real socket, what the channel shows, and the ways in which it misbehaves.

A simulator is strict: what its contract does not allow is an error there, as it would be on the real channel, and
``complaints`` then contains what was wrong with the request.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from aiohttp import web

Fault = Literal[
    "throttled",  # 429
    "throttled_with_retry_after",  # 429, Retry-After: 1
    "failing",  # 500
    "unavailable",  # 503, Retry-After: 1
    "not_json",  # 200 with an HTML page, nothing done
    "unauthorized",  # 401
    "moved",  # 302 to somewhere else
    "reset",  # the connection is closed before anything is done
    "reset_after",  # everything is done, then the connection is closed without an answer
    "silent",  # no answer and nothing done
    "silent_after",  # everything is done and no answer comes
    "lying",  # answered as if done, nothing done
]

PAGE: Final = "<html><body>Bad gateway, please try again</body></html>"

_HTML: Final = {"Content-Type": "text/html"}
_EARLY: Final[dict[Fault, tuple[int, str, dict[str, str]]]] = {
    "throttled": (429, "Too many requests", {}),
    "throttled_with_retry_after": (429, "Too many requests", {"Retry-After": "1"}),
    "failing": (500, PAGE, _HTML),
    "unavailable": (503, PAGE, {**_HTML, "Retry-After": "1"}),
    "not_json": (200, PAGE, _HTML),
    "unauthorized": (401, '{"message":"who are you"}', {"Content-Type": "application/json"}),
}
"""What is answered in place of the channel's own answer."""


@dataclass
class Received:
    """One request as it came in; ``at_s`` on the event loop's clock."""

    at_s: float
    method: str
    path: str
    body: bytes


@dataclass
class Simulator(ABC):
    """A channel on 127.0.0.1. ``shown`` is what its buyers see, ``applied`` every value in the order it took effect.

    ``faults`` are worked off one per request; ``always`` is what every request gets after those. ``answer_s`` delays
    each answer. ``only`` limits faults to requests whose path contains it.
    """

    shown: dict[str, int] = field(default_factory=dict)
    prices: dict[str, str] = field(default_factory=dict)
    applied: list[tuple[str, int]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    always: Fault | None = None
    only: str = ""
    answer_s: float = 0.0
    lying: bool = False
    port: int = 0

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """The channel's routes; handlers call :meth:`show` for what takes effect."""

    def stock(self, *keys: str, quantity: int = 0) -> None:
        """Make products known to the channel."""
        self.shown.update(dict.fromkeys(keys, quantity))

    def show(self, key: str, quantity: int, price: str | None = None) -> None:
        """Let a value take effect, unless the channel is lying just now."""
        if self.lying:
            return
        self.shown[key] = quantity
        self.applied.append((key, quantity))
        if price is not None:
            self.prices[key] = price

    def sell(self, key: str, units: int = 1) -> None:
        """Let a buyer order here: the channel takes the units off its own number, as far as they are there."""
        self.shown[key] = max(0, self.shown[key] - units)

    def complain(self, what: str) -> None:
        """Note that a request broke the contract."""
        self.complaints.append(what)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> Self:
        app = web.Application(middlewares=[self._misbehave], client_max_size=64 * 1024 * 1024)
        app.add_routes(self.routes())
        self._gone = asyncio.Event()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        """Close the socket; :meth:`start` opens it again at the same port, with all that the channel knows."""
        self._gone.set()
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Any) -> web.StreamResponse:
        body = await request.read()
        self.received.append(Received(asyncio.get_running_loop().time(), request.method, request.path, body))
        fault = self._next_fault(request.path)
        if self.answer_s:
            await asyncio.sleep(self.answer_s)
        early = self._early(fault)
        if early is not None:
            return early
        if fault == "silent":
            await self._gone.wait()
        if fault in ("reset", "silent"):
            return self._hang_up(request)
        was_lying, self.lying = self.lying, self.lying or fault == "lying"
        try:
            answer: web.StreamResponse = await handler(request)
        finally:
            self.lying = was_lying
        if fault == "silent_after":
            await self._gone.wait()
        return self._hang_up(request) if fault in ("reset_after", "silent_after") else answer

    def _next_fault(self, path: str) -> Fault | None:
        if self.only not in path:
            return None
        return self.faults.popleft() if self.faults else self.always

    def _early(self, fault: Fault | None) -> web.Response | None:
        if fault == "moved":
            return web.Response(status=302, headers={"Location": f"{self.url}/elsewhere"})
        answer = _EARLY.get(fault) if fault is not None else None
        if answer is None:
            return None
        status, text, headers = answer
        return web.Response(status=status, text=text, headers=headers)

    def _hang_up(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
