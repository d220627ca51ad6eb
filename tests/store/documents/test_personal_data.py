"""Personal data: erased for good, forgotten in time, and not left behind in the files of the database."""

import asyncio
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from server.domain.order_documents import (
    Address,
    Booking,
    Buyer,
    DocumentPackage,
    Note,
    OrderDocument,
    OrderFilter,
    ReturnDocument,
    ReturnedLine,
)
from server.store.documents import documents as module
from server.store.documents.documents import Documents
from server.store.documents.kept import Paper
from server.store.documents.sqlite import SqliteDatabase
from tests.store.documents.conftest import customer_key

P, CHANNEL = "default", "market"
MARK = "Markgraf"
DAY_MS = 86_400_000


def buyer(mark: str = MARK, longer: int = 1) -> Buyer:
    return Buyer(id=mark, name=mark * longer, email=f"{mark}@x.example", shipping=Address(lines=(mark,), phone=mark))


def order(number: str, *, mark: str = MARK, longer: int = 1, **fields: Any) -> OrderDocument:
    package = DocumentPackage(key="p", tracking=f"T-{mark}", url=f"https://t.example/{mark}")
    return OrderDocument(
        **{"key": number, "changed_ms": 1, "packages": (package,), "buyer": buyer(mark, longer), **fields}
    )


async def fill(documents: Documents, number: str, mark: str = MARK, longer: int = 1) -> None:
    await documents.put_order(P, CHANNEL, order(number, mark=mark, longer=longer), Booking(state="booked"))
    await documents.add_note(P, CHANNEL, number, Note(at_ms=1, text=f"call {mark}"))
    await documents.put_paper(P, CHANNEL, Paper(kind="label", id=number, number=number, body=mark.encode() * longer))
    lines = (ReturnedLine(quantity=1, reason=mark),)
    await documents.put_return(P, CHANNEL, ReturnDocument(key=number, order_key=number, lines=lines))


async def shown(documents: Documents, number: str) -> str:
    paper = await documents.paper(P, CHANNEL, number, number)
    return f"{(whole := await documents.order(P, CHANNEL, number))} {whole and whole.buyer is not None} {paper}"


class Clock:
    def __init__(self) -> None:
        self.now_ms = 1_796_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "_now_ms", made)
    return made


async def test_an_erased_order_keeps_its_trade_and_nothing_of_its_buyer(documents: Documents) -> None:
    await fill(documents, "1")
    await fill(documents, "2")
    assert MARK in await shown(documents, "1")

    assert await documents.erase(P, CHANNEL, "1", "k1")

    whole = await documents.order(P, CHANNEL, "1")
    assert whole is not None
    assert MARK not in await shown(documents, "1")
    assert (whole.buyer, whole.notes, whole.kept.customer_ref) == (None, (), "")
    assert (len(whole.kept.order.packages), len(whole.returns)) == (1, 1)
    assert MARK in await shown(documents, "2")


async def test_what_comes_after_an_erasure_is_kept_without_the_buyer(documents: Documents) -> None:
    await documents.erase(P, CHANNEL, "1", "k1")

    await fill(documents, "1")

    whole = await documents.order(P, CHANNEL, "1")
    assert whole is not None
    assert whole.buyer is None
    assert [each.tracking for each in whole.kept.order.packages] == [""]
    assert [each.lines[0].reason for each in whole.returns] == [""]
    assert await documents.paper(P, CHANNEL, "1", "1") is None
    await documents.add_words(P, CHANNEL, "1", Note(at_ms=2, text=f"the channel says {MARK}"))
    whole = await documents.order(P, CHANNEL, "1")
    assert whole is not None
    assert "the channel says" not in str(whole.notes)
    assert [each.number for each in await documents.erased(P)] == ["1"]


