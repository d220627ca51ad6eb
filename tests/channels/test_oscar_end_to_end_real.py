"""The whole loop with a real Oscar: orders placed through its API come in, and both sides end equal, also killed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import msgspec
import pytest

from tests.channels.oscar.shop import BUYER, Order, RefusedByShopError
from tests.channels.oscar_server import FREES, OSCAR_TIMEOUT_S, SKUS, OscarServer
from tests.channels.shop_loop import CHANNEL, DONE_S, FEED, FEED_ENVIRONMENT, LOOK_S, ShopLoop
from tests.channels.webhook_receiver import WebhookReceiver
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.channels.oscar.fixtures", "tests.support.http_fixtures")
pytestmark = [pytest.mark.real, pytest.mark.timeout(OSCAR_TIMEOUT_S)]

CONFIGURED: Final = """
[channels.shop]
kind = "oscar"
allow_private = ["127.0.0.1"]
reconcile_every_s = 0

[channels.shop.options]
base_url = "%s"
key_is = "sku"
ship_event = "shipped"
cancel_event = "cancelled"

[channels.shop.credentials]
username = { env = "SHOP_USER" }
password = { env = "SHOP_PASSWORD" }
"""
FIRST: Final = 60
"""The SKUs before are those of other tests."""
SHOP_IS_AWAY: Final = frozenset({"channel_circuit_opened", "intake_circuit_opened"})
BUYERS: Final = 12
COUNTED: Final = 60


class OscarLoop(ShopLoop):
    """The loop in the hands of a real Oscar."""

    def __init__(self, server: OscarServer) -> None:
        self._shop = server.shop
        self._bought: dict[str, Order] = {}

    def saleable(self, sku: str) -> int:
        return self._shop.saleable(sku)

    def buy(self, sku: str, units: int) -> str:
        order = self._shop.order(sku, units)
        self._bought[order.key] = order
        return order.key

    def cancel(self, key: str) -> None:
        self._shop.move(self._bought[key], "Cancelled")

    def send_out(self, key: str, units: int) -> None:
        self._shop.event(self._bought[key], "shipped", units)

    def parcels(self, key: str) -> list[tuple[str, str]]:
        return [(name, reference.rpartition(" ")[2]) for name, reference in self._shop.parcels(key)]

    def line(self, key: str) -> str:
        return self._bought[key].line


@pytest.fixture
async def feed() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        receiver.stock(*SKUS, *FREES)
        yield receiver


@pytest.fixture
def server(oscar: OscarServer, feed: WebhookReceiver, start_server: Callable[..., Server]) -> Server:
    secrets = {"SHOP_USER": oscar.shop.keeper, "SHOP_PASSWORD": oscar.shop.password, **FEED_ENVIRONMENT}
    return start_server(toml=CONFIGURED % oscar.url + FEED % feed.hook, environment=secrets)


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with opened(server) as api:
        prices = {"price": "12.90", "currency": "GBP"}
        listings = [{"sku": sku, "key": sku, **prices} for sku in (*SKUS[FIRST : FIRST + 6], *FREES)]
        (await api.put("/v1/channels/shop/listings", {"listings": listings})).ok()
        yield api
    assert [fault for fault in server.faults if msgspec.json.decode(fault)["event"] not in SHOP_IS_AWAY] == []
    assert BUYER not in server.stderr


@pytest.fixture
def loop(oscar: OscarServer) -> OscarLoop:
    return OscarLoop(oscar)


async def test_an_order_lowers_all_channels_and_its_cancel_raises_them(
    api: Api, feed: WebhookReceiver, loop: OscarLoop, oscar: OscarServer
) -> None:
    await loop.check_that_an_order_lowers_all_and_a_cancel_raises_all(api, feed, SKUS[FIRST])
    assert await asyncio.to_thread(oscar.shop.price, SKUS[FIRST]) == "12.90"


async def test_what_is_shipped_here_is_shipped_there_once(api: Api, feed: WebhookReceiver, loop: OscarLoop) -> None:
    await loop.check_that_what_is_shipped_here_is_shipped_there_once(api, feed, SKUS[FIRST + 1])


async def test_what_is_shipped_there_leaves_here(api: Api, feed: WebhookReceiver, loop: OscarLoop) -> None:
    await loop.check_that_what_is_shipped_there_leaves_here(api, feed, SKUS[FIRST + 2])


@pytest.mark.parametrize("sku", FREES)
async def test_a_shop_that_frees_what_was_allocated_ends_equal(
    sku: str, api: Api, feed: WebhookReceiver, loop: OscarLoop, oscar: OscarServer
) -> None:
    if sku == FREES[0]:
        await loop.check_that_an_order_lowers_all_and_a_cancel_raises_all(api, feed, sku)
    else:
        await loop.check_that_what_is_shipped_here_is_shipped_there_once(api, feed, sku)

    level = await asyncio.to_thread(oscar.shop.level, sku)
    assert (level.num_allocated, level.num_in_stock) == (0, 10 if sku == FREES[0] else 8)


async def test_what_is_refused_here_is_cancelled_there(api: Api, feed: WebhookReceiver, loop: OscarLoop) -> None:
    await loop.check_that_what_is_refused_here_is_cancelled_there(api, feed, SKUS[FIRST + 3])


@pytest.mark.parametrize("number", [4, 5])
async def test_a_kill_of_the_shop_in_the_middle_loses_nothing_and_doubles_nothing(
    number: int, api: Api, feed: WebhookReceiver, loop: OscarLoop, oscar: OscarServer
) -> None:
    """Buyers buy, one order leaves here and one is refused here, while the shop is killed and comes back."""
    sku, shop = SKUS[FIRST + number], oscar.shop
    await loop.listed(api, feed, sku, COUNTED)
    sent, refused = [await asyncio.to_thread(loop.buy, sku, 2) for _ in range(2)]
    await loop.becomes(api, sku, committed=4)
    answered: list[str] = []

    def buy(pieces: int) -> None:
        try:
            answered.append(shop.order(sku, pieces).key)
        except (OSError, RefusedByShopError):  # the shop is away, or its last word was lost: it may have been placed
            return

    buying = asyncio.gather(*(asyncio.to_thread(buy, 1 + number % 2) for number in range(BUYERS)))
    mine = (await loop.reservation(api, sent))["reservation_id"]
    (await api.post(f"/v1/reservations/{mine}/fulfil", {"tracking": "T-9", "carrier": "sled"})).ok()
    lines = [{"line": await asyncio.to_thread(loop.line, refused), "quantity": 2}]
    command = {"command": "refuse", "order": refused, "lines": lines}
    (await api.post(f"/v1/channels/{CHANNEL}/outbox", command)).ok(202)
    await wait_until(lambda: len(answered) > 1, "some have bought", within_s=DONE_S)
    await asyncio.to_thread(oscar.kill)
    other = {"channel": "feed", "lines": [{"sku": sku, "quantity": 5}]}
    (await api.post("/v1/orders", other)).ok(201)  # sold elsewhere while the shop is away
    await buying
    await asyncio.to_thread(oscar.start)
    late = await asyncio.to_thread(loop.buy, sku, 1)

    bought = await asyncio.to_thread(shop.bought, sku)
    assert {*answered, sent, refused, late} <= bought.keys()
    living = sum(pieces for key, pieces in bought.items() if key not in (sent, refused)) + 5

    async def booked() -> list[str]:
        listed = (await api.get(f"/v1/reservations?channel={CHANNEL}&sku={sku}&limit=200")).ok()["reservations"]
        return sorted(each["order_ref"] for each in listed)

    async def all_are_booked() -> bool:
        return await booked() == sorted(bought)

    async def is_cancelled() -> bool:
        return await asyncio.to_thread(shop.status, refused) == "Cancelled"

    async def is_told() -> bool:
        return await asyncio.to_thread(loop.parcels, sent) == [("shipped", "T-9")]

    await wait_until(all_are_booked, "all orders are booked", within_s=DONE_S, every_s=LOOK_S)
    await wait_until(is_cancelled, "the refusal has arrived", within_s=DONE_S, every_s=LOOK_S)
    await wait_until(is_told, "the parcel is told", within_s=DONE_S, every_s=LOOK_S)
    await loop.becomes(api, sku, on_hand=COUNTED - 2, committed=living)
    await loop.shows(feed, sku, COUNTED - 2 - living)
    assert await booked() == sorted(bought)
    print(f"{len(bought)} orders, {len(answered)} of them answered")  # noqa: T201  # pytest shows it with -s
