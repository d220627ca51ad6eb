"""Channels over HTTP: rules, listings, status, dead letters, and what is asked of the publisher."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
import pytest
from redis.asyncio import Redis

from server.api.http.app_state import AppState
from server.api.http.auth import Authenticator
from server.api.http.serving import Serving
from server.app import build
from server.domain.changes import Change
from server.domain.channels import (
    PUBLISHER_MISSING_MS,
    ChannelRules,
    ChannelSettings,
    ChannelStatus,
    DeadLetter,
    LastReconcile,
    LastTest,
)
from server.domain.principal import ApiKey, Scope
from server.schemas.channels import ChannelRulesBody
from server.store.connection import connect
from server.store.journal.journal import START, read
from server.store.keys import ChannelKeys, Keyspace
from server.store.ledger.batcher import Batcher
from server.store.repositories.channel_commands import commanded_skus
from server.store.repositories.channels import ChannelStore
from server.store.repositories.publisher import PublisherStore, Writes
from server.streams.loop_share import LoopShare
from server.streams.open_streams import OpenStreams, StreamLimits
from tests.conftest import RETENTION, now_ms
from tests.support.feeds import feed_of
from tests.support.http import Answer, Api, Key, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

ONE: Final = "/v1/channels/trendyol"
SECRETS: Final = ("made-up-api-secret", "made-up-supplier-id", "hidden.example")
"""Stand in the options of the channels; an adapter's options can hold anything."""


class Shop:
    """An API in this process on the shared store, with two channels of one partition and one of another."""

    def __init__(self, state: AppState, client: Redis, partition: str, session: aiohttp.ClientSession) -> None:
        self.state = state
        self.client = client
        self.keyspace = Keyspace(partition)
        self.partition = partition
        self._session = session
        self.answers: list[Answer] = []
        self.url = ""

    def api(self, scope: str = "admin", partition: str = "") -> Api:
        """Open a client with a key of one scope."""
        return Recorded(self, Key(f"{scope}-key", partition or self.partition))

    async def changes(self) -> list[Change]:
        """Read what stands in the journal."""
        return [change async for _, entry in read(self.client, self.keyspace, START) for change in entry]

    async def publish(self, writes: Writes) -> None:
        """Write as the publisher does."""
        publisher = PublisherStore(self.client, self.keyspace)
        lease = await publisher.acquire("somebody", 60_000)
        await publisher.record(lease.token, writes)

    async def stand(self, channel: str, status: ChannelStatus) -> None:
        writes = Writes()
        writes.set(self.keyspace.channel_status, channel, msgspec.json.encode(status))
        await self.publish(writes)

    async def bury(self, channel: str, letters: Sequence[DeadLetter], *, field: str = "") -> None:
        writes = Writes()
        for each in letters:
            writes.set(
                ChannelKeys(self.keyspace, channel).dead_letters, field or each.sku, msgspec.msgpack.encode(each)
            )
        await self.publish(writes)


class Recorded(Api):
    """A client whose answers are kept, so that a test can look through all of them."""

    def __init__(self, shop: Shop, key: Key) -> None:
        super().__init__(shop._session, shop.url, key)
        self._shop = shop

    async def send(self, method: str, path: str, *body: object, **options: Any) -> Answer:
        answer = await super().send(method, path, *body, **options)
        self._shop.answers.append(answer)
        return answer


def settings(name: str, partition: str) -> ChannelSettings:
    return ChannelSettings(
        name=name,
        kind="webhook",
        partition=partition,
        rules=ChannelRules(buffer=2, cap=20),
        options={"secret": SECRETS[0], "supplier": SECRETS[1], "urls": [f"https://{SECRETS[2]}/hook"]},
        allow_private=[SECRETS[2]],
    )


def api_key(scope: Scope, partition: str) -> ApiKey:
    key = Key(f"{scope}-key".replace(":", "-"), partition)
    digest = key.toml().split('sha256 = "')[1].split('"')[0]
    return ApiKey(id=key.id, sha256=digest, scopes=frozenset({scope}), partition=partition)


