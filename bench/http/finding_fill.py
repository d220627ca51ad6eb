"""What is to be found in the store and the database of :mod:`bench.http.finding`, and how it comes to be there.

Of a hundred SKUs, four are sold out, nearly so, short, or waited for. One channel lists them all. What changes stock
goes through the functions that serve. What others write into the store, such as the letters of a channel that refuses
something, is written as they write it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from redis.asyncio import Redis

from bench.harness import stock
from bench.harness.black_box import Caller
from bench.harness.driver import drive
from bench.harness.stores import connect
from server.domain.channels import DeadLetter, Listing
from server.domain.components import Component, known_by
from server.domain.intake import OUTBOX_MAX, OutboxEntry
from server.domain.limits import DEFAULT_LOCATION
from server.domain.operations.base import Operation
from server.domain.operations.expected_receipts import Expect, ReceiveExpected
from server.domain.operations.reservations import Line, Order, Reserve
from server.domain.operations.stock import BackorderMode, Count, SetBackorder
from server.domain.operations.transfers import Ship, TransferItem
from server.store.keys import ChannelKeys
from server.store.repositories.channels import ChannelStore
from server.store.repositories.replenishment import event_of

CHANNEL: Final = "shop"
REORDER_POINT: Final = 5
EACH: Final = 3
"""Orders that are short of a SKU, or wait for it."""
DAY_MS: Final = 86_400_000
_CHUNK: Final = 100_000
_PER_CALL: Final = 1_000
_pack = msgspec.msgpack.Encoder().encode

Report = Callable[[str], None]
T = TypeVar("T")


def parts(every: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield all, so many at a time."""
    left = iter(every)
    while some := list(islice(left, size)):
        yield some


