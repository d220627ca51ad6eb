"""Orders that came in, as people see them: found, mapped, erased; personal data in one place; a lost database."""

import asyncio
import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from aiohttp import ClientSession

from tests.channels.market_server import environment, table
from tests.channels.orders_simulator import Market
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

ORDERS: Final = 'ship = "when_fulfilled"\nopen_orders_every_s = 0.5'
FILE: Final = "documents.sqlite3"


def buyer(number: int) -> dict[str, Any]:
    """Make a buyer whose every word is found nowhere else."""
    mark = f"Markgraf{number:03}x"
    address = {"name": mark, "lines": [f"{mark} Cd. 5"], "city": mark, "phone": mark, "tax_number": mark}
    return {
        "id": f"id-{mark}", "name": mark, "email": f"{mark}@example.com", "phone": mark, "note": f"ring {mark}",
        "shipping": address, "billing": address,
    }  # fmt: skip


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with Market() as market:
        yield market


@pytest.fixture
def server(market: Market, start_server: Callable[..., Server]) -> Server:
    toml = table("east", market, orders=ORDERS, listings="listed")
    server = start_server(toml=toml, environment=environment(), publisher_lease_s=1, durability="fast")
    market.webhook = f"{server.url}/v1/notifications/east"
    return server


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with opened(server) as api:
        await api.count("a", 50)
        (await api.put("/v1/channels/east/listings", {"listings": [{"sku": "a", "key": "a"}]})).ok()
        yield api


async def available(api: Api, sku: str = "a") -> int:
    return int((await api.get(f"/v1/availability/{sku}")).ok()["available"])


async def is_kept(api: Api, number: str, state: str = "booked") -> bool:
    answer = await api.get(f"/v1/orders/east/{number}")
    return answer.status == 200 and answer.body["order"]["state"] == state


async def test_an_order_is_found_by_its_number_its_sku_and_its_place_with_its_address(api: Api, market: Market) -> None:
    market.place("E1", {"a": 2}, buyer=buyer(1))
    await wait_until(lambda: is_kept(api, "E1"), "the order is kept", every_s=0.05)

    [found] = (await api.get("/v1/orders?sku=a&location=main&state=booked&channel=east")).ok()["orders"]
    whole = (await api.get("/v1/orders/east/E1")).ok()

    assert (found["number"], found["stock"][0]["quantity"], found["short"]) == ("E1", 2, 0)
    assert whole["buyer"]["shipping"]["city"] == "Markgraf001x"
    assert [each["state"] for each in whole["reservations"]] == ["committed"]
    assert [each["kind"] for each in whole["timeline"]][:2] == ["heard", "booked"]


async def test_an_order_is_found_by_the_new_name_of_its_sku_and_of_its_place(api: Api, market: Market) -> None:
    (await api.put("/v1/stock/c/izmir", {"on_hand": 9})).ok()
    (await api.put("/v1/channels/east/listings", {"listings": [{"sku": "c", "key": "c"}]})).ok()
    market.place("E1", {"c": 2}, buyer=buyer(1))
    await wait_until(lambda: is_kept(api, "E1"), "the order is kept", every_s=0.05)

    (await api.post("/v1/skus/c/rename", {"to": "ceramic"})).ok()
    (await api.post("/v1/locations/izmir/rename", {"to": "smyrna"})).ok()

    for query in ("sku=ceramic", "sku=c", "location=smyrna", "location=izmir&sku=c"):
        assert len((await api.get(f"/v1/orders?{query}")).ok()["orders"]) == 1, query


async def test_an_order_whose_document_was_lost_shows_what_was_booked(server: Server, api: Api, market: Market) -> None:
    market.place("E1", {"a": 2}, buyer=buyer(1))
    await wait_until(lambda: is_kept(api, "E1"), "the order is kept", every_s=0.05)
    market.orders.clear()  # it is not told again
    for path in server.data_dir.glob(FILE + "*"):
        path.unlink()

    found = (await api.get("/v1/orders/east/E1")).ok()

    assert [each["state"] for each in found["reservations"]] == ["committed"]
    assert found["personal"] == "none"
    (await api.get("/v1/orders/east/E9")).problem(404, "unknown_order")


async def test_an_order_of_an_unknown_listing_is_mapped_once_and_for_all(api: Api, market: Market) -> None:
    market.place("E1", {"a": 1, "zz": 2}, buyer=buyer(1))
    market.place("E2", {"zz": 1}, buyer=buyer(2))

    async def entries() -> dict[str, Any]:
        return {each["number"]: each for each in (await api.get("/v1/inbox")).ok()["entries"]}

    async def are_two() -> bool:
        return len(await entries()) == 2

    await wait_until(are_two, "both are in the inbox", every_s=0.05)
    entry = (await entries())["E1"]
    assert (entry["reason"], entry["listings"], entry["channel"]) == ("unmapped", ["zz"], "east")
    [unmapped] = (await api.get("/v1/orders?unmapped=true&number=E1")).ok()["orders"]
    assert unmapped["reason"] == "unmapped"

    await api.count("b", 9)
    body = {"listings": [{"sku": "b", "key": "zz"}]}
    answer = (await api.post("/v1/inbox/east/E1/map", body)).ok(202)

    assert (answer["asked"], answer["publisher_missing"]) == ("map", False)

    async def is_booked() -> bool:
        return not await entries() and await available(api, "b") == 6

    await wait_until(is_booked, "both orders are booked whole", every_s=0.05)
    (await api.post("/v1/inbox/east/E1/retry", {})).problem(404, "not_in_inbox")


