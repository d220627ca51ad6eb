"""The page of all metrics: made at most once a second, once for all who ask, beside the event loop."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from server.telemetry.request_tally import TALLY

PAGE_LIFE_S: Final = 1.0
"""How old a page may be; far below any scrape interval."""
_TURN_S: Final = 0.0005
"""How long the thread that makes the page may keep the event loop waiting. Python's own 5 ms would be felt."""


class MetricsPage:
    """Makes the page of a process, or with ``multiprocess`` that of all workers, from their files."""

    def __init__(self, *, multiprocess: bool) -> None:
        self._multiprocess = multiprocess
        self._page = b""
        self._made_s = -PAGE_LIFE_S
        self._making: asyncio.Task[bytes] | None = None

    async def current(self) -> bytes:
        """Return the page. Whoever asks while it is being made waits for the same one."""
        if self._making is None and asyncio.get_running_loop().time() - self._made_s < PAGE_LIFE_S:
            return self._page
        if self._making is None:
            self._making = asyncio.create_task(self._make(), name="metrics-page")
        # Who leaves while waiting must not take the page from the others.
        return await asyncio.shield(self._making)

    async def _make(self) -> bytes:
        try:
            TALLY.hand_over()
            self._page = await asyncio.to_thread(self._render)
            self._made_s = asyncio.get_running_loop().time()
            return self._page
        finally:
            self._making = None

    def _render(self) -> bytes:
        registry = REGISTRY
        if self._multiprocess:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        with _in_short_turns():
            return generate_latest(registry)


@contextmanager
def _in_short_turns() -> Iterator[None]:
    """Let the event loop's thread run again soon, as long as this lasts."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)
