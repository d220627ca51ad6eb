"""The connection of a change stream's caller: written to past aiohttp, and bounded in what the kernel holds of it."""

import asyncio
import socket
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

_KERNEL_BYTES: Final = 128 * 1024
"""What the kernel may hold of a stream, which it counts double. It would take megabytes for each that is not read."""


class ConnectionOutlet:
    """A caller's connection as an :class:`~server.streams.event_stream.Outlet`.

    aiohttp's writer would frame the same bytes anew for each stream.
    """

    def __init__(self, request: web.Request, response: web.StreamResponse, *, write_timeout_s: float) -> None:
        self._request = request
        self._connection: Any = request.protocol
        self._framed = response.headers.get("Transfer-Encoding") == "chunked"
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._transport = transport
        _bound_kernel(transport, write_timeout_s)

    def is_full(self) -> bool:
        """As :class:`Outlet` says."""
        return bool(self._connection.writing_paused)

    def write(self, chunk: bytes) -> None:
        """As :class:`Outlet` says; HTTP/1.0 has no frames."""
        if chunk and not self._transport.is_closing():
            self._transport.write(chunk if self._framed else chunk[chunk.index(b"\n") + 1 : -2])

    async def drained(self) -> None:
        """As :class:`Outlet` says."""
        await self._request.writer.drain()

    def abort(self) -> None:
        """As :class:`Outlet` says."""
        self._transport.abort()


def _bound_kernel(transport: asyncio.Transport, write_timeout_s: float) -> None:
    """Bound what the kernel holds of a stream, and how long: also of who is gone without a word."""
    connection = transport.get_extra_info("socket")
    with suppress(OSError, AttributeError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
        # Later than the stream's own deadline, which says what happened; this one sees what the kernel holds, too.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(2 * 1000 * write_timeout_s))
