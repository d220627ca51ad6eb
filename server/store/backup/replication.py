"""Asks a server for a snapshot of all that it has at one moment, as a replica does, over any connection to it.

The server forks, and its child sends the snapshot: sales go on meanwhile. ``rdb-only`` says that nothing is wanted
behind it. So the server never counts this as a replica that confirms writes.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from server.store.backup.packed_files import made_private
from server.store.connection.connect_errors import address, unavailable
from server.store.errors import BackupError, StoreError

_PIECE_BYTES: Final = 1024 * 1024
_SILENCE_S: Final = 60.0
"""While it waits to begin, a server sends a sign of life each second."""
_MARK: Final = b"$EOF:"
_HANDSHAKE: Final = (("REPLCONF", "rdb-only", "1"), ("REPLCONF", "capa", "eof"))

Progress = Callable[[int], None]
"""Is told how many bytes have come."""


async def receive_snapshot(node: Redis, path: Path, progress: Progress) -> None:
    """Have a server send a snapshot, and write it to a file that is not there yet.

    Raises
    ------
    StoreUnavailableError
        It cannot be reached, or went away meanwhile.
    BackupError
        It refuses.

    """
    where = address(node.connection_pool)
    connection: Any = node.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    try:
        await connection.connect()
        for words in _HANDSHAKE:
            await connection.send_command(*words)
            await connection.read_response()
        # From here on no answer is one that the client knows how to read.
        reader, writer = connection._reader, connection._writer  # noqa: SLF001  # tests/store/backup holds on to them
        writer.write(b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n")
        await writer.drain()
        await _receive(reader, path, progress, where)
    except RedisError as error:
        raise _refused(where, str(error)) if _is_refusal(error) else unavailable(error, where) from error
    except (OSError, EOFError, TimeoutError) as error:
        raise unavailable(error if isinstance(error, OSError) else OSError(_WENT_AWAY), where) from error
    finally:
        await connection.disconnect(nowait=True)


_WENT_AWAY: Final = "it ended the connection while it sent the snapshot; its log says why"


async def _receive(reader: asyncio.StreamReader, path: Path, progress: Progress, where: str) -> None:
    head = await _head(reader, where)
    mark = head[len(_MARK) :] if head.startswith(_MARK) else b""
    left = -1 if mark else int(head[1:])
    with made_private(path) as file:
        tail, received = b"", 0
        while left:
            async with asyncio.timeout(_SILENCE_S):
                piece = await reader.read(_PIECE_BYTES if left < 0 else min(_PIECE_BYTES, left))
            if not piece:
                raise EOFError
            received += len(piece)
            progress(received)
            if left > 0:
                left -= len(piece)
                file.write(piece)
                continue
            # The mark may come in two pieces; it is no part of the snapshot, and nothing stands behind it.
            piece = tail + piece
            if piece.endswith(mark):
                file.write(piece[: -len(mark)])
                return
            keep = min(len(mark), len(piece))
            file.write(piece[: len(piece) - keep])
            tail = piece[len(piece) - keep :]


async def _head(reader: asyncio.StreamReader, where: str) -> bytes:
    """Read up to the line that says how long the snapshot is, or with what it ends."""
    while True:
        async with asyncio.timeout(_SILENCE_S):
            line = await reader.readline()
        if not line:
            raise EOFError
        line = line.strip()
        if line.startswith(b"-"):
            raise _refused(where, line[1:].decode("utf-8", "replace"))
        if line.startswith(b"$"):
            return line


def _is_refusal(error: RedisError) -> bool:
    text = str(error)
    return any(word in text for word in ("permissions", "NOPERM", "unknown command", "Unrecognized"))


def _refused(where: str, reason: str) -> StoreError:
    return BackupError(
        f"The store at {where} sends no snapshot ({reason}). Allow its user the commands PSYNC and REPLCONF, or where a"
        " provider allows nobody these, use the provider's own snapshots."
    )
