"""``holdfast orders`` and ``holdfast inbox``: real commands beside a running server."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from server.domain.order_documents import Event, InboxEntry, ReturnDocument
from server.store.documents.kept import Paper
from tests.support.http import Server, opened
from tests.support.order_documents import MARK, booking, documents_of, order
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)
CHANNEL = """
[channels.trendyol]
kind = "trendyol"

[channels.trendyol.options]
seller_id = 42

[channels.trendyol.credentials]
api_key = { env = "TRENDYOL_KEY" }
api_secret = { env = "TRENDYOL_SECRET" }
"""


@pytest.fixture
async def server(start_server: Callable[..., Server]) -> AsyncIterator[Server]:
    server = start_server(toml=CHANNEL, role="api")
    async with documents_of(server) as documents:
        await documents.put_order("default", "trendyol", order("1001"), booking())
        await documents.put_order(
            "default", "trendyol", order("1002", placed_ms=-(10**18)), booking("held", reason="unmapped", unmapped=1)
        )
        await documents.put_order("default", "shop", order("1002"), booking("held"))
        await documents.put_return("default", "trendyol", ReturnDocument(key="R1", order_key="1001"))
        await documents.add_timeline("default", "trendyol", "1001", Event(at_ms=1, kind="shipped", text="\x1b[31m"))
        entry = InboxEntry(channel="trendyol", number="1002", reason="unmapped", listings=("869",))
        await documents.put_inbox("default", entry)
    yield server
    assert server.faults == []


def command(server: Server, *words: str) -> Any:
    config = str(server.directory / "holdfast.toml")
    return holdfast(*words, "--data-dir", server.data_dir, cwd=server.directory, HOLDFAST_CONFIG=config)


def test_orders_are_listed_and_narrowed_down(server: Server) -> None:
    everything = command(server, "orders")
    short = command(server, "orders", "--channel", "trendyol", "--unmapped", "--json")
    nothing = command(server, "orders", "--sku", "nobody sells it")

    assert everything.returncode == 0, everything.stderr
    assert "1001" in everything.stdout
    assert "unmapped" in everything.stdout
    assert MARK not in everything.stdout
    assert [each["number"] for each in json.loads(short.stdout)["orders"]] == ["1002"]
    assert "No order matches." in nothing.stdout


def test_an_order_is_shown_with_its_buyer_and_its_history(server: Server) -> None:
    shown = command(server, "orders", "show", "1001")
    several = command(server, "orders", "show", "1002")
    one_of_them = command(server, "orders", "show", "1002", "--channel", "shop", "--json")
    unknown = command(server, "orders", "show", "9")

    assert shown.returncode == 0, shown.stderr
    assert MARK in shown.stdout
    assert "shipped" in shown.stdout
    assert "259.80 TRY, return" in shown.stdout
    assert "\x1b[31m" not in shown.stdout
    assert several.returncode == 1
    assert "--channel" in several.stderr
    assert json.loads(one_of_them.stdout)["order"]["channel"] == "shop"
    assert (unknown.returncode, "No such order" in unknown.stderr) == (1, True)


async def test_what_a_command_was_answered_with_is_written_to_a_file_of_its_own(server: Server) -> None:
    async with documents_of(server) as documents:
        paper = Paper(kind="label", id="label-7", number="1001", body=b"%PDF\0", media_type="application/pdf")
        await documents.put_paper("default", "trendyol", paper)
    words = ("orders", "paper", "trendyol", "1001", "label-7", "label.pdf")

    written = command(server, *words)
    nowhere = command(server, *words[:-1], "missing/label.pdf")
    unknown = command(server, "orders", "paper", "trendyol", "1002", "label-7", "other.pdf")

    file = server.directory / "label.pdf"
    assert (written.returncode, written.stdout) == (0, "label.pdf: label, 5 bytes, application/pdf\n"), written.stderr
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"%PDF\0", 0o600)
    assert (nowhere.returncode, "cannot be written" in nowhere.stderr) == (1, True)
    assert (unknown.returncode, "No such paper" in unknown.stderr) == (1, True)
    assert not (server.directory / "other.pdf").exists()


async def test_an_order_that_lacks_units_says_where_they_are(server: Server) -> None:
    async with opened(server) as api:
        await api.put("/v1/stock/TS-1/main", {"on_hand": 1})
        await api.put("/v1/stock/TS-1/izmir", {"on_hand": 4})
        lines = [{"sku": "TS-1", "quantity": 2, "location": "main"}]
        body = {"channel": "trendyol", "reservation_id": "trendyol.1001", "lines": lines, "on_shortage": "accept"}
        (await api.post("/v1/orders", body)).ok(201)

    shown = command(server, "orders", "show", "1001").stdout
    [short] = json.loads(command(server, "orders", "show", "1001", "--json").stdout)["shortages"]

    assert "trendyol.1001 line 1 lacks 1 TS-1 at main" in shown
    move = '{"lines":[{"line":1,"to":"izmir","quantity":1}]}'
    assert f"izmir has 4. To take it from there: POST /v1/reservations/trendyol.1001/move {move}" in shown
    assert short["other_locations"] == [{"location": "izmir", "available": 4}]


async def test_orders_are_erased_from_the_command_line(server: Server) -> None:
    erased = command(server, "orders", "erase", "trendyol", "1001", "7", "--yes")

    assert erased.returncode == 0, erased.stderr
    assert "1001: erased" in erased.stdout
    assert "7: it is not kept here" in erased.stdout
    async with opened(server) as api:
        assert (await api.get("/v1/orders/trendyol/1001")).ok()["personal"] == "erased"


def test_the_inbox_is_shown_and_worked_on(server: Server) -> None:
    listed = command(server, "inbox")
    as_json = command(server, "inbox", "--json", "--channel", "trendyol")
    mapped = command(server, "inbox", "map", "trendyol", "1002", "869", "TS-1", "--factor", "2")
    again = command(server, "inbox", "retry", "trendyol", "1002")
    missing = command(server, "inbox", "retry", "trendyol", "9")
    left = command(server, "inbox", "ignore", "trendyol", "1002")
    empty = command(server, "inbox")

    assert (listed.returncode, "869" in listed.stdout) == (0, True), listed.stderr
    assert json.loads(as_json.stdout)["entries"][0]["number"] == "1002"
    assert mapped.returncode == again.returncode == left.returncode == 0, (mapped.stderr, again.stderr, left.stderr)
    assert "869 means TS-1 from now on" in mapped.stdout
    assert "No server publishes now" in again.stderr
    assert (missing.returncode, "Not in the inbox" in missing.stderr) == (1, True)
    assert "The inbox is empty." in empty.stdout


@pytest.mark.parametrize(
    "words", [("orders", "--channel", "x", "show", "1"), ("inbox", "--ignored", "retry", "x", "1"), ("orders", "erase")]
)
def test_words_in_the_wrong_place_are_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    assert holdfast(*words, "--data-dir", tmp_path, cwd=tmp_path).returncode == 2


def test_without_a_database_the_command_says_so(server: Server) -> None:
    url = f"unix://{server.data_dir / 'store.sock'}"
    found = holdfast("orders", "--store-url", url, "--data-dir", "elsewhere", cwd=server.directory)

    assert found.returncode == 1
    assert "HOLDFAST_DOCUMENTS_URL" in found.stderr
