"""Rounds of kill -9 of the publisher while stock changes and channels misbehave; each time all must come right.

A round: buyers and faults run; the publisher is killed at random moments and started again, in some rounds with a
stand-by that takes over; then buyers and faults stop, and it is awaited that each channel shows what it should.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import msgspec

from server.domain.channels import publishable
from server.store.audit.audit import audit
from server.store.connection import connect
from server.store.keys import Keyspace
from tests.rigs.fanout_crash import publishers
from tests.rigs.fanout_crash.checks import disorder, read_history
from tests.rigs.fanout_crash.shops import ENVIRONMENT, Shop, SlowMarket, all_shops, behave, misbehave, opened_shops
from tests.rigs.fanout_crash.traffic import Buyer
from tests.support.http import Api, Server, opened
from tests.support.stores import start_valkey

PARTITION: Final = "default"
SKUS: Final = 50
MOVING: Final = 15
"""SKUs whose keys change hands; the values of the others are held against their order."""
NEVER_SENT: Final = -1
"""What a key shows in the beginning; one that was left before anything was published to it may stay so."""
SPARE: Final = 20
"""Keys that nobody has in the beginning: more than there are SKUs that move."""
BUYERS: Final = 4
KILLS_MAX: Final = 3
KILL_AFTER_S: Final = (0.0, 1.5)
"""After the start of a publisher, drawn anew each time: some do not even get to load what is known."""
LAST_S: Final = (0.1, 1.0)
"""How long all goes on after the last kill."""
RIGHT_S: Final = 120.0
"""So long a channel may take until it is right: a second thought takes a minute, a backoff some seconds."""
REVIVE_S: Final = 2.0
"""So often the channels' backoffs are ended early meanwhile."""


class Round(msgspec.Struct, frozen=True):
    """One round's figures. ``wrong`` says what was not as it should be when the time was over."""

    number: int
    mode: str
    kills: int
    pushed: int
    checked: int
    lost_tickets: int
    right_s: float
    wrong: list[str]


class Run(msgspec.Struct, frozen=True):
    """A whole run. ``faults``: what was wrong in it beside the rounds."""

    rounds: list[Round]
    changes: int
    ordered: int
    """How many values were held against the order in which they were true."""
    refused_copies: int
    faults: list[str]

    @property
    def wrong(self) -> list[str]:
        return [f"round {each.number}: {wrong}" for each in self.rounds for wrong in each.wrong] + self.faults


class Stage:
    """What a run is played on: a store, a server that sells, publishers, and the channels in this process."""

    def __init__(self, store_url: str, api: Api, shops: list[Shop], toml: str) -> None:
        self.api = api
        self.shops = shops
        self.skus = [f"hot-{number:02}" for number in range(SKUS)]
        self.publishers = [publishers.publisher(store_url, toml, ENVIRONMENT) for _ in range(2)]
        self.running: list[Server] = []

    async def set_up(self) -> None:
        """Put units on the shelf and list all SKUs everywhere."""
        for number, sku in enumerate(self.skus):
            await self.api.count(sku, 100 * number)
        for shop in self.shops:
            shop.list_skus(self.skus, MOVING, SPARE)
            listings = [{"sku": sku, "key": shop.key(number)} for number, sku in enumerate(self.skus)]
            (await self.api.put(f"/v1/channels/{shop.name}/listings", {"listings": listings})).ok()

    async def run_publishers(self, count: int) -> None:
        """Have so many publishers run, and no more."""
        for server in self.running[count:]:
            await asyncio.to_thread(server.kill)
        for server in self.publishers[len(self.running) : count]:
            await publishers.start(server)
        self.running = self.publishers[:count]

    async def kill(self, chance: random.Random) -> None:
        """Kill one that acts, or any where none does, and start it again: where there were two, as the stand-by."""
        victim = chance.choice(await publishers.acting(self.running) or self.running)
        await asyncio.to_thread(victim.kill)
        await publishers.start(victim)

    async def revive(self) -> None:
        """End the backoffs of all channels."""
        for shop in self.shops:
            (await self.api.post(f"/v1/channels/{shop.name}/dead-letters/retry", {"skus": self.skus[:1]})).ok(202)

    async def wanted(self) -> dict[str, dict[str, int]]:
        """Return what each channel must show, by its name and key."""
        asked = (await self.api.post("/v1/availability/query", {"skus": self.skus})).ok()
        available = [each["available"] for each in asked["availability"]]
        wanted: dict[str, dict[str, int]] = {}
        for shop in self.shops:
            # Under keys that nobody is listed under any more there is nothing.
            shows = wanted[shop.name] = dict.fromkeys(shop.moving.keys, 0)
            for number, (sku, units) in enumerate(zip(self.skus, available, strict=True)):
                key = shop.key_of(sku, number)
                if key:
                    shows[key] = publishable(shop.rules, {"main": units})
        return wanted

    async def not_right(self, wanted: Mapping[str, Mapping[str, int]]) -> list[str]:
        """List what is not as it should be."""
        wrong = []
        for shop in self.shops:
            shown = shop.simulator.shown
            wrong += [
                f"{shop.name} shows {shown[key]} of {key}, not {value}"
                for key, value in wanted[shop.name].items()
                if shown[key] != value and not (shown[key] == NEVER_SENT and shop.moving.is_left(key))
            ]
            status = (await self.api.get(f"/v1/channels/{shop.name}/status")).ok()
            wrong += [
                f"{shop.name}: {status[name]} {name}" for name in ("dirty", "tickets", "dead_letters") if status[name]
            ]
            if not shop.is_quiet():
                wrong.append(f"{shop.name} has not finished with all tickets")
            if status["publisher_missing"]:
                wrong.append(f"no process publishes to {shop.name}")
        return wrong

    def close(self) -> None:
        for server in self.publishers:
            publishers.end(server)


