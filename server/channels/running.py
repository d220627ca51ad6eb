"""Keeps the parts of a publisher running: a fault in one is logged, and no other suffers for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from server.store.errors import FencedError

log = structlog.get_logger("holdfast.channel")

FAULT_PAUSE_S: Final = 5.0
"""Pause after a fault of Holdfast's own, which would mostly occur again at once."""


async def keep_running(channel: str, run: Callable[[], Awaitable[None]], on_fault: Callable[[], None]) -> None:
    """Run a part of a channel for ever; ``on_fault`` is called after each fault."""
    while True:
        try:
            await run()
        except* FencedError:
            raise
        except* Exception:
            log.exception("channel_failed", channel=channel)
            on_fault()
        await asyncio.sleep(FAULT_PAUSE_S)


def first_reason(errors: BaseExceptionGroup) -> str:
    """Return the reason of a group: the first exception in it, however deep."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
