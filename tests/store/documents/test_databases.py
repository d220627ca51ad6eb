"""What a database that is away, slow, damaged, newer or removed does to its users: errors in time, and nothing else."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from bench.peers import database as statements
from server.domain.order_documents import Buyer, OrderDocument
from server.store.documents import schema
from server.store.documents.database import Database, Session
from server.store.documents.documents import Documents
from server.store.documents.opening import open_documents
from server.store.documents.postgres import PostgresDatabase, numbered
from server.store.documents.sqlite import SqliteDatabase
from server.store.errors import DocumentsError, DocumentsUrlError
from tests.conftest import wait_until
from tests.store.documents.conftest import customer_key

AWAY = "postgresql://nobody@127.0.0.1:1/none"
ORDER = OrderDocument(key="1", changed_ms=1, buyer=Buyer(name="Markgraf"))


async def test_a_database_that_is_away_fails_at_once_after_the_first_time() -> None:
    documents = Documents(PostgresDatabase(AWAY), customer_key, rest_s=600)  # longer than any test
    with pytest.raises(DocumentsError, match="failed: ConnectionRefusedError"):
        await documents.ping()
    with pytest.raises(DocumentsError, match="a moment ago"):
        await documents.put_told("p", "c", ORDER)


async def test_a_database_that_was_away_is_asked_again_after_a_rest() -> None:
    documents = Documents(PostgresDatabase(AWAY), customer_key, rest_s=0.05)

    async def is_asked() -> bool:
        with pytest.raises(DocumentsError) as caught:
            await documents.ping()
        return "failed: ConnectionRefusedError" in str(caught.value)

    assert await is_asked()
    await wait_until(is_asked, "it is asked again", every_s=0.01)


async def test_a_hanging_database_is_given_up_in_time(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite3"
    documents = Documents(SqliteDatabase(path), customer_key, answer_s=0.3, rest_s=0.05)
    await documents.ping()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(DocumentsError, match="within"):
        await documents.put_told("p", "c", ORDER)
    assert await documents.order("p", "c", "1") is None if await _after(0.1) else False
    blocker.close()

    async def is_put() -> bool:
        try:
            return await documents.put_told("p", "c", ORDER)
        except DocumentsError:
            return False

    await wait_until(is_put, "it is well again", every_s=0.05)
    await documents.close()


async def test_a_search_that_takes_too_long_keeps_nothing_from_being_written(database: Database) -> None:
    documents = Documents(database, customer_key, answer_s=2.0)
    await documents.ping()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
    with pytest.raises(DocumentsError, match="within"):
        await documents._read(lambda session: session.fetch(endless))

    assert await documents.put_told("p", "c", ORDER)
    with pytest.raises(DocumentsError, match="a moment ago"):
        await documents.order("p", "c", "1")
    await documents.close()


async def _after(seconds: float) -> bool:
    await asyncio.sleep(seconds)
    return True


async def test_a_statement_that_was_given_up_leaves_no_transaction_behind(documents: Documents) -> None:
    for _ in range(30):
        task = asyncio.ensure_future(documents.put_told("p", "c", ORDER))
        await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert await documents.put_told("p", "c", ORDER)
    assert await documents.order("p", "c", "1") is not None


async def test_who_gives_up_interrupts_nobody_else(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "documents.sqlite3")
    await database.run(lambda session: session.execute("CREATE TABLE t (x TEXT)"))

    async def slow(session: Session, word: str) -> None:
        await session.execute("INSERT INTO t VALUES (?)", word)
        await session.fetch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT SUM(i) FROM n"
        )

    first = asyncio.create_task(database.run(lambda session: slow(session, "first")))
    second = asyncio.create_task(database.run(lambda session: slow(session, "second")))
    third = asyncio.create_task(database.run(lambda session: session.execute("INSERT INTO t VALUES ('third')")))
    await asyncio.sleep(0.05)
    second.cancel()  # it waits for its turn
    await first
    await third
    fourth = asyncio.create_task(database.run(lambda session: slow(session, "fourth")))
    await asyncio.sleep(0.05)
    fourth.cancel()  # it runs
    fifth = asyncio.create_task(database.run(lambda session: session.execute("INSERT INTO t VALUES ('fifth')")))
    await fifth

    kept = await database.run(lambda session: session.fetch("SELECT x FROM t ORDER BY rowid"), reads=True)
    assert [word for [word] in kept] == ["first", "third", "fifth"]
    await database.close()


async def test_work_that_waits_for_something_else_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "documents.sqlite3")
    await database.run(lambda session: session.execute("CREATE TABLE t (x TEXT)"))

    async def waits(session: Session) -> None:
        await session.execute("INSERT INTO t VALUES ('lost')")
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="something else"):
        await database.run(waits)

    await database.run(lambda session: session.execute("INSERT INTO t VALUES ('kept')"))
    assert await database.run(lambda session: session.fetch("SELECT x FROM t"), reads=True) == [("kept",)]
    await database.close()


async def test_many_write_the_same_order_at_once(documents: Documents) -> None:
    changed = [OrderDocument(key="1", changed_ms=at, total=str(at)) for at in range(20)]

    await asyncio.gather(*(documents.put_told("p", "c", each) for each in changed))

    found = await documents.order("p", "c", "1")
    assert found is not None
    assert found.kept.order.total == "19"


async def test_two_processes_make_the_tables_together(tmp_path: Path) -> None:
    many = [Documents(SqliteDatabase(tmp_path / "documents.sqlite3"), customer_key) for _ in range(4)]

    await asyncio.gather(*(each.put_told("p", "c", ORDER) for each in many))

    for each in many:
        await each.close()


async def test_many_open_a_new_file_at_once_and_none_is_told_that_it_is_locked(tmp_path: Path) -> None:
    for number in range(30):
        many = [SqliteDatabase(tmp_path / f"{number}.sqlite3") for _ in range(3)]

        await asyncio.gather(*(each.run(_ask, reads=reads) for each in many for reads in (True, False)))

        for each in many:
            await each.close()


async def _ask(session: Session) -> None:
    await session.fetch("SELECT 1")


async def test_postgres_makes_the_tables_once_for_many(postgres_url: str) -> None:
    many = [Documents(PostgresDatabase(postgres_url), customer_key) for _ in range(4)]

    await asyncio.gather(*(each.put_told("p", "c", ORDER) for each in many))

    for each in many:
        await each.close()


async def test_postgres_is_found_again_after_its_connections_were_cut(postgres_url: str) -> None:
    documents = Documents(PostgresDatabase(postgres_url), customer_key, rest_s=0.05)
    await documents.put_told("p", "c", ORDER)
    await asyncio.to_thread(
        statements.execute,
        postgres_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'"
        " AND datname = current_database()",
    )

    for _ in range(20):
        try:
            assert await documents.order("p", "c", "1") is not None
            break
        except DocumentsError:
            await asyncio.sleep(0.1)
    else:
        pytest.fail("it was never found again")
    await documents.close()


async def test_a_database_of_a_later_release_is_used_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite3"
    first = Documents(SqliteDatabase(path), customer_key)
    await first.put_told("p", "c", ORDER)
    await first.close()
    with sqlite3.connect(path) as later:
        later.execute("ALTER TABLE orders ADD COLUMN later TEXT NOT NULL DEFAULT ''")
        later.execute("CREATE TABLE later (x TEXT)")
        later.execute("INSERT INTO schema_version VALUES (?)", (len(schema.MIGRATIONS) + 1,))
        later.execute("""UPDATE orders SET body = replace(body, '{', '{"later":{"a":[1]},')""")
    later.close()

    again = Documents(SqliteDatabase(path), customer_key)
    assert await again.order("p", "c", "1") is not None
    assert await again.put_told("p", "c", OrderDocument(key="2", changed_ms=1))
    await again.close()


async def test_the_file_and_its_log_are_this_user_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite3"
    path.touch(mode=0o644)
    documents = Documents(SqliteDatabase(path), customer_key)
    await documents.put_told("p", "c", ORDER)

    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}
    await documents.close()


async def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / "documents.sqlite3").symlink_to(tmp_path / "elsewhere")
    documents = Documents(SqliteDatabase(tmp_path / "documents.sqlite3"), customer_key)

    with pytest.raises(DocumentsError):
        await documents.put_told("p", "c", ORDER)
    assert (tmp_path / "elsewhere").read_bytes() == b""
    await documents.close()


async def test_an_error_tells_nothing_of_what_was_to_be_kept(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.store.documents.orders.text_of", lambda _: None)

    with pytest.raises(DocumentsError) as told:
        await documents.put_told("p", "c", ORDER)

    assert "Markgraf" not in str(told.value)
    assert told.value.__cause__ is None


@pytest.mark.parametrize("url", ["sqlite:///x", "mysql://x", "documents.sqlite3", "redis://x"])
def test_another_kind_of_database_is_refused_with_words(url: str, tmp_path: Path) -> None:
    with pytest.raises(DocumentsUrlError, match="postgresql://"):
        open_documents(url, customer_key, file=tmp_path / "documents.sqlite3")


def test_a_store_of_its_own_has_no_documents_without_a_url() -> None:
    assert open_documents("", customer_key, file=None) is None


def test_values_are_numbered_for_postgres() -> None:
    assert numbered("SELECT ? WHERE a = ?") == "SELECT $1 WHERE a = $2"
