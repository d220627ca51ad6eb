"""Plays histories on one embedded store, one after the other."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from server.service.caller import Caller, local_caller
from server.store.audit.audit import audit
from server.store.command_session import OpenStore
from server.store.connection import commands
from server.store.ledger.batcher import close_quietly
from server.store.lua_library import library
from tests.conftest import RETENTION, StoreClient, make_batcher
from tests.rigs.order_histories.world import Told, World
from tests.support.stores import StoreProcess


@asynccontextmanager
async def caller_on(store: StoreProcess, partition: str = "default") -> AsyncIterator[Caller]:
    """Open a caller on a store."""
    async with StoreClient(store) as client:
        await commands.load(client, library())
        batcher = make_batcher(store)
        batcher.start()
        caller = local_caller(OpenStore(store.url, client, batcher, RETENTION), partition)
        try:
            yield caller
        finally:
            await caller.partition.locations.close()
            await close_quietly(batcher, timeout_s=2.0)


async def play(store: StoreProcess, seeds: Iterable[int]) -> list[Told]:
    """Play a history for each seed, and audit the store at the end."""
    async with caller_on(store) as caller:
        done = [await World(caller, seed).play() for seed in seeds]
        report = await audit(caller.partition.client, caller.partition.keyspace)
        if report.drift:
            done.append(Told(-1, [], [f"verify: {each}" for each in report.drift[:5]]))
        return done
