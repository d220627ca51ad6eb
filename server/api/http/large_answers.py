"""Answers that are written in pieces, so that a slow caller's is in memory once."""

from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.hdrs import METH_HEAD

from server.telemetry.unsent_answers import PENDING

PIECE_BYTES: Final = 64 * 1024
"""A longer answer is written in pieces of this size."""


class LargeAnswer(web.Response):
    """An answer that is written in pieces, each when the one before has left, so that it is in memory once.

    aiohttp would hand all of it to the transport, which keeps a copy until the caller has read it.
    """

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Note the connection that it goes to."""
        self._connection = request.protocol
        self._has_body = request.method != METH_HEAD
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002  # aiohttp's signature
        """Write the body, a piece at a time."""
        body = memoryview(self.body if isinstance(self.body, bytes) and self._has_body else b"")
        try:
            for start in range(0, len(body), PIECE_BYTES):
                PENDING.set(self._connection, len(body) - start)
                await self.write(body[start : start + PIECE_BYTES])
            await web.StreamResponse.write_eof(self)
        finally:
            PENDING.set(self._connection, 0)
