"""Holds everything that a server has against the books, when nothing changes any more."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from redis.asyncio import Redis

from server.domain.operations.stock import Bucket
from server.store.keys import Keyspace
from tests.rigs.two_partitions.book import Book
from tests.rigs.two_partitions.desk import Desk
from tests.rigs.two_partitions.reading import records_differ, stock_differs
from tests.rigs.two_partitions.requests import Sent
from tests.rigs.two_partitions.tally import Tally
from tests.support.replay import Replayed, read_journal

PAGE: Final = 200


async def compare_stock(desk: Desk, books: Iterable[Book]) -> None:
    """Compare every bucket of books in which everything is decided."""
    for book in books:
        if book.unconfirmed is None and not book.broken:
            found = await stock_differs(desk, book)
            if found:
                book.differs(found)


async def compare_records(desk: Desk, books: Sequence[Book], others: Iterable[str]) -> None:
    """Compare every reservation, transfer and expected receipt; ``others``: how the rest of the names begin."""
    found = await _reservations(desk)
    findings = desk.tally.findings
    for book in books:
        if book.broken:
            continue
        lost, differing = await records_differ(desk, book, found)
        findings.lost += lost
        findings.differing += differing
    broken = tuple(book.names.suffix for book in books if book.broken)
    for name in found:
        if not name.startswith(tuple(others)) and not name.endswith(broken or ("\0",)):
            findings.double.append(f"{desk.key.partition}: reservation {name} is there, and it was never acknowledged")


async def _reservations(desk: Desk) -> dict[str, Any]:
    """Read all reservations of a partition, page by page."""
    found: dict[str, Any] = {}
    after = ""
    while True:
        path = f"/v1/reservations?limit={PAGE}" + (f"&after={after}" if after else "")
        reply = await desk.send(Sent("GET", path, None, {}))
        assert reply is not None
        assert reply.status == 200, reply
        found |= {each["reservation_id"]: each for each in reply.body["reservations"]}
        after = reply.body["next"]
        if not after:
            return found


async def compare_journal(client: Redis, partition: str, books: Iterable[Book], tally: Tally) -> None:
    """Rebuild every counter from the journal alone, and count what was done: once for each time that it had to be."""
    entries = [entry for _, entry in await read_journal(client, Keyspace(partition).journal)]
    try:
        replayed = Replayed(entries)
    except AssertionError as error:
        tally.findings.differing.append(f"{partition}: the journal does not add up: {error}")
        return
    changes = Counter(line.sku.rpartition(":")[2] for entry in entries for change in entry for line in change.lines)
    for book in books:
        if book.broken:
            continue
        model = book.oracle.model
        there, wanted = changes[book.names.suffix[1:]], model.seq
        if there != wanted:
            found = tally.findings.double if there > wanted else tally.findings.lost
            found.append(f"{book.name}: the journal has {there} changes, all that was acknowledged makes {wanted}")
        for place in model.stock:
            level = model.shown(place)
            mine = {bucket: getattr(level, bucket) for bucket in Bucket}
            theirs = dict(replayed.stock.get((book.names.outside(place[0]), book.names.outside(place[1])), {}))
            if {bucket: theirs.get(bucket, 0) for bucket in Bucket} != mine:
                tally.findings.differing.append(f"{book.name}: by the journal {place} has {theirs}, must have {mine}")
            tally.compared["places by the journal"] += 1