async def test_an_order_that_is_ignored_is_left_alone(api: Api, market: Market) -> None:
    market.place("E1", {"zz": 2}, buyer=buyer(1))

    async def is_there(state: str) -> bool:
        return len((await api.get(f"/v1/inbox?state={state}")).ok()["entries"]) == 1

    await wait_until(lambda: is_there("open"), "it is in the inbox", every_s=0.05)
    (await api.post("/v1/inbox/east/E1/retry", {})).ok(202)
    assert (await api.post("/v1/inbox/east/E1/ignore", {})).ok(202)["entry"]["state"] == "ignored"
    market.place("E2", {"a": 1}, buyer=buyer(2))
    await wait_until(lambda: market.reads["E2"] > 2, "all that is open was read again")

    assert await is_there("ignored")
    assert (await api.get("/v1/inbox")).ok()["entries"] == []


async def test_an_order_whose_number_is_too_long_to_be_booked_is_tried_again_and_left_alone(
    api: Api, market: Market
) -> None:
    number = "E" * 300
    market.place(number, {"a": 2}, buyer=buyer(1))

    async def is_there(state: str = "open") -> bool:
        return [each["number"] for each in (await api.get(f"/v1/inbox?state={state}")).ok()["entries"]] == [number]

    await wait_until(is_there, "it is in the inbox", every_s=0.05)
    [entry] = (await api.get("/v1/inbox")).ok()["entries"]
    assert entry["reason"] == "impossible"
    assert (await api.get(f"/v1/orders/east/{number}")).ok()["order"]["number"] == number
    (await api.post(f"/v1/inbox/east/{number}/retry", {})).ok(202)
    assert (await api.post(f"/v1/inbox/east/{number}/ignore", {})).ok(202)["entry"]["state"] == "ignored"

    assert await is_there("ignored")
    assert await available(api) == 50


def all_of_the_store(server: Server) -> bytes:
    """Read every key of the store, as it is."""
    found = b""
    with server.store() as store:
        for key in store.scan_iter(count=1000):
            found += key + repr(_value(store, key)).encode()
            found += b"".join(_bytes(_value(store, key)))
    return found


def _value(store: redis.Redis, key: bytes) -> Any:
    match store.type(key):
        case b"hash":
            return store.hgetall(key)
        case b"zset":
            return store.zrange(key, 0, -1)
        case b"set":
            return store.smembers(key)
        case b"list":
            return store.lrange(key, 0, -1)
        case b"stream":
            return store.xrange(key)
        case _:
            return store.get(key)


def _bytes(value: Any) -> list[bytes]:
    match value:
        case bytes():
            return [value]
        case dict():
            return [part for pair in value.items() for each in pair for part in _bytes(each)]
        case list() | tuple() | set():
            return [part for each in value for part in _bytes(each)]
    return []


def files(folder: Path, *, of_documents: bool) -> bytes:
    return b"".join(
        path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name.startswith(FILE) == of_documents
    )


def outbox_has(server: Server, words: bytes) -> bool:
    """Whether some command of the outbox holds these words."""
    with server.store() as store:
        return any(words in each for each in store.hvals("hf:{default}:channel:east:outbox"))


async def changes_of(server: Server) -> bytes:
    """Read the change stream from its beginning until nothing comes for a moment."""
    found = b""
    async with ClientSession() as session, session.get(f"{server.url}/v1/changes?after=0") as answer:
        assert answer.status == 200
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20) as all_that_comes:
                async for part in answer.content.iter_any():
                    found += part
                    if b'"a"' in found:
                        all_that_comes.reschedule(asyncio.get_running_loop().time() + 1)
    assert b'"a"' in found
    return found


