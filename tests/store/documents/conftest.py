"""Documents on each database that can keep them: a file of SQLite, and a PostgreSQL as Debian ships it."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bench.peers import database as statements
from bench.peers.base import MissingError
from bench.peers.cluster import Cluster
from server.store.documents.database import Database
from server.store.documents.documents import Documents
from server.store.documents.postgres import PostgresDatabase
from server.store.documents.sqlite import SqliteDatabase

KEY = b"a key of this test's"


async def customer_key(_partition: str) -> bytes:
    return KEY


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    try:
        made = Cluster()
    except MissingError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    with made:
        yield made


@pytest.fixture
def postgres_url(cluster: Cluster) -> str:
    """Make a database of this test's own."""
    name = f"documents_{secrets.token_hex(6)}"
    statements.execute(cluster.dsn("postgres"), f"CREATE DATABASE {name}")
    return cluster.url(name)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return SqliteDatabase(tmp_path / "documents.sqlite3")
    return PostgresDatabase(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def documents(database: Database) -> AsyncIterator[Documents]:
    made = Documents(database, customer_key)
    yield made
    await made.close()
