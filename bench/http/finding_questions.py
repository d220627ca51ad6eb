"""What is asked of a server in which very much is to be found: each route that finds, again and again.

A list is read from its first page on, and from a page in its middle on: a random place, as a page would name it.
"""

import base64
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import quote

from bench.harness import stock
from bench.http.finding_fill import (
    CHANNEL,
    LOW,
    OUT,
    REORDER_POINT,
    SHORT,
    WAITED_FOR,
    Filled,
    key_of,
    order_number,
    untracked,
)
from bench.http.finding_orders import inbox_ms, placed_ms
from bench.store import history
from server.domain.finding import squeezed, tails
from server.domain.limits import DEFAULT_LOCATION
from server.service.pages import next_of
from server.store.repositories.backorders import Member

ON: Final = " (further on)"


class Question(NamedTuple):
    """A request that reads. ``path``: behind ``/v1/``; ``after``: where a list is read from, empty: from its start."""

    name: str
    path: str
    after: str = ""

    def on(self, after: str) -> "Question":
        """Return the same question from the middle of the list on."""
        return Question(self.name + ON, self.path, after)


def questions(filled: Filled) -> Iterator[Question]:
    """Yield what is asked, again and again with other words."""
    chance = random.Random(5)
    while True:
        yield from _of_skus(chance, filled)
        yield from _of_states(chance, filled)
        yield from _of_reservations(chance, filled)
        yield from _of_stock(chance, filled)
        yield from _of_channel(chance, filled)
        yield from _of_orders(chance, filled)
        yield from _of_reports(chance, filled)
        yield from _of_history(chance, filled.changes)


def _of_skus(chance: random.Random, filled: Filled) -> Iterator[Question]:
    sku = stock.sku(chance.randrange(filled.sold))
    digits = sku.rpartition("-")[2]
    yield Question("skus?q= (a word)", f"skus?q={digits}")
    yield Question("skus?q= (a typo)", f"skus?q={sku[:-3]}x{sku[-2:]}")
    yield (every := Question("skus?q= (all have it)", "skus?q=bench"))
    yield every.on(next_of((tails(sku)[0], sku)))
    yield Question("skus?q= (two words)", f"skus?q=bench%20{digits}")
    yield (beginning := Question("skus?prefix=", f"skus?prefix={sku[:-3]}"))
    yield beginning.on(next_of((sku,)))
    yield (skus := Question("skus", "skus"))
    yield skus.on(next_of((sku,)))
    yield Question("skus?show=channels", "skus?show=channels&limit=50")
    yield (there := Question("skus?location=", f"skus?location={DEFAULT_LOCATION}"))
    yield there.on(next_of((sku,)))
    yield (listed := Question("skus?channel=", f"skus?channel={CHANNEL}"))
    yield listed.on(next_of((sku,)))
    yield (most := Question("skus?sort=-available", "skus?sort=-available"))
    yield most.on(next_of((stock.ON_HAND - 1, sku)))
    yield (changed := Question("skus?sort=-changed", "skus?sort=-changed"))
    yield changed.on(next_of((0, sku)))
    yield Question("skus/{sku}/barcodes", f"skus/{stock.sku(0)}/barcodes")


def _of_states(chance: random.Random, filled: Filled) -> Iterator[Question]:
    each = chance.randrange(filled.few)
    sold, out, low, short = chance.randrange(filled.sold), *(filled.kind(kind)[each] for kind in (OUT, LOW, SHORT))
    places = {
        "held": (stock.sku(sold),),
        "out": (0, stock.sku(out)),
        "low": (REORDER_POINT - 2, stock.sku(low)),
        "short": (stock.sku(short),),
        "untracked": (untracked(each),),
    }
    for state, place in places.items():
        yield (first := Question(f"skus?state={state}", f"skus?state={state}"))
        yield first.on(next_of(place))
    yield Question("skus?state=low&location=", f"skus?state=low&location={DEFAULT_LOCATION}")
    yield Question("skus?state=out&channel=", f"skus?state=out&channel={CHANNEL}")