@pytest.fixture
async def shop(batcher: Batcher, client: Redis, partition: str) -> AsyncIterator[Shop]:
    """Serve this test's partition."""
    names = ("trendyol", "shop")
    authenticator = Authenticator([api_key(scope, partition) for scope in Scope], None, open_to_loopback=False)
    state = AppState(
        authenticator=authenticator,
        batcher=batcher,
        client=client,
        maintenance_client=client,
        retention=RETENTION,
        new_id=lambda: "unused",
        new_feed=partial(feed_of, client),
        ttl_default_s=900,
        body_timeout_s=10,
        slow_request_s=0,
        write_timeout_s=10,
        streams=OpenStreams(StreamLimits(1), authenticator.authenticate),
        loop_share=LoopShare(0.25),
        channels={
            partition: {name: settings(name, partition) for name in names},
            "another": {"theirs": settings("theirs", "another")},
        },
    )
    serving = Serving(
        build(state, page=None),
        connections_max=100,
        per_address_max=0,
        first_request_s=10,
        keepalive_timeout_s=10,
        write_timeout_s=10,
        unread_bytes_max=1024 * 1024,
    )
    try:
        port = await serving.start("127.0.0.1", 0, shares_port=False)
        async with aiohttp.ClientSession() as session:
            shop = Shop(state, client, partition, session)
            shop.url = f"http://127.0.0.1:{port}"
            yield shop
    finally:
        await serving.stop()


@pytest.fixture
def api(shop: Shop) -> Api:
    return shop.api()


def listing(sku: str, key: str = "", **fields: object) -> dict[str, object]:
    return {"sku": sku, "key": key or f"key-of-{sku}", **fields}


async def put(api: Api, *listings: dict[str, object]) -> Any:
    return (await api.put(f"{ONE}/listings", {"listings": list(listings)})).ok()


def as_put(found: dict[str, object]) -> dict[str, object]:
    """Leave out of a listing how it stands."""
    standing = ("state", "shown", "should_show", "why", "confirmed_at", "pending", "refused")
    return {name: value for name, value in found.items() if name not in standing}


# -- rules


async def test_given_a_configured_channel_when_read_then_its_rules_come_from_the_configuration(api: Api) -> None:
    answer = (await api.get(ONE)).ok()

    assert (answer["channel"], answer["kind"], answer["listings"], answer["set_at_run_time"]) == (
        "trendyol", "webhook", "listed", [],
    )  # fmt: skip
    assert answer["rules"] == msgspec.to_builtins(ChannelRules(buffer=2, cap=20))


async def test_given_rules_when_put_then_they_hold_and_the_others_stay_configured(api: Api, shop: Shop) -> None:
    given = {"percent": 50, "cap": None, "locations": ["main", "Depo / Şişli"], "cadence_s": 300}
    await api.count("A", 5, location="Depo / Şişli")

    put = (await api.put(ONE, given)).ok()

    assert put == (await api.get(ONE)).ok()
    assert put["rules"] == msgspec.to_builtins(ChannelRules(buffer=2)) | given
    assert put["set_at_run_time"] == ["cadence_s", "cap", "locations", "percent"]
    assert [(change.operation, change.channel, change.actor) for change in await shop.changes()] == [
        ("count", "", "admin-key"),
        ("channel_rules", "trendyol", "admin-key"),
    ]
    assert (await api.get("/v1/channels/shop")).ok()["set_at_run_time"] == []


async def test_given_rules_at_run_time_when_others_are_put_then_those_left_out_go_back(api: Api) -> None:
    (await api.put(ONE, {"percent": 50})).ok()

    again = (await api.put(ONE, {"buffer": 0}, msgpack=True)).ok()

    assert (again["rules"]["percent"], again["rules"]["buffer"], again["set_at_run_time"]) == (100, 0, ["buffer"])
    assert (await api.put(ONE, {})).ok()["rules"] == msgspec.to_builtins(ChannelRules(buffer=2, cap=20))


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"percent": 101}, "percent"),
        ({"buffer": -1}, "buffer"),
        ({"min_publish": 1.5}, "min_publish"),
        ({"buffer": None}, "buffer"),
        ({"cap": -1}, "cap"),
        ({"cadence_s": 86_401}, "cadence_s"),
        ({"reconcile_every_s": -0.5}, "reconcile_every_s"),
        ({"locations": ["main", "main"]}, "locations"),
        ({"locations": ["a", "b\n"]}, "locations[1]"),
        ({"locations": ["ş" * 33]}, "locations[0]"),
        ({"percnt": 5}, "percnt"),
    ],
)
async def test_given_a_rule_that_cannot_be_when_put_then_its_field_is_named_and_nothing_changes(
    api: Api, shop: Shop, rules: object, field: str
) -> None:
    problem = (await api.put(ONE, rules)).problem(400, "invalid")

    assert [each["field"] for each in problem["errors"]] == [field]
    assert await shop.changes() == []


