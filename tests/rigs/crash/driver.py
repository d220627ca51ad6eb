"""Rounds of kill -9 under load: server, store, or both. After each, the unconfirmed is asked again and accounted.

Run it by hand:  python -m tests.rigs.crash.driver --rounds 21 --seed 7
"""

import argparse
import asyncio
import random
import secrets
import signal
import sys
import time
from typing import Any, Final

import aiohttp
import msgspec

from tests.rigs.crash.account import Account, account
from tests.rigs.crash.loader import UNDECIDED, Loader
from tests.support.http import Api, Server, opened

VICTIMS: Final = ("server", "store", "both")
LOADERS: Final = 12
SKUS: Final = 10
UNITS: Final = 10_000_000
PARTITION: Final = "default"
LOAD_S: Final = (0.15, 0.6)
"""How long a round runs before the kill; drawn anew each time, so that the kill falls anywhere."""


class Round(msgspec.Struct, frozen=True):
    """One round's figures."""

    number: int
    victim: str
    asked: int
    acknowledged: int
    unanswered: int
    replayed: int
    """Of those unanswered or unknown: how many had happened."""
    anew: int
    """How many had not, and were done when asked again."""
    refused: int
    recovery_s: float
    adopted: bool
    account: Account


async def run(rounds: int, seed: int) -> list[Round]:
    """Run so many rounds, the victims in turn, on one data directory."""
    chance = random.Random(seed)
    with Server(durability="durable") as server:
        skus = [f"hot-{number}" for number in range(SKUS)]
        async with opened(server) as api:
            for sku in skus:
                await api.count(sku, UNITS)
        loaders: list[Loader] = []
        return [await _round(server, number + 1, chance, skus, loaders) for number in range(rounds)]


async def _round(server: Server, number: int, chance: random.Random, skus: list[str], earlier: list[Loader]) -> Round:
    victim = VICTIMS[(number - 1) % len(VICTIMS)]
    async with opened(server) as api:
        loaders = [Loader(f"c{number}.{each}", api, skus, f"{chance.random()}") for each in range(LOADERS)]
        tasks = [asyncio.create_task(loader.run()) for loader in loaders]
        await asyncio.sleep(chance.uniform(*LOAD_S))
        store_pid = server.store_pid
        killed_s = time.monotonic()
        _kill(server, victim, chance)
        if victim != "store":
            await asyncio.to_thread(server.start)
        await _ready(api, server, gone=store_pid if victim != "server" else 0)
        recovery_s = time.monotonic() - killed_s
        adopted = server.store_pid == store_pid
        await asyncio.sleep(chance.uniform(0.05, 0.15))
        for loader in loaders:
            loader.running = False
        await asyncio.gather(*tasks)
        requests = [request for loader in loaders for request in loader.requests]
        unanswered = sum(request.outcome in UNDECIDED for request in requests)
        # Before anything is asked again: what was acknowledged must be there by itself.
        before = account(server, PARTITION, dict.fromkeys(skus, UNITS), _all(earlier) + requests)
        resolved = [request for loader in loaders for request in await loader.resolve()]
        earlier += loaders
        after = account(server, PARTITION, dict.fromkeys(skus, UNITS), _all(earlier))
    found = Account(before.lost + after.lost, before.double + after.double, before.wrong + after.wrong)
    return Round(
        number,
        victim,
        len(requests),
        sum(request.done for request in requests) - sum(request.done for request in resolved),
        unanswered,
        sum(request.done and request.replayed for request in resolved),
        sum(request.done and not request.replayed for request in resolved),
        sum(not request.done for request in resolved),
        recovery_s,
        adopted,
        found,
    )


def _all(loaders: list[Loader]) -> list[Any]:
    return [request for loader in loaders for request in loader.requests]


def _kill(server: Server, victim: str, chance: random.Random) -> None:
    first_store = chance.random() < 0.5
    if victim == "store" or (victim == "both" and first_store):
        server.signal_store(signal.SIGKILL)
    if victim != "store":
        server.kill()
    if victim == "both" and not first_store:
        server.signal_store(signal.SIGKILL)


async def _ready(api: Api, server: Server, gone: int) -> None:
    """Wait until a request that writes is answered, by another store than the one that was killed."""
    async with asyncio.timeout(30):
        while True:
            try:
                if server.store_pid != gone:
                    body = {"movements": [{"kind": "receive", "sku": "ready", "quantity": 1}]}
                    [result] = (await api.post("/v1/stock/movements", body)).ok()["results"]
                    if result["status"] == 200:
                        return
            except (aiohttp.ClientError, OSError, ValueError):
                pass
            await asyncio.sleep(0.005)


def table(rounds: list[Round]) -> str:
    """Show the rounds and their sums."""
    head = (
        f"{'round':>5} {'killed':<6} {'asked':>7} {'acked':>7} {'unanswered':>10} {'had happened':>12} {'anew':>5} "
        f"{'refused':>7} {'lost':>4} {'double':>6} {'wrong':>5} {'recovery':>8} store"
    )
    lines = [head]
    for each in rounds:
        found = each.account
        lines.append(
            f"{each.number:>5} {each.victim:<6} {each.asked:>7} {each.acknowledged:>7} {each.unanswered:>10} "
            f"{each.replayed:>12} {each.anew:>5} {each.refused:>7} {len(found.lost):>4} {len(found.double):>6} "
            f"{len(found.wrong):>5} {each.recovery_s:>6.2f} s {'adopted' if each.adopted else 'new'}"
        )
    sums = [
        sum(column)
        for column in zip(
            *((r.asked, r.acknowledged, r.unanswered, r.replayed, r.anew, r.refused) for r in rounds), strict=True
        )
    ]
    lost, double, wrong = (sum(len(getattr(r.account, name)) for r in rounds) for name in ("lost", "double", "wrong"))
    lines.append(
        f"{'sum':>5} {'':<6} {sums[0]:>7} {sums[1]:>7} {sums[2]:>10} {sums[3]:>12} {sums[4]:>5} {sums[5]:>7} "
        f"{lost:>4} {double:>6} {wrong:>5} {max(r.recovery_s for r in rounds):>6.2f} s at most"
    )
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    given = parser.parse_args()
    rounds = asyncio.run(run(given.rounds, given.seed))
    sys.stdout.write(f"seed {given.seed}\n{table(rounds)}\n")
    for each in rounds:
        for fault in (*each.account.lost, *each.account.double, *each.account.wrong):
            sys.stdout.write(f"round {each.number}: {fault}\n")
    sys.exit(0 if all(each.account.clean for each in rounds) else 1)


if __name__ == "__main__":
    main()
