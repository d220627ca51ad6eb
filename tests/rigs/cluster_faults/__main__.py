"""The faults from the command line:  python -m tests.rigs.cluster_faults --seed 7 --only reshard --rounds 3."""

import argparse
import secrets
import sys
from typing import Final

import uvloop

from tests.rigs.cluster_faults.counts import Counts, table
from tests.rigs.cluster_faults.failovers import link_cut_then_killed, one_replica_behind, primary_frozen, primary_killed
from tests.rigs.cluster_faults.shards import joining, resharding, shard_killed

STORES: Final = ("valkey", "redis7")
FAULTS: Final = {
    "failover-kill": primary_killed,
    "failover-link-cut": link_cut_then_killed,
    "failover-one-behind": one_replica_behind,
    "failover-frozen": primary_frozen,
    "reshard": resharding,
    "join": joining,
    "shard-kill": shard_killed,
}


async def _run(given: argparse.Namespace) -> list[Counts]:
    rows = []
    for name in given.only or FAULTS:
        for store in [given.store] if given.store else STORES:
            rows.append(await FAULTS[name](store, given.seed, given.rounds))
            sys.stderr.write(table(rows[-1:]) + "\n")
    return rows


def main() -> None:
    """Run the faults, show the table, and fail if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.cluster_faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--only", action="append", choices=FAULTS)
    parser.add_argument("--rounds", type=int, default=1, help="of each fault")
    parser.add_argument("--store", choices=STORES, help="else both")
    given = parser.parse_args()
    rows = uvloop.run(_run(given))
    failures = [f"{row.fault} on {row.store}: {failure}" for row in rows for failure in row.failures]
    lines = [
        f"seed {given.seed}",
        table(rows),
        *failures[:50],
        "all held" if not failures else f"{len(failures)} failures",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
