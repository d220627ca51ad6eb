"""Orders of channels over HTTP: found, read, erased; personal data shown to few; stock that needs none of it."""

import asyncio
import sqlite3
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from unittest.mock import ANY

import msgspec
import pytest

from server.domain.intake import HEARD_MAX, News
from server.domain.order_documents import Event, InboxEntry, ReturnDocument
from server.store.documents import found_state, history
from server.store.documents.documents import Documents
from server.store.documents.followed import positions
from server.store.documents.kept import Paper
from server.store.keys import ChannelKeys, Keyspace
from tests.conftest import wait_until
from tests.support.http import Api, Key, Server, opened
from tests.support.order_documents import MARK, booking, documents_of, marked_buyer, order
from tests.support.stores import StoreProcess

pytest_plugins = ("tests.support.http_fixtures",)

ONE = "/v1/orders/trendyol/1001"


@pytest.fixture
async def documents(server: Server) -> AsyncIterator[Documents]:
    async with documents_of(server) as opened_documents:
        yield opened_documents


async def put(documents: Documents, api: Api, number: str = "1001", **fields: object) -> None:
    await documents.put_order(api.partition, "trendyol", order(number, **fields), booking())


async def test_an_order_is_found_and_read_with_its_reservation_as_it_is_now(documents: Documents, api: Api) -> None:
    await api.put("/v1/stock/TS-1/main", {"on_hand": 5})
    body = {"channel": "trendyol", "reservation_id": "trendyol.1001", "lines": [{"sku": "TS-1", "quantity": 2}]}
    (await api.post("/v1/orders", body)).ok(201)
    await put(documents, api)
    await documents.add_timeline(api.partition, "trendyol", "1001", Event(at_ms=5, kind="booked", text="2 of TS-1"))

    page = (await api.get("/v1/orders?sku=TS-1&location=main&channel=trendyol&state=booked&number=1001")).ok()
    found = (await api.get(ONE)).ok()

    [one] = page["orders"]
    assert found["order"] == one
    assert (one["number"], one["total"], one["stock"][0]["quantity"]) == ("1001", "259.80", 2)
    assert [each["state"] for each in found["reservations"]] == ["committed"]
    assert found["buyer"]["shipping"]["lines"] == [f"{MARK} 5"]
    assert (found["personal"], found["packages"][0]["tracking"]) == ("shown", f"TR-{MARK}")
    assert [each["kind"] for each in found["timeline"]] == ["heard", "booked"]


async def test_an_order_that_lacks_units_names_the_locations_that_have_them(documents: Documents, api: Api) -> None:
    await api.put("/v1/stock/TS-1/main", {"on_hand": 1})
    await api.put("/v1/stock/TS-1/izmir", {"on_hand": 4})
    lines = [{"sku": "TS-1", "quantity": 2, "location": "main"}]
    body = {"channel": "trendyol", "reservation_id": "trendyol.1001", "lines": lines, "on_shortage": "accept"}
    (await api.post("/v1/orders", body)).ok(201)
    await put(documents, api)

    [short] = (await api.get(ONE)).ok()["shortages"]

    assert short == {
        "reservation_id": "trendyol.1001", "line": 1, "sku": "TS-1", "location": "main", "lacks": 1,
        "other_locations": [{"location": "izmir", "available": 4}], "certain": True,
    }  # fmt: skip
    move = {"lines": [{"line": 1, "to": "izmir", "quantity": 1}]}
    (await api.post("/v1/reservations/trendyol.1001/move", move)).ok()
    assert (await api.get(ONE)).ok()["shortages"] == []


async def test_pages_follow_each_other(documents: Documents, api: Api) -> None:
    for number in range(5):
        await put(documents, api, f"10/{number} #", placed_ms=1_000 + number)

    first = (await api.get("/v1/orders?limit=3")).ok()
    rest = (await api.get(f"/v1/orders?limit=3&after={first['next']}")).ok()

    numbers = [each["number"] for each in (*first["orders"], *rest["orders"])]
    assert numbers == [f"10/{number} #" for number in (4, 3, 2, 1, 0)]
    assert rest["next"] == ""
    assert (await api.get("/v1/orders/trendyol/10%2F4%20%23")).ok()["order"]["number"] == "10/4 #"
    assert (await api.get("/v1/orders/trendyol/~MTAvNCAj")).ok()["order"]["number"] == "10/4 #"


