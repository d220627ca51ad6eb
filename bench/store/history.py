"""What the history takes of the disk, how fast it is written, and how long a question to it takes.

    python -m bench.store.history                                     a million rows in a file
    python -m bench.store.history --rows 10000000 --fill DIR          fills DIR/documents.sqlite3, and keeps it
    python -m bench.store.history --on DIR                            asks what stands there
    python -m bench.store.history --url postgresql://localhost/empty  in a database of PostgreSQL that has nothing else

Rows are those of a shop: holds, most of which become orders, and shipments, of a catalogue of which few SKUs sell most.
"""

import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from bench.harness import stock
from server.domain.history import Detail, HistoryRow, Moment
from server.store.documents import history, history_search
from server.store.documents.database import Row, Session, Work
from server.store.documents.documents import Documents
from server.store.documents.opening import open_documents

FILE: Final = "documents.sqlite3"
"""As a server names it in its data directory."""
BATCH: Final = 1_000
SAY_EVERY: Final = 250_000
"""Rows, while it is filled."""
QUESTIONS: Final = 200
SKUS: Final = 100_000
LOCATIONS: Final = 50
DAY_MS: Final = 86_400_000
CHANNELS: Final = ("trendyol", "shopify", "web", "pos")
STEPS: Final = (("reserve", "held"), ("commit", "committed"), ("fulfil", "fulfilled"))


