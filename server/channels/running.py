"""Keeps the parts of a publisher running: a fault in one is logged, and no other suffers for it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from server.store.errors import FencedError

log = structlog.get_logger("holdfast.channel")

FAULT_PAUSE_S: Final = 5.0
"""Pause after a fault of Holdfast's own, which would mostly occur again at once."""


async def keep_running(
    channel: str, run: Callable[[], Coroutine[Any, Any, None]], on_fault: Callable[[], None]
) -> None:
    """Run a part of a channel for ever; ``on_fault`` is called after each fault."""
    while True:
        try:
            await apart(run)
        except* FencedError:
            raise
        except* Exception:
            log.exception("channel_failed", channel=channel)
            on_fault()
        raise_if_cancelled()
        await asyncio.sleep(FAULT_PAUSE_S)


async def apart(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run in a task of its own, so that this task counts only those cancellations that are meant for it.

    A group of tasks in which one fails cancels the task that it is in, and Python 3.11 does not always take that back.
    """
    await asyncio.create_task(run())


def raise_if_cancelled() -> None:
    """End the current task where it was cancelled and does not know it; what may fail has run :func:`apart`.

    A group of tasks whose tasks fail while it is cancelled raises their errors, and not its own cancellation.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def first_reason(errors: BaseExceptionGroup) -> str:
    """Return the reason of a group: the first exception in it, however deep."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
