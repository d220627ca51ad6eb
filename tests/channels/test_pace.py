"""The pace of a task that works again and again: whatever it does, others have their turns."""

import asyncio
import random

import pytest

from server.channels.connection.circuit_breaker import CircuitBreaker
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.connection.http_transport import Transport
from server.channels.inbound.pace import Pace
from tests.channels.plain import Plain


async def held() -> None:
    """Hold the lease."""


@pytest.fixture
def pace() -> Pace:
    clock = Clock()
    breaker = CircuitBreaker(random=random.random)
    client = ChannelClient(
        "shop", lambda: Plain("http://127.0.0.1:1"), Transport(), clock=clock, circuit_breaker=breaker, held=held
    )
    return Pace("shop", client, clock)


async def test_work_that_waits_for_nothing_leaves_others_a_turn_each_time(pace: Pace) -> None:
    done: list[str] = []

    async def work() -> float:
        done.append("work")
        if len(done) > 100:
            await asyncio.Event().wait()
        return 0.0

    async def other() -> None:
        for _ in range(3):
            done.append("other")
            await asyncio.sleep(0)

    task = asyncio.create_task(pace.forever(work, asyncio.Event()))
    await other()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert done[:4] == ["other", "work", "other", "work"]
