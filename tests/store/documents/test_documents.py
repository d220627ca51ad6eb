"""Documents of orders: kept, found, marked, merged; the same on each database."""

from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from adapters.contract import orders as contract
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
    OrderFilter,
    ReturnDocument,
    ReturnedLine,
    StockLine,
    document_of,
    return_of,
)
from server.store.documents import inbox, search
from server.store.documents.database import Session
from server.store.documents.documents import Documents
from server.store.documents.kept import Paper
from server.store.documents.sqlite import SqliteDatabase
from tests.store.documents.conftest import customer_key

P, CHANNEL = "default", "market"
BUYER = Buyer(id="77", name="Ayşe Yılmaz", email="a@example.com", shipping=Address(lines=("Bağdat Cd. 5",)))


def order(number: str = "1001", **fields: Any) -> OrderDocument:
    given = {"changed_ms": 10, "placed_ms": 5, "lines": (DocumentLine(key="l1", ordered=2, listing="A"),)}
    return OrderDocument(key=number, **{**given, **fields})


def booking(state: str = "committed", **fields: Any) -> Booking:
    return Booking(state=state, reservations=("market.1001",), **fields)


async def numbers(documents: Documents, wanted: OrderFilter = OrderFilter(), partition: str = P) -> list[str]:  # noqa: B008  # it is frozen
    found, _ = await documents.find(partition, wanted)
    return [each.number for each in found]


# -- keeping


async def test_an_order_is_read_back_whole(documents: Documents) -> None:
    package = DocumentPackage(key="p1", lines=(("l1", 2),), tracking="TR1", carrier="c")
    told = order(packages=(package,), buyer=BUYER, currency="TRY", total="12.50")
    await documents.put_told(P, CHANNEL, told)
    await documents.mark_booked(P, CHANNEL, "1001", booking(lines=(StockLine(sku="S", location="main", quantity=2),)))
    await documents.add_timeline(P, CHANNEL, "1001", Event(at_ms=1, kind="booked", text="2 of S"))
    await documents.add_note(P, CHANNEL, "1001", Note(at_ms=2, text="call first", actor="k1"))

    found = await documents.order(P, CHANNEL, "1001")

    assert found is not None
    assert found.kept.order == msgspec.structs.replace(told, buyer=None)
    assert found.buyer == BUYER
    assert found.kept.booking is not None
    assert found.kept.booking.lines[0].sku == "S"
    assert [each.kind for each in found.timeline] == ["heard", "booked"]
    assert [each.text for each in found.notes] == ["call first"]
    assert len(found.kept.customer_ref) == 32


async def test_an_unknown_order_is_none(documents: Documents) -> None:
    assert await documents.order(P, CHANNEL, "1001") is None
    assert not await documents.mark_booked(P, CHANNEL, "1001", booking())


async def test_a_snapshot_becomes_a_document_by_its_names() -> None:
    line = contract.OrderLine(key="l1", ordered=2, listing="A", vat_rate="20")
    buyer = contract.Buyer(id="77", name="N", shipping=contract.Address(lines=("x",)))
    package = contract.Package(key="p", lines=(("l1", 2),), tracking="T")
    told = contract.Order(key="1", changed_ms=3, lines=(line,), complete=False, packages=(package,), buyer=buyer)

    made = document_of(told)

    assert msgspec.to_builtins(made).keys() >= {"key", "changed_ms", "lines", "complete", "packages", "buyer"}
    assert set(contract.Order.__struct_fields__) <= set(OrderDocument.__struct_fields__)
    assert set(contract.OrderLine.__struct_fields__) <= set(DocumentLine.__struct_fields__)
    assert set(contract.Buyer.__struct_fields__) == set(Buyer.__struct_fields__)
    assert set(contract.Address.__struct_fields__) == set(Address.__struct_fields__)
    assert made.buyer == Buyer(id="77", name="N", shipping=Address(lines=("x",)))
    assert made.lines[0].vat_rate == "20"
    case = contract.ReturnCase(
        key="r", order_key="1", lines=(contract.ReturnLine(quantity=1, reason="x"),), state="asked"
    )
    assert return_of(case).lines == (ReturnedLine(quantity=1, reason="x"),)


