"""A shop that subtracts its open orders lets pieces go, and our number stays: it is told again, so it shows no more."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from adapters.contract.orders import Order, OrderLine
from server.channels.inbound.let_go import LetGo
from tests.channels.market_server import environment, table
from tests.channels.orders_simulator import Market
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

UNITS: Final = 20


@dataclass
class Shop(Market):
    """Shows what it was told, less what is sold and more what it lets go."""

    def let_go(self, key: str, counter: str = "cancelled", pieces: int = 1) -> None:
        line = self.line(key, "a")
        line[counter] = line.get(counter, 0) + pieces
        if line.get("cancelled", 0) >= line["ordered"]:
            self.orders[key]["state"] = "cancelled"
        self.frees(key, pieces)

    def frees(self, key: str, pieces: int) -> None:
        self.shown["a"] += pieces
        self.changed(self.orders[key])


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop() as shop:
        yield shop


@pytest.fixture
def server(shop: Shop, start_server: Callable[..., Server]) -> Server:
    toml = table("east", shop, orders="open_orders_every_s = 0.3", options='own_sale = "subtracts"')
    return start_server(toml=toml, environment=environment(), publisher_lease_s=1, durability="fast")


@pytest.fixture
async def api(server: Server, shop: Shop) -> AsyncIterator[Api]:
    async with opened(server) as api:
        await api.count("a", UNITS)
        await wait_until(lambda: shop.shown.get("a") == UNITS, "the shop shows all")
        yield api
    assert server.faults == []


async def sold(api: Api, shop: Shop, pieces: int) -> str:
    """Sell pieces in the shop; return the reservation once they are booked and shown."""
    shop.place("E1", {"a": pieces})

    async def is_booked() -> bool:
        found = (await api.get("/v1/reservations?channel=east")).ok()["reservations"]
        return [each["state"] for each in found] == ["committed"]

    await wait_until(is_booked, "it is booked", every_s=0.05)
    await shows(shop, UNITS - pieces)
    found: str = (await api.get("/v1/reservations?channel=east")).ok()["reservations"][0]["reservation_id"]
    return found


async def shows(shop: Shop, units: int) -> None:
    """Wait until the shop was told so many last, and shows them."""
    await wait_until(
        lambda: shop.shown["a"] == units and shop.applied[-1] == ("a", units), f"{units} are shown", within_s=20
    )


async def cancelled_here(api: Api, shop: Shop, pieces: int, *, left: int) -> None:
    name = await sold(api, shop, pieces)
    body: dict[str, Any] = {"lines": [{"line": 1, "quantity": pieces - left}]} if left else {}
    (await api.post(f"/v1/reservations/{name}/cancel", body)).ok()
    await shows(shop, UNITS - left)


@pytest.mark.parametrize(("pieces", "left"), [(2, 0), (3, 1)], ids=["all", "some"])
async def test_given_a_cancel_here_when_the_shop_cancels_too_then_it_shows_no_more(
    api: Api, shop: Shop, pieces: int, left: int
) -> None:
    await cancelled_here(api, shop, pieces, left=left)

    shop.let_go("E1", pieces=pieces - left)

    assert shop.shown["a"] > UNITS - left
    await shows(shop, UNITS - left)


async def test_given_a_cancel_here_when_it_is_refused_to_the_shop_then_it_shows_no_more(api: Api, shop: Shop) -> None:
    await cancelled_here(api, shop, 2, left=0)
    body = {"command": "refuse", "order": "E1", "lines": [{"line": "La", "quantity": 2}]}

    (await api.post("/v1/channels/east/outbox", body)).ok(202)
    await wait_until(lambda: shop.orders["E1"]["state"] == "closed", "the shop has cancelled it")
    shop.shown["a"] += 2

    await shows(shop, UNITS)


async def test_given_a_cancel_here_when_the_order_is_edited_there_then_it_shows_no_more(api: Api, shop: Shop) -> None:
    await cancelled_here(api, shop, 3, left=1)

    shop.line("E1", "a")["ordered"] = 1
    shop.frees("E1", 2)

    await shows(shop, UNITS - 1)


async def test_given_a_shipped_order_when_the_shop_takes_it_back_then_it_shows_what_is_here(
    api: Api, shop: Shop
) -> None:
    name = await sold(api, shop, 2)
    (await api.post(f"/v1/reservations/{name}/fulfil", {})).ok()
    shop.let_go("E1", "shipped", 2)
    await shows(shop, UNITS - 2)

    shop.let_go("E1", "returned", 2)

    assert shop.shown["a"] == UNITS
    await shows(shop, UNITS - 2)


async def test_given_an_order_that_was_never_open_here_when_it_is_found_cancelled_then_it_shows_no_more(
    api: Api, shop: Shop
) -> None:
    shop.place("E1", {"a": 2})
    shop.show("a", UNITS)  # a push that came between the order and its cancel
    shop.let_go("E1", pieces=2)

    assert shop.shown["a"] == UNITS + 2
    await shows(shop, UNITS)
    assert (await api.get("/v1/availability/a")).ok()["available"] == UNITS


async def test_given_an_order_of_before_intake_when_it_is_cancelled_then_it_shows_no_more(api: Api, shop: Shop) -> None:
    shop.place("E1", {"a": 2}, at_ms=1)
    shop.orders["E1"]["placed_ms"] = 1
    shop.show("a", UNITS)
    shop.changed(shop.orders["E1"])

    shop.let_go("E1", pieces=2)

    await shows(shop, UNITS)
    assert (await api.get("/v1/reservations?channel=east")).ok()["reservations"] == []


async def test_given_nothing_left_when_a_cancel_of_long_ago_comes_then_the_shop_is_told_first_of_all(
    api: Api, shop: Shop
) -> None:
    await cancelled_here(api, shop, 2, left=0)
    await api.count("a", 0)
    await shows(shop, 0)

    shop.let_go("E1", pieces=2)

    await shows(shop, 0)


async def test_given_a_kill_before_the_shop_was_told_then_the_next_publisher_tells_it(
    api: Api, shop: Shop, server: Server
) -> None:
    await cancelled_here(api, shop, 2, left=0)
    shop.only, shop.always = "/push", "unavailable"
    shop.let_go("E1", pieces=2)
    pushes = len(shop.received)
    await wait_until(lambda: any(each.path == "/push" for each in shop.received[pushes:]), "it was tried")

    server.kill()
    shop.always = None
    server.start()

    await shows(shop, UNITS)


# -- what is looked at


def order(ordered: int = 3, cancelled: int = 0, shipped: int = 0, returned: int = 0, **fields: Any) -> Order:
    line = OrderLine(
        key="1", listing="a", ordered=ordered, cancelled=cancelled, shipped=shipped, returned=returned,
        carries_stock=fields.pop("carries_stock", True),
    )  # fmt: skip
    return Order(**{"key": "A", "changed_ms": 1, "complete": True, "lines": (line,), **fields})


@pytest.mark.parametrize(
    ("before", "now", "is_told"),
    [
        (None, order(), False),  # a new one is told by its booking
        (order(), order(), False),
        (order(), order(4), False),
        (order(), order(2), True),
        (order(), order(cancelled=1), True),
        (order(cancelled=1), order(cancelled=1), False),
        (order(), order(state="cancelled"), True),
        (order(), order(shipped=1), True),
        (order(shipped=3), order(shipped=3, returned=1), True),
        (order(), order(lines=()), True),
        (order(), order(lines=(), complete=False), False),
        (None, order(cancelled=1), True),
        (None, order(cancelled=1, carries_stock=False), False),
    ],
)
async def test_what_is_let_go(before: Order | None, now: Order, is_told: bool) -> None:
    told: list[str] = []

    async def tell(keys: Any) -> None:
        told.extend(keys)

    looks = LetGo(tell)
    if before is not None:
        await looks.look(before)
    told.clear()

    await looks.look(now)

    assert told == (["a"] if is_told else [])
