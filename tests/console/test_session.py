"""Sessions of the console: begun with a key, good for pages of this server alone, and gone when they should be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import aiohttp
import pytest

from server.store.repositories.console_sessions import SESSION_KEY
from tests.console.signed_in import Session, signed_in
from tests.support.http import Api, Key, Server, opened, store_key
from tests.support.stores import wait_until

pytest_plugins = ("tests.support.http_fixtures",)

OWNER = Key("owner", "shop")
CLERK = Key("clerk", "shop", ("read",))
PICKER = Key("picker", "shop", ("reserve",))
STRANGER = Key("stranger", "shop")
COUNT = {"movements": [{"kind": "count", "sku": "TEA", "location": "main", "on_hand": 5}]}


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    with Server(keys=[OWNER, CLERK, PICKER], console_idle_s=60) as started:
        yield started
        assert started.faults == []


@pytest.fixture
async def anybody(served: Server) -> AsyncIterator[Api]:
    async with opened(served) as api:
        yield api


@pytest.fixture
async def owner(anybody: Api) -> Session:
    return await signed_in(anybody, OWNER)


async def test_a_key_is_exchanged_for_a_cookie_that_opens_what_the_key_opens(owner: Session) -> None:
    (await owner.send("POST", "/v1/stock/movements", COUNT)).ok()
    view = (await owner.send("GET", "/v1/console/session")).ok()

    assert (await owner.send("GET", "/v1/availability/TEA")).ok()["available"] == 5
    assert (view["key_id"], view["partition"], view["person"], view["role"]) == ("owner", "shop", "Ayşe", "owner")
    assert OWNER.secret not in str(view)


async def test_the_cookie_is_for_the_server_alone(served: Server, anybody: Api, owner: Session) -> None:
    by_https = await signed_in(anybody, OWNER, Origin=f"https://127.0.0.1:{served.port}")

    name, flags = owner.set_cookie.split("=")[0], owner.set_cookie.split("; ")[1:]
    assert name == "holdfast-console"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags)
    assert "Secure" not in flags
    assert by_https.set_cookie.startswith("__Host-holdfast-console=")
    assert "Secure" in by_https.set_cookie.split("; ")
    assert "Domain" not in by_https.set_cookie


async def test_what_a_person_changes_has_their_name_in_the_history(owner: Session) -> None:
    count = {"movements": [{"kind": "count", "sku": "SALT", "location": "main", "on_hand": 5, "reason": "shelf 3"}]}
    (await owner.send("POST", "/v1/stock/movements", count)).ok()

    [change] = (await owner.send("GET", "/v1/history?sku=SALT&actor=owner/Ay%C5%9Fe")).ok()["changes"]

    assert (change["actor"], change["reason"]) == ("owner/Ayşe", "shelf 3")


async def test_each_sign_in_has_a_token_of_its_own_whatever_cookie_came_along(anybody: Api, owner: Session) -> None:
    planted = "holdfast-console=planted-by-somebody-else"

    fixed = await signed_in(anybody, OWNER, Cookie=planted)
    again = await signed_in(anybody, OWNER, Cookie=owner.cookie)

    assert len({planted, fixed.cookie, again.cookie, owner.cookie}) == 4
    (await owner.send("GET", "/v1/console/session", Cookie=planted)).problem(401, "unauthorized")


async def test_a_session_opens_no_other_session(owner: Session) -> None:
    (await owner.send("POST", "/v1/console/session", {"person": "Eve"})).problem(401, "unauthorized")


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}], ids=str)
async def test_another_page_signs_nobody_in(anybody: Api, headers: dict[str, str]) -> None:
    sent = {"Authorization": f"Bearer {OWNER.token}", **headers}

    answer = await anybody.post("/v1/console/session", {"person": "Eve"}, headers=sent)

    answer.problem(403, "forbidden")
    assert "Set-Cookie" not in answer.headers


async def test_the_store_keeps_no_token(served: Server, owner: Session) -> None:
    token = owner.cookie.partition("=")[2].encode()
    with served.store() as store:
        kept = {key: store.get(key) for key in store.scan_iter(f"{SESSION_KEY}*")}

    assert kept
    assert not any(token in key or token in value for key, value in kept.items())


@pytest.mark.parametrize(
    "headers",
    [
        {"X_CSRF_Token": ""},
        {"X_CSRF_Token": "0" * 64},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Sec_Fetch_Site": "", "Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "", "Origin": "null"},
        {"Sec_Fetch_Site": ""},
    ],
    ids=str,
)
async def test_another_page_changes_nothing_with_the_cookie(owner: Session, headers: dict[str, str]) -> None:
    answer = await owner.send("POST", "/v1/stock/movements", COUNT, **headers)

    answer.problem(403, "forbidden")


async def test_the_token_of_another_session_is_of_no_use(anybody: Api, owner: Session) -> None:
    other = await signed_in(anybody, OWNER)

    (await owner.send("POST", "/v1/stock/movements", COUNT, X_CSRF_Token=other.csrf)).problem(403, "forbidden")


async def test_a_browser_without_sec_fetch_site_is_known_by_its_origin(served: Server, owner: Session) -> None:
    own = f"http://{served.host}:{served.port}"

    (await owner.send("POST", "/v1/stock/movements", COUNT, Sec_Fetch_Site="", Origin=own)).ok()


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_page_reads_nothing_with_the_cookie(owner: Session, site: str) -> None:
    (await owner.send("GET", "/v1/stock/TEA", Sec_Fetch_Site=site)).problem(403, "forbidden")


async def test_a_session_does_not_more_than_its_key(anybody: Api) -> None:
    clerk = await signed_in(anybody, CLERK)

    assert (await clerk.send("GET", "/v1/console/session")).ok()["role"] == "read"
    (await clerk.send("GET", "/v1/shortages")).ok()
    (await clerk.send("POST", "/v1/stock/movements", COUNT)).problem(403, "forbidden")
    (await clerk.send("GET", "/metrics")).problem(401, "unauthorized")


async def test_a_key_that_reads_nothing_does_not_open_the_console(anybody: Api) -> None:
    sent = {"Authorization": f"Bearer {PICKER.token}"}

    (await anybody.post("/v1/console/session", {"person": "P"}, headers=sent)).problem(403, "forbidden")


async def test_a_key_that_was_sent_counts_and_the_cookie_beside_it_does_not(owner: Session) -> None:
    (await owner.send("GET", "/v1/stock/TEA", Authorization="Bearer hf_owner_wrong")).problem(401, "unauthorized")


async def test_a_cookie_that_is_there_twice_is_none(owner: Session) -> None:
    (await owner.send("GET", "/v1/stock/TEA", Cookie=f"{owner.cookie}; {owner.cookie}")).problem(401, "unauthorized")


@pytest.mark.parametrize("person", ["", " ", "a\nb", "x" * 65, "a\u202eb"], ids=repr)
async def test_a_name_that_cannot_be_read_is_refused(anybody: Api, person: str) -> None:
    sent = {"Authorization": f"Bearer {OWNER.token}"}

    (await anybody.post("/v1/console/session", {"person": person}, headers=sent)).problem(400, "invalid")


async def test_who_signs_out_is_out_in_all_processes(owner: Session) -> None:
    first = await owner.send("DELETE", "/v1/console/session")

    assert first.ok() == {"signed_out": True}
    assert "Max-Age=0" in first.headers["Set-Cookie"]
    (await owner.send("GET", "/v1/console/session")).problem(401, "unauthorized")


async def test_a_session_survives_a_restart_and_ends_with_its_key(start_server: Callable[..., Server]) -> None:
    server = start_server()
    store_key(server, OWNER)
    store_key(server, CLERK)
    async with opened(server) as anybody:
        await _until(lambda: _status(anybody, STRANGER), 401)
        session = await signed_in(anybody, CLERK)
        server.stop()
        server.start()
        view = (await session.send("GET", "/v1/console/session")).ok()

        store_key(server, CLERK, revoked_at=datetime.now(UTC))

        assert view["person"] == "Ayşe"
        async with asyncio.timeout(30):
            while (answer := await session.send("GET", "/v1/shortages")).status == 200:
                await asyncio.sleep(0.05)
        answer.problem(401, "unauthorized")


async def test_a_key_with_the_same_id_does_not_take_a_session_over(start_server: Callable[..., Server]) -> None:
    server = start_server()
    store_key(server, OWNER)
    async with opened(server) as anybody:
        await _until(lambda: _status(anybody, STRANGER), 401)
        session = await signed_in(anybody, OWNER)

        store_key(server, OWNER, sha256="0" * 64)

        await _until(lambda: _status(anybody, OWNER), 401)
        (await session.send("GET", "/v1/shortages")).problem(401, "unauthorized")


async def test_a_session_ends_when_nobody_asked_for_its_idle_time(served: Server, owner: Session) -> None:
    with served.store() as store:
        [key] = [key for key in store.scan_iter(f"{SESSION_KEY}*") if _is_of(key, owner)]
        store.expire(key, 20)

        await owner.send("GET", "/v1/shortages", X_Unattended="1")
        by_itself_s = store.ttl(key)
        await owner.send("GET", "/v1/shortages")
        by_a_person_s = store.ttl(key)
        store.pexpire(key, 1)

        assert by_itself_s <= 20
        assert by_a_person_s > 50
        wait_until(lambda: not store.exists(key), "the session is gone", 10)
    (await owner.send("GET", "/v1/shortages")).problem(401, "unauthorized")


async def test_a_session_ends_at_its_latest_however_busy_it_is(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=[OWNER], console_idle_s=3_600, console_session_s=60)
    async with opened(server) as anybody:
        session = await signed_in(anybody, OWNER)
        await session.send("GET", "/v1/shortages")

        with server.store() as store:
            [key] = store.scan_iter(f"{SESSION_KEY}*")
            assert store.ttl(key) <= 60


async def test_the_stream_of_who_signs_out_ends(served: Server, owner: Session) -> None:
    sent = {"Cookie": owner.cookie}
    async with aiohttp.ClientSession() as http, http.get(f"{served.url}/v1/changes", headers=sent) as stream:
        assert stream.status == 200
        await owner.send("DELETE", "/v1/console/session")
        async with asyncio.timeout(30):
            told = (await stream.content.read()).decode()

    assert '"reason":"session_ended"' in told


async def test_a_server_without_keys_needs_nobody_to_sign_in(start_server: Callable[..., Server]) -> None:
    server = start_server()
    async with opened(server) as anybody:
        view = (await anybody.get("/v1/console/session")).ok()
        signed = await anybody.post("/v1/console/session", {"person": "Ayşe"})

    assert (view["open"], view["role"], view["csrf_token"]) == (True, "owner", "")
    assert signed.ok(201)["open"]
    assert "Set-Cookie" not in signed.headers


@pytest.mark.parametrize("path", ["/console", "/console/assets/x/console.js"])
async def test_the_page_cannot_be_framed_and_runs_nothing_but_its_own(anybody: Api, path: str) -> None:
    answer = await anybody.get(path)

    policy = dict(each.strip().split(" ", 1) for each in answer.headers["Content-Security-Policy"].split(";"))
    assert answer.status == 200
    assert policy["frame-ancestors"] == policy["default-src"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


async def _status(anybody: Api, key: Key) -> int:
    return (await anybody.get("/v1/shortages", headers={"Authorization": f"Bearer {key.token}"})).status


async def _until(asked: Callable[[], Any], status: int) -> None:
    async with asyncio.timeout(30):
        while await asked() != status:
            await asyncio.sleep(0.05)


def _is_of(key: bytes, session: Session) -> bool:
    return key.decode().endswith(sha256(session.cookie.partition("=")[2].encode()).hexdigest())
