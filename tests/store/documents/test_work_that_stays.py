"""What is asked and written costs no more where very many are kept: the database's own steps are counted.

Plans of SQLite do not depend on what is in the tables, since nobody has it analyse them. So four times as many rows
show a statement that goes through all of them, and the steps are the same on every machine.
"""

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from server.domain.history import HistoryRow, Moment
from server.domain.order_documents import (
    Booking,
    Buyer,
    InboxEntry,
    OrderDocument,
    OrderFilter,
    StockLine,
    customer_ref,
)
from server.store.documents import finding_search as search
from server.store.documents import (
    found,
    found_state,
    history,
    history_search,
    inbox,
    orders,
    sqlite,
)
from server.store.documents import search as order_search
from server.store.documents.database import Session
from server.store.documents.documents import Documents
from server.store.documents.finding_search import Along, ReservationFilter, SkuFilter
from server.store.documents.found import FoundBarcode, FoundHolder, FoundListing, FoundPlace, FoundReservation
from server.store.documents.sqlite import SqliteDatabase
from tests.store.documents.conftest import customer_key

P: Final = "shop"
FEW, MANY = 2_000, 8_000
STEPS_AT_ONCE: Final = 20
TIMES_MAX: Final = 1.5
"""How many more steps four times as many rows may cost: trees are a little deeper."""
LOOKED_AT: Final = 100
FEW_ORDERS: Final = 60
Work = Callable[[Session], Coroutine[Any, Any, Any]]


class Counted:
    """A database of which the steps are counted."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self.steps = 0

    def step(self) -> int:
        self.steps += STEPS_AT_ONCE
        return 0

    async def cost(self, work: Work) -> int:
        before = self.steps
        await self.documents.follow(work)
        return self.steps - before


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Counted]:
    """Have each connection that is opened from now on count for the last of these."""
    made: list[Counted] = []
    opened = sqlite._open

    def open_counted(path: Path) -> Any:
        connection = opened(path)
        connection.set_progress_handler(made[-1].step, STEPS_AT_ONCE)
        return connection

    monkeypatch.setattr(sqlite, "_open", open_counted)
    monkeypatch.setattr(search, "LOOKED_AT_MAX", LOOKED_AT)
    monkeypatch.setattr(order_search, "LINES_MAX", LOOKED_AT)
    monkeypatch.setattr(history_search, "LOOKED_AT_MAX", LOOKED_AT)
    return made


def sku(number: int) -> str:
    return f"TS-{number:06}-M"


def changes(count: int) -> list[HistoryRow]:
    return [
        HistoryRow(
            Moment(n, 0), "order", f"k{n % 2}", "web", f"r{n}", f"o{n}", sku(n % 20), f"l{n % 5}", f"b{n}", n,
        )
        for n in range(count)
    ]  # fmt: skip


async def fill(documents: Documents, count: int) -> None:
    """Keep so many of each; a tenth is out, a tenth lacks, and so on."""
    places = [
        FoundPlace(f"l{n % 2}", sku(n), 0 if n % 10 == 1 else 5 + n % 7, int(n % 10 == 2), int(n % 10 == 3), 1)
        for n in range(count)
    ]

    async def write(session: Session) -> None:
        await found.put_places(session, P, places)
        await found.put_untracked(session, P, [f"U-{n}" for n in range(count // 10)])
        await found.put_listings(session, P, "shop", [FoundListing(sku(n), f"k-{n}", sku(n)) for n in range(count)])
        await found.put_barcodes(session, P, [FoundBarcode(sku(n), f"869{n:09}") for n in range(count)])
        await found.put_reservations(
            session, P, [FoundReservation(f"r{n}", n, "web", f"o{n}", "everybody") for n in range(count)]
        )
        await found.put_holders(session, P, [FoundHolder(sku(n % 20), f"l{n % 5}", f"r{n}") for n in range(count)])
        await history.add(session, P, changes(count))
        for n in range(count):
            await session.execute("INSERT INTO erased VALUES (?, 'other', ?, 1, 'a')", P, f"o{n}")
            await put_order(session, n)

    await documents.follow(write)


def buyer_of(n: int) -> str:
    """Every second order is of one buyer; the others have few each."""
    return "everybody" if n % 2 else f"b{n // 6}"


async def put_order(session: Session, n: int) -> None:
    """Keep one order of many: the oldest few are another channel's, and some wait in the inbox."""
    key = orders.order_key(P, "shop" if n >= FEW_ORDERS else "corner", f"n{n}")
    told = OrderDocument(key=key.number, changed_ms=n + 1, placed_ms=n + 1, buyer=Buyer(id=buyer_of(n)))
    await orders.put_order(session, key, told, b"key", n + 1)
    line = StockLine(sku=sku(n), location="depo" if n < FEW_ORDERS else "main", quantity=1)
    state = "held" if n < FEW_ORDERS else "shipped"
    booking = Booking(state=state, lines=(line,), short=int(n < FEW_ORDERS), unmapped=int(n < FEW_ORDERS))
    await orders.mark_booked(session, key, booking, n + 1)
    entry = InboxEntry(channel=key.channel, number=key.number, reason="unmapped")
    await inbox.put(session, key, entry, n + 1)