async def test_personal_data_goes_when_its_time_is_over_and_the_order_later(documents: Documents, clock: Clock) -> None:
    for number in ("ended", "open"):
        await fill(documents, number)
    await documents.mark_booked(P, CHANNEL, "ended", Booking(state="shipped"))
    limits = {"personal_s": 90 * 86_400, "orders_s": 400 * 86_400}

    clock.now_ms += 89 * DAY_MS
    assert await documents.forget(**limits) == 0
    clock.now_ms += 2 * DAY_MS
    while await documents.forget(**limits):
        pass

    ended, still = await documents.order(P, CHANNEL, "ended"), await documents.order(P, CHANNEL, "open")
    assert ended is not None
    assert still is not None
    assert MARK not in str(await shown(documents, "ended")).replace("T-", "")
    assert (ended.buyer, ended.kept.erased_ms > 0) == (None, True)
    assert still.buyer == buyer()
    clock.now_ms += 320 * DAY_MS
    while await documents.forget(**limits):
        pass
    assert await documents.find(P, OrderFilter()) == ([], None)
    assert MARK not in await shown(documents, "open")


async def test_a_closed_order_that_is_read_again_stays_forgotten_until_it_is_open_again(
    documents: Documents, clock: Clock
) -> None:
    await documents.put_order(P, CHANNEL, order("1", state="closed"), Booking(state="shipped"))
    clock.now_ms += 91 * DAY_MS
    await documents.forget(personal_s=90 * 86_400, orders_s=400 * 86_400)

    await documents.put_order(P, CHANNEL, order("1", state="closed", changed_ms=2), Booking(state="shipped"))
    closed = await documents.order(P, CHANNEL, "1")
    await documents.put_order(P, CHANNEL, order("1", state="open", changed_ms=3), Booking(state="booked"))
    opened = await documents.order(P, CHANNEL, "1")

    assert closed is not None
    assert opened is not None
    assert closed.buyer is None
    # Its booking had ended at the time, so the address comes with the next look.
    await documents.put_order(P, CHANNEL, order("1", state="open", changed_ms=4), Booking(state="booked"))
    again = await documents.order(P, CHANNEL, "1")
    assert again is not None
    assert (again.buyer, again.kept.erased_ms) == (buyer(), 0)


async def test_an_order_that_is_seen_closed_again_and_again_still_ends_once(documents: Documents, clock: Clock) -> None:
    for day in range(100):
        await documents.put_order(P, CHANNEL, order("1", changed_ms=1 + day), Booking(state="shipped"))
        clock.now_ms += DAY_MS
    await documents.forget(personal_s=90 * 86_400, orders_s=400 * 86_400)

    found = await documents.order(P, CHANNEL, "1")

    assert found is not None
    assert found.buyer is None


@pytest.mark.parametrize("seed", range(5))
async def test_the_files_hold_nothing_of_what_was_erased(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    documents = Documents(SqliteDatabase(tmp_path / "documents.sqlite3"), customer_key)
    marks = {str(number): f"Mark{seed}x{number:04}y" for number in range(60)}
    try:
        for number, mark in marks.items():
            await fill(documents, number, mark, rng.choice((1, 40, 900)))
        for change in range(2, 60):
            number = rng.choice(list(marks))
            changed = order(number, mark=marks[number], longer=rng.choice((1, 7, 300)), changed_ms=change)
            await documents.put_order(P, CHANNEL, changed, Booking(state="booked"))
        gone = rng.sample(list(marks), 30)
        for number in gone:
            await documents.erase(P, CHANNEL, number, "k1")
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert [number for number in gone if marks[number].encode() in content] == []
        assert all(marks[number].encode() in content for number in marks if number not in gone)
    finally:
        await documents.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [number for number in gone if marks[number].encode() in content] == []


async def test_nothing_personal_is_shown_of_what_is_held_in_memory() -> None:
    whole = order("1")

    assert MARK not in repr(whole.buyer)
    assert MARK not in repr(whole.buyer and whole.buyer.shipping)
    assert MARK not in repr(Paper(kind="label", id="1", body=MARK.encode()))


async def test_an_erasure_is_answered_once_nothing_of_it_is_left_although_somebody_reads_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.store.documents.sqlite._BUSY_S", 0.05)
    path = tmp_path / "documents.sqlite3"
    documents = Documents(SqliteDatabase(path), customer_key)
    await fill(documents, "1")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM people").fetchall()

    erasing = asyncio.create_task(documents.erase(P, CHANNEL, "1", "k1"))
    await asyncio.sleep(0.5)
    was_answered = erasing.done()
    reader.close()

    assert not was_answered
    assert await erasing
    assert not any(MARK.encode() in each.read_bytes() for each in tmp_path.iterdir())
    await documents.close()
