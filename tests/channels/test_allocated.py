"""Own units and caps from end to end: each channel is sent its own number by a real process's publisher."""

from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest

from tests.channels.webhook_receiver import PATH, SECRET, WebhookReceiver
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

CHANNELS: Final = ("shop", "pazar", "kiosk")
CONFIGURED: Final = """
[channels.%(name)s]
kind = "webhook"
listings = "all"
allow_private = ["127.0.0.1"]

[channels.%(name)s.options]
url = "http://127.0.0.1:%(port)d%(path)s"

[channels.%(name)s.credentials]
secret = { env = "SHOP_SECRET" }
"""


@pytest.fixture
async def receivers() -> AsyncIterator[dict[str, WebhookReceiver]]:
    async with WebhookReceiver() as shop, WebhookReceiver() as pazar, WebhookReceiver() as kiosk:
        receivers = dict(zip(CHANNELS, (shop, pazar, kiosk), strict=True))
        for receiver in receivers.values():
            receiver.stock("A", quantity=-1)
        yield receivers
        for receiver in receivers.values():
            assert (receiver.complaints, receiver.refused) == ([], [])


@pytest.fixture
def server(receivers: dict[str, WebhookReceiver], start_server: Callable[..., Server]) -> Server:
    toml = "".join(CONFIGURED % {"name": name, "port": each.port, "path": PATH} for name, each in receivers.items())
    return start_server(toml=toml, environment={"SHOP_SECRET": SECRET}, publisher_lease_s=1)


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with opened(server) as api:
        yield api
    assert server.faults == []


async def test_given_own_units_and_a_cap_when_they_change_then_each_channel_is_sent_its_own_number(
    api: Api, server: Server, receivers: dict[str, WebhookReceiver]
) -> None:
    async def show(*quantities: int) -> None:
        wanted = dict(zip(CHANNELS, quantities, strict=True))
        await wait_until(
            lambda: {name: each.shown["A"] for name, each in receivers.items()} == wanted, f"channels show {wanted}"
        )

    async def allocate(channel: str, **body: object) -> None:
        (await api.put(f"/v1/stock/A/main/allocations/{channel}", body)).ok()

    async def sell(channel: str, name: str, quantity: int) -> None:
        lines = [{"sku": "A", "quantity": quantity}]
        (await api.post("/v1/orders", {"reservation_id": name, "channel": channel, "lines": lines})).ok(201)

    await api.count("A", 10)
    await show(10, 10, 10)
    await allocate("shop", units=4)
    await show(10, 6, 6)
    await allocate("kiosk", units=2, kind="cap")
    await show(10, 6, 2)
    await sell("shop", "s-1", 3)  # of its own units: only its own number changes
    await show(7, 6, 2)
    await sell("pazar", "p-1", 5)
    await show(2, 1, 1)
    (await api.post("/v1/reservations/s-1/cancel", {})).ok()
    await show(5, 1, 1)
    moved = {"sku": "A", "from_channel": "shop", "to_channel": "pazar", "units": 4}
    (await api.post("/v1/allocations/move", moved)).ok()
    await show(1, 5, 1)
    (await api.send("DELETE", "/v1/stock/A/main/allocations/kiosk")).ok()
    await sell("kiosk", "k-1", 1)
    await show(0, 4, 0)

    server.kill()
    server.start()
    async with opened(server) as again:
        await again.count("A", 13)
        await show(3, 7, 3)
