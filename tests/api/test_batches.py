"""Batches: a faulty element is refused alone, and a key of a batch belongs to its whole body."""

import asyncio
from typing import Any

import pytest

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

BATCH = "/v1/reservations/batch"
MOVEMENTS = "/v1/stock/movements"
GOOD = {"channel": "web", "lines": [{"sku": "A", "quantity": 1}]}


@pytest.fixture(params=[False, True], ids=["json", "msgpack"])
def msgpack(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def of(sku: object = "A", quantity: object = 1, **fields: object) -> dict[str, object]:
    return {"channel": "web", "lines": [{"sku": sku, "quantity": quantity}], **fields}


FAULTY: dict[str, tuple[object, str]] = {
    "no units": (of(quantity=0), "lines[0].quantity"),
    "a text for a number": (of(quantity="1"), "lines[0].quantity"),
    "no channel": ({"lines": [{"sku": "A", "quantity": 1}]}, "channel"),
    "a misspelled field": (of(ttl=60), "ttl"),
    "no lines": ({"channel": "web", "lines": []}, "lines"),
    "a line break in a name": (of(sku="A\nB"), "lines[0].sku"),
    "an id that begins as none may": (of(reservation_id="~ab"), "reservation_id"),
    "an id that is a number": (of(reservation_id=7), "reservation_id"),
    "no object": (7, "body"),
    "nothing": (None, "body"),
}


@pytest.mark.parametrize("fault", FAULTY)
async def test_given_a_faulty_element_when_sent_then_it_alone_is_refused(api: Api, msgpack: bool, fault: str) -> None:
    await api.count("A", 10)
    bad, field = FAULTY[fault]

    answer = await api.post(BATCH, {"reservations": [of(), bad, of(quantity=2)]}, msgpack=msgpack)

    first, refused, last = answer.ok()["results"]
    assert (first["outcome"], last["outcome"]) == ("held", "held")
    assert (refused["status"], refused["outcome"]) == (400, "invalid")
    assert [each["field"] for each in refused["problem"]["errors"]] == [field]
    assert await api.available("A") == 7


@pytest.mark.parametrize("number", [10**30, -(10**24), 1e308, pytest.param(10**4000, id="4,000 digits")])
async def test_given_a_number_that_nothing_can_hold_when_sent_then_its_element_alone_is_refused(
    api: Api, number: float
) -> None:
    await api.count("A", 10)

    answer = await api.post(BATCH, {"reservations": [of(sku=number), of(quantity=number), of()]})

    assert [each["outcome"] for each in answer.ok()["results"]] == ["invalid", "invalid", "held"]


async def test_given_a_faulty_element_with_an_id_when_refused_then_the_result_has_it(api: Api) -> None:
    await api.count("A", 1)

    results = (await api.post(BATCH, {"reservations": [of(quantity=0, reservation_id="r-1"), of()]})).ok()["results"]

    assert [each["outcome"] for each in results] == ["invalid", "held"]
    assert results[0]["reservation_id"] == "r-1"


@pytest.mark.parametrize(
    "body", [{"reservations": []}, {"reservations": [of()] * 501}, {"reservations": [of()], "x": 1}, {}, []]
)
async def test_given_a_faulty_frame_when_sent_then_the_whole_is_refused(api: Api, body: object, msgpack: bool) -> None:
    await api.count("A", 10)

    (await api.post(BATCH, body, msgpack=msgpack)).problem(400, "invalid")

    assert await api.available("A") == 10


async def test_given_a_batch_with_faults_and_a_key_when_repeated_then_each_answers_as_at_first(api: Api) -> None:
    await api.count("A", 10)
    headers = {"Idempotency-Key": "k"}
    body = {"reservations": [of(), of(quantity=0), of(quantity=2)]}
    shuffled = {"reservations": [of(), {"lines": [{"quantity": 0, "sku": "A"}], "channel": "web"}, of(quantity=2)]}

    first = (await api.post(BATCH, body, headers=headers)).ok()["results"]
    again = (await api.post(BATCH, shuffled, headers=headers, msgpack=True)).ok()["results"]

    assert [each["outcome"] for each in first] == ["held", "invalid", "held"]
    assert [each.get("replayed", False) for each in again] == [True, False, True]
    assert [each["reservation_id"] for each in again] == [each["reservation_id"] for each in first]
    assert await api.available("A") == 7


OTHERS: dict[str, list[Any]] = {
    "another last one": [of(), of(quantity=3)],
    "one more": [of(), of(quantity=2), of()],
    "one fewer": [of()],
    "another order": [of(quantity=2), of()],
    "a faulty one in place of a good one": [of(), of(quantity=0)],
}


@pytest.mark.parametrize("other", OTHERS)
async def test_given_the_key_of_a_batch_when_used_for_another_body_then_nothing_of_it_is_done(
    api: Api, other: str
) -> None:
    await api.count("A", 10)
    headers = {"Idempotency-Key": "k"}
    body = {"reservations": [of(), of(quantity=2)]}
    first = (await api.post(BATCH, body, headers=headers)).ok()["results"]

    (await api.post(BATCH, {"reservations": OTHERS[other]}, headers=headers)).problem(422, "id_reused")

    assert await api.available("A") == 7
    again = (await api.post(BATCH, body, headers=headers)).ok()["results"]
    assert [each["reservation"] for each in again] == [each["reservation"] for each in first]


async def test_given_a_key_when_a_location_that_was_to_be_planned_is_named_then_it_is_another_body(api: Api) -> None:
    await api.count("A", 10)
    headers = {"Idempotency-Key": "k"}
    planned = of(sourcing={"strategy": "priority"})
    named = {**planned, "lines": [{"sku": "A", "quantity": 1, "location": "main"}]}
    (await api.post(BATCH, {"reservations": [planned]}, headers=headers)).ok()

    (await api.post(BATCH, {"reservations": [named]}, headers=headers)).problem(422, "id_reused")


async def test_given_a_batch_of_faults_alone_when_corrected_then_its_key_is_still_free(api: Api) -> None:
    await api.count("A", 10)
    headers = {"Idempotency-Key": "k"}
    refused = (await api.post(BATCH, {"reservations": [of(quantity=0)]}, headers=headers)).ok()["results"]

    corrected = (await api.post(BATCH, {"reservations": [of()]}, headers=headers)).ok()["results"]

    assert [each["outcome"] for each in (*refused, *corrected)] == ["invalid", "held"]


async def test_given_two_bodies_under_one_key_at_once_when_sent_then_one_is_done_whole_and_one_not_at_all(
    api: Api,
) -> None:
    await api.count("A", 1000)
    headers = {"Idempotency-Key": "k"}
    bodies = [{"reservations": [of(quantity=units)] * 3} for units in (1, 20)]

    answers = await asyncio.gather(*(api.post(BATCH, each, headers=headers) for each in bodies * 5))

    done = [each for each in answers if each.status == 200]
    assert len(done) == 5
    assert len({each.body["results"][0]["reservation"]["lines"][0]["quantity"] for each in done}) == 1
    assert await api.available("A") in (997, 940)


def receive(units: int, sku: str = "A") -> dict[str, object]:
    return {"kind": "receive", "sku": sku, "quantity": units}


@pytest.mark.parametrize(
    "other", [[receive(1), receive(3)], [receive(1), receive(2), receive(1)], [receive(1)], [receive(2), receive(1)]]
)
async def test_given_the_key_of_movements_when_used_for_others_then_nothing_of_them_is_done(
    api: Api, other: list[object]
) -> None:
    headers = {"Idempotency-Key": "k"}
    body = {"movements": [receive(1), receive(2)]}
    (await api.post(MOVEMENTS, body, headers=headers)).ok()

    (await api.post(MOVEMENTS, {"movements": other}, headers=headers)).problem(422, "id_reused")

    assert await api.available("A") == 3
    again = (await api.post(MOVEMENTS, body, headers=headers)).ok()["results"]
    assert [each["replayed"] for each in again] == [True, True]
    assert await api.available("A") == 3


async def test_given_a_key_of_a_batch_when_one_thing_is_done_under_it_then_that_is_apart(api: Api) -> None:
    headers = {"Idempotency-Key": "k"}
    (await api.post(MOVEMENTS, {"movements": [receive(1)]}, headers=headers)).ok()

    counted = await api.put("/v1/stock/A/main", {"on_hand": 5}, headers=headers)

    assert counted.ok()["on_hand"] == 5
