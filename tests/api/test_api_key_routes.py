"""API keys over HTTP, on a real server: made, listed, changed, rotated and revoked, and what their limits do."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.support.event_streams import closed_with, stream
from tests.support.http import Answer, Api, Key, Server, opened, store_key

ADMIN = Key("admin", "ada")
OTHER = Key("other", "bob")
OF_FILE = Key("of-file", "ada", ("reserve",))
LIMITED = Key("limited-file", "ada", ("reserve",), 'channel = "shop"\nttl_max_s = 60')


@pytest.fixture(scope="module")
def keyed() -> Iterator[Server]:
    with Server(keys=[ADMIN, OTHER, OF_FILE, LIMITED], figures_interval_s=0) as server:
        yield server
        assert server.faults == []
        assert "hf_" not in server.stderr


@pytest.fixture
async def admin(keyed: Server) -> AsyncIterator[Api]:
    async with opened(keyed, ADMIN) as client:
        await client.count("A", 50)
        yield client


class Made:
    """A key that a test has made, and requests with it."""

    def __init__(self, admin: Api, made: dict[str, Any]) -> None:
        self.admin = admin
        self.token = str(made["token"])
        self.view: dict[str, Any] = made["key"]
        self.id = str(self.view["id"])

    async def send(self, method: str, path: str, *body: object, token: str = "") -> Answer:
        return await self.admin.send(method, path, *body, headers={"Authorization": f"Bearer {token or self.token}"})

    async def reserve(self, channel: str = "shop", **fields: Any) -> Answer:
        body = {"channel": channel, "lines": [{"sku": "A", "quantity": 1}], **fields}
        return await self.send("POST", "/v1/reservations", body)

    async def listed(self) -> dict[str, Any]:
        keys = (await self.admin.get("/v1/keys")).ok()["keys"]
        return next(each for each in keys if each["id"] == self.id)


async def made(admin: Api, *scopes: str, **fields: Any) -> Made:
    key = Made(admin, (await admin.post("/v1/keys", {"scopes": scopes or ["reserve", "read"], **fields})).ok(201))
    await wait_until(lambda: _is_let_in(admin, key.token), "the key is known", every_s=0.05)
    return key


async def _is_let_in(admin: Api, token: str) -> bool:
    async with opened(admin._url) as stranger:  # a 401 ends its connection
        return (await stranger.get("/v1/stock/A", headers={"Authorization": f"Bearer {token}"})).status != 401


async def _is_shut_out(admin: Api, token: str) -> bool:
    return not await _is_let_in(admin, token)


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


# -- made, listed, changed


async def test_a_key_that_is_made_opens_what_it_is_for_and_its_token_is_shown_once(admin: Api) -> None:
    key = await made(admin, "reserve", name="İzmir")

    assert (await key.reserve()).ok(201)["state"] == "held"
    (await key.send("GET", "/v1/stock/A")).problem(403, "forbidden")
    listed = await key.listed()
    assert (listed["name"], listed["scopes"], listed["state"]) == ("İzmir", ["reserve"], "open")
    assert key.token.split("_")[2] not in str((await admin.get("/v1/keys")).body)


async def test_the_list_has_the_keys_of_the_partition_alone(keyed: Server, admin: Api) -> None:
    key = await made(admin)
    async with opened(keyed, OTHER) as other:
        seen = (await other.get("/v1/keys")).ok()["keys"]
        for method, path, *body in (
            ("PUT", f"/v1/keys/{key.id}", {"name": "mine"}),
            ("POST", f"/v1/keys/{key.id}/rotate", {}),
            ("DELETE", f"/v1/keys/{key.id}"),
        ):
            (await other.send(method, path, *body)).problem(404, "unknown_api_key")

    assert key.id not in [each["id"] for each in seen]
    assert (await key.listed())["name"] == ""


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["write"]}, "scopes[0]"),
        ({"name": "a\x1b"}, "name"),
        ({"channel": ""}, "channel"),
        ({"ttl_max_s": 0}, "ttl_max_s"),
        ({"ttl_max_s": 86_401}, "ttl_max_s"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"scopes": ["admin"], "channel": "shop"}, "channel"),
        ({"scopes": ["stock", "read"], "channel": "shop"}, "channel"),
        ({"secret": "mine"}, "secret"),
    ],
    ids=str,
)
async def test_a_key_that_breaks_a_rule_is_not_made(admin: Api, fields: dict[str, Any], field: str) -> None:
    before = (await admin.get("/v1/keys")).ok()

    told = (await admin.post("/v1/keys", {"scopes": ["read"], **fields})).problem(400, "invalid")

    assert told["errors"][0]["field"] == field
    assert (await admin.get("/v1/keys")).ok() == before


async def test_the_scope_for_all_partitions_is_given_by_those_alone_who_have_it(admin: Api) -> None:
    (await admin.post("/v1/keys", {"scopes": ["metrics"]})).problem(403, "forbidden")

    key = await made(admin, "read")
    (await admin.put(f"/v1/keys/{key.id}", {"scopes": ["read", "metrics"]})).problem(403, "forbidden")


async def test_a_change_sets_what_it_names_and_lifts_what_is_null(admin: Api) -> None:
    key = await made(admin, "reserve", name="before", channel="shop", ttl_max_s=60)

    changed = (await admin.put(f"/v1/keys/{key.id}", {"ttl_max_s": None, "name": "after"})).ok()

    assert (changed["name"], changed["channel"], changed["ttl_max_s"]) == ("after", "shop", None)
    assert changed == await key.listed()
    await wait_until(lambda: _holds(key, 600), "the key holds longer", every_s=0.05)


async def _holds(key: Made, ttl_s: int) -> bool:
    return (await key.reserve(ttl_s=ttl_s)).status == 201


async def test_a_key_whose_scopes_are_about_all_channels_is_not_bound_to_one(admin: Api) -> None:
    key = await made(admin, "stock")

    told = (await admin.put(f"/v1/keys/{key.id}", {"channel": "shop"})).problem(400, "invalid")

    assert "stock" in told["detail"]
    assert (await key.listed())["channel"] is None


async def test_a_revoked_key_opens_nothing_and_stays_revoked(admin: Api) -> None:
    key = await made(admin)

    revoked = (await admin.send("DELETE", f"/v1/keys/{key.id}")).ok()

    await wait_until(lambda: _is_shut_out(admin, key.token), "the key is refused", every_s=0.05)
    assert revoked["state"] == "revoked"
    again = (await admin.send("DELETE", f"/v1/keys/{key.id}")).ok()
    assert again["revoked_at"] == revoked["revoked_at"]
    for method, path in (("PUT", f"/v1/keys/{key.id}"), ("POST", f"/v1/keys/{key.id}/rotate")):
        (await admin.send(method, path, {})).problem(409, "api_key_revoked")


async def test_a_key_of_the_configuration_file_is_not_changed_here(admin: Api) -> None:
    told = (await admin.put(f"/v1/keys/{OF_FILE.id}", {"name": "x"})).problem(404, "unknown_api_key")

    assert "configuration file" in told["detail"]


async def test_the_history_says_who_changed_a_key_and_shows_no_hash(keyed: Server, admin: Api) -> None:
    key = await made(admin, "reserve", ttl_max_s=60)
    (await admin.put(f"/v1/keys/{key.id}", {"ttl_max_s": 120})).ok()
    (await admin.post(f"/v1/keys/{key.id}/rotate", {})).ok()

    with keyed.store() as store:
        said = [entry for _, entry in store.xrange("hf:{ada}:journal") if key.id.encode() in entry[b"e"]]

    assert len(said) == 3
    assert all(b"admin" in each[b"e"] and b"sha256" not in each[b"e"] for each in said)
    assert b'"ttl_max_s":120' in said[1][b"e"]
    assert b"previous_until" in said[2][b"e"]


# -- a channel


async def test_a_key_of_a_channel_reserves_and_orders_for_that_channel_alone(keyed: Server, admin: Api) -> None:
    key = await made(admin, "reserve", "read", channel="shop")
    body = {"channel": "web", "lines": [{"sku": "A", "quantity": 1}]}
    before = keyed.state("ada")

    for path in ("/v1/reservations", "/v1/orders"):
        told = (await key.send("POST", path, body)).problem(403, "forbidden")
        assert "shop" in told["detail"]
    batch = (await key.send("POST", "/v1/reservations/batch", {"reservations": [body]})).ok()
    assert batch["results"][0]["outcome"] == "forbidden"
    assert keyed.state("ada") == before

    assert (await key.reserve("shop")).ok(201)["channel"] == "shop"
    assert (await key.send("POST", "/v1/orders", {**body, "channel": "shop"})).ok(201)["channel"] == "shop"


async def test_it_works_on_reservations_of_its_channel_and_the_others_are_not_there(keyed: Server, admin: Api) -> None:
    key = await made(admin, "reserve", "read", channel="shop")
    own = (await key.reserve("shop")).ok(201)["reservation_id"]
    theirs = (await admin.reserve("A", 1)).ok(201)["reservation_id"]
    same = (await admin.post("/v1/reservations", {"channel": "shop", "lines": [{"sku": "A", "quantity": 1}]})).ok(201)
    before = keyed.state("ada")

    for path, *body in (
        (f"/v1/reservations/{theirs}",),
        (f"/v1/reservations/{theirs}/extend", {"ttl_s": 60}),
        (f"/v1/reservations/{theirs}/commit", {}),
        (f"/v1/reservations/{theirs}/release", {}),
        (f"/v1/reservations/{theirs}/cancel", {}),
        (f"/v1/reservations/{theirs}/fulfil", {}),
        (f"/v1/reservations/{theirs}/fulfil", {"location": "main"}),
        (f"/v1/reservations/{theirs}/lines", {"lines": [{"line": 1, "quantity": 2}]}),
        (f"/v1/reservations/{theirs}/return", {"lines": [{"line": 1, "quantity": 1, "disposition": "restock"}]}),
    ):
        answer = await key.send("POST" if body else "GET", path, *body)
        answer.problem(404, "unknown_reservation")
    assert keyed.state("ada") == before

    for target in (own, same["reservation_id"]):
        edited = await key.send("POST", f"/v1/reservations/{target}/lines", {"lines": [{"line": 1, "quantity": 2}]})
        assert edited.ok()["lines"][0]["held"] == 2
        assert (await key.send("POST", f"/v1/reservations/{target}/commit", {})).ok()["state"] == "committed"


async def test_it_lists_reservations_and_reads_availability_of_its_channel(admin: Api) -> None:
    key = await made(admin, "reserve", "read", channel="kiosk")
    await admin.count("B", 10)
    await admin.put("/v1/stock/B/main/allocations/kiosk", {"kind": "cap", "units": 3, "new": True})
    own = (await key.reserve("kiosk")).ok(201)["reservation_id"]
    await admin.reserve("A", 1)

    listed = (await key.send("GET", "/v1/reservations")).ok()["reservations"]

    assert [each["reservation_id"] for each in listed] == [own]
    (await key.send("GET", "/v1/reservations?channel=web")).problem(403, "forbidden")
    for path in ("/v1/availability/B", "/v1/availability/B?channel=kiosk", "/v1/availability/B?max_age_ms=60000"):
        assert (await key.send("GET", path)).ok()["available"] == 3
    (await key.send("GET", "/v1/availability/B?channel=web")).problem(403, "forbidden")
    for path in ("/v1/stock/B", "/v1/shortages", "/v1/channels"):
        assert "kiosk" in (await key.send("GET", path)).problem(403, "forbidden")["detail"]


async def test_a_key_of_the_file_can_be_bound_too(keyed: Server) -> None:
    async with opened(keyed, LIMITED) as api:
        body = {"channel": "web", "lines": [{"sku": "A", "quantity": 1}]}
        (await api.post("/v1/reservations", body)).problem(403, "forbidden")
        (await api.post("/v1/reservations", {**body, "channel": "shop", "ttl_s": 61})).problem(400, "invalid")


# -- how long it holds


def left_s(view: dict[str, Any]) -> float:
    made_at, expires_at = (datetime.fromisoformat(view[name]) for name in ("created_at", "expires_at"))
    return (expires_at - made_at).total_seconds()


async def test_a_key_holds_no_longer_than_it_may(admin: Api) -> None:
    key = await made(admin, "reserve", ttl_max_s=120)

    told = (await key.reserve(ttl_s=121)).problem(400, "invalid")
    longest, usual = (await key.reserve(ttl_s=120)).ok(201), (await key.reserve()).ok(201)

    assert told["errors"][0]["field"] == "ttl_s"
    assert (left_s(longest), left_s(usual)) == (120, 120)


async def test_extending_counts_from_when_it_was_reserved(admin: Api) -> None:
    key = await made(admin, "reserve", ttl_max_s=120)
    held = (await key.reserve(ttl_s=60)).ok(201)
    path = f"/v1/reservations/{held['reservation_id']}"

    (await key.send("POST", f"{path}/extend", {"ttl_s": 121})).problem(400, "invalid")
    extended = (await key.send("POST", f"{path}/extend", {"ttl_s": 120})).ok()
    (await key.send("POST", f"{path}/lines", {"lines": [{"line": 1, "quantity": 2}], "ttl_s": 121})).problem(
        400, "invalid"
    )
    edited = (await key.send("POST", f"{path}/lines", {"lines": [{"line": 1, "quantity": 2}], "ttl_s": 120})).ok()
    by_admin = (await admin.post(f"{path}/extend", {"ttl_s": 3_600})).ok()

    assert [left_s(each) for each in (extended, edited)] == [120, 120]
    assert left_s(by_admin) > 3_500


# -- when it ends, and when its secret does


async def test_a_key_ends_with_its_date_and_so_does_its_stream(admin: Api) -> None:
    key = await made(admin, "read", expires_at=soon(6))

    async with opened(admin._url) as reader:
        reader._credentials = {"Authorization": f"Bearer {key.token}"}
        async with stream(reader) as events:
            assert (await closed_with(events))["reason"] == "key_revoked"

    await wait_until(lambda: _is_shut_out(admin, key.token), "the key is refused", every_s=0.05)
    assert (await key.listed())["state"] == "expired"


async def test_both_secrets_are_good_until_the_date_and_then_the_new_one(admin: Api) -> None:
    key = await made(admin, "read")

    rotated = (await admin.post(f"/v1/keys/{key.id}/rotate", {"previous_until": soon(4)})).ok()

    assert rotated["key"]["previous_until"]
    assert rotated["token"] != key.token
    await wait_until(lambda: _is_let_in(admin, rotated["token"]), "the new secret is known", every_s=0.05)
    assert await _is_let_in(admin, key.token)
    await wait_until(lambda: _is_shut_out(admin, key.token), "the old secret is refused", every_s=0.05)
    assert await _is_let_in(admin, rotated["token"])
    assert (await key.listed())["previous_until"] is None


async def test_a_rotation_without_overlap_ends_the_secret_at_once(admin: Api) -> None:
    key = await made(admin, "read")

    await admin.post(f"/v1/keys/{key.id}/rotate", {"previous_until": soon(-1)})

    await wait_until(lambda: _is_shut_out(admin, key.token), "the old secret is refused", every_s=0.05)
    (await admin.post(f"/v1/keys/{key.id}/rotate", {"previous_until": soon(91 * 86_400)})).problem(400, "invalid")


async def test_when_a_key_was_used_last_is_shown_as_the_hour(admin: Api) -> None:
    unused = Made(admin, (await admin.post("/v1/keys", {"scopes": ["read"]})).ok(201))
    key = await made(admin, "read")

    async def is_noted() -> bool:
        return (await key.listed())["last_used_at"] is not None

    await wait_until(is_noted, "its use is noted", every_s=0.05)
    used = datetime.fromisoformat((await key.listed())["last_used_at"])
    assert (used.minute, used.second) == (0, 0)
    assert abs((datetime.now(UTC) - used).total_seconds()) < 7_200
    assert (await unused.listed())["last_used_at"] is None


# -- what another release does with the record


async def test_a_record_without_the_new_fields_works_unchanged(keyed: Server, admin: Api) -> None:
    old = Key("old-record", "ada", ("reserve",))
    store_key(keyed, old)
    with keyed.store() as store:
        assert b"terms" not in store.hget("hf:apikeys", old.id)

    await wait_until(lambda: _is_let_in(admin, old.token), "the key is known", every_s=0.05)

    async with opened(keyed, old) as api:
        held = (await api.post("/v1/reservations", {"channel": "web", "lines": [{"sku": "A", "quantity": 1}]})).ok(201)
        assert left_s(held) > 120
