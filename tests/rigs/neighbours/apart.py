"""Processes of their own for the neighbour and for those who load: they share no event loop with who counts.

Each is ``python -m MODULE``, gets its options as one line of JSON, and prints one line of JSON at its end. Its standard
input stays open as long as it is wanted: when that ends, however we ended, the process ends as well.
"""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

import msgspec

from tests.support.http import ROOT

READY: Final = b"ready\n"
_END_S: Final = 20.0
Told = TypeVar("Told")


class Apart(Generic[Told]):
    """One process that runs."""

    def __init__(self, process: asyncio.subprocess.Process, kind: type[Told]) -> None:
        self._process = process
        self._kind = kind

    async def ready(self) -> None:
        """Wait until it has said that it is under way.

        Raises
        ------
        RuntimeError
            It ended instead.

        """
        assert self._process.stdout is not None
        said = await self._process.stdout.readline()
        if said != READY:
            raise RuntimeError(f"a process of the rig ended early: {said.decode('utf-8', 'replace')}")

    async def told(self) -> Told:
        """Wait for its end, and return what it tells."""
        assert self._process.stdout is not None
        said = await self._process.stdout.read()
        await self._process.wait()
        return msgspec.json.decode(said.removeprefix(READY), type=self._kind)

    async def ended(self) -> Told:
        """Have it end, and return what it tells."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(_END_S):
            return await self.told()


@asynccontextmanager
async def apart(module: str, options: msgspec.Struct, kind: type[Told]) -> AsyncIterator[Apart[Told]]:
    """Start one; it is killed at the end of the block if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module), cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(options) + b"\n")
        yield Apart(process, kind)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # The transport is closed here and not when it is collected, by when the loop may be gone.
        await process.wait()


def given(kind: type[Told]) -> Told:
    """Read the options, in the process itself."""
    return msgspec.json.decode(sys.stdin.buffer.readline(), type=kind)


def unwanted() -> asyncio.Event:
    """Return what is set when nobody wants this process any more; needs a running event loop."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> None:
        sys.stdin.buffer.read()
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait, daemon=True).start()
    return ended


def say_ready() -> None:
    """Say that all is under way."""
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()


def tell(told: Any) -> None:
    """Print what came of it."""
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()
