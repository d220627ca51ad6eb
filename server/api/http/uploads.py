"""Files that are sent: a raw body or one part of a form, read piece by piece, within limits of each and of all."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from server.domain.limits import FILE_BYTES_MAX
from server.schemas.problems import Problem
from server.service.checks import InvalidError
from server.service.problems import ProblemError, problem

ARRIVAL_S: Final = 60.0
"""How long a file may take to arrive."""
ALL_BYTES_MAX: Final = 4 * FILE_BYTES_MAX
"""Of the files that a process has in its hands at once."""
PARTITION_BYTES_MAX: Final = 2 * FILE_BYTES_MAX
"""Of those, what one partition may have: the file that is worked on, and one that arrives."""
AT_ONCE: Final = 2
"""Files that a process reads, looks at or applies at once, of different partitions."""
_WAIT_S: Final = 30.0
_PIECE_BYTES: Final = 64 * 1024
_PARTS_MAX: Final = 16
_PLAIN: Final = frozenset({"", "binary", "8bit", "7bit"})


class Upload(NamedTuple):
    """A file as it was sent; ``name`` empty: it had none."""

    name: str
    content: bytes


class FileTurns:
    """Who works on a file now: one of a partition at a time, and few in all, so that no tenant waits for another."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(AT_ONCE)
        self._busy: set[str] = set()
        self.bytes = 0
        self._of: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, partition: str) -> AsyncIterator[None]:
        """Wait for a turn.

        Raises
        ------
        ProblemError
            The partition has a file in work, or none came in time. Nothing happened.

        """
        if partition in self._busy:
            raise ProblemError(problem("overloaded", "Another file is being worked on. Send this one again then."))
        self._busy.add(partition)
        try:
            try:
                async with asyncio.timeout(_WAIT_S):
                    await self._all.acquire()
            except TimeoutError:
                raise ProblemError(problem("overloaded")) from None
            try:
                yield
            finally:
                self._all.release()
        finally:
            self._busy.discard(partition)

    @asynccontextmanager
    async def received(self, request: web.Request, partition: str) -> AsyncIterator[Upload]:
        """Read the file of a request to a partition, and hold it while the block runs.

        Raises
        ------
        ProblemError
            It is too large, does not arrive in time, is not framed as its headers say, or all of them are too large.
        InvalidError
            It is a form without a file, or with parts that cannot be read.

        """
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise ProblemError(problem("unsupported_media_type", "Send the file as it is, without compression."))
        if (request.content_length or 0) > FILE_BYTES_MAX + _PIECE_BYTES:
            raise ProblemError(_too_large())
        held = [0]
        try:
            yield await self._read(request, partition, held)
        finally:
            self.bytes -= held[0]
            self._of[partition] -= held[0]
            if not self._of[partition]:
                del self._of[partition]

    async def _read(self, request: web.Request, partition: str, held: list[int]) -> Upload:
        """Read a file; ``held``: how many bytes of it are in memory."""
        parts = bytearray()
        try:
            async with asyncio.timeout(ARRIVAL_S):
                name, pieces = await _pieces(request)
                async for piece in pieces:
                    parts += piece
                    held[0] += len(piece)
                    self.bytes += len(piece)
                    self._of[partition] += len(piece)
                    if len(parts) > FILE_BYTES_MAX:
                        raise ProblemError(_too_large())
                    if self.bytes > ALL_BYTES_MAX or self._of[partition] > PARTITION_BYTES_MAX:
                        raise ProblemError(problem("overloaded"))
        except (TimeoutError, ConnectionError):
            raise ProblemError(problem("request_timeout")) from None
        except HttpProcessingError as error:
            raise ProblemError(problem("malformed", " ".join(error.message.split()))) from None
        return Upload(name, bytes(parts))


async def _pieces(request: web.Request) -> tuple[str, AsyncIterator[bytes]]:
    """Find the file in a request: its name, and its pieces as they arrive."""
    if not request.content_type.startswith("multipart/"):
        return "", _of_body(request)
    try:
        form = await request.multipart()
        for _ in range(_PARTS_MAX):
            part = await form.next()
            if part is None:
                break
            if isinstance(part, BodyPartReader) and (part.name == "file" or part.filename):
                if part.headers.get("Content-Transfer-Encoding", "").lower() not in _PLAIN:
                    raise InvalidError("file", "must be sent as it is, not in base64 or quoted-printable")
                return part.filename or "", _of_part(part)
            await _skipped(part)
    except (ValueError, AssertionError, KeyError, LookupError):
        raise InvalidError("body", "is not multipart/form-data as its Content-Type says") from None
    raise InvalidError("file", "is missing: send it as the part `file` of the form, or as the whole body")


async def _skipped(part: object) -> None:
    if not isinstance(part, BodyPartReader):
        raise InvalidError("body", "must not have forms within the form")
    size = 0
    while piece := await part.read_chunk(_PIECE_BYTES):
        size += len(piece)
        if size > _PIECE_BYTES:
            raise ProblemError(_too_large())


async def _of_body(request: web.Request) -> AsyncIterator[bytes]:
    while piece := await request.content.readany():
        yield piece


async def _of_part(part: BodyPartReader) -> AsyncIterator[bytes]:
    try:
        while piece := await part.read_chunk(_PIECE_BYTES):
            yield piece
    except (ValueError, AssertionError, KeyError):
        raise InvalidError("body", "is not multipart/form-data as its Content-Type says") from None


def _too_large() -> Problem:
    return problem("too_large", f"The file may have at most {FILE_BYTES_MAX:,} bytes. Cut it into several.")
