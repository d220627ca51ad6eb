"""The right to publish a partition's changes: one process has it, keeps it alive, and checks it before each request."""

import asyncio
from typing import Final

import structlog

from server.channels.connection.clock import Clock
from server.store.errors import FencedError, StoreUnavailableError
from server.store.repositories.publisher import PublisherStore

log = structlog.get_logger("holdfast.publisher")

RENEWALS: Final = 5
"""Renewals in the life of a lease, so that some may fail."""
_RETRY_S: Final = 0.2
"""Pause after the store did not answer: a fraction of a lease, so that a store that comes back is used soon."""
HALTED: Final = "a restored store that is not released"
_POLL_S_MAX: Final = 1.0
"""A stand-by asks so often, in case the lease is released before its time."""


class Lease:
    """One process's lease on one partition, which lasts ``ttl_s`` seconds unless it is renewed."""

    def __init__(self, store: PublisherStore, owner: str, ttl_s: float, clock: Clock) -> None:
        self.owner = owner
        self.token = 0
        self._store = store
        self._ttl_s = ttl_s
        self._clock = clock
        self._good_until_s = 0.0
        self._renewed = asyncio.Event()

    async def acquire(self) -> None:
        """Acquire the lease as soon as no other process holds it, and the store is not halted."""
        logged = ""
        while True:
            wait_s = _RETRY_S
            try:
                if await self._store.is_halted():
                    logged = self._log_halted(logged)
                    await asyncio.sleep(_POLL_S_MAX)
                    continue
                holder, wait_s = await self._take()
            except StoreUnavailableError:
                holder = ""
            if self.token:
                return
            if holder and holder != logged:
                log.info("publisher_stands_by", partition=self._store.keyspace.partition, holder=holder)
                logged = holder
            await asyncio.sleep(min(wait_s, _POLL_S_MAX))

    def _log_halted(self, logged: str) -> str:
        if logged != HALTED:
            advice = "look at the stock, then run: holdfast restore --release"
            log.warning("publisher_halted", partition=self._store.keyspace.partition, advice=advice)
        return HALTED

    async def keep(self) -> None:
        """Renew the lease for ever.

        Raises
        ------
        FencedError
            Another process has acquired it, or did so meanwhile.

        """
        token = self.token
        while True:
            await asyncio.sleep(self._ttl_s / RENEWALS)
            try:
                await self._take()
            except StoreUnavailableError:
                continue
            if self.token != token:
                raise FencedError("The lease expired before it was renewed; this publisher stops and restarts.")

    async def held(self) -> None:
        """Return while this process surely holds the lease; else wait for :meth:`keep` to renew it or to raise."""
        while self._clock.now_s() >= self._good_until_s:
            self._renewed.clear()
            await self._renewed.wait()

    async def release(self) -> None:
        """Release the lease, so that a stand-by need not wait for its end."""
        self._good_until_s = 0.0
        await self._store.release(self.owner)

    async def _take(self) -> tuple[str, float]:
        asked_s = self._clock.now_s()
        answer = await self._store.acquire(self.owner, int(1000 * self._ttl_s))
        self._clock.learn(answer.now_ms, asked_s)
        self.token = answer.token
        if answer.token:
            # From when we asked: in the store it lasts a little longer.
            self._good_until_s = asked_s + self._ttl_s
            self._renewed.set()
        return answer.owner, (answer.until_ms - answer.now_ms) / 1000