class Filled(msgspec.Struct, frozen=True):
    """How much there is. ``changes``: rows of the history. ``filled_ms``: when the last reservation was made."""

    skus: int
    reservations: int
    changes: int
    filled_ms: int = 0

    @property
    def few(self) -> int:
        """How many SKUs there are of each kind that is seldom."""
        return max(1, self.skus // 100)

    @property
    def sold(self) -> int:
        """How many SKUs have more units than are ever sold: the first ones."""
        return self.skus - 4 * self.few

    def kind(self, number: int) -> range:
        """Return the numbers of the SKUs of one of the four kinds, counted from 0; see the four names below."""
        first = self.sold + number * self.few
        return range(first, first + self.few)

    @property
    def orders(self) -> int:
        """How many orders the channel has told of."""
        return self.reservations // 5


OUT, LOW, SHORT, WAITED_FOR = range(4)


def key_of(number: int) -> str:
    """Return under which key the channel lists a SKU."""
    return f"KEY-{number:07d}"


def order_number(number: int) -> str:
    """Return the number of one of the orders that channels have told of."""
    return f"S{number:08d}"


# -- the store


def fill_stock(socket: Path, size: Filled, report: Report) -> None:
    """Count all SKUs."""
    report(f"{size.skus:,} SKUs")
    stock.fill_skus(socket, size.sold)
    for kind, on_hand in ((OUT, 0), (LOW, REORDER_POINT - 2), (SHORT, 0), (WAITED_FOR, 0)):
        run(socket, (Count("", "local", "", stock.sku(n), DEFAULT_LOCATION, on_hand) for n in size.kind(kind)))


def fill_reservations(socket: Path, size: Filled, report: Report) -> int:
    """Make the reservations, and forget the journal up to there.

    The index finds what was before, and the history has what follows.

    Returns
    -------
    int
        When the last one was made, in milliseconds since 1970.

    """
    report(f"{size.reservations:,} reservations")
    run(socket, _reservations(size))
    connect(socket).unlink(stock.keyspace().journal)
    return time.time_ns() // 1_000_000


def fill_others(socket: Path, size: Filled, report: Report) -> None:
    """Make what other lists have: orders that are short, or wait, transfers, and what is expected."""
    report(f"{EACH * size.few:,} orders that are short, as many that wait, and transfers; {5 * size.few:,} receipts")
    run(socket, _short(size))
    run(socket, (SetBackorder("", "local", "", stock.sku(n), DEFAULT_LOCATION, BackorderMode.BACKORDER, 1_000)
                 for n in size.kind(WAITED_FOR)))  # fmt: skip
    run(socket, _waiting(size))
    run(socket, _transfers(size))
    run(socket, _expected(size))
    run(socket, (ReceiveExpected("", "local", "", stock.sku(n % size.sold), DEFAULT_LOCATION, f"PO-{n}", 12)
                 for n in range(0, 5 * size.few, 3)))  # fmt: skip


def run(socket: Path, operations: Iterable[Operation]) -> None:
    """Have operations of one function take effect, some hundred thousand at a time."""
    for some in parts(operations, _CHUNK):
        drive(socket, stock.commands(some, stock.FILL_BATCH), stock.FILL_BATCH, stock.took_effect)


def _reservations(size: Filled) -> Iterator[Reserve]:
    for n in range(size.reservations):
        yield Reserve(
            "0123456789abcdef", "local", f"filled-{n}", "web",
            [Line(stock.sku(n * 7919 % size.sold), DEFAULT_LOCATION, 1)], stock.TTL_MS,
            order_ref=f"order-{n}", customer_ref=f"customer-{n % 1_000}",
        )  # fmt: skip


def _short(size: Filled) -> Iterator[Order]:
    for n in size.kind(SHORT):
        for each in range(EACH):
            yield Order(
                "0123456789abcdef", "local", f"short-{n}-{each}", CHANNEL, [Line(stock.sku(n), DEFAULT_LOCATION, 1)],
                accept_shortage=True, order_ref=f"short-{n}-{each}",
            )  # fmt: skip


def _waiting(size: Filled) -> Iterator[Reserve]:
    for n in size.kind(WAITED_FOR):
        for each in range(EACH):
            yield Reserve(
                "0123456789abcdef", "local", f"waits-{n}-{each}", CHANNEL, [Line(stock.sku(n), DEFAULT_LOCATION, 1)],
                stock.TTL_MS, backorder=True, order_ref=f"waits-{n}-{each}",
            )  # fmt: skip


def _transfers(size: Filled) -> Iterator[Ship]:
    for n in range(EACH * size.few):
        items = [TransferItem(stock.sku(n % size.sold), 2)]
        yield Ship("0123456789abcdef", "local", "", f"T-{n}", DEFAULT_LOCATION, "corner", items)


def _expected(size: Filled) -> Iterator[Expect]:
    today = datetime.now(UTC).date()
    for n in range(5 * size.few):
        day = today + timedelta(days=n % 60 - 2)
        yield Expect("", "local", "", f"PO-{n}", stock.sku(n % size.sold), DEFAULT_LOCATION, 12, day)


# -- over HTTP, and as the publisher writes


def fill_rules(caller: Caller, size: Filled, report: Report) -> None:
    """Set what has no function that takes many: when to order, what has no stock, and barcodes."""
    rule = {"rules": [{"reorder_point": REORDER_POINT, "target": 100}]}
    caller.call("PUT /v1/replenishment/rules", rule, 200)
    report(f"{size.few:,} untracked SKUs, and {10 * size.few:,} barcodes")
    for n in range(size.few):
        caller.call(f"PUT /v1/skus/{untracked(n)}", {"tracked": False}, 200)
    for some in parts(range(10 * size.few), _PER_CALL):
        # A tenth of them are the first SKU's.
        barcodes = [{"barcode": f"CODE{n:09d}", "sku": stock.sku(0 if n % 10 == 0 else n % size.sold)} for n in some]
        caller.call("PUT /v1/barcodes", {"barcodes": barcodes}, 200)


def untracked(number: int) -> str:
    """Name a SKU that has no stock."""
    return f"GIFT-{number:07d}"


async def fill_listings(socket: Path, size: Filled, report: Report) -> None:
    """List nearly all SKUs, through the function that lists, but without looking for keys that are taken."""
    report(f"{size.skus:,} listings")
    async with Redis(unix_socket_path=str(socket)) as client:
        store = ChannelStore(client, stock.keyspace())
        for some in parts(_listings(size), _PER_CALL):
            await store.put_listings(CHANNEL, some, "local")


def _listings(size: Filled) -> Iterator[Listing]:
    """Yield them: some are taken off, the last ones that are sold have none, and of the first ones there are packs."""
    unlisted = range(size.sold - size.few, size.sold)
    for n in range(size.skus):
        if n not in unlisted:
            yield Listing(stock.sku(n), key_of(n), listed=not size.few <= n < 2 * size.few)
    for n in range(size.few):
        key = f"PACK-{n:07d}"
        yield Listing(known_by(key), key, components=[Component(stock.sku(n), 2)])


def fill_kept(socket: Path, size: Filled, report: Report) -> None:
    """Write what the publisher keeps of a channel, and the events: refused quantities, and commands about orders."""
    report(f"{size.few:,} dead letters, {OUTBOX_MAX:,} commands, and {5 * size.few:,} events")
    keys, now_ms, client = ChannelKeys(stock.keyspace(), CHANNEL), size.filled_ms, connect(socket)
    letters = (
        DeadLetter(stock.sku(n), key_of(n), 7, "PRICE_MISSING", "no price", 4, now_ms, now_ms, n)
        for n in range(size.few)
    )
    _write(client, (("HSET", keys.dead_letters, each.sku, _pack(each)) for each in letters))
    commands = (
        OutboxEntry(
            f"ship-{n:016x}", order_number(n), "ship", b"\x80", "local", "waiting", now_ms - n, now_ms, now_ms + DAY_MS
        )
        for n in range(OUTBOX_MAX)
    )
    _write(client, (("HSET", keys.outbox, each.id, _pack(each)) for each in commands))
    events = (
        event_of(
            "stock.low", at_ms=now_ms, sku=stock.sku(n % size.skus), location=DEFAULT_LOCATION, available=3,
            reorder_point=REORDER_POINT, seq=n,
        )
        for n in range(5 * size.few)
    )  # fmt: skip
    first_ms = now_ms - 5 * size.few
    numbered = enumerate(events, first_ms)
    _write(client, (("XADD", stock.keyspace().events, f"{at_ms}-0", "e", _pack([each])) for at_ms, each in numbered))
    client.close()


def _write(client: Any, commands: Iterable[Sequence[Any]]) -> None:
    for some in parts(commands, _PER_CALL):
        with client.pipeline(transaction=False) as pipeline:
            for words in some:
                pipeline.execute_command(*words)
            pipeline.execute()
