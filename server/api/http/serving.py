"""Listening: an application behind its front door, at one address."""

import asyncio
from typing import Any

from aiohttp import web

from server.api.http.front_door import FrontDoor


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
    drain_timeout_s
        How long a stop waits for requests in flight.

    """

    def __init__(
        self,
        app: web.Application,
        *,
        connections_max: int,
        per_address_max: int,
        first_request_s: float,
        keepalive_timeout_s: float,
        drain_timeout_s: float,
    ) -> None:
        # A caller that hangs up does not cancel a write that is on its way.
        self._runner = web.AppRunner(
            app, handle_signals=False, access_log=None, shutdown_timeout=drain_timeout_s, handler_cancellation=False
        )
        self._bounds: dict[str, Any] = {
            "connections_max": connections_max,
            "per_address_max": per_address_max,
            "first_request_s": first_request_s,
        }
        self._keepalive_timeout_s = keepalive_timeout_s
        self._listening: asyncio.AbstractServer | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int, *, shares_port: bool) -> int:
        """Listen, and return the port. ``shares_port``: other processes listen at the same one.

        Raises
        ------
        CannotListenError
            The address is taken, or cannot be had.

        """
        await self._runner.setup()
        server: Any = self._runner.server
        door = FrontDoor(
            server,
            **self._bounds,
            access_log=None,
            keepalive_timeout=self._keepalive_timeout_s,
            # A small body that unpacks to gigabytes has no use here.
            auto_decompress=False,
        )
        try:
            self._listening = await asyncio.get_running_loop().create_server(
                door, host, port, reuse_port=shares_port or None, backlog=1024
            )
        except OSError as error:
            raise CannotListenError(f"Cannot listen on {host}:{port}: {error.strerror}.") from None
        self._watching = asyncio.create_task(door.run(), name="front-door")
        found: int = self._listening.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Take no new connections, answer what is in flight, close the others."""
        if self._listening is not None:
            self._listening.close()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._runner.cleanup()
