"""POST /v1/files: a file is looked at, and its token applies it once, for who looked, and as it was looked at."""

import asyncio
import io
import secrets
import time
import zipfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from http import HTTPStatus

import pytest

from server.domain.limits import FILE_BYTES_MAX
from server.store.keys import Keyspace
from server.store.repositories import waiting_files
from tests.conftest import wait_until
from tests.support.http import Answer, Api, Key, Server, opened, raw_connection

pytest_plugins = ("tests.support.http_fixtures",)

CSV = {"Content-Type": "text/csv"}
STOCK = b"sku,on_hand\nA,10\nB,x\nC,30\n"


async def sent(api: Api, kind: str, content: bytes, query: str = "", headers: dict[str, str] | None = None) -> Answer:
    return await api.send("POST", f"/v1/files/{kind}{query}", raw=content, headers=headers or CSV)


async def applied(api: Api, kind: str, token: str) -> Answer:
    return await api.send("POST", f"/v1/files/{kind}/{token}")


async def on_hand(api: Api, sku: str) -> int:
    return int((await api.get(f"/v1/stock/{sku}")).ok()["levels"][0]["on_hand"])


def form(content: bytes, name: str = "stock.csv", part: str = "file") -> tuple[bytes, dict[str, str]]:
    """Write a form with one file."""
    head = f'--XX\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'.encode()
    return head + content + b"\r\n--XX--\r\n", {"Content-Type": "multipart/form-data; boundary=XX"}


async def test_a_file_is_looked_at_and_then_applied_by_its_token(api: Api) -> None:
    looked = (await sent(api, "import", STOCK, "?name=stock.csv")).ok()

    assert (looked["state"], looked["file"], looked["rows"]) == ("waiting", "stock.csv", 3)
    assert looked["counts"] == {"new": 2, "raised": 0, "lowered": 0, "zeroed": 0, "unchanged": 0, "bad": 1}
    assert looked["changes"][0] == {
        "line": 2, "change": "new", "about": {"sku": "A", "location": "main"}, "before": None,
        "after": {"on_hand": 10, "safety": 0},
    }  # fmt: skip
    assert (looked["bad"][0]["line"], looked["bad"][0]["row"]) == (3, "B,x")
    (await api.get("/v1/stock/A")).problem(422, "unknown_sku")
    waiting = (await api.get(f"/v1/files/import/{looked['token']}")).ok()
    assert (waiting["state"], waiting["done"]) == ("waiting", 0)

    done = (await applied(api, "import", looked["token"])).ok()

    assert (done["state"], done["counts"]["new"], done["bad_total"]) == ("done", 2, 1)
    assert done["import_id"]
    assert (await on_hand(api, "A"), await on_hand(api, "C")) == (10, 30)
    assert (await api.get(f"/v1/files/import/{looked['token']}")).ok() == done
    bad = await api.get(f"/v1/files/import/{looked['token']}/bad")
    assert bad.headers["Content-Type"].startswith("text/csv")
    assert "B,x" in bad.raw.decode()


async def test_a_token_has_one_effect_however_often_it_is_sent(api: Api) -> None:
    token = (await sent(api, "move", b"kind,sku,quantity\nreceive,A,5\n")).ok()["token"]

    first = await applied(api, "move", token)
    again = await applied(api, "move", token)

    assert first.ok() == again.ok()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await on_hand(api, "A") == 5


async def test_a_form_is_read_as_the_same_file(api: Api) -> None:
    content, headers = form(STOCK)

    looked = (await sent(api, "import", content, headers=headers)).ok()

    assert (looked["file"], looked["counts"]["new"]) == ("stock.csv", 2)


async def test_what_was_counted_since_the_look_stays_and_is_said(api: Api) -> None:
    await api.count("A", 10)
    await api.count("B", 20)
    token = (await sent(api, "import", b"sku,on_hand\nA,15\nB,25\n")).ok()["token"]
    await api.count("A", 12)

    done = (await applied(api, "import", token)).ok()

    assert (done["counts"]["raised"], done["counts"]["bad"]) == (1, 1)
    assert "was counted since the preview: it had 10 then, and has 12 now" in done["bad"][0]["reason"]
    assert (await on_hand(api, "A"), await on_hand(api, "B")) == (12, 25)


