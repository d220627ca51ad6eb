"""Deliveries of channels over HTTP: what is authentic is kept before it is answered, and nothing else is believed."""

import json
from collections.abc import Iterator
from typing import Final

import aiohttp
import pytest

from tests.channels.market_server import environment, table
from tests.channels.orders_simulator import SECRET, SIGNATURE, Market, signed
from tests.support.contract import contract
from tests.support.http import Key, Server, raw_connection

HEARD: Final = "hf:{default}:channel:market:heard"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Serve without publishing: what was heard stays to be looked at, and the channels are never asked."""
    nowhere = Market(port=9)
    toml = table("market", nowhere) + table("open", nowhere, options='authentic_by = "none"')
    toml += table("deaf", nowhere, options="hears = false")
    with Server(
        keys=[Key("reader", "default", ("read",))], toml=toml, environment=environment(), role="api"
    ) as started:
        yield started
        assert started.faults == []


@pytest.fixture
def market(server: Server) -> Market:
    """Sell on a marketplace that tells this server, which has heard nothing yet."""
    with server.store() as client:
        client.delete(HEARD)
    return Market(webhook=f"{server.url}/v1/notifications/market")


def heard(server: Server, channel: str = "market") -> int:
    with server.store() as client:
        return int(client.xlen(HEARD.replace("market", channel)))


async def test_an_authentic_delivery_is_kept_without_its_buyer_and_answered_as_the_channel_expects(
    market: Market, server: Server
) -> None:
    market.place("o", {"a": 1})

    assert await market.tell("o") == [202]
    assert await market.tell("o", hint=True) == [202]

    with server.store() as client:
        kept = b"".join(client.xrange(HEARD)[0][1].values())
    assert b"La" in kept
    assert b"Marked" not in kept


async def test_what_a_buyer_wrote_of_a_return_is_not_kept(market: Market, server: Server) -> None:
    case = {
        "key": "R",
        "order_key": "o",
        "state": "asked",
        "lines": [{"quantity": 1, "reason": "Marked Person is ill"}],
    }

    assert await market.deliver(json.dumps({"returns": [case]}).encode()) == 202

    with server.store() as client:
        kept = b"".join(client.xrange(HEARD)[0][1].values())
    assert b"asked" in kept
    assert b"Marked" not in kept


async def test_a_repeated_delivery_is_answered_and_kept_once(market: Market, server: Server) -> None:
    market.place("o", {"a": 1})

    assert await market.tell("o") + await market.tell("o") == [202, 202]
    assert heard(server) == 1


@pytest.mark.parametrize("secret", ["", "another"])
async def test_nothing_of_a_forged_delivery_is_kept(market: Market, server: Server, secret: str) -> None:
    market.place("o", {"a": 1})

    assert await market.tell("o", secret=secret) == [401]
    assert heard(server) == 0


@pytest.mark.usefixtures("market")
async def test_a_signature_that_is_no_text_is_forged_and_no_fault_of_ours(server: Server) -> None:
    async with raw_connection(server) as connection:
        host = f"{server.host}:{server.port}".encode()
        await connection.send(
            b"POST /v1/notifications/market HTTP/1.1\r\nHost: " + host + b"\r\n"
            b"X-Market-Signature: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}"
        )
        assert await connection.status() == 401
    assert heard(server) == 0


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"order": {}}', b'{"order": 5}', b"\xff\xfe", b"null", b'{"hints": 5}']
)
async def test_an_authentic_delivery_that_is_not_what_the_contract_says_is_refused(
    market: Market, server: Server, body: bytes
) -> None:
    assert await market.deliver(body) == 400
    assert heard(server) == 0


async def test_a_body_that_is_too_large_is_refused_before_it_is_read_whole(market: Market, server: Server) -> None:
    assert await market.deliver(b"x" * 2_000_000) == 413
    assert heard(server) == 0


@pytest.mark.parametrize("channel", ["nobody", "deaf", "market%00", "Market", "x" * 500])
async def test_a_channel_that_is_not_heard_here_is_not_found(market: Market, server: Server, channel: str) -> None:
    market.webhook = f"{server.url}/v1/notifications/{channel}"

    assert await market.deliver(b"{}", path="/orders") == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/orders/1", 202), ("PUT", "/a/b", 202), ("GET", "", 202), ("POST", "/", 202), ("DELETE", "/", 405)],
)
async def test_each_method_and_path_of_a_channel_is_heard(market: Market, method: str, path: str, status: int) -> None:
    body = json.dumps({"hints": ["o"]}).encode()

    assert await market.deliver(body, path=path, method=method) == status


@pytest.mark.parametrize("path", ["", "/orders"])
@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
@pytest.mark.parametrize(
    "delivery",
    [
        ("market", b'{"hints": ["o"]}', SECRET, 202),
        ("market", b'{"hints": ["o"]}', "another", 401),
        ("market", b"{", SECRET, 400),
        ("nobody", b"{}", SECRET, 404),
        ("market", b"x" * 2_000_000, SECRET, 413),
    ],
)
async def test_each_answer_stands_in_the_description(
    market: Market, server: Server, method: str, path: str, delivery: tuple[str, bytes, str, int]
) -> None:
    channel, body, secret, status = delivery
    market.webhook = f"{server.url}/v1/notifications/{channel}"

    assert await market.deliver(body, secret=secret, path=path, method=method) == status

    described = contract().document["paths"]["/v1/notifications/{channel}" + ("/{rest}" if path else "")]
    responses = described[method.lower()]["responses"]
    assert str(status) in responses or f"{status // 100}XX" in responses
    assert described[method.lower()]["security"] == [{}]


async def test_the_description_has_what_is_served_and_the_page_names_it(server: Server) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/openapi.json") as answer:
        assert await answer.json() == contract().document
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/docs") as answer:
        assert "/v1/notifications/{channel}/…" in await answer.text()


async def test_a_kind_without_a_secret_is_heard_from_programs_of_this_machine_only(server: Server) -> None:
    body = json.dumps({"hints": ["o"]}).encode()
    url, own = f"{server.url}/v1/notifications/open", {SIGNATURE: signed(body)}
    async with aiohttp.ClientSession() as session:
        for headers, status in (
            ({}, 202),
            ({"X-Forwarded-For": "203.0.113.5"}, 403),
            ({"Host": "shop.example"}, 403),
            ({"Origin": "https://shop.example"}, 403),
        ):
            async with session.post(url, data=body, headers={**own, **headers}) as answer:
                assert (answer.status, headers) == (status, headers)


async def test_a_delivery_that_cannot_be_kept_is_to_come_again(market: Market, server: Server) -> None:
    market.place("o", {"a": 1})

    with server.frozen_store():
        assert await market.tell("o") == [503]
    assert await market.tell("o") == [202]


async def test_news_that_nobody_takes_in_are_bounded(market: Market, server: Server) -> None:
    with server.store() as client:
        pipeline = client.pipeline()
        for number in range(10_000):
            pipeline.xadd(HEARD, {"n": str(number)})
        pipeline.execute()
    market.place("o", {"a": 1})

    assert await market.tell("o") == [503]
    assert heard(server) == 10_000


async def test_who_has_no_key_is_heard_where_keys_are_needed(market: Market, server: Server) -> None:
    market.place("o", {"a": 1})
    wrong = {"Authorization": "Bearer hf_x_y"}
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/v1/channels", headers=wrong) as answer:
        assert answer.status == 401

    assert await market.tell("o") == [202]
