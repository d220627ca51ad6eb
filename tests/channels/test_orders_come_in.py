"""Orders of marketplaces come in through a real server: stock follows everywhere, and what is done here goes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest

from tests.channels.market_server import environment, table
from tests.channels.orders_simulator import Market
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

NAMES: Final = ("east", "west", "north")
RULES: Final = 'ship = "when_fulfilled"\nacknowledge = "at_once"\nopen_orders_every_s = 1.0'


class Markets(dict[str, Market]):
    """Marketplaces by the names of their channels."""

    async def show(self, listing: str, quantity: int) -> None:
        await wait_until(
            lambda: all(market.shown.get(listing) == quantity for market in self.values()),
            f"all show {quantity} of {listing}",
        )


@pytest.fixture
async def markets() -> AsyncIterator[Markets]:
    async with AsyncExitStack() as stack:
        yield Markets({name: await stack.enter_async_context(Market()) for name in NAMES})


@pytest.fixture
def server(markets: Markets, start_server: Callable[..., Server]) -> Server:
    toml = "".join(table(name, market, orders=RULES) for name, market in markets.items())
    server = start_server(toml=toml, environment=environment(), publisher_lease_s=1, durability="fast")
    for name, market in markets.items():
        market.webhook = f"{server.url}/v1/notifications/{name}"
    return server


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with opened(server) as api:
        yield api
    assert server.faults == []
    assert "Marked" not in server.stderr


async def stock_of(api: Api, sku: str) -> dict[str, Any]:
    level: dict[str, Any] = (await api.get(f"/v1/stock/{sku}")).ok()["levels"][0]
    return level


def becomes(api: Api, sku: str, **wanted: int) -> Awaitable[None]:
    """Wait until a SKU's counters are as wanted."""

    async def is_so() -> bool:
        level = await stock_of(api, sku)
        return all(level[name] == value for name, value in wanted.items())

    return wait_until(is_so, f"{sku} has {wanted}")


async def test_orders_that_are_read_and_orders_that_are_heard_lower_all_channels_and_a_cancel_brings_units_back(
    api: Api, markets: Markets
) -> None:
    await api.count("a", 10)
    await markets.show("a", 10)

    markets["east"].place("E1", {"a": 2})  # it says nothing: it is found by reading
    await markets.show("a", 8)
    markets["west"].place("W1", {"a": 3})
    assert await markets["west"].tell("W1") == [202]
    await markets.show("a", 5)
    markets["east"].cancel("E1", "a", 1)
    assert await markets["east"].tell("E1", hint=True) == [202]
    await markets.show("a", 6)

    await becomes(api, "a", on_hand=10, committed=4, held=0)


async def test_what_is_shipped_here_is_told_there_once_and_what_is_shipped_there_leaves_here(
    api: Api, markets: Markets
) -> None:
    await api.count("a", 10)
    await markets.show("a", 10)
    east = markets["east"]
    east.place("E1", {"a": 2})
    east.place("E2", {"a": 1})
    await becomes(api, "a", committed=3)
    listed = (await api.get("/v1/reservations?channel=east")).ok()["reservations"]
    mine = next(each for each in listed if each["order_ref"] == "E1")["reservation_id"]

    (await api.post(f"/v1/reservations/{mine}/fulfil", {"tracking": "T1", "carrier": "sled"})).ok()
    await wait_until(lambda: east.orders["E1"]["state"] == "closed", "the shipment is told")
    east.line("E2", "a")["shipped"] = 1
    east.orders["E2"]["state"] = "closed"
    east.changed(east.orders["E2"])

    await becomes(api, "a", on_hand=7, committed=0)
    east.place("E3", {"a": 1})
    await wait_until(lambda: east.reads["E3"] > 2, "all that is open was read again")
    assert {what: times for what, times in east.said.items() if what[1] == "ship"} == {("E1", "ship", '{"La": 2}'): 1}
    assert east.orders["E1"]["acknowledged"]
    assert (await stock_of(api, "a"))["on_hand"] == 7


