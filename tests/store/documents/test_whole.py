"""The documents as a whole: read as they are at one moment, put into an empty database of either product."""

import re
import secrets
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench.peers import database as peers
from bench.peers.cluster import Cluster
from server.domain.history import Detail, Gap, HistoryRow, Moment
from server.domain.order_documents import (
    Booking,
    Buyer,
    DocumentLine,
    Event,
    InboxEntry,
    Note,
    OrderDocument,
    ReturnDocument,
    StockLine,
)
from server.store.documents import found_state, history, schema, whole
from server.store.documents.database import Database, Row
from server.store.documents.documents import Documents
from server.store.documents.followed import Move, move
from server.store.documents.kept import Paper
from server.store.documents.postgres import PostgresDatabase
from server.store.documents.sqlite import SqliteDatabase
from tests.store.documents.conftest import customer_key

P = "default"
Rows = list[tuple[str, Sequence[str], Sequence[Row]]]


@pytest.fixture(params=["sqlite", "postgres"])
def other_database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Another one than the first; in the same server, another database."""
    if request.param == "sqlite":
        return SqliteDatabase(tmp_path / "other.sqlite3")
    return PostgresDatabase(request.getfixturevalue("other_postgres_url"))


@pytest.fixture
def other_postgres_url(cluster: Cluster) -> str:
    name = f"documents_{secrets.token_hex(6)}"
    peers.execute(cluster.dsn("postgres"), f"CREATE DATABASE {name}")
    return str(cluster.url(name))


def order(number: str) -> OrderDocument:
    return OrderDocument(
        key=number, changed_ms=10, placed_ms=5, lines=(DocumentLine(key="l1", ordered=2, listing="A"),),
        buyer=Buyer(id="77", name="Ayşe 'Yılmaz'", email="a@example.com"), currency="TRY", total="12.50",
    )  # fmt: skip


async def fill(documents: Documents, orders: int) -> None:
    for number in range(orders):
        name = str(1000 + number)
        await documents.put_told(P, "market", order(name))
        lines = (StockLine(sku="S", location="main", quantity=2),)
        await documents.mark_booked(P, "market", name, Booking(state="committed", reservations=("r",), lines=lines))
        await documents.add_timeline(P, "market", name, Event(at_ms=1, kind="booked", text="2 of S"))
    await documents.add_note(P, "market", "1000", Note(at_ms=2, actor="k1", text="call first"))
    await documents.put_inbox(P, InboxEntry(channel="market", number="1001", reason="unmapped"))
    await documents.put_return(P, "market", ReturnDocument(key="c1", order_key="1000", changed_ms=3))
    await documents.put_paper(P, "market", Paper(kind="label", id="x", body=b"\0\xff%PDF", number="1000"))
    await documents.erase(P, "market", "1001", "k1")
    rows = [HistoryRow(Moment(ms, 0), operation="order", actor="k1", detail=Detail("held", [1])) for ms in range(120)]
    await documents.follow(lambda session: history.add(session, P, rows))
    await documents.follow(lambda session: history.add_gap(session, P, Gap(1, 2, "trimmed")))
    await documents.follow(lambda session: move(session, P, Move(history.FOLLOWER, None, "5-0")))
    await documents.follow(lambda session: move(session, P, Move(found_state.FOLLOWER, None, "7-0")))


async def read(documents: Documents) -> Rows:
    found: Rows = []
    await documents.read_whole(lambda table, columns, rows: found.append((table, columns, rows)))
    return found


def by_table(rows: Rows) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for table, _, some in rows:
        found.setdefault(table, []).extend(map(tuple, some))
    return found


async def test_what_one_database_has_fills_another_of_either_product(
    documents: Documents, other_database: Database
) -> None:
    await fill(documents, 230)
    rows = await read(documents)
    other = Documents(other_database, customer_key)
    assert await other.is_empty()

    count = await other.fill(rows)

    assert by_table(await read(other)) == by_table(rows)
    assert set(by_table(rows)) == set(whole.TABLES) - {"packages"}
    assert count == sum(len(some) for some in by_table(rows).values())
    assert [row[:2] for row in by_table(rows)["followers"]] == [(P, history.FOLLOWER)]
    assert not await other.is_empty()
    # What is counted up goes on behind what is there.
    await other.add_timeline(P, "market", "1000", Event(at_ms=9, kind="booked", text="new"))
    await other.follow(lambda session: history.add(session, P, [HistoryRow(Moment(999, 0), operation="x", actor="k")]))
    found = await other.order(P, "market", "1000")
    assert found is not None
    assert found.timeline[-1].text == "new"
    await other.close()


async def test_what_is_written_meanwhile_is_not_in_it(documents: Documents, database: Database) -> None:
    """A writer that commits after the moment: the rows of one order are all there, those of another none."""
    await fill(documents, 3)
    other = Documents(type(database)(getattr(database, "path", None) or database._url), customer_key)  # type: ignore[attr-defined,call-arg]
    before = by_table(await read(documents))
    written: list[bool] = []

    found: Rows = []

    def put(table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        found.append((table, columns, rows))
        if not written:
            written.append(True)
            _write_elsewhere(database)

    await documents.read_whole(put)

    assert written
    assert by_table(found) == before
    assert by_table(await read(other)) != before
    await other.close()


def _write_elsewhere(database: Database) -> None:
    """Delete the last table's rows and an order's people, from another connection, while a copy is being read."""
    statements = ("DELETE FROM people", "DELETE FROM history_gaps")
    if isinstance(database, SqliteDatabase):
        connection = sqlite3.connect(database.path, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()
        return
    with ThreadPoolExecutor(1) as apart:  # a loop of its own
        apart.submit(peers.execute, database._url, "; ".join(statements)).result()  # type: ignore[attr-defined]


async def test_a_fill_that_fails_leaves_what_was_there(documents: Documents) -> None:
    await fill(documents, 2)
    before = by_table(await read(documents))

    def broken() -> Any:
        yield "orders", whole.columns_of("orders"), []
        raise ValueError("the file ends")

    with pytest.raises(ValueError, match="ends"):
        await documents.fill(broken())

    assert by_table(await read(documents)) == before


async def test_columns_of_a_later_release_are_left_out(documents: Documents) -> None:
    rows: Rows = [
        ("erased", (*whole.columns_of("erased"), "later"), [("p", "c", "n", 1, "k", "x")]),
        ("later", ("a",), [("b",)]),
    ]

    assert await documents.fill(rows) == 1

    assert by_table(await read(documents)) == {"erased": [("p", "c", "n", 1, "k")]}


async def test_every_table_and_column_is_copied_or_known_to_be_made_anew(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "documents.sqlite3")
    tables = await database.run(lambda session: session.fetch("SELECT name FROM sqlite_master WHERE type = 'table'"))
    own = {name for (name,) in tables} - {"schema_version", "sqlite_sequence"}

    assert own == {*whole.TABLES, *whole.MADE_ANEW}
    for table in whole.TABLES:
        columns = await database.run(lambda session, table=table: session.fetch(f"PRAGMA table_info({table})"))  # type: ignore[misc]
        assert {row[1] for row in columns} == set(whole.columns_of(table)), table
    serial = re.compile(r"CREATE TABLE (\w+) \(\s*(\w+) \{serial\}")
    found = [serial.search(each.strip()) for version in schema.MIGRATIONS for each in version]
    assert {each[1]: each[2] for each in found if each} == whole.SERIALS
    await database.close()


async def test_nothing_is_left_of_a_partition_that_is_erased_and_all_of_another(documents: Documents) -> None:
    await fill(documents, 60)
    await documents.put_told("other", "market", order("1"))
    await documents.follow(lambda session: history.add(session, "other", [HistoryRow(Moment(1, 0), "order", "k1")]))
    told: list[int] = []

    count = await documents.erase_partition(P, told.append)

    left = by_table(await read(documents))
    named = {row[0] for table in ("orders", "people") for row in left[table]} | {row[1] for row in left["timeline"]}
    assert named == {"other"}
    assert (len(left["history"]), [row[1] for row in left["history_partitions"]]) == (1, ["other"])
    assert not left.keys() & {
        "order_lines",
        "notes",
        "inbox",
        "returns",
        "papers",
        "erased",
        "history_gaps",
    }
    assert told[-1] == count
    assert await documents.erase_partition(P) == 0
