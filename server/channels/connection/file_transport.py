"""A transport that reads one file of this machine, too: the one that the options of a source name."""

import asyncio
import os
import stat
from collections.abc import Collection
from email.utils import formatdate
from typing import Final
from urllib.parse import unquote

from adapters.contract.errors import NotSentError, UnavailableError
from adapters.contract.http import Answer, Request
from server.channels.connection.http_transport import ANSWER_BYTES_MAX, TIMEOUT_S, Transport

SCHEME: Final = "file://"
_OK: Final = 200
_CHUNK: Final = 1024 * 1024


class FileTransport(Transport):
    """Sends requests as any transport does, and answers those for its one ``file`` with that, as a server would.

    Any other path is refused: an address that came from outside must not open files of this machine.
    """

    def __init__(self, file: str, *, allow_private: Collection[str] = (), timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(allow_private=allow_private, timeout_s=timeout_s)
        self._file = file

    async def send(self, request: Request) -> Answer:
        """Read the file that a request names, or send the request; raises as :meth:`Transport.send` does."""
        if not request.url.startswith(SCHEME):
            return await super().send(request)
        path = unquote(request.url.removeprefix(SCHEME))
        if path != self._file:
            raise NotSentError("only the file that the configuration names is read")
        return await asyncio.to_thread(_answer, path, request.answer_bytes_max or ANSWER_BYTES_MAX)


def _answer(path: str, bytes_max: int) -> Answer:
    try:
        body, changed_s = _read(path, bytes_max)
    except (OSError, ValueError) as error:
        raise NotSentError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not a path'}") from None
    return Answer(_OK, {"last-modified": formatdate(changed_s, usegmt=True)}, body)


def _read(path: str, bytes_max: int) -> tuple[bytes, float]:
    """Read a regular file that stays as it is meanwhile. A pipe or a device would be waited for."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise NotSentError(f"{path} is no file")
        body = bytearray()
        while chunk := file.read(_CHUNK):
            body += chunk
            if len(body) > bytes_max:
                raise UnavailableError(f"{path} has more than {bytes_max} bytes")
        after = os.fstat(file.fileno())
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size) or len(body) != after.st_size:
        raise UnavailableError(f"{path} was written while it was read")
    return bytes(body), before.st_mtime
