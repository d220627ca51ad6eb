"""A run's living system: one server of several processes, two partitions, three keys, and all who ask."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from server.domain.channels import ChannelRules
from server.store.connection.connect import client, connection_pool
from server.store.keys import Keyspace
from tests.channels.woocommerce_simulator import WooCommerceSimulator
from tests.rigs.crash.account import account_of
from tests.rigs.crash.audit import drift
from tests.rigs.crash.loader import Loader
from tests.rigs.fanout_crash.shops import ENVIRONMENT, Shop, all_shops
from tests.rigs.faults.kinds import Kind, environment
from tests.rigs.two_partitions.book import Book
from tests.rigs.two_partitions.caller import Caller
from tests.rigs.two_partitions.checks import compare_journal, compare_records, compare_stock
from tests.rigs.two_partitions.desk import Desk
from tests.rigs.two_partitions.faults import HANG_S, RECOVER_S, WORKERS, Faults, Say
from tests.rigs.two_partitions.requests import Names
from tests.rigs.two_partitions.settings import Operator
from tests.rigs.two_partitions.strangers import Strangers
from tests.rigs.two_partitions.tally import Tally
from tests.support.http import Api, Key, Server

PARTITIONS: Final = ("north", "south")
KEYS: Final = (Key("north-1", "north"), Key("north-2", "north"), Key("south-1", "south"))
LOADERS: Final = 4
"""Of the callers of each partition: they share SKUs, of which there are not enough for all."""
BOOKS: Final = 3
"""Assortments of each other caller."""
HOT: Final = tuple(f"hot-{number}" for number in range(5))
HOT_UNITS: Final = 4_000
QUIET_S: Final = 1.5
"""So long nothing may change before all is compared."""
LOOK_S: Final = 0.1


@dataclass(frozen=True)
class Plan:
    """What is to be run. ``rest_s``: how long a caller rests after an answer, on average."""

    store: Kind
    seed: int
    seconds: float
    callers: int = 32
    rest_s: float = 0.25
    checkpoint_s: float = 45.0
    faults: Sequence[str] | None = None
    """The kinds to bring about; None: all."""

    def chance(self, what: str) -> random.Random:
        """Return the dice for one thing: the same seed throws the same."""
        return random.Random(f"{self.seed}/{self.store}/{what}")


@dataclass
class Side:
    """One partition: its desks, callers and loaders, and the reservations of loaders that are settled."""

    partition: str
    desks: list[Desk]
    callers: list[Caller]
    loaders: list[Loader]
    operator: Operator

    @property
    def everybody(self) -> list[Caller | Loader | Operator]:
        return [*self.callers, *self.loaders, self.operator]

    @property
    def books(self) -> list[Book]:
        return [book for caller in self.callers for book in caller.books]


def shops_of_partitions() -> dict[str, Shop]:
    """Make a channel for each partition, as a simulator that fails by no plan of its own."""
    [calm] = [shop for shop in all_shops() if shop.calm]
    rules = ChannelRules(reconcile_every_s=0.0)  # what is wrong must be corrected without a comparison
    return {
        partition: replace(calm, name=f"{partition}-shop", simulator=WooCommerceSimulator(), rules=rules)
        for partition in PARTITIONS
    }


def _toml(shop: Shop, partition: str) -> str:
    head = f"[channels.{shop.name}]\n"
    return shop.toml().replace(head, f'{head}partition = "{partition}"\n')


class Stage:
    """One run. ``sides``: by partition."""

    def __init__(self, plan: Plan, shops: Mapping[str, Shop], say: Say) -> None:
        """``shops``: the channel of each partition, which must be open."""
        self.plan = plan
        self.say = say
        self.tally = Tally()
        self._shops = shops
        self.server = Server(
            keys=KEYS, toml="".join(_toml(shop, partition) for partition, shop in shops.items()),
            environment=ENVIRONMENT | environment(plan.store), workers=WORKERS, worker_hang_s=HANG_S,
            publisher_lease_s=1, durability="durable",
        )  # fmt: skip
        books = {partition: self._books(partition) for partition in PARTITIONS}
        self.sides = {partition: self._side(partition, books) for partition in PARTITIONS}
        desks = [desk for side in self.sides.values() for desk in side.desks]
        self.faults = Faults(self.server, desks, self.tally, plan.chance("faults"), say)
        self._tasks: list[asyncio.Task[None]] = []

    def _books(self, partition: str) -> list[list[Book]]:
        """Make the assortments of each caller: every second one has a name that the other partition has, too."""
        found = []
        for caller in range(self.plan.callers // 2 - LOADERS):
            names = [f"c{caller}.{each}" for each in range(BOOKS)]
            names = [name if number % 2 else f"{partition}-{name}" for number, name in enumerate(names)]
            found.append(
                [
                    Book(f"{partition} {name}", Names(f":{name}"), self.plan.chance(f"{partition} {name}"), self.tally)
                    for name in names
                ]
            )
        return found

    def _side(self, partition: str, books: dict[str, list[list[Book]]]) -> Side:
        other = PARTITIONS[partition == PARTITIONS[0]]
        foreign = [book for own in books[other] for book in own if book.names.suffix.startswith(f":{other}-")]
        chance = self.plan.chance
        desks = [
            Desk(self.server, key, (f":{other}-", f"{other}-shop"), self.tally, chance(f"desk {key.id}"))
            for key in KEYS
            if key.partition == partition
        ]
        callers = []
        for number, own in enumerate(books[partition]):
            desk = desks[number % len(desks)]
            strangers = Strangers(desk, foreign, f"{other}-shop", chance(f"{partition} stranger {number}"))
            callers.append(Caller(desk, own, strangers, chance(f"{partition} {number}"), self.plan.rest_s))
        loaders = []
        for number in range(LOADERS):
            seed = f"{self.plan.seed}/{partition}/{number}"
            loaders.append(Loader(f"hot-{number}", cast(Api, desks[number % len(desks)]), list(HOT), seed))
            loaders[-1].pause_s = self.plan.rest_s
        operator = Operator(desks[0], self._shops[partition], HOT, chance(f"{partition} operator"), self.plan.rest_s)
        return Side(partition, desks, callers, loaders, operator)

    # -- running

    async def open(self) -> None:
        """Start the server, and set up every assortment."""
        await asyncio.to_thread(self.server.start, RECOVER_S)
        self.faults.watch_scripts()
        for side in self.sides.values():
            for desk in side.desks:
                await desk.open()
            for sku in HOT:
                await side.desks[0].api.count(sku, HOT_UNITS)
            await side.operator.set_up()
        await asyncio.gather(*(caller.set_up() for side in self.sides.values() for caller in side.callers))

    async def close(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        for side in self.sides.values():
            for desk in side.desks:
                await desk.close()
        await asyncio.to_thread(self.server.close)

    def begin(self) -> None:
        """Let everybody ask."""
        for side in self.sides.values():
            for who in side.everybody:
                who.running = True
                self._tasks.append(asyncio.create_task(who.run()))

    async def pause(self) -> None:
        """Have everybody finish the request that is on, and wait until nothing is on its way any more."""
        for side in self.sides.values():
            for who in side.everybody:
                who.running = False
        tasks, self._tasks = self._tasks, []
        await asyncio.gather(*tasks)
        await self.faults.recovered()
        last, since_s = self._seqs(), time.monotonic()
        while time.monotonic() < since_s + QUIET_S:
            await asyncio.sleep(LOOK_S)
            now = self._seqs()
            if now != last:
                last, since_s = now, time.monotonic()

    def _seqs(self) -> list[Any]:
        with self.server.store() as store:
            return [store.hget(Keyspace(partition).meta, "seq") for partition in PARTITIONS]

    # -- comparing

    async def checkpoint(self, *, last: bool = False) -> None:
        """Compare everything, before and after what is unconfirmed is asked again. ``last``: every record, too."""
        self.faults.note_scripts()
        await asyncio.gather(*(self._settled(side, last=last) for side in self.sides.values()))
        self.tally.checkpoints += 1
        counts = {name: len(found) for name, found in self.tally.findings.all().items() if found}
        self.say(f"checkpoint: {self.tally.acknowledged():,} acknowledged, {counts or 'all equal'}")
        for name, found in self.tally.findings.all().items():
            if found:
                self.say(f"{name}: {found[-1]}")

    async def _settled(self, side: Side, *, last: bool) -> None:
        desk = side.desks[0]
        # Before anything is asked again: what was acknowledged must be there by itself.
        await compare_stock(desk, side.books)
        self._account(side)
        await asyncio.gather(*(who.resolve() for who in side.everybody))
        await compare_stock(desk, side.books)
        self._account(side)
        await side.operator.compare()
        if not last:
            return
        for caller in side.callers:
            for book in caller.books:
                for request, first in book.kept if not book.broken else ():
                    while not await caller.again(book, request, first):
                        await asyncio.sleep(LOOK_S)
        await compare_stock(desk, side.books)
        await compare_records(desk, side.books, ["hot-"])
        await self._journal(side)
        found = await drift(self.server, side.partition)
        self.tally.findings.verify += [f"{side.partition}: {each}" for each in found]

    async def _journal(self, side: Side) -> None:
        pool = connection_pool(f"unix://{self.server.data_dir}/store.sock")
        try:
            await compare_journal(client(pool), side.partition, side.books, self.tally)
        finally:
            await pool.aclose()

    def _account(self, side: Side) -> None:
        """Hold the SKUs that all callers share against what the loaders were answered."""
        requests = [request for loader in side.loaders for request in loader.requests]
        with self.server.store() as store:
            found = account_of(store, side.partition, dict.fromkeys(HOT, HOT_UNITS), requests)
        findings = self.tally.findings
        wrong = list(found.wrong)
        wrong += [f"{each}: answered for another" for loader in side.loaders for each in loader.mixed_up]
        for into, those in ((findings.lost, found.lost), (findings.double, found.double), (findings.differing, wrong)):
            into += [each for each in those if each.startswith("hot-") and each not in into]


def entered(side: Side, tally: Tally) -> None:
    """Add what the loaders did to the tally."""
    for loader in side.loaders:
        for request in loader.requests:
            tally.outcomes[f"{request.operation} (shared)", "done" if request.done else request.outcome] += 1
            tally.unknown[f"{request.operation} (shared)"] += request.asked_again > 0