async def test_given_rules_of_a_newer_release_when_read_then_what_is_understood_holds(api: Api, shop: Shop) -> None:
    stored = {"percent": 50, "by_weekday": {"sun": 0}, "cap": "none", "buffer": {"main": 1}}
    await ChannelStore(shop.client, shop.keyspace).set_rules("trendyol", stored, "newer")

    answer = (await api.get(ONE)).ok()

    assert answer["rules"] == msgspec.to_builtins(ChannelRules(buffer=2, cap=20, percent=50))
    assert answer["set_at_run_time"] == ["percent"]


def test_the_rules_that_can_be_put_are_those_that_there_are() -> None:
    assert ChannelRulesBody.__struct_fields__ == (*ChannelRules.__struct_fields__, "reason")


async def test_given_a_channel_when_paused_and_resumed_then_its_other_rules_stay_and_the_journal_has_why(
    api: Api, shop: Shop
) -> None:
    (await api.put(ONE, {"percent": 50, "reason": "few are left"})).ok()

    paused = (await api.post(f"{ONE}/pause", {"reason": "they move house"})).ok()
    resumed = (await api.post(f"{ONE}/resume", {})).ok()

    assert (paused["rules"]["paused"], paused["rules"]["percent"], paused["set_at_run_time"]) == (
        True, 50, ["paused", "percent"],
    )  # fmt: skip
    assert (resumed["rules"]["paused"], resumed["set_at_run_time"]) == (False, ["percent"])
    assert [dict(change.notes).get("reason") for change in await shop.changes()] == [
        "few are left", "they move house", None,
    ]  # fmt: skip
    (await shop.api("stock").post(f"{ONE}/pause", {})).problem(403, "forbidden")


async def test_given_rules_of_a_newer_release_when_paused_then_they_stay(api: Api, shop: Shop) -> None:
    kept = ChannelStore(shop.client, shop.keyspace)
    await kept.set_rules("trendyol", {"by_weekday": {"sun": 0}}, "newer")

    (await api.post(f"{ONE}/pause", {})).ok()

    assert (await kept.given_rules())["trendyol"] == {"by_weekday": {"sun": 0}, "paused": True}


async def test_given_a_paused_channel_when_rules_are_put_then_it_stays_paused_unless_they_say_otherwise(
    api: Api,
) -> None:
    (await api.post(f"{ONE}/pause", {})).ok()

    put = (await api.put(ONE, {"percent": 50})).ok()
    reset = (await api.put(ONE, {})).ok()
    resumed = (await api.put(ONE, {"paused": False})).ok()

    assert (put["rules"]["paused"], put["set_at_run_time"]) == (True, ["paused", "percent"])
    assert (reset["rules"]["paused"], reset["set_at_run_time"]) == (True, ["paused"])
    assert (resumed["rules"]["paused"], resumed["set_at_run_time"]) == (False, ["paused"])


async def test_given_rules_and_a_pause_at_once_when_both_are_answered_then_both_hold(api: Api) -> None:
    for percent in range(20, 40):
        (await api.post(f"{ONE}/resume", {})).ok()
        put, paused = await asyncio.gather(api.put(ONE, {"percent": percent}), api.post(f"{ONE}/pause", {}))
        assert (put.status, paused.status) == (200, 200)

        rules = (await api.get(ONE)).ok()["rules"]
        assert (rules["percent"], rules["paused"]) == (percent, True)


# -- how it stands


async def test_given_no_publisher_when_asked_how_a_channel_stands_then_it_says_so(api: Api) -> None:
    status = (await api.get(f"{ONE}/status")).ok()

    assert (status["publisher_missing"], status["publisher"], status["written_at"]) == (True, "", None)
    assert (status["circuit"], status["dirty"], status["last_confirmed_at"], status["reconcile"]) == (
        "closed", 0, None, None,
    )  # fmt: skip


