"""Reads what a server has of a book's assortment, and says where it differs."""

import asyncio
import time
from typing import Any, Final

import msgspec

from server.domain.limits import DEFAULT_LOCATION
from server.schemas.expected_receipts import receipt_view
from server.schemas.stock_views import level_view
from server.schemas.transfers import transfer_view
from tests.rigs.rolling_upgrade.desk import difference
from tests.rigs.two_partitions.book import Book, plain
from tests.rigs.two_partitions.desk import Desk, Reply
from tests.rigs.two_partitions.oracle import shown
from tests.rigs.two_partitions.requests import Request

LAPSE_S: Final = 60.0
"""So long after its deadline a hold may end while the store stands still or is started again."""
LOOK_S: Final = 0.1
READ_S: Final = 60.0


async def read(desk: Desk, book: Book, path: str, *, final: bool = True, **names: str) -> Reply | None:
    """Read about an assortment, until it is answered if ``final``."""
    sent = book.names.sent(Request("read", "GET", path, names))
    until_s = time.monotonic() + READ_S
    while True:
        reply = await desk.send(sent, book.names)
        if reply is not None and reply.is_done:
            desk.tally.read[f"GET {path}"] += 1
            return reply
        if not final:
            return None
        assert time.monotonic() < until_s, f"{path} was not answered for {READ_S} s"
        await asyncio.sleep(LOOK_S)


async def stock_differs(desk: Desk, book: Book) -> str:
    """Compare every bucket of an assortment, and who holds it; empty: all is as it must be."""
    model = book.oracle.model
    for sku in sorted({sku for sku, _ in model.stock}):
        reply = await read(desk, book, "/v1/stock/{sku}", sku=sku)
        assert reply is not None
        if reply.status != 200:
            return f"stock of {sku}: {reply.body}"
        levels = [
            plain(shown(level_view(model.shown(place), closed=place[1] in model.closed)))
            for place in model.stock
            if place[0] == sku
        ]
        theirs = plain(reply.body["levels"])
        if _by_location(levels) != _by_location(theirs):
            return f"stock of {sku}: {difference(_by_location(levels), _by_location(theirs))}"
        mine = {
            (each, number): (line.held, line.committed)
            for each, reservation in model.reservations.items()
            for number, line in enumerate(reservation.lines, 1)
            if line.place[0] == sku and line.held + line.committed
        }
        holders = {
            (one["reservation_id"], one["line"]): (one["held"], one["committed"]) for one in reply.body["holders"]
        }
        # A list that says that it is cut short, which it is on a busy machine, must still hold nothing else.
        if mine != holders and (reply.body["holders_complete"] or holders.items() - mine.items()):
            return f"holders of {sku}: {sorted(mine.items() ^ holders.items())[:4]}"
        desk.tally.compared["places"] += len(levels)
    return ""


async def lapsed(desk: Desk, book: Book) -> bool:
    """Wait until holds that are due have ended, as far as the stock shows."""
    until_s = time.monotonic() + LAPSE_S
    while await stock_differs(desk, book):
        if time.monotonic() > until_s:
            return False
        await asyncio.sleep(LOOK_S)
    return True


async def records_differ(desk: Desk, book: Book, found: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Compare every reservation, transfer and expected receipt; ``found``: what lists of reservations have shown.

    Returns what is missing, and what is otherwise.
    """
    model, lost, other = book.oracle.model, [], []
    for name, reservation in model.reservations.items():
        theirs = found.pop(book.names.outside(name), None)
        if theirs is None:
            lost.append(f"{book.name}: reservation {name} is {reservation.state}, and is not there")
            continue
        mine = plain(shown(book.oracle.view(name)))
        theirs = msgspec.json.decode(book.names.inside(msgspec.json.encode(theirs)))
        if mine != plain(theirs):
            other.append(f"{book.name}: reservation {name}: {difference(mine, plain(theirs))}")
        desk.tally.compared["reservations"] += 1
    wanted: dict[tuple[str, str], Any] = {}
    for name, sent in model.transfers.items():
        wanted["/v1/transfers/{transfer_id}", name] = transfer_view(name, sent.shown())
    for name, supply in model.supplies.items():
        if supply.is_removed:
            continue  # kept only for what was received
        wanted["/v1/supply/{supply_id}", name] = receipt_view(name, supply)
    for (path, name), view in wanted.items():
        reply = await read(desk, book, path, transfer_id=name, supply_id=name)
        assert reply is not None
        desk.tally.compared[path.split("/")[2]] += 1
        if reply.status != 200:
            lost.append(f"{book.name}: {path} {name}: {reply.body}")
        elif plain(shown(view)) != plain(reply.body):
            other.append(f"{book.name}: {path} {name}: {difference(plain(shown(view)), plain(reply.body))}")
    return lost, other


def _by_location(levels: list[Any]) -> dict[str, Any]:
    return {each.get("location", DEFAULT_LOCATION): each for each in levels}
