"""No data speaks to the terminal: every command is run on hostile names, and its output has no control of theirs."""

import csv
import io
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Final

import click
import msgspec
import pytest
from rich.live import Live
from rich.table import Table
from rich.text import Text

from server.cli.main import cli
from server.cli.terminal import SafeConsole
from server.domain.channels import ChannelStatus, DeadLetter
from server.domain.operations.allocations import Allocate
from server.domain.operations.expected_receipts import Expect
from server.domain.operations.reservations import Line, Reserve
from server.domain.operations.stock import Count, Receive
from server.domain.operations.transfers import Ship, TransferItem
from server.domain.order_documents import (
    Address,
    Booking,
    Buyer,
    DocumentLine,
    DocumentPackage,
    Event,
    InboxEntry,
    Note,
    OrderDocument,
    StockLine,
)
from server.domain.sources import SourceStatus, TrackedOrder, WaitingNumber
from server.files.harmless_cells import harmless
from server.store.command_session import OpenStore, open_store
from server.store.documents.opening import open_documents
from server.store.keys import ChannelKeys, Keyspace, SourceKeys
from server.store.repositories.api_keys import KEYS_HASH
from server.store.repositories.order_privacy import customer_keys
from server.store.repositories.publisher import PublisherStore, Writes
from server.telemetry.visible import visible, visible_json
from tests.conftest import RETENTION, now_ms
from tests.support.processes import holdfast, start
from tests.support.stores import wait_until

ESCAPE: Final = "\x1b[31m\x1b]8;;http://evil.example\x07\x9b2J\u202e\u2066\u200b\x7f"
MARKUP: Final = "[/x][link=http://evil.example]a[/link][bold]:smile:"
HOSTILE: Final = MARKUP + ESCAPE
NAME: Final = "[/x]" + "\x1b[31m\u202e\x9b"
"""Within the 64 bytes of a channel or a location."""
OBEYED: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
FORMULAS: Final = ("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "=cmd|' /C calc'!A0", "＝1")

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "allocate": (HOSTILE, NAME, "1"),
    "backorders": (),
    "backup": ("kept",),
    "barcodes import": ("barcodes.csv", "--yes", "--report", "bad.csv"),
    "barcodes add": (HOSTILE, HOSTILE, "--reason", "[/x][bold]"),
    "barcodes list": (HOSTILE,),
    "barcodes remove": (HOSTILE, "--reason", "[/x][bold]"),
    "barcodes scan": (HOSTILE,),
    "channels dead-letters": (NAME,),
    "channels delete-listing": ("shop", "--sku", HOSTILE),
    "channels kinds": (),
    "channels listings": ("shop", "listings.csv", "--new", "--yes", "--report", "bad.csv"),
    "channels pause": (HOSTILE, "--reason", "[/x][bold]"),
    "channels reconcile": (NAME,),
    "channels remove": (NAME, "--yes"),
    "channels resume": (HOSTILE, "--reason", "[/x][bold]"),
    "channels sign-in": (NAME,),
    "channels status": (),
    "channels unlisted": (),
    "config check": (),
    "count": ("counted.csv", "--yes", "--location", NAME, "--differences", "differences.csv"),
    "events": ("--sku", HOSTILE),
    "history": ("--sku", HOSTILE),
    "import": ("rows.csv", "--yes", "--report", "bad.csv"),
    "inbox": (),
    "inbox ignore": (NAME, HOSTILE),
    "inbox map": (NAME, HOSTILE, HOSTILE, HOSTILE),
    "inbox retry": (NAME, HOSTILE),
    "keys change": (NAME, "--name", "[/x][bold]"),
    "keys list": (),
    "keys new": ("--scope", "read", "--name", "[/x][bold]"),
    "keys revoke": (NAME,),
    "keys rotate": (NAME,),
    "locations delete": (NAME,),
    "locations import": ("locations.csv", "--yes", "--report", "bad.csv"),
    "locations rename": (NAME, "[/x][bold]"),
    "move": ("movements.csv", "--yes", "--report", "bad.csv"),
    "orders": (),
    "orders erase": (NAME, HOSTILE, "--yes"),
    "orders paper": (NAME, HOSTILE, HOSTILE, HOSTILE),
    "orders show": (HOSTILE,),
    "outbox": (),
    "outbox again": (NAME, HOSTILE),
    "outbox cancel": (NAME, HOSTILE),
    "outbox done": (NAME, HOSTILE),
    "outbox say": (NAME, HOSTILE, "ship", "--line", f"{HOSTILE}=1", "--tracking", HOSTILE),
    "outbox show": (NAME, HOSTILE),
    "partitions erase": (NAME, "--yes"),
    "partitions export": ("default", "exported"),
    "partitions limits": (),
    "partitions list": (),
    "receive": (HOSTILE, "1", "--location", HOSTILE, "--reason", HOSTILE, "--once", NAME),
    "rename": (HOSTILE, "[/x][bold]"),
    "repair": (),
    "report cover": (),
    "report sales": ("--by", "channel"),
    "report velocity": (HOSTILE,),
    "restore": ("[/x].tar",),
    "return": (HOSTILE, "--reason", HOSTILE),
    "rules categories": ("categories.csv", "--yes", "--report", "bad.csv"),
    "rules replenishment": ("--sku", "[/x][bold]\u202e", "--min", "1", "--max", "2"),
    "rules safety": ("[/x][bold]\u202e", "--units", "1"),
    "shortages": (),
    "show": (HOSTILE, "--history"),
    "sources confirm": (NAME, "--place", HOSTILE, NAME),
    "sources pull": (NAME,),
    "sources refuse": (NAME,),
    "sources status": (),
    "sources waiting": (NAME,),
    "status": (),
    "supply expect": (HOSTILE, HOSTILE, "1", "2030-01-01", "--reference", HOSTILE),
    "supply forgo": (HOSTILE,),
    "supply list": (HOSTILE,),
    "time-zone": (HOSTILE,),
    "transfers cancel": (HOSTILE,),
    "transfers list": (),
    "transfers receive": (HOSTILE,),
    "undo": (HOSTILE,),
    "verify": (),
}
"""Every command that ends by itself, with hostile arguments."""
LISTING: Final = {"inbox", "orders", "outbox"}
"""Those that list something without the name of a part behind them."""
ALSO_JSON: Final = (
    "backorders", "channels dead-letters", "channels kinds", "channels status", "channels unlisted", "events",
    "history", "inbox", "keys list", "orders", "orders show", "outbox", "report cover", "report sales",
    "report velocity", "shortages", "show", "sources status", "sources waiting", "status", "supply list",
    "transfers list", "undo", "verify",
)  # fmt: skip
ALSO_CSV: Final = ("channels unlisted", "report cover", "report sales", "report velocity")
FORMS: Final = {"--json": ALSO_JSON, "--csv": ALSO_CSV}
EXPORTING: Final = {
    name: words[words.index(option) + 1]
    for name, words in COMMANDS.items()
    for option in ("--report", "--differences")
    if option in words
}
"""The files that commands write."""
HEADERS: Final = {
    "rows": ("sku", "on_hand"),
    "barcodes": ("barcode", "sku"),
    "categories": ("sku", "category"),
    "locations": ("name", "kind"),
    "movements": ("kind", "sku", "quantity"),
    "listings": ("sku", "key"),
}
"""The files that they read. Each but the last has one more column that they do not know."""
APART: Final = {"demo", "serve"}


