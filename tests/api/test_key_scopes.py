"""Which scopes open which routes, on a real server; and what a key sees that may use its own reservations alone."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from server.api.routes import ROUTES
from server.domain.principal import Scope
from tests.conftest import wait_until
from tests.support import scope_table
from tests.support.event_streams import closed_with, stream
from tests.support.http import Answer, Api, Key, Server, opened, store_key

ADMIN = Key("admin", "ada")
MINE = Key("mine", "ada", ("reserve:own",))
THEIRS = Key("theirs", "ada", ("reserve:own",))
BOTH = Key("both", "ada", ("reserve:own", "read"))
SUMS = Key("sums", "ada", ("metrics",))
NEIGHBOUR = Key("neighbour", "bob")
PAGE = Key("page", "ada", ("availability",))


@pytest.fixture(scope="module")
def keyed() -> Iterator[Server]:
    with Server(keys=[ADMIN, MINE, THEIRS, BOTH, PAGE, SUMS, NEIGHBOUR], figures_interval_s=0) as server:
        yield server
        assert server.faults == []


@pytest.fixture
async def admin(keyed: Server) -> AsyncIterator[Api]:
    async with opened(keyed, ADMIN) as client:
        await client.count("A", 50)
        yield client


@pytest.fixture
async def mine(keyed: Server, admin: Api) -> AsyncIterator[Api]:  # noqa: ARG001  # it has counted what is reserved
    async with opened(keyed, MINE) as client:
        yield client


@pytest.fixture
async def theirs(keyed: Server) -> AsyncIterator[Api]:
    async with opened(keyed, THEIRS) as client:
        yield client


def body(**fields: Any) -> dict[str, Any]:
    return {"channel": "web", "lines": [{"sku": "A", "quantity": 2}], "ttl_s": 600, **fields}


async def held(api: Api, **fields: Any) -> str:
    return str((await api.post("/v1/reservations", body(**fields))).ok(201)["reservation_id"])


# -- every route with every scope


@pytest.mark.timeout(180)
async def test_the_page_says_which_key_opens_which_route() -> None:
    assert scope_table.read(scope_table.PAGE.read_text("utf-8")) == await scope_table.tried(), (
        "a route was added or opens to others: look at it, then run python -m tests.support.scope_table"
    )


async def test_partitions_are_not_there_for_any_key(keyed: Server) -> None:
    async with opened(keyed, NEIGHBOUR) as neighbour:
        await neighbour.count("THEIRS", 7)
        before = keyed.state("bob")
        for key in (ADMIN, SUMS, NEIGHBOUR):
            async with opened(keyed, key) as api:
                for path in ("", "/bob", "/bob/limits", "/bob/export"):
                    (await api.get("/v1/partitions" + path)).problem(404, "not_found")
                for path in ("/bob", "/ada"):
                    (await api.send("DELETE", "/v1/partitions" + path)).problem(404, "not_found")
                (await api.post("/v1/partitions/bob/erase", {})).problem(404, "not_found")

        assert keyed.state("bob") == before
        assert await neighbour.available("THEIRS") == 7


def test_only_reads_of_availability_are_open_to_a_page_s_key() -> None:
    opens = [route for route in ROUTES if Scope.AVAILABILITY in route.scopes]

    assert opens == [route for route in ROUTES if route.browser]
    assert {route.method for route in opens} <= {"GET", "POST"}


async def test_a_key_for_a_page_reads_what_is_available_and_streams_it(keyed: Server, admin: Api) -> None:
    async with opened(keyed, PAGE) as page:
        read = (await page.get("/v1/availability/A")).ok()
        (await page.get("/v1/stock/A")).problem(403, "forbidden")
        async with stream(page) as events:
            await admin.count("A", 49)
            told = await events.event()

    assert read["available"] > 0
    assert (told.name, told.data["sku"]) == ("availability", "A")


async def test_a_stream_ends_when_its_key_may_read_availability_no_more(keyed: Server) -> None:
    reader = Key("reader", "ada", ("availability",))
    store_key(keyed, reader)
    async with opened(keyed, reader) as api:
        await wait_until(lambda: _is_let_in(api), "the key is known")
        async with stream(api) as events:
            store_key(keyed, reader, scopes=frozenset({Scope.STOCK}))
            assert (await closed_with(events))["reason"] == "scope_removed"


async def _is_let_in(api: Api) -> bool:
    return (await api.get("/v1/availability/A")).status != 401


# -- a key's own reservations


async def test_a_key_reads_commits_and_releases_what_it_has_reserved(mine: Api) -> None:
    first, second = await held(mine), await held(mine)

    read = (await mine.get(f"/v1/reservations/{first}")).ok()
    looked_up = (await mine.post("/v1/reservations/lookup", {"reservation_id": first})).ok()
    committed = (await mine.post(f"/v1/reservations/{first}/commit", {})).ok()
    released = (await mine.post(f"/v1/reservations/{second}/release", {})).ok()

    assert (read["state"], looked_up["state"]) == ("held", "held")
    assert (committed["state"], released["state"]) == ("committed", "released")


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("GET", "/v1/reservations/{}", None),
        ("POST", "/v1/reservations/lookup", {"reservation_id": "{}"}),
        ("POST", "/v1/reservations/{}/commit", {}),
        ("POST", "/v1/reservations/{}/commit", {"order_ref": "1001"}),
        ("POST", "/v1/reservations/{}/commit", {"location": "main"}),
        ("POST", "/v1/reservations/{}/release", {}),
        ("POST", "/v1/reservations/{}/release", {"on_unknown": "remember"}),
    ],
    ids=str,
)
async def test_the_reservations_of_others_are_not_there_for_it(  # noqa: PLR0917  # fixtures
    keyed: Server, admin: Api, mine: Api, theirs: Api, method: str, path: str, sent: dict[str, str] | None
) -> None:
    for whose in (admin, theirs):
        target = await held(whose)
        named = None if sent is None else {name: value.format(target) for name, value in sent.items()}
        before = keyed.state("ada")

        answer = await _sent(mine, method, path.format(target), named)

        answer.problem(404, "unknown_reservation")
        assert "state" not in answer.body
        assert keyed.state("ada") == before


async def _sent(api: Api, method: str, path: str, sent: object) -> Answer:
    return await api.get(path) if method == "GET" else await api.post(path, sent)


async def test_a_release_is_not_remembered_for_a_reservation_that_may_become_another_s(mine: Api, admin: Api) -> None:
    answer = await mine.post("/v1/reservations/to-come/release", {"on_unknown": "remember"})

    answer.problem(404, "unknown_reservation")
    assert (await admin.reserve("A", 1, "to-come", ttl_s=60)).ok(201)["state"] == "held"


async def test_an_id_that_another_key_has_used_tells_nothing_of_its_reservation(mine: Api, theirs: Api) -> None:
    await held(theirs, reservation_id="shared")
    await theirs.post("/v1/reservations/shared/commit", {})

    for sent in (body(reservation_id="shared"), body(reservation_id="shared", ttl_s=60)):
        told = (await mine.post("/v1/reservations", sent)).problem(422, "id_reused")
        assert told.get("state", "") == ""
    batch = (await mine.post("/v1/reservations/batch", {"reservations": [body(reservation_id="shared")]})).ok()
    assert batch["results"][0]["outcome"] == "id_reused"
    assert "reservation" not in batch["results"][0]


async def test_the_idempotency_keys_of_two_keys_do_not_meet(mine: Api, theirs: Api) -> None:
    header = {"Idempotency-Key": "basket-7"}

    made = [(await api.post("/v1/reservations", body(), headers=header)).ok(201) for api in (mine, theirs, mine)]
    batch = {"reservations": [body()]}
    lists = [(await api.post("/v1/reservations/batch", batch, headers=header)).ok() for api in (mine, theirs, mine)]

    assert made[0]["reservation_id"] == made[2]["reservation_id"] != made[1]["reservation_id"]
    ids = [each["results"][0]["reservation_id"] for each in lists]
    assert ids[0] == ids[2] != ids[1]
    assert [each["results"][0]["outcome"] for each in lists] == ["held"] * 3


async def test_a_key_that_reads_all_still_changes_its_own_alone(keyed: Server, admin: Api) -> None:
    target = await held(admin)
    async with opened(keyed, BOTH) as both:
        assert (await both.get(f"/v1/reservations/{target}")).ok()["state"] == "held"
        (await both.post(f"/v1/reservations/{target}/release", {})).problem(404, "unknown_reservation")
        own = await held(both)
        assert (await both.post(f"/v1/reservations/{own}/release", {})).ok()["state"] == "released"


async def test_an_administrator_works_on_what_such_a_key_has_reserved(admin: Api, mine: Api) -> None:
    target = await held(mine)

    assert (await admin.post(f"/v1/reservations/{target}/commit", {})).ok()["state"] == "committed"
    assert (await mine.get(f"/v1/reservations/{target}")).ok()["state"] == "committed"
