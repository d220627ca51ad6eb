"""What a reserve notices of a backup: ``python -m bench.store.backup --skus 200000``.

A caller reserves a hundred times a second while nothing else happens, while ``holdfast backup`` runs, and while each
key is read in one command, as a copy by DUMP would. Store, caller and backup share the machine. Below each line stands
what the store itself says that took long: its fork, its fsync, its writing. With ``--in /dev/shm`` the backup goes to
a place that is not the store's disk.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import redis

from bench.harness import stock
from bench.harness.machine import describe, stores_here
from bench.harness.stores import Store, connect

PER_S: Final = 100
CALM_S: Final = 10.0
SETTLE_S: Final = 10.0
"""After the store was filled, what it wrote then reaches the disk."""
LINGER_S: Final = 0.2
BUSY_S: Final = 4.0
NOTED_MS: Final = 5
"""What takes the store itself so long is told."""


class Caller:
    """Reserves one unit of another SKU at a pace, and writes down how long each took, in seconds."""

    def __init__(self, store: Store, skus: int) -> None:
        self.took_s: list[float] = []
        self._client = connect(store.socket)
        self._skus = skus
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        connection = self._client.connection_pool.get_connection()
        number, due_s = 0, time.perf_counter()
        while not self._ending.is_set():
            number += 1
            [command] = stock.commands(stock.reserves([number * 7919 % self._skus]), 1)
            began_s = max(due_s, time.perf_counter())
            connection.send_packed_command([command])  # type: ignore[no-untyped-call]
            connection.read_response()
            # From when it was due: what waits behind a slow one is slow, too.
            self.took_s.append(time.perf_counter() - min(began_s, due_s))
            due_s += 1 / PER_S
            time.sleep(max(0.0, due_s - time.perf_counter()))


def measured(store: Store, skus: int, what: Callable[[], None]) -> tuple[list[float], float]:
    """Do something while a caller reserves; return what its reserves took, and how long it lasted."""
    with Caller(store, skus) as caller:
        time.sleep(LINGER_S)
        caller.took_s.clear()
        began_s = time.perf_counter()
        what()
        lasted_s = time.perf_counter() - began_s
    return caller.took_s, lasted_s


def back_up(store: Store, place: Path | None) -> None:
    """Run the command, as an operator does, into a folder of ``place``."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        words = [sys.executable, "-m", "server", "backup", str(Path(folder) / "backup.tar")]
        subprocess.run([*words, "--store-url", f"unix://{store.socket}"], check=True, stdout=subprocess.DEVNULL)


def keep_busy() -> None:
    """Take all cores for a while, with store and disk left alone: what it costs to share the machine with somebody."""
    words = [sys.executable, "-c", f"import time\nend = time.time() + {BUSY_S}\nwhile time.time() < end: pass"]
    busy = [subprocess.Popen(words) for _ in range(os.cpu_count() or 1)]
    for each in busy:
        each.wait()


def dump_each(client: redis.Redis) -> None:
    """Read each key in one command."""
    for key in client.scan_iter("hf:*"):
        client.dump(key)


def row(name: str, took_s: list[float], lasted_s: float) -> str:
    """Lay one measurement out."""
    by_hundreds = statistics.quantiles(took_s, n=100)
    figures = (statistics.median(took_s), by_hundreds[98], max(took_s))
    shown = "  ".join(f"{each * 1000:8.2f} ms" for each in figures)
    return f"{name:<22}{lasted_s:6.1f} s {len(took_s):>6}  {shown}"


def told(store: Store) -> str:
    """Return what the store itself says that took long since the last time: the longest of each kind."""
    ask: Any = store.client.execute_command
    said = [f"{name.decode()} {longest} ms" for name, _, _, longest in ask("LATENCY", "LATEST")]
    ask("LATENCY", "RESET")
    longest = ", ".join(sorted(said)) or f"nothing of {NOTED_MS} ms"
    return f"  the store: {longest}; its last fork took {store.info('latest_fork_usec') / 1000:.1f} ms"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skus", type=int, default=200_000)
    parser.add_argument("--reservations", type=int, default=100_000)
    parser.add_argument("--backups", type=int, default=1, help="how many, one after the other")
    parser.add_argument("--only", choices=("valkey", "redis"), help="one of the stores")
    parser.add_argument(
        "--in", dest="place", type=Path, help="where the backup goes; left out: where the store's files are"
    )
    given = parser.parse_args()
    stores = [each for each in stores_here() if given.only in (None, each.family)]
    for name, value in describe(stores, Path(tempfile.gettempdir())):
        print(f"{name}: {value}")
    for binary in stores:
        with Store(binary) as store:
            store.stop_logging()
            stock.fill_skus(store.socket, given.skus)
            stock.fill_reservations(store.socket, given.reservations, given.skus)
            store.start_logging()
            time.sleep(SETTLE_S)
            print(f"\n{store.version}: {given.skus:,} SKUs, {given.reservations:,} reservations", end=", ")
            print(f"{store.used_bytes() / 1e6:,.0f} MB")
            print(f"{'':<22}{'lasted':>8} {'calls':>6}  {'p50':>11}  {'p99':>11}  {'longest':>11}")
            store.client.config_set("latency-monitor-threshold", NOTED_MS)
            print(row("calm", *measured(store, given.skus, lambda: time.sleep(CALM_S))), told(store), sep="\n")
            for _ in range(given.backups):
                took = measured(store, given.skus, lambda: back_up(store, given.place))
                print(row("backup", *took), told(store), sep="\n")
                took = measured(store, given.skus, keep_busy)
                print(row("busy cores", *took), told(store), sep="\n")
            dumped = measured(store, given.skus, lambda: dump_each(store.client))
            print(row("DUMP of each key", *dumped), told(store), sep="\n")


if __name__ == "__main__":
    main()
