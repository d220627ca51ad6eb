"""What a channel shows of its listings and should show, over HTTP and on the command line."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
import pytest

from server.domain.channels import DeadLetter, Shown
from server.domain.intake import OutboxEntry
from server.store.keys import ChannelKeys, Keyspace
from tests.channels.webhook_receiver import PATH, SECRET, WebhookReceiver
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

CONFIG: Final = """
[channels.shop]
kind = "trendyol"
listings = "listed"

[channels.shop.options]
seller_id = 42

[channels.shop.credentials]
api_key = { env = "TRENDYOL_KEY" }
api_secret = { env = "TRENDYOL_SECRET" }
"""
TWO: Final = CONFIG + CONFIG.replace("channels.shop", "channels.all").replace('"listed"', '"all"')
KEYS: Final = {"TRENDYOL_KEY": "made-up-key", "TRENDYOL_SECRET": "made-up-secret"}
LISTINGS: Final = "/v1/channels/shop/listings"
SHOP: Final = ChannelKeys(Keyspace("default"), "shop")
_pack = msgspec.msgpack.encode


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    return start_server(toml=TWO, environment=KEYS, role="api")


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with opened(server) as api:
        await api.count("A", 10)
        await api.count("B", 4)
        listings: list[dict[str, Any]] = [
            {"sku": "A", "key": "a"},
            {"sku": "B", "key": "b", "listed": False},
            {"sku": "A", "key": "six", "factor": 6},
        ]
        (await api.put(LISTINGS, {"listings": listings})).ok()
        yield api


def confirmed(server: Server, **quantities: int) -> None:
    """Write what a publisher writes once the channel has confirmed."""
    skus = {"a": "A", "b": "B", "six": "\0six"}
    with server.store() as store:
        for key, quantity in quantities.items():
            store.hset(SHOP.shown, key, _pack(Shown(key, quantity, "", "", 1, 1_796_000_000_000, sku=skus[key])))


async def by_key(api: Api, query: str = "") -> dict[str, Any]:
    return {each["key"]: each for each in (await api.get(f"{LISTINGS}?{query}")).ok()["listings"]}


async def test_given_listings_when_read_then_each_says_what_is_shown_and_should_be_and_why(
    api: Api, server: Server
) -> None:
    (await api.put("/v1/channels/shop", {"buffer": 2})).ok()
    confirmed(server, a=8, b=0)
    found = await by_key(api)
    assert {key: (each["state"], each["shown"], each["should_show"], each["pending"]) for key, each in found.items()} \
        == {"a": ("shown", 8, 8, False), "b": ("unlisted", 0, 0, False), "six": ("pending", None, 1, True)}  # fmt: skip
    assert found["a"]["why"] == "10 available, less buffer 2 is 8"
    assert found["a"]["confirmed_at"] == "2026-11-30T00:53:20Z"
    assert (found["six"]["factor"], found["six"]["confirmed_at"]) == (6, None)
    (await api.reserve("A", 3)).ok(201)
    now = await by_key(api, "sku=A")
    assert (now["a"]["state"], now["a"]["shown"], now["a"]["should_show"]) == ("pending", 8, 5)


async def test_given_states_when_asked_for_then_only_those_come(api: Api, server: Server) -> None:
    confirmed(server, a=10, b=0)
    letter = DeadLetter("\0six", "six", 1, "NO", "unknown barcode", 3, 5_000, 6_000)
    with server.store() as store:
        store.hset(SHOP.dead_letters, "\0six", _pack(letter))
    for state, keys in (("shown", {"a"}), ("unlisted", {"b"}), ("refused", {"six"}), ("pending", set())):
        assert set(await by_key(api, f"state={state}")) == keys, state
    [six] = (await by_key(api, "state=refused")).values()
    assert six["refused"] == {
        "quantity": 1, "code": "NO", "reason": "unknown barcode", "attempts": 3, "last_at": "1970-01-01T00:00:06Z",
    }  # fmt: skip
    assert not six["pending"]
    (await api.get(f"{LISTINGS}?state=odd")).problem(400, "invalid")
    (await api.get(f"{LISTINGS}?state=refused&after=12")).problem(400, "invalid")


async def test_given_a_sku_when_its_channels_are_asked_for_then_each_says_what_it_shows(
    api: Api, server: Server
) -> None:
    confirmed(server, a=10)
    found = (await api.get("/v1/stock/A/channels")).ok()
    everywhere, shop = found["channels"]
    assert (found["sku"], everywhere["channel"], shop["channel"]) == ("A", "all", "shop")
    assert shop["publisher_missing"]
    assert [(each["key"], each["should_show"]) for each in shop["listings"]] == [("a", 10), ("six", 1)]
    assert [(each["key"], each["state"]) for each in everywhere["listings"]] == [("A", "pending")]
    assert [each["listings"] for each in (await api.get("/v1/stock/C/channels")).ok()["channels"]][1] == []
    words = ("show", "A", "--channels", "--data-dir", server.data_dir)
    environment = {**KEYS, "HOLDFAST_CONFIG": str(server.directory / "holdfast.toml")}
    said = json.loads(holdfast(*words, "--json", cwd=server.data_dir, **environment).stdout)
    assert [each["key"] for each in said["channels"][1]["listings"]] == ["a", "six"]
    table = holdfast(*words, cwd=server.data_dir, **environment).stdout
    assert "On channels" in table
    assert "10 available" in table


async def test_given_a_location_that_is_closed_when_read_then_its_units_do_not_count(api: Api) -> None:
    await api.count("A", 5, "store")
    assert (await by_key(api))["a"]["should_show"] == 15
    (await api.put("/v1/locations/store", {"open": False})).ok()
    assert (await by_key(api))["a"]["should_show"] == 10
    (await api.put("/v1/channels/shop", {"locations": ["store"]})).ok()
    assert (await by_key(api))["a"]["should_show"] == 0


async def test_given_dead_letters_when_read_in_pages_then_each_comes_once_the_newest_first(
    api: Api, server: Server
) -> None:
    with server.store() as store:
        for n in range(7):
            letter = DeadLetter(f"S{n}", f"s{n}", 1, "NO", "no", 1, 1_000, 1_000 * (n // 2 + 1))
            store.hset(SHOP.dead_letters, f"S{n}", _pack(letter))
    skus, after, complete = list[str](), "", False
    while True:
        page = (await api.get(f"/v1/channels/shop/dead-letters?limit=3&after={after}")).ok()
        skus += [each["sku"] for each in page["dead_letters"]]
        after, complete = page["next"], page["complete"]
        if not after:
            break
        assert not complete
    assert (skus, complete) == (["S6", "S5", "S4", "S3", "S2", "S1", "S0"], True)
    (await api.get("/v1/channels/shop/dead-letters?after=x")).problem(400, "invalid")


SERVED: Final = """
[channels.shop]
kind = "webhook"
allow_private = ["127.0.0.1"]

