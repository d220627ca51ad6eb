"""Runs the examples of docs/api/ in their order on a fresh server.

An example is a fenced ``http`` block with a request, and the one after it with the answer. ``--write`` puts the answers
that came into the pages:  python -m tests.support.docs_examples --write
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import aiohttp
import msgspec

from server.api.http.api_examples import pages
from server.domain.channels import ChannelStatus, DeadLetter, LastReconcile
from server.domain.order_documents import (
    Address,
    Booking,
    Buyer,
    DocumentLine,
    DocumentPackage,
    Event,
    InboxEntry,
    OrderDocument,
    StockLine,
)
from server.domain.sources import SourceStatus, WaitingNumber
from server.insight.daily_figures import DailyFigureCounter
from server.insight.find_index import FindIndex
from server.insight.find_upkeep import FindUpkeep
from server.insight.journal_followers import JournalFollower
from server.store.connection.connect import client, connection_pool
from server.store.documents.kept import Paper
from server.store.keys import ChannelKeys, Keyspace, SourceKeys
from server.store.repositories.order_privacy import CUSTOMER_KEY
from tests.support.feeds import feed_of
from tests.support.http import ROOT, Answer, Api, Key, Server, opened
from tests.support.order_documents import documents_of

API: Final = pages(ROOT / "docs" / "api")
"""The pages in their order."""
SHOWN: Final = ("Content-Type", "ETag", "Idempotent-Replayed", "Retry-After", "WWW-Authenticate", "Allow")
"""Headers of an answer that the document shows, where they are not the usual ones."""
USUAL: Final = {"Content-Type": "application/json"}
COUNTED: Final = ("/v1/reports", "/v1/events", "/v1/replenishment")
"""Routes that return what was counted."""
FOUND: Final = ("/v1/skus?",)
"""Routes that return what an index finds."""
FOUND_OF_SKU: Final = "/barcodes"
"""How the path of another one ends."""
TOLD: Final = ("/v1/orders", "/v1/inbox")
"""Routes that return what channels told of orders."""
FILE_TOKEN: Final = "FILE-TOKEN"
"""Stands in a path for the token of the file that was sent last."""
IMPORT_ID: Final = "IMPORT-ID"
"""Stands in a path for the import that was made last."""
KEY_ID: Final = "KEY-ID"
"""Stands in a path for the API key that was made last."""
ADMIN: Final = Key("our-own", "default")
"""Asks about API keys, at a server of their own: the first one that is made closes a server without keys."""
NOT_SHOWN: Final = "…"
"""The body of an answer that is too long to show."""
CHANNEL: Final = """
[channels.trendyol]
kind = "trendyol"
buffer = 1

[channels.trendyol.options]
seller_id = 42

[channels.trendyol.credentials]
api_key = { env = "TRENDYOL_KEY" }
api_secret = { env = "TRENDYOL_SECRET" }

[channels.trendyol.orders]
enabled = true
"""
"""The channel of the examples. No publisher runs, as the channel would have to be there: what one would have written
about it is put into the store, see :func:`_as_published`."""
SOURCE: Final = """
[sources.my-erp]
kind = "odoo"

[sources.my-erp.options]
base_url = "https://erp.example"
database = "shop"
login = "holdfast"
partner_id = 12
locations = { main = 1 }