async def run(rounds: int, seed: int, on_round: Callable[[Round], None] = lambda _: None) -> Run:
    """Run so many rounds on one store; ``on_round`` gets each as it ends."""
    chance = random.Random(seed)
    done: list[Round] = []
    async with _staged() as (stage, url):
        for number in range(rounds):
            done.append(await _round(stage, number + 1, chance))
            on_round(done[-1])
        return await _account(stage, url, done)


@contextlib.asynccontextmanager
async def _staged() -> AsyncIterator[tuple[Stage, str]]:
    shops = all_shops()
    with start_valkey() as store:
        async with opened_shops(shops, SKUS + SPARE):
            toml = "".join(shop.toml() for shop in shops)
            seller = Server(toml=toml, role="api", store_url=store.url)
            with contextlib.closing(seller):
                await publishers.start(seller)
                async with opened(seller) as api:
                    stage = Stage(store.url, api, shops, toml)
                    with contextlib.closing(stage):
                        await stage.set_up()
                        yield stage, store.url
                assert seller.faults == []


async def _round(stage: Stage, number: int, chance: random.Random) -> Round:
    before = _pushed(stage)
    count = chance.choice((1, 1, 2))
    await stage.run_publishers(count)
    kills = chance.randint(1, KILLS_MAX)
    async with _traffic(stage, f"round{number}", chance):
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(*KILL_AFTER_S))
            await stage.kill(chance)
        await asyncio.sleep(chance.uniform(*LAST_S))
    behave(stage.shops)
    right_s, wrong = await _until_right(stage)
    mode = "restart" if count == 1 else "stand-by"
    lost = sum(shop.simulator.lost for shop in stage.shops if isinstance(shop.simulator, SlowMarket))
    checked = sum(map(len, (await stage.wanted()).values()))
    return Round(number, mode, kills, _pushed(stage) - before, checked, lost, right_s, wrong)


def _pushed(stage: Stage) -> int:
    return sum(len(shop.simulator.applied) for shop in stage.shops)


@contextlib.asynccontextmanager
async def _traffic(stage: Stage, name: str, chance: random.Random) -> AsyncIterator[None]:
    """Let buyers buy and channels fail meanwhile."""
    buyers = [
        Buyer(f"{name}.{each}", stage.api, stage.skus, stage.shops, random.Random(chance.random()))
        for each in range(BUYERS)
    ]
    tasks = [asyncio.create_task(buyer.run()) for buyer in buyers]
    tasks.append(asyncio.create_task(buyers[0].move_keys()))
    mischief = asyncio.create_task(misbehave(stage.shops, random.Random(chance.random())))
    try:
        yield
    finally:
        for buyer in buyers:
            buyer.running = False
        await asyncio.gather(*tasks)
        mischief.cancel()
        await asyncio.gather(mischief, return_exceptions=True)


async def _until_right(stage: Stage) -> tuple[float, list[str]]:
    """Wait until all is right; returns how long it took, and what is still wrong if the time was not enough."""
    began_s = time.monotonic()
    wanted, revived_s = await stage.wanted(), 0.0
    while True:
        wrong = await stage.not_right(wanted)
        passed_s = time.monotonic() - began_s
        if not wrong or passed_s > RIGHT_S:
            return passed_s, wrong
        if passed_s - revived_s > REVIVE_S:
            await stage.revive()
            revived_s = passed_s
        await asyncio.sleep(0.02)


async def _account(stage: Stage, url: str, rounds: list[Round]) -> Run:
    """Compare all that took effect with the journal, and the store with itself."""
    pool = connect.connection_pool(url)
    try:
        client = connect.client(pool)
        history = await read_history(client, Keyspace(PARTITION))
        report = await audit(client, Keyspace(PARTITION))
    finally:
        await pool.aclose()
    faults = [f"verify: {each}" for each in report.drift] + ([] if report.conclusive else ["verify: inconclusive"])
    ordered = 0
    for shop in stage.shops:
        most = 20_000 if shop.kind == "trendyol" else None
        numbers = range(MOVING, SKUS)
        values = {shop.key(number): history.published(stage.skus[number], shop.rules, most) for number in numbers}
        effects = [effect for effect in shop.effects() if effect[0] in values]
        ordered += len(effects)
        faults += [f"{shop.name}: {fault}" for fault in disorder(effects, values)]
        faults += [f"{shop.name} complains: {complaint}" for complaint in shop.simulator.complaints]
    await stage.run_publishers(len(stage.publishers))  # so that each has a log
    faults += [f"a publisher's log: {line}" for server in stage.running for line in _unexpected(server)]
    copies = sum(shop.simulator.copies for shop in stage.shops if isinstance(shop.simulator, SlowMarket))
    return Run(rounds, history.changes, ordered, copies, faults)


def _unexpected(server: Server) -> list[str]:
    """Pick from a publisher's log what faults of channels and kills do not explain."""
    lines: list[dict[str, Any]] = [
        msgspec.json.decode(line) for line in server.stderr.splitlines() if line.startswith("{")
    ]
    expected = {"channel_circuit_opened"}
    return [
        str(line)
        for line in lines
        if (line.get("level") == "error" and line.get("event") not in expected)
        or line.get("event") in {"channel_dead_letter", "publisher_failed", "channel_failed"}
    ]