async def test_what_needs_yes_is_applied_at_once_only_with_a_yes(api: Api) -> None:
    await api.count("A", 10)
    text = b"sku,on_hand\nA,500\nNEW,5\n"

    looked = (await sent(api, "import", text)).ok()
    assert {each["concern"] for each in looked["concerns"]} == {"grew", "new_sku"}
    refused = (await sent(api, "import", text, "?dry_run=false")).problem(409, "file_needs_yes")
    assert "would grow to 10 times" in refused["detail"]
    assert await on_hand(api, "A") == 10
    done = (await sent(api, "import", text, "?dry_run=false&yes=true")).ok()

    assert (done["state"], await on_hand(api, "A")) == ("done", 500)
    assert (await sent(api, "import", text, "?dry_run=false")).ok()["counts"]["unchanged"] == 2


async def test_each_kind_of_file_is_taken(api: Api) -> None:
    await api.count("A", 10)
    files = {
        "count": (b"sku,on_hand\nA,8\n", ""),
        "move": (b"kind,sku,quantity,reason\nadjust,A,-1,lost\n", ""),
        "barcodes": (b"barcode,sku\nX-1,A\n", ""),
        "categories": (b"sku,category\nA,shirts\n", ""),
        "locations": (b"name,priority\nmain,5\n", ""),
    }
    for kind, (content, query) in files.items():
        looked = (await sent(api, kind, content, query)).ok()
        assert looked["changes_total"] == 1, kind
        assert (await applied(api, kind, looked["token"])).ok()["bad_total"] == 0, kind
    assert await on_hand(api, "A") == 7
    (await sent(api, "listings", b"sku,key\nA,1\n")).problem(400, "invalid")
    refused = (await sent(api, "listings", b"sku,key\nA,1\n", "?channel=nowhere")).problem(422, "file_refused")
    assert "is not known" in refused["detail"]


# -- attacks


async def test_a_token_is_for_its_kind_its_key_and_its_partition(start_server: Callable[..., Server]) -> None:
    keys = [Key("a", "p"), Key("b", "p"), Key("c", "q")]
    server = start_server(keys=keys)
    async with opened(server, keys[0]) as owner, opened(server, keys[1]) as other, opened(server, keys[2]) as stranger:
        token = (await sent(owner, "import", STOCK)).ok()["token"]

        for api, kind in ((other, "import"), (stranger, "import"), (owner, "count")):
            (await applied(api, kind, token)).problem(404, "unknown_file")
            (await api.get(f"/v1/files/{kind}/{token}")).problem(404, "unknown_file")
            (await api.get(f"/v1/files/{kind}/{token}/bad")).problem(404, "unknown_file")
        (await applied(owner, "import", token + "x")).problem(404, "unknown_file")
        (await applied(owner, "import", token)).ok()


async def test_each_kind_needs_the_scope_of_its_single_routes(start_server: Callable[..., Server]) -> None:
    keys = [Key("a", "p", ("stock",)), Key("r", "p", ("read", "reserve"))]
    server = start_server(keys=keys)
    async with opened(server, keys[0]) as stocker, opened(server, keys[1]) as reader:
        (await sent(reader, "import", STOCK)).problem(403, "forbidden")
        (await sent(stocker, "listings", b"sku,key\nA,1\n", "?channel=shop")).problem(403, "forbidden")
        (await sent(stocker, "import", STOCK)).ok()


@pytest.mark.parametrize(
    ("kind", "content", "query", "status", "outcome"),
    [
        ("nothing", STOCK, "", 400, "invalid"),
        ("import", STOCK, "?dry_run=perhaps", 400, "invalid"),
        ("import", STOCK, "?factor=1", 400, "invalid"),
        ("import", STOCK, "?what=ever", 400, "invalid"),
        ("count", STOCK, "?baseline_seq=1&counted_at=2026-01-01T00:00:00Z", 400, "invalid"),
        ("import", b"", "", 422, "file_refused"),
        ("import", b"A,5\n", "", 422, "file_refused"),
        ("import", b"PK\x03\x04 no workbook at all", "", 422, "file_refused"),
        ("import", b"," * 1_000_000, "", 422, "file_refused"),
        ("import", b"sku,on_hand" + b",x" * 1_000_000 + b"\n", "", 422, "file_refused"),
        ("import", b"\x00\xff\xfe" * 1000, "", 422, "file_refused"),
    ],
)
async def test_a_file_that_cannot_be_taken_is_refused_and_changes_nothing(  # noqa: PLR0917
    api: Api, server: Server, kind: str, content: bytes, query: str, status: int, outcome: str
) -> None:
    before = server.state(api.partition)

    (await sent(api, kind, content, query)).problem(status, outcome)

    assert server.state(api.partition) == before


