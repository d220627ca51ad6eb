"""The errands of docs/errands.md that connectors and storefronts have, done with each client alone."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.api.test_errands import documented
from tests.clients.lossy_proxy import LossyProxy
from tests.clients.methods import operation_of
from tests.clients.node import HERE, node
from tests.clients.python_errands import ERRANDS, Desk
from tests.clients.sides import MODES, python_client
from tests.support.http import Key, Server

ERRAND_S = 60.0
ROLES = ("connector", "storefront")
DOCUMENTED = {key: routes for key, routes in documented().items() if key[0] in ROLES}

KEYS = {kind: Key(f"errands-{kind}", kind) for kind in (*MODES, "js")}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with a partition for each client, since each does the same errands."""
    secret = base64.b64encode(b"e" * 32).decode()
    with Server(keys=list(KEYS.values()), role="api", secret_key=secret) as started:
        yield started
        assert started.faults == []


@pytest.fixture(scope="module")
def proxy(server: Server) -> Iterator[LossyProxy]:
    """Notes which requests a client has sent; nothing is lost here."""
    with LossyProxy(server.port, seed=0) as noting:
        yield noting


def routes_of(requests: list[tuple[str, str]]) -> list[str]:
    """Return the routes of requests, each once, as the page names them."""
    found = [(verb, operation_of(verb, path.partition("?")[0])[0].path) for verb, path in requests]
    return list(dict.fromkeys(f"{verb} {path}" for verb, path in found))


def in_node(*words: str) -> str:
    """Run the program of the errands in JavaScript."""
    done = subprocess.run(
        [node(), HERE / "errands.mjs", *words], capture_output=True, text=True, check=False, timeout=ERRAND_S
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_each_of_the_errands_is_done() -> None:
    assert set(ERRANDS) == set(DOCUMENTED)


def test_each_of_the_errands_is_done_in_javascript_too() -> None:
    assert {(role, title) for role, title in json.loads(in_node("http://unused", "http://unused", ""))} == set(ERRANDS)


@pytest.mark.parametrize("named", ERRANDS, ids=": ".join)
def test_an_errand_is_done_with_the_javascript_client_alone(
    server: Server, proxy: LossyProxy, named: tuple[str, str]
) -> None:
    proxy.seen.clear()
    in_node(proxy.url, server.url, KEYS["js"].token, *named)

    assert routes_of(proxy.seen) == DOCUMENTED[named]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("named", ERRANDS, ids=": ".join)
def test_an_errand_is_done_with_the_python_client_alone(
    server: Server, proxy: LossyProxy, mode: str, named: tuple[str, str]
) -> None:
    key = KEYS[mode].token
    with ExitStack() as stack:
        others = stack.enter_context(python_client("sync", server.url, key))
        client = stack.enter_context(python_client(mode, proxy.url, key))
        desk = Desk(client, others, lambda token: stack.enter_context(python_client(mode, proxy.url, token)))
        proxy.seen.clear()
        ERRANDS[named](desk)

    assert routes_of(proxy.seen) == DOCUMENTED[named]
