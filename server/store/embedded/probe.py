"""The state of a store at a socket: absent, silent, loading, or ready."""

import asyncio
import os
import socket
from enum import Enum
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
from redis.exceptions import RedisError

from server.store.connection.connect import client, connection_pool

_ANSWER_S: Final = 1.0


class Presence(Enum):
    """The state of a store."""

    NOBODY = "no process listens"
    SILENT = "something listens and does not answer"
    LOADING = "it loads its data"
    READY = "it serves"


class Found(msgspec.Struct, frozen=True):
    """One look at a socket. All but ``presence`` is known only when the store answered."""

    presence: Presence
    pid: int = 0
    directory: str = ""
    loaded_percent: float = 0.0
    loading_eta_s: int = 0
    version: str = ""
    executable: str = ""
    allocator: str = ""
    """What it was built with."""


def socket_url(path: Path) -> str:
    """Write the URL of a store at a unix socket."""
    return f"unix://{quote(os.fspath(path))}"


def listening(path: Path) -> bool:
    """Whether a process accepts connections at the socket; a file left by a dead one does not count."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except OSError:
            return True  # its queue is full (alive and busy), or it is another user's: either way not free
    return True


async def look(path: Path) -> Found:
    """Look once, for at most a second."""
    if not listening(path):
        return Found(Presence.NOBODY)
    pool = connection_pool(socket_url(path))
    try:
        async with asyncio.timeout(_ANSWER_S):
            store: Any = client(pool)
            info: dict[str, Any] = await store.info()
            # As two words redis-py leaves the answer as bytes: a path need not be UTF-8.
            directory: list[bytes] = await store.execute_command("CONFIG", "GET", "dir")
    except (RedisError, OSError):  # TimeoutError is an OSError
        return Found(Presence.SILENT)
    finally:
        await pool.aclose()
    return Found(
        Presence.LOADING if int(info.get("loading", 0)) else Presence.READY,
        int(info["process_id"]),
        os.fsdecode(directory[1]),
        float(str(info.get("loading_loaded_perc", 0)).rstrip("%")),
        int(info.get("loading_eta_seconds", 0)),
        _version(info),
        str(info.get("executable", "")),
        str(info.get("mem_allocator", "")),
    )


def _version(info: dict[str, Any]) -> str:
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info.get('redis_version', '')}"


async def configure(path: Path, settings: dict[str, str]) -> None:
    """Set settings of a running store.

    Raises
    ------
    redis.exceptions.RedisError
        It refused, or went away.

    """
    pool = connection_pool(socket_url(path))
    try:
        async with asyncio.timeout(_ANSWER_S * 10):
            words = [word for pair in settings.items() for word in pair]
            store: Any = client(pool)
            await store.execute_command("CONFIG SET", *words)
    finally:
        await pool.aclose()