def leaves(command: click.Command, name: str = "") -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield name.strip()
        return
    context = click.Context(command)
    for each in command.list_commands(context):
        found = command.get_command(context, each)
        assert found is not None
        yield from leaves(found, f"{name} {each}")


def test_every_command_is_tried() -> None:
    assert set(leaves(cli)) == set(COMMANDS) - LISTING | APART


@pytest.fixture
async def hostile(tmp_path: Path) -> AsyncIterator[Path]:
    """A store that holds what the checks of the API refuse, as an older release or another writer may have left it."""
    async with open_store(
        store_url="", data_dir=tmp_path / ".holdfast", durability="fast", retention=RETENTION, create=True
    ) as opened:
        await fill(opened)
        await fill_documents(opened, tmp_path / ".holdfast")
        write_files(tmp_path)
        yield tmp_path


async def fill(opened: OpenStore) -> None:
    ledger, keyspace = opened.ledger("default"), Keyspace("default")
    await opened.register("default")
    for location in (NAME, "main"):
        await ledger.run(Receive("", NAME, "", HOSTILE, location, 10, HOSTILE))
    await ledger.run(Allocate("", NAME, "", HOSTILE, NAME, NAME, "own", 2, HOSTILE))
    await ledger.run(Reserve("", NAME, "r-1", NAME, [Line(HOSTILE, NAME, 3)], 3_600_000, order_ref=HOSTILE))
    await ledger.run(Ship("", NAME, "", HOSTILE, NAME, "main", [TransferItem(HOSTILE, 1)], HOSTILE))
    await ledger.run(Expect("", NAME, "", HOSTILE, HOSTILE, NAME, 5, date(2030, 1, 1), HOSTILE))
    await ledger.run(Count("", NAME, "", HOSTILE, NAME, 1))  # now it is short
    status = ChannelStatus(publisher=HOSTILE, written_ms=await now_ms(opened.client), circuit="halted", reason=HOSTILE)
    letter = DeadLetter(HOSTILE, HOSTILE, 3, HOSTILE, HOSTILE, 2, 1_000, 2_000)
    writes = Writes()
    writes.set(keyspace.channel_status, NAME, msgspec.json.encode(status))
    writes.set(ChannelKeys(keyspace, NAME).dead_letters, HOSTILE, msgspec.msgpack.encode(letter))
    source = SourceStatus(publisher=HOSTILE, written_ms=await now_ms(opened.client), circuit="halted", reason=HOSTILE)
    refused = TrackedOrder(NAME, HOSTILE, [(HOSTILE, NAME, 1)], [], 1, 1, reason=HOSTILE)
    writes.set(keyspace.source_status, NAME, msgspec.json.encode(source))
    writes.set(
        SourceKeys(keyspace, NAME).waiting, f"{HOSTILE}\0{NAME}", msgspec.msgpack.encode(WaitingNumber("fell", 9, 0, 1))
    )
    writes.set(SourceKeys(keyspace, NAME).refused, HOSTILE, msgspec.msgpack.encode(refused))
    publisher = PublisherStore(opened.client, keyspace)
    lease = await publisher.acquire(HOSTILE, 60_000)
    await publisher.record(lease.token, writes)
    await opened.client.hset(KEYS_HASH, HOSTILE, b"damaged " + HOSTILE.encode())