[sources.my-erp.credentials]
password = { env = "ODOO_API_KEY" }
"""
"""The source of the examples; of it, too, is written what a publisher would have."""
CREDENTIALS: Final = {
    "TRENDYOL_KEY": "made-up-key",
    "TRENDYOL_SECRET": "made-up-secret",
    "ODOO_API_KEY": "made-up-key",
}
SECRET_KEY: Final = "bWFkZSB1cCBmb3IgdGhlIGV4YW1wbGVzIG9mIGRvY3M="
"""Signs tokens in the examples: 32 bytes that everybody can read here."""
_EXAMPLE: Final = re.compile(r"```http\n([A-Z]+ /.*?)```\n\n```http\n(.*?)```", re.DOTALL)
_PASSING: Final = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DAY"),
    (re.compile(r"\b\d{13}-\d+\b"), "EVENT-ID"),
    (re.compile(r'(?<=ETag: ")[0-9a-f]{16}(?=")'), "TAG"),
    (re.compile(r"\bhfb?_[A-Za-z0-9_-]+"), "TOKEN"),
    (re.compile(r'(?<="id": ")[a-z2-7]{12}(?=")'), "KEY"),
    (re.compile(r'(?<="token": ")[\w-]{32}(?=")'), "TOKEN"),
    (re.compile(r'(?<="import_id": ")[0-9a-f]{8}(?=")'), "IMPORT"),
    (re.compile(r"\bq[0-9a-f]{13,}\b"), "REQUEST-ID"),
)


def whole() -> str:
    """Return the text of all pages, in their order."""
    return "\n".join(page.read_text("utf-8") for page in API)


class Example(msgspec.Struct, frozen=True):
    """One request of a document, and the answer as it stands there."""

    request: str
    answer: str


def examples(text: str) -> list[Example]:
    """Find the examples of a document."""
    return [Example(*match.groups()) for match in _EXAMPLE.finditer(text)]


def comparable(answer: str) -> str:
    """Take out of an answer what differs from run to run."""
    for pattern, name in _PASSING:
        answer = pattern.sub(name, answer)
    return answer


async def run(found: list[Example], through: Callable[[Server, Api], Api] = lambda _, api: api) -> list[str]:
    """Send all requests, in order, to one fresh server; returns the answers as a document shows them.

    ``through`` replaces what sends them.
    """
    with (
        Server(toml=CHANNEL + SOURCE, environment=CREDENTIALS, role="api", secret_key=SECRET_KEY) as server,
        Server(keys=[ADMIN]) as keyed,
    ):
        async with opened(server) as api, opened(keyed, ADMIN) as admin:
            tokens: list[str] = []
            usual, apis = through(server, api), {"/v1/keys": through(keyed, admin)}
            return [await _answer(server, _asked(apis, example, usual), example, tokens) for example in found]


def _asked(apis: Mapping[str, Api], example: Example, usual: Api) -> Api:
    return next((api for path, api in apis.items() if example.request.split()[1].startswith(path)), usual)


def _as_published(server: Server) -> None:
    """Write how the channel stands, as a publisher does each second, and a value that the channel refused."""
    keyspace = Keyspace("default")
    with server.store() as store:
        now_ms = store.time()[0] * 1000
        status = ChannelStatus(
            publisher="shop-1:7", written_ms=now_ms, listings=2, dirty=1, oldest_unsent_s=0.042,
            last_confirmed_ms=now_ms, dead_letters=1, lag_p50_s=0.031, lag_p99_s=0.187, cursor=f"{now_ms}-0",
            reconcile=LastReconcile(now_ms, checked=2, differed=1),
        )  # fmt: skip
        letter = DeadLetter(
            "Tavă 28 cm", "8690000000024", 9, "PRICE_MISSING", "Satış fiyatı boş olamaz", 4, now_ms, now_ms, 3
        )
        store.hset(keyspace.channel_status, "trendyol", msgspec.json.encode(status))
        store.hset(ChannelKeys(keyspace, "trendyol").dead_letters, letter.sku, msgspec.msgpack.encode(letter))


def _as_read(server: Server) -> None:
    """Write how the source stands, and a number of it that is not believed."""
    keyspace = Keyspace("default")
    with server.store() as store:
        now_ms = store.time()[0] * 1000
        status = SourceStatus(
            publisher="shop-1:7", written_ms=now_ms, begun_ms=now_ms, known_ms=now_ms, whole_ms=now_ms, places=2,
            waiting=1,
        )  # fmt: skip
        waiting = WaitingNumber("grew", 40, 4_000, now_ms)
        place = "TS-1001-SİYAH-M\0main"
        store.hset(keyspace.source_status, "my-erp", msgspec.json.encode(status))
        store.hset(SourceKeys(keyspace, "my-erp").waiting, place, msgspec.msgpack.encode(waiting))


async def _as_told(server: Server) -> None:
    """Keep two orders, as the intake does: one that is booked, and one that is not."""
    _as_published(server)
    with server.store() as store:
        store.hset(Keyspace("default").secrets, CUSTOMER_KEY, b"the document's")
    async with documents_of(server) as documents:
        if await documents.order("default", "trendyol", "10623417") is not None:
            return
        line = DocumentLine(
            key="9031",
            ordered=2,
            listing="8690000000017",
            title="T-shirt, black, M",
            unit_price="129.90",
            vat_rate="20",
        )
        package = DocumentPackage(key="7788", lines=(("9031", 2),), tracking="733610", carrier="Yurtiçi")
        address = Address(name="Ayşe Yılmaz", lines=("Bağdat Cd. 5",), city="İstanbul", country="TR")
        told = OrderDocument(
            key="10623417", changed_ms=1_796_000_060_000, placed_ms=1_796_000_000_000, lines=(line,), status="Created",
            currency="TRY", total="259.80", packages=(package,),
            buyer=Buyer(id="77", name="Ayşe Yılmaz", email="ayse@example.com", shipping=address),
        )  # fmt: skip
        stock = StockLine(sku="TS-1001-SİYAH-M", location="main", quantity=2, line="9031")
        booking = Booking(state="booked", reservations=("trendyol.10623417",), lines=(stock,))
        await documents.put_order("default", "trendyol", told, booking)
        await documents.add_timeline(
            "default",
            "trendyol",
            told.key,
            Event(at_ms=1_796_000_061_000, kind="booked", text="booked", actor="intake"),
        )
        label = Paper(
            kind="label", id="label-90ffae898087e9bb", number=told.key, body=b"%PDF-1.7\n", media_type="application/pdf"
        )
        await documents.put_paper("default", "trendyol", label)
        await documents.put_inbox(
            "default",
            InboxEntry(channel="trendyol", number="10623999", reason="unmapped", listings=("8690000000999",)),
        )


async def _as_counted(server: Server) -> None:
    """Count what happened so far, as the process that runs maintenance does each second."""
    pool = connection_pool(f"unix://{server.data_dir / 'store.sock'}")
    try:
        await DailyFigureCounter(feed_of(client(pool), Keyspace("default")), retention_s=90 * 86_400).catch_up()
    finally:
        await pool.aclose()


async def _as_found(server: Server) -> None:
    """Bring the index for finding up to date, as that process does."""
    keyspace, pool = Keyspace("default"), connection_pool(f"unix://{server.data_dir / 'store.sock'}")
    try:
        async with documents_of(server) as documents:
            index = FindIndex(client(pool), documents.customer_key)
            await JournalFollower(feed_of(client(pool), keyspace), documents, [index]).catch_up()
            partitions, channels = ["default"], ["trendyol"]
            await FindUpkeep(client(pool), documents, index, lambda: partitions, channels=lambda _: channels).once()
    finally:
        await pool.aclose()


async def _answer(server: Server, api: Api, example: Example, tokens: list[str]) -> str:
    """Send one; ``tokens`` of files that were sent before."""
    head, _, body = example.request.partition("\n\n")
    first, *lines = head.strip().split("\n")
    method, path = first.split(" ")
    headers = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if path.startswith("/v1/changes"):
        return await _events(api, path, headers)
    for placeholder in (FILE_TOKEN, KEY_ID):
        path = path.replace(placeholder, tokens[-1] if tokens else "")
    if IMPORT_ID in path:
        path = path.replace(IMPORT_ID, (await api.get("/v1/imports")).body["imports"][0]["import_id"])
    if path.startswith(TOLD) and (method, path) != ("POST", "/v1/orders"):
        await _as_told(server)
    if path.startswith("/v1/sources"):
        _as_read(server)
    if path.startswith(FOUND) or path.endswith(FOUND_OF_SKU):
        await _as_found(server)
    if "channels" in path:
        _as_published(server)  # just now: a report of some seconds ago says that there is no publisher
    if path.startswith(COUNTED):
        await _as_counted(server)
    raw = body.strip().encode() if body.strip() else None
    answer = await api.send(method, path, raw=raw, headers=headers)
    tokens += _shown_once(method, path, answer)
    shown = {name: answer.headers[name] for name in SHOWN if name in answer.headers}
    kept = [f"{name}: {value}" for name, value in shown.items() if USUAL.get(name) != value]
    top = "\n".join([f"{answer.status} {HTTPStatus(answer.status).phrase}", *kept])
    if not answer.raw:
        return top + "\n"
    is_short = "json" in answer.headers["Content-Type"] and not path.startswith("/openapi")
    return f"{top}\n\n{msgspec.json.format(answer.raw, indent=2).decode() if is_short else NOT_SHOWN}\n"


def _shown_once(method: str, path: str, answer: Answer) -> list[str]:
    """Return what later paths name: the token of a file that was sent, the id of a key that was made."""
    if method == "POST" and path == "/v1/keys":
        return [answer.body["key"]["id"]]
    is_file = method == "POST" and path.startswith("/v1/files") and answer.body.get("token")
    return [answer.body["token"]] if is_file else []


async def _events(api: Api, path: str, headers: dict[str, str]) -> str:
    """Read a stream up to and with the first event that has an id."""
    async with api._session.get(api._url + path, headers=headers, timeout=aiohttp.ClientTimeout(20)) as response:
        text = ""
        while "\nid: " not in text or not text.endswith("\n\n"):
            text += (await response.content.readline()).decode()
        return f"{response.status} OK\nContent-Type: {response.headers['Content-Type']}\n\n{text.rstrip()}\n"


def rewritten(text: str, answers: list[str]) -> str:
    """Put answers into a document."""
    left = iter(answers)
    return _EXAMPLE.sub(lambda match: f"```http\n{match[1]}```\n\n```http\n{next(left)}```", text)


def main() -> None:
    """Run the examples, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    found = [example for page in API for example in examples(page.read_text("utf-8"))]
    # What differs by a time alone stays as it stands: else each run would touch most of the page.
    answers = [
        example.answer if comparable(example.answer) == comparable(answer) else answer
        for example, answer in zip(found, asyncio.run(run(found)), strict=True)
    ]
    if write:
        left = iter(answers)
        for page in API:
            text = page.read_text("utf-8")
            page.write_text(rewritten(text, [next(left) for _ in examples(text)]), "utf-8")
    sys.stdout.write(f"{len(answers)} examples ran\n")


if __name__ == "__main__":
    main()
