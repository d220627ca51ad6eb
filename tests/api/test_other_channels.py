"""Channels that nobody has configured: their orders are taken and shown as such, or refused by a setting."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.conftest import wait_until
from tests.support.docs_examples import CHANNEL, CREDENTIALS
from tests.support.http import Api, Server, opened

ANY, FEW, NONE = "*", "web, till-1", "-"


@pytest.fixture(scope="module", params=[ANY, FEW, NONE], ids=["any", "few", "none"])
def shop(request: pytest.FixtureRequest) -> Iterator[tuple[Server, str]]:
    """Start a server with the channel trendyol."""
    with Server(toml=CHANNEL, environment=CREDENTIALS, role="api", other_channels=request.param) as server:
        yield server, request.param


@pytest.fixture
async def api(shop: tuple[Server, str]) -> AsyncIterator[Api]:
    async with opened(shop[0]) as made:
        await made.count("A", 50)
        yield made


@pytest.mark.parametrize("channel", ["trendyol", "web", "Trendyol", "till-1", "tendyol"])
@pytest.mark.parametrize("route", ["/v1/reservations", "/v1/orders"])
async def test_given_a_channel_when_it_is_named_then_it_is_taken_and_shown_or_refused_with_the_nearest(
    api: Api, shop: tuple[Server, str], channel: str, route: str
) -> None:
    is_taken = channel == "trendyol" or shop[1] == "*" or channel in shop[1].split(", ")
    name = f"{route[4]}-{channel}"
    body = {"reservation_id": name, "channel": channel, "lines": [{"sku": "A", "quantity": 1}]}
    before = await api.available("A")

    answer = await api.post(route, body)

    if not is_taken:
        problem = answer.problem(404, "unknown_channel")
        assert ("did you mean trendyol?" in problem["detail"]) == (channel in ("Trendyol", "tendyol"))
        assert await api.available("A") == before
        (await api.get(f"/v1/reservations/{name}")).problem(404, "unknown_reservation")
        return
    assert "unconfigured_channel" not in answer.ok(201)
    read = (await api.get(f"/v1/reservations/{name}")).ok()
    is_unconfigured = shop[1] == "*" and channel != "trendyol"
    assert read.get("unconfigured_channel", False) == is_unconfigured, "one that the setting names is meant"
    listed = (await api.get(f"/v1/reservations?channel={channel}")).ok()["reservations"]
    assert {each.get("unconfigured_channel", False) for each in listed} == {is_unconfigured}
    assert (await api.post(route, body)).headers["Idempotent-Replayed"] == "true"


async def test_given_an_order_that_is_sold_when_its_channel_is_unknown_then_it_is_taken_all_the_same(
    api: Api, shop: tuple[Server, str]
) -> None:
    name = f"sold-{len(shop[1])}"
    body = {"reservation_id": name, "channel": "tendyol", "lines": [{"sku": "A", "quantity": 1}]}
    answer = (await api.post("/v1/orders", {**body, "on_shortage": "accept"})).ok(201)
    assert answer["state"] == "committed"
    assert (await api.get(f"/v1/reservations/{name}")).ok()["unconfigured_channel"]


@pytest.mark.parametrize("channel", ["trendyol", "web", "Trendyol", "till-1", "tendyol"])
async def test_given_a_channel_when_something_is_asked_on_its_behalf_then_it_is_answered_where_its_orders_are_taken(
    api: Api, shop: tuple[Server, str], channel: str
) -> None:
    is_taken = channel == "trendyol" or shop[1] == "*" or channel in shop[1].split(", ")
    carton = {"barcode": "18690000000033", "sku": "A", "factor": 6}
    (await api.put("/v1/barcodes", {"barcodes": [carton]})).ok()
    lines = [{"sku": "A", "quantity": 1}]
    sourcing = {"strategy": "priority"}

    answers = [
        await api.get(f"/v1/availability/A?channel={channel}"),
        await api.post("/v1/availability/query", {"skus": ["A"], "channel": channel}),
        await api.get(f"/v1/availability?barcode=18690000000033&channel={channel}"),
        await api.post("/v1/sourcing/explain", {"channel": channel, "lines": lines}),
        await api.post("/v1/sourcing/explain", {"channel": channel, "lines": lines, "sourcing": sourcing}),
    ]

    for answer in answers:
        if is_taken:
            answer.ok()
        else:
            assert channel in answer.problem(404, "unknown_channel")["detail"]
    (await api.get(f"/v1/reservations?channel={channel}")).ok()


@pytest.mark.parametrize("channel", ["trendyol", "web", "Trendyol", "till-1", "tendyol"])
async def test_given_a_channel_when_units_are_set_aside_for_it_then_they_are_where_its_orders_are_taken(
    api: Api, shop: tuple[Server, str], channel: str
) -> None:
    is_taken = channel == "trendyol" or shop[1] == "*" or channel in shop[1].split(", ")
    await api.count("ALLOCATED", 50)
    at = "/v1/stock/ALLOCATED/main/allocations"
    await api.put(f"{at}/trendyol", {"units": 9})
    move = {"sku": "ALLOCATED", "location": "main", "from_channel": "trendyol", "to_channel": channel, "units": 1}
    before = (await api.get("/v1/stock/ALLOCATED")).ok()

    answers = [await api.put(f"{at}/{channel}", {"units": 3, "new": True})]
    if channel != "trendyol":
        answers.append(await api.post("/v1/allocations/move", {**move, "new": True}))

    for answer in answers:
        if is_taken:
            answer.ok()
        else:
            assert channel in answer.problem(404, "unknown_channel")["detail"]
    if not is_taken:
        assert (await api.get("/v1/stock/ALLOCATED")).ok()["available"] == before["available"]
        (await api.send("DELETE", f"{at}/{channel}")).ok()


@pytest.mark.parametrize("channel", ["trendyol", "web", "tendyol"])
async def test_given_a_channel_that_sold_nothing_when_its_sales_are_asked_then_they_are_told_where_orders_are_taken(
    api: Api, shop: tuple[Server, str], channel: str
) -> None:
    is_taken = channel == "trendyol" or shop[1] == "*" or channel in shop[1].split(", ")

    answer = await api.get(f"/v1/reports/sales?channel={channel}&sku=NEVER-SOLD")

    if is_taken:
        answer.ok()
    else:
        assert channel in answer.problem(404, "unknown_channel")["detail"]


async def test_given_a_channel_that_is_no_longer_configured_when_asked_then_what_it_sold_and_has_stays_reachable() -> (
    None
):
    body = {"reservation_id": "o-1", "channel": "trendyol", "lines": [{"sku": "A", "quantity": 1}]}
    at, key = "/v1/stock/A/main/allocations/trendyol", {"Idempotency-Key": "first"}
    with Server(toml=CHANNEL, environment=CREDENTIALS, other_channels=NONE) as first:
        async with opened(first) as api:
            await api.count("A", 9)
            (await api.post("/v1/orders", body)).ok(201)
            (await api.put(at, {"units": 4}, headers=key)).ok()

            async def is_counted() -> bool:
                return bool((await api.get("/v1/reports/sales?channel=trendyol")).ok()["rows"])

            await wait_until(is_counted, "the order is counted")
        first.stop()
        with Server(data_dir=first.data_dir, role="api", other_channels=NONE) as second:
            async with opened(second) as api:
                [row] = (await api.get("/v1/reports/sales?channel=trendyol")).ok()["rows"]
                assert row["ordered"] == 1
                assert (await api.put(at, {"units": 4}, headers=key)).headers["Idempotent-Replayed"] == "true"
                (await api.put(at, {"units": 2})).ok()
                (await api.send("DELETE", at)).ok()
                (await api.put(at, {"units": 2})).problem(404, "unknown_channel")


async def test_given_a_batch_when_one_names_an_unknown_channel_then_it_alone_is_refused(
    api: Api, shop: tuple[Server, str]
) -> None:
    lines = [{"sku": "A", "quantity": 1}]
    reservations = [{"channel": channel, "lines": lines} for channel in ("tendyol", "trendyol")]
    results = (await api.post("/v1/reservations/batch", {"reservations": reservations})).ok()["results"]
    expected = "held" if shop[1] == "*" else "unknown_channel"
    assert [each["outcome"] for each in results] == [expected, "held"]


async def test_given_an_exchange_when_the_new_order_names_an_unknown_channel_then_nothing_comes_back(
    api: Api, shop: tuple[Server, str]
) -> None:
    if shop[1] == "*":
        pytest.skip("any channel is taken")
    old = f"old-{len(shop[1])}"
    body = {"reservation_id": old, "channel": "trendyol", "lines": [{"sku": "A", "quantity": 1}]}
    (await api.post("/v1/orders", body)).ok(201)
    (await api.post(f"/v1/reservations/{old}/fulfil", {})).ok()
    order = {"channel": "tendyol", "lines": [{"sku": "A", "quantity": 1}]}
    wanted = {"return": {"lines": [{"line": 1, "quantity": 1, "disposition": "restock"}]}, "order": order}
    (await api.post(f"/v1/reservations/{old}/exchange", wanted)).problem(404, "unknown_channel")
    assert (await api.get(f"/v1/reservations/{old}")).ok()["lines"][0]["returned"] == 0


async def test_given_a_channel_that_is_no_longer_configured_when_its_order_is_repeated_then_it_is_a_replay() -> None:
    body = {"reservation_id": "o-1", "channel": "trendyol", "lines": [{"sku": "A", "quantity": 1}]}
    with Server(toml=CHANNEL, environment=CREDENTIALS, role="api", other_channels=NONE) as first:
        async with opened(first) as api:
            await api.count("A", 9)
            made = (await api.post("/v1/orders", body)).ok(201)
        first.stop()
        with Server(data_dir=first.data_dir, role="api", other_channels=NONE) as second:
            async with opened(second) as api:
                again = await api.post("/v1/orders", body)
                assert (again.ok(201), again.headers["Idempotent-Replayed"]) == (made, "true")
                (await api.post("/v1/orders", {**body, "reservation_id": "o-2"})).problem(404, "unknown_channel")


async def test_given_a_cancel_that_is_remembered_when_it_is_read_then_no_channel_is_called_unconfigured(
    api: Api, shop: tuple[Server, str]
) -> None:
    name = f"cancelled-{len(shop[1])}"
    assert (await api.post(f"/v1/reservations/{name}/cancel", {"on_unknown": "remember"})).status == 202

    assert "unconfigured_channel" not in (await api.get(f"/v1/reservations/{name}")).ok()
