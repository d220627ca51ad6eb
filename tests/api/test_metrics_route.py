"""``/metrics``: who may see the sums of all partitions, and what asking for them costs the others."""

import asyncio
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.telemetry import metrics_page
from server.telemetry.metrics_page import MetricsPage
from tests.support.http import Key, Server, opened, raw_connection

pytest_plugins = ("tests.support.http_fixtures",)

SCRAPER = Key("scraper", "default", ("metrics",))
OTHERS = [Key(f"only-{scope}", "shop", (scope,)) for scope in ("read", "reserve", "stock", "admin")]
REQUESTS = re.compile(r'^holdfast_http_request_seconds_count\{.*route="/v1/locations".*\} ([\d.]+)$', re.MULTILINE)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def keyed() -> Iterator[Server]:
    with Server(keys=[SCRAPER, *OTHERS]) as server:
        yield server
        assert server.faults == []


async def test_a_key_with_the_scope_metrics_sees_them_and_nothing_else(keyed: Server) -> None:
    async with opened(keyed, SCRAPER) as api:
        page = (await api.get("/metrics")).ok()
        assert "holdfast_reservations" in {family.name for family in text_string_to_metric_families(page)}
        (await api.get("/v1/locations")).problem(403, "forbidden")
        (await api.reserve("A", 1)).problem(403, "forbidden")


@pytest.mark.parametrize("key", OTHERS, ids=lambda key: key.id)
async def test_a_key_of_one_partition_does_not_see_the_sums_of_all(keyed: Server, key: Key) -> None:
    async with opened(keyed, key) as api:
        problem = (await api.get("/metrics")).problem(403, "forbidden")
    assert "holdfast keys new --scope metrics" in problem["detail"]
    assert "HOLDFAST_METRICS_PORT" in problem["detail"]


async def test_without_a_key_a_server_with_keys_tells_no_sums_and_says_how(keyed: Server) -> None:
    async with opened(keyed) as api:
        problem = (await api.get("/metrics")).problem(401, "unauthorized")
    assert "HOLDFAST_METRICS_PORT" in problem["detail"]


async def test_a_server_without_keys_tells_its_own_machine_only(start_server: Callable[..., Server]) -> None:
    server = start_server()
    async with opened(server) as api:
        (await api.get("/metrics")).ok()
        for header in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"X-Forwarded-For": "203.0.113.9"}):
            (await api.get("/metrics", headers=header)).problem(403, "local_only")


@pytest.mark.parametrize("workers", [1, 2])
async def test_on_a_port_of_their_own_they_need_no_key_and_the_api_has_them_no_more(
    start_server: Callable[..., Server], workers: int
) -> None:
    port = free_port()
    server = start_server(keys=[SCRAPER], metrics_port=port, workers=workers)
    async with opened(server, SCRAPER) as api:
        (await api.get("/metrics")).problem(404, "not_found")
    own = Server()
    own.port = port
    async with opened(own) as api:
        for _ in range(6):
            assert "holdfast_store_up" in (await api.get("/metrics")).ok()
        (await api.get("/metrics", headers={"Host": "evil.example"})).problem(403, "local_only")
    async with raw_connection(own) as connection:
        await connection.send(b"GET /v1/locations HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert await connection.status() == 404, "nothing else is there"


async def test_on_an_address_of_the_network_their_port_asks_for_no_name(start_server: Callable[..., Server]) -> None:
    port = free_port()
    start_server(keys=[SCRAPER], metrics_host="0.0.0.0", metrics_port=port)
    own = Server()
    own.port = port
    async with opened(own) as api:
        assert "holdfast_store_up" in (await api.get("/metrics", headers={"Host": "holdfast"})).ok()


@pytest.mark.parametrize("taken", ["the port of the API", "a port of another program"])
def test_a_port_that_cannot_be_had_stops_the_start_with_its_setting(taken: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = free_port() if taken == "the port of the API" else other.getsockname()[1]
        server = Server(metrics_port=port)
        server.port = port if taken == "the port of the API" else 0
        with pytest.raises(AssertionError, match="HOLDFAST_METRICS_PORT"):
            server.start()


async def test_the_page_is_made_once_a_second_for_all_who_ask(keyed: Server) -> None:
    async with opened(keyed, SCRAPER) as api:
        began_s, pages = time.monotonic(), set()
        while time.monotonic() - began_s < 1.6:
            answers = await asyncio.gather(*(api.get("/metrics") for _ in range(8)))
            pages |= {answer.raw for answer in answers}
    assert 2 <= len(pages) <= 4


async def test_what_was_asked_is_counted_a_second_later(start_server: Callable[..., Server]) -> None:
    server = start_server()
    async with opened(server) as api:
        await api.get("/metrics")
        for _ in range(7):
            (await api.get("/v1/locations")).ok()
        await asyncio.sleep(metrics_page.PAGE_LIFE_S)
        found = REQUESTS.search((await api.get("/metrics")).ok())
    assert found is not None
    assert float(found[1]) == 7


async def test_many_who_ask_at_once_wait_for_one_page_and_one_who_leaves_takes_it_from_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = 0

    def slow(_registry: object) -> bytes:
        nonlocal made
        made += 1
        time.sleep(0.05)
        return b"page"

    monkeypatch.setattr(metrics_page, "generate_latest", slow)
    page = MetricsPage(multiprocess=False)
    asking = [asyncio.create_task(page.current()) for _ in range(20)]
    await asyncio.sleep(0.01)
    asking[0].cancel()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert answers[1:] == [b"page"] * 19
    assert made == 1
    assert sys.getswitchinterval() == pytest.approx(0.005)


async def test_a_page_that_could_not_be_made_is_a_fault_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    page = MetricsPage(multiprocess=False)
    with monkeypatch.context() as broken:
        broken.setattr(metrics_page, "generate_latest", lambda _registry: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await page.current()
    assert b"holdfast_" in await page.current()


async def test_the_event_loop_runs_on_while_the_page_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_registry: object) -> bytes:
        until_s = time.monotonic() + 0.2
        while time.monotonic() < until_s:
            pass
        return b"page"

    monkeypatch.setattr(metrics_page, "generate_latest", busy)
    making = asyncio.create_task(MetricsPage(multiprocess=False).current())
    turns = 0
    while not making.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 20, "with Python's own 5 ms there would be fewer"


async def test_a_scraper_without_a_key_does_not_keep_its_connection(keyed: Server) -> None:
    async with raw_connection(keyed) as connection, asyncio.timeout(10):
        await connection.send(b"GET /metrics HTTP/1.1\r\nHost: holdfast\r\n\r\n")
        assert await connection.status() == 401
        assert await connection.rest() == b""
