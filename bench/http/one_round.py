"""Takes one round of the core's figures and prints them as JSON:  one_round.py PART CONNECTIONS SECONDS.

:mod:`bench.http.before_after` has each of two checkouts run this very text, so it uses only what the bench has
always had.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from bench.harness import stock
from bench.harness.driver import drive
from bench.harness.load import load
from bench.http import contestants, http_table
from bench.http.contestants import Contestant
from bench.store import store_table
from bench.store.store_table import Case, State
from server.store.embedded.binary import find_binary

Found = Iterator[tuple[str, float]]

_CALLS: Final = 20_000
_ATTACHES_S: Final = 0.5
"""perf does not say when it has begun."""


def http(connections: list[int], seconds: int) -> Found:
    """Requests a second of each contestant."""
    for (number, each), rounds in http_table.measure(connections, seconds, 1, lambda _: None).items():
        yield f"{each.title}, {number} connections", rounds[0].rate


def store(_connections: list[int], _seconds: int) -> Found:
    """Reservations a second inside the store."""
    for case, rounds in store_table.measure(find_binary(), 1, lambda _: None, quick=True).items():
        name = case if isinstance(case, str) else f"{case.state.title}, {case.pattern}, batches of {case.batch}"
        yield name, sum(rounds) / len(rounds)


def instructions(connections: list[int], seconds: int) -> Found:
    """Instructions a reservation, in the store and in the server: they say the same on a busy machine."""
    for batch in (1, 64):
        case = Case(State(1_000, 0), 1, batch)
        with store_table.filled(find_binary(), case.state) as filled:
            calls = stock.commands(stock.reserves([0] * _CALLS), batch)
            used = _counted([filled._process.pid], lambda: _driven(filled.socket, calls, batch))  # noqa: B023, SLF001  # run at once
            yield f"inside the store, batches of {batch}", used[0] / _CALLS
    for number in connections:
        for each in (contestants.NOOP, contestants.FAST):
            yield from _of_server(each, number, seconds)


def _of_server(each: Contestant, number: int, seconds: int) -> Found:
    with contestants.running({each.server}) as servers:
        server = servers[each.server]
        load(server.url, number, 1, each.skus)
        answered = 0

        def work() -> None:
            nonlocal answered
            answered = load(server.url, number, seconds, each.skus).requests

        children = subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True, check=False)
        pids = [server.pid, *map(int, children.stdout.split())]
        for of, used in zip(("server", "its store"), _counted(pids, work), strict=False):
            yield f"{each.title}, {number} connections, {of}", used / answered


def _driven(socket: object, calls: list[bytes], batch: int) -> None:
    drive(socket, calls, batch, stock.took_effect)  # type: ignore[arg-type]


def _counted(pids: list[int], work: Callable[[], object]) -> list[float]:
    """Count the instructions of processes while something is done."""
    command = ["perf", "stat", "-x,", "-e", "instructions", "-p"]
    perfs = [subprocess.Popen([*command, str(pid)], stderr=subprocess.PIPE, text=True) for pid in pids]
    time.sleep(_ATTACHES_S)
    work()
    for perf in perfs:
        perf.send_signal(signal.SIGINT)
    return [float(perf.communicate()[1].split(",")[0]) for perf in perfs]


PARTS: Final = {"http": http, "store": store, "instructions": instructions}

if __name__ == "__main__":
    part, given, length = sys.argv[1:]
    print(json.dumps(dict(PARTS[part]([int(number) for number in given.split(",")], int(length)))))
