"""Commands for daily work, as processes: on the store here and on a server elsewhere they say and do the same."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from tests.conftest import wait_until
from tests.support.http import Api, Key, Server, opened
from tests.support.processes import holdfast, start
from tests.support.stores import free_port

PARTITIONS = [f"p{number}" for number in range(40)]
READER = Key("reader", "p0", ("read",))
Command = Callable[..., "subprocess.CompletedProcess[str]"]
_next = iter(PARTITIONS)
pytestmark = pytest.mark.timeout(300)  # each test runs several processes, one after the other


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(keys=[*(Key(name, name) for name in PARTITIONS), READER], figures_interval_s=0.2) as started:
        yield started
        assert started.faults == []


@pytest.fixture
def key() -> Key:
    """Take the key of a partition that no other test uses."""
    name = next(_next)
    return Key(name, name)


@pytest.fixture
async def api(server: Server, key: Key) -> AsyncIterator[Api]:
    """A partition with something of everything that these commands show."""
    async with opened(server, key) as client:
        await client.count("TS-1", 1)
        await client.count("TS-1", 4, "izmir")
        short = {"channel": "web", "reservation_id": "o-1", "order_ref": "WEB-1", "on_shortage": "accept"}
        lines = [{"sku": "TS-1", "location": "main", "quantity": 3}]
        (await client.post("/v1/orders", {**short, "lines": lines})).ok(201)
        (await client.put("/v1/stock/PRE/main/backorder", {"mode": "preorder", "limit": 9})).ok()
        waits = {"channel": "web", "reservation_id": "o-2", "policy": "backorder"}
        (await client.post("/v1/orders", {**waits, "lines": [{"sku": "PRE", "quantity": 2}]})).ok(201)
        await client.count("SHIP", 9)
        way = {"transfer_id": "t-1", "from": "main", "to": "izmir", "lines": [{"sku": "SHIP", "quantity": 5}]}
        (await client.post("/v1/transfers", way)).ok(201)
        expected = {"sku": "TS-1", "quantity": 20, "expected_on": "2030-01-15", "reference": "PO-1"}
        (await client.put("/v1/supply/PO-1:1", expected)).ok()
        yield client


def key_file(server: Server, key: Key) -> str:
    path = server.directory / f"{key.id}.key"
    path.write_text(key.token + "\n", "utf-8")
    return str(path)


def runner(server: Server, key: Key, where: str) -> Command:
    """Return what runs a command on the store of a server, or at its address with a key from a file."""
    here = ("--data-dir", str(server.data_dir), "--partition", key.partition)
    elsewhere = ("--url", server.url, "--key", key_file(server, key))

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return holdfast(*words, *(here if where == "here" else elsewhere), cwd=server.directory)

    return run


@pytest.fixture(params=["here", "elsewhere"])
def command(request: pytest.FixtureRequest, server: Server, key: Key) -> Command:
    return runner(server, key, request.param)


@pytest.fixture
def elsewhere(server: Server, key: Key) -> Command:
    return runner(server, key, "elsewhere")


@pytest.fixture
def here(server: Server, key: Key) -> Command:
    return runner(server, key, "here")


def told(done: "subprocess.CompletedProcess[str]", status: int = 0) -> str:
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


LISTINGS: dict[str, tuple[Sequence[str], str, str]] = {
    "shortages": (("shortages",), "o-1", "Nothing is short."),
    "backorders": (("backorders", "--sku", "PRE"), "o-2", "Nothing waits."),
    "transfers": (("transfers", "list"), "t-1", "Nothing is on its way."),
    "supply": (("supply", "list", "TS-1"), "PO-1:1", "Nothing is expected."),
    "all supply": (("supply", "list"), "PO-1:1", "Nothing is expected."),
    "events": (("events", "--sku", "TS-1"), "stock.back", "There is no event."),
}


@pytest.mark.parametrize("name", LISTINGS)
async def test_a_listing_is_the_same_here_and_elsewhere(
    here: Command, elsewhere: Command, api: Api, name: str
) -> None:  # fmt: skip
    words, shown, _ = LISTINGS[name]
    await _counted(api)

    as_json = [json.loads(told(run(*words, "--json"))) for run in (here, elsewhere)]

    assert as_json[0] == as_json[1]
    assert shown in json.dumps(as_json[0])
    assert "next" in as_json[0]
    assert shown in told(elsewhere(*words))


async def _counted(api: Api) -> None:
    """Wait until the events of the shortage are there."""

    async def is_there() -> bool:
        kinds = {each["type"] for each in (await api.get("/v1/events")).ok()["events"]}
        return {"stock.back", "shortage.opened"} <= kinds

    await wait_until(is_there, "the events are there")


def test_an_empty_listing_says_so(here: Command) -> None:
    for words, _, nothing in LISTINGS.values():
        assert nothing in told(here(*words))


@pytest.mark.usefixtures("api")
def test_a_shortage_says_how_to_take_units_from_elsewhere(elsewhere: Command) -> None:
    shown = told(elsewhere("shortages"))

    assert "o-1: izmir has 4. To take it from there: POST /v1/reservations/o-1/move" in shown


async def test_units_are_received_once_however_often_it_is_run(command: Command, api: Api) -> None:
    words = ("receive", "TS-9", "20", "--reason", "PO-2041", "--once", "delivery 2041")

    first, again = told(command(*words)), told(command(*words))
    as_json = json.loads(told(command("receive", "TS-9", "1", "--json")))

    assert first == "TS-9 at main: 20 received; 20 on hand, 20 available\n"
    assert "was received before" in again
    assert as_json["stock"]["on_hand"] == 21
    assert await api.available("TS-9") == 21


async def test_what_was_expected_is_received_and_what_is_expected_is_set_and_dropped(
    elsewhere: Command, api: Api
) -> None:
    told(elsewhere("receive", "TS-1", "8", "--supply", "PO-1:1"))
    set_ = told(elsewhere("supply", "expect", "PO-7", "TS-1", "6", "2030-02-01", "--reference", "PO-7"))
    left = json.loads(told(elsewhere("supply", "list", "TS-1", "--json")))["supply"]
    dropped = told(elsewhere("supply", "forgo", "PO-7"))

    assert set_ == "PO-7: 6 units of TS-1 at main on 2030-02-01\n"
    assert {each["supply_id"]: each["expected"] for each in left} == {"PO-1:1": 12, "PO-7": 6}
    assert "PO-7 is expected no longer" in dropped
    assert [each["supply_id"] for each in (await api.get("/v1/supply?sku=TS-1")).ok()["supply"]] == ["PO-1:1"]


async def test_a_transfer_is_received_or_written_off(elsewhere: Command, api: Api) -> None:
    received = told(elsewhere("transfers", "receive", "t-1"))
    again = elsewhere("transfers", "receive", "t-1")

    assert received == "t-1: 5 units received at izmir\n"
    assert (again.returncode, "Transfer is closed" in again.stderr) == (1, True)
    way = {"transfer_id": "t-2", "from": "izmir", "to": "main", "lines": [{"sku": "SHIP", "quantity": 2}]}
    (await api.post("/v1/transfers", way)).ok(201)
    lost = told(elsewhere("transfers", "receive", "t-2", "--close", "--nothing", "--reason", "stolen"))
    assert lost == "t-2: 0 units received at main, 2 lost\n"


async def test_a_transfer_that_never_left_is_cancelled(elsewhere: Command, api: Api) -> None:
    cancelled = told(elsewhere("transfers", "cancel", "t-1", "--reason", "the van broke down"))

    assert cancelled == "t-1 is cancelled: 5 units at main\n"
    assert await api.available("SHIP") == 9
    unknown = elsewhere("transfers", "cancel", "t-9")
    assert (unknown.returncode, "No such transfer" in unknown.stderr) == (1, True)


async def test_shipped_units_come_back_all_or_some(elsewhere: Command, api: Api) -> None:
    lines = [{"sku": "SHIP", "quantity": 3}]
    (await api.post("/v1/orders", {"channel": "web", "reservation_id": "o-3", "lines": lines})).ok(201)
    (await api.post("/v1/reservations/o-3/fulfil", {})).ok()

    some = told(elsewhere("return", "o-3", "--line", "1=1", "--as", "damaged", "--reason", "cracked"))
    rest = json.loads(told(elsewhere("return", "o-3", "--json")))
    nothing = elsewhere("return", "o-3")

    assert "o-3 line 1: 1 of SHIP are back, 2 are out" in some
    assert (rest["lines"][0]["returned"], rest["lines"][0]["fulfilled"]) == (3, 3)
    assert (nothing.returncode, "Nothing of o-3 is out" in nothing.stderr) == (2, True)


@pytest.mark.usefixtures("api")
def test_the_status_says_what_waits_for_a_person(command: Command) -> None:
    done = command("status")
    as_json = json.loads(told(command("status", "--json"), 1))

    assert done.returncode == 1
    assert "1 in `holdfast shortages`" in done.stdout
    assert as_json["shortages"] == {"counted": 1, "more": False}
    assert as_json["trouble"] == ["1 in `holdfast shortages`"]


def test_the_status_of_a_quiet_server_is_fine(elsewhere: Command) -> None:
    assert "All works, and nothing waits for a person." in told(elsewhere("status"))


# -- a server elsewhere


def test_a_server_that_does_not_answer_is_said_and_the_status_is_not_known(tmp_path: Path) -> None:
    nowhere = ("--url", "http://127.0.0.1:9")

    done, status = holdfast("shortages", *nowhere, cwd=tmp_path), holdfast("status", *nowhere, cwd=tmp_path)

    assert (done.returncode, "does not answer" in done.stderr) == (1, True)
    assert status.returncode == 2


def test_a_key_comes_from_the_environment_or_a_file_and_never_from_the_command_line(server: Server, key: Key) -> None:
    words, cwd = ("shortages", "--url", server.url), server.directory

    without = holdfast(*words, cwd=cwd)
    of_environment = holdfast(*words, cwd=cwd, HOLDFAST_KEY=key.token)
    all_of_it = holdfast("shortages", cwd=cwd, HOLDFAST_KEY=key.token, HOLDFAST_URL=server.url)
    shown = holdfast(*words, "--key", key.token, cwd=cwd)
    (cwd / "no.key").write_text("this is no key", "utf-8")
    no_key = holdfast(*words, "--key", "no.key", cwd=cwd)

    assert (without.returncode, "No valid API key" in without.stderr) == (1, True)
    assert [each.returncode for each in (of_environment, all_of_it)] == [0, 0]
    assert (shown.returncode, "revoke this key" in shown.stderr) == (2, True)
    assert key.secret not in shown.stderr
    assert (no_key.returncode, "holdfast keys new" in no_key.stderr) == (1, True)
    assert "this is no key" not in no_key.stderr


def test_no_key_stands_in_the_list_of_processes(server: Server, key: Key) -> None:
    words = ("events", "--follow", "--url", server.url, "--key", key_file(server, key))
    with start(*words, cwd=server.directory) as running:
        shown = Path(f"/proc/{running.pid}/cmdline").read_bytes()
        assert key.secret.encode() not in shown


def test_a_scope_that_lacks_is_said(server: Server) -> None:
    words = ("receive", "TS-1", "1", "--url", server.url, "--key", key_file(server, READER))

    done = holdfast(*words, cwd=server.directory)

    assert (done.returncode, "scope stock" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--url", "stock.example"), "https://stock.example"),
        (("--url", "https://u:p@stock.example"), "HOLDFAST_KEY"),
        (("--url", "https://stock.example/v1"), "leave out the path"),
        (("--url", "https://stock.example", "--data-dir", "here"), "not both"),
        (("--url", "https://stock.example", "--partition", "other"), "key decides"),
        (("--key", "some.key"), "--url"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_words_that_do_not_fit_are_refused(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = holdfast("shortages", *words, cwd=tmp_path)

    assert done.returncode in (1, 2)
    assert said in done.stderr


def test_where_the_environment_names_a_server_no_command_works_on_a_store_by_mistake(server: Server, key: Key) -> None:
    elsewhere = {"HOLDFAST_URL": server.url, "HOLDFAST_KEY": key.token}

    stopped = holdfast("verify", cwd=server.directory, **elsewhere)
    meant = holdfast("verify", "--data-dir", server.data_dir, cwd=server.directory, **elsewhere)
    also = holdfast("shortages", "--data-dir", server.data_dir, cwd=server.directory, **elsewhere)

    assert (stopped.returncode, "HOLDFAST_URL names a server" in stopped.stderr) == (2, True)
    assert not (server.directory / ".holdfast").exists()
    assert (meant.returncode, also.returncode) == (0, 0), meant.stderr + also.stderr


@contextlib.asynccontextmanager
async def serving(handler: Callable[[web.Request], object]) -> AsyncIterator[str]:
    """Serve something else than Holdfast; yields its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_where_it_is_sent_elsewhere_the_key_does_not_go_along(server: Server, key: Key, tmp_path: Path) -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.path)
        raise web.HTTPFound(f"{server.url}/v1/shortages")

    async with serving(elsewhere) as url:
        words = ("shortages", "--url", url, "--key", key_file(server, key))
        done = await asyncio.to_thread(holdfast, *words, cwd=tmp_path)

    assert seen == ["/v1/shortages"]
    assert (done.returncode, "redirects to" in done.stderr) == (1, True)