async def test_a_workbook_that_grows_beyond_all_measure_is_refused(api: Api) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"<row/>" * 50_000_000)
    assert len(bomb.getvalue()) < 2_000_000

    (await sent(api, "import", bomb.getvalue())).problem(422, "file_refused")


async def test_a_file_that_is_too_large_is_refused(api: Api) -> None:
    content = b"sku,on_hand\n" + b"A" * (16 * 1024 * 1024)

    (await sent(api, "import", content)).problem(413, "too_large")
    body, headers = form(content)
    (await sent(api, "import", body, headers=headers)).problem(413, "too_large")


_OTHER_PART = b'--XX\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--XX--\r\n'
_IN_BASE64 = (
    b'--XX\r\nContent-Disposition: form-data; name="file"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    b"eA==\r\n--XX--\r\n"
)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"no form at all", "multipart/form-data; boundary=XX"),
        (b"--XX\r\nno head\r\n--XX--\r\n", "multipart/form-data"),
        (_OTHER_PART, "multipart/form-data; boundary=XX"),
        (_IN_BASE64, "multipart/form-data; boundary=XX"),
    ],
)
async def test_a_form_that_has_no_file_is_refused(api: Api, body: bytes, content_type: str) -> None:
    (await sent(api, "import", body, headers={"Content-Type": content_type})).problem(400, "invalid")


async def test_a_compressed_file_is_refused(api: Api) -> None:
    answer = await sent(api, "import", STOCK, headers={**CSV, "Content-Encoding": "br"})

    answer.problem(415, "unsupported_media_type")


async def test_files_that_wait_make_room_for_newer_ones_of_their_key(api: Api) -> None:
    tokens = [(await sent(api, "import", STOCK, f"?name=f{number}")).ok()["token"] for number in range(6)]

    states = [(await api.get(f"/v1/files/import/{token}")).status for token in tokens]

    assert states == [404, 404, 200, 200, 200, 200]
    assert waiting_files.PER_ACTOR_MAX == 4


async def test_what_was_applied_counts_and_makes_room_when_there_is_none(api: Api, server: Server) -> None:
    """Results are kept for a day, so without bounds they would fill the store."""
    bad = b"sku,on_hand\nA,1\n" + b"".join(b"%s,x\n" % secrets.token_hex(32).encode() for _ in range(2_000))
    tokens = []
    for _ in range(7):
        tokens.append((await sent(api, "import", bad)).ok()["token"])
        (await applied(api, "import", tokens[-1])).ok()
    index = Keyspace(api.partition).files
    with server.store() as store:
        names = sorted(name for name in store.keys(f"{index}:*"))
        members = [each.decode().split("\0") for each in store.zrange(index, 0, -1)]
        assert sorted(key.encode() for _, key, _ in members) == names
        for _, key, size in members:
            assert int(size) >= len(store.hget(key, "bad:0")) > 50_000
            assert store.hget(key, "file:0") is None
        assert min(each for _, each in store.zrange(index, 0, -1, withscores=True)) > time.time() * 1000 + 3_600_000
        store.zadd(index, {f"{members[0][0]}\0{members[0][1]}\0{waiting_files.BYTES_MAX}": 1e15})

    assert (await sent(api, "import", bad)).status == 200
    with server.store() as store:
        assert not store.exists(members[0][1])


async def test_again_goes_by_a_token_alone(api: Api) -> None:
    text = b"kind,sku,quantity\nreceive,A,5\n"
    (await sent(api, "move", text, "?dry_run=false&yes=true")).ok()

    (await sent(api, "move", text, "?dry_run=false&yes=true&again=true")).problem(400, "invalid")
    token = (await sent(api, "move", text, "?again=true")).ok()["token"]
    for _ in range(2):
        (await applied(api, "move", token)).ok()

    assert await on_hand(api, "A") == 10


async def test_a_long_name_of_a_file_is_cut_for_the_journal(api: Api) -> None:
    looked = (await sent(api, "move", b"kind,sku,quantity\nreceive,A,5\n", "?name=" + "%C5%9E" * 200)).ok()

    assert looked["bad_total"] == 0