def ordering() -> dict[str, Work]:
    """Every way along which orders are looked for, from the first page and from one in the middle on."""
    buyer, everybody = (customer_ref(b"key", "shop", Buyer(id=name)) for name in ("b70", "everybody"))
    wanted: dict[str, dict[str, Any]] = {
        "all": {}, "a channel": {"channel": "shop"}, "a channel that has few": {"channel": "corner"},
        "a number": {"number": "n700"}, "a number and a state": {"number": "n700", "state": "held"},
        "a buyer": {"customer_ref": buyer}, "a buyer who has many": {"customer_ref": everybody, "channel": "shop"},
        "a state that many have": {"state": "shipped"}, "a state that few have": {"state": "held"},
        "a state that few have, of a channel": {"state": "held", "channel": "shop"},
        "a state that many have, of a channel": {"state": "shipped", "channel": "corner"},
        "short": {"short": True}, "not short": {"short": False}, "short, of one": {"short": True, "channel": "shop"},
        "unmapped": {"unmapped": True, "channel": "shop", "state": "shipped"},
        "a SKU": {"skus": (sku(7), "no")}, "a place that has few": {"locations": ("depo",)},
        "a place that has many": {"locations": ("main",)},
        "a SKU at a place": {"skus": (sku(700),), "locations": ("main",)},
        "a time": {"from_ms": 20, "to_ms": 900},
        "a time of a channel": {"from_ms": 20, "to_ms": 900, "channel": "corner"},
    }  # fmt: skip
    middle = order_search.Place(1_000, "shop", "n999")
    found: dict[str, Work] = {
        f"orders: {name}{', on' if after else ''}": lambda session, asked=asked, after=after: order_search.find(  # type: ignore[misc]
            session, P, OrderFilter(**asked), after, 50
        )
        for name, asked in wanted.items()
        for after in (None, middle)
    }
    return found | {
        f"inbox{', on' if after[0] else ''}": lambda session, after=after: inbox.page(
            session, P, channel="", state="open", after=after, limit=50
        )
        for after in ((0, "", ""), (1_900, "shop", "n1899"))
    }


