"""Web pages of other servers: which may call, what they may send and read, on both ways through the server."""

from collections.abc import Iterator

import pytest

from server.api.http.cors import READ
from server.api.http.openapi import document
from server.api.routes import ROUTES
from tests.support.event_streams import CHANGES
from tests.support.http import Answer, Api, Key, Server, opened
from tests.support.scraping import express_requests

pytest_plugins = ("tests.support.http_fixtures",)

ADMIN = Key("admin", "default", ("admin", "metrics"))
SHOP, OTHER = "https://shop.example", "https://evil.example"
ALLOW = "Access-Control-Allow-Origin"
EXPOSE = "Access-Control-Expose-Headers"
RESERVE = {"channel": "web", "lines": [{"sku": "A", "quantity": 1}]}
SAFELISTED = {"Cache-Control", "Content-Type", "Content-Length"}


@pytest.fixture(scope="module")
def listed() -> Iterator[Server]:
    with Server(keys=[ADMIN], cors_origins=f"{SHOP},http://localhost:5173") as server:
        yield server
        assert server.faults == []


@pytest.fixture(scope="module")
def for_all() -> Iterator[Server]:
    with Server(keys=[ADMIN], cors_origins="*") as server:
        yield server
        assert server.faults == []


@pytest.fixture(scope="module")
def for_none() -> Iterator[Server]:
    with Server(keys=[ADMIN]) as server:
        yield server
        assert server.faults == []


async def preflight(api: Api, origin: str, path: str = "/v1/reservations") -> Answer:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "authorization,content-type"
    return await api.send("OPTIONS", path, headers=asked)


def grants(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


async def test_a_preflight_of_a_known_origin_says_what_a_page_may_send(listed: Server) -> None:
    async with opened(listed) as browser:
        answer = await preflight(browser, SHOP)

    assert (answer.status, answer.raw) == (204, b"")
    assert answer.headers[ALLOW] == SHOP
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    sent = answer.headers["Access-Control-Allow-Headers"]
    assert {"Authorization", "Content-Type", "Idempotency-Key"} <= set(sent.split(", "))
    assert answer.headers["Vary"] == "Origin"
    assert answer.headers["Access-Control-Max-Age"] == "600"


@pytest.mark.parametrize("path", ["/v1/availability/A", CHANGES, "/v1/nowhere", "/livez", "/openapi.json"])
async def test_a_preflight_is_answered_for_every_path(listed: Server, path: str) -> None:
    async with opened(listed) as browser:
        answer = await preflight(browser, SHOP, path)

    assert (answer.status, answer.headers[ALLOW]) == (204, SHOP)


@pytest.mark.parametrize("origin", [OTHER, "null", "https://shop.example.evil.example", "http://shop.example", "*"])
async def test_another_origin_is_refused_with_the_setting_and_may_read_nothing(listed: Server, origin: str) -> None:
    async with opened(listed) as browser:
        told = await preflight(browser, origin)
        answer = await browser.get("/v1/availability/A", headers={"Origin": origin})

    assert "HOLDFAST_CORS_ORIGINS" in told.problem(403, "forbidden")["detail"]
    assert (grants(told), grants(answer)) == ({}, {})
    assert (told.headers["Vary"], answer.headers["Vary"]) == ("Origin", "Origin")


async def test_every_answer_to_a_known_origin_can_be_read_refusals_and_streams_too(listed: Server) -> None:
    page = {"Origin": SHOP}
    async with opened(listed, ADMIN) as api, opened(listed) as browser:
        await api.count("A", 5)
        first = await api.get("/v1/availability/A", headers=page)
        answers = [
            first,
            await api.get("/v1/availability/A", headers=page | {"If-None-Match": first.headers["ETag"]}),
            await api.post("/v1/reservations", RESERVE, headers=page),
            await api.post("/v1/reservations", {}, headers=page),
            await api.get("/v1/nowhere", headers=page),
            await api.send("DELETE", "/v1/orders", headers=page),
            await browser.get("/v1/stock/A", headers=page),
            await api.get("/livez", headers=page),
        ]
        async with api._session.get(api._url + CHANGES, headers=page | api._credentials) as response:
            streamed = dict(response.headers)

    assert [each.status for each in answers] == [200, 304, 201, 400, 404, 405, 401, 200]
    for headers in (*(each.headers for each in answers), streamed):
        assert headers[ALLOW] == SHOP
        assert headers[EXPOSE] == READ
        assert headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in headers


async def test_who_is_no_page_takes_the_express_lane_and_caches_are_told_all_the_same(listed: Server) -> None:
    async with opened(listed, ADMIN) as api:
        await api.count("A", 5)
        before = await express_requests(listed, [ADMIN])
        answer = await api.get("/v1/availability/A")
        after = await express_requests(listed, [ADMIN])
        of_page = await api.get("/v1/availability/A", headers={"Origin": SHOP})
        refused = await api.post("/v1/reservations", {})

    assert after - before in (0, 1)  # none where the lane is off
    assert (answer.headers["Vary"], refused.headers["Vary"]) == ("Origin", "Origin")
    assert ALLOW not in answer.headers
    assert of_page.headers[ALLOW] == SHOP


async def test_a_star_lets_every_page_call_and_no_answer_depends_on_it(for_all: Server) -> None:
    async with opened(for_all, ADMIN) as api:
        await api.count("A", 5)
        asked = await preflight(api, OTHER)
        answers = [
            await api.get("/v1/availability/A", headers=headers)
            for headers in ({}, {"Origin": OTHER}, {"Origin": SHOP})
        ]

    assert asked.status == 204
    for each in (asked, *answers):
        assert each.headers[ALLOW] == "*"
        assert "Vary" not in each.headers
        assert "Access-Control-Allow-Credentials" not in each.headers


async def test_without_origins_no_answer_says_anything_of_pages(for_none: Server) -> None:
    async with opened(for_none, ADMIN) as api:
        await api.count("A", 5)
        asked = await preflight(api, SHOP)
        answer = await api.get("/v1/availability/A", headers={"Origin": SHOP})

    assert (grants(asked), grants(answer)) == ({}, {})
    assert "Vary" not in answer.headers
    assert answer.ok()["available"] == 5  # it has a key; only a browser would keep it from the page


def test_pages_may_read_every_header_that_is_documented_and_send_every_one_that_is_understood() -> None:
    from server.api.http.cors import SENT  # noqa: PLC0415

    described = document(ROUTES, "0")
    operations = [each for path in described["paths"].values() for each in path.values()]
    answered = {
        name for each in operations for answer in each["responses"].values() for name in answer.get("headers", ())
    }
    asked = {each["name"] for route in operations for each in route.get("parameters", ()) if each["in"] == "header"}

    assert answered - SAFELISTED - set(READ.split(", ")) == set()
    assert asked - set(SENT.split(", ")) == set()