async def test_an_application_that_was_killed_is_finished_by_its_token(start_server: Callable[..., Server]) -> None:
    key = Key("a", "p")
    server = start_server(keys=[key])
    rows = 12_000
    content = b"kind,sku,quantity\n" + b"".join(b"receive,S-%d,3\n" % number for number in range(rows))
    async with opened(server, key) as api:
        token = (await sent(api, "move", content)).ok()["token"]
        applying = asyncio.create_task(applied(api, "move", token))
        await _until_under_way(api, applying, 3)
        applying.cancel()
    server.kill()
    server.start()
    async with opened(server, key) as api:
        _forget_that_it_spoke(server, key)
        done = (await applied(api, "move", token)).ok()

        assert (done["state"], done["bad_total"]) == ("done", 0)
        [level] = (await api.get(f"/v1/stock/S-{rows - 1}")).ok()["levels"]
        assert level["on_hand"] == 3
        assert (await api.get("/v1/stock/S-0")).ok()["levels"][0]["on_hand"] == 3


async def test_what_it_did_before_it_was_killed_does_not_overtake_a_count(start_server: Callable[..., Server]) -> None:
    key = Key("a", "p")
    server = start_server(keys=[key])
    rows = 25_000
    first = b"sku,on_hand\n" + b"".join(b"S-%d,3\n" % number for number in range(rows))
    second = b"sku,on_hand\n" + b"".join(b"S-%d,5\n" % number for number in range(rows))
    async with opened(server, key) as api:
        (await sent(api, "import", first, "?dry_run=false&yes=true")).ok()
        token = (await sent(api, "import", second)).ok()["token"]
        applying = asyncio.create_task(applied(api, "import", token))
        await _until_under_way(api, applying, 5)
        applying.cancel()
    server.kill()
    server.start()
    async with opened(server, key) as api:
        await api.count("S-0", 4)  # a person, since
        _forget_that_it_spoke(server, key)
        done = (await applied(api, "import", token)).ok()

        assert [each["reason"][:27] for each in done["bad"]] == ["S-0 at main was counted sin"]
        assert done["bad_total"] == 1
        assert (await on_hand(api, "S-0"), await on_hand(api, f"S-{rows - 1}")) == (4, 5)


async def _until_under_way(api: Api, applying: asyncio.Task[Answer], units: int) -> None:
    """Wait until the first row has had its effect; how far it is, the server says once a second only."""

    async def has_begun() -> bool:
        stock = await api.get("/v1/stock/S-0")
        return stock.status == HTTPStatus.OK and stock.ok()["levels"][0]["on_hand"] == units

    await wait_until(has_begun, "the first row has had its effect", every_s=0.005)
    assert not applying.done(), "it was through before it could be killed"


def _forget_that_it_spoke(server: Server, key: Key) -> None:
    """What applied the file spoke a moment ago, and nobody waits here for half a minute."""
    with server.store() as store:
        for name in store.keys(f"{Keyspace(key.partition).files}:*"):
            store.hdel(name, "seen_ms")


async def test_other_requests_are_answered_while_a_large_file_is_looked_at(api: Api) -> None:
    content = b"sku,on_hand\n" + b"".join(b"S-%d,3\n" % number for number in range(30_000))
    looking = asyncio.create_task(sent(api, "import", content))
    answered = 0
    while not looking.done():
        await api.get("/v1/availability/NONE")
        answered += 1

    assert looking.result().ok()["counts"]["new"] == 30_000
    assert answered > 20


async def test_files_of_a_tenant_that_crawl_in_keep_no_other_out(start_server: Callable[..., Server]) -> None:
    """Each key sends one at a time, but a tenant has many keys."""
    crawling, other = [Key(f"k{number}", "p") for number in range(4)], Key("q", "q")
    server = start_server(keys=[*crawling, other])
    size = FILE_BYTES_MAX - 1_000
    async with AsyncExitStack() as opened_ones, opened(server, other) as api:
        for key in crawling:
            connection = await opened_ones.enter_async_context(raw_connection(server))
            head = f"POST /v1/files/import HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key.token}\r\n"
            await connection.send(f"{head}Content-Length: {FILE_BYTES_MAX}\r\n\r\n".encode() + b"x" * size)
        await asyncio.sleep(1)  # until the server holds what they sent, of which it says nothing

        (await sent(api, "import", b"sku,on_hand\nA,1\n" + b"\n" * 100_000)).ok()