async def test_given_a_publisher_when_asked_how_a_channel_stands_then_all_of_it_is_returned(
    api: Api, shop: Shop
) -> None:
    at_ms = await now_ms(shop.client)
    await shop.stand(
        "trendyol",
        ChannelStatus(
            publisher="host:1", written_ms=at_ms, listings=9, dirty=3, in_flight=2, tickets=1, oldest_unsent_s=1.5,
            last_confirmed_ms=1_700_000_000_123, circuit="open", reason="503 everywhere", dead_letters=4,
            lag_p50_s=0.02, lag_p99_s=0.3, cursor="17-0", reconcile=LastReconcile(1_700_000_000_000, 9, 1),
            paused=True, test=LastTest(1_700_000_000_000, answered=False, reason="no such host"),
        ),
    )  # fmt: skip

    status = (await api.get(f"{ONE}/status")).ok()

    assert status.pop("written_at").endswith("Z")
    assert status == {
        "channel": "trendyol", "publisher": "host:1", "publisher_missing": False, "circuit": "open",
        "reason": "503 everywhere", "listings": 9, "dirty": 3, "in_flight": 2, "tickets": 1, "oldest_unsent_s": 1.5,
        "last_confirmed_at": "2023-11-14T22:13:20.123000Z", "dead_letters": 4, "lag_p50_s": 0.02, "lag_p99_s": 0.3,
        "cursor": "17-0", "reconcile": {
            "finished_at": "2023-11-14T22:13:20Z", "checked": 9, "differed": 1, "read_back": True,
        }, "refused_prices": 0, "intake": None, "mirror": None, "paused": True, "test": {
            "finished_at": "2023-11-14T22:13:20Z", "answered": False, "reason": "no such host",
        },
    }  # fmt: skip


async def test_given_a_publisher_that_fell_silent_when_asked_then_it_is_missing_but_its_word_stands(
    api: Api, shop: Shop
) -> None:
    long_ago_ms = await now_ms(shop.client) - PUBLISHER_MISSING_MS - 1
    await shop.stand("trendyol", ChannelStatus(publisher="host:1", written_ms=long_ago_ms, dirty=7))

    status = (await api.get(f"{ONE}/status")).ok()

    assert (status["publisher_missing"], status["dirty"], status["publisher"]) == (True, 7, "host:1")


async def test_given_two_channels_when_listed_then_each_says_how_it_stands_and_no_other_merchant_s_is_there(
    api: Api, shop: Shop
) -> None:
    at_ms = await now_ms(shop.client)
    await shop.stand("trendyol", ChannelStatus(publisher="host:1", written_ms=at_ms, dirty=7, dead_letters=1))
    await shop.stand("removed-since", ChannelStatus(publisher="host:1", written_ms=at_ms))

    listed = (await api.get("/v1/channels")).ok()["channels"]

    assert [(each["channel"], each["kind"], each["dirty"], each["publisher_missing"]) for each in listed] == [
        ("shop", "webhook", 0, True),
        ("trendyol", "webhook", 7, False),
    ]


# -- listings


async def test_given_listings_when_put_then_they_are_read_back_and_unknown_skus_are_returned(
    api: Api, shop: Shop
) -> None:
    await api.count("A", 5)
    full = listing("A", "869", listed=False, price="129.90", list_price="150", currency="TRY", attributes={"id": "7"})

    answer = await put(api, full, listing("B / ş"))

    assert answer == {"listings": 2, "unknown_skus": ["B / ş"]}
    page = (await api.get(f"{ONE}/listings")).ok()
    found = sorted(map(as_put, page["listings"]), key=lambda each: str(each["sku"]))
    assert found == [full, listing("B / ş", listed=True)]
    assert page["next"] == ""
    [*_, change] = await shop.changes()
    assert (change.operation, change.channel, commanded_skus(change)) == (
        "channel_listings",
        "trendyol",
        ["A", "B / ş"],
    )


async def test_given_a_listing_when_put_again_then_it_is_replaced_whole(api: Api) -> None:
    await put(api, listing("A", "old", price="1"))
    await put(api, listing("A", "new"))

    [found] = (await api.get(f"{ONE}/listings?sku=A")).ok()["listings"]

    assert as_put(found) == listing("A", "new", listed=True)


async def test_given_2_000_listings_when_paged_then_each_comes(api: Api) -> None:
    skus = [f"S{number:04}" for number in range(2_000)]
    await put(api, *map(listing, skus[:1000]))
    await put(api, *map(listing, skus[1000:]))

    found, after, pages = [], "", 0
    while pages == 0 or after:
        page = (await api.get(f"{ONE}/listings?limit=300&after={after}")).ok()
        found += [each["sku"] for each in page["listings"]]
        after, pages = page["next"], pages + 1

    assert sorted(set(found)) == skus
    assert pages > 3