async def test_an_older_snapshot_changes_nothing(documents: Documents) -> None:
    assert await documents.put_told(P, CHANNEL, order(changed_ms=10, total="2"))
    assert not await documents.put_told(P, CHANNEL, order(changed_ms=9, total="1"))

    found = await documents.order(P, CHANNEL, "1001")

    assert found is not None
    assert found.kept.order.total == "2"


async def test_a_part_adds_lines_and_packages_and_takes_none_away(documents: Documents) -> None:
    await documents.put_told(P, CHANNEL, order(packages=(DocumentPackage(key="p1"),), total="9", buyer=BUYER))
    other = DocumentLine(key="l2", ordered=1)
    await documents.put_told(
        P, CHANNEL, order(changed_ms=11, complete=False, lines=(other,), packages=(DocumentPackage(key="p2"),))
    )

    found = await documents.order(P, CHANNEL, "1001")

    assert found is not None
    assert [line.key for line in found.kept.order.lines] == ["l1", "l2"]
    assert [each.key for each in found.kept.order.packages] == ["p1", "p2"]
    assert (found.kept.order.total, found.buyer) == ("9", BUYER)


async def test_text_that_no_database_takes_is_kept_as_near_as_can_be(documents: Documents) -> None:
    hostile = Buyer(name="\ud800 \0")
    await documents.put_told(P, CHANNEL, order("1\x002", state="o\0", total="\0", buyer=hostile))

    assert await documents.order(P, CHANNEL, "1\x002") is not None
    assert await documents.order(P, CHANNEL, "1\ufffd2") is not None


# -- finding


async def test_orders_are_found_by_what_people_know(documents: Documents) -> None:
    await documents.put_order(P, CHANNEL, order("1", placed_ms=100, buyer=BUYER), booking(short=1))
    await documents.put_order(
        P, CHANNEL, order("2", placed_ms=200),
        booking("cancelled", lines=(StockLine(sku="S/1 ş", location="izmir", quantity=1),)),
    )  # fmt: skip
    await documents.put_order(P, "shop", order("1", placed_ms=300), booking(unmapped=1))
    await documents.put_told("other", CHANNEL, order("9", placed_ms=400))
    await documents.put_told(P, "shop", order("4", placed_ms=50, state="unpaid"))

    ref = (await documents.find(P, OrderFilter(number="1", channel=CHANNEL)))[0][0].customer_ref
    assert await numbers(documents) == ["1", "2", "1", "4"]
    assert await numbers(documents, OrderFilter(channel="shop")) == ["1", "4"]
    assert await numbers(documents, OrderFilter(number="1")) == ["1", "1"]
    assert await numbers(documents, OrderFilter(state="cancelled")) == ["2"]
    assert await numbers(documents, OrderFilter(state="unpaid")) == ["4"]
    assert await numbers(documents, OrderFilter(customer_ref=ref)) == ["1"]
    assert await numbers(documents, OrderFilter(skus=("S/1 ş",))) == ["2"]
    assert await numbers(documents, OrderFilter(skus=("S/1 ş",), locations=("main",))) == []
    assert await numbers(documents, OrderFilter(locations=("izmir",), channel=CHANNEL)) == ["2"]
    assert await numbers(documents, OrderFilter(short=True)) == ["1"]
    assert await numbers(documents, OrderFilter(short=False, channel=CHANNEL)) == ["2"]
    assert await numbers(documents, OrderFilter(unmapped=True)) == ["1"]
    assert await numbers(documents, OrderFilter(from_ms=100, to_ms=300)) == ["2", "1"]
    assert await numbers(documents, partition="other") == ["9"]


