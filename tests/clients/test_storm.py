"""Retry storms over a lossy network, and over crashes: every operation of either client has exactly one effect."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

import holdfast
from tests.clients.js_side import js_side
from tests.clients.lossy_proxy import Fate, LossyProxy
from tests.clients.sides import MODES, PythonSide, Side, python_client
from tests.clients.storm import OPERATIONS, books_of, expected, given, rages, verified
from tests.support.http import Server
from tests.support.stores import wait_until

SEED = 11
PATIENT = holdfast.Policy(deadline_s=90, try_s=0.4, tries_max=60, pause_s=0.02, pause_max_s=0.3)
PATIENT_MS = {"deadlineMs": 90_000, "tryMs": 400, "triesMax": 60, "pauseMs": 20, "pauseMaxMs": 300}
UNTIL_S = 90.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(role="api") as started:
        yield started
        assert started.faults == []


@pytest.mark.timeout(400)
@pytest.mark.parametrize("mode", MODES)
async def test_given_a_lossy_network_when_the_python_client_storms_then_everything_has_one_effect(
    server: Server, mode: str
) -> None:
    with LossyProxy(server.port, seed=SEED) as proxy, python_client(mode, proxy.url, policy=PATIENT) as client:
        await storms(server, proxy, PythonSide(client), f"python-{mode}")


@pytest.mark.timeout(400)
async def test_given_a_lossy_network_when_the_javascript_client_storms_then_everything_has_one_effect(
    server: Server,
) -> None:
    with LossyProxy(server.port, seed=SEED) as proxy, js_side(proxy.url, "", **PATIENT_MS) as side:
        await storms(server, proxy, side, "javascript")


async def storms(server: Server, proxy: LossyProxy, side: Side, name: str) -> None:
    """Let a client rage over the proxy, and compare the books, the journal and the counters."""
    given(side, name)
    proxy.rages()
    rages(side, name)
    proxy.is_calm()
    assert await books_of(server, side, name) == expected(name)
    print(f"seed {SEED}: {proxy.met.total()} requests, {dict(proxy.met)}")  # noqa: T201  # pytest shows it on failure
    assert set(proxy.met) == set(Fate)
    assert proxy.met.total() > OPERATIONS * 1.3
    assert verified(server)


@contextmanager
def side_of(kind: str, url: str) -> Iterator[Side]:
    if kind == "js":
        with js_side(url, "", **PATIENT_MS) as side:
            yield side
        return
    with python_client(kind, url, policy=PATIENT) as client:
        yield PythonSide(client)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", [*MODES, "js"])
async def test_given_a_server_that_crashes_and_comes_back_when_a_client_storms_then_everything_has_one_effect(
    kind: str,
) -> None:
    name = f"crashes-{kind}"
    with (
        Server(role="api") as own,
        LossyProxy(own.port, seed=SEED) as proxy,
        side_of(kind, proxy.url) as side,
        ThreadPoolExecutor(1) as pool,
    ):
        given(side, name)
        raging = pool.submit(rages, side, name)
        for share, end in ((0.2, own.kill), (0.4, own.stop), (0.7, own.kill)):
            least = int(share * OPERATIONS)
            wait_until(lambda least=least: len(proxy.seen) > least, f"{least} requests were made", UNTIL_S)  # type: ignore[misc]  # its default binds it
            end()
            own.start()
        raging.result()
        proxy.is_calm()
        assert await books_of(own, side, name) == expected(name)
        print(f"{len(proxy.seen)} requests of {OPERATIONS} operations")  # noqa: T201  # pytest shows it on failure
        assert verified(own)