async def fill_documents(opened: OpenStore, folder: Path) -> None:
    """Keep an order that is hostile in every field."""
    documents = open_documents("", customer_keys(opened.client), file=folder / "documents.sqlite3")
    assert documents is not None
    address = Address(name=HOSTILE, lines=(HOSTILE,), city=HOSTILE)
    told = OrderDocument(
        key=HOSTILE, changed_ms=1, state=HOSTILE, status=HOSTILE, currency=HOSTILE, total=HOSTILE,
        lines=(DocumentLine(key=HOSTILE, listing=HOSTILE, title=HOSTILE, unit_price=HOSTILE),),
        packages=(DocumentPackage(key=HOSTILE, state=HOSTILE, carrier=HOSTILE, tracking=HOSTILE),),
        buyer=Buyer(name=HOSTILE, email=HOSTILE, phone=HOSTILE, shipping=address, billing=address),
    )  # fmt: skip
    stock = StockLine(sku=HOSTILE, location=NAME, quantity=1)
    booking = Booking(state=HOSTILE, reservations=("r-1",), lines=(stock,), reason=HOSTILE)
    await documents.put_order("default", NAME, told, booking)
    await documents.add_note("default", NAME, HOSTILE, Note(at_ms=1, text=HOSTILE, actor=HOSTILE))
    await documents.add_timeline("default", NAME, HOSTILE, Event(at_ms=1, kind=HOSTILE, text=HOSTILE, actor=HOSTILE))
    entry = InboxEntry(channel=NAME, number=HOSTILE, reason=HOSTILE, detail=HOSTILE, listings=(HOSTILE,))
    await documents.put_inbox("default", entry)
    await documents.close()


