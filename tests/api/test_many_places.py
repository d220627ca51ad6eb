"""A SKU at thousands of locations over HTTP: sums, one location, and refusals that say what to do."""

from collections.abc import Callable
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.limits import PLACES_PER_ORDER_MAX
from server.store.keys import Keyspace
from tests.support.http import Api, Key, Server, opened
from tests.support.many_places import names_of, stock_everywhere

pytest_plugins = ("tests.support.http_fixtures",)

PLACES: Final = 10_000
SOURCING: Final = {"strategy": "priority"}
WIDE: Final = [f"wide-{number}" for number in range(PLACES_PER_ORDER_MAX // PLACES + 1)]


async def test_given_a_sku_at_10000_locations_when_asked_then_all_one_or_the_sum_come_and_the_rest_is_refused(
    start_server: Callable[..., Server],
) -> None:
    # Of its own: what is written past the journal would be told as drift.
    server, key = start_server(keys=[Key("p", "p")], audit_interval_s=0), Key("p", "p")
    with server.store() as store:
        path = store.connection_pool.connection_kwargs["path"]
    async with Redis(unix_socket_path=path) as client:
        await stock_everywhere(client, Keyspace("p"), ["A"], names_of(PLACES))
        await client.hset(Keyspace("p").skus, mapping=dict.fromkeys(WIDE, msgspec.msgpack.encode(names_of(PLACES))))
    async with opened(server, key) as api:
        await _availability_is_read(api)
        await _repetitions_are_refused(api)
        await _stock_is_explained(api)
        await _one_more_place_is_refused(api)
        await _orders_of_a_chain_are_made(api)
        await _edits_of_a_chain_are_made(api)
        await _wider_orders_are_refused(api)


async def _availability_is_read(api: Api) -> None:
    whole = await api.get("/v1/availability/A")
    summed = await api.get("/v1/availability/A?locations=false")
    there = (await api.get("/v1/availability/A?location=store-00007")).ok()

    assert len(whole.ok()["locations"]) == PLACES
    assert "locations" not in summed.ok()
    assert summed.ok()["locations_left_out"] == PLACES
    assert whole.ok()["available"] == summed.ok()["available"] == 3 * PLACES
    assert whole.headers["ETag"] != summed.headers["ETag"]
    again = await api.get("/v1/availability/A", headers={"If-None-Match": whole.headers["ETag"]})
    assert again.status == 304
    assert there["locations"] == [{"location": "store-00007", "available": 3}]
    (await api.get("/v1/availability/A?location=nowhere")).problem(422, "unknown_sku")


async def _repetitions_are_refused(api: Api) -> None:
    refused = (await api.post("/v1/availability/query", {"skus": ["A"] * 1_000})).problem(422, "answer_too_large")

    assert "20,000 places" in refused["detail"]
    assert all(word in refused["detail"] for word in ("fewer SKUs", "`location`", "`group`", "`locations` false"))
    twice = (await api.post("/v1/availability/query", {"skus": ["A", "A"]})).ok()
    assert [len(each["locations"]) for each in twice["availability"]] == [PLACES] * 2
    summed = (await api.post("/v1/availability/query", {"skus": ["A"] * 1_000, "locations": False})).ok()
    assert {each["available"] for each in summed["availability"]} == {3 * PLACES}


async def _stock_is_explained(api: Api) -> None:
    assert len((await api.get("/v1/stock/A")).ok()["levels"]) == PLACES
    there = (await api.get("/v1/stock/A?location=store-00007")).ok()
    assert (there["available"], [each["location"] for each in there["levels"]]) == (3, ["store-00007"])
    (await api.get("/v1/stock/A?location=nowhere")).problem(422, "unknown_sku")


async def _one_more_place_is_refused(api: Api) -> None:
    (await api.put("/v1/stock/A/new", {"on_hand": 3})).problem(422, "too_many_places")
    (await api.put("/v1/stock/A/store-00007", {"on_hand": 5})).ok()
    body = {"mode": "backorder", "limit": 5}
    (await api.put("/v1/stock/A/new/backorder", body)).problem(422, "too_many_places")


async def _orders_of_a_chain_are_made(api: Api) -> None:
    line = {"sku": "A", "quantity": 5}
    made = (await api.post("/v1/orders", {"channel": "web", "lines": [line]})).ok(201)
    assert [(each["location"], each["committed"]) for each in made["lines"]] == [("store-00007", 5)]
    explained = (await api.post("/v1/sourcing/explain", {"lines": [line | {"quantity": 4}], "channel": "web"})).ok()
    assert [part["quantity"] for part in explained["lines"][0]["parts"]] == [3, 1]


async def _edits_of_a_chain_are_made(api: Api) -> None:
    hold = {"reservation_id": "basket", "channel": "web", "lines": [{"sku": "A", "quantity": 1}]}
    (await api.post("/v1/reservations", hold)).ok(201)
    edited = (await api.post("/v1/reservations/basket/lines", {"lines": [{"sku": "A", "quantity": 5}]})).ok()
    assert sum(each["held"] for each in edited["lines"]) == 5
    sold = {"channel": "web", "lines": [{"sku": "A", "quantity": 700}], "on_shortage": "accept"}
    made = (await api.post("/v1/reservations/batch", {"reservations": [hold | {"reservation_id": "basket-2"}]})).ok()
    assert made["results"][0]["outcome"] == "held"
    lines = (await api.post("/v1/orders", sold)).ok(201)["lines"]
    assert (len(lines), sum(each["committed"] for each in lines)) == (200, 700)


async def _wider_orders_are_refused(api: Api) -> None:
    lines = [{"sku": sku, "quantity": 1} for sku in WIDE]
    plain, sourced = {"channel": "web", "lines": lines}, {"channel": "web", "lines": lines, "sourcing": SOURCING}

    for path, body in (("/v1/orders", plain), ("/v1/orders", sourced), ("/v1/sourcing/explain", {"lines": lines})):
        refused = (await api.post(path, body)).problem(422, "sourcing_incomplete")
        assert (refused["retryable"], "150,000 places" in refused["detail"]) == (False, True), path
    several = [{"channel": "web", "lines": [{"sku": "A", "quantity": 1}]}, sourced, plain]
    answers = (await api.post("/v1/reservations/batch", {"reservations": several})).ok()["results"]
    assert [each["outcome"] for each in answers] == ["held", "sourcing_incomplete", "sourcing_incomplete"]