@pytest.mark.parametrize(
    "query",
    [
        "after=x", "after=e30", "from=2026-11-29T20:00:00", "to=yesterday", "limit=0", "limit=201", "short=maybe",
        "sku=", "colour=red", "customer=" + "x" * 65,
    ],
)  # fmt: skip
async def test_a_query_that_cannot_be_meant_is_refused(api: Api, query: str) -> None:
    (await api.get(f"/v1/orders?{query}")).problem(400, "invalid")


@pytest.mark.parametrize("place", [[2**63, "a", "b"], [2**100, "a", "b"], [-1, "a", "b"], [1.5, "a", "b"], [1, 2, "b"]])
async def test_a_place_that_no_page_has_given_is_refused(api: Api, place: list[object]) -> None:
    after = urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")

    for path in ("/v1/orders", "/v1/inbox"):
        (await api.get(f"{path}?after={after}")).problem(400, "invalid")


async def test_orders_are_found_by_time_and_by_the_name_of_their_buyer(documents: Documents, api: Api) -> None:
    await put(documents, api, "1", placed_ms=1_796_000_000_000)
    await put(documents, api, "2", placed_ms=1_796_000_100_000, buyer=marked_buyer("another"))

    async def found(query: str) -> list[str]:
        return [each["number"] for each in (await api.get(f"/v1/orders?{query}")).ok()["orders"]]

    [first, _] = (await api.get("/v1/orders")).ok()["orders"][::-1]
    assert await found("from=2026-12-01T00:00:00Z&to=2036-11-29T21:20:00Z") == []
    assert await found("to=2036-11-29T21:20:00%2B03:00") == ["2", "1"]
    assert await found(f"customer={first['customer_ref']}") == ["1"]
    assert await found("short=true") == []
    assert await found("unmapped=false") == ["2", "1"]


async def test_an_unknown_order_and_an_impossible_number_are_refused(api: Api) -> None:
    (await api.get(ONE)).problem(404, "unknown_order")
    for wrong in ("~!", "~MTA!vNCAj", "~MTAvNCAj=="):  # each order has one name in base64url
        (await api.get(f"/v1/orders/trendyol/{wrong}")).problem(400, "invalid")
    (await api.get("/v1/orders/trendyol/" + "9" * 1_025)).problem(400, "invalid")
    (await api.post(f"{ONE}/notes", {"text": "x"})).problem(404, "unknown_order")
    (await api.post(f"{ONE}/notes", {"text": ""})).problem(400, "invalid")


async def test_times_that_no_calendar_has_do_no_harm(documents: Documents, api: Api) -> None:
    await put(documents, api, changed_ms=10**18, placed_ms=-(10**18))

    assert (await api.get(ONE)).ok()["order"]["placed_at"] is None


async def test_another_partition_sees_nothing(documents: Documents, api: Api) -> None:
    await documents.put_order("other", "trendyol", order(), booking())

    assert (await api.get("/v1/orders")).ok()["orders"] == []
    (await api.get(ONE)).problem(404, "unknown_order")


# -- personal data


async def test_a_key_that_only_reads_sees_no_personal_data(server: Server, documents: Documents) -> None:
    await documents.put_order("scopes", "trendyol", order(), booking())
    async with opened(server, Key("reader", "scopes", ("read",))) as reader:
        found = await reader.get(ONE)
        assert found.ok()["personal"] == "hidden"
        assert MARK.encode() not in found.raw
        (await reader.post(f"{ONE}/erase", {})).problem(403, "forbidden")
        (await reader.post(f"{ONE}/notes", {"text": "x"})).problem(403, "forbidden")


async def test_a_note_is_kept_with_who_wrote_it(documents: Documents, api: Api) -> None:
    await put(documents, api)

    found = (await api.post(f"{ONE}/notes", {"text": "call first"})).ok(201)

    assert api.key is not None
    assert [(each["text"], each["actor"]) for each in found["notes"]] == [("call first", api.key.id)]


