"""The ground of these faults: a real server on several stores, callers in several partitions, and the account."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import aiohttp

from server.domain.channels import publishable
from server.store.audit.audit import audit
from server.store.keys import Keyspace
from server.store.topology import deployment
from tests.rigs.cluster_faults.counts import Counts
from tests.rigs.crash.account import account_of
from tests.rigs.crash.loader import UNDECIDED, Loader, Request
from tests.rigs.fanout_crash.shops import ENVIRONMENT, Shop, all_shops, opened_shops
from tests.support.cluster_stores import client
from tests.support.http import Api, Key, Server, opened
from tests.support.stores import StoreProcess

LOADERS: Final = 4
"""Callers of each partition: enough to keep both slots of a batcher busy."""
SKUS: Final = 5
UNITS: Final = 10_000_000
READY_S: Final = 60.0
EQUAL_S: Final = 60.0
"""So long the shop may take until it shows the publishable value."""

Home = Callable[[str], StoreProcess]


class Ground:
    """A server, and one client for each partition; ``home`` gives the store that a partition is on now."""

    def __init__(self, server: Server, apis: Sequence[Api], store_url: str, home: Home, shop: Shop) -> None:
        self.server = server
        self._apis = apis
        self._url = store_url
        self._home = home
        self._shop = shop
        self._skus = [f"hot-{number}" for number in range(SKUS)]
        self._asked: dict[str, list[Request]] = {api.partition: [] for api in apis}
        self._number = 0

    async def set_up(self) -> None:
        """Put units on the shelves, and list them in the shop, which is that of the first partition."""
        listings = [{"sku": sku, "key": self._shop.key(number)} for number, sku in enumerate(self._skus)]
        for api in self._apis:
            for sku in self._skus:
                await api.count(sku, UNITS)
        (await self._apis[0].put(f"/v1/channels/{self._shop.name}/listings", {"listings": listings})).ok()

    @contextlib.asynccontextmanager
    async def load(self, counts: Counts, chance: random.Random) -> AsyncIterator[None]:
        """Have callers ask until the block ends; then account, ask again for what is unconfirmed, account again."""
        self._number += 1
        loaders = [
            (api, Loader(f"c{self._number}.{each}", api, self._skus, f"{chance.random()}"))
            for api in self._apis
            for each in range(LOADERS)
        ]
        tasks = [asyncio.create_task(loader.run()) for _, loader in loaders]
        try:
            yield
        finally:
            for _, loader in loaders:
                loader.running = False
            await asyncio.gather(*tasks)
        asked = [request for _, loader in loaders for request in loader.requests]
        counts.rounds += 1
        counts.acknowledged += sum(request.done for request in asked)
        counts.unknown += sum(request.outcome in UNDECIDED for request in asked)
        for api, loader in loaders:
            self._asked[api.partition] += loader.requests
        self._account(counts)
        await asyncio.gather(*(loader.resolve() for _, loader in loaders))
        self._account(counts)
        await self._verify(counts)
        counts.channels += await self._unequal()

    async def _unequal(self) -> list[str]:
        """Wait until the shop shows what is publishable; list what still differs when the time is over."""
        asked = (await self._apis[0].post("/v1/availability/query", {"skus": self._skus})).ok()
        wanted = [publishable(self._shop.rules, {"main": each["available"]}) for each in asked["availability"]]
        until_s = time.monotonic() + EQUAL_S
        while True:
            shown = [self._shop.simulator.shown[self._shop.key(number)] for number in range(SKUS)]
            if shown == wanted:
                return []
            if time.monotonic() > until_s:
                return [f"shows {shown}, not {wanted}"]
            await asyncio.sleep(0.02)

    def _account(self, counts: Counts) -> None:
        for partition, requests in self._asked.items():
            with contextlib.closing(client(self._home(partition).port)) as store:
                found = account_of(store, partition, dict.fromkeys(self._skus, UNITS), requests)
            counts.lost += found.lost
            counts.double += found.double
            counts.wrong += found.wrong

    async def _verify(self, counts: Counts) -> None:
        store = deployment(self._url)
        try:
            for partition in self._asked:
                report = await audit(store.clients.requests, Keyspace(partition))
                counts.verify += [f"{partition}: {each}" for each in report.drift]
                counts.verify += [] if report.conclusive else [f"{partition}: the audit was inconclusive"]
        finally:
            await store.close()

    async def recovered(self, counts: Counts, since_s: float) -> None:
        """Wait until each partition acknowledges a write again, and note how long that took."""
        await asyncio.gather(*map(self._writes, self._apis))
        counts.recover_s = max(counts.recover_s, time.monotonic() - since_s)

    async def _writes(self, api: Api) -> None:
        body = {"movements": [{"kind": "receive", "sku": "ready", "quantity": 1}]}
        async with asyncio.timeout(READY_S):
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    [result] = (await api.post("/v1/stock/movements", body)).ok()["results"]
                    if result["status"] == 200:
                        return
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def opened_ground(
    store_url: str, home: Home, partitions: Sequence[str], **settings: Any
) -> AsyncIterator[Ground]:
    """Start a server on a store, with a key for each partition, the first of which has to be the default one."""
    [shop] = [shop for shop in all_shops() if shop.calm]
    keys = [Key(f"key-{number}", partition) for number, partition in enumerate(partitions)]
    async with opened_shops([shop], SKUS), contextlib.AsyncExitStack() as started:
        server = Server(keys=keys, toml=shop.toml(), environment=ENVIRONMENT, store_url=store_url, **settings)
        started.push_async_callback(asyncio.to_thread, server.close)
        await asyncio.to_thread(server.start)
        apis = [await started.enter_async_context(opened(server, key)) for key in keys]
        ground = Ground(server, apis, store_url, home, shop)
        await ground.set_up()
        yield ground
