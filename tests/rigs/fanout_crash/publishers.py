"""Publisher processes: who of them acts, by its own word."""

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

import aiohttp

from tests.support.http import Server

LEASE_S: Final = 1
_ACTIVE: Final = re.compile(r"^holdfast_publisher_active(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


def publisher(store_url: str, toml: str, environment: Mapping[str, str], *, lease_s: float = LEASE_S) -> Server:
    """Make a publisher process, not yet started."""
    return Server(toml=toml, environment=environment, store_url=store_url, role="publisher", publisher_lease_s=lease_s)


async def acts(server: Server) -> bool:
    """Ask a process whether it publishes; one that does not answer does not."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(server.url + "/metrics") as response,
        ):
            found = _ACTIVE.search(await response.text())
    except (aiohttp.ClientError, TimeoutError):
        return False
    return found is not None and float(found[1]) > 0


async def acting(servers: Sequence[Server]) -> list[Server]:
    """Pick those that say they publish."""
    answers = await asyncio.gather(*map(acts, servers))
    return [server for server, answer in zip(servers, answers, strict=True) if answer]


async def start(server: Server) -> None:
    """Start a process while this one goes on serving what it asks.

    On a new port each time: no client has to find it, and a connection may have taken the old one meanwhile.
    """
    server.port = 0
    await asyncio.to_thread(server.start)


def end(server: Server) -> None:
    """End a process at once, also one that is paused or has not started, and remove its files.

    In order it could not end: what it would wait for is served by the thread that waits here.
    """
    with contextlib.suppress(AssertionError):
        server.kill()
    server.close()
