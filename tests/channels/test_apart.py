"""Readers that hold all connections of theirs to the store: channels, holds and readiness do not wait for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from server.app import Holdfast
from server.config.settings import Settings
from server.store.connection.clients import CONNECTIONS_MAX
from tests.channels.test_served import CONFIGURED
from tests.channels.webhook_receiver import PATH, SECRET, WebhookReceiver
from tests.conftest import wait_until
from tests.support.http import Api, opened

READERS: Final = 64


@asynccontextmanager
async def served(folder: Path, receiver: WebhookReceiver) -> AsyncIterator[tuple[Holdfast, Api]]:
    config = folder / "holdfast.toml"
    config.write_text(CONFIGURED % (receiver.port, PATH))
    holdfast = Holdfast(Settings(data_dir=folder / "data", port=0, config=config, publisher_lease_s=1))
    await holdfast.start()
    try:
        async with opened(f"http://127.0.0.1:{holdfast.port}") as api:
            yield holdfast, api
    finally:
        await holdfast.drain()


@asynccontextmanager
async def readers(holdfast: Holdfast) -> AsyncIterator[None]:
    """Have readers hold all connections that requests may open, and more wait for one."""
    client: Any = holdfast.state.client
    watching = holdfast.state.maintenance_client
    tasks = [asyncio.create_task(client.execute_command("BLPOP", "hf:{default}:none", 0)) for _ in range(READERS)]

    async def all_are_held() -> bool:
        listed = await watching.client_list()
        return sum(each["cmd"] == "blpop" for each in listed) == CONNECTIONS_MAX["requests"]

    try:
        await wait_until(all_are_held, "all connections are held")
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_given_readers_on_all_their_connections_when_units_are_sold_then_the_shop_shows_it_and_the_hold_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    async with WebhookReceiver() as receiver, served(tmp_path, receiver) as (holdfast, api):
        receiver.stock("a", quantity=-1)
        await api.count("A", 5)
        (await api.put("/v1/channels/shop/listings", {"listings": [{"sku": "A", "key": "a"}]})).ok()
        await wait_until(lambda: receiver.shown == {"a": 5}, "the shop shows all")
        async with readers(holdfast):
            (await api.reserve("A", 2, ttl_s=1)).ok(201)
            await wait_until(lambda: receiver.shown == {"a": 3}, "the shop shows what is left")
            await wait_until(lambda: receiver.shown == {"a": 5}, "the hold has ended, and the shop shows it")
            (await api.get("/readyz")).ok()
