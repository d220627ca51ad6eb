"""How late a hold ends: thousands of deadlines a second in a running server, read back from its journal."""

import contextlib
import itertools
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.harness import stock
from bench.harness.bars import Bar
from bench.harness.driver import drive
from bench.harness.figures import Figure
from bench.harness.report import Table
from bench.harness.stores import connect
from bench.http import contestants
from server.store.embedded.files import DataDirectory
from server.store.journal.journal import decode_entry

STEPS: Final = 3
EXPIRIES_PER_S: Final = 5_000
_SECONDS: Final = 10
_SECONDS_QUICK: Final = 4
_LEAD_S: Final = 3.0
"""How long after the first reservation is made the first deadline is; making all of them takes less."""
_WAIT_S: Final = 30.0
_LOOK_S: Final = 0.2
_PAGE: Final = 500


class Lateness(msgspec.Struct, frozen=True):
    """How late holds ended, in milliseconds."""

    holds: int
    p50_ms: int
    p99_ms: int
    max_ms: int
    early: int
    """Ended before their deadline; must be 0."""


def measure(report: Callable[[str], None], *, quick: bool) -> Lateness:
    """Make holds whose deadlines lie evenly, and wait until the server's housekeeping has ended every one."""
    holds = EXPIRIES_PER_S * (_SECONDS_QUICK if quick else _SECONDS)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        report("starting a server")
        server = contestants.start("durable", folder, stack)
        server.fill()
        socket = DataDirectory(folder / "durable").socket
        client = stack.enter_context(connect(socket))
        report(f"making {holds:,} holds")
        ttls_ms = make(socket, holds)
        report(f"waiting for {EXPIRIES_PER_S:,} expiries a second")
        _wait_for_all(client)
        return summary(ended(client, ttls_ms), holds)


def make(socket: Path, holds: int) -> dict[str, int]:
    """Make holds that expire one after the other, :data:`EXPIRIES_PER_S` a second; returns how long each lasts (ms)."""
    ttls_ms = (round(1000 * (_LEAD_S + number / EXPIRIES_PER_S)) for number in itertools.count())
    operations = stock.reserves([number % stock.SPREAD_SKUS for number in range(holds)], ttls_ms)
    drive(socket, stock.commands(operations, stock.FILL_BATCH), stock.FILL_BATCH, stock.took_effect)
    return {operation.reservation_id: operation.ttl_ms for operation in operations}


def _wait_for_all(client: Any) -> None:
    until = time.monotonic() + _LEAD_S + _SECONDS + _WAIT_S
    while client.zcard(stock.keyspace().deadlines):
        if time.monotonic() > until:
            raise TimeoutError(f"{client.zcard(stock.keyspace().deadlines):,} holds were never ended")
        time.sleep(_LOOK_S)


def ended(client: Any, ttls_ms: dict[str, int]) -> Iterator[int]:
    """Read the journal: how many milliseconds after its deadline each hold was ended, by the store's one clock."""
    deadlines_ms: dict[str, int] = {}
    first = "-"
    while page := client.xrange(stock.keyspace().journal, min=first, count=_PAGE):
        for _, fields in page:
            for change in decode_entry(fields):
                if change.operation == "reserve":
                    deadlines_ms[change.reservation_id] = change.at_ms + ttls_ms[change.reservation_id]
                elif change.operation == "expire":
                    yield change.at_ms - deadlines_ms.pop(change.reservation_id)
        first = "(" + page[-1][0].decode()


def summary(latenesses_ms: Iterable[int], holds: int) -> Lateness:
    """Sort what was found. Every hold must have ended, and ended once."""
    found = sorted(latenesses_ms)
    if len(found) != holds:
        raise AssertionError(f"{holds:,} holds were made and {len(found):,} ends are in the journal")
    return Lateness(
        holds, found[holds // 2], found[holds * 99 // 100], found[-1], sum(lateness_ms < 0 for lateness_ms in found)
    )


def table(found: Lateness) -> Table:
    """Lay the figures out."""
    made = Table(
        f"How late a hold ends at {EXPIRIES_PER_S:,} expiries a second",
        ["holds", "p50 ms", "p99 ms", "max ms", "early"],
    )
    made.add(f"{found.holds:,}", str(found.p50_ms), str(found.p99_ms), str(found.max_ms), str(found.early))
    return made


def bars(found: Lateness) -> Iterator[Bar]:
    """Compare the figures with the bars."""
    yield Bar(f"Hold ended after its deadline, p99 at {EXPIRIES_PER_S:,}/s", "≤", 250, Figure([found.p99_ms]), "ms")
    yield Bar("Holds ended before their deadline", "≤", 0, Figure([found.early]), "holds")