async def test_what_is_erased_is_gone_stays_gone_and_can_be_asked_for_twice(documents: Documents, api: Api) -> None:
    await put(documents, api)
    await api.post(f"{ONE}/notes", {"text": MARK})

    assert (await api.post(f"{ONE}/erase", {})).ok() == {"channel": "trendyol", "number": "1001", "was_kept": True}
    assert (await api.post(f"{ONE}/erase", {})).ok()["was_kept"] is True
    await put(documents, api, changed_ms=1_796_000_009_000)

    found = await api.get(ONE)
    assert MARK.encode() not in found.raw
    assert found.ok()["personal"] == "erased"
    assert found.ok()["order"]["customer_ref"] == ""
    assert [each["kind"] for each in found.ok()["timeline"]] == ["heard", "erased", "erased"]
    assert found.ok()["order"]["total"] == "259.80"


async def test_an_order_that_was_never_heard_of_can_be_erased_before_it_comes(documents: Documents, api: Api) -> None:
    assert (await api.post(f"{ONE}/erase", {})).ok()["was_kept"] is False

    await put(documents, api)

    assert (await api.get(ONE)).ok()["personal"] == "erased"


async def test_what_a_command_was_answered_with_is_read_until_it_is_erased(
    server: Server, documents: Documents, api: Api
) -> None:
    await put(documents, api)
    label = Paper(kind="label", id="label-7", number="1001", body=b"%PDF\0\xff", media_type="application/pdf")
    await documents.put_paper(api.partition, "trendyol", label)

    found = (await api.get(f"{ONE}/papers/label-7")).ok()

    assert (b64decode(found["content"]), found["media_type"], found["kind"]) == (label.body, "application/pdf", "label")
    for other in ("trendyol/1001/papers/label-8", "trendyol/1002/papers/label-7", "shop/1001/papers/label-7"):
        (await api.get(f"/v1/orders/{other}")).problem(404, "unknown_paper")
    async with opened(server, Key("reader", "scopes", ("read",))) as reader:
        (await reader.get(f"{ONE}/papers/label-7")).problem(403, "forbidden")
    (await api.post(f"{ONE}/erase", {})).ok()
    (await api.get(f"{ONE}/papers/label-7")).problem(404, "unknown_paper")


async def test_an_erasure_follows_a_command_that_is_not_in_the_outbox_yet(server: Server, api: Api) -> None:
    heard = ChannelKeys(Keyspace(api.partition), "trendyol").heard
    with server.store() as store:
        (await api.post(f"{ONE}/erase", {})).ok()
        assert store.xlen(heard) == 0  # nothing was said to the channel, so there is nothing to erase
        store.xadd(heard, {"n": msgspec.msgpack.encode(News("say", 0))})

        (await api.post(f"{ONE}/erase", {})).ok()

        [(_, fields)] = store.xrevrange(heard, count=1)
    assert msgspec.msgpack.decode(fields[b"n"], type=News) == News("erase", ANY, ["1001"])


async def test_an_erasure_that_the_outbox_has_no_room_for_is_refused_and_done_when_asked_for_again(
    server: Server, documents: Documents, api: Api
) -> None:
    await put(documents, api)
    heard = ChannelKeys(Keyspace(api.partition), "trendyol").heard
    with server.store() as store:
        waiting = store.pipeline()
        for _ in range(HEARD_MAX):
            waiting.xadd(heard, {"n": b""})
        waiting.execute()

        (await api.post(f"{ONE}/erase", {})).problem(503, "overloaded")
        store.delete(heard)

    assert (await api.post(f"{ONE}/erase", {})).ok()["was_kept"] is True
    assert (await api.get(ONE)).ok()["personal"] == "erased"


# -- inbox