async def test_three_units_that_five_buyers_bought_at_once_are_booked_and_two_are_short(
    api: Api, markets: Markets
) -> None:
    await api.count("a", 3)
    await markets.show("a", 3)

    for number in range(5):
        name = NAMES[number % len(NAMES)]
        markets[name].place(f"O{number}", {"a": 1})
    await asyncio.gather(*(markets[NAMES[number % len(NAMES)]].tell(f"O{number}") for number in range(5)))

    await markets.show("a", 0)
    await becomes(api, "a", committed=5, on_hand=3)
    short = (await api.get("/v1/shortages")).ok()["shortages"]
    assert [(each["sku"], each["short"], len(each["lines"])) for each in short] == [("a", 2, 2)]
    lacking = {line["order_ref"] for line in short[0]["lines"]}
    kept = next(f"O{number}" for number in range(5) if f"O{number}" not in lacking)
    market = next(each for each in markets.values() if kept in each.orders)

    market.cancel(kept, "a", 1)

    await becomes(api, "a", committed=4)
    left = (await api.get("/v1/shortages")).ok()["shortages"][0]
    assert {line["order_ref"] for line in left["lines"]} < lacking
    await markets.show("a", 0)


async def test_the_status_of_a_channel_shows_its_intake(api: Api, markets: Markets) -> None:
    markets["east"].place("E1", {"a": 1})

    async def is_shown() -> bool:
        status = (await api.get("/v1/channels/east/status")).ok()
        return status["intake"] is not None and status["intake"]["open"] == 1 and status["intake"]["lag_s"] < 2

    await wait_until(is_shown, "the intake is shown")


async def test_what_a_person_says_is_said_once_and_shown_with_what_came_of_it(api: Api, markets: Markets) -> None:
    east, outbox = markets["east"], "/v1/channels/east/outbox"
    east.place("E1", {"a": 2})
    ship = {"command": "ship", "order": "E1", "lines": [{"line": "La", "quantity": 1}], "tracking": "T1"}
    too_many = {**ship, "lines": [{"line": "La", "quantity": 5}], "tracking": "T2"}

    asked = [(await api.post(outbox, ship)).ok(202) for _ in range(2)]
    assert asked[0] == asked[1]
    (await api.post(outbox, too_many)).ok(202)

    async def are_settled() -> bool:
        listed = (await api.get(outbox)).ok()["commands"]
        states = {each["command"] + each["state"]: each for each in listed}
        return {"shipdone", "shiprefused", "acknowledgedone"} == set(states)

    await wait_until(are_settled, "all are settled")
    refused = (await api.get(f"{outbox}?state=refused&order=E1")).ok()["commands"][0]
    assert refused["reason"] == "impossible"
    [note] = (await api.get("/v1/orders/east/E1")).ok()["notes"]
    assert (note["actor"], note["text"]) == ("channel:east", "ship refused: 1 pieces are left of La")
    assert east.line("E1", "a")["shipped"] == 1
    (await api.post(f"{outbox}/again", {"ids": [refused["id"]]})).ok(202)
    (await api.post(f"{outbox}/cancel", {"ids": [refused["id"]]})).ok(202)
    (await api.post("/v1/channels/east/orders/read", {"orders": ["E1"]})).ok(202)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"command": "ship", "order": "E1"}, "lines"),
        ({"command": "ship", "order": "E1", "lines": []}, "lines"),
        ({"command": "ship", "order": "E1", "lines": [{"line": "a", "quantity": 1}] * 2}, "lines"),
        ({"command": "ship", "order": "E1", "lines": [{"line": "a", "quantity": 1}], "number": "5"}, "number"),
        ({"command": "refuse", "order": "E1", "lines": [{"line": "a", "quantity": 1}], "reason": "mood"}, "reason"),
        ({"command": "invoice", "order": "E1", "number": "5", "url": "https://shop.example/5"}, "command"),
        ({"command": "sing", "order": "E1"}, "command"),
    ],
)
async def test_a_command_that_cannot_be_said_is_refused_with_the_field(
    api: Api, markets: Markets, body: dict[str, Any], field: str
) -> None:
    async def is_known() -> bool:
        return (await api.get("/v1/channels/east/status")).ok()["intake"] is not None

    await wait_until(is_known, "what can be said is known")

    problem = (await api.post("/v1/channels/east/outbox", body)).problem(400, "invalid")

    assert problem["errors"][0]["field"] == field
    assert not markets["east"].said