def made_rows(count: int, chance: random.Random) -> Iterator[HistoryRow]:
    """Make rows over the last year."""
    now_ms = time.time_ns() // 1_000_000
    for number in range(count):
        operation, state = STEPS[number % 3]
        order = number // 3
        yield HistoryRow(
            Moment(now_ms - 365 * DAY_MS + 365 * DAY_MS * number // count, number % 7),
            operation, key_of(order), CHANNELS[order % 4], f"r5f3a1c{order:x}",
            number_of(order) if operation != "fulfil" else "", sku_of(chance),
            f"store-{chance.randrange(LOCATIONS)}", "", chance.randrange(200), Detail(state, [0, 1], number, 1, 7),
        )  # fmt: skip


def key_of(order: int) -> str:
    """Name who changed an order."""
    return f"key-{order % 9:09}"


def number_of(order: int) -> str:
    """Name an order."""
    return f"{10_000_000 + order}"


def sku_of(chance: random.Random) -> str:
    """Choose a SKU: a few sell most."""
    return stock.sku(int(SKUS * chance.random() ** 4))


def time_of(chance: random.Random) -> int:
    """Choose a time of the last year, in milliseconds."""
    return time.time_ns() // 1_000_000 - chance.randrange(365) * DAY_MS


async def no_key(_partition: str) -> bytes:
    """Nobody asks for it."""
    raise NotImplementedError


async def fill(documents: Documents, count: int, chance: random.Random) -> float:
    """Write rows as a follower does; return how long it took in all."""
    rows, began_s = made_rows(count, chance), time.monotonic()
    while batch := list(islice(rows, BATCH)):
        await documents.follow(lambda session, batch=batch: history.add(session, "default", batch))  # type: ignore[misc]
    return time.monotonic() - began_s


class Hasty:
    """A session that writes a file of SQLite as fast as that goes: a crash would leave nothing of it."""

    SETTINGS: tuple[str, ...] = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for each in self.SETTINGS:
            connection.execute(f"PRAGMA {each}")

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        """Read rows."""
        return self._connection.execute(statement, values).fetchall()

    async def execute(self, statement: str, *values: Any) -> int:
        """Change rows."""
        return self._connection.execute(statement, values).rowcount

    async def lock(self, name: str) -> None:
        """Do nothing: nobody else has the file."""


async def fill_file(file: Path, count: int, chance: random.Random) -> None:
    """Write a file with the same statements in the same order, so that it is the same, without waiting for the disk."""
    documents = opened("", file)
    await documents.ping()  # its tables are made
    await documents.close()
    rows, written, began_s = made_rows(count, chance), 0, time.monotonic()
    with closing(sqlite3.connect(file)) as connection:
        session = Hasty(connection)
        while batch := list(islice(rows, BATCH)):
            await history.add(session, "default", batch)
            written += len(batch)
            if written % SAY_EVERY == 0:
                click.echo(f"{written:,} rows after {time.monotonic() - began_s:.0f} s", err=True)
        connection.commit()


async def ask(documents: Documents, count: int, chance: random.Random) -> dict[str, list[float]]:
    """Ask different questions; return how long each took."""
    taken: dict[str, list[float]] = {}

    async def timed(name: str, work: Work[Any]) -> None:
        began_s = time.monotonic()
        await documents.look(work)
        taken.setdefault(name, []).append(time.monotonic() - began_s)

    async def one(name: str, before: Moment | None = None, from_ms: int = 0, **wanted: list[str]) -> None:
        await timed(name, lambda session: history_search.find(
            session, "default", wanted, before=before, from_ms=from_ms, limit=50
        ))  # fmt: skip

    async def of_order(name: str, order: str) -> None:
        async def read(session: Session) -> None:
            names = await history.reservations_of(session, "default", order)
            await history_search.find(session, "default", {"reservation": names}, limit=50)

        await timed(name, read)

    for _ in range(QUESTIONS):
        sku, location, at_ms = sku_of(chance), f"store-{chance.randrange(LOCATIONS)}", time_of(chance)
        await one("the newest")
        await one("from a time on, and up to another", Moment(at_ms + DAY_MS, 0), at_ms)
        await one("a SKU", sku=[sku])
        await one("a SKU, up to a time", Moment(at_ms, 0), sku=[sku])
        await one("a location", location=[location])
        await one("a channel", channel=["web"])
        await one("a key", actor=[key_of(chance.randrange(9))])
        await of_order("an order", number_of(chance.randrange(count // 3)))
        await one("a key and a location", actor=["key-000000001"], location=[location])
        await one("a SKU and a channel", sku=[sku], channel=["web"])
        await one("nothing", sku=["nobody has it"], channel=["web"])
        await one("a location, and no channel", location=[location], channel=["nobody has it"])
        await timed("where a SKU was", lambda session, sku=sku: history_search.locations_of(  # type: ignore[misc]
            session, "default", sku, LOCATIONS + 1
        ))  # fmt: skip
        await timed(
            "a number at a time",
            lambda session, sku=sku, location=location, at_ms=at_ms: history_search.stock_at(  # type: ignore[misc]
                session, "default", sku, location, at_ms
            ),
        )
    return taken


async def rows_of(documents: Documents) -> int:
    """Return how many rows there are: none was removed."""
    found = await documents.look(lambda session: session.fetch("SELECT COALESCE(MAX(id), 0) FROM history"))
    return int(found[0][0])


async def size_of(documents: Documents, file: Path | None) -> int:
    """Return what the tables and indexes take."""
    if file is not None:
        return sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*"))

    async def read(session: Session) -> Any:
        return await session.fetch("SELECT pg_total_relation_size('history')")

    return int((await documents.look(read))[0][0])


async def measure(documents: Documents, file: Path | None, rows: int) -> None:
    """Print it all. ``rows``: to write first, 0: they are there."""
    chance = random.Random(1)
    took_s = await fill(documents, rows, chance) if rows else 0.0
    pace = f", {rows / took_s:,.0f} rows/s" if rows else ""
    rows, size = await rows_of(documents), await size_of(documents, file)
    click.echo(f"{rows:,} rows: {size / 1e9:.2f} GB, {size / rows:.0f} bytes a row{pace}")
    for name, taken_s in (await ask(documents, rows, chance)).items():
        cuts = statistics.quantiles([1000 * each for each in taken_s], n=100)
        click.echo(f"  {name}: {cuts[49]:.2f} ms, 99 %: {cuts[98]:.2f} ms")
    await documents.close()


def opened(url: str, file: Path | None) -> Documents:
    """Open a database: by its URL, or that of a file."""
    documents = open_documents(url, no_key, file=file)
    assert documents is not None
    return documents


@click.command(help=__doc__)
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--url", default="", help="Of a PostgreSQL [a file of SQLite].")
@click.option("--fill", "filled", type=click.Path(path_type=Path), help="Only fill a file in this folder, and keep it.")
@click.option("--on", type=click.Path(exists=True, path_type=Path), help="Ask what was filled in there.")
def main(rows: int, url: str, filled: Path | None, on: Path | None) -> None:
    """Measure."""
    if filled is not None:
        filled.mkdir(parents=True, exist_ok=True)
        if (filled / FILE).exists():
            raise click.ClickException(f"{filled / FILE} is there already: name another folder, or remove it")
        asyncio.run(fill_file(filled / FILE, rows, random.Random(1)))
        return
    if on is not None:
        asyncio.run(measure(opened("", on / FILE), on / FILE, 0))
        return
    with tempfile.TemporaryDirectory(prefix="hf-history-") as folder:
        file = None if url else Path(folder) / FILE
        asyncio.run(measure(opened(url, file), file, rows))


if __name__ == "__main__":
    main()
