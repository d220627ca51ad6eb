"""Listening: an application behind its front door, at one address, until a stop that loses no answer."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from aiohttp import web

from server.api.http.app_state import AppState
from server.api.http.front_door import Connection, FrontDoor
from server.api.http.kernel_buffers import bound_listener
from server.api.http.last_connections import let_nobody_new_in
from server.api.http.tls import Tls
from server.api.http.unread_answers import UnreadAnswers

log = structlog.get_logger("holdfast.http")

_QUIET_S: Final = 0.05
"""Nothing has been asked for so long: nobody who has connected is about to."""
_QUIET_S_MAX: Final = 1.0
"""How long to wait for that; the callers of an old connection may go on for ever."""
_GOODBYE_S: Final = 0.5
"""How long a caller has to answer the end of TLS."""
_CUT_S: Final = 0.05
"""What aiohttp is given to close what was cut off."""


class CannotListenError(Exception):
    """The address is taken, or is none of this machine; the message has the reason."""


class Serving:
    """Serves an application at an address, until it is stopped.

    Parameters
    ----------
    app
        What is served.
    connections_max, per_address_max, first_request_s
        As :class:`FrontDoor` has them.
    keepalive_timeout_s
        How long an idle connection is kept.
    write_timeout_s, unread_bytes_max
        How long, and how much, callers may leave unread.
    state
        Where it is noted that the server stops; None: the application needs not to know.
    connection
        Makes a connection, as :class:`FrontDoor` has it.
    tls
        The certificate that connections are shown; None: no TLS.

    """

    def __init__(
        self,
        app: web.Application,
        *,
        connections_max: int,
        per_address_max: int,
        first_request_s: float,
        keepalive_timeout_s: float,
        write_timeout_s: float,
        unread_bytes_max: int,
        state: AppState | None = None,
        connection: Callable[..., Connection] = Connection,
        tls: Tls | None = None,
    ) -> None:
        # A caller that hangs up does not cancel a write that is on its way.
        self._runner = web.AppRunner(
            app, handle_signals=False, access_log=None, shutdown_timeout=_CUT_S, handler_cancellation=False
        )
        self._bounds: dict[str, Any] = {
            "connections_max": connections_max,
            "per_address_max": per_address_max,
            "first_request_s": first_request_s,
            "connection": connection,
        }
        self._keepalive_timeout_s = keepalive_timeout_s
        self._of_tls: dict[str, Any] = {}
        if tls is not None:
            # A newcomer is one only behind its handshake, and has as long for that.
            limits = {"ssl_handshake_timeout": first_request_s, "ssl_shutdown_timeout": _GOODBYE_S}
            self._of_tls = {"ssl": tls.listening, **limits}
        self._state = state
        self._unread = UnreadAnswers(self._connections, timeout_s=write_timeout_s, bytes_max=unread_bytes_max)
        self._listening: asyncio.Server | None = None
        self._door: FrontDoor | None = None
        self._watching: list[asyncio.Task[None]] = []

    async def start(self, host: str, port: int, *, shares_port: bool) -> int:
        """Listen, and return the port. ``shares_port``: other processes listen at the same one.

        Raises
        ------
        CannotListenError
            The address is taken, or cannot be had.

        """
        await self._runner.setup()
        server: Any = self._runner.server
        self._door = door = FrontDoor(
            server,
            **self._bounds,
            access_log=None,
            keepalive_timeout=self._keepalive_timeout_s,
            # A small body that unpacks to gigabytes has no use here.
            auto_decompress=False,
        )
        try:
            self._listening = await asyncio.get_running_loop().create_server(
                door, host, port, reuse_port=shares_port or None, backlog=1024, **self._of_tls
            )
        except OSError as error:
            raise CannotListenError(f"Cannot listen on {host}:{port}: {error.strerror}.") from None
        for each in self._listening.sockets:
            bound_listener(each)
        self._watching = [
            asyncio.create_task(door.run(), name="front-door"),
            asyncio.create_task(self._unread.run(), name="unread-answers"),
        ]
        found: int = self._listening.sockets[0].getsockname()[1]
        return found

    async def stop(self, *, within_s: float = 1.0, notice_s: float = 0.0) -> None:
        """Tell callers to leave, close the port, answer what is in flight, and cut off what is left. May be repeated.

        During the notice everything is answered; each answer closes its connection, and ``/readyz`` is 503.
        """
        stop_at_s = asyncio.get_running_loop().time() + within_s
        if self._state is not None:
            self._state.stopping = True
        if notice_s > 0:
            await asyncio.sleep(min(notice_s, within_s / 2))
        if self._state is not None:
            self._state.drain()
        if self._door is not None:
            self._door.pace.hurry()
        if self._listening is not None:
            listening, self._listening = self._listening, None
            for each in listening.sockets:
                let_nobody_new_in(each.fileno())
            await self._quiet(min(_QUIET_S_MAX, within_s / 4))
            listening.close()
            await self._answer_in_flight(self._http, stop_at_s)
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await self._runner.cleanup()

    async def _quiet(self, within_s: float) -> None:
        """Wait until nobody asks any more: who has connected is let in, and asks in a moment."""
        before = -1
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._http.requests_count != before:
                    before = self._http.requests_count
                    await asyncio.sleep(_QUIET_S)

    async def _answer_in_flight(self, server: web.Server, stop_at_s: float) -> None:
        server.pre_shutdown()
        # aiohttp waits up to twice as long as it is told, once for the handler and once for its connection.
        with suppress(TimeoutError):
            async with asyncio.timeout_at(stop_at_s):
                await server.shutdown(max(_CUT_S, stop_at_s - asyncio.get_running_loop().time()))
        cut = [each.transport for each in server.connections if each.transport is not None]
        if cut:
            log.warning("drain_cut_off", connections=len(cut), advice="raise HOLDFAST_DRAIN_TIMEOUT_S if they need it")
        for transport in cut:
            transport.abort()

    @property
    def _http(self) -> web.Server:
        if self._runner.server is None:
            raise RuntimeError("the listener is not started")
        return self._runner.server

    def _connections(self) -> list[web.RequestHandler]:
        return self._http.connections
