"""How many requests a second a key may make, on real servers: counted together, and refused with when to come again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

import pytest
from redis.asyncio import Redis

from server.api.http.key_rates import KeyRates
from server.domain.key_limits import KeyTerms
from server.domain.principal import ApiKey, Principal, Scope
from server.service.problems import ProblemError
from server.store.connection import connect
from server.store.errors import StoreUnavailableError
from tests.conftest import now_ms, wait_until
from tests.support.event_streams import stream
from tests.support.http import Answer, Api, Key, Server, opened
from tests.support.scraping import express_requests, figure
from tests.support.stores import StoreProcess, start_valkey

ADMIN = Key("admin", "ada", ("metrics", "admin"))
RATED = Key("rated", "ada", ("read", "reserve"), "requests_per_s = 20")
SLOW = Key("slow", "ada", ("read", "availability"), "requests_per_s = 1")
FREE = Key("free", "ada", ("read",))
BOUND = Key("bound", "ada", ("read",), 'channel = "web"')
SECRET = "bWFkZSB1cCBmb3IgdGhlIGV4YW1wbGVzIG9mIGRvY3M="
HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
TRIES = 30
"""So often something is tried that must end in the second in which it began."""


@pytest.fixture(scope="module")
def keyed() -> Iterator[Server]:
    with Server(keys=[ADMIN, RATED, SLOW, FREE, BOUND], figures_interval_s=0, secret_key=SECRET) as server:
        yield server
        assert server.faults == []


@pytest.fixture
async def admin(keyed: Server) -> AsyncIterator[Api]:
    async with opened(keyed, ADMIN) as client:
        await client.count("A", 5)
        yield client


Result = TypeVar("Result")


def clock(server: Server) -> tuple[int, int]:
    """Read the store's clock: seconds and microseconds."""
    with server.store() as store:
        seconds, microseconds = store.time()
        return int(seconds), int(microseconds)


async def in_one_second(server: Server, act: Callable[[], Awaitable[Result]]) -> Result:
    """Do something within one second of the store's clock: again where it takes longer or is late."""
    for _ in range(TRIES):
        await second_begins(server)
        began, result = clock(server)[0], await act()
        if clock(server)[0] == began:
            return result
    raise AssertionError(f"it never ended in the second in which it began, of {TRIES} tries")


async def second_begins(server: Server) -> None:
    """Wait for the next second. What was leased in one may be used for some milliseconds more."""
    before = clock(server)[0]
    await wait_until(lambda: clock(server) > (before + 1, 30_000), "a second begins", every_s=0.01)


def limits_of(answer: Answer) -> tuple[str, ...]:
    return tuple(answer.headers.get(name, "") for name in HEADERS)


# -- what a caller sees


@pytest.mark.usefixtures("admin")
async def test_answers_say_the_rate_and_what_is_left_of_it(keyed: Server) -> None:
    async with opened(keyed, RATED) as api:

        async def ask() -> list[Answer]:
            answers = [await api.get("/v1/availability/A"), await api.get("/v1/stock/NONE")]
            answers.append(await api.post("/v1/reservations", {"channel": "web"}))
            return [*answers, await api.send("DELETE", "/v1/transfers/x")]

        answers = await in_one_second(keyed, ask)

    assert [each.status for each in answers] == [200, 422, 400, 405]
    # No route is found for the last one, so nobody asks for its key.
    assert [limits_of(each) for each in answers] == [("20", str(left), "1") for left in (19, 18, 17)] + [("",) * 3]


@pytest.mark.usefixtures("admin")
async def test_a_key_without_a_rate_has_no_such_headers_and_is_counted_nowhere(keyed: Server) -> None:
    for key in (FREE, BOUND):
        async with opened(keyed, key) as api:
            answer = await api.get("/v1/availability/A")
            assert (answer.status, limits_of(answer)) == (200, ("", "", ""))

    with keyed.store() as store:
        assert [*store.scan_iter("*:rate:free"), *store.scan_iter("*:rate:bound")] == []


async def test_what_is_beyond_the_rate_is_refused_with_when_to_come_again(keyed: Server, admin: Api) -> None:
    name = 'holdfast_key_limit_refusals_total{reason="rate"}'
    body = {"channel": "web", "lines": [{"sku": "A", "quantity": 1}], "reservation_id": "late"}
    before, all_refused = await figure(keyed, name, [ADMIN]), 0
    async with opened(keyed, RATED) as api:

        async def ask() -> tuple[list[Answer], list[Answer]]:
            nonlocal all_refused
            taken = [await api.get("/v1/availability/A") for _ in range(20)]
            refused = [await api.post("/v1/reservations", body) for _ in range(5)]
            all_refused += sum(each.status == 429 for each in (*taken, *refused))
            return taken, refused

        taken, refused = await in_one_second(keyed, ask)
        later = await in_one_second(keyed, lambda: api.get("/v1/availability/A"))

    assert {each.status for each in taken} == {200}
    assert [each.problem(429, "rate_limited")["retryable"] for each in refused] == [True] * 5
    assert {(each.headers["Retry-After"], *limits_of(each)) for each in refused} == {("1", "20", "0", "1")}
    assert later.status == 200
    (await admin.get("/v1/reservations/late")).problem(404, "unknown_reservation")
    assert await figure(keyed, name, [ADMIN]) == before + all_refused


