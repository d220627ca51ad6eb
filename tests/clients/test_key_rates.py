"""A key that may make few requests a second, in the hands of each client: all calls are made, at the key's pace."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

import pytest

import holdfast
from tests.clients.js_side import js_side
from tests.clients.lossy_proxy import LossyProxy
from tests.clients.sides import MODES, PythonSide, Side, python_client
from tests.support.http import Key, Server
from tests.support.stores import wait_until

ADMIN = Key("boss", "default")
PER_S = 2  # fewer than come at once, so that some are refused however slow the machine is
WORKERS = 4
CALLS = 4
UNITS = 1_000
PATIENT = holdfast.Policy(deadline_s=60, tries_max=60)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(keys=[ADMIN], role="api") as started:
        yield started
        assert started.faults == []


@contextmanager
def side_of(kind: str, url: str, key: str) -> Iterator[Side]:
    with ExitStack() as opened:
        if kind == "js":
            yield opened.enter_context(js_side(url, key, deadlineMs=60_000, triesMax=60))
        else:
            yield PythonSide(opened.enter_context(python_client(kind, url, key, policy=PATIENT)))


def is_known(server: Server, token: str) -> bool:
    """Tell whether the server has heard of a key; it reads them once a second."""
    try:
        with holdfast.Client(server.url, token) as client:
            client.skus.read_many(limit=1)
    except holdfast.AccessRefused as refused:
        return refused.status == HTTPStatus.FORBIDDEN
    return True


@pytest.mark.parametrize("kind", [*MODES, "js"])
def test_given_a_key_with_a_rate_when_a_client_is_faster_then_it_waits_and_every_call_has_one_effect(
    server: Server, kind: str
) -> None:
    sku = f"PACED {kind}"

    def receives(_: int) -> None:
        for _ in range(CALLS):
            [moved] = side.call("stock", "move_many", {"movements": [{"kind": "receive", "sku": sku, "quantity": 1}]})[
                "results"
            ]
            assert moved["status"] == 200, moved

    with holdfast.Client(server.url, ADMIN.token) as boss, LossyProxy(server.port, seed=0) as noting:
        boss.stock.count(sku, on_hand=UNITS, allow_similar=True)
        paced = boss.keys.create(scopes=["stock"], name=kind, requests_per_s=PER_S)
        wait_until(lambda: is_known(server, paced.token), "the server knows the new key")
        with side_of(kind, noting.url, paced.token) as side, ThreadPoolExecutor(WORKERS) as pool:
            for done in [pool.submit(receives, number) for number in range(WORKERS)]:
                done.result()

        assert boss.availability.read(sku).available == UNITS + WORKERS * CALLS
        assert len(noting.seen) > WORKERS * CALLS, "no request was refused, so nothing was paced"
