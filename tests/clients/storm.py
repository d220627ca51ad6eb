"""A retry storm: many workers reserve, commit, release, receive and count over a network that loses what it may."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from server.domain.changes import Change
from server.store.connection.connect import client, connection_pool
from server.store.journal import journal
from server.store.keys import Keyspace
from tests.clients.sides import Side
from tests.support.http import Server
from tests.support.processes import holdfast

WORKERS: Final = 8
ROUNDS: Final = 20
STEPS: Final = 4
OPERATIONS: Final = WORKERS * ROUNDS * STEPS
"""Operations of one storm, each of which must have one effect."""
START: Final = 10_000
"""Units of each SKU before the storm: enough for every reserve."""


class Books(NamedTuple):
    """What a server must have in the end: on_hand, held and committed by SKU, and the operations in the journal."""

    stock: dict[str, tuple[int, int, int]]
    operations: Counter[tuple[str, str]]


def given(side: Side, name: str) -> None:
    """Count what the storm sells."""
    counts = [{"kind": "count", "sku": sku, "on_hand": START, "allow_similar": True} for sku in skus(name)]
    results = side.call("stock", "move_many", {"movements": counts})["results"]
    assert all(each["status"] == 200 for each in results), results


def skus(name: str) -> Iterator[str]:
    for worker in range(WORKERS):
        yield from (f"{name} sold by {worker}", f"{name} counted by {worker}")


def rages(side: Side, name: str) -> None:
    """Let all workers work through their rounds; what is refused, or unknown in the end, fails the test."""
    with ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(_works, side, name, worker) for worker in range(WORKERS)]:
            done.result()


def _works(side: Side, name: str, worker: int) -> None:
    sold, counted = f"{name} sold by {worker}", f"{name} counted by {worker}"
    for number in range(ROUNDS):
        basket = f"{name}/{worker}/{number}"
        lines = [{"sku": sold, "quantity": 1 + number % 3}]
        side.call("reservations", "reserve", {"channel": "shop", "reservation_id": basket, "lines": lines})
        step = "release" if number % 2 else "commit"
        side.call("reservations", step, {"reservation_id": basket})
        receive = {"kind": "receive", "sku": sold, "quantity": 5}
        side.call("stock", "move_many", {"movements": [receive]})
        # A count that came late would set the number of an earlier one.
        side.call("stock", "count", {"sku": counted, "location": "main", "on_hand": 100 + number})


def expected(name: str) -> Books:
    """Work out what the books must say when each operation had one effect."""
    stock: dict[str, tuple[int, int, int]] = {}
    operations: Counter[tuple[str, str]] = Counter()
    for worker in range(WORKERS):
        ordered = sum(1 + number % 3 for number in range(0, ROUNDS, 2))
        stock[f"{name} sold by {worker}"] = (START + 5 * ROUNDS, 0, ordered)
        stock[f"{name} counted by {worker}"] = (100 + ROUNDS - 1, 0, 0)
        for number in range(ROUNDS):
            basket = f"{name}/{worker}/{number}"
            operations["reserve", basket] += 1
            operations["release" if number % 2 else "commit", basket] += 1
    operations["receive", ""] = WORKERS * ROUNDS
    operations["count", ""] = WORKERS * ROUNDS + 2 * WORKERS
    return Books(stock, operations)


async def books_of(server: Server, side: Side, name: str) -> Books:
    """Read what the server has."""
    levels = {sku: side.call("stock", "read", {"sku": sku})["levels"][0] for sku in skus(name)}
    stock = {sku: (level["on_hand"], level["held"], level["committed"]) for sku, level in levels.items()}
    changes = [change for change in await _journal(server) if _is_of(change, name)]
    return Books(stock, Counter((change.operation, change.reservation_id) for change in changes))


def _is_of(change: Change, name: str) -> bool:
    return all(line.sku.startswith(f"{name} ") for line in change.lines)


async def _journal(server: Server) -> list[Change]:
    pool = connection_pool(f"unix://{server.data_dir / 'store.sock'}")
    try:
        entries = journal.read(client(pool), Keyspace("default"))
        return [change async for _, changes in entries for change in changes]
    finally:
        await pool.aclose()


def verified(server: Server) -> bool:
    """Run ``holdfast verify`` on the store of a running server: whether counters, reservations and journal agree."""
    socket = f"unix://{server.data_dir / 'store.sock'}"
    done = holdfast("verify", "--store-url", socket, cwd=server.directory)
    assert ": clean. " in done.stdout, done.stdout + done.stderr
    return done.returncode == 0
