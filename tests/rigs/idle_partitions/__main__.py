"""Processor time that idle partitions take:  python -m tests.rigs.idle_partitions --partitions 10000 --seconds 60.

Each has stock and a short history, and none has a hold. The figure is the share of one core that the server and its
embedded store take together, after their first look at everything, without any request. It is processor time, so it
can be used on a machine that has other work, too. Nothing is audited: an idle partition is once a day.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop

from tests.rigs.idle_partitions.measure import WITHOUT_AUDIT, fill_partitions, settle, used_s
from tests.support.http import Server

COUNT: Final = 10_000
SECONDS: Final = 60.0
SHARE_MAX: Final = 0.02


def main() -> None:
    """Fill, measure, and fail if it is more than it may be."""
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.idle_partitions", description=__doc__)
    parser.add_argument("--partitions", type=int, default=COUNT, help="how many (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for how long (default: %(default)g)")
    given = parser.parse_args()
    count, seconds = given.partitions, given.seconds
    with tempfile.TemporaryDirectory(prefix="hf-idle-") as folder:
        uvloop.run(fill_partitions(Path(folder), count))
        server = Server(data_dir=Path(folder), **WITHOUT_AUDIT).start()
        try:
            pids = server.process.pid, server.store_pid
            settle(pids)
            before = [used_s(pid) for pid in pids]
            time.sleep(seconds)
            shares = [(used_s(pid) - was) / seconds for pid, was in zip(pids, before, strict=True)]
        finally:
            server.close()
    total = sum(shares)
    sys.stdout.write(
        f"{count:,} idle partitions: server {shares[0]:.1%}, store {shares[1]:.1%}, together {total:.1%} of a core\n"
    )
    sys.exit(0 if total <= SHARE_MAX else 1)


if __name__ == "__main__":
    main()
