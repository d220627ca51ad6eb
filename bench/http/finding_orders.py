"""The orders of channels in the database of :mod:`bench.http.finding`, and those that wait in the inbox."""

import asyncio
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.harness import stock
from bench.http.finding_fill import CHANNEL, DAY_MS, Filled, Report, key_of, order_number
from bench.store import history
from server.domain.limits import DEFAULT_LOCATION
from server.domain.order_documents import Booking, Buyer, DocumentLine, InboxEntry, OrderDocument, StockLine
from server.store.documents import inbox, orders


def told_by(number: int) -> str:
    """Name the channel that has told of an order: the oldest fifty are another one's."""
    return CHANNEL if number >= 50 else "corner"


def fill_documents(file: Path, size: Filled, report: Report) -> None:
    """Write the channel's orders and the inbox, with the statements that serve but without waiting for the disk."""
    report(f"{size.orders:,} orders of a channel, and {2 * size.few:,} of them in the inbox")
    documents = history.opened("", file)
    asyncio.run(_ready(documents))
    with closing(sqlite3.connect(file)) as connection:
        session = history.Hasty(connection)
        asyncio.run(_documents(session, size))
        connection.commit()


async def _ready(documents: Any) -> None:
    await documents.ping()  # its tables are made
    await documents.close()


async def _documents(session: history.Hasty, size: Filled) -> None:
    chance, now_ms = random.Random(7), time.time_ns() // 1_000_000
    for n in range(size.orders):
        key = orders.order_key(stock.PARTITION, told_by(n), order_number(n))
        await orders.put_order(session, key, _told(size, n, now_ms, chance), b"bench", now_ms)
        await orders.mark_booked(session, key, _booked(size, n), now_ms)
    for n in range(2 * size.few):
        entry = InboxEntry(channel=told_by(n), number=order_number(n), reason="unmapped", listings=(key_of(n),))
        key = orders.order_key(stock.PARTITION, entry.channel, entry.number)
        await inbox.put(session, key, entry, inbox_ms(now_ms, n))


def inbox_ms(now_ms: int, number: int) -> int:
    """Return when an order came into the inbox: one each second, the last one now."""
    return now_ms - 1_000 * number


def placed_ms(size: Filled, number: int, now_ms: int) -> int:
    """Return when an order was placed: they are spread over a year."""
    return now_ms - 365 * DAY_MS * (size.orders - number) // size.orders


def _told(size: Filled, n: int, now_ms: int, chance: random.Random) -> OrderDocument:
    at_ms = placed_ms(size, n, now_ms)
    lines = (DocumentLine(key="1", ordered=1, listing=key_of(_sku_of(size, n)), unit_price="129.90"),)
    buyer = Buyer(id=f"buyer-{chance.randrange(size.orders)}", name="A Buyer")
    return OrderDocument(
        key=order_number(n), changed_ms=at_ms, placed_ms=at_ms, lines=lines, currency="TRY", total="129.90", buyer=buyer
    )


def _booked(size: Filled, n: int) -> Booking:
    line = StockLine(sku=stock.sku(_sku_of(size, n)), location=DEFAULT_LOCATION, quantity=1, line="1")
    state = "committed" if n % 20 == 0 else "fulfilled"
    return Booking(state=state, reservations=(f"{CHANNEL}-{n}",), lines=(line,), short=int(n % 100 == 0))


def _sku_of(size: Filled, order: int) -> int:
    return order * 7919 % size.sold
