"""GET /v1/imports, and POST …/undo: an import is taken back over the wire as ``holdfast undo`` takes it back."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from server.store.keys import Keyspace
from tests.support.http import Answer, Api, Key, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

CSV = {"Content-Type": "text/csv"}


async def imported(api: Api, kind: str, content: bytes, query: str = "") -> str:
    """Apply a file at once, and return the id of its import."""
    path = f"/v1/files/{kind}?dry_run=false&yes=true{query}"
    return str((await api.send("POST", path, raw=content, headers=CSV)).ok()["import_id"])


async def undone(api: Api, import_id: str, query: str = "?dry_run=false") -> Answer:
    return await api.send("POST", f"/v1/imports/{import_id}/undo{query}")


async def on_hand(api: Api, sku: str) -> int:
    return int((await api.get(f"/v1/stock/{sku}")).ok()["levels"][0]["on_hand"])


async def states(api: Api) -> dict[str, str]:
    return {each["import_id"]: each["state"] for each in (await api.get("/v1/imports")).ok()["imports"]}


def put_record(server: Server, partition: str, import_id: str, **fields: Any) -> None:
    """Leave a remembered import as a kill leaves it, or as one of another kind."""
    with server.store() as store:
        key = Keyspace(partition).imports
        kept = msgspec.json.decode(store.hget(key, import_id))
        store.hset(key, import_id, msgspec.json.encode(kept | fields))


async def test_an_import_is_looked_at_and_taken_back_and_what_was_received_since_stays(api: Api) -> None:
    first = await imported(api, "import", b"sku,on_hand\nA,10\nB,20\n")
    wrong = await imported(api, "import", b"sku,on_hand\nA,100\nB,200\n", "&name=wrong.csv")
    (await api.post("/v1/stock/movements", {"movements": [{"kind": "receive", "sku": "A", "quantity": 3}]})).ok()

    looked = (await undone(api, wrong, "")).ok()
    assert (looked["applied"], looked["file"], looked["refused"]) == (False, "wrong.csv", [])
    assert looked["taken_back"] == ["A at main: 103 → 13", "B at main: 200 → 20"]
    assert await on_hand(api, "A") == 103

    done = (await undone(api, wrong)).ok()
    assert (done["applied"], done["taken_back"]) == (True, looked["taken_back"])
    assert (await on_hand(api, "A"), await on_hand(api, "B")) == (13, 20)
    assert await states(api) == {wrong: "undone", first: "done"}

    again = (await undone(api, wrong)).ok()
    assert (again["taken_back_total"], again["before"]) == (0, 2)
    assert await on_hand(api, "A") == 13


async def test_why_an_import_was_taken_back_is_in_the_history(api: Api) -> None:
    stock = await imported(api, "import", b"sku,on_hand\nA,10\n", "&name=" + "long" * 40)
    codes = await imported(api, "barcodes", b"barcode,sku\n8690000000012,A\n")

    for each in (stock, codes):
        (await undone(api, each, "?dry_run=true&reason=only%20looked")).ok()
        (await undone(api, each, "?dry_run=false&reason=of%20last%20week")).ok()

    changes = (await api.get("/v1/history")).ok()["changes"]
    told = [(each["operation"], each["reason"]) for each in changes if each["reason"]]
    assert [operation for operation, _ in told] == ["undo", "adjust", "count"]
    assert told[0][1] == "of last week"
    assert told[1][1].startswith("of last week (undo long")
    assert changes[0]["operation"] == "barcodes"
    (await undone(api, codes, "?reason=two%0Alines")).problem(400, "invalid")


async def test_what_was_sold_or_counted_since_is_refused_and_said(api: Api) -> None:
    made = await imported(api, "import", b"sku,on_hand\nA,10\nB,20\nC,30\n")
    (
        await api.post(
            "/v1/orders", {"channel": "shop", "reservation_id": "o-1", "lines": [{"sku": "A", "quantity": 4}]}
        )
    ).ok(201)
    (await api.put("/v1/stock/B/main", {"on_hand": 7})).ok()

    done = (await undone(api, made)).ok()

    assert done["taken_back"] == ["C at main: 30 → 0"]
    reasons = {each["what"]: each["reason"] for each in done["refused"]}
    assert done["refused_total"] == 2
    assert "only 6 are free" in reasons["A at main"]
    assert "counted since" in reasons["B at main"]
    assert (await states(api))[made] == "undoing"

    short = (await undone(api, made, "?dry_run=false&short=true")).ok()
    assert short["taken_back"] == ["A at main: 10 → 0; short of 4 now"]
    assert short["before"] == 1
    assert await on_hand(api, "B") == 7


async def test_a_list_is_taken_back_where_it_still_has_what_the_import_put_there(api: Api) -> None:
    await imported(api, "import", b"sku,on_hand\nA,10\nB,20\n")
    made = await imported(api, "barcodes", b"barcode,sku\nX1,A\nX2,B\n")
    (await api.put("/v1/barcodes", {"barcodes": [{"barcode": "X2", "sku": "A"}]})).ok()

    done = (await undone(api, made)).ok()

    assert done["taken_back"] == ["X1: taken away again"]
    assert [each["what"] for each in done["refused"]] == ["X2"]


async def test_an_import_that_was_interrupted_is_taken_back_when_that_is_meant(api: Api, server: Server) -> None:
    made = await imported(api, "import", b"sku,on_hand\nA,10\n")
    put_record(server, api.partition, made, state="running", ended="")

    assert "interrupted" in (await undone(api, made)).problem(409, "import_stays")["detail"]
    assert await on_hand(api, "A") == 10
    (await undone(api, made, "?dry_run=false&interrupted=true")).ok()
    assert await on_hand(api, "A") == 0


async def test_an_import_that_the_journal_or_the_memory_has_lost_stays(api: Api, server: Server) -> None:
    stock = await imported(api, "import", b"sku,on_hand\nA,10\n")
    listed = await imported(api, "barcodes", b"barcode,sku\nX1,A\n")
    with server.store() as store:
        store.xtrim(Keyspace(api.partition).journal, maxlen=1, approximate=False)
    put_record(server, api.partition, listed, keeps=False)

    assert "journal" in (await undone(api, stock)).problem(409, "import_stays")["detail"]
    assert "too much" in (await undone(api, listed)).problem(409, "import_stays")["detail"]
    assert await on_hand(api, "A") == 10


async def test_an_import_that_nobody_made_is_not_found(api: Api) -> None:
    (await undone(api, "nothing")).problem(404, "unknown_import")
    (await undone(api, "a%00b")).problem(404, "unknown_import")
    assert "forced" in str((await undone(api, "nothing", "?forced=true")).problem(400, "invalid"))


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("stock", 403), ("admin", 200)])
async def test_listings_are_taken_back_with_the_scope_that_sends_them(
    start_server: Callable[..., Server], scope: str, status: int
) -> None:
    keys = Key("owner", "default", ("admin",)), Key("other", "default", (scope,)), Key("else", "elsewhere", ("admin",))
    server = start_server(keys=list(keys))
    async with opened(server, keys[0]) as owner, opened(server, keys[1]) as other, opened(server, keys[2]) as elsewhere:
        made = await imported(owner, "import", b"sku,on_hand\nA,10\n")
        put_record(server, "default", made, kind="listings", where="shop")

        assert (await undone(other, made, "")).status == status
        (await undone(elsewhere, made, "")).problem(404, "unknown_import")
        assert (await elsewhere.get("/v1/imports")).ok() == {"imports": []}
