"""Who changed what, over HTTP and by a command: why it was three last Friday, after a restart, a restore and a trim."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from server.store.connection import connect
from server.store.documents import followed
from server.store.journal import journal
from server.store.keys import Keyspace
from tests.conftest import wait_until
from tests.support.http import Api, Key, Server, opened
from tests.support.order_documents import documents_of
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

ADMIN = Key("boss", "default")
READER = Key("reader", "default", ("read",))


@asynccontextmanager
async def store_of(server: Server) -> AsyncIterator[Redis]:
    pool = connect.connection_pool(f"unix://{server.data_dir / 'store.sock'}")
    try:
        yield connect.client(pool)
    finally:
        await pool.aclose()


async def followed_to_the_end(server: Server, partition: str = "default") -> None:
    """Wait until the database has all that the journal has."""
    async with store_of(server) as client, documents_of(server) as documents:

        async def is_there() -> bool:
            places = await documents.look(lambda session: followed.positions(session, partition))
            return places.get("history") == (await journal.bounds(client, Keyspace(partition))).last_id

        await wait_until(is_there, "all is followed", 60.0)


async def sell(api: Api, number: str, quantity: int = 1, sku: str = "A", **fields: Any) -> None:
    body = {"channel": "web", "reservation_id": number, "lines": [{"sku": sku, "quantity": quantity}], **fields}
    (await api.post("/v1/orders", body)).ok(201)


async def history(api: Api, **asked: Any) -> Any:
    return (await api.get(path_of(asked))).ok()


def path_of(asked: Mapping[str, Any]) -> str:
    return "/v1/history?" + "&".join(f"{name.rstrip('_')}={value}" for name, value in asked.items())


async def between() -> str:
    """A time after all that was done so far, and before what is done next.

    Times are whole milliseconds. A server that answers within one would put what is done next into the same.
    """
    await asyncio.sleep(0.002)
    at = datetime.now(UTC)
    await asyncio.sleep(0.002)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_who_changed_what_is_told_from_the_journals_end_and_from_the_database(server: Server, api: Api) -> None:
    (await api.put("/v1/stock/A/main", {"on_hand": 10})).ok()
    await sell(api, "o1", 3, order_ref="1001")
    fresh = await history(api, sku="A")
    await followed_to_the_end(server, api.partition)
    (await api.post("/v1/reservations/o1/cancel", {"reason": "changed my mind"})).ok()

    kept = await history(api, sku="A")

    assert kept["changes"][1:] == fresh["changes"]
    assert (kept["next"], kept["gaps"], kept["then"]) == ("", [], None)
    cancelled, ordered, counted = kept["changes"]
    assert [each["operation"] for each in kept["changes"]] == ["cancel", "order", "count"]
    assert [(each["available_before"], each["available"]) for each in kept["changes"]] == [(7, 10), (10, 7), (0, 10)]
    assert (cancelled["reason"], cancelled["deltas"]) == ("changed my mind", {"committed": -3})
    assert (ordered["order_ref"], ordered["reservation_id"], ordered["channel"]) == ("1001", "o1", "web")
    assert {each["actor"] for each in kept["changes"]} == {api.partition}
    assert (counted["location"], counted["seq"]) == ("main", 1)


async def test_pages_go_over_from_the_journal_to_the_database(server: Server, api: Api) -> None:
    (await api.put("/v1/stock/A/main", {"on_hand": 100})).ok()
    for number in range(4):
        await sell(api, f"o{number}")
    await followed_to_the_end(server, api.partition)
    for number in range(4, 9):
        await sell(api, f"o{number}")

    for asked in ({"sku": "A"}, {}, {"sku": "A", "channel": "web"}):
        found, after = list[str](), ""
        for _ in range(20):
            page = await history(api, **asked, limit=2, **({"after": after} if after else {}))
            found += [each["reservation_id"] for each in page["changes"] if each["reservation_id"]]
            after = page["next"]
            if not after:
                break
        assert found == [f"o{number}" for number in range(8, -1, -1)]


async def test_each_name_finds_what_is_about_it(server: Server, api: Api) -> None:
    (await api.put("/v1/stock/A/main", {"on_hand": 9})).ok()
    (await api.put("/v1/stock/B/shop", {"on_hand": 9})).ok()
    await sell(api, "o1", order_ref="1001")
    (await api.put("/v1/barcodes", {"barcodes": [{"barcode": "8690000000005", "sku": "A"}]})).ok()
    rules = {"rules": [{"sku": "A", "reorder_point": 5, "target": 20}]}
    (await api.put("/v1/replenishment/rules", rules)).ok()
    expected = {
        "location=shop": ["count"],
        "channel=web": ["order"],
        "order=1001": ["order"],
        "order=o1": ["order"],
        "key=8690000000005": ["barcodes"],
        "sku=A": ["replenishment_rules", "barcodes", "order", "count"],
        "sku=A&location=main": ["order", "count"],
        f"actor={api.partition}": ["replenishment_rules", "barcodes", "order", "count", "count"],
        "actor=nobody": [],
        "from=2100-01-01T00:00:00Z": [],
        "to=2020-01-01T00:00:00Z": [],
    }

    for _ in range(2):  # of the journal, and then of the database
        for query, operations in expected.items():
            found = (await api.get(f"/v1/history?{query}")).ok()["changes"]
            assert [each["operation"] for each in found] == operations, query
        await followed_to_the_end(server, api.partition)
    [rule, *_] = (await history(api, sku="A"))["changes"]
    assert (rule["was"], json.loads(rule["now"])["reorder_point"]) == ("", 5)


@pytest.mark.parametrize(
    "query",
    ["after=x", "after=1-", "from=2026-11-29T20:00:00", "at=2026-11-29T20:00:00Z", "sku=A&at=friday", "limit=0",
     "colour=red", "sku=", "sku=A&at=2026-11-29T20:00:00"],
)  # fmt: skip
async def test_a_query_that_cannot_be_meant_is_refused(api: Api, query: str) -> None:
    (await api.get(f"/v1/history?{query}")).problem(400, "invalid")


async def test_a_renamed_sku_keeps_its_history(server: Server, api: Api) -> None:
    (await api.put("/v1/stock/OLD/main", {"on_hand": 5})).ok()
    at = await between()
    (await api.post("/v1/skus/OLD/rename", {"to": "NEW"})).ok()
    await followed_to_the_end(server, api.partition)

    found = await history(api, sku="NEW", at=at)

    assert found["then"]["available"] == 5
    assert found["then"]["locations"][0]["change"]["operation"] == "count"
    assert "count" in [each["operation"] for each in (await history(api, sku="OLD"))["changes"]]


async def test_keys_are_shown_to_administrators_alone(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=[ADMIN, READER])
    made = holdfast("keys", "new", "--scope", "read", "--data-dir", server.data_dir, cwd=server.directory)
    assert made.returncode == 0, made.stderr

    async with opened(server, ADMIN) as api:
        [key] = (await history(api))["changes"]
        assert (key["operation"], key["actor"]) == ("api_key", "local")
        assert (await history(api, key=key["key"]))["changes"] == [key]
    async with opened(server, READER) as api:
        assert (await history(api))["changes"] == []
        assert (await history(api, key=key["key"]))["changes"] == []


async def test_without_a_documents_database_that_is_said(start_server: Callable[..., Server], store: Any) -> None:
    server = start_server(store_url=store.url, store_check=False)

    async with opened(server) as api:
        (await api.get("/v1/history")).problem(409, "documents_missing")


# -- why was it three last Friday?


async def why(server: Server, at: str) -> Any:
    """Ask by the route."""
    async with opened(server, ADMIN) as api:
        return await history(api, sku="A", at=at)


async def why_by_both(server: Server, at: str) -> Any:
    """Ask by the route and by the command, which say the same."""
    found = await why(server, at)
    words = ("history", "--sku", "A", "--at", at, "--json", "--data-dir", server.data_dir)
    command = holdfast(*words, cwd=server.directory)
    assert command.returncode == 0, command.stderr
    said = json.loads(command.stdout)
    assert said["then"]["available"] == found["then"]["available"]
    assert said["then"]["locations"] == found["then"]["locations"]
    assert said["changes"] == found["changes"]
    return found


def because(found: Any) -> tuple[Any, ...]:
    [place] = found["then"]["locations"]
    change = place["change"]
    return (found["then"]["available"], place["sure"], change and change["operation"], change and change["order_ref"])


async def test_why_was_it_three(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=[ADMIN])
    async with opened(server, ADMIN) as api:
        before = await between()
        (await api.put("/v1/stock/A/main", {"on_hand": 10})).ok()
        await sell(api, "o1", 7, order_ref="1001")
        friday = await between()
        (await api.put("/v1/stock/B/main", {"on_hand": 10})).ok()  # so the backup is known to have all of Friday
    await followed_to_the_end(server)
    backup = server.directory / "backup.sqlite3"
    async with documents_of(server) as documents:
        await documents.follow(lambda session: session.fetch("SELECT 1"))
        await documents._database.scrub()  # so that the file alone is the whole of it
    shutil.copy(server.data_dir / "documents.sqlite3", backup)
    async with opened(server, ADMIN) as api:
        for number in range(2, 7):
            await sell(api, f"o{number}", 1, on_shortage="accept")
    expected = (3, True, "order", "1001")

    assert because(await why(server, friday)) == expected
    assert because(await why(server, before)) == (0, True, None, None)

    # after a restart
    assert server.stop() == 0
    server.start()
    assert because(await why_by_both(server, friday)) == expected

    # with a journal that was trimmed
    await followed_to_the_end(server)
    async with store_of(server) as client:
        await client.xtrim(Keyspace("default").journal, maxlen=1, approximate=False)
    assert because(await why(server, friday)) == expected
    async with opened(server, ADMIN) as api:
        assert (await history(api, limit=5))["gaps"] == []
        await sell(api, "last", 1, on_shortage="accept")

    # and with an old database that was restored, so that a part is missing between the two
    assert server.stop() == 0
    for file in server.data_dir.glob("documents.sqlite3*"):
        file.unlink()
    shutil.copy(backup, server.data_dir / "documents.sqlite3")
    server.start()
    await followed_to_the_end(server)
    found = await why_by_both(server, friday)
    assert because(found) == expected
    async with opened(server, ADMIN) as api:
        [gap] = (await history(api))["gaps"]
        assert gap["reason"] == "trimmed"
        later = await history(api, sku="A", at=gap["to"])
    assert later["then"]["locations"][0]["sure"] is (later["then"]["locations"][0]["change"]["at"] >= gap["to"])


async def test_why_was_it_three_once_a_backup_was_restored(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=[ADMIN])
    async with opened(server, ADMIN) as api:
        (await api.put("/v1/stock/A/main", {"on_hand": 10})).ok()
        await sell(api, "o1", 7, order_ref="1001")
        friday = await between()
        await sell(api, "o2")
    await followed_to_the_end(server)
    expected = (3, True, "order", "1001")

    def done(*words: Any) -> None:
        ended = holdfast(*words, cwd=server.directory)
        assert ended.returncode == 0, ended.stdout + ended.stderr

    done("backup", "saved.tar", "--data-dir", server.data_dir)
    assert server.stop() == 0
    shutil.rmtree(server.data_dir)  # the machine is lost
    done("restore", "saved.tar", "--data-dir", server.data_dir)
    server.start()
    assert because(await why_by_both(server, friday)) == expected

    # and when what is sold now is all that the journal still has
    async with opened(server, ADMIN) as api:
        await sell(api, "o3")
    await followed_to_the_end(server)
    async with store_of(server) as client:
        await client.xtrim(Keyspace("default").journal, maxlen=1, approximate=False)
    assert server.stop() == 0
    server.start()
    assert because(await why_by_both(server, friday)) == expected
    async with opened(server, ADMIN) as api:
        found = await history(api, sku="A")
    assert [each["operation"] for each in found["changes"]] == ["order", "order", "order", "count"]


async def test_of_a_lost_database_what_the_journal_has_is_made_anew(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=[ADMIN])
    async with opened(server, ADMIN) as api:
        (await api.put("/v1/stock/A/main", {"on_hand": 10})).ok()
        await sell(api, "o1", 7)
        await followed_to_the_end(server)
        before = await history(api)
        server.kill()
        for file in server.data_dir.glob("documents.sqlite3*"):
            file.unlink()
        server.start()
        await followed_to_the_end(server)

    async with opened(server, ADMIN) as api:
        after = await history(api)
    assert (after["changes"], after["gaps"]) == (before["changes"], [])


# -- commands


async def test_people_read_it_as_a_table(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=[ADMIN])
    async with opened(server, ADMIN) as api:
        (await api.put("/v1/stock/A/main", {"on_hand": 10})).ok()
        await sell(api, "o1", 7, order_ref="1001")
    await followed_to_the_end(server)

    def command(*words: str) -> str:
        done = holdfast(*words, "--data-dir", server.data_dir, cwd=server.directory, COLUMNS="200")
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "committed +7" in command("history", "--sku", "A")
    asked = command("history", "--sku", "A", "--at", "2100-01-01")
    assert "A at 2100-01-01T23:59:59.999Z: 3 available" in asked
    assert "by order of o1, order 1001 of boss for web" in asked
    assert "Nothing was changed." in command("history", "--to", "2020-01-01")
    story = json.loads(command("show", "A", "--history", "--json"))
    assert [each["operation"] for each in story["history"]] == ["count", "order"]
    assert (story["history_complete"], story["history_gaps"]) == (True, [])
    assert "History" in command("show", "A", "--history")
    wrong = holdfast("history", "--at", "2026-11-27", "--data-dir", server.data_dir, cwd=server.directory)
    assert wrong.returncode == 2
    assert "--sku" in wrong.stderr
