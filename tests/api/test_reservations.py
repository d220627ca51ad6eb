"""Reservations over HTTP: every route in both encodings, replays, batches, lists. Answers are held against OpenAPI."""

import asyncio
from typing import Any

import pytest

import server as package
from server.api.http import openapi
from server.api.routes import ROUTES
from tests.support.http import JSON, MSGPACK, Answer, Api, Key, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

RESERVE = "/v1/reservations"
LINE = {"sku": "A", "quantity": 2}
BODY = {"channel": "web", "lines": [LINE]}


def counters(view: Any, line: int = 1) -> tuple[int, ...]:
    found = view["lines"][line - 1]
    return tuple(found[name] for name in ("held", "committed", "fulfilled", "released", "expired", "returned"))


@pytest.fixture(params=[False, True], ids=["json", "msgpack"])
def msgpack(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_given_the_types_when_the_description_is_fetched_then_it_is_theirs(api: Api) -> None:
    assert (await api.get("/openapi.json")).ok() == openapi.document(ROUTES, package.__version__)


async def test_given_a_life_when_lived_to_the_end_then_each_step_shows_where_the_units_are(
    api: Api, msgpack: bool
) -> None:
    await api.count("A", 10)

    async def step(path: str, body: object, status: int = 200) -> Any:
        answer = await api.post(path, body, msgpack=msgpack)
        assert answer.headers["Content-Type"] == (MSGPACK if msgpack else JSON)
        return answer.ok(status)

    held = await step(RESERVE, {**BODY, "reservation_id": "r", "flags": ["vip"], "customer_ref": "Ş-1"}, 201)
    assert (held["state"], held["flags"], held["customer_ref"]) == ("held", ["vip"], "Ş-1")
    assert counters(held) == (2, 0, 0, 0, 0, 0)
    assert held["availability"][0]["available"] == 8
    extended = await step(RESERVE + "/r/extend", {"ttl_s": 3600})
    assert "availability" not in extended, "it touched no units"
    assert extended["expires_at"] > held["expires_at"]
    kept = await step(RESERVE + "/r/commit", {"lines": [{"line": 1, "quantity": 1}], "remainder": "keep"})
    assert (kept["state"], counters(kept)) == ("held", (1, 1, 0, 0, 0, 0))
    released = await step(RESERVE + "/r/release", {"lines": [{"line": 1, "quantity": 1}]})
    assert (released["state"], counters(released)) == ("committed", (0, 1, 0, 1, 0, 0))
    shipped = await step(RESERVE + "/r/fulfil", {"tracking": "TR1", "carrier": "Yurtiçi", "invoice_ref": "F-1"})
    assert (shipped["state"], counters(shipped)) == ("fulfilled", (0, 0, 1, 1, 0, 0))
    assert shipped["notes"] == {"tracking": "TR1", "carrier": "Yurtiçi", "invoice_ref": "F-1"}
    read = (await api.get(RESERVE + "/r", headers={"Accept": MSGPACK if msgpack else JSON})).ok()
    assert read == {name: value for name, value in shipped.items() if name != "availability"}
    assert await api.available("A") == 9


async def test_given_an_order_when_cancelled_then_the_units_are_back(api: Api, msgpack: bool) -> None:
    await api.count("A", 10)
    ordered = await api.post("/v1/orders", {**BODY, "reservation_id": "o", "order_ref": "T-1"}, msgpack=msgpack)
    assert (ordered.ok(201)["state"], ordered.body["order_ref"]) == ("committed", "T-1")
    assert "expires_at" not in ordered.body
    cancelled = (await api.post(RESERVE + "/o/cancel", {"reason": "changed mind"}, msgpack=msgpack)).ok()
    assert (cancelled["state"], counters(cancelled)) == ("cancelled", (0, 0, 0, 2, 0, 0))
    assert await api.available("A") == 10


async def test_given_a_shortage_when_an_order_is_accepted_then_it_says_who_is_short(api: Api) -> None:
    await api.count("A", 1)
    (await api.post("/v1/orders", BODY)).problem(409, "out_of_stock")
    ordered = (await api.post("/v1/orders", {**BODY, "on_shortage": "accept"})).ok(201)
    assert (counters(ordered)[1], ordered["availability"][0]["available"]) == (2, -1)


async def test_given_too_few_units_when_wanted_then_each_short_line_says_what_there_was(api: Api) -> None:
    await api.count("A", 1)
    await api.count("B", 9)
    lines = [LINE, {"sku": "B", "quantity": 1}]
    problem = (await api.post(RESERVE, {"channel": "web", "lines": lines})).problem(409, "out_of_stock")
    assert problem["retryable"] is True
    assert problem["lines"] == [{"line": 1, "sku": "A", "location": "main", "requested": 2, "available": 1}]
    assert (await api.available("A"), await api.available("B")) == (1, 9)


async def test_given_a_partial_policy_when_short_then_it_gets_what_there_is(api: Api) -> None:
    await api.count("A", 1)
    view = (await api.post(RESERVE, {**BODY, "policy": "partial"})).ok(201)
    assert (view["lines"][0]["requested"], view["lines"][0]["quantity"]) == (2, 1)


@pytest.mark.parametrize(
    ("life", "operation", "outcome"),
    [
        ([], "fulfil", "not_committed"),
        ([], "cancel", "not_committed"),
        (["release"], "release", "already_released"),
        (["release"], "commit", "already_released"),
        (["commit"], "release", "already_committed"),
        (["commit"], "commit", "already_committed"),
        (["commit", "cancel"], "commit", "not_held"),
    ],
)
async def test_given_a_state_when_an_operation_does_not_fit_then_it_is_refused(
    api: Api, life: list[str], operation: str, outcome: str
) -> None:
    await api.count("A", 10)
    (await api.reserve("A", 2, "r")).ok(201)
    for step in life:
        (await api.post(f"{RESERVE}/r/{step}", {})).ok()
    (await api.post(f"{RESERVE}/r/{operation}", {})).problem(409, outcome)


@pytest.mark.parametrize("line", [{"line": 1, "quantity": 3}, {"line": 2, "quantity": 1}])
async def test_given_more_than_is_left_when_released_then_it_is_refused_whole(api: Api, line: object) -> None:
    await api.count("A", 10)
    (await api.reserve("A", 2, "r")).ok(201)
    problem = (await api.post(RESERVE + "/r/release", {"lines": [line]})).problem(422, "exceeds_remaining")
    assert (problem["reservation_id"], problem["state"]) == ("r", "held")
    assert await api.available("A") == 8


async def test_given_an_overdue_hold_when_the_next_buyer_comes_then_it_does_not_block(api: Api) -> None:
    await api.count("A", 2)
    (await api.reserve("A", 2, "first", ttl_s=1)).ok(201)
    async with asyncio.timeout(20):
        while (answer := await api.reserve("A", 2, "second")).status == 409:
            await asyncio.sleep(0.02)
    assert answer.ok(201)["state"] == "held"
    assert (await api.get(RESERVE + "/first")).ok()["state"] == "expired"
    problem = (await api.post(RESERVE + "/first/commit", {})).problem(409, "expired")
    assert problem["lines"][0]["available"] == 0


# -- replays


def same_but_replayed(first: Answer, again: Answer) -> bool:
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    return (first.status, first.raw) == (again.status, again.raw)


REPLAYED: list[tuple[str, str, list[str], Any]] = [
    ("POST", RESERVE, [], BODY),
    ("POST", "/v1/orders", [], {**BODY, "on_shortage": "accept"}),
    ("POST", RESERVE + "/r/extend", [], {"ttl_s": 60}),
    ("POST", RESERVE + "/r/commit", [], {"order_ref": "T-1"}),
    ("POST", RESERVE + "/r/release", [], {}),
    ("POST", RESERVE + "/r/cancel", ["commit"], {"reason": "x"}),
    ("POST", RESERVE + "/r/fulfil", ["commit"], {"tracking": "x"}),
    ("PUT", "/v1/stock/A/main", [], {"on_hand": 50}),
]


@pytest.mark.parametrize("request_", REPLAYED, ids=[row[1] for row in REPLAYED])
async def test_given_an_idempotency_key_when_sent_11_times_then_there_is_one_effect(
    api: Api, server: Server, msgpack: bool, request_: tuple[str, str, list[str], Any]
) -> None:
    method, path, life, body = request_
    await api.count("A", 20)
    (await api.reserve("A", 2, "r")).ok(201)
    for step in life:
        (await api.post(f"{RESERVE}/r/{step}", {})).ok()
    headers = {"Idempotency-Key": "key 1"}
    first = await api.send(method, path, body, headers=headers, msgpack=msgpack)
    after_first = server.state(api.partition)
    for _ in range(10):
        assert same_but_replayed(first, await api.send(method, path, body, headers=headers, msgpack=msgpack))
    assert server.state(api.partition) == after_first


@pytest.mark.parametrize("request_", REPLAYED, ids=[row[1] for row in REPLAYED])
async def test_given_a_used_key_when_it_comes_with_another_body_then_it_is_refused(
    api: Api, server: Server, request_: tuple[str, str, list[str], Any]
) -> None:
    method, path, life, body = request_
    await api.count("A", 20)
    (await api.reserve("A", 2, "r")).ok(201)
    for step in life:
        (await api.post(f"{RESERVE}/r/{step}", {})).ok()
    headers = {"Idempotency-Key": "key 1"}
    assert (await api.send(method, path, body, headers=headers)).status < 300
    after_first = server.state(api.partition)
    other: dict[str, object] = {
        "ttl_s": 61, "on_hand": 51, "order_ref": "T-2", "reason": "y", "tracking": "y", "channel": "shop",
        "lines": [{"line": 1, "quantity": 1}],
    }  # fmt: skip
    changed = {name: other[name] for name in body if name in other} or {"lines": other["lines"]}
    changed.pop("lines", None) if "lines" in body else None
    (await api.send(method, path, {**body, **changed}, headers=headers)).problem(422, "id_reused")
    assert server.state(api.partition) == after_first


async def test_given_a_reservation_id_when_11_arrive_at_once_then_there_is_one_effect(api: Api) -> None:
    await api.count("A", 20)
    answers = await asyncio.gather(*(api.reserve("A", 2, "r") for _ in range(11)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.raw for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 10
    assert await api.available("A") == 18


async def test_given_a_reservation_id_when_it_comes_with_another_body_then_it_is_refused(api: Api) -> None:
    await api.count("A", 20)
    (await api.reserve("A", 2, "r")).ok(201)
    (await api.reserve("A", 3, "r")).problem(422, "id_reused")
    (await api.post("/v1/orders", {**BODY, "reservation_id": "r"})).problem(422, "id_reused")
    assert await api.available("A") == 18


async def test_given_a_hold_that_was_committed_when_reserved_again_then_the_first_answer_comes(api: Api) -> None:
    await api.count("A", 20)
    first = await api.reserve("A", 2, "r")
    (await api.post(RESERVE + "/r/commit", {})).ok()
    assert same_but_replayed(first, await api.reserve("A", 2, "r"))


async def test_given_a_key_and_no_id_when_reserved_then_the_id_follows_from_the_key(api: Api, server: Server) -> None:
    await api.count("A", 20)
    ids = [
        (await api.post(RESERVE, BODY, headers={"Idempotency-Key": name})).ok(201)["reservation_id"]
        for name in ("one", "one", "two")
    ]
    assert ids[0] == ids[1] != ids[2]
    async with opened(server, Key("p0", "p0")) as other:
        await other.count("A", 20)
        there = (await other.post(RESERVE, BODY, headers={"Idempotency-Key": "one"})).ok(201)
    assert there["reservation_id"] == ids[0], "keys are apart by partition, not by name"
    assert await api.available("A") == 16


async def test_given_the_same_body_spelled_otherwise_when_repeated_then_it_is_the_same(api: Api) -> None:
    await api.count("A", 20)
    (await api.reserve("A", 2, "r")).ok(201)
    spelled = (
        b'{ "policy":"all_or_nothing", "reservation_id":"r",'
        b'\n "lines":[{"quantity":2,"sku":"\\u0041"}],"channel":"web"}'
    )
    assert "Idempotent-Replayed" in (await api.send("POST", RESERVE, raw=spelled)).headers


# -- batches


async def test_given_500_reservations_of_all_fates_when_sent_then_each_has_its_own(api: Api, msgpack: bool) -> None:
    await api.count("A", 50)
    wanted = []
    for number in range(500):
        sku, quantity = ("A", 1) if number % 5 < 3 else ("nothing", 1) if number % 5 == 3 else ("A", 1000)
        wanted.append({"reservation_id": f"b{number}", "channel": "web", "lines": [{"sku": sku, "quantity": quantity}]})
    await api.count("B", 1)
    # Of a SKU of its own: what is refused, as the last of A's may be, is no reservation that could be replayed.
    wanted[0] = wanted[499] = {"reservation_id": "b0", "channel": "web", "lines": [{"sku": "B", "quantity": 1}]}
    results = (await api.post(RESERVE + "/batch", {"reservations": wanted}, msgpack=msgpack)).ok()["results"]
    assert [result["reservation_id"] for result in results] == [each["reservation_id"] for each in wanted]
    held = [result for result in results if result["outcome"] == "held" and not result.get("replayed")]
    assert len(held) == 51
    assert all(result["status"] == 201 for result in held)
    assert {result["outcome"] for result in results[3::5]} == {"unknown_sku"}
    assert {result["outcome"] for result in results[4:499:5]} == {"out_of_stock"}
    # Batches in flight may pass each other: which of the two came first is open, that one is a replay is not.
    assert [results[0].get("replayed", False), results[499].get("replayed", False)].count(True) == 1
    assert results[499]["reservation"] == results[0]["reservation"]
    assert await api.available("A") == 0


async def test_given_a_batch_with_a_key_when_repeated_then_each_is_replayed(api: Api) -> None:
    await api.count("A", 50)
    headers = {"Idempotency-Key": "batch-1"}
    first = (await api.post(RESERVE + "/batch", {"reservations": [BODY] * 10}, headers=headers)).ok()["results"]
    again = (await api.post(RESERVE + "/batch", {"reservations": [BODY] * 10}, headers=headers)).ok()["results"]
    assert [result["reservation"] for result in first] == [result["reservation"] for result in again]
    assert all(result["replayed"] for result in again)
    assert await api.available("A") == 30


# -- lists


async def ids_of(api: Api, query: str) -> list[str]:
    """Read all pages."""
    found: list[str] = []
    after = ""
    while True:
        page = (await api.get(f"{RESERVE}?{query}" + (f"&after={after}" if after else ""))).ok()
        found += [view["reservation_id"] for view in page["reservations"]]
        after = page["next"]
        if not after:
            return found


@pytest.fixture
async def listed(api: Api) -> Api:
    await api.count("A", 100)
    await api.count("Ş / 1", 100)
    for number in range(30):
        (
            await api.reserve("A" if number % 3 else "Ş / 1", 1, f"l{number}", channel="web" if number % 2 else "shop")
        ).ok(201)
    for number in range(10):
        (await api.post(f"{RESERVE}/l{number}/{'commit' if number % 2 else 'release'}", {})).ok()
    return api


@pytest.mark.parametrize("limit", [1, 7, 200])
async def test_given_pages_when_all_are_read_then_each_reservation_came(listed: Api, limit: int) -> None:
    assert sorted(set(await ids_of(listed, f"limit={limit}"))) == sorted(f"l{number}" for number in range(30))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=held", set(range(10, 30))),
        ("state=committed", {1, 3, 5, 7, 9}),
        ("state=released", {0, 2, 4, 6, 8}),
        ("state=cancelled", set()),
        ("channel=web", {number for number in range(30) if number % 2}),
        ("sku=%C5%9E%20/%201", {number for number in range(30) if number % 3 == 0}),
        ("sku=%C5%9E+%2F+1&channel=web&state=held", {15, 21, 27}),
        ("sku=nothing", set()),
    ],
)
async def test_given_filters_when_listed_then_only_those_come(listed: Api, query: str, expected: set[int]) -> None:
    assert set(await ids_of(listed, query)) == {f"l{number}" for number in expected}
