"""What jemalloc takes off the embedded store's time:  python -m bench.store.allocator [rounds].

Reservations in batches, spread over 10,000 SKUs, by a store with the allocator that it was built with and by one that
was started with the system's jemalloc, in turn. The figure is the store's own processor time, and the median counts.
"""

import argparse
import statistics
import sys
from typing import Final

from bench.harness import stock
from bench.harness.stores import Store
from bench.store.store_table import OPERATIONS, Case, State, check, rate
from server.store.embedded.allocator import preload
from server.store.embedded.binary import find_binary

BATCHES: Final = (1, 64)
_STATE: Final = State(stock.SPREAD_SKUS, 0)
_ROUNDS: Final = 5


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.store.allocator", description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=_ROUNDS, help="how many (default: %(default)s)")
    rounds: int = parser.parse_args().rounds
    binary = find_binary()
    words, library = preload(binary.path)
    if library is None:
        sys.exit("There is no jemalloc to compare with: apt-get install libjemalloc2")
    print(f"{binary.path}, built with {binary.allocator}; {library}; {rounds} rounds, in turn")
    taken: dict[tuple[int, bool], list[float]] = {}
    resident: dict[bool, float] = {}
    for _ in range(rounds):
        for preloaded in (False, True):
            with Store(binary, words_before=words if preloaded else ()) as store:
                stock.fill_skus(store.socket, _STATE.skus)
                check(store, 0)
                for batch in BATCHES:
                    taken.setdefault((batch, preloaded), []).append(_cpu_us(store, Case(_STATE, _STATE.skus, batch)))
                resident[preloaded] = store.info("used_memory_rss")
    for batch in BATCHES:
        plain, fast = (statistics.median(taken[batch, preloaded]) for preloaded in (False, True))
        print(
            f"batch {batch:>3}: {plain:6.1f} us a reservation, with jemalloc {fast:6.1f} us ({fast / plain - 1:+.0%})"
        )
    print(f"resident: {resident[False] / 1e6:.0f} MB, with jemalloc {resident[True] / 1e6:.0f} MB")


def _cpu_us(store: Store, case: Case) -> float:
    """Return the store's processor time to make a reservation and to forget it, in microseconds."""
    before = _used_s(store)
    rate(store, case)
    return (_used_s(store) - before) * 1e6 / OPERATIONS[case.batch]


def _used_s(store: Store) -> float:
    return store.info("used_cpu_user") + store.info("used_cpu_sys")


if __name__ == "__main__":
    main()