def write_files(folder: Path) -> None:
    for name, header in HEADERS.items():
        other = (f"other {HOSTILE}",) if name != "listings" else ()  # would be an attribute, and refuse the file
        rows = [[cell] * len((*header, *other)) for cell in (HOSTILE, *FORMULAS)]
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([[*header, *other], *rows])
    with (folder / "counted.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["sku", "on_hand"], ["[/x][bold]\u202e", "7"], *([name, "5"] for name in FORMULAS)])


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_shows_hostile_names_as_text(hostile: Path, name: str) -> None:
    words = (*name.split(), *COMMANDS[name])
    for extra in ((), *((each,) for each, names in FORMS.items() if name in names)):
        ended = holdfast(*words, *extra, cwd=hostile)
        for text in (ended.stdout, ended.stderr):
            assert OBEYED.findall(text) == [], (words, text)
            assert "Traceback" not in text, text
        assert ended.returncode in (0, 1, 2), ended.stderr
    if name in EXPORTING:
        report = hostile / EXPORTING[name]
        assert report.stat().st_mode & 0o777 == 0o600
        written = report.read_bytes().decode()
        assert OBEYED.findall(written.replace("\r\n", "\n").replace("\t", " ")) == [], written
        cells = [cell for row in csv.reader(io.StringIO(written, newline="")) for cell in row]
        assert "\\x1b[31m" in written or name == "count", written
        assert [cell for cell in cells if cell.lstrip(" ")[:1] in set("=+@\t\r\n＝")] == []
        assert [cell for cell in cells if cell.startswith("-") and not re.fullmatch(r"-\d+", cell)] == []


async def test_show_shows_an_order_whose_channel_looks_like_markup_and_its_json_means_the_same(hostile: Path) -> None:
    shown = holdfast("show", HOSTILE, cwd=hostile)
    told = msgspec.json.decode(holdfast("show", HOSTILE, "--json", cwd=hostile).stdout)

    assert shown.returncode == 0
    assert "[/x]" in shown.stdout
    assert "\\x1b[31m" in shown.stdout
    assert (told["sku"], told["holders"][0]["channel"]) == (HOSTILE, NAME)


def test_the_banner_shows_a_directory_with_a_hostile_name(tmp_path: Path) -> None:
    data_dir = f"a\x1b[31m{MARKUP[:4].replace('/', '')}"
    with start("serve", "--port", "0", "--data-dir", data_dir, cwd=tmp_path):
        wait_until(lambda: "Ctrl-C" in (tmp_path / "out").read_text(), "it serves", 30)
    assert OBEYED.findall((tmp_path / "out").read_text() + (tmp_path / "err").read_text()) == []
    assert "a\\x1b[31m" in (tmp_path / "out").read_text()


def test_the_demo_shows_what_a_hostile_server_answers_as_text(tmp_path: Path) -> None:
    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = msgspec.json.encode({"detail": HOSTILE, "title": HOSTILE})
            self.send_response(400)
            self.send_header("Content-Type", "application/problem+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST  # noqa: N815  # the library's names

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        ended = holdfast("demo", "--url", f"http://127.0.0.1:{server.server_port}", cwd=tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    assert ended.returncode == 1
    assert "[/x]" in ended.stderr
    assert OBEYED.findall(ended.stdout + ended.stderr) == []


# -- a terminal


def on_a_terminal(draw: Callable[[SafeConsole], None]) -> str:
    console = SafeConsole()
    console.file, console._force_terminal, console.width = io.StringIO(), True, 400
    console._color_system = None
    draw(console)
    return console.file.getvalue()


def a_table() -> Table:
    table = Table(HOSTILE, title=HOSTILE, caption=HOSTILE)
    table.add_row(HOSTILE)
    table.add_row(Text(HOSTILE))
    return table


def live(console: SafeConsole) -> None:
    with Live(console=console, auto_refresh=False) as shown:
        shown.update(a_table(), refresh=True)


@pytest.mark.parametrize(
    "draw",
    [
        lambda console: console.print(HOSTILE),
        lambda console: console.print(Text(HOSTILE, style="red")),
        lambda console: console.print(a_table()),
        lambda console: console.print([HOSTILE]),
        live,
    ],
)
def test_on_a_terminal_only_the_console_itself_gives_orders(draw: Callable[[SafeConsole], None]) -> None:
    written = on_a_terminal(draw)

    ours = re.compile(r"\x1b\[(?:\?25[hl]|[0-9;]*m|2K|1A)|\r")  # cursor, style, lines of the live table
    assert OBEYED.findall(ours.sub("", written.replace("\x1b[31m", "\x1b[31m"))) == []
    assert "]8;;" not in written.replace("\\x1b]8;;", "")
    assert "[link=http://evil.example]" in written


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ÇANTA-SİYAH/38 المنتج 商品 🧥 👨\u200d👩", "ÇANTA-SİYAH/38 المنتج 商品 🧥 👨\u200d👩"),
        ("a\x1b[2J", "a\\x1b[2J"),
        ("a\nb", "a\\nb"),
        ("a\x9bm", "a\\x9bm"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_can_be_read_stays_and_what_is_obeyed_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(visible(text)) == shown
    if not re.search("[\ud800-\udfff]", text):
        assert msgspec.json.decode(visible_json(msgspec.json.encode(text).decode())) == text


# -- cells


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_cell_that_looks_like_a_formula_is_marked_as_text(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["TS-1001", "a=b", "", "5", -5, 2.5, None])
def test_other_cells_are_as_they_are(cell: object) -> None:
    assert harmless(cell) == cell