async def test_it_is_the_same_on_the_express_lane(keyed: Server, admin: Api) -> None:
    """Also where an answer from memory is allowed, which asks the store for nothing."""
    await admin.get("/v1/availability/A?max_age_ms=60000")
    asked = 0
    for path in ("/v1/availability/A", "/v1/availability/A?max_age_ms=60000"):
        async with opened(keyed, SLOW) as api:

            async def ask(path: str = path, api: Api = api) -> list[Answer]:
                nonlocal asked
                asked += 3
                return [await api.get(path) for _ in range(3)]

            await ask()  # no newcomer takes the lane
            before, asked = await express_requests(keyed, [ADMIN]), 0
            answers = await in_one_second(keyed, ask)

        assert [each.status for each in answers] == [200, 429, 429]
        assert [limits_of(each) for each in answers] == [("1", "0", "1")] * 3
        assert await express_requests(keyed, [ADMIN]) - before == asked


@pytest.mark.usefixtures("admin")
async def test_a_token_of_a_browser_has_the_rate_of_its_key(keyed: Server) -> None:
    async with opened(keyed, SLOW) as api, opened(keyed) as page:

        async def ask() -> Answer:
            token = (await api.post("/v1/browser-tokens", {})).ok(201)["token"]
            bearer["Authorization"] = f"Bearer {token}"
            return await page.get("/v1/availability/A", headers=bearer)

        bearer: dict[str, str] = {}
        (await in_one_second(keyed, ask)).problem(429, "rate_limited")
        first = await in_one_second(keyed, lambda: page.get("/v1/availability/A", headers=bearer))
        assert (first.status, limits_of(first)) == (200, ("1", "0", "1"))
        (await page.get("/v1/stock/A", headers=bearer)).problem(401, "unauthorized")


@pytest.mark.usefixtures("admin")
async def test_a_stream_says_the_rate_when_it_is_opened(keyed: Server) -> None:
    async with opened(keyed, RATED) as api:

        async def ask() -> str:
            async with stream(api) as events:
                return events.response.headers["RateLimit-Limit"]

        assert await in_one_second(keyed, ask) == "20"


async def test_a_changed_rate_holds_from_then_on(keyed: Server, admin: Api) -> None:
    made = (await admin.post("/v1/keys", {"scopes": ["read"], "requests_per_s": 5})).ok(201)
    bearer = {"Authorization": f"Bearer {made['token']}"}

    async def limit() -> str:
        async with opened(keyed) as api:
            return (await api.get("/v1/availability/A", headers=bearer)).headers.get("RateLimit-Limit", "")

    async def is_limit(wanted: str) -> bool:
        return await limit() == wanted

    await wait_until(lambda: is_limit("5"), "the rate is 5", every_s=0.3)
    await admin.put(f"/v1/keys/{made['key']['id']}", {"requests_per_s": 7})
    await wait_until(lambda: is_limit("7"), "the rate is 7", every_s=0.3)
    await admin.put(f"/v1/keys/{made['key']['id']}", {"requests_per_s": None})
    await wait_until(lambda: is_limit(""), "there is no rate", every_s=0.3)


# -- several processes


def principal(per_s: int, key: str = "rated") -> Principal:
    terms = KeyTerms(requests_per_s=per_s)
    return ApiKey(id=key, sha256="0" * 64, scopes=frozenset({Scope.READ}), partition="ada", terms=terms).principal


@pytest.fixture(scope="module")
def shared() -> Iterator[StoreProcess]:
    with start_valkey(appendonly="no") as store:
        yield store


@pytest.fixture
async def client(shared: StoreProcess) -> AsyncIterator[Redis]:
    async with client_of(shared) as made:
        yield made


@asynccontextmanager
async def client_of(store: StoreProcess) -> AsyncIterator[Redis]:
    pool = connect.connection_pool(store.url)
    try:
        yield connect.client(pool)
    finally:
        await pool.aclose()


@asynccontextmanager
async def processes(store: StoreProcess, number: int) -> AsyncIterator[list[KeyRates]]:
    """What so many processes know of rates; each has connections of its own."""
    async with AsyncExitStack() as clients:
        yield [KeyRates(await clients.enter_async_context(client_of(store))) for _ in range(number)]


async def let_in(rates: KeyRates, who: Principal) -> bool:
    try:
        await rates.admit(who)
    except ProblemError:
        return False
    return True


