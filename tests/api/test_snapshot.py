"""GET /v1/snapshot: all SKUs in pages, and then the stream goes on without a gap."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from server.store.keys import Keyspace
from tests.support.event_streams import stream
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

SKUS = 1_200
"""More than one page, and more than a hash keeps in one piece."""


async def fill(api: Api, skus: int) -> None:
    for first in range(0, skus, 600):
        counts = [{"kind": "count", "sku": f"S{n:04}", "on_hand": 50} for n in range(first, min(skus, first + 600))]
        (await api.post("/v1/stock/movements", {"movements": counts})).ok()


async def pages(api: Api, query: str = "limit=100") -> list[Any]:
    found, after = [], ""
    while True:
        found.append((await api.get(f"/v1/snapshot?{query}&after={after}")).ok())
        after = found[-1]["next"]
        if not after:
            return found


async def all_of(api: Api) -> dict[str, int]:
    found = await pages(api, "locations=false&limit=1000")
    return {each["sku"]: each["available"] for page in found for each in page["availability"]}


async def test_given_sales_meanwhile_when_a_snapshot_is_read_and_the_stream_goes_on_then_nothing_was_lost(
    api: Api,
) -> None:
    await fill(api, SKUS)
    chance, is_read = random.Random(8), asyncio.Event()

    async def sell() -> None:
        sold = 0
        while not is_read.is_set() or sold < 300:
            (await api.reserve(f"S{chance.randrange(SKUS):04}", 1)).ok(201)
            sold += 1
            if sold % 50 == 0:
                await api.count(f"NEW{sold}", sold)

    async with asyncio.TaskGroup() as group:
        group.create_task(sell())
        found = await pages(api)
        is_read.set()
    await api.count("LAST", 1)

    assert len(found) > 5
    assert len({page["changes_after"] for page in found}) == 1
    known: dict[str, tuple[int, int]] = {}
    for page in found:
        known |= {each["sku"]: (each["seq"], each["available"]) for each in page["availability"]}
    async with asyncio.timeout(20), stream(api, f"?after={found[0]['changes_after']}") as events:
        while "LAST" not in known:
            each = (await events.event()).data
            known[each["sku"]] = max(known.get(each["sku"], (0, 0)), (each["seq"], each["available"]))
        with contextlib.suppress(TimeoutError):
            while not events.last_id:  # the group of the last one ends
                await events.event()
    assert {sku: available for sku, (_, available) in known.items()} == await all_of(api)


async def test_given_a_stream_that_was_reset_when_a_snapshot_is_read_then_it_goes_on_from_there(api: Api) -> None:
    await fill(api, 3)
    async with stream(api, "?after=9999999999999-7") as open_stream:
        assert (await open_stream.event()).name == "reset"
    [page] = await pages(api)
    assert {each["sku"]: each["available"] for each in page["availability"]} == {f"S000{n}": 50 for n in range(3)}
    (await api.reserve("S0001", 2)).ok(201)
    async with stream(api, f"?after={page['changes_after']}") as open_stream:
        assert await open_stream.until({"S0001": 48}) == {"S0001": 48}


async def test_given_a_snapshot_that_outlives_the_journal_when_it_goes_on_then_it_is_told_to_begin_again(
    api: Api, server: Server
) -> None:
    await fill(api, SKUS)
    first = (await api.get("/v1/snapshot?limit=50")).ok()
    await api.count("S0000", 7)
    with server.store() as store:
        store.xtrim(Keyspace(api.partition).journal, maxlen=1, approximate=False)
    said = (await api.get(f"/v1/snapshot?limit=50&after={first['next']}")).problem(400, "invalid")
    assert "begin again" in said["errors"][0]["rule"]


async def test_given_a_store_that_was_restarted_when_a_snapshot_goes_on_then_it_is_told_to_begin_again(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    async with opened(server) as api:
        await fill(api, SKUS)
        first = (await api.get("/v1/snapshot?limit=50")).ok()
        (await api.get(f"/v1/snapshot?limit=50&after={first['next']}")).ok()
    server.stop()
    server.start()
    async with opened(server) as api:
        said = (await api.get(f"/v1/snapshot?limit=50&after={first['next']}")).problem(400, "invalid")
        assert "restarted" in said["errors"][0]["rule"]


async def test_an_untracked_sku_is_in_no_snapshot(api: Api) -> None:
    await api.count("A", 1)
    (await api.put("/v1/skus/SERVICE", {"tracked": False})).ok()
    assert await all_of(api) == {"A": 1}


@pytest.mark.parametrize("query", ["after=x", "after=WzEsIngiXQ", "limit=0", "limit=1001", "sku=A", "after=12"])
async def test_a_query_that_cannot_be_meant_is_refused(api: Api, query: str) -> None:
    (await api.get(f"/v1/snapshot?{query}")).problem(400, "invalid")
