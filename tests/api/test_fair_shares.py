"""Fair shares: whoever asks for more than its share waits for itself and is refused; nobody else notices."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Final

import msgspec
import pytest

from server.api.http.key_shares import Share
from server.api.routes import ROUTES
from server.domain import limits
from tests.conftest import wait_until
from tests.support.http import Answer, Api, Key, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

KEYS: Final = (Key("flood", "one"), Key("near", "one"), Key("far", "two"), Key("scraper", "one", ("metrics",)))
PLACES: Final = 24
"""Operations that may wait: so few that a flood fills them at once."""
REQUESTS: Final = 90


class Callers(msgspec.Struct):
    """A key that floods, and two neighbours: another key of its partition, and one of another partition."""

    server: Server
    flood: Api
    near: Api
    far: Api
    scraper: Api

    async def begin(self) -> None:
        """Have stock in both partitions, and what is read once read."""
        for api in (self.flood, self.far):
            await api.count("A", 1_000_000)
        for api in (self.flood, self.near, self.far):
            await asyncio.gather(*(api.reserve("A", 1) for _ in range(4)))

    async def metric(self, name: str) -> float:
        answer = await self.scraper.get("/metrics")
        assert answer.status == 200, answer.raw
        lines = answer.raw.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.fixture
async def callers(start_server: Callable[..., Server]) -> AsyncIterator[Callers]:
    """Open callers of a server where few operations may wait, and for long."""
    server = start_server(keys=KEYS, queue_operations_max=PLACES, queue_timeout_s=30, reply_timeout_s=30)
    async with AsyncExitStack() as stack:
        made = Callers(server, *[await stack.enter_async_context(opened(server, key)) for key in KEYS])
        await made.begin()
        yield made


def is_refused(task: "asyncio.Task[Answer]") -> bool:
    return task.done() and task.result().status == 503


async def test_given_a_key_that_fills_all_places_when_others_ask_then_it_makes_room_for_them(callers: Callers) -> None:
    with callers.server.frozen_store():
        flood = list[asyncio.Task[Answer]]()

        async def is_full() -> bool:
            flood.extend(
                asyncio.create_task(callers.flood.reserve("A", 1, f"f{number}"))
                for number in range(len(flood), len(flood) + PLACES)
            )
            # Twice, for what a batch has just taken along leaves room.
            waiting = [await callers.metric("holdfast_store_queue_operations") for _ in range(2)]
            return waiting == [PLACES, PLACES] and any(map(is_refused, flood))

        await wait_until(is_full, "all places are taken")
        asked = [asyncio.create_task(api.reserve("A", 1, "mine")) for api in (callers.near, callers.far)]
        asked += [
            asyncio.create_task(api.get(path))
            for api in (callers.near, callers.far)
            for path in ("/v1/availability/A", "/v1/reservations/none")
        ]

        async def all_wait() -> bool:
            return await callers.metric("holdfast_store_queues") == 3

        await wait_until(all_wait, "three keys wait for the store")
    answers = await asyncio.gather(*flood)
    assert [each.status for each in await asyncio.gather(*asked)] == [201, 201, 200, 404, 200, 404]
    refused = [answer for answer in answers if answer.status == 503]
    assert {answer.problem(503, "overloaded")["outcome"] for answer in refused} == {"overloaded"}
    # Nothing happened to what was refused, also where it had waited and made room.
    assert await callers.metric('holdfast_overload_rejections_total{reason="displaced"}') >= 6
    for number, answer in enumerate(answers):
        assert (await callers.flood.get(f"/v1/reservations/f{number}")).status == (404 if answer in refused else 200)


async def test_given_a_key_that_floods_when_others_ask_then_they_are_served_and_it_is_refused(
    callers: Callers,
) -> None:
    ends = asyncio.Event()

    async def flood() -> list[int]:
        statuses = []
        while not ends.is_set():
            statuses.append((await callers.flood.reserve("A", 1)).status)
        return statuses

    floods = [asyncio.create_task(flood()) for _ in range(REQUESTS)]
    for _ in range(40):
        both = await asyncio.gather(callers.near.reserve("A", 1), callers.far.reserve("A", 1))
        assert [answer.status for answer in both] == [201, 201]
    ends.set()
    statuses = [status for each in await asyncio.gather(*floods) for status in each]
    assert {*statuses} == {201, 503}
    said = [line for line in callers.server.stderr.splitlines() if "requests_refused" in line]
    assert said
    assert all('"key": "flood"' in line and '"key": "near"' not in line for line in said)


async def test_given_a_batch_larger_than_the_queue_when_sent_then_it_is_answered_whole(callers: Callers) -> None:
    wanted = [{"channel": "web", "lines": [{"sku": "A", "quantity": 1}]} for _ in range(4 * PLACES)]
    results = (await callers.near.post("/v1/reservations/batch", {"reservations": wanted})).ok()["results"]
    assert {result["status"] for result in results} == {201}
    movements = [{"kind": "receive", "sku": f"B{n}", "quantity": 1} for n in range(4 * PLACES)]
    results = (await callers.near.post("/v1/stock/movements", {"movements": movements})).ok()["results"]
    assert {result["status"] for result in results} == {200}


async def test_given_more_reports_than_a_key_may_have_at_once_when_there_is_time_then_each_gets_its_turn(
    callers: Callers,
) -> None:
    answers = await asyncio.gather(*(callers.near.get("/v1/reservations") for _ in range(7)))
    assert {answer.status for answer in answers} == {200}


async def test_given_as_many_reports_as_a_key_may_have_when_one_more_comes_then_it_waits_and_is_refused(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keys=KEYS, reports_per_key_max=1, queue_timeout_s=0.2)
    async with opened(server, KEYS[0]) as flood, opened(server, KEYS[1]) as near:
        with server.frozen_store():
            mine = [asyncio.create_task(flood.get(path)) for path in ("/v1/reservations", "/v1/shortages")]
            theirs = asyncio.create_task(near.get("/v1/reservations"))
            done, _ = await asyncio.wait(mine, return_when=asyncio.FIRST_COMPLETED)
        [refused] = [each.result() for each in done]
        detail = refused.problem(503, "overloaded")["detail"]
        assert "1 reports and listings running" in detail
        assert refused.headers["Retry-After"] == "1"
        [ran] = [await each for each in mine if each not in done]
        assert ran.body.get("outcome") != "overloaded"
        assert (await theirs).body.get("outcome") != "overloaded"


def test_given_a_route_that_takes_or_reads_much_then_it_has_a_share() -> None:
    bulk = {route.path for route in ROUTES if route.body_bytes_max > limits.BODY_BYTES_MAX}
    # Of a SKU at thousands of places, and of a location that holds thousands of SKUs, which is deleted, too.
    much = {
        "/v1/skus/{sku}/rename",
        "/v1/locations/{name}/rename",
        "/v1/locations/{name}",
        "/v1/imports/{import_id}/undo",
    }
    files = {route.path for route in ROUTES if route.path.startswith("/v1/files/") and route.method == "POST"}
    has_share = {route.path for route in ROUTES if route.share is Share.BULK}
    assert has_share == bulk - {"/v1/availability/query"} | much | files
    pages = {route.path for route in ROUTES if route.query is not None and "limit" in route.query.__struct_fields__}
    pages -= {"/v1/availability/{sku}/nearby"}  # of one SKU, through the queue
    assert pages <= {route.path for route in ROUTES if route.share is Share.REPORTS}
