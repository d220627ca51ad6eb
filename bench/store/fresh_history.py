"""What a question of the history takes of a processor while the database is behind the journal.

    python -m bench.store.fresh_history                     4,000 entries behind, 20 more before each question
    python -m bench.store.fresh_history --behind 1000 --lines 1

Questions are asked in turn with the newest entries kept from the one before, and without, as if each were the first.
Processor time is counted, so other work on the machine changes it little.
"""

import asyncio
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from bench.harness.report import Table
from bench.harness.stores import Store
from bench.store.history import FILE
from bench.store.history import opened as opened_documents
from bench.store.largest_calls import World, done, holds, sku, stocked
from bench.store.longest_scripts import opened
from server.domain.principal import ALL_SCOPES, LOCAL, Principal
from server.schemas.history import HistoryQuery
from server.service.caller import Caller, Partition
from server.service.history import find_history
from server.store.documents.documents import Documents
from server.store.embedded.binary import find_binary
from server.store.repositories.locations import KnownLocations, LocationStore

QUESTIONS: Final = {
    "the newest 50": HistoryQuery(),
    "a SKU": HistoryQuery(sku=sku(1)),
    "a channel that has none": HistoryQuery(channel="nobody"),
}


def made_caller(world: World, documents: Documents) -> Caller:
    """Make somebody who may ask everything."""
    limits = world.retention.packed()
    known = KnownLocations(LocationStore(world.client, world.keyspace, limits), asyncio.get_running_loop().time)
    parts = Partition(
        ledger=world.ledger, client=world.client, limits=limits, locations=known, new_id=str, documents=documents
    )
    return Caller(Principal(LOCAL.actor, world.keyspace.partition, ALL_SCOPES), parts)


async def grow(world: World, first: int, entries: int, lines: int) -> None:
    """Append entries, each of one hold."""
    await done(world, holds(entries, lines, first=first), at_once=1)


async def measure(behind: int, more: int, lines: int, rounds: int, table: Table) -> None:
    """Ask each question, with what is kept and without."""
    taken: dict[tuple[str, bool], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="hf-fresh-") as folder, Store(find_binary()) as store:
        documents = opened_documents("", Path(folder) / FILE)
        await documents.ping()
        async with opened(store) as world:
            await stocked(world)
            await grow(world, 0, behind, lines)
            caller, there = made_caller(world, documents), behind
            for _ in range(rounds):
                for name, query in QUESTIONS.items():
                    for is_kept in (False, True):
                        await grow(world, there, more, lines)
                        there += more
                        if not is_kept:
                            caller.partition.tail.forget()
                        began_s = time.process_time()
                        await find_history(caller, query)
                        taken.setdefault((name, is_kept), []).append(time.process_time() - began_s)
            await _say_memory(caller)
            await caller.partition.locations.close()
        await documents.close()
    for name in QUESTIONS:
        without, kept = (1000 * statistics.median(taken[name, is_kept]) for is_kept in (False, True))
        table.add(name, f"{without:.1f}", f"{kept:.1f}", f"{kept / without:.2f}")


async def _say_memory(caller: Caller) -> None:
    tail = caller.partition.tail
    tail.forget()
    tracemalloc.start()
    await find_history(caller, HistoryQuery())
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = sum(len(each.rows or ()) for each in tail.entries)
    click.echo(f"kept at the end: {len(tail.entries):,} entries, {rows:,} rows, {used / 1e6:.1f} MB", err=True)


@click.command(help=__doc__)
@click.option("--behind", default=4_000, show_default=True, help="Entries that the database has not.")
@click.option("--more", default=20, show_default=True, help="Entries that come between two questions.")
@click.option("--lines", default=3, show_default=True, help="Of each entry.")
@click.option("--rounds", default=20, show_default=True)
def main(behind: int, more: int, lines: int, rounds: int) -> None:
    """Measure."""
    table = Table(
        f"A question of the history, {behind:,} entries of {lines} lines behind, {more} come between two",
        ["asked", "without ms", "kept ms", "ratio"],
    )
    asyncio.run(measure(behind, more, lines, rounds, table))
    table.show(Console())


if __name__ == "__main__":
    main()
