"""The ground on which a fault happens: a real server under load, and the account of it afterwards.

async with opened_ground(server, stores) as ground:
    async with ground.load(number, chance) as loaders:
        ...  # the fault
    done = await ground.settle(loaders)
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import aiohttp

from server.domain.channels import publishable
from tests.rigs.crash.account import Account, account_of
from tests.rigs.crash.audit import drift_of
from tests.rigs.crash.loader import Loader, Request
from tests.rigs.fanout_crash.shops import Shop
from tests.rigs.faults.registry import Round
from tests.support.http import Api, Key, Server, opened

PARTITION: Final = "default"
SKUS: Final = 10
UNITS: Final = 10_000_000
LOADERS: Final = 8
READY_S: Final = 30.0
EQUAL_S: Final = 60.0
"""So long a channel may take until it shows the publishable value."""

OpenStore = Callable[[], AbstractContextManager[Any]]
"""Opens a blocking client of the store."""


class Ground:
    """A server under load on one store; ``open_store`` and ``store_url`` lead to that store past the server."""

    def __init__(self, server: Server, api: Api, open_store: OpenStore, store_url: str, shops: Sequence[Shop]) -> None:
        self.server = server
        self.api = api
        self.store = open_store
        self.skus = [f"hot-{number}" for number in range(SKUS)]
        self.shops = shops
        self.asked_aside: set[str] = set()
        """Names of the reservations that the fault made itself."""
        self._store_url = store_url
        self._earlier: list[Request] = []

    async def set_up(self) -> None:
        """Put units on the shelf and list all SKUs everywhere."""
        for sku in self.skus:
            await self.api.count(sku, UNITS)
        for shop in self.shops:
            listings = [{"sku": sku, "key": shop.key(number)} for number, sku in enumerate(self.skus)]
            (await self.api.put(f"/v1/channels/{shop.name}/listings", {"listings": listings})).ok()

    @contextlib.asynccontextmanager
    async def load(self, number: int, chance: random.Random, loaders: int = LOADERS) -> AsyncIterator[list[Loader]]:
        """Have callers ask as fast as they are answered, until the block ends."""
        callers = [Loader(f"c{number}.{each}", self.api, self.skus, f"{chance.random()}") for each in range(loaders)]
        tasks = [asyncio.create_task(caller.run()) for caller in callers]
        try:
            yield callers
        finally:
            for caller in callers:
                caller.running = False
            await asyncio.gather(*tasks)

    async def settle(self, loaders: Sequence[Loader]) -> Round:
        """Account before and after all that is unconfirmed is asked again, then verify, then look at the channels."""
        requests = [request for loader in loaders for request in loader.requests]
        acknowledged = sum(request.done for request in requests)
        # Before anything is asked again: what was acknowledged must be there by itself.
        before = self.account(requests)
        await asyncio.gather(*(loader.resolve() for loader in loaders))
        after = self.account(requests)
        self._earlier += requests
        done = Round(acknowledged)
        for found in (before, after):
            done.add(found)
        done.wrong += [f"answered for another: {wrong}" for loader in loaders for wrong in loader.mixed_up]
        done.verify = await self.verify()
        if self.shops:
            done.channels = await self.unequal()
        return done

    def account(self, requests: Sequence[Request] = ()) -> Account:
        """Compare the store with these requests and all that were settled before."""
        with self.store() as store:
            found = account_of(store, PARTITION, dict.fromkeys(self.skus, UNITS), [*self._earlier, *requests])
        aside = {f"{name}: no caller asked for it" for name in self.asked_aside}
        found.wrong = [each for each in found.wrong if each not in aside]
        return found

    async def verify(self) -> list[str]:
        """Audit the store as ``holdfast verify`` does."""
        return await drift_of(self._store_url, PARTITION)

    async def writable(self, well: Callable[[], bool] = lambda: True) -> None:
        """Wait until a write is acknowledged and ``well`` holds."""
        body = {"movements": [{"kind": "receive", "sku": "ready", "quantity": 1}]}
        async with asyncio.timeout(READY_S):
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError, ValueError):
                    if well():
                        [result] = (await self.api.post("/v1/stock/movements", body)).body["results"]
                        if result["status"] == 200:
                            return
                await asyncio.sleep(0.005)

    async def unequal(self) -> list[str]:
        """Wait until every channel shows what is publishable; list what still differs when the time is over."""
        asked = (await self.api.post("/v1/availability/query", {"skus": self.skus})).ok()
        available = [each["available"] for each in asked["availability"]]
        deadline_s = time.monotonic() + EQUAL_S
        while True:
            differing = [
                f"{shop.name} shows {shown} of {sku}, not {wanted}"
                for shop in self.shops
                for number, sku in enumerate(self.skus)
                if (shown := shop.simulator.shown[shop.key(number)])
                != (wanted := publishable(shop.rules, {"main": available[number]}))
            ]
            if not differing or time.monotonic() > deadline_s:
                return differing
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def opened_ground(
    server: Server,
    open_store: OpenStore | None = None,
    store_url: str = "",
    shops: Sequence[Shop] = (),
    key: Key | None = None,
) -> AsyncIterator[Ground]:
    """Start a server and set it up; it is ended with all its processes after the block.

    Without ``open_store`` and ``store_url`` its store is the embedded one. ``key``: one of :data:`PARTITION`, where the
    server has keys.
    """
    try:
        await asyncio.to_thread(server.start)
        async with opened(server, key) as api:
            url = store_url or f"unix://{server.data_dir}/store.sock"
            ground = Ground(server, api, open_store or server.store, url, shops)
            await ground.set_up()
            yield ground
    finally:
        await asyncio.to_thread(server.close)