async def test_the_inbox_lists_the_oldest_first(documents: Documents, api: Api) -> None:
    for number in ("1", "2", "3"):
        entry = InboxEntry(channel="trendyol", number=number, reason="unmapped", listings=("8690000000024",))
        await documents.put_inbox(api.partition, entry)

    first = (await api.get("/v1/inbox?limit=2&channel=trendyol")).ok()
    rest = (await api.get(f"/v1/inbox?limit=2&after={first['next']}")).ok()

    assert [each["number"] for each in (*first["entries"], *rest["entries"])] == ["1", "2", "3"]
    assert first["entries"][0]["listings"] == ["8690000000024"]
    assert rest["next"] == ""
    (await api.get("/v1/inbox?after=nonsense")).problem(400, "invalid")


async def test_the_inbox_marks_who_has_ordered_before_and_what_comes_back(documents: Documents, api: Api) -> None:
    await put(documents, api, "1", placed_ms=1)
    for number in ("2", "3"):
        fields = {} if number == "2" else {"buyer": marked_buyer("another")}
        entry = InboxEntry(channel="trendyol", number=number, reason="unmapped")
        await documents.put_order(api.partition, "trendyol", order(number, **fields), entry=entry)
    await documents.put_return(api.partition, "trendyol", ReturnDocument(key="R1", order_key="3"))
    await documents.put_inbox(api.partition, InboxEntry(channel="trendyol", number="not kept", reason="unreadable"))

    found = (await api.get("/v1/inbox")).ok()["entries"]

    flags = {each["number"]: each["flags"] for each in found}
    assert flags == {"2": ["repeat"], "3": ["return"], "not kept": []}
    assert (await api.get("/v1/orders/trendyol/2")).ok()["inbox"]["flags"] == ["repeat"]


# -- what a reservation lacks


async def test_a_reservation_names_what_it_lacks_and_who_has_it(api: Api) -> None:
    await api.put("/v1/stock/TS-1/main", {"on_hand": 1})
    await api.put("/v1/stock/TS-1/izmir", {"on_hand": 4})
    lines = [{"sku": "TS-1", "quantity": 2, "location": "main"}]
    body = {"channel": "shop", "reservation_id": "S/1", "lines": lines, "on_shortage": "accept"}
    (await api.post("/v1/orders", body)).ok(201)
    (
        await api.post("/v1/orders", {**body, "reservation_id": "whole", "lines": [{**lines[0], "location": "izmir"}]})
    ).ok(201)

    path = "/v1/reservations/S%2F1/shortages"
    [short] = (await api.get(path)).ok()["shortages"]

    assert short == {
        "reservation_id": "S/1", "line": 1, "sku": "TS-1", "location": "main", "lacks": 1,
        "other_locations": [{"location": "izmir", "available": 2}], "certain": True,
    }  # fmt: skip
    assert (await api.get("/v1/reservations/~Uy8x/shortages")).ok()["shortages"] == [short]
    assert (await api.get("/v1/reservations/whole/shortages")).ok() == {"shortages": []}
    (await api.get("/v1/reservations/nobody/shortages")).problem(404, "unknown_reservation")
    move = {"lines": [{"line": 1, "to": "izmir", "quantity": 1}]}
    (await api.post("/v1/reservations/S%2F1/move", move)).ok()
    assert (await api.get(path)).ok() == {"shortages": []}


# -- stock needs none of it


RESERVE = {"channel": "shop", "lines": [{"sku": "TS-1", "quantity": 1}]}


@pytest.fixture
async def own(start_server: Callable[..., Server]) -> AsyncIterator[tuple[Server, Api]]:
    server = start_server()
    async with opened(server) as api:
        await api.put("/v1/stock/TS-1/main", {"on_hand": 9})
        yield server, api


def file_of(server: Server) -> Path:
    return server.data_dir / "documents.sqlite3"


