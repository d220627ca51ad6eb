"""Browsers' tokens on a real server: what they open and what not, within which reach, and how they end."""

import base64
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from server.api.routes import ROUTES
from server.domain.browser_tokens import BrowserTokens
from server.domain.principal import Scope
from tests.conftest import wait_until
from tests.support.event_streams import CHANGES, closed_with, stream
from tests.support.http import Answer, Api, Key, Server, opened, store_key

pytest_plugins = ("tests.support.http_fixtures",)

ADMIN = Key("admin", "ada")
READER = Key("shop", "ada", ("read",))
RESERVER = Key("desk", "ada", ("reserve",))
OTHER = Key("other", "bob")
SECRET = base64.b64encode(secrets.token_bytes(32)).decode()
ALLOCATION = {"kind": "own", "units": 4, "new": True}


@pytest.fixture(scope="module")
def keyed() -> Iterator[Server]:
    with Server(keys=[ADMIN, READER, RESERVER, OTHER], secret_key=SECRET, figures_interval_s=0) as server:
        yield server
        assert server.faults == []
        assert "hfb_" not in server.stderr


@pytest.fixture
async def api(keyed: Server) -> AsyncIterator[Api]:
    async with opened(keyed, ADMIN) as client:
        await client.count("A", 5)
        await client.count("B", 7)
        yield client


async def token_of(api: Api, **body: object) -> str:
    made = (await api.post("/v1/browser-tokens", body)).ok(201)
    return str(made["token"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def read(api: Api, token: str, sku: str = "A", query: str = "") -> Answer:
    return await api.get(f"/v1/availability/{sku}{query}", headers=bearer(token))


async def test_a_token_reads_what_is_available_and_says_until_when(api: Api) -> None:
    before = datetime.now(UTC)
    made = (await api.post("/v1/browser-tokens", {"ttl_s": 60})).ok(201)

    until = datetime.fromisoformat(made["expires_at"])
    assert 55 <= (until - before).total_seconds() <= 61
    assert (await read(api, made["token"])).ok()["available"] == 5
    many = await api.post("/v1/availability/query", {"skus": ["A", "B"]}, headers=bearer(made["token"]))
    assert [each["available"] for each in many.ok()["availability"]] == [5, 7]
    near = await api.get("/v1/availability/A/nearby?lat=41&lon=29", headers=bearer(made["token"]))
    assert near.ok()["locations"] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/stock/A", None),
        ("GET", "/v1/reservations?sku=A", None),
        ("GET", "/v1/locations", None),
        ("POST", "/v1/reservations", {"channel": "web", "lines": [{"sku": "A", "quantity": 1}]}),
        ("POST", "/v1/stock/movements", {"movements": [{"kind": "receive", "sku": "A", "quantity": 1}]}),
        ("POST", "/v1/browser-tokens", {}),
        ("GET", "/metrics", None),
    ],
    ids=lambda each: str(each)[:30],
)
async def test_a_token_opens_nothing_else(keyed: Server, api: Api, method: str, path: str, body: Any) -> None:
    token = await token_of(api)
    before = keyed.state("ada")

    async with opened(keyed) as browser:  # a connection of its own: a refusal ends it
        options: dict[str, Any] = {} if body is None else {"body": body}
        answer = await browser.send(method, path, **options, headers=bearer(token))

    assert answer.status == 401
    assert keyed.state("ada") == before


def test_every_route_that_takes_tokens_only_reads() -> None:
    open_to_browsers = {(route.method, route.path) for route in ROUTES if route.browser}

    assert open_to_browsers == {
        ("GET", "/v1/availability"),
        ("GET", "/v1/availability/{sku}"),
        ("GET", "/v1/availability/{sku}/nearby"),
        ("POST", "/v1/availability/query"),
        ("GET", CHANGES),
    }
    assert all(route.scope is Scope.READ for route in ROUTES if route.browser)


async def test_a_token_for_some_skus_reads_no_other(api: Api) -> None:
    token = await token_of(api, skus=["A"])
    await api.put("/v1/barcodes", {"barcodes": [{"barcode": "8690000000036", "sku": "B", "factor": 2}]})

    assert (await read(api, token)).ok()["available"] == 5
    told = (await read(api, token, "B")).problem(403, "forbidden")
    assert "other SKUs" in told["detail"]
    for path in ("/v1/availability/B/nearby?lat=41&lon=29", "/v1/availability?barcode=8690000000036"):
        (await api.get(path, headers=bearer(token))).problem(403, "forbidden")
    many = await api.post("/v1/availability/query", {"skus": ["A", "B"]}, headers=bearer(token))
    many.problem(403, "forbidden")


