"""The simulated channels of the demo and the sample: who may speak with them, and how a server learns of them."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from standardwebhooks import Webhook

from server.cli.demo.simulated_channels import Receiver, SimulatedChannel
from server.cli.demo.stage import Stage, open_stage
from server.config.settings import load_config_file

STOCK = "/integration/inventory/sellers/1/products/price-and-inventory"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as stage:
        yield stage


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def channel(stage: Stage, name: str) -> SimulatedChannel:
    return next(each for each in stage.channels if each.name == name)


def test_a_server_reads_the_channels_from_the_file_and_no_secret_stands_in_it(stage: Stage) -> None:
    read = load_config_file(stage.config).channels

    assert {each.settings.name: each.credentials.read() for each in read} == {
        each.name: each.credentials for each in stage.channels
    }
    text = stage.config.read_text()
    assert not any(secret in text for each in stage.channels for secret in each.credentials.values())


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("sim-marketplace", "POST", STOCK),
        ("sim-marketplace", "GET", "/integration/product/sellers/1/products/batch-requests/any"),
        ("sim-marketplace", "GET", "/integration/product/sellers/1/products/approved/inventory-and-price?barcodes=A"),
        ("sim-shop", "GET", "/wp-json/wc/v3/products?sku=A"),
        ("sim-shop", "POST", "/wp-json/wc/v3/products/batch"),
        (
            "sim-bazaar",
            "GET",
            "/integration/order/sellers/1/orders/stream?lastModifiedStartDate=0&lastModifiedEndDate=1",
        ),
        ("sim-marketplace", "GET", "/integration/order/sellers/1/v2/orders?orderNumber=1"),
        ("sim-marketplace", "PUT", "/integration/order/sellers/1/shipment-packages/1"),
        ("sim-shop", "GET", "/wp-json/wc/v3/orders?modified_after=2026-01-01T00:00:00&per_page=1&offset=0"),
        ("sim-shop", "PUT", "/wp-json/wc/v3/orders/1"),
        ("sim-webhook", "POST", "/stock"),
    ],
)
async def test_a_stranger_is_refused(
    stage: Stage, session: aiohttp.ClientSession, name: str, method: str, path: str
) -> None:
    async with session.request(
        method,
        channel(stage, name).url + path,
        json={},
        headers={"Authorization": aiohttp.encode_basic_auth("someone", "else")},
    ) as answer:
        assert answer.status == 401


async def test_a_ticket_that_was_never_given_is_not_known(stage: Stage, session: aiohttp.ClientSession) -> None:
    marketplace = channel(stage, "sim-marketplace")
    headers = {"Authorization": aiohttp.encode_basic_auth(*list(marketplace.credentials.values())[:2])}

    async with session.get(
        f"{marketplace.url}/integration/product/sellers/1/products/batch-requests/any", headers=headers
    ) as answer:
        assert answer.status == 404


async def deliver(
    session: aiohttp.ClientSession, receiver: SimulatedChannel, quantity: int, version: int, *, signed_s: float
) -> int:
    """Sign as the public package does, and send."""
    body = f'{{"data":{{"key":"A","quantity":{quantity},"version":{version}}}}}'
    webhook = Webhook(receiver.credentials["secret"])
    headers = {
        "webhook-id": f"evt_{version}",
        "webhook-timestamp": str(int(signed_s)),
        "webhook-signature": webhook.sign(f"evt_{version}", datetime.fromtimestamp(signed_s, UTC), body),
    }
    async with session.post(f"{receiver.url}/stock", data=body, headers=headers) as answer:
        return answer.status


async def test_a_signature_of_the_public_package_is_taken_and_an_older_version_dropped(
    stage: Stage, session: aiohttp.ClientSession
) -> None:
    receiver = channel(stage, Receiver.name)

    statuses = [
        await deliver(session, receiver, quantity, version, signed_s=time.time())
        for quantity, version in ((7, 2), (8, 1))
    ]

    assert statuses == [204, 204]
    assert receiver.shown == {"A": 7}


async def test_a_signature_of_long_ago_is_refused(stage: Stage, session: aiohttp.ClientSession) -> None:
    receiver = channel(stage, Receiver.name)

    assert await deliver(session, receiver, 7, 1, signed_s=time.time() - 3_600) == 401
    assert receiver.shown == {}
