"""Bytes of memory for each SKU at a location, each live reservation, and what it leaves in the journal."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from bench.harness import stock
from bench.harness.bars import Bar
from bench.harness.figures import Figure
from bench.harness.report import Table
from bench.harness.stores import Store
from server.store.embedded.binary import StoreBinary

STEPS: Final = 2
_RECORDS: Final = 300_000
_RECORDS_QUICK: Final = 100_000


class Memory(msgspec.Struct, frozen=True):
    """What one of each takes, in bytes; ``journal`` is freed when the entry is past its retention."""

    version: str
    records: int
    sku: float
    reservation: float
    journal: float


def measure(binary: StoreBinary, report: Callable[[str], None], *, quick: bool) -> Memory:
    """Fill a store through the functions that serve and see by how much its used memory grows."""
    records = _RECORDS_QUICK if quick else _RECORDS
    with Store(binary) as store:
        store.stop_logging()
        journal = stock.keyspace().journal
        empty = store.used_bytes()
        report(f"{store.version}: {records:,} SKUs")
        stock.fill_skus(store.socket, records)
        store.client.unlink(journal)
        with_skus = store.used_bytes()
        report(f"{store.version}: {records:,} reservations")
        stock.fill_reservations(store.socket, records, records)
        with_journal = store.used_bytes()
        store.client.unlink(journal)
        with_reservations = store.used_bytes()
        return Memory(
            store.version,
            records,
            (with_skus - empty) / records,
            (with_reservations - with_skus) / records,
            (with_journal - with_reservations) / records,
        )


def table(found: list[Memory]) -> Table:
    """Lay the figures out."""
    made = Table(
        "Bytes of memory for one of each",
        ["store", "records", "SKU at a location", "live reservation of one line", "its entry in the journal"],
    )
    for each in found:
        made.add(each.version, f"{each.records:,}", f"{each.sku:.0f}", f"{each.reservation:.0f}", f"{each.journal:.0f}")
    return made


def bars(found: list[Memory]) -> Iterator[Bar]:
    """Compare the figures with the bars. The journal is not the reservation's: it is kept by time."""
    for each in found:
        yield Bar(f"{each.version}: memory of a SKU at a location", "≤", 300, Figure([each.sku]), "B")
        yield Bar(f"{each.version}: memory of a live reservation", "≤", 450, Figure([each.reservation]), "B")