[channels.shop.options]
url = "http://127.0.0.1:%d%s"

[channels.shop.credentials]
secret = { env = "SHOP_SECRET" }
"""


async def test_given_a_publisher_when_the_shop_has_confirmed_then_the_listing_says_so(
    start_server: Callable[..., Server],
) -> None:
    async with WebhookReceiver() as receiver:
        receiver.stock("a", quantity=-1)
        toml, secret = SERVED % (receiver.port, PATH), {"SHOP_SECRET": SECRET}
        async with opened(start_server(toml=toml, environment=secret)) as api:
            await api.count("A", 5)
            (await api.put(LISTINGS, {"listings": [{"sku": "A", "key": "a"}]})).ok()

            async def is_shown() -> bool:
                [channel] = (await api.get("/v1/stock/A/channels")).ok()["channels"]
                [one] = channel["listings"]
                return (one["state"], one["shown"], one["should_show"]) == ("shown", 5, 5)

            await wait_until(is_shown, "the shop has confirmed 5")


async def test_given_commands_to_a_channel_when_read_in_pages_then_each_comes_once_the_newest_first(
    api: Api, server: Server
) -> None:
    with server.store() as store:
        for n in range(7):
            entry = OutboxEntry(f"ship-{n}", "1001", "ship", b"", "tester", "waiting", 1_000 * (n // 2), 1, 1)
            store.hset(SHOP.outbox, entry.id, _pack(entry))
    ids, after = list[str](), ""
    while True:
        page = (await api.get(f"/v1/channels/shop/outbox?limit=3&after={after}")).ok()
        ids += [each["id"] for each in page["commands"]]
        after = page["next"]
        assert page["complete"] is (after == "")
        if not after:
            break
    assert ids == [f"ship-{n}" for n in (6, 5, 4, 3, 2, 1, 0)]
    (await api.get("/v1/channels/shop/outbox?after=x")).problem(400, "invalid")
