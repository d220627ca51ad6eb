"""One of several workers hangs or dies: new connections are answered again within its limit."""

import asyncio
import os
import signal
import time
from typing import Final

from tests.rigs.neighbours.ground import opened_ground, workers_of
from tests.rigs.neighbours.registry import Checked, Functional, Pace, Row
from tests.support.http import Server

WORKERS: Final = 2
HANG_S: Final = 2.0
START_S: Final = 6.0
"""A new worker's start on a small machine."""
CALLERS: Final = 16
ANSWER_S: Final = 1.0
GIVE_UP_S: Final = 30.0


class Hung(Functional):
    """A worker that does nothing any more."""

    name = "hung"
    does = "one of two workers hangs: how long until 16 new connections are all answered within a second"
    variants = ("second-stopped", "first-stopped", "second-killed")
    rounds_max = 3

    async def check(self, variant: str, pace: Pace) -> Checked:  # noqa: ARG002  # it is short already
        async with opened_ground(workers=WORKERS, worker_hang_s=HANG_S) as ground:
            pids = workers_of(ground.server)
            if len(pids) != WORKERS:
                return Checked([f"there are {len(pids)} workers, not {WORKERS}"])
            which = pids[0] if variant == "first-stopped" else pids[1]
            os.kill(which, signal.SIGKILL if variant == "second-killed" else signal.SIGSTOP)
            began_s = time.monotonic()
            while (unanswered := await _unanswered(ground.server)) and time.monotonic() < began_s + GIVE_UP_S:
                pass
            took_s = time.monotonic() - began_s
        found = [f"{unanswered} of {CALLERS} connections still hang"] if unanswered else []
        return Checked(found, took_s, HANG_S + START_S, "seconds until every new connection is answered")


async def _unanswered(server: Server) -> int:
    return (await asyncio.gather(*(_answered(server) for _ in range(CALLERS)))).count(False)


async def _answered(server: Server) -> bool:
    writer = None
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return b" 200 " in await reader.readline()
    except OSError:  # TimeoutError is one
        return False
    finally:
        if writer is not None:
            writer.close()


ROWS: Final[tuple[Row, ...]] = (Hung(),)
