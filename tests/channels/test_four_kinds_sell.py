"""n11, Hepsiburada, Shopify and eMAG sell on a real server: what one sells the others show, and shipments are told."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import pytest

from adapters.testing.order_side import PERSONAL, OrderSide
from tests.channels.emag_order_side import CALLBACK_SECRET, FINALIZED
from tests.channels.emag_simulator import EmagSimulator
from tests.channels.hepsiburada_order_side import PASSWORD, USER
from tests.channels.hepsiburada_simulator import INTEGRATOR, MERCHANT, HepsiburadaSimulator
from tests.channels.n11_simulator import N11Simulator
from tests.channels.shopify_order_side import WEBHOOK_SECRET
from tests.channels.shopify_simulator import ITEM, LOCATION, SHOP, TOKEN, ShopifySimulator
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

SKU: Final = "243409"
"""Also the stock code, the merchant's SKU, the number of the inventory item, and of the offer."""


class Kinds(NamedTuple):
    """The simulated channels."""

    n11: N11Simulator
    hepsiburada: HepsiburadaSimulator
    shopify: ShopifySimulator
    emag: EmagSimulator


def key_at(channel: OrderSide) -> str:
    return f"{ITEM}{SKU}" if isinstance(channel, ShopifySimulator) else SKU


@pytest.fixture
async def kinds() -> AsyncIterator[Kinds]:
    async with AsyncExitStack() as stack:
        made = (N11Simulator(), HepsiburadaSimulator(), ShopifySimulator(maximum=1e9, points=1e9), EmagSimulator())
        for each in made:
            await stack.enter_async_context(each)
            each.stock(key_at(each))
        yield Kinds(*made)
    assert [each.complaints for each in made] == [[], [], [], []]


@pytest.fixture
def server(kinds: Kinds, start_server: Callable[..., Server]) -> Server:
    secrets = {
        "N_KEY": kinds.n11.app_key,
        "N_SECRET": kinds.n11.app_secret,
        "H_KEY": kinds.hepsiburada.service_key,
        "H_USER": USER,
        "H_PASSWORD": PASSWORD,
        "S_TOKEN": TOKEN,
        "S_WEBHOOK": WEBHOOK_SECRET,
        "E_USER": kinds.emag.username,
        "E_PASSWORD": kinds.emag.password,
        "E_SECRET": CALLBACK_SECRET,
    }
    return start_server(toml=_toml(kinds), environment=secrets, publisher_lease_s=1, durability="fast")


def _toml(kinds: Kinds) -> str:
    url = kinds.hepsiburada.url
    options = {
        "n11": f'base_url = "{kinds.n11.url}"\nrequests_per_s = 100',
        "hepsiburada": f'merchant_id = "{MERCHANT}"\nintegrator = "{INTEGRATOR}"\ncarrier = "own"\n'
        "uploads_per_s = 100\nreads_per_s = 100\norders_per_s = 100\n"
        f'listings_url = "{url}"\norders_url = "{url}"',
        "shopify": f'shop = "{SHOP}"\nlocation_id = "{LOCATION}"\nbase_url = "{kinds.shopify.url}"\n'
        "points_per_s = 2000",
        "emag": f'base_url = "{kinds.emag.url}/api-3"',
    }
    credentials = {
        "n11": {"app_key": "N_KEY", "app_secret": "N_SECRET"},
        "hepsiburada": {"service_key": "H_KEY", "notification_user": "H_USER", "notification_password": "H_PASSWORD"},
        "shopify": {"access_token": "S_TOKEN", "webhook_secret": "S_WEBHOOK"},
        "emag": {"username": "E_USER", "password": "E_PASSWORD", "callback_secret": "E_SECRET"},
    }
    return "\n".join(_tables(kind, options[kind], credentials[kind]) for kind in options)


def _tables(kind: str, options: str, credentials: dict[str, str]) -> str:
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    secrets = "\n".join(f'{name} = {{ env = "{variable}" }}' for name, variable in credentials.items())
    return f"""
[channels.{kind}]
kind = "{kind}"
listings = "all"
allow_private = ["127.0.0.1"]
[channels.{kind}.options]
{options}
[channels.{kind}.credentials]
{secrets}
[channels.{kind}.orders]
enabled = true
from = {since}
pull_every_s = 5
open_orders_every_s = 5
acknowledge = "{"never" if kind == "shopify" else "at_once"}"
ship = "{"never" if kind == "n11" else "when_fulfilled"}"
"""


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with opened(server) as api:
        yield api
    assert server.faults == []
    assert [word for word in PERSONAL if word in server.stderr] == []


async def _all_show(quantity: int, channels: Sequence[OrderSide]) -> None:
    await wait_until(
        lambda: [each.shown[key_at(each)] for each in channels] == [quantity] * len(channels), f"all show {quantity}"
    )


async def _fulfil(api: Api, number: str, tracking: str) -> None:
    found: list[dict[str, Any]] = (await api.get("/v1/reservations")).ok()["reservations"]
    [mine] = [each["reservation_id"] for each in found if each["order_ref"] == number]
    (await api.post(f"/v1/reservations/{mine}/fulfil", {"tracking": tracking, "carrier": "Aras"})).ok()


async def test_what_one_sells_the_others_show_and_what_is_shipped_is_told(
    api: Api, server: Server, kinds: Kinds
) -> None:
    await api.count(SKU, 40)
    await _all_show(40, kinds)

    sold, left = dict[str, str](), 40
    for name, channel in kinds._asdict().items():
        sold[name] = channel.place((key_at(channel), 2))
        left -= 2
        await _all_show(left, kinds)

    for name in ("hepsiburada", "shopify", "emag"):
        number = (channel := getattr(kinds, name)).place((key_at(channel), 1))
        path = f"/{CALLBACK_SECRET}?order_id={number}" if name == "emag" else ""
        statuses = await channel.send(f"{server.url}/v1/notifications/{name}{path}", number)
        assert set(statuses) <= {200, 201}
        left -= 1
        await _all_show(left, kinds)
        channel.cancel(number, next(iter(channel.truth[number])), 1)
        left += 1
        await channel.send(f"{server.url}/v1/notifications/{name}{path}", number)
        await _all_show(left, [each for each in kinds if each is not channel])

    await wait_until(lambda: kinds.n11.carried_out.total() > 0, "n11 hears that its order was seen")
    for name in ("hepsiburada", "shopify", "emag"):
        await _fulfil(api, sold[name], f"TR-{name}")
    await wait_until(
        lambda: "TR-hepsiburada" in {each.tracking for each in kinds.hepsiburada.parcels.values()},
        "Hepsiburada is told",
    )
    shop_order = kinds.shopify.orders[int(sold["shopify"])]
    await wait_until(lambda: [each.tracking.get("number") for each in shop_order.parcels] == ["TR-shopify"])
    await wait_until(lambda: kinds.emag.orders[int(sold["emag"])].status == FINALIZED, "eMAG is told")

    level = (await api.get(f"/v1/stock/{SKU}")).ok()["levels"][0]
    assert (level["on_hand"], level["committed"], level["held"]) == (34, 2, 0)
    await _all_show(32, kinds)