def looks() -> dict[str, Work]:
    """Every way along which SKUs are looked at, with what else may be wanted."""
    ways: dict[str, tuple[Along, SkuFilter]] = {
        "all": (search.BY_SKU, SkuFilter()),
        "a word": (search.along_words("m"), SkuFilter(words=("m",))),
        "two words": (search.along_words("ts0"), SkuFilter(words=("ts0", "m"))),
        "a prefix": (search.along_prefix("TS-"), SkuFilter(prefix="TS-")),
        "a location": (search.along_location("l0"), SkuFilter(locations=("l0",))),
        "a location by two names": (search.BY_SKU, SkuFilter(locations=("l0", "l9"))),
        "a channel": (search.along_channel("shop"), SkuFilter(channel="shop")),
        "few": (search.along_few(2), SkuFilter(state="low")),
        "most first": (search.along_sums("available", is_down=True), SkuFilter(locations=("l1",))),
        "changed": (search.along_sums("changed_ms", is_down=True), SkuFilter(channel="shop", prefix="TS-")),
    }
    for state in search.STATES:
        ways[state] = (search.along_state(state), SkuFilter(state=state))
        ways[f"{state} along all"] = (search.BY_SKU, SkuFilter(state=state))
        if state != "untracked":
            ways[f"{state} at a location"] = (search.along_state(state, ["l1"]), SkuFilter(("l1",), state=state))
            ways[f"{state} at two"] = (search.along_state(state), SkuFilter(("l1", "l0"), "shop", state))
    return {
        name + (", on" if on else ""): lambda session, along=along, wanted=wanted, on=on: search.look(  # type: ignore[misc]
            session, P, along, wanted, _place_of(along) if on else None, limit=50
        )
        for name, (along, wanted) in ways.items()
        for on in (False, True)
    }


def _place_of(along: Along) -> tuple[Any, ...]:
    values = {"available": 0, "changed_ms": 1, "sku": sku(30), "tail": along.least or ""}
    return tuple(values[column] for column in along.columns)


def finding() -> dict[str, Work]:
    some = [sku(n) for n in range(100)]
    known: dict[str, Work] = {
        "a typo": lambda session: search.with_tails(session, P, ["ts000007m", *(f"x{n}" for n in range(300))], 20),
        "a key": lambda session: search.with_key(session, P, "k7", ["shop", "other"]),
        "keys": lambda session: search.listings_with_key(session, P, "shop", "k", None, limit=50),
        "keys, on": lambda session: search.listings_with_key(session, P, "shop", "k", ("k3", "k-3"), limit=50),
        "barcodes": lambda session: search.barcodes_of(session, P, [sku(7), "no"], "", 50),
        "barcodes, on": lambda session: search.barcodes_of(session, P, [sku(7), sku(8)], "869", 50),
        "holders": lambda session: search.holders(session, P, sku(7), "", 50),
        "holders at one place": lambda session: search.holders(session, P, sku(7), "l2", 50),
        "where": lambda session: found_state.skus_at(session, P, "l0", "", 50),
        "places": lambda session: found_state.places_after(session, P, ("", ""), 50),
        "some of these": lambda session: search.matching(session, P, SkuFilter(("l0",), "shop", "out", "TS-"), some),
    }
    return known | {
        f"reservations: {name}": lambda session, wanted=wanted, after=after: search.reservations(
            session, P, wanted, after, 50
        )
        for name, wanted in {
            "order": ReservationFilter("o7"),
            "customer": ReservationFilter(customer="everybody"),
            "order and customer": ReservationFilter("o7", "everybody"),
            "time": ReservationFilter(from_ms=20, to_ms=300),
            "oldest": ReservationFilter(is_oldest_first=True),
            "customer in a time": ReservationFilter("", "everybody", 20, 300, is_oldest_first=True),
        }.items()
        for after in (None, (200, "r200"))
    }  # fmt: skip


def writing() -> dict[str, Work]:
    some = range(0, 200, 2)
    return {
        "SKUs again": lambda session: found.put_places(session, P, [
            FoundPlace("l0", sku(n), 3, 0, 0, 9) for n in some
        ], changed_ms=5),
        "SKUs that are gone": lambda session: found.put_places(session, P, [], [("l1", sku(n + 1)) for n in some]),
        "listings": lambda session: found.put_listings(session, P, "shop", [
            FoundListing(sku(n), f"z-{n}", sku(n)) for n in some
        ], [sku(n) for n in some]),
        "barcodes": lambda session: found.put_barcodes(session, P, [
            FoundBarcode(sku(n), f"1{n}") for n in some
        ], [f"869{n:09}" for n in some]),
        "reservations": lambda session: found.put_reservations(session, P, [
            FoundReservation(f"r{n}", n, "web", f"o{n}", "everybody") for n in some
        ]),
        "holders": lambda session: found.put_holders(session, P, [FoundHolder(sku(n), "l9", f"r{n}") for n in some]),
        "reservations that are gone": lambda session: found.drop_reservations(session, P, [f"r{n}" for n in some]),
        "rows of the history": lambda session: history.add(session, P, changes(100)),
        "an order that is erased": lambda session: history.forget_order(session, P, "web", "o7"),
    }  # fmt: skip


