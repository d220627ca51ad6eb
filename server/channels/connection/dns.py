"""Looks up hosts' addresses in a thread for each lookup, so that one slow name server delays no other lookup.

The event loop's own lookups share a handful of threads: a few channels whose names hang would stop the lookups of all
others, and of everything else in the process that resolves a name.
"""

import asyncio
import contextlib
import socket
import threading
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

AddressInfo = tuple[Any, ...]


class SystemDns(AbstractResolver):
    """The system's name resolution. aiohttp asks once for a host at a time, so a host that hangs costs one thread."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host, with a port. Raises OSError where there are none."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[AddressInfo]] = loop.create_future()

        def look_up() -> None:
            outcome: list[AddressInfo] | Exception
            try:
                flags = socket.AI_ADDRCONFIG
                outcome = list(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags))
            except (OSError, UnicodeError) as error:
                outcome = error if isinstance(error, OSError) else OSError(f"no name that can be looked up: {error}")
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile, and needs no answer
                loop.call_soon_threadsafe(_resolve, found, outcome)

        threading.Thread(target=look_up, name=f"look-up-{host}", daemon=True).start()
        return [_result(host, info) for info in await found]

    async def close(self) -> None:
        """Nothing to close: threads end with their lookup."""


def _resolve(found: asyncio.Future[list[AddressInfo]], outcome: list[AddressInfo] | Exception) -> None:
    if found.done():
        return
    if isinstance(outcome, Exception):
        found.set_exception(outcome)
    else:
        found.set_result(outcome)


def _result(host: str, info: AddressInfo) -> ResolveResult:
    family, _, protocol, _, address = info
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(
        hostname=host, host=str(address[0]), port=int(address[1]), family=family, proto=protocol, flags=flags
    )