async def test_personal_data_is_in_the_documents_alone_and_after_an_erasure_nowhere(
    server: Server, api: Api, market: Market
) -> None:
    numbers = [f"E{number}" for number in range(8)]
    for at, number in enumerate(numbers):
        market.place(number, {"a": 1}, buyer=buyer(at))
        await market.tell(number)
    market.place("E8", {"zz": 1}, buyer=buyer(8))  # it stands in the inbox
    for number in numbers:
        await wait_until(lambda number=number: is_kept(api, number), f"{number} is kept", every_s=0.05)  # type: ignore[misc]
    await wait_until(lambda: "E8" in market.orders, "it was placed")
    (await api.post("/v1/orders/east/E0/notes", {"text": "ring Markgraf000x first"})).ok(201)
    mine = (await api.get("/v1/orders/east/E1")).ok()["order"]["reservations"][0]
    (await api.post(f"/v1/reservations/{mine}/fulfil", {"tracking": "T1", "carrier": "sled"})).ok()
    await wait_until(lambda: is_kept(api, "E1", "shipped"), "it has left", every_s=0.05)
    await wait_until(lambda: outbox_has(server, b"T1"), "the channel is told", every_s=0.05)
    # A delivery that is not understood, and one that is forged, hold personal data, too.
    assert await market.deliver(b'{"order": {"buyer": "Markgraf998x"}}') in (400, 401)
    assert await market.deliver(b'{"order": {"buyer": "Markgraf999x"}}', secret="another") == 401
    # What a buyer writes of a return, and what the channel says of a command, may be personal.
    case = {
        "key": "R1",
        "order_key": "E3",
        "state": "asked",
        "lines": [{"quantity": 1, "reason": "Markgraf003x is ill"}],
    }
    assert await market.deliver(json.dumps({"returns": [case]}).encode()) == 202
    market.refuses_with = ": Markgraf002x has moved"
    refuse = {"command": "refuse", "order": "E2", "lines": [{"line": "La", "quantity": 9}]}
    (await api.post("/v1/channels/east/outbox", refuse)).ok(202)

    async def is_refused() -> bool:
        notes = (await api.get("/v1/orders/east/E2")).ok()["notes"]
        return [each["text"] for each in notes] == ["refuse refused: 1 pieces are left of La: Markgraf002x has moved"]

    async def has_come() -> bool:
        return bool((await api.get("/v1/orders/east/E3")).ok()["returns"])

    await wait_until(is_refused, "the refusal is kept for people", every_s=0.05)
    await wait_until(has_come, "the return is kept", every_s=0.05)

    async def everywhere_else() -> bytes:
        metrics = (await api.get("/metrics")).raw
        changes = (await api.get("/v1/reservations")).raw + (await api.get("/v1/orders")).raw
        return (
            all_of_the_store(server)
            + server.stderr.encode()
            + metrics
            + changes
            + await changes_of(server)
            + files(server.data_dir, of_documents=False)
        )

    assert b"Markgraf007x" in files(server.data_dir, of_documents=True)
    assert b"Markgraf" not in await everywhere_else()

    left = await available(api)
    for number in [*numbers, "E8"]:
        assert (await api.post(f"/v1/orders/east/{number}/erase", {})).ok()["was_kept"]
    await wait_until(lambda: not outbox_has(server, b"T1"), "the outbox is erased, too", every_s=0.05)
    seen = Counter(market.reads)

    def are_told_again() -> bool:  # when it is read once more, what was read before is written down
        return all(market.reads[each] >= seen[each] + 2 for each in numbers if each != "E1")  # that one has left

    await wait_until(are_told_again, "the channel tells of them again", every_s=0.05)

    assert b"Markgraf" not in files(server.data_dir, of_documents=True)
    assert b"Markgraf" not in await everywhere_else()
    assert await available(api) == left
    found = (await api.get("/v1/orders/east/E1")).ok()
    assert (found["personal"], found["order"]["state"]) == ("erased", "shipped")
    server.stop()
    assert b"Markgraf" not in files(server.data_dir, of_documents=True) + files(server.data_dir, of_documents=False)
    assert server.faults == []


async def test_a_database_that_hangs_holds_back_no_order(server: Server, api: Api, market: Market) -> None:
    market.place("E1", {"a": 1}, buyer=buyer(1))
    await wait_until(lambda: is_kept(api, "E1"), "the order is kept", every_s=0.05)
    blocker = sqlite3.connect(server.data_dir / FILE, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        for number in range(2, 8):
            market.place(f"E{number}", {"a": 1}, buyer=buyer(number))

        async def are_booked() -> bool:
            return await available(api) == 43

        await wait_until(are_booked, "all are booked", within_s=30, every_s=0.1)
    finally:
        blocker.close()

    await wait_until(lambda: is_kept(api, "E7"), "the last one is written down later", within_s=40, every_s=0.1)


async def test_a_removed_file_costs_no_unit_and_open_orders_come_back_with_their_addresses(
    server: Server, api: Api, market: Market
) -> None:
    for number in range(4):
        market.place(f"E{number}", {"a": 1}, buyer=buyer(number))
    for number in range(4):
        await wait_until(lambda number=number: is_kept(api, f"E{number}"), "it is kept", every_s=0.05)  # type: ignore[misc]

    for path in server.data_dir.glob(FILE + "*"):
        path.unlink()

    for number in range(4):
        await wait_until(lambda number=number: is_kept(api, f"E{number}"), "it is kept again", every_s=0.05)  # type: ignore[misc]
    assert (await api.get("/v1/orders/east/E3")).ok()["buyer"]["name"] == "Markgraf003x"
    level = (await api.get("/v1/stock/a")).ok()["levels"][0]
    assert (level["on_hand"], level["committed"]) == (50, 4)