async def test_pages_hold_each_order_once_also_at_one_time(documents: Documents) -> None:
    for number in range(7):
        await documents.put_told(P, f"c{number % 2}", order(str(number), placed_ms=5 + number // 3))

    seen, after = [], None
    while True:
        page, after = await documents.find(P, OrderFilter(), after, 2)
        seen += [(each.channel, each.number) for each in page]
        if after is None:
            break

    assert len(seen) == 7
    assert len(set(seen)) == 7
    assert seen[0][1] == "6"


@pytest.mark.parametrize("lines_max", [0, 5_000])
async def test_pages_of_a_sku_hold_each_order_once_however_many_lines_it_has(
    documents: Documents, monkeypatch: pytest.MonkeyPatch, lines_max: int
) -> None:
    monkeypatch.setattr(search, "LINES_MAX", lines_max)
    here, there = (StockLine(sku="S", location=name, quantity=1) for name in ("main", "izmir"))
    for number in range(7):
        await documents.put_told(P, CHANNEL, order(str(number), placed_ms=5 + number // 3))
        lines = (here, there, here) if number else (there,)
        await documents.mark_booked(P, CHANNEL, str(number), booking(lines=lines))

    seen, after = list[str](), None
    while True:
        page, after = await documents.find(P, OrderFilter(skus=("R", "S"), locations=("main",)), after, 2)
        seen += [each.number for each in page]
        if after is None:
            break

    assert seen == ["6", "3", "4", "5", "1", "2"]
    assert await numbers(documents, OrderFilter(skus=("R",))) == []


async def test_one_buyer_has_one_name_in_a_channel_and_another_elsewhere(documents: Documents) -> None:
    for channel, number in ((CHANNEL, "1"), (CHANNEL, "2"), ("shop", "3")):
        await documents.put_told(P, channel, order(number, buyer=BUYER))
    await documents.put_told(P, CHANNEL, order("4", buyer=Buyer(email="A@example.com ")))
    await documents.put_told(P, CHANNEL, order("5", buyer=Buyer(email="a@EXAMPLE.com")))

    found, _ = await documents.find(P, OrderFilter())
    refs = {each.number: each.customer_ref for each in found}

    assert refs["1"] == refs["2"] != refs["3"]
    assert refs["4"] == refs["5"] != refs["1"]
    assert all("77" not in ref or len(ref) == 32 for ref in refs.values())


# -- inbox


def entry(number: str = "1001", reason: str = "unmapped", **fields: Any) -> InboxEntry:
    return InboxEntry(channel=CHANNEL, number=number, reason=reason, **fields)


async def test_the_inbox_counts_tries_and_lists_the_oldest_first(documents: Documents) -> None:
    await documents.put_inbox(P, entry("1"))
    await documents.put_inbox(P, entry("2"))
    await documents.put_inbox(P, entry("1"))

    page = await documents.inbox(P)

    assert [(each.number, each.tries) for each in page] == [("1", 2), ("2", 1)]
    assert page[0].first_ms <= page[0].last_ms
    assert [each.number for each in await documents.inbox(P, after=(page[0].first_ms, CHANNEL, "1"))] == ["2"]
    assert [each.number for each in await documents.inbox(P, after=(page[0].first_ms, CHANNEL, "1\0"))] == ["2"]
    assert await documents.inbox(P, channel="shop") == []


async def test_what_is_ignored_stays_so_until_the_reason_is_another(documents: Documents) -> None:
    await documents.put_inbox(P, entry())
    assert await documents.ignore(P, CHANNEL, "1001", "k1") is not None
    await documents.put_inbox(P, entry())
    assert await documents.inbox(P) == []
    assert [each.actor for each in await documents.inbox(P, state="ignored")] == ["k1"]

    await documents.put_inbox(P, entry(reason="out_of_range"))

    assert [each.reason for each in await documents.inbox(P)] == ["out_of_range"]
    assert await documents.ignore(P, CHANNEL, "no such", "k1") is None


async def test_an_order_that_is_booked_whole_leaves_the_inbox(documents: Documents) -> None:
    await documents.put_told(P, CHANNEL, order())
    await documents.put_inbox(P, entry())
    await documents.mark_booked(P, CHANNEL, "1001", booking(reason="unmapped", unmapped=1))
    assert await documents.inbox_entry(P, CHANNEL, "1001") is not None

    await documents.mark_booked(P, CHANNEL, "1001", booking())

    assert await documents.inbox_entry(P, CHANNEL, "1001") is None


async def test_an_order_has_flags_for_a_buyer_who_comes_again_and_for_what_comes_back(documents: Documents) -> None:
    for number, placed_ms, buyer in (("1", 5, BUYER), ("2", 6, BUYER), ("3", 7, Buyer(id="78")), ("4", 8, None)):
        await documents.put_told(P, CHANNEL, order(number, placed_ms=placed_ms, buyer=buyer))
    await documents.put_told(P, "shop", order("5", placed_ms=9, buyer=BUYER))  # another channel's buyer of that number
    await documents.put_told("other", CHANNEL, order("0", placed_ms=1, buyer=Buyer(id="78")))
    await documents.put_return(P, CHANNEL, ReturnDocument(key="r1", order_key="2"))
    await documents.put_return(P, CHANNEL, ReturnDocument(key="r2", order_key="3"))

    found, _ = await documents.find(P, OrderFilter())
    whole = await documents.order(P, CHANNEL, "2")

    flags = {each.number: each.flags for each in found}
    assert flags == {"1": (), "2": ("repeat", "return"), "3": ("return",), "4": (), "5": ()}
    assert whole is not None
    assert whole.kept.flags == ("repeat", "return")


# -- what comes back, and papers


async def test_a_return_is_kept_with_its_order_and_an_older_one_is_not(documents: Documents) -> None:
    await documents.put_told(P, CHANNEL, order())
    case = ReturnDocument(key="r1", order_key="1001", changed_ms=5, state="arrived", lines=(ReturnedLine(quantity=1),))
    assert await documents.put_return(P, CHANNEL, case)
    assert not await documents.put_return(P, CHANNEL, msgspec.structs.replace(case, changed_ms=4, state="asked"))

    found = await documents.order(P, CHANNEL, "1001")

    assert found is not None
    assert found.returns == (case,)


async def test_what_a_buyer_wrote_stays_where_it_is_not_told_again(documents: Documents) -> None:
    await documents.put_told(P, CHANNEL, order())
    line = ReturnedLine(quantity=1, line="l1", reason="too small")
    case = ReturnDocument(key="r1", order_key="1001", changed_ms=5, lines=(line,))
    await documents.put_return(P, CHANNEL, case)

    heard = msgspec.structs.replace(case, lines=(msgspec.structs.replace(line, reason=""),), state="arrived")
    assert await documents.put_return(P, CHANNEL, heard)

    found = await documents.order(P, CHANNEL, "1001")
    assert found is not None
    assert (found.returns[0].state, found.returns[0].lines) == ("arrived", (line,))


async def test_a_paper_is_kept_and_replaced(documents: Documents) -> None:
    label = Paper(kind="label", id="7", number="1001", body=b"%PDF\0\xff", media_type="application/pdf")
    await documents.put_paper(P, CHANNEL, msgspec.structs.replace(label, body=b"old"))
    await documents.put_paper(P, CHANNEL, label)
    assert await documents.paper(P, CHANNEL, "1001", "7") == label
    assert await documents.paper(P, CHANNEL, "1002", "7") is None

    with pytest.raises(ValueError, match="at most"):
        await documents.put_paper(P, CHANNEL, Paper(kind="label", id="8", body=b"x" * (8 * 1024 * 1024 + 1)))


PLACE = search.Place(1_000, CHANNEL, "1")
BY_ITS_LINES = "order_lines_1 (partition=? AND channel=? AND number=?)"


class Recorder:
    """A session that notes what it is asked. ``lines``: how many it says there are of what is sought."""

    def __init__(self, lines: int = 0) -> None:
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self._lines = lines

    async def fetch(self, statement: str, *values: Any) -> list[Any]:
        self.asked.append((statement, values))
        return [(self._lines,)] if statement.startswith("SELECT COUNT") else []


async def plan_of(path: Path, recorder: Recorder) -> str:
    """Return the steps that SQLite takes for the last thing that was asked."""
    statement, values = recorder.asked[-1]
    documents = Documents(SqliteDatabase(path / "documents.sqlite3"), customer_key)
    plan = await documents._read(lambda session: session.fetch(f"EXPLAIN QUERY PLAN {statement}", *values))
    await documents.close()
    return " · ".join(step for *_, step in plan)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "orders_by_time (partition=? AND sort_ms<?)"),
        ({"channel": CHANNEL}, "orders_by_channel (partition=? AND channel=? AND sort_ms<?)"),
        ({"number": "1"}, "orders_by_number (partition=? AND number=?)"),
        ({"number": "1", "channel": CHANNEL}, "orders_1 (partition=? AND channel=? AND number=?)"),
        ({"number": "1", "state": "held"}, "orders_by_number (partition=? AND number=?)"),
        ({"customer_ref": "x"}, "orders_by_customer (partition=? AND customer_ref=? AND sort_ms<?)"),
        (
            {"customer_ref": "x", "channel": CHANNEL},
            "orders_by_customer (partition=? AND customer_ref=? AND sort_ms<?)",
        ),
        ({"state": "held"}, "orders_by_state (partition=? AND <expr>=? AND sort_ms<?)"),
        ({"state": "held", "channel": CHANNEL}, "orders_by_state (partition=? AND <expr>=? AND sort_ms<?)"),
        ({"state": "shipped", "channel": CHANNEL}, "orders_by_channel (partition=? AND channel=? AND sort_ms<?)"),
        ({"short": True}, "orders_short (partition=? AND sort_ms<?)"),
        ({"short": True, "channel": CHANNEL, "state": "held"}, "orders_short (partition=? AND sort_ms<?)"),
        ({"unmapped": True, "channel": CHANNEL}, "orders_unmapped (partition=? AND sort_ms<?)"),
        ({"short": False}, "orders_by_time (partition=? AND sort_ms<?)"),
    ],
)
async def test_a_search_begins_where_the_page_before_ended_and_goes_along_what_narrows_most(
    tmp_path: Path, wanted: dict[str, Any], index: str
) -> None:
    recorder = Recorder()

    await search.find(cast(Session, recorder), P, OrderFilter(**wanted), PLACE, 50)

    assert f"SEARCH o USING INDEX {index}".replace(
        "INDEX orders_1", "INDEX sqlite_autoindex_orders_1"
    ) in await plan_of(tmp_path, recorder)


@pytest.mark.parametrize(
    ("names", "index"),
    [
        ({"skus": ("A", "B")}, "order_lines_by_sku (partition=? AND sku=?)"),
        ({"locations": ("main",)}, "order_lines_by_location (partition=? AND location=?)"),
        ({"skus": ("A", "B"), "locations": ("main",)}, "order_lines_by_sku (partition=? AND sku=?)"),
    ],
)
async def test_few_lines_are_read_with_their_orders(tmp_path: Path, names: dict[str, Any], index: str) -> None:
    recorder = Recorder(lines=search.LINES_MAX)

    await search.find(cast(Session, recorder), P, OrderFilter(**names, channel=CHANNEL), PLACE, 50)

    plan = await plan_of(tmp_path, recorder)
    assert f"SEARCH l USING INDEX {index}" in plan
    assert "SEARCH o USING INDEX sqlite_autoindex_orders_1 (partition=? AND channel=? AND number=?)" in plan


@pytest.mark.parametrize("names", [{"skus": ("A", "B")}, {"locations": ("main",)}])
async def test_many_lines_are_not_read_but_the_lines_of_each_order(tmp_path: Path, names: dict[str, Any]) -> None:
    recorder = Recorder(lines=search.LINES_MAX + 1)

    await search.find(cast(Session, recorder), P, OrderFilter(**names, channel=CHANNEL), PLACE, 50)

    plan = await plan_of(tmp_path, recorder)
    assert "SEARCH o USING INDEX orders_by_channel (partition=? AND channel=? AND sort_ms<?)" in plan
    assert BY_ITS_LINES in plan


async def test_a_page_of_the_inbox_begins_where_the_one_before_ended(tmp_path: Path) -> None:
    recorder = Recorder()

    await inbox.page(cast(Session, recorder), P, channel=CHANNEL, state="open", after=PLACE, limit=50)

    assert "inbox_by_age (partition=? AND state=? AND first_ms>?)" in await plan_of(tmp_path, recorder)
