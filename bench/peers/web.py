"""Plain requests to a peer: one at a time to prepare it, or many at once that may be refused."""

import asyncio
import urllib.request
from collections.abc import Callable
from typing import Final

import aiohttp
import msgspec

from bench.harness.load import LoadError
from bench.peers.base import Ask

_TIMEOUT_S: Final = 60.0
_REFUSED: Final = (400, 409)
"""How peers say that there is not enough."""


def call(url: str, body: object = None, token: str = "") -> bytes:
    """Get, or post a body; anything but a success is an error."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else msgspec.json.encode(body)
    request = urllib.request.Request(url, data, headers)  # noqa: S310  # ours
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
        answer: bytes = response.read()
    return answer


def ask_at_once(url: str, ask: Callable[[], Ask], requests: int, connections: int, *, may_fail: bool = False) -> int:
    """Make so many requests over so many connections; returns how many were granted.

    Raises
    ------
    LoadError
        An answer was neither a success nor a refusal, and not ``may_fail``.

    """
    return asyncio.run(_ask_at_once(url, ask, requests, connections, may_fail=may_fail))


async def _ask_at_once(url: str, ask: Callable[[], Ask], requests: int, connections: int, *, may_fail: bool) -> int:
    granted, left = 0, requests

    async def caller(session: aiohttp.ClientSession) -> None:
        nonlocal granted, left
        while left:
            left -= 1
            path, body, headers = ask()
            async with session.post(url + path, json=body, headers=headers) as response:
                said = await response.text()
            if response.status >= 300 and response.status not in _REFUSED and not may_fail:
                raise LoadError(f"{url}{path}: {response.status} {said[:300]}")
            granted += response.status < 300

    connector, timeout = aiohttp.TCPConnector(limit=connections), aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await asyncio.gather(*(caller(session) for _ in range(connections)))
    return granted
