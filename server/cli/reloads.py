"""SIGHUP: a server takes its configuration file over anew, unless the signal says that its terminal is gone."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("holdfast")


class Reloads:
    """Hears SIGHUP from when it is made; what is asked for during a start is done once that is over."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._had_terminal = _has_terminal()
        self._task: asyncio.Task[None] | None = None
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._on_signal)

    def begin(self, reload: Callable[[], Awaitable[object]]) -> None:
        """Call ``reload`` from now on, once for each time, and never twice at once."""
        self._task = asyncio.create_task(self._run(reload), name="reloads")

    def end(self) -> None:
        """Call it no more."""
        if self._task is not None:
            self._task.cancel()

    def _on_signal(self) -> None:
        if self._had_terminal and not _has_terminal():
            os.kill(os.getpid(), signal.SIGTERM)  # whoever started it is gone
            return
        self._asked.set()

    async def _run(self, reload: Callable[[], Awaitable[object]]) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await reload()
            except Exception:
                log.exception("reload_failed")


def _has_terminal() -> bool:
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
