"""One order that cannot be understood does not close its channel: stock goes on being published."""

from collections.abc import AsyncIterator

import pytest

from adapters.contract.errors import UnavailableError, UnreadableOrderError
from adapters.contract.orders import Order
from adapters.woocommerce import ADAPTER, Options
from server.channels.connection.circuit_breaker import CircuitBreaker
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.connection.http_transport import Transport
from tests.channels.woocommerce_simulator import KEY, SECRET, WooCommerceSimulator

OPEN_AFTER = 3


@pytest.fixture
async def shop() -> AsyncIterator[WooCommerceSimulator]:
    async with WooCommerceSimulator() as shop:
        shop.stock("1")
        yield shop


@pytest.fixture
async def client(shop: WooCommerceSimulator) -> AsyncIterator[ChannelClient]:
    credentials = {"consumer_key": KEY, "consumer_secret": SECRET}
    options = Options(base_url=shop.url, requests_per_s=1_000)
    transport = Transport(allow_private=["127.0.0.1"])
    yield ChannelClient(
        "shop",
        lambda: ADAPTER.build(options, credentials),
        transport,
        clock=Clock(),
        circuit_breaker=CircuitBreaker(base_s=0.001, cap_s=0.002, open_after=OPEN_AFTER, random=lambda: 0.5),
        held=_held,
    )
    await transport.close()


async def _held() -> None:
    """Always: there is one publisher here."""


async def _read(client: ChannelClient, number: str) -> Order | None:
    return await client.talk(lambda adapter: adapter.fetch_order(number, 0.0))


async def test_an_impossible_order_leaves_the_circuit_closed(client: ChannelClient, shop: WooCommerceSimulator) -> None:
    number = shop.place(("1", 1))
    shop.spoil(number)

    for _ in range(2 * OPEN_AFTER):
        with pytest.raises(UnreadableOrderError):
            await _read(client, number)

    assert client.circuit_breaker.circuit == "closed"
    assert client.wait_s() == 0


async def test_an_answer_that_is_none_counts_against_the_channel(
    client: ChannelClient, shop: WooCommerceSimulator
) -> None:
    number = shop.place(("1", 1))
    shop.always = "not_json"

    for _ in range(OPEN_AFTER):
        with pytest.raises(UnavailableError):
            await _read(client, number)

    assert client.circuit_breaker.circuit == "open"