async def test_what_is_no_holdfast_is_said(tmp_path: Path) -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<h1>Welcome</h1>", content_type="text/html")

    async with serving(page) as url:
        done = await asyncio.to_thread(holdfast, "shortages", "--url", url, cwd=tmp_path)

    assert (done.returncode, "is no Holdfast" in done.stderr) == (1, True)


async def test_a_write_whose_answer_is_lost_is_sent_again_and_has_one_effect(
    server: Server, key: Key, api: Api
) -> None:
    taken = 0

    async def loses_the_first(request: web.Request) -> web.Response:
        nonlocal taken
        taken += 1
        headers = {"Idempotency-Key": request.headers["Idempotency-Key"]}
        answer = await api.send("POST", request.path, raw=await request.read(), headers=headers)
        if taken == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(body=answer.raw, status=answer.status, headers={"Content-Type": "application/json"})

    async with serving(loses_the_first) as url:
        words = ("receive", "LOST", "7", "--url", url, "--key", key_file(server, key), "--json")
        done = await asyncio.to_thread(holdfast, *words, cwd=server.directory)

    assert (done.returncode, taken) == (0, 2), done.stderr
    assert json.loads(done.stdout)["replayed"] is True
    assert await api.available("LOST") == 7


async def test_a_write_whose_answers_are_all_lost_says_how_to_be_sure(
    server: Server, key: Key, elsewhere: Command, api: Api
) -> None:
    async def loses_all(request: web.Request) -> web.Response:
        headers = {"Idempotency-Key": request.headers["Idempotency-Key"]}
        await api.send("POST", request.path, raw=await request.read(), headers=headers)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with serving(loses_all) as url:
        words = ("receive", "LOST", "7", "--url", url, "--key", key_file(server, key))
        done = await asyncio.to_thread(holdfast, *words, cwd=server.directory)
    [name] = [word for word in done.stderr.split() if word.startswith("cli-")]
    again = elsewhere("receive", "LOST", "7", "--once", name)

    assert (done.returncode, "may have taken effect" in done.stderr) == (1, True)
    assert "was received before" in told(again)
    assert await api.available("LOST") == 7