def _of_reservations(chance: random.Random, filled: Filled) -> Iterator[Question]:
    number = chance.randrange(filled.reservations)
    sku, began = stock.sku(number * 7919 % filled.sold), quote(datetime.now(UTC).isoformat(timespec="seconds"))
    place = f"live:{_scanned(chance)}@{time.time_ns() // 1_000_000}-0"
    yield (every := Question("reservations", "reservations"))
    yield every.on(place)
    yield (of_channel := Question("reservations?state=&channel=", "reservations?state=held&channel=web"))
    yield of_channel.on(place)
    yield Question("reservations?channel= (few of it)", f"reservations?channel={CHANNEL}")
    yield Question("reservations?sku=", f"reservations?sku={sku}")
    yield Question("reservations?order_ref=", f"reservations?order_ref=order-{number}")
    yield Question("reservations?customer_ref=", f"reservations?customer_ref=customer-{number % 1_000}")
    yield (until := Question("reservations?to=", f"reservations?to={began}"))
    yield until.on(next_of((filled.filled_ms - chance.randrange(1 + filled.reservations // 100), f"filled-{number}")))
    yield Question("reservations?sort=created", "reservations?sort=created")


def _of_stock(chance: random.Random, filled: Filled) -> Iterator[Question]:
    sku, waiting = stock.sku(chance.randrange(filled.sold)), stock.sku(chance.choice(filled.kind(WAITED_FOR)))
    yield Question("snapshot", "snapshot")
    yield (short := Question("shortages", "shortages"))
    yield short.on(str(_scanned(chance)))
    yield (moved := Question("transfers", "transfers"))
    yield moved.on(str(_scanned(chance)))
    yield (supply := Question("supply", "supply"))
    yield supply.on(next_of((_scanned(chance),)))
    yield Question("supply?location=", f"supply?location={DEFAULT_LOCATION}")
    yield Question("supply?sku=", f"supply?sku={stock.sku(chance.randrange(min(filled.sold, 5 * filled.few)))}")
    yield (waits := Question("backorders", "backorders"))
    yield waits.on(base64.urlsafe_b64encode(Member(waiting, "", False, 0, 1, "").packed()).decode())
    yield Question("backorders?sku=", f"backorders?sku={waiting}")
    yield Question("backorders?location=", f"backorders?location={DEFAULT_LOCATION}")
    yield Question("stock/{sku}", f"stock/{sku}")
    yield Question("stock/{sku}/channels", f"stock/{sku}/channels")
    yield Question("today", "today")


def _of_channel(chance: random.Random, filled: Filled) -> Iterator[Question]:
    number, there = chance.randrange(filled.sold - filled.few), f"channels/{CHANNEL}"  # the last ones are not listed
    key = key_of(number)
    name = "channels/{c}/listings"
    yield (listings := Question(name, f"{there}/listings"))
    yield listings.on(str(_scanned(chance)))
    yield Question(f"{name}?sku=", f"{there}/listings?sku={stock.sku(number)}")
    yield Question(f"{name}?key=", f"{there}/listings?key={key}")
    yield Question(f"{name}?q= (a key)", f"{there}/listings?q={key}")
    yield Question(f"{name}?q= (a word)", f"{there}/listings?q={number:07d}")
    yield (every := Question(f"{name}?q= (all have it)", f"{there}/listings?q=key"))
    yield every.on(next_of(("k", squeezed(key), key)))
    yield Question(f"{name}?q= (all SKUs have it)", f"{there}/listings?q=bench")
    for state in ("shown", "pending", "refused", "unlisted"):
        yield Question(f"{name}?state={state}", f"{there}/listings?state={state}")
    yield Question(f"{name}?q=&state=", f"{there}/listings?q=key&state=pending")
    yield (letters := Question("channels/{c}/dead-letters", f"{there}/dead-letters"))
    yield letters.on(next_of((filled.filled_ms, stock.sku(chance.randrange(filled.few)), "quantity")))
    yield Question("channels/{c}/outbox", f"{there}/outbox")
    yield Question("channels/{c}/outbox?order=", f"{there}/outbox?order={order_number(number % 10_000)}")


def _of_orders(chance: random.Random, filled: Filled) -> Iterator[Question]:
    number, waiting = chance.randrange(filled.orders), chance.randrange(2 * filled.few)
    placed, came = placed_ms(filled, number, filled.filled_ms), inbox_ms(filled.filled_ms, waiting)
    at = quote(datetime.fromtimestamp(placed / 1000, UTC).isoformat(timespec="seconds"))
    yield (every := Question("orders", "orders"))
    yield every.on(next_of((placed, CHANNEL, order_number(number))))
    yield (of_channel := Question("orders?channel=", f"orders?channel={CHANNEL}"))
    yield of_channel.on(next_of((placed, CHANNEL, order_number(number))))
    yield Question("orders?channel= (few of it)", "orders?channel=corner")
    yield (of_state := Question("orders?state=", "orders?state=committed"))
    yield of_state.on(next_of((placed, CHANNEL, order_number(number))))
    yield Question("orders?number=", f"orders?number={order_number(number)}")
    yield Question("orders?sku=", f"orders?sku={stock.sku(number * 7919 % filled.sold)}")
    yield Question("orders?location=", f"orders?location={DEFAULT_LOCATION}")
    yield Question("orders?short=true", "orders?short=true")
    yield Question("orders?short=true&channel=", f"orders?short=true&channel={CHANNEL}")
    yield Question("orders?to=", f"orders?to={at}")
    yield (inbox := Question("inbox", "inbox"))
    yield inbox.on(next_of((came, CHANNEL, order_number(waiting))))
    yield (of_channel := Question("inbox?channel=", f"inbox?channel={CHANNEL}"))
    yield of_channel.on(next_of((came, CHANNEL, order_number(waiting))))
    yield Question("inbox?channel= (few of it)", "inbox?channel=corner")


def _of_reports(chance: random.Random, filled: Filled) -> Iterator[Question]:
    yield (events := Question("events", "events"))
    yield events.on(f"{filled.filled_ms - chance.randrange(1, 5 * filled.few)}-0")
    yield (unlisted := Question("reports/unlisted", "reports/unlisted"))
    yield unlisted.on(str(_scanned(chance)))


def _scanned(chance: random.Random) -> int:
    """Return a place in a hash, as the store names them: behind it lies a random part of what the hash has."""
    return chance.randrange(1, 2**20)


def _of_history(chance: random.Random, changes: int) -> Iterator[Question]:
    sku, location = history.sku_of(chance), f"store-{chance.randrange(history.LOCATIONS)}"
    at = quote(datetime.fromtimestamp(history.time_of(chance) / 1000, UTC).isoformat(timespec="seconds"))
    yield Question("history", "history")
    yield Question("history?sku=", f"history?sku={sku}")
    yield Question("history?sku=&at=", f"history?sku={sku}&at={at}")
    yield Question("history?sku=&to=", f"history?sku={sku}&to={at}")
    yield Question("history?to=", f"history?to={at}")
    yield Question("history?order=", f"history?order={history.number_of(chance.randrange(max(1, changes // 3)))}")
    yield Question("history?actor=", f"history?actor={history.key_of(chance.randrange(9))}")
    yield Question("history?location=", f"history?location={location}")
    yield Question("history?channel=&location=", f"history?channel=web&location={location}")
    yield Question("history?sku=&channel=", f"history?sku={sku}&channel=web")
    yield Question("history?key= (none has it)", f"history?key={sku}")
