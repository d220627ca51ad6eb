"""The access log: a line for a request, with its outcome and who asked. Refused requests always have one.

Lines are noted while requests are answered, and written together a few times a second, by a thread: what reads the log
may be slow, and no request waits for it. A line has no address, no path, no query and no body: what identifies a person
or opens a door stands there. A kill loses the lines of the last moment.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final, Literal

from server.telemetry.logs import write_together

Wanted = Literal["off", "sampled", "all"]
WRITE_S: Final = 0.25
"""How late a line may be written."""
LINES_MAX: Final = 20_000
"""Lines between two writes; how many more there were is said in their place."""
STRANGERS_MAX: Final = 10
"""The same of callers that were not let in: who has no key cannot fill the disk."""
LOGGER: Final = "holdfast.access"
_REFUSED: Final = 400

Line = dict[str, Any]


class AccessLog:
    """Collects lines and writes them.

    Parameters
    ----------
    every
        Of the requests that were answered well, one of so many has a line; 1: all.
    write
        Writes lines; runs in a thread.

    """

    def __init__(self, every: int, write: Callable[[list[Line]], None] = write_together) -> None:
        self._every = every
        self._write = write
        self._until_next = 1
        self._lines: list[Line] = []
        self._strangers = 0
        self._left_out = 0

    def wants(self, status: int) -> bool:
        """Whether an answer of this status is to have a line."""
        if status >= _REFUSED:
            return True
        self._until_next -= 1
        if self._until_next:
            return False
        self._until_next = self._every
        return True

    def note(self, line: Line, *, is_stranger: bool = False) -> None:
        """Keep a line to be written; ``is_stranger``: who asked was not let in."""
        self._strangers += is_stranger
        if len(self._lines) >= LINES_MAX or (is_stranger and self._strangers > STRANGERS_MAX):
            self._left_out += 1
            return
        self._lines.append({"at": time.time(), "level": "info", "event": "request", "logger": LOGGER, **line})

    async def run(self) -> None:
        """Write for ever, and once more when cancelled."""
        try:
            while True:
                await asyncio.sleep(WRITE_S)
                lines = self._taken()
                if lines:
                    await asyncio.to_thread(self._write, lines)
        finally:
            self._write(self._taken())

    def _taken(self) -> list[Line]:
        lines, self._lines = self._lines, []
        for line in lines:
            line["at"] = datetime.fromtimestamp(line["at"], UTC).isoformat().replace("+00:00", "Z")
        if self._left_out:
            at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            left_out = {"event": "access_lines_left_out", "logger": LOGGER, "lines": self._left_out}
            lines.append({"at": at, "level": "warning", **left_out})
        self._left_out = self._strangers = 0
        return lines


def opened(wanted: Wanted, every: int, started: AsyncExitStack) -> AccessLog | None:
    """Make the log and have it written until ``started`` ends; None: none is wanted."""
    if wanted == "off":
        return None
    access = AccessLog(1 if wanted == "all" else every)
    _until_end(started, access.run())
    return access


def _until_end(started: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work, name="access-log")

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    started.push_async_callback(stop)