async def test_given_a_sku_when_asked_for_then_its_listing_alone_comes(api: Api) -> None:
    await put(api, listing("A"), listing("B"))

    [found] = (await api.get(f"{ONE}/listings?sku=B")).ok()["listings"]
    assert as_put(found) == listing("B", listed=True)
    assert (await api.get(f"{ONE}/listings?sku=C")).ok() == {"listings": [], "next": ""}


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=0", f"after={2**64}", "limit=0", "limit=1001", "x=1"])
async def test_given_a_query_that_cannot_be_when_listings_are_read_then_its_field_is_named(
    api: Api, query: str
) -> None:
    problem = (await api.get(f"{ONE}/listings?{query}")).problem(400, "invalid")
    assert problem["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("second", "field"),
    [
        (listing("A", "other"), "listings[1].sku"),
        (listing("B", "key-of-A"), "listings[1].key"),
        (listing("B", "x" * 257), "listings[1].key"),
        (listing("B", "ş" * 129), "listings[1].key"),
        (listing("B", "a\tb"), "listings[1].key"),
        (listing(""), "listings[1].sku"),
        (listing("B", price="1.23456"), "listings[1].price"),
        (listing("B", price="1,20"), "listings[1].price"),
        (listing("B", price="0.00"), "listings[1].price"),
        (listing("B", price="-1"), "listings[1].price"),
        (listing("B", price="1e3"), "listings[1].price"),
        (listing("B", price="01"), "listings[1].price"),
        (listing("B", price="٣"), "listings[1].price"),
        (listing("B", price="1\n"), "listings[1].price"),
        (listing("B", price=1.5), "listings[1].price"),
        (listing("B", price="9.99", list_price="9.98"), "listings[1].list_price"),
        (listing("B", price="9.99", list_price="10.00001"), "listings[1].list_price"),
        (listing("B", list_price="10"), "listings[1].list_price"),
        (listing("B", currency="try"), "listings[1].currency"),
        (listing("B", attributes={"id": "a\x00"}), "listings[1].attributes.id"),
        (listing("B", attributes={"": "a"}), "listings[1].attributes"),
        (listing("B", attributes={f"n{n}": "v" for n in range(33)}), "listings[1].attributes"),
        (listing("B", colour="red"), "listings[1].colour"),
    ],
)
async def test_given_a_listing_that_cannot_be_when_put_then_its_field_is_named_and_none_is_put(
    api: Api, second: dict[str, object], field: str
) -> None:
    problem = (await api.put(f"{ONE}/listings", {"listings": [listing("A"), second]})).problem(400, "invalid")

    assert [each["field"] for each in problem["errors"]] == [field]
    assert (await api.get(f"{ONE}/listings")).ok()["listings"] == []


async def test_given_list_prices_at_the_edge_when_put_then_they_are_taken_as_they_are_written(api: Api) -> None:
    await put(api, listing("A", price="9.9", list_price="9.9000"), listing("B", price="0.0001"))

    [found] = (await api.get(f"{ONE}/listings?sku=A")).ok()["listings"]

    assert (found["price"], found["list_price"]) == ("9.9", "9.9000")


async def test_given_1_000_long_listings_when_put_then_all_are_taken_and_1_001_are_not(api: Api) -> None:
    many = [listing(f"{number:04}" + "s" * 120, f"{number:04}" + "k" * 250) for number in range(1_001)]

    (await api.put(f"{ONE}/listings", {"listings": many})).problem(400, "invalid")

    assert (await put(api, *many[:1_000]))["listings"] == 1_000


# -- dead letters and wishes


def letter(sku: str, last_ms: int) -> DeadLetter:
    return DeadLetter(sku, f"key-of-{sku}", 3, "PRICE_MISSING", "Fiyat boş olamaz", 4, 1_000, last_ms, 12)


