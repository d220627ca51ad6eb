"""What the intake writes down: the order, its booking with what is missing, the inbox; and a database that is away."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.contract import orders as contract
from server.domain.channel_orders import Booked, LineProgress
from server.domain.order_documents import OrderFilter, kept_number
from server.service.caller import Caller
from server.service.order_documents import check_number
from server.service.order_records import DocumentRecords
from server.store.documents.documents import Documents
from server.store.documents.sqlite import SqliteDatabase
from server.store.ledger.ledger import Ledger
from tests.support.operations import order as commit_order
from tests.support.operations import receive

CHANNEL = "market"
MARK = "Zülfikar-Markgraf"


async def customer_key(_: str) -> bytes:
    return b"key"


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[Documents]:
    made = Documents(SqliteDatabase(tmp_path / "documents.sqlite3"), customer_key, rest_s=0.05)
    yield made
    await made.close()


@pytest.fixture
def records(documents: Documents, caller: Caller) -> DocumentRecords:
    return DocumentRecords(documents, lambda: caller)


def told(**fields: Any) -> contract.Order:
    line = contract.OrderLine(key="l1", ordered=3, listing="869")
    given = {"key": "1001", "changed_ms": 5, "lines": (line,), "complete": True}
    return contract.Order(**{**given, **fields})


def booked(**fields: Any) -> Booked:
    lines = (LineProgress("l1", 3, 3, 0, 0, 0),)
    given = {"state": "booked", "reservations": ("market.1001",), "steps": ("order",), "lines": lines}
    return Booked(**{**given, **fields})


class Entry:
    id, order, name, state, by = "ship-1", "1001", "ship", "done", "rule:ship"
    reason = MARK


async def test_what_was_booked_is_found_with_what_is_missing(
    records: DocumentRecords, documents: Documents, ledger: Ledger, caller: Caller
) -> None:
    await ledger.run(receive("A", 2))
    await ledger.run(commit_order("market.1001", ("A", 3), accept_shortage=True))

    assert await records.order(CHANNEL, told(), booked(), "")

    partition = caller.principal.partition
    [found], _ = await documents.find(partition, OrderFilter(skus=("A",), locations=("main",), short=True))
    assert found.booking is not None
    assert (found.booking.short, found.booking.lines[0].lacks, found.booking.lines[0].quantity) == (1, 1, 3)
    await ledger.run(receive("A", 1))
    assert await records.order(CHANNEL, told(changed_ms=6), booked(steps=()), "")
    assert (await documents.find(partition, OrderFilter(short=True)))[0] == []


async def test_an_idle_look_leaves_the_booking_as_it_is(
    records: DocumentRecords, documents: Documents, caller: Caller
) -> None:
    await records.order(CHANNEL, told(), booked(state="shipped"), "")
    await records.order(CHANNEL, told(changed_ms=7), Booked(state="booked", unchanged=True), "")

    found = await documents.order(caller.principal.partition, CHANNEL, "1001")

    assert found is not None
    assert found.kept.booking is not None
    assert (found.kept.booking.state, found.kept.order.changed_ms) == ("shipped", 7)
    assert [(each.kind, each.text) for each in found.timeline] == [("heard", "open"), ("booked", "order")]


async def test_a_lost_document_comes_back_at_an_idle_look(
    records: DocumentRecords, documents: Documents, caller: Caller
) -> None:
    assert await records.order(CHANNEL, told(), Booked(state="booked", unchanged=True), "")

    found = await documents.order(caller.principal.partition, CHANNEL, "1001")

    assert found is not None
    assert found.kept.booking is not None


async def test_what_could_not_be_booked_stands_in_the_inbox_until_it_is(
    records: DocumentRecords, documents: Documents, caller: Caller
) -> None:
    partition = caller.principal.partition
    await records.order(CHANNEL, told(), booked(unmapped=("l1",), inbox="unmapped"), "unmapped")
    await records.order(CHANNEL, told(key="1002"), None, "failed")

    entries = {each.number: each for each in await documents.inbox(partition)}
    assert (entries["1001"].reason, entries["1001"].listings) == ("unmapped", ("869",))
    assert entries["1002"].reason == "failed"

    await records.order(CHANNEL, told(changed_ms=6), booked(), "")
    assert [each.number for each in await documents.inbox(partition)] == ["1002"]


async def test_commands_labels_and_returns_are_written_down(
    records: DocumentRecords, documents: Documents, caller: Caller
) -> None:
    await records.order(CHANNEL, told(), booked(), "")
    case = contract.ReturnCase(key="r1", order_key="1001", lines=(), state="asked", changed_ms=4)

    assert await records.said(CHANNEL, Entry(), f"{MARK} has moved")
    assert await records.paper(CHANNEL, Entry(), b"%PDF", "application/pdf")
    assert await records.returned(CHANNEL, case)
    assert await records.returned(CHANNEL, case)

    found = await documents.order(caller.principal.partition, CHANNEL, "1001")
    paper = await documents.paper(caller.principal.partition, CHANNEL, "1001", "ship-1")
    assert found is not None
    assert [each.kind for each in found.timeline][2:4] == ["ship_done", "return"]
    assert MARK not in str(found.timeline)
    assert [each.text for each in found.notes] == [f"ship done: {MARK} has moved"]
    assert paper is not None
    assert paper.body == b"%PDF"


async def test_a_return_that_is_not_understood_stands_in_the_inbox_until_it_is(
    records: DocumentRecords, documents: Documents, caller: Caller
) -> None:
    partition = caller.principal.partition
    await records.order(CHANNEL, told(), booked(), "")

    assert await records.unreadable_return(CHANNEL, "r1", "a claim: items: not a list")
    assert await records.unreadable_return(CHANNEL, "", "a claim: no object")
    await records.order(CHANNEL, told(changed_ms=6), booked(), "")  # its order is well, which says nothing of it

    entries = {each.number: each for each in await documents.inbox(partition)}
    assert entries.keys() == {"return:r1", "return:?"}
    assert (entries["return:r1"].reason, entries["return:r1"].detail) == (
        "unreadable_return", "a claim: items: not a list",
    )  # fmt: skip

    case = contract.ReturnCase(key="r1", order_key="1001", lines=(), state="asked", changed_ms=4)
    assert await records.returned(CHANNEL, case)
    assert [each.number for each in await documents.inbox(partition)] == ["return:?"]


@pytest.mark.parametrize("number", ["x" * 1_025, "ü" * 600, "a\nb", "\x00", ""])
async def test_an_order_whose_number_nobody_can_name_is_kept_under_one_that_can_be_named(
    number: str, records: DocumentRecords, documents: Documents, caller: Caller
) -> None:
    assert await records.order(CHANNEL, told(key=number), booked(inbox="impossible"), "impossible")

    [entry] = await documents.inbox(caller.principal.partition)
    assert check_number("number", entry.number) == entry.number == kept_number(number)
    assert len(entry.number.encode()) < 500
    assert kept_number("x" * 1_024) == "x" * 1_024


async def test_a_database_that_is_away_is_told_and_raises_nothing(caller: Caller, tmp_path: Path) -> None:
    documents = Documents(SqliteDatabase(tmp_path / "missing" / "documents.sqlite3"), customer_key)
    records = DocumentRecords(documents, lambda: caller)
    buyer = contract.Buyer(name=MARK)

    with capture_logs() as logs:
        assert not await records.order(CHANNEL, told(buyer=buyer), booked(), "")
        assert not await records.returned(CHANNEL, contract.ReturnCase(key="r", order_key="1", lines=(), state="asked"))
        assert not await records.said(CHANNEL, Entry(), MARK)

    assert {each["event"] for each in logs} == {"order_not_written_down"}
    assert MARK not in str(logs)