async def test_a_database_that_hangs_delays_no_reserve(own: tuple[Server, Api]) -> None:
    server, api = own
    async with documents_of(server) as documents:
        await put(documents, api)
    blocker = sqlite3.connect(file_of(server), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    reserved = 0
    try:
        erasing = asyncio.create_task(api.post(f"{ONE}/erase", {}))
        while not erasing.done() and reserved < 5:
            (await api.post("/v1/reservations", RESERVE)).ok(201)
            reserved += 1
        assert reserved > 1, "if they waited for it, the first would be answered after the erasure is given up"
        (await erasing).problem(503, "documents_unavailable")
    finally:
        blocker.close()
    assert server.faults == []


async def _is_followed(server: Server) -> bool:
    """Whether everybody who writes into the file has come to the end of the journal."""
    with server.store() as store:
        end = store.xinfo_stream(Keyspace("default").journal)["last-generated-id"].decode()
    async with documents_of(server) as documents:
        found = await documents._read(lambda session: positions(session, "default"))
    return found == dict.fromkeys((history.FOLLOWER, found_state.FOLLOWER), end)


async def test_a_file_that_is_no_database_is_told_and_harms_no_stock(own: tuple[Server, Api]) -> None:
    server, api = own
    (await api.get("/v1/orders")).ok()
    await wait_until(lambda: _is_followed(server), "what a start does with the file is over", every_s=0.05)
    for path in server.data_dir.glob("documents.sqlite3*"):
        path.unlink()
    file_of(server).write_bytes(b"nothing that SQLite knows" * 100)

    (await api.get("/v1/orders")).problem(503, "documents_unavailable")
    (await api.post("/v1/reservations", RESERVE)).ok(201)

    file_of(server).unlink()

    async def answers() -> bool:  # it is not asked for a while after a failure
        return (await api.get("/v1/orders")).status == 200

    await wait_until(answers, "documents are begun anew", every_s=0.05)
    assert (await api.get("/v1/orders")).ok()["orders"] == []
    assert server.faults == []


async def test_a_file_that_is_removed_loses_documents_and_no_unit(own: tuple[Server, Api]) -> None:
    server, api = own
    async with documents_of(server) as documents:
        await put(documents, api)
    assert len((await api.get("/v1/orders")).ok()["orders"]) == 1
    (await api.post("/v1/reservations", RESERVE)).ok(201)

    for path in server.data_dir.glob("documents.sqlite3*"):
        path.unlink()

    assert (await api.get("/v1/orders")).ok()["orders"] == []
    assert (await api.get("/v1/availability/TS-1")).ok()["available"] == 8
    async with documents_of(server) as documents:
        await put(documents, api)
    assert len((await api.get("/v1/orders")).ok()["orders"]) == 1
    assert (file_of(server).stat().st_mode & 0o777) == 0o600


async def test_a_store_of_its_own_without_a_database_serves_stock_and_says_what_is_missing(
    own_store: StoreProcess, start_server: Callable[..., Server]
) -> None:
    server = start_server(store_url=own_store.url)
    async with opened(server) as api:
        await api.put("/v1/stock/TS-1/main", {"on_hand": 9})
        (await api.post("/v1/reservations", RESERVE)).ok(201)
        (await api.get("/v1/orders")).problem(409, "documents_missing")
        (await api.get("/v1/inbox")).problem(409, "documents_missing")
        (await api.post(f"{ONE}/erase", {})).problem(409, "documents_missing")


async def test_several_workers_have_one_database(start_server: Callable[..., Server]) -> None:
    server = start_server(workers=2)
    async with documents_of(server) as documents:
        await documents.put_order("default", "trendyol", order(), booking())

    for _ in range(6):
        async with opened(server) as api:
            assert len((await api.get("/v1/orders")).ok()["orders"]) == 1


async def test_a_restored_copy_is_erased_anew(own: tuple[Server, Api]) -> None:
    server, api = own
    async with documents_of(server) as documents:
        await put(documents, api)
    server.stop()
    copies = {path: path.read_bytes() for path in server.data_dir.glob("documents.sqlite3*")}
    server.start()
    async with opened(server) as again:
        (await again.post(f"{ONE}/erase", {})).ok()
    server.stop()
    for path in server.data_dir.glob("documents.sqlite3*"):
        path.unlink()
    for path, content in copies.items():
        path.write_bytes(content)
    assert any(MARK.encode() in content for content in copies.values())

    server.start()

    async with opened(server) as again:

        async def is_erased() -> bool:
            return bool((await again.get(ONE)).ok()["personal"] == "erased")

        await wait_until(is_erased, every_s=0.05)
    with server.store() as store:
        assert store.hkeys(Keyspace("default").erased_orders) == [b"trendyol\x001001"]