async def test_given_dead_letters_when_listed_then_the_newest_come_first_with_the_channel_s_own_reason(
    api: Api, shop: Shop
) -> None:
    await shop.bury("trendyol", [letter("old", 1_000), letter("new", 3_000), letter("mid", 2_000)])

    answer = (await api.get(f"{ONE}/dead-letters")).ok()

    assert [each["sku"] for each in answer["dead_letters"]] == ["new", "mid", "old"]
    assert answer["complete"] is True
    assert answer["dead_letters"][0] == {
        "sku": "new", "key": "key-of-new", "quantity": 3, "code": "PRICE_MISSING", "reason": "Fiyat boş olamaz",
        "attempts": 4, "first_at": "1970-01-01T00:00:01Z", "last_at": "1970-01-01T00:00:03Z", "seq": 12,
        "field": "quantity", "price": "",
    }  # fmt: skip


async def test_given_a_refused_price_beside_a_refused_quantity_when_listed_then_each_says_which_it_is(
    api: Api, shop: Shop
) -> None:
    both = [letter("S", 2_000), msgspec.structs.replace(letter("S", 2_000), field="price", price="6.66")]
    for number, each in enumerate(both):
        await shop.bury("trendyol", [each], field=f"S{number}")

    answer = (await api.get(f"{ONE}/dead-letters")).ok()

    assert [(each["field"], each["price"]) for each in answer["dead_letters"]] == [("quantity", ""), ("price", "6.66")]


async def test_given_more_dead_letters_than_asked_for_when_listed_then_the_newest_come_and_it_says_so(
    api: Api, shop: Shop
) -> None:
    await shop.bury("trendyol", [letter(f"S{number}", number) for number in range(1, 1_201)])

    answer = (await api.get(f"{ONE}/dead-letters?limit=2")).ok()

    assert [each["sku"] for each in answer["dead_letters"]] == ["S1200", "S1199"]
    assert answer["complete"] is False
    assert len((await api.get(f"{ONE}/dead-letters?limit=1000")).ok()["dead_letters"]) == 1_000
    (await api.get(f"{ONE}/dead-letters?limit=1001")).problem(400, "invalid")


async def test_given_a_command_when_sent_then_it_stands_in_the_journal_and_a_missing_publisher_is_reported(
    api: Api, shop: Shop
) -> None:
    asked = [
        await api.send("POST", f"{ONE}/reconcile"),
        await api.post(f"{ONE}/dead-letters/retry", {}),
        await api.post(f"{ONE}/dead-letters/retry", {"skus": ["A", "B", "A"]}),
        await api.send("POST", f"{ONE}/test"),
    ]

    assert [each.ok(202)["asked"] for each in asked] == ["reconcile", "retry", "retry", "test"]
    assert [each.ok(202)["publisher_missing"] for each in asked] == [True, True, True, True]
    assert [(change.operation, commanded_skus(change)) for change in await shop.changes()] == [
        ("channel_reconcile", []),
        ("channel_retry", []),
        ("channel_retry", ["A", "B"]),
        ("channel_test", []),
    ]


@pytest.mark.parametrize("body", [{"skus": []}, {"skus": [""]}, {"skus": ["a\n"]}, {"sku": "A"}])
async def test_given_a_retry_of_nothing_or_of_no_sku_when_sent_then_it_is_not_a_retry_of_all(
    api: Api, shop: Shop, body: object
) -> None:
    (await api.post(f"{ONE}/dead-letters/retry", body)).problem(400, "invalid")
    assert await shop.changes() == []


# -- who may, and what is never shown


Request = Callable[[Api], Awaitable[Answer]]
READS: Final[dict[str, Request]] = {
    "read": lambda api: api.get(ONE),
    "status": lambda api: api.get(f"{ONE}/status"),
    "listings": lambda api: api.get(f"{ONE}/listings"),
    "dead_letters": lambda api: api.get(f"{ONE}/dead-letters"),
}
CHANGES: Final[dict[str, Request]] = {
    "rules": lambda api: api.put(ONE, {"buffer": 1}),
    "put_listings": lambda api: api.put(f"{ONE}/listings", {"listings": [listing("A")]}),
    "reconcile": lambda api: api.send("POST", f"{ONE}/reconcile"),
    "retry": lambda api: api.post(f"{ONE}/dead-letters/retry", {}),
}


@pytest.mark.parametrize("request_", [*READS.values(), *CHANGES.values()], ids=[*READS, *CHANGES])
async def test_given_a_channel_that_is_not_configured_here_when_named_then_it_is_unknown(
    shop: Shop, api: Api, request_: Request
) -> None:
    shop.state.channels = {shop.partition: {}, "another": {"trendyol": settings("trendyol", "another")}}

    problem = (await request_(api)).problem(404, "unknown_channel")

    assert "configuration file" in problem["detail"]
    assert await shop.changes() == []