def asking() -> dict[str, Work]:
    names = {"sku": sku(7), "location": "l1", "channel": "web", "actor": "k1", "key": "b7", "reservation": "r7"}
    wanted: dict[str, Mapping[str, list[str]]] = {name: {name: [value]} for name, value in names.items()}
    wanted |= {
        "nothing": {},
        "one of many, and nobody": {"location": ["l1"], "channel": ["nobody"]},
        "two": {"sku": [sku(7), sku(8)], "channel": ["web"]},
    }
    options: dict[str, dict[str, Any]] = {
        "": {}, ", up to": {"before": Moment(300, 0)}, ", from": {"from_ms": 20},
        ", between": {"before": Moment(300, 0), "from_ms": 20}, ", without": {"without": ("api_key",)},
    }  # fmt: skip
    return {
        f"{name}{when}": lambda session, asked=asked, option=option: history_search.find(
            session, P, asked, limit=50, **option
        )
        for name, asked in wanted.items()
        for when, option in options.items()
    } | {
        "an order": lambda session: history.reservations_of(session, P, "o7"),
        "where it was": lambda session: history_search.locations_of(session, P, sku(7), 50),
        "a number then": lambda session: history_search.stock_at(session, P, sku(7), "l2", 200),
        "whose it may be": lambda session: history_search.reservations_at(session, P, sku(7), "l2", 50),
        "whose it may be anywhere": lambda session: history_search.reservations_at(session, P, sku(7), "", 50),
        "gaps": lambda session: history_search.gaps(session, P, 0, 300),
    }


async def test_given_four_times_as_many_then_each_costs_about_as_many_steps(
    tmp_path: Path, counted: list[Counted]
) -> None:
    costs: list[dict[str, int]] = []
    for count in (FEW, MANY):
        documents = Documents(SqliteDatabase(tmp_path / f"{count}.sqlite3"), customer_key, answer_s=60.0)
        counted.append(Counted(documents))
        await fill(documents, count)
        works = looks() | finding() | ordering() | asking() | writing()
        costs.append({name: await counted[-1].cost(work) for name, work in works.items()})
        await documents.close()
    few, many = costs

    grown = {name: (few[name], many[name]) for name in few if many[name] > TIMES_MAX * few[name] + 5 * STEPS_AT_ONCE}
    assert grown == {}


async def test_given_rows_of_which_few_are_left_out_then_a_page_looks_at_little_more_than_it_shows(
    tmp_path: Path, counted: list[Counted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_search, "LOOKED_AT_MAX", 5_000)
    documents = Documents(SqliteDatabase(tmp_path / "documents.sqlite3"), customer_key, answer_s=60.0)
    counted.append(Counted(documents))
    await documents.follow(lambda session: history.add(session, P, changes(5_000)))

    for asked in ({}, {"location": ["l1"]}):
        wanted: Mapping[str, list[str]] = asked
        plain = await counted[-1].cost(lambda session, wanted=wanted: history_search.find(  # type: ignore[misc]
            session, P, wanted, limit=50
        ))  # fmt: skip
        without = await counted[-1].cost(lambda session, wanted=wanted: history_search.find(  # type: ignore[misc]
            session, P, wanted, limit=50, without=("api_key",)
        ))  # fmt: skip
        assert without < 8 * plain
    await documents.close()
