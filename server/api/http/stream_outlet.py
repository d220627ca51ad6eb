"""The connection of a change stream's caller: written to past aiohttp, and bounded in what the kernel holds of it."""

from typing import Any

from aiohttp import web

from server.api.http.kernel_buffers import bound_stream, unreceived_bytes


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
        self._socket = transport.get_extra_info("socket")
        self._written = 0
        # Later than the stream's own deadline, which says what happened.
        bound_stream(self._socket, gone_after_s=2 * write_timeout_s)

    def is_full(self) -> bool:
        """As :class:`Outlet` says."""
        return bool(self._connection.writing_paused)

    def write(self, chunk: bytes) -> None:
        """As :class:`Outlet` says; HTTP/1.0 has no frames."""
        if chunk and not self._transport.is_closing():
            sent = chunk if self._framed else chunk[chunk.index(b"\n") + 1 : -2]
            self._written += len(sent)
            self._transport.write(sent)

    def waiting(self) -> tuple[int, int]:
        """As :class:`Outlet` says."""
        if self._transport.is_closing():
            return 0, self._written
        unread = self._transport.get_write_buffer_size() + unreceived_bytes(self._socket)
        return unread, self._written - unread

    async def drained(self) -> None:
        """As :class:`Outlet` says."""
        await self._request.writer.drain()

    def abort(self) -> None:
        """As :class:`Outlet` says."""
        self._transport.abort()