@pytest.mark.parametrize("scope", ["read", "reserve", "stock"])
async def test_given_a_key_without_admin_when_it_changes_a_channel_then_it_may_not(shop: Shop, scope: str) -> None:
    for name, request_ in CHANGES.items():
        problem = (await request_(shop.api(scope))).problem(403, "forbidden")
        assert "admin" in problem["detail"], name
    assert await shop.changes() == []


async def test_given_a_key_that_reads_when_it_reads_channels_then_it_may(shop: Shop) -> None:
    for request_ in (lambda api: api.get("/v1/channels"), *READS.values()):
        (await request_(shop.api("read"))).ok()
        (await request_(shop.api("reserve"))).problem(403, "forbidden")


async def test_given_secrets_in_the_options_when_every_route_has_answered_then_none_of_them_was_shown(
    shop: Shop, api: Api
) -> None:
    await shop.stand("trendyol", ChannelStatus(publisher="host:1", written_ms=await now_ms(shop.client)))
    await shop.bury("trendyol", [letter("A", 1_000)])
    for request_ in (lambda api: api.get("/v1/channels"), *READS.values(), *CHANGES.values(), *READS.values()):
        for scope in ("admin", "stock"):
            await request_(shop.api(scope))
    (await api.put(ONE, {"percent": 101})).problem(400, "invalid")
    (await api.get("/openapi.json")).ok()

    output = b"\n".join(answer.raw + str(dict(answer.headers)).encode() for answer in shop.answers)

    assert [secret for secret in SECRETS if secret.encode() in output] == []


CONFIGURED: Final = """
[channels.trendyol]
kind = "trendyol"
[channels.trendyol.options]
seller_id = 9988776655
[channels.trendyol.credentials]
api_key = { env = "SHOP_KEY" }
api_secret = { file = "%s" }
"""


