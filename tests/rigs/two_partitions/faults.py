"""The faults of a run, one after the other, at moments and of kinds that follow from the seed."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import redis

from server.store.connection.slow_calls import LOGGED_FROM_US, slow_calls
from tests.rigs.faults.kills import orphans, workers
from tests.rigs.two_partitions.desk import Desk
from tests.rigs.two_partitions.requests import Sent
from tests.rigs.two_partitions.tally import Tally
from tests.support import processes
from tests.support.http import Server

WORKERS: Final = 2
HANG_S: Final = 3.0
"""After so long without a sign of life a worker is replaced."""
BETWEEN_S: Final = (1.0, 6.0)
STILL_S: Final = (0.3, 2.5)
"""How long a process stands still, or the memory is full."""
RECOVER_S: Final = 150.0
"""A worker that stands still while it begins is given a minute, on a busy machine more."""
LOOK_S: Final = 0.05

Say = Callable[[str], None]


class Faults:
    """``lock``: held while a fault is on, so that nobody compares meanwhile."""

    def __init__(self, server: Server, desks: Iterable[Desk], tally: Tally, chance: random.Random, say: Say) -> None:
        self.lock = asyncio.Lock()
        self._server = server
        self._desks = list(desks)
        self._tally = tally
        self._chance = chance
        self._say = say
        self._frozen: list[tuple[float, float]] = []
        self._number = 0
        self._next: list[str] = []
        self.kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "kill-worker": self._kill_worker,
            "kill-publisher": self._kill_publisher,
            "kill-store": self._kill_store,
            "kill-server": self._kill_server,
            "kill-all": self._kill_all,
            "restart": self._restart,
            "freeze-store": self._freeze_store,
            "freeze-worker": self._freeze_worker,
            "hang-worker": self._hang_worker,
            "memory-full": self._memory_full,
            "cut-connections": self._cut,
        }

    async def run(self) -> None:
        """Bring about faults until cancelled; each kind comes before any comes twice."""
        while True:
            if not self._next:
                self._next = self._chance.sample(sorted(self.kinds), len(self.kinds))
            await asyncio.sleep(self._chance.uniform(*BETWEEN_S))
            async with self.lock:
                await self.strike(self._next.pop())

    async def strike(self, kind: str) -> None:
        """Bring one about, and wait until writes are acknowledged again with every process back."""
        self.note_scripts()
        began_s = time.monotonic()
        await self.kinds[kind]()
        await self.recovered()
        took_s = time.monotonic() - began_s
        self._tally.faults[kind] += 1
        self._tally.recover_s[kind] = max(took_s, self._tally.recover_s.get(kind, 0.0))
        self._say(f"{kind}: over after {took_s:.1f} s")

    async def recovered(self) -> None:
        """Wait until every process is there and a write is acknowledged."""
        until_s = time.monotonic() + RECOVER_S
        while not (self._is_complete() and await self._writes()):
            assert time.monotonic() < until_s, f"no write was acknowledged for {RECOVER_S} s"
            await asyncio.sleep(LOOK_S)
        self.watch_scripts()

    async def _writes(self) -> bool:
        self._number += 1
        body = {"movements": [{"kind": "receive", "sku": "ready", "quantity": 1}]}
        sent = Sent("POST", "/v1/stock/movements", body, {"Idempotency-Key": f"ready-{self._number}"})
        reply = await self._desks[0].send(sent)
        return reply is not None and reply.granted

    def _is_complete(self) -> bool:
        with suppress(OSError, ValueError):
            pids = [*workers(self._server).values(), self._server.store_pid]
            return len(pids) == WORKERS + 2 and all(processes.alive(pid) for pid in pids)
        return False

    # -- what strikes

    async def _kill_worker(self) -> None:
        pid = self._a_worker()
        os.kill(pid, signal.SIGKILL)
        await self._until(lambda: not processes.alive(pid))

    async def _kill_publisher(self) -> None:
        """Kill the process that publishes to the channels, which comes after the workers."""
        pid = workers(self._server)[WORKERS]
        os.kill(pid, signal.SIGKILL)
        await self._until(lambda: not processes.alive(pid))

    async def _kill_store(self) -> None:
        pid = self._server.store_pid
        os.kill(pid, signal.SIGKILL)
        await self._until(lambda: not processes.alive(pid))

    async def _kill_server(self) -> None:
        """Kill the parent; its workers end by themselves, and the store lives on and is adopted."""
        await asyncio.to_thread(self._server.kill)
        await self._until(lambda: not orphans(self._server))
        await asyncio.to_thread(self._server.start, RECOVER_S)

    async def _kill_all(self) -> None:
        pids = [*workers(self._server).values(), self._server.store_pid]
        self._chance.shuffle(pids)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await self._kill_server()

    async def _restart(self) -> None:
        status = await asyncio.to_thread(self._server.stop)
        if status != 0:
            self._tally.findings.servers.append(f"asked to stop, the server ended with {status}")
        await asyncio.to_thread(self._server.start, RECOVER_S)

    async def _freeze_store(self) -> None:
        began_s = time.time()
        with self._server.frozen_store():
            await asyncio.sleep(self._chance.uniform(*STILL_S))
        self._frozen.append((began_s, time.time()))

    async def _freeze_worker(self) -> None:
        """Let a worker stand still, for less time than it is allowed to."""
        pid = self._a_worker()
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(min(self._chance.uniform(*STILL_S), HANG_S / 2))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    async def _hang_worker(self) -> None:
        """Let a worker stand still for good; its parent must notice, and replace it."""
        pid = self._a_worker()
        os.kill(pid, signal.SIGSTOP)
        try:
            await self._until(lambda: not processes.alive(pid))
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _memory_full(self) -> None:
        with self._server.store() as store:
            store.config_set("maxmemory", int(store.info()["used_memory"]) // 2)
        await asyncio.sleep(self._chance.uniform(*STILL_S))
        with self._server.store() as store:
            store.config_set("maxmemory", 0)

    async def _cut(self) -> None:
        for desk in self._desks:
            await desk.open()

    def _a_worker(self) -> int:
        return workers(self._server)[self._chance.randrange(WORKERS)]

    async def _until(self, so: Callable[[], bool]) -> None:
        async with asyncio.timeout(RECOVER_S):
            while not so():
                await asyncio.sleep(LOOK_S)

    # -- the longest script

    def watch_scripts(self) -> None:
        """Have the store note its slow calls; a new store has forgotten that it was to."""
        with suppress(redis.RedisError, OSError), self._server.store() as store:
            store.config_set("slowlog-log-slower-than", LOGGED_FROM_US)

    def note_scripts(self) -> None:
        """Note the longest script since the last time, but for those during which the store stood still."""
        with suppress(redis.RedisError, OSError), self._server.store() as store:
            entries: list[Any] = store.slowlog_get(128)
            store.slowlog_reset()
            for entry, call in zip(entries, slow_calls(entries), strict=True):
                if call.is_ours and not self._stood_still(entry["start_time"]):
                    self._tally.note_script(call.microseconds, call.name)

    def _stood_still(self, began_s: int) -> bool:
        """Whether the store was stopped around a moment, so that what it says of it is no script's own time."""
        return any(before_s - 2 <= began_s <= after_s + 2 for before_s, after_s in self._frozen)
