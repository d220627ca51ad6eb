"""The whole of Holdfast against a real Vendure: a real server process, its publisher, a thousand variants."""

from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest

from tests.channels.vendure_server import PASSWORD, SKUS, USERNAME, VENDURE_TIMEOUT_S, VendureServer
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.channels.vendure.fixtures", "tests.support.http_fixtures")
pytestmark = pytest.mark.timeout(VENDURE_TIMEOUT_S)

CHANNEL: Final = "/v1/channels/shop"
CONFIGURED: Final = """
[channels.shop]
kind = "vendure"
allow_private = ["127.0.0.1"]
reconcile_every_s = 0

[channels.shop.options]
base_url = "%s"

[channels.shop.credentials]
username = { env = "SHOP_USER" }
password = { env = "SHOP_PASSWORD" }
"""
DONE_S: Final = 60.0
"""A thousand variants take Vendure some four seconds; how long they may take on a busy machine."""
LOOK_S: Final = 1.0
"""To read a thousand levels is as much work for it as to write them."""


@pytest.fixture
async def api(vendure: VendureServer, start_server: Callable[..., Server], variants: int) -> AsyncIterator[Api]:
    """Serve with the shop as a channel, and a listing for each of so many of its variants."""
    server = start_server(
        toml=CONFIGURED % vendure.admin_url, environment={"SHOP_USER": USERNAME, "SHOP_PASSWORD": PASSWORD}
    )
    async with opened(server) as api:
        listings = [{"sku": sku, "key": vendure.ids[sku]} for sku in SKUS[:variants]]
        (await api.put(f"{CHANNEL}/listings", {"listings": listings})).ok()
        yield api
    assert server.faults == []
    assert PASSWORD not in server.stderr


async def settled(api: Api) -> None:
    """Wait until the shop has confirmed everything that was published."""

    async def is_settled() -> bool:
        status = (await api.get(f"{CHANNEL}/status")).ok()
        return status["dirty"] == 0 and status["last_confirmed_at"] is not None and status["dead_letters"] == 0

    await wait_until(is_settled, "the shop has confirmed all", within_s=DONE_S)


@pytest.mark.parametrize("variants", [50, pytest.param(1_000, marks=pytest.mark.soak)])
async def test_what_holdfast_holds_available_is_what_vendure_reports_for_each_variant(
    api: Api, vendure: VendureServer, variants: int
) -> None:
    skus = SKUS[:variants]
    wanted = {sku: number % 40 + 5 for number, sku in enumerate(skus)}
    movements = [{"kind": "count", "sku": sku, "on_hand": units} for sku, units in wanted.items()]
    (await api.post("/v1/stock/movements", {"movements": movements})).ok()

    def shown() -> dict[str, int]:
        levels = vendure.shop.levels()
        return {sku: levels[vendure.ids[sku]].saleable for sku in skus}

    await wait_until(lambda: shown() == wanted, "Vendure reports every count", within_s=DONE_S, every_s=LOOK_S)

    # A reservation takes units from what Vendure shows.
    (await api.reserve(skus[40], 3)).ok(201)
    wanted[skus[40]] -= 3
    await wait_until(lambda: shown() == wanted, "Vendure shows what is left", within_s=DONE_S, every_s=LOOK_S)

    # A value is changed in the shop itself; comparing finds and corrects it.
    await settled(api)
    vendure.shop.set_on_hand(vendure.ids[skus[7]], 999)
    assert shown() != wanted
    (await api.post(f"{CHANNEL}/reconcile", {})).ok(202)
    await wait_until(lambda: shown() == wanted, "Vendure is corrected", within_s=DONE_S, every_s=LOOK_S)

    async def reconciled() -> bool:
        reconcile = (await api.get(f"{CHANNEL}/status")).ok()["reconcile"]
        return reconcile is not None and (reconcile["checked"], reconcile["differed"]) == (len(skus), 1)

    await wait_until(reconciled, "the status shows the one difference", within_s=DONE_S)