async def test_given_credentials_in_the_environment_and_in_a_file_when_all_is_asked_then_nothing_shows_them(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    secrets = ("made-up-key-4711", "made-up-secret-0815", "9988776655")
    (tmp_path / "secret").write_text(secrets[1])
    server = start_server(toml=CONFIGURED % (tmp_path / "secret"), environment={"SHOP_KEY": secrets[0]}, role="api")
    answers = []
    async with opened(server) as api:
        for request_ in (lambda api: api.get("/v1/channels"), *READS.values(), *CHANGES.values(), *READS.values()):
            answer = await request_(api)
            answer.ok(answer.status if answer.status == 202 else 200)
            answers.append(answer)
        answers += [await api.get(path) for path in ("/metrics", "/docs", "/openapi.json")]
    assert server.stop() == 0

    everything = server.stderr + "".join(answer.raw.decode() + str(dict(answer.headers)) for answer in answers)

    assert "trendyol" in everything
    assert [secret for secret in secrets if secret in everything] == []


# -- keys that change hands in one request


async def keys_of(api: Api, path: str = ONE) -> dict[str, tuple[str, bool]]:
    listings = (await api.get(f"{path}/listings")).ok()["listings"]
    return {each["sku"]: (each["key"], each["listed"]) for each in listings}


async def test_given_two_listings_when_their_keys_are_swapped_in_one_request_then_each_has_the_other_s(
    api: Api, shop: Shop
) -> None:
    await put(api, listing("RED", "K1"), listing("BLUE", "K2"))

    await put(api, listing("RED", "K2"), listing("BLUE", "K1"))

    assert await keys_of(api) == {"RED": ("K2", True), "BLUE": ("K1", True)}
    assert (await shop.changes())[-1].notes == [
        ("sku", "RED"), ("left_key", "K1"), ("was", '{"key":"K1"}'), ("now", '{"key":"K2"}'),
        ("sku", "BLUE"), ("left_key", "K2"), ("was", '{"key":"K2"}'), ("now", '{"key":"K1"}'),
    ]  # fmt: skip


async def test_given_a_key_that_another_sku_has_in_the_end_when_put_then_both_are_named_and_nothing_changes(
    api: Api,
) -> None:
    await put(api, listing("RED", "K1"), listing("BLUE", "K2"), listing("GREEN", "K3"))
    before = await keys_of(api)

    refused = await api.put(
        f"{ONE}/listings", {"listings": [listing("RED", "K2"), listing("BLUE", "K3"), listing("NEW", "K1")]}
    )

    problem = refused.problem(409, "key_taken")
    rule = "GREEN is listed under K3 already; give GREEN another key, or unlist it, in the same request"
    assert problem["errors"] == [{"field": "listings[1].key", "rule": rule}]
    assert problem["detail"] == f"BLUE: {rule}. Nothing changed."
    assert await keys_of(api) == before


async def test_given_a_listed_key_when_its_owner_is_unlisted_in_the_same_request_or_before_then_it_is_free(
    api: Api,
) -> None:
    await put(api, listing("A", "K1"), listing("B", "K2"))

    await put(api, listing("A", "K1", listed=False), listing("NEW", "K1"))
    await put(api, listing("B", "K2", listed=False))
    await put(api, listing("OTHER", "K2"))

    assert await keys_of(api) == {
        "A": ("K1", False), "NEW": ("K1", True), "B": ("K2", False), "OTHER": ("K2", True),
    }  # fmt: skip
    (await api.put(f"{ONE}/listings", {"listings": [listing("A", "K1")]})).problem(409, "key_taken")


async def test_given_a_channel_that_lists_all_when_a_key_is_the_name_of_another_sku_then_that_one_must_leave_it(
    api: Api, shop: Shop, partition: str
) -> None:
    channels: Any = shop.state.channels
    channels[partition]["shop"] = msgspec.structs.replace(settings("shop", partition), listings="all")
    await api.count("A", 1)
    await api.count("B", 2)
    all_listings = "/v1/channels/shop/listings"

    refused = (await api.put(all_listings, {"listings": [listing("A", "B")]})).problem(409, "key_taken")
    (await api.put(all_listings, {"listings": [listing("A", "nobody")]})).ok()
    (await api.put(all_listings, {"listings": [listing("A", "B"), listing("B", "B", listed=False)]})).ok()

    assert refused["errors"][0]["rule"] == (
        "B is listed under B by itself; give B another key, or unlist it, in the same request"
    )
    assert await keys_of(api, "/v1/channels/shop") == {"A": ("B", True), "B": ("B", False)}


async def test_given_two_requests_for_one_key_at_once_when_put_then_one_has_it(api: Api) -> None:
    skus = [f"S{number}" for number in range(20)]

    answers = await asyncio.gather(*(api.put(f"{ONE}/listings", {"listings": [listing(sku, "K")]}) for sku in skus))

    assert sorted(answer.status for answer in answers) == [200] + [409] * 19
    assert len(await keys_of(api)) == 1


# -- names that nothing has


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (ONE, {"locations": ["main", "izmr"]}, "locations[1]"),
        ("/v1/safety/rules", {"rules": [{"units": 1}, {"units": 2, "location": "izmr"}]}, "rules[1].location"),
        ("/v1/replenishment/rules", {"rules": [{"target": 5, "location": "izmr"}]}, "rules[0].location"),
    ],
)
async def test_given_a_rule_for_a_place_that_is_not_there_when_put_then_it_is_refused_with_the_nearest(
    api: Api, path: str, body: dict[str, object], field: str
) -> None:
    await api.count("A", 5, location="izmir")

    problem = (await api.put(path, body)).problem(400, "invalid")

    assert [each["field"] for each in problem["errors"]] == [field]
    assert "names izmr, which is not registered and never had stock; did you mean izmir?" in problem["detail"]
    (await api.put("/v1/locations/izmr", {})).ok()
    (await api.put(path, body)).ok()


# -- the store is away


@pytest.mark.parametrize("name", [*READS, *CHANGES])
async def test_given_a_store_that_is_away_when_asked_then_the_answer_does_not_lie(
    shop: Shop, api: Api, name: str
) -> None:
    pool = connect.connection_pool("unix:///nonexistent/store.sock")
    shop.state.client = connect.client(pool)
    try:
        answer = await (READS | CHANGES)[name](api)
    finally:
        await pool.aclose()
    # The others read before they write.
    is_sent = name == "rules"
    problem = answer.problem(503, "outcome_unknown" if is_sent else "store_unavailable")
    assert problem["retryable"] is True
    assert problem["detail"].endswith("needs no key." if is_sent else "Nothing happened.")