async def a_second_begins(client: Redis) -> int:
    """Wait for the next second, as :func:`second_begins`. Returns it."""
    before_s = await now_ms(client) // 1000

    async def has_begun() -> bool:
        return await now_ms(client) > (before_s + 1) * 1000 + 30

    await wait_until(has_begun, "a second begins", every_s=0.01)
    return await now_ms(client) // 1000


async def calls_of(client: Redis) -> int:
    """How often a function was called."""
    found = await client.info("commandstats")
    return int(found.get("cmdstat_fcall", {}).get("calls", 0))


@pytest.mark.parametrize("per_s", [1, 7, 100, 5_000])
async def test_many_processes_together_let_in_no_more_than_the_rate(
    shared: StoreProcess, client: Redis, per_s: int
) -> None:
    who, taken = principal(per_s, f"together-{per_s}"), 0
    async with processes(shared, 6) as all_rates:
        began_s = await now_ms(client) // 1000
        while await now_ms(client) // 1000 < began_s + 3:
            asked = [let_in(rates, who) for rates in all_rates for _ in range(40)]
            taken += sum(await asyncio.gather(*asked))
        seconds = await now_ms(client) // 1000 - began_s + 1

    assert 0 < taken <= per_s * seconds


@pytest.mark.parametrize("per_s", [1, 7, 100, 5_000])
async def test_many_processes_together_let_in_the_rate_of_a_second_before_all_of_them_refuse(
    shared: StoreProcess, client: Redis, per_s: int
) -> None:
    who = principal(per_s, f"whole-{per_s}")

    async def until_all_refuse(all_rates: list[KeyRates]) -> int:
        taken, willing = 0, all_rates
        while willing:
            answers = [await asyncio.gather(*(let_in(rates, who) for _ in range(40))) for rates in willing]
            taken += sum(map(sum, answers))
            willing = [rates for rates, let in zip(willing, answers, strict=True) if all(let)]
        return taken

    async with processes(shared, 6) as all_rates:
        for _ in range(TRIES):
            began_s = await a_second_begins(client)
            taken = await until_all_refuse(all_rates)
            if await now_ms(client) // 1000 == began_s:
                break
        else:
            pytest.fail(f"the rate was never used up in the second in which it began to be, of {TRIES} tries")

    assert per_s * 7 // 8 <= taken <= per_s


async def test_a_process_asks_the_store_a_few_times_a_second_and_not_for_each_request(
    shared: StoreProcess, client: Redis
) -> None:
    who = principal(4_000, "seldom")
    async with processes(shared, 1) as (rates,):
        began_s = await now_ms(client) // 1000
        before = await calls_of(client)
        taken = [await let_in(rates, who) for _ in range(3_000)]
        calls = await calls_of(client) - before
        seconds = await now_ms(client) // 1000 - began_s + 1

    assert all(taken)
    # From 1 to an eighth of the rate it doubles; then it asks for eighths. Once for each second more: it ends.
    assert calls <= seconds * (9 + 8 + 1) + 1


async def test_a_refusal_asks_nobody_for_the_rest_of_the_second(shared: StoreProcess, client: Redis) -> None:
    who = principal(3, "refused")
    async with processes(shared, 1) as (rates,):
        began_s = await now_ms(client) // 1000
        before = await calls_of(client)
        taken = [await let_in(rates, who) for _ in range(500)]
        calls = await calls_of(client) - before
        seconds = await now_ms(client) // 1000 - began_s + 1

    assert calls <= 4 * seconds
    assert 3 <= sum(taken) <= 3 * seconds


async def test_nobody_is_let_in_while_the_store_is_away_and_all_are_told_so() -> None:
    with start_valkey(appendonly="no") as store:
        async with processes(store, 1) as (rates,):
            store.kill()
            asked = await asyncio.gather(*(rates.admit(principal(5)) for _ in range(3)), return_exceptions=True)

    assert [type(each) for each in asked] == [StoreUnavailableError] * 3


async def test_callers_who_leave_while_a_process_asks_hold_nobody_up(shared: StoreProcess) -> None:
    who = principal(5, "left")
    async with processes(shared, 1) as (rates,):
        leaving = asyncio.create_task(rates.admit(who))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await let_in(rates, who)


@pytest.mark.timeout(120)
async def test_two_workers_keep_to_the_rate_together() -> None:
    rated = Key("rated", "ada", ("read",), "requests_per_s = 10")
    with Server(keys=[ADMIN, rated], workers=2, figures_interval_s=0) as server:
        async with AsyncExitStack() as callers:
            apis = [await callers.enter_async_context(opened(server, rated)) for _ in range(12)]
            began_s, statuses = clock(server)[0], list[int]()
            while clock(server)[0] < began_s + 10:
                answers = await asyncio.gather(*(api.get("/v1/availability/NONE") for api in apis))
                statuses += [each.status for each in answers]
            seconds = clock(server)[0] - began_s + 1

    assert set(statuses) == {422, 429}
    assert statuses.count(422) <= 10 * seconds