async def test_a_token_for_a_channel_reads_what_that_channel_can_reserve(api: Api) -> None:
    (await api.put("/v1/stock/A/main/allocations/web", ALLOCATION)).ok()
    everybody, of_web = await token_of(api), await token_of(api, channel="web")

    assert (await read(api, everybody)).ok()["available"] == 1
    first = await read(api, of_web)
    assert first.ok()["available"] == 5
    assert (await read(api, of_web, query="?channel=web")).ok()["available"] == 5
    (await read(api, of_web, query="?channel=store")).problem(403, "forbidden")
    many = await api.post("/v1/availability/query", {"skus": ["A"]}, headers=bearer(of_web))
    assert many.ok()["availability"][0]["available"] == 5
    # At the same address stands another number for everybody: its ETag is another one.
    tag = {"If-None-Match": first.headers["ETag"]}
    assert (await api.get("/v1/availability/A", headers=bearer(everybody) | tag)).status == 200
    assert (await api.get("/v1/availability/A", headers=bearer(of_web) | tag)).status == 304
    await api.send("DELETE", "/v1/stock/A/main/allocations/web")


async def test_a_renamed_sku_is_read_under_both_names(api: Api) -> None:
    await api.count("old", 3)
    (await api.post("/v1/skus/old/rename", {"to": "new"})).ok()
    token = await token_of(api, skus=["old"])

    assert (await read(api, token, "old")).ok()["available"] == 3
    assert (await read(api, token, "new")).ok()["available"] == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ttl_s": 59}, "ttl_s"),
        ({"ttl_s": 3601}, "ttl_s"),
        ({"skus": []}, "skus"),
        ({"skus": ["x"] * 51}, "skus"),
        ({"skus": ["\u200b"]}, "skus[0]"),
        ({"skus": [f"{n:02}" + "y" * 126 for n in range(50)]}, "skus"),
        ({"channel": ""}, "channel"),
        ({"minutes": 5}, "minutes"),
    ],
    ids=str,
)
async def test_a_token_that_cannot_be_is_refused(api: Api, body: dict[str, Any], field: str) -> None:
    told = (await api.post("/v1/browser-tokens", body)).problem(400, "invalid")

    assert told["errors"][0]["field"] == field


async def test_a_key_without_read_makes_none(keyed: Server) -> None:
    async with opened(keyed, RESERVER) as desk:
        (await desk.post("/v1/browser-tokens", {})).problem(403, "forbidden")


@pytest.mark.usefixtures("api")
async def test_a_token_is_of_the_partition_of_its_key(keyed: Server) -> None:
    async with opened(keyed, OTHER) as other:
        token = await token_of(other)
        (await read(other, token)).problem(422, "unknown_sku")


@pytest.mark.parametrize("text", ["hfb_", "hfb_AAAA", "hfb_" + "A" * 200, "hfb_" + "A" * 8_000])
async def test_what_was_never_signed_opens_nothing_and_says_so(keyed: Server, text: str) -> None:
    async with opened(keyed) as browser:
        told = (await read(browser, text)).problem(401, "unauthorized")
    assert "Get a new one" in told["detail"]


async def test_without_a_secret_a_server_makes_none_and_says_how(start_server: Callable[..., Server]) -> None:
    async with opened(start_server(keys=[ADMIN])) as api:
        told = await api.post("/v1/browser-tokens", {}, headers=bearer(ADMIN.token))
        assert "HOLDFAST_SECRET_KEY" in told.problem(409, "secret_key_missing")["detail"]


# -- streams


async def test_a_stream_takes_the_token_in_its_query_and_tells_of_its_skus_alone(keyed: Server, api: Api) -> None:
    token = await token_of(api, skus=["A"])
    async with opened(keyed) as browser, stream(browser, f"?access_token={token}") as of_page:
        for units in range(20):
            await api.count("B", units)
        await api.count("A", 41)

        event = await of_page.event()

        assert (event.data["sku"], event.data["available"]) == ("A", 41)
        assert event.id
    # And from where it was, with what came meanwhile.
    await api.count("B", 100)
    await api.count("A", 42)
    async with (
        opened(keyed) as browser,
        stream(browser, f"?access_token={token}&after={of_page.last_id}") as of_page,
    ):
        event = await of_page.event()
        assert (event.data["sku"], event.data["available"]) == ("A", 42)


