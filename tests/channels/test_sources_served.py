"""A served source from end to end: an ERP's stock reaches a shop, an order lowers the ERP, and people decide."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest

from tests.channels.odoo_simulator import PARTNER, OdooSimulator
from tests.channels.test_served import CONFIGURED as SHOP
from tests.channels.webhook_receiver import PATH, SECRET, WebhookReceiver
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

ERP: Final = """
[sources.erp]
kind = "odoo"
allow_private = ["127.0.0.1"]
pull_every_s = 0.1
whole_every_s = 0.1

[sources.erp.options]
base_url = "%s"
database = "shop"
login = "holdfast"
partner_id = %d
locations = { main = 1 }

[sources.erp.credentials]
password = { env = "ERP_PASSWORD" }
"""


@pytest.fixture
async def odoo() -> AsyncIterator[OdooSimulator]:
    async with OdooSimulator() as odoo:
        odoo.add("A", 900)
        odoo.add("B", 5)
        yield odoo
        assert odoo.complaints == []


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        receiver.stock("a", "b", quantity=-1)
        yield receiver
        assert (receiver.complaints, receiver.refused) == ([], [])


@pytest.fixture
def server(receiver: WebhookReceiver, odoo: OdooSimulator, start_server: Callable[..., Server]) -> Server:
    toml = SHOP % (receiver.port, PATH) + ERP % (odoo.url, PARTNER)
    environment = {"SHOP_SECRET": SECRET, "ERP_PASSWORD": odoo.password}
    return start_server(toml=toml, environment=environment, publisher_lease_s=1)


@pytest.fixture
async def api(server: Server, odoo: OdooSimulator) -> AsyncIterator[Api]:
    async with opened(server) as api:
        yield api
    assert server.faults == []
    assert odoo.password not in server.stderr


async def source(api: Api) -> Any:
    [found] = (await api.get("/v1/sources")).ok()["sources"]
    return found


async def shows(receiver: WebhookReceiver, **expected: int) -> None:
    await wait_until(lambda: receiver.shown == expected, f"the shop shows {expected}")


async def listed(api: Api, receiver: WebhookReceiver) -> None:
    listings = [{"sku": "A", "key": "a"}, {"sku": "B", "key": "b"}]
    (await api.put("/v1/channels/shop/listings", {"listings": listings})).ok()
    await shows(receiver, a=900, b=5)


async def order(api: Api, key: str, sku: str, units: int) -> None:
    body = {"reservation_id": key, "channel": "shop", "lines": [{"sku": sku, "quantity": units}]}
    (await api.post("/v1/orders", body)).ok(201)


async def test_the_erp_s_stock_reaches_the_shop_and_an_order_lowers_the_erp(
    api: Api, receiver: WebhookReceiver, odoo: OdooSimulator
) -> None:
    await listed(api, receiver)

    await order(api, "o1", "B", 2)

    await shows(receiver, a=900, b=3)
    await wait_until(lambda: odoo.free("B") == 3, "the ERP has sold them")
    odoo.add("B", 12)  # 7 more arrived
    await shows(receiver, a=900, b=10)
    wanted = {"places": 2, "circuit": "closed", "waiting": 0, "publisher_missing": False}

    async def is_shown() -> bool:
        found = await source(api)
        return {name: found[name] for name in wanted} == wanted

    await wait_until(is_shown, "that is shown")


async def test_a_number_that_waits_is_shown_and_confirmed_by_a_command(
    api: Api, server: Server, receiver: WebhookReceiver, odoo: OdooSimulator
) -> None:
    await listed(api, receiver)
    odoo.add("A", 9)

    async def waits() -> bool:
        return bool((await source(api))["waiting"])

    await wait_until(waits, "the number waits")
    found = (await api.get("/v1/sources/erp/waiting")).ok()
    [number] = found["numbers"]
    assert (number["sku"], number["why"], number["before"], number["after"]) == ("A", "fell", 900, 9)
    assert receiver.shown["a"] == 900
    options = ("--data-dir", server.data_dir)
    assert "fell" in holdfast("sources", "waiting", "erp", *options, cwd=server.directory).stdout
    assert holdfast("sources", "status", *options, cwd=server.directory).returncode == 1

    said = holdfast("sources", "confirm", "erp", "--place", "A", "main", *options, cwd=server.directory)

    assert (said.returncode, said.stdout) == (0, "1 number of erp is counted.\n")
    await shows(receiver, a=9, b=5)


async def test_what_does_not_wait_cannot_be_decided(api: Api, receiver: WebhookReceiver) -> None:
    await listed(api, receiver)
    body = {"decision": "confirmed", "places": [{"sku": "A", "location": "main"}]}

    assert (await api.post("/v1/sources/erp/decisions", body)).problem(404, "not_waiting")
    assert (await api.post("/v1/sources/epr/decisions", body)).problem(404, "unknown_source")
    assert (await api.send("POST", "/v1/sources/erp/pull")).ok(202)["publisher_missing"] is False
    assert (await api.get("/v1/sources/epr/waiting")).problem(404, "unknown_source")


async def test_after_a_kill_9_of_the_server_and_an_outage_of_the_erp_every_unit_is_there_once(
    api: Api, server: Server, receiver: WebhookReceiver, odoo: OdooSimulator
) -> None:
    await listed(api, receiver)
    await odoo.stop()
    await order(api, "o1", "B", 2)
    await shows(receiver, a=900, b=3)
    server.kill()
    await odoo.start()
    server.start()
    async with opened(server) as again:
        await wait_until(lambda: odoo.free("B") == 3, "the ERP has sold them")
        (await again.send("POST", "/v1/sources/erp/pull")).ok(202)

        async def is_known() -> bool:
            found = await source(again)
            return bool(found["known_at"]) and not found["untold"]

        await wait_until(is_known, "all is known again")
        assert (await again.get("/v1/availability/B")).ok()["available"] == 3
        assert odoo.sold("o1") == {"B": 2}
