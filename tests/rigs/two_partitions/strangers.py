"""What callers do beside their business: they read everything, send nonsense, and try what is not theirs.

None of it may change anything. The books notice if it does, for they hold every unit.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from tests.rigs.two_partitions.book import Book, plain
from tests.rigs.two_partitions.desk import Desk
from tests.rigs.two_partitions.oracle import shown
from tests.rigs.two_partitions.reading import read, stock_differs
from tests.rigs.two_partitions.requests import Request, Sent

_READS: Final = (
    "/v1/availability/{sku}", "/v1/availability/{sku}?channel=shop", "/v1/availability/{sku}/nearby?lat=41&lon=29",
    "/v1/stock/{sku}", "/v1/atp/{sku}", "/v1/supply?sku={sku}", "/v1/skus/{sku}", "/v1/reservations?limit=20",
    "/v1/reservations?sku={sku}", "/v1/reservations?state=committed&limit=20", "/v1/reservations?unmapped=true",
    "/v1/transfers", "/v1/backorders", "/v1/backorders?sku={sku}", "/v1/shortages", "/v1/locations", "/v1/channels",
    "/v1/safety/rules", "/v1/replenishment/rules", "/v1/replenishment", "/v1/events", "/v1/reports/sales",
    "/v1/reports/sales?by=channel", "/v1/reports/velocity", "/v1/changes?after=0-1",
)  # fmt: skip
_MISSING: Final = frozenset({200, 404, 422})
"""A read of one SKU may find none, of which nothing has come yet."""
_UNKNOWN: Final = frozenset(
    {"unknown_reservation", "unknown_sku", "unknown_transfer", "unknown_supply", "unknown_barcode", "unknown_channel"}
)
_LINE: Final = {"line": 1, "quantity": 1}

Wrong = tuple[str, str, Any, int]
"""Method, path, body, and the status with which it must be refused; 200: each element is, on its own."""


def _wrong(sku: str, location: str, name: str) -> list[Wrong]:
    """Make requests that break a rule each, about things that are there."""
    line = {"sku": sku, "quantity": 1}
    new = {"channel": "shop", "reservation_id": f"no-{name}"}
    return [
        ("POST", "/v1/reservations", {**new, "lines": []}, 400),
        ("POST", "/v1/reservations", {**new, "lines": [{**line, "quantity": 0}]}, 400),
        ("POST", "/v1/reservations", {**new, "lines": [{**line, "quantity": -3}]}, 400),
        ("POST", "/v1/reservations", {**new, "lines": [line], "ttl_s": 0}, 400),
        ("POST", "/v1/reservations", {**new, "lines": [line], "reservation_id": "no such\nid"}, 400),
        ("POST", "/v1/reservations", {**new, "lines": [line], "unknown": 1}, 400),
        ("POST", "/v1/reservations", {**new, "lines": [{**line, "sku": "\x07"}]}, 400),
        ("POST", "/v1/orders", {**new, "lines": [line] * 101}, 400),
        ("POST", "/v1/orders", {**new, "lines": [line], "on_shortage": "maybe"}, 400),
        ("POST", "/v1/reservations/batch", {"reservations": [{**new, "lines": []}, {"channel": ""}]}, 200),
        ("POST", "/v1/stock/movements", {"movements": [
            {"kind": "receive", "sku": sku, "location": location, "quantity": 5},
            {"kind": "receive", "sku": sku, "location": location, "quantity": 0},
        ]}, 400),
        ("POST", "/v1/stock/movements", {"movements": [{"kind": "conjure", "sku": sku, "quantity": 5}]}, 400),
        ("POST", "/v1/stock/movements", {"movements": [
            {"kind": "move", "sku": sku, "quantity": 1, "from": "damaged", "to": "damaged", "reason": "x"},
        ]}, 400),
        ("PUT", f"/v1/supply/no-{name}", {"sku": sku, "quantity": 1, "expected_on": "yesterday"}, 400),
        ("POST", "/v1/transfers", {"from": location, "to": location, "lines": [line]}, 400),
        ("PUT", "/v1/locations/%07", {"open": False}, 400),
        ("POST", "/v1/availability/query", {"skus": []}, 400),
        ("GET", "/v1/reservations?limit=100000", None, 400),
        ("POST", f"/v1/reservations/nobody-{name}/commit", {"lines": [_LINE, {"line": 0, "quantity": 1}]}, 400),
    ]  # fmt: skip


class Strangers:
    """``others``: the books of the other partition, whose names nobody here has; ``shop``: its channel."""

    def __init__(self, desk: Desk, others: Sequence[Book], shop: str, chance: random.Random) -> None:
        self._desk = desk
        self._others = others
        self._shop = shop
        self._chance = chance

    async def aside(self, book: Book) -> None:
        """Do one of these."""
        await self._chance.choice((self._read, self._read, self._check, self._nonsense, self._foreign))(book)

    async def _read(self, book: Book) -> None:
        """Read anything; what it shows of others is looked for in every answer."""
        path = self._chance.choice(_READS)
        sku = self._chance.choice(sorted({sku for sku, _ in book.oracle.model.stock}) or ["A"])
        if path.startswith("/v1/changes"):
            return
        sent = Sent("GET", book.names.path(Request("read", "GET", path, {"sku": sku})), None, {})
        reply = await self._desk.send(sent, book.names)
        if reply is None or not reply.is_done:
            return
        self._desk.tally.read[f"GET {path.partition('?')[0]}"] += 1
        if reply.status not in (_MISSING if "{sku}" in path else {200}):
            book.differs(f"GET {path} of {sku}: {reply.status} {reply.body}")

    async def _check(self, book: Book) -> None:
        """Read what only this book has changed, and compare it."""
        if book.unconfirmed is not None or book.broken:
            return
        model = book.oracle.model
        if self._chance.random() < 0.3 or not model.reservations:
            found = await stock_differs(self._desk, book)
            if found:
                book.differs(found)
            return
        name = self._chance.choice(list(model.reservations))
        reply = await read(self._desk, book, "/v1/reservations/{reservation_id}", final=False, reservation_id=name)
        if reply is None:
            return
        mine = plain(shown(book.oracle.view(name)))
        if plain(reply.body) != mine:
            book.differs(f"reservation {name} reads {plain(reply.body)}, must be {mine}")

    async def _nonsense(self, book: Book) -> None:
        """Send what breaks a rule."""
        sku, location = book.names.outside("A"), book.names.outside("depo")
        method, path, body, status = self._chance.choice(_wrong(sku, location, book.names.suffix[1:]))
        reply = await self._desk.send(Sent(method, path, body, {"Idempotency-Key": f"no-{book.name}"}))
        if reply is None or not reply.is_done:
            return
        self._desk.tally.invalid[f"{method} {path.partition('?')[0]}"] += 1
        if reply.status != status or set(reply.outcomes) != {"invalid"}:
            self._desk.tally.findings.differing.append(f"{method} {path} {body}: {reply.status} {reply.body}")

    async def _foreign(self, book: Book) -> None:
        """Ask for what belongs to the other partition, as if its names had been guessed."""
        theirs = self._chance.choice([each for each in self._others if each.names.suffix != book.names.suffix])
        model = theirs.oracle.model
        name = self._chance.choice(list(model.reservations) or ["r1"])
        transfer = self._chance.choice(list(model.transfers) or ["t1"])
        supply = self._chance.choice(list(model.supplies) or ["s1"])
        asks = _foreign(name, transfer, supply, f"{book.name}-{self._chance.random()}")
        request = self._chance.choice(asks + _of_channel(self._shop))
        sent = theirs.names.sent(request)
        reply = await self._desk.send(sent, foreign=True)
        if reply is None or not reply.is_done:
            return
        self._desk.tally.foreign[request.kind] += 1
        nothing = _NOTHING.get(request.kind, lambda _: set(reply.outcomes) <= _UNKNOWN)
        if not nothing(reply.body):
            what = f"{self._desk.key.partition}: {request.method} {sent.path} {sent.body}"
            self._desk.tally.findings.seen.append(f"{what}: {reply.status} {str(reply.body)[:300]}")


_NOTHING: Final[dict[str, Callable[[Any], bool]]] = {
    "list": lambda body: body["reservations"] == [],
    "backorders": lambda body: body["backorders"] == [],
    "supply": lambda body: body["supply"] == [],
    "query": lambda body: body["availability"] == [],
}
"""How the answer of a question looks that finds nothing."""


def _of_channel(shop: str) -> list[Request]:
    names, path = {"channel": shop}, "/v1/channels/{channel}"
    listing = {"listings": [{"sku": "A", "key": "120/1"}]}
    return [
        Request("channel", "GET", path, names),
        Request("channel status", "GET", f"{path}/status", names),
        Request("channel rules", "PUT", path, names, {"buffer": 1}),
        Request("reconcile", "POST", f"{path}/reconcile", names),
        Request("listings", "GET", f"{path}/listings", names),
        Request("listing", "PUT", f"{path}/listings", names, listing),
    ]


def _foreign(name: str, transfer: str, supply: str, key: str) -> list[Request]:
    about = {"reservation_id": name}
    path = "/v1/reservations/{reservation_id}"
    line, new = {"sku": "A", "quantity": 1}, {"channel": "shop", "reservation_id": f"f{abs(hash(key)):x}"}
    steps = {
        "extend": {"ttl_s": 60}, "commit": {}, "release": {}, "cancel": {}, "fulfil": {},
        "return": {"lines": [{**_LINE, "disposition": "restock"}]}, "move": {"lines": [{"line": 1, "to": "main"}]},
        "lines": {"lines": [{"line": 1, "sku": "A"}]},
    }  # fmt: skip
    asks = [Request(step, "POST", f"{path}/{step}", about, body, key) for step, body in steps.items()]
    return [
        *asks,
        Request("reservation", "GET", path, about),
        Request("stock", "GET", "/v1/stock/{sku}", {"sku": "A"}),
        Request("availability", "GET", "/v1/availability/{sku}", {"sku": "A"}),
        Request("atp", "GET", "/v1/atp/{sku}", {"sku": "A"}),
        Request("transfer", "GET", "/v1/transfers/{transfer_id}", {"transfer_id": transfer}),
        Request("arrive", "POST", "/v1/transfers/{transfer_id}/receive", {"transfer_id": transfer}, {}, key),
        Request("receipt", "GET", "/v1/supply/{supply_id}", {"supply_id": supply}),
        Request("forgo", "DELETE", "/v1/supply/{supply_id}", {"supply_id": supply}, None, key),
        Request("reserve", "POST", "/v1/reservations", {}, {**new, "lines": [line]}),
        Request("order", "POST", "/v1/orders", {}, {**new, "lines": [{**line, "location": "depo"}]}),
        Request("batch", "POST", "/v1/reservations/batch", {}, {"reservations": [{**new, "lines": [line]}]}, key),
        Request("ship", "POST", "/v1/transfers", {}, {"from": "depo", "to": "main", "lines": [line]}, key),
        Request("list", "GET", "/v1/reservations?sku={sku}", {"sku": "A"}),
        Request("backorders", "GET", "/v1/backorders?sku={sku}", {"sku": "Ş"}),
        Request("supply", "GET", "/v1/supply?sku={sku}", {"sku": "A"}),
        Request("query", "POST", "/v1/availability/query", {}, {"skus": ["A", "B 1/2"]}),
        Request("allocate", "DELETE", "/v1/stock/{sku}/{location}/allocations/{channel}",
                {"sku": "A", "location": "main", "channel": "shop"}, None, key),
    ]  # fmt: skip