async def test_a_stream_of_a_channel_s_token_tells_what_the_channel_can_reserve(keyed: Server, api: Api) -> None:
    await api.count("C", 10)
    of_web, everybody = await token_of(api, channel="web", skus=["C"]), await token_of(api, skus=["C"])
    async with (
        opened(keyed) as browser,
        stream(browser, f"?access_token={of_web}") as of_page,
        stream(browser, f"?access_token={everybody}") as of_all,
    ):
        (await api.put("/v1/stock/C/main/allocations/web", ALLOCATION)).ok()
        await api.count("C", 9)

        assert await of_page.until({"C": 9}) == {"C": 9}
        await of_all.until({"C": 5})


async def test_a_stream_ends_when_its_token_s_time_is_over_and_another_token_goes_on(keyed: Server, api: Api) -> None:
    soon = int(datetime.now(UTC).timestamp()) + 2
    short = BrowserTokens([base64.b64decode(SECRET)]).make(ADMIN.id, "ada", soon)
    async with opened(keyed) as browser, stream(browser, f"?access_token={short}") as of_page:
        await api.count("A", 61)
        assert (await of_page.event()).data["available"] == 61

        told = await closed_with(of_page)

        assert (told["reason"], told["retryable"]) == ("token_expired", True)
        (await read(browser, short)).problem(401, "unauthorized")
    await api.count("A", 62)
    after = f"&after={of_page.last_id}"
    async with opened(keyed) as browser, stream(browser, f"?access_token={await token_of(api)}{after}") as of_page:
        assert (await of_page.event()).data["available"] == 62


async def test_tokens_and_their_streams_end_with_the_key_that_made_them(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=[ADMIN], secret_key=SECRET)
    store_key(server, READER)
    async with opened(server, ADMIN) as api, opened(server, READER) as shop, opened(server) as browser:

        async def is_known() -> bool:
            return (await shop.get("/v1/availability/A")).status != 401

        await wait_until(is_known, "the server knows the key")
        await api.count("A", 5)
        token = await token_of(shop)
        assert (await read(browser, token)).ok()["available"] == 5
        async with stream(browser, f"?access_token={token}") as of_page:
            store_key(server, READER, revoked_at=datetime(2026, 1, 1, tzinfo=UTC))

            assert (await closed_with(of_page))["reason"] == "key_revoked"

        (await read(browser, token)).problem(401, "unauthorized")


async def test_on_a_server_without_keys_tokens_last_until_the_first_key(start_server: Callable[..., Server]) -> None:
    server = start_server(secret_key=SECRET, cors_origins="http://shop.localhost")
    page = {"Origin": "http://shop.localhost"}
    async with opened(server) as api, opened(server) as browser:
        await api.count("A", 5)
        token = await token_of(api)
        # A page alone is a stranger, and with a token it reads what is available, and nothing else.
        (await browser.get("/v1/availability/A", headers=page)).problem(403, "local_only")
        assert (await browser.get("/v1/availability/A", headers=page | bearer(token))).ok()["available"] == 5
        (await browser.get("/v1/stock/A", headers=page | bearer(token))).problem(403, "local_only")

        store_key(server, ADMIN)

        async def is_closed() -> bool:
            return (await browser.get("/v1/availability/A", headers=page | bearer(token))).status == 401

        await wait_until(is_closed, "the key has closed the server")


async def test_a_refused_token_is_in_no_line_of_the_log(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=[ADMIN], secret_key=SECRET, log_level="debug", slow_request_ms=1)
    async with opened(server, ADMIN) as api, opened(server) as browser:
        await api.count("A", 5)
        token = await token_of(api)
        async with stream(browser, f"?access_token={token}") as of_page:
            await api.count("A", 6)
            await of_page.event()
        (await browser.get(f"{CHANGES}?access_token={token}x")).problem(401, "unauthorized")
        (await browser.get(f"{CHANGES}?access_token={token}&after=nonsense")).problem(400, "invalid")
        (await browser.get(f"/v1/availability/A?access_token={token}")).problem(400, "invalid")

    assert token[:40] not in server.stderr
