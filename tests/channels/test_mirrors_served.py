"""What Hepsiburada holds itself, through a real server: counted at its location, and on sale at its own place alone."""

from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest

from tests.channels.hepsiburada_simulator import INTEGRATOR, MERCHANT, HepsiburadaSimulator
from tests.channels.market_server import environment, table
from tests.channels.orders_simulator import Market
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

HALL: Final = "hb-depot"
KEY: Final = "made-up-service-key"


def hepsiburada(simulator: HepsiburadaSimulator, mirror: str) -> str:
    return f"""
[channels.hepsiburada]
kind = "hepsiburada"
allow_private = ["127.0.0.1"]
locations = ["main"]

[channels.hepsiburada.mirror]
location = "{HALL}"
every_s = 1
{mirror}

[channels.hepsiburada.options]
merchant_id = "{MERCHANT}"
integrator = "{INTEGRATOR}"
listings_url = "{simulator.url}"
orders_url = "{simulator.url}"

[channels.hepsiburada.credentials]
service_key = {{ env = "HEPSIBURADA_KEY" }}
"""


@pytest.fixture
async def hall() -> AsyncIterator[HepsiburadaSimulator]:
    async with HepsiburadaSimulator(service_key=KEY) as simulator:
        simulator.shown = {"TS-1": 6, "TS-2": 4}
        simulator.depot = {"TS-1"}
        yield simulator
    assert simulator.complaints == []


@pytest.fixture
async def shop() -> AsyncIterator[Market]:
    async with Market() as market:
        yield market


StartHall = Callable[..., Server]


@pytest.fixture
def start_hall(hall: HepsiburadaSimulator, shop: Market, start_server: Callable[..., Server]) -> StartHall:
    def start(mirror: str = "") -> Server:
        toml = hepsiburada(hall, mirror) + table("shop", shop)
        env = {**environment(), "HEPSIBURADA_KEY": KEY}
        return start_server(toml=toml, environment=env, publisher_lease_s=1, durability="fast")

    return start


async def on_hand(api: Api) -> dict[str, int]:
    levels = (await api.get("/v1/stock/TS-1")).ok()["levels"]
    return {each["location"]: each["on_hand"] for each in levels}


async def test_it_is_counted_by_the_channel_and_written_by_nobody_else(
    hall: HepsiburadaSimulator, shop: Market, start_hall: StartHall
) -> None:
    server = start_hall()
    async with opened(server) as api:
        await api.count("TS-1", 2)

        async def is_counted() -> bool:
            return await on_hand(api) == {"main": 2, HALL: 6}

        await wait_until(is_counted, "it is counted")
        await wait_until(lambda: shop.shown.get("TS-1") == 2, "the shop shows ours alone")

        async def is_told() -> bool:
            status = (await api.get("/v1/channels/hepsiburada/status")).ok()["mirror"]
            return status is not None and bool(status["read_at"])

        await wait_until(is_told, "its figures")
        status = (await api.get("/v1/channels/hepsiburada/status")).ok()["mirror"]
        assert (status["location"], status["skus"], status["units"], status["unmapped"], status["reason"]) == (
            HALL, 1, 6, 0, "",
        )  # fmt: skip
        assert (await api.get("/v1/channels/shop/status")).ok()["mirror"] is None
        assert (await api.get(f"/v1/locations/{HALL}")).ok()["filled_by"] == "channel:hepsiburada"
        line = {"sku": "TS-1", "quantity": 1, "location": HALL}
        (await api.put(f"/v1/stock/TS-1/{HALL}", {"on_hand": 9})).problem(409, "location_mirrored")
        (await api.put(f"/v1/locations/{HALL}", {})).problem(409, "location_mirrored")
        (await api.post("/v1/orders", {"channel": "shop", "lines": [line]})).problem(409, "location_closed")
        accepted = {"channel": "shop", "lines": [line], "on_shortage": "accept"}
        (await api.post("/v1/orders", accepted)).problem(409, "location_closed")
        assert await on_hand(api) == {"main": 2, HALL: 6}
        assert hall.applied == []
    assert server.faults == []


async def test_where_it_is_meant_other_channels_sell_it_too(
    hall: HepsiburadaSimulator, shop: Market, start_hall: StartHall
) -> None:
    server = start_hall("reserve_for_others = true")
    async with opened(server) as api:
        await api.count("TS-1", 2)
        await wait_until(lambda: shop.shown.get("TS-1") == 8, "the shop shows both")
        lines = [{"sku": "TS-1", "quantity": 1}]

        (await api.post("/v1/orders", {"channel": "shop", "lines": [{"sku": "TS-1", "quantity": 3}]})).ok(201)
        refused = await api.post("/v1/orders", {"channel": "hepsiburada", "lines": [{"sku": "TS-1", "quantity": 3}]})

        refused.problem(409, "out_of_stock")
        assert (await api.get("/v1/availability/TS-1?channel=hepsiburada")).status == 200
        (await api.put("/v1/channels/hepsiburada", {"locations": ["main", HALL]})).problem(400, "invalid")
        (await api.post("/v1/orders", {"channel": "shop", "lines": lines})).ok(201)
    assert hall.applied == []
    assert server.faults == []


async def test_a_kind_that_tells_nothing_of_a_warehouse_stops_the_start(shop: Market, start_server: StartHall) -> None:
    toml = table("shop", shop) + '[channels.shop.mirror]\nlocation = "hall"\n'

    with pytest.raises(AssertionError, match="does not tell what it holds"):
        start_server(toml=toml, environment=environment(), durability="fast")
