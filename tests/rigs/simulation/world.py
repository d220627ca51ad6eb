"""Plays one scenario with the real engine, and holds what the shops show against what they should."""

import asyncio
import gc
import random as global_random
from collections import defaultdict
from contextlib import suppress
from random import Random
from typing import Any, Final

import msgspec

from server.channels.connection.clock import Clock
from server.channels.publisher import ChannelPlan, Publisher
from server.domain.channels import ChannelRules, ChannelSettings, DeadLetter, Listing, publishable
from server.store.keys import ChannelKeys
from server.store.repositories.channels import ChannelStore
from tests.channels.plain import Plain
from tests.rigs.simulation.loop import SimulatedLoop, run
from tests.rigs.simulation.scenario import LEASE_S, TROUBLE_S, Event, Scenario
from tests.rigs.simulation.shop import URL, Shop, SimulatedTransport
from tests.rigs.simulation.store import EPOCH_S, SimulatedClient, SimulatedFeed, SimulatedStore

SETTLED_S: Final = 400.0
"""So long after the last trouble everything must be right: longer than the longest backoff, rest and second thought."""
LOOK_S: Final = 1.0
COMPARISONS: Final = 3
COMPARE_EVERY_S: Final = 100.0
"""Longer than a backoff and a second thought together: what is pending is not compared."""
FLUSH_S: Final = 0.25
"""Less often than in life, for half of the cost of a run is this."""


class Played(msgspec.Struct):
    """What came of one scenario. ``problems`` empty: every guarantee held."""

    seed: int
    problems: list[str]
    requests: int
    applied: int
    dead_letters: int
    kills: int
    settled_s: float
    story: list[str] = []


class SimulatedClock(Clock):
    """The clock of a process in the simulated world: it never jumps, and the store's may."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def now_s(self) -> float:
        """The loop's time."""
        return self._loop.time()

    def wall_s(self) -> float:
        """A date in that time."""
        return EPOCH_S + self._loop.time()

    def store_ms(self) -> int:
        """The store's clock, as it was when it last answered."""
        return int(1000 * self.wall_s() + self._offset_ms)

    def learn(self, store_ms: int, asked_s: float) -> None:  # noqa: ARG002
        """Set the store's time from an answer; how long it took does not matter here."""
        self._offset_ms = store_ms - 1000 * self.wall_s()


class Process:
    """One publisher process: started, killed, started again."""

    def __init__(self, world: "World", number: int) -> None:
        self.number = number
        self.publisher: Publisher | None = None
        self.client = SimulatedClient(world.store, world.random)
        self._world = world
        self._task: asyncio.Task[None] | None = None
        self._feed: SimulatedFeed | None = None

    def start(self) -> None:
        """Begin to publish, or to stand by."""
        if self._task is not None:
            return
        world = self._world
        self.client = SimulatedClient(world.store, world.random)
        self._feed = SimulatedFeed(self.client)
        self._feed.start()
        self.publisher = Publisher(
            self.client,  # type: ignore[arg-type]  # what it is asked, it knows
            world.store.keyspace,
            self._feed,
            world.plans,
            lease_s=LEASE_S,
            clock=SimulatedClock(world.loop),
            open_transport=lambda settings: SimulatedTransport(world.shops[settings.name]),
            flush_s=FLUSH_S,
        )
        world.started += 1
        self.publisher.owner = f"p{world.started}"
        self._task = asyncio.create_task(self.publisher.run())

    async def kill(self) -> None:
        """Tear it away: nothing is written any more, and what it had on its way may still arrive."""
        self.client.cut()
        await self._end()

    async def stop(self) -> None:
        """End it in order."""
        if self.publisher is not None:
            await self.publisher.finish()
        await self._end()

    async def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None and self._feed is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._feed.close()


class World:
    """The store, the shops and the processes of one scenario."""

    def __init__(self, scenario: Scenario, loop: SimulatedLoop) -> None:
        self.scenario = scenario
        self.loop = loop
        self.story: list[str] = []
        self.random = Random(scenario.seed + 1)
        self.store = SimulatedStore(loop)
        self.shops = {each.shop.name: Shop(each.shop, self.random, loop.time, self._tell) for each in scenario.channels}
        self.rules = {each.shop.name: msgspec.convert(each.rules, ChannelRules) for each in scenario.channels}
        self.plans = [
            ChannelPlan(
                ChannelSettings(name=each.shop.name, kind="plain", rules=self.rules[each.shop.name], listings="all"),
                lambda each=each: Plain(URL, **each.capabilities),  # type: ignore[misc]
            )
            for each in scenario.channels
        ]
        self.started = 0
        self.kills = 0
        # Of what was never counted there is nothing.
        self.wanted: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0])
        self.prices: dict[tuple[str, str], str] = {}
        self.processes = [Process(self, number) for number in range(scenario.processes)]
        self._repairs: set[asyncio.Task[None]] = set()

    async def play(self) -> Played:
        """Play it to the end."""
        for process in self.processes:
            process.start()
        for event in self.scenario.events:
            await asyncio.sleep(max(0.0, event.at_s - self.loop.time()))
            await self._let(event)
        await asyncio.sleep(max(0.0, TROUBLE_S - self.loop.time()))
        await asyncio.gather(*self._repairs)
        await self._compare()
        problems = await self._until_right()
        settled_s = self.loop.time() - TROUBLE_S
        for shop in self.shops.values():
            problems += [f"{shop.plan.name}: {what}" for what in shop.complaints]
            problems += self._out_of_order(shop)
        dead_letters = sum(len(self._dead_letters(name)) for name in self.shops)
        for process in self.processes:
            await process.kill()
        return Played(
            self.scenario.seed,
            problems,
            requests=sum(shop.requests for shop in self.shops.values()),
            applied=sum(len(shop.applied) for shop in self.shops.values()),
            dead_letters=dead_letters,
            kills=self.kills,
            settled_s=settled_s,
            story=self.story,
        )

    # -- what happens

    def _tell(self, what: str) -> None:
        self.story.append(f"{self.loop.time():9.3f} s  {what}")

    async def _let(self, event: Event) -> None:
        self._tell(" ".join(str(each) for each in msgspec.structs.astuple(event)[1:]))
        match event.what:
            case "count":
                self.store.set_on_hand(event.sku, event.location, event.units)
                self._has_changed(event.sku)
            case "sell":
                shop = list(self.shops.values())[event.which]
                shop.sell(event.sku, event.units)
                self._after(event.for_s, lambda: self._order(event, shop.plan.name))
            case "price":
                await self._list(list(self.shops)[event.which], event.sku, event.price)
            case "jump":
                self.store.fast_s += event.for_s
            case "close" | "open":
                self.store.describe(event.location, is_open=event.what == "open")
                for sku in self.scenario.skus:
                    self._has_changed(sku)
            case "kill":
                self.kills += 1
                await self.processes[event.which].kill()
                self._after(event.for_s, self.processes[event.which].start)
            case "stop":
                self._repair(self._restart(self.processes[event.which], event.for_s))
            case "cut":
                client = self.processes[event.which].client
                client.cut()
                self._after(event.for_s, client.restore)
            case _:
                await self._command(list(self.shops)[event.which], event.what)

    def _order(self, event: Event, channel: str) -> None:
        self.store.sell(event.sku, event.location, event.units, channel)
        self._has_changed(event.sku)

    def _has_changed(self, sku: str) -> None:
        for name in self.shops:
            self.wanted[name, sku].append(self._publishable(name, sku))

    async def _list(self, name: str, sku: str, price: str) -> None:
        self.prices[name, sku] = price
        await self._desk().put_listings(name, [Listing(sku, sku, price=price)], "sim")

    async def _command(self, name: str, what: str) -> None:
        command: Any = f"channel_{what}"
        await self._desk().send_command(name, command, self.scenario.skus if what == "resend" else (), "sim")

    def _desk(self) -> ChannelStore:
        return ChannelStore(SimulatedClient(self.store, self.random), self.store.keyspace)  # type: ignore[arg-type]

    async def _restart(self, process: Process, after_s: float) -> None:
        await process.stop()
        await asyncio.sleep(after_s)
        process.start()

    def _after(self, after_s: float, do: Any) -> None:
        async def wait() -> None:
            await asyncio.sleep(after_s)
            do()

        self._repair(wait())

    def _repair(self, work: Any) -> None:
        self._repairs.add(asyncio.create_task(work))

    # -- what must be

    async def _compare(self) -> None:
        """Compare as often as it takes to find a shop that says yes and changes nothing: no answer tells of that."""
        keeping = [name for name, shop in self.shops.items() if shop.plan.keeps]
        for _ in range(COMPARISONS if keeping else 0):
            await asyncio.sleep(COMPARE_EVERY_S)
            for name in keeping:
                await self._command(name, "reconcile")

    async def _until_right(self) -> list[str]:
        """Wait until everything is as it should be and nothing is left to do; report what never is."""
        until_s = self.loop.time() + SETTLED_S
        problems = self._wrong()
        while (problems or not self._is_idle()) and self.loop.time() < until_s:
            await asyncio.sleep(LOOK_S)
            problems = self._wrong()
        if not problems and not self._is_idle():
            problems = ["what is shown is right, but somebody still has work, or a cursor stands behind"]
        return problems

    def _wrong(self) -> list[str]:
        return (
            self._held_back()
            + self._wrong_prices()
            + [
                f"{name} shows {shop.shown.get(sku)} of {sku}, and should show {self._publishable(name, sku)}"
                for name, shop in self.shops.items()
                for sku in sorted({sku for sku, _ in self.store.on_hand})
                if self._shown(shop, sku) != self._publishable(name, sku) and not self._may_differ(shop, sku)
            ]
        )

    def _shown(self, shop: Shop, sku: str) -> int | None:
        """What the shop shows; where it never took a value of the SKU, it has nothing to sell."""
        return shop.shown.get(sku, 0 if sku in shop.plan.kept else None)

    def _may_differ(self, shop: Shop, sku: str) -> bool:
        """Whether the shop refused or kept the SKU, and that stands in the dead letters for everybody to see."""
        return self._is_bad(shop, sku) and (sku, "quantity") in self._dead_letters(shop.plan.name)

    def _is_bad(self, shop: Shop, sku: str) -> bool:
        """Whether the shop has a reason to refuse a quantity of the SKU; a price is none."""
        is_bad = any(each.key == sku for each in shop.plan.poisons) or sku in shop.plan.keeps_for_ever
        return is_bad or bool(shop.plan.left_out)

    def _held_back(self) -> list[str]:
        """List quantities that are refused without a reason, as those are that a price holds back."""
        return [
            f"{name} refuses every quantity of {sku}, and has nothing against it"
            for name, shop in self.shops.items()
            for sku, refused in sorted(self._dead_letters(name))
            if refused == "quantity" and not self._is_bad(shop, sku)
        ]

    def _wrong_prices(self) -> list[str]:
        """Every price is shown, or stands in the dead letters, or its SKU does.

        One that the shop took with a yes and without effect stays unseen: prices are not compared, as the docs say.
        """
        return [
            f"{name} shows the price {shop.prices.get(sku)} of {sku}, and should show {price}"
            for (name, sku), price in self.prices.items()
            if (shop := self.shops[name]).prices.get(sku) != price
            and not (
                (sku, "price") in self._dead_letters(name)
                and (price in shop.plan.bad_prices or self._is_bad(shop, sku))
            )
            and (sku, "quantity") not in self._dead_letters(name)
            and sku not in shop.plan.kept
        ]

    def _dead_letters(self, name: str) -> set[tuple[str, str]]:
        """The SKUs, and whether their quantity or their price was refused, as everybody can read it."""
        stored = self.store.hashes.get(ChannelKeys(self.store.keyspace, name).dead_letters, {})
        letters = [msgspec.msgpack.decode(packed, type=DeadLetter) for packed in stored.values()]
        return {(letter.sku, letter.field) for letter in letters}

    def _is_idle(self) -> bool:
        acting = [each.publisher for each in self.processes if each.publisher is not None and each.publisher.acting]
        if len(acting) != 1 or any(shop.later for shop in self.shops.values()):
            return False
        channels, end = acting[0].channels, self.store.last_id()
        return all(each.state.oldest() is None and each.cursor() >= end for each in channels)

    def _publishable(self, name: str, sku: str) -> int:
        on_hand, closed = self.store.on_hand, self.store.closed
        levels = {place: units for (known, place), units in on_hand.items() if known == sku and place not in closed}
        return publishable(self.rules[name], levels)

    def _out_of_order(self, shop: Shop) -> list[str]:
        """Where every answer came, an older value never followed a newer one, and no price went with a fall to zero."""
        unsure = shop.plan.may_be_unsure or any(
            each.what in {"kill", "cut", "stop", "jump"} for each in self.scenario.events
        )
        if unsure:
            return []
        which = list(self.shops).index(shop.plan.name)
        # The shop itself can put a number up again, by a cancel, and then shows more than it was told.
        back = {
            each.sku for each in self.scenario.events if (each.what, each.which) == ("sell", which) and each.units < 0
        }
        falls = [key for key in shop.priced_falls if key not in back | shop.plan.kept]
        return [f"{shop.plan.name} was sent a price with the zero of {key}" for key in falls] + [
            f"{shop.plan.name} was shown {sku} out of order: {shown} of {self.wanted[shop.plan.name, sku]}"
            for sku in self.scenario.skus
            if not _in_order(
                shown := [units for key, units in shop.applied if key == sku], self.wanted[shop.plan.name, sku]
            )
        ]


def _in_order(shown: list[int], wanted: list[int]) -> bool:
    """Whether ``shown`` is what is left of ``wanted`` when some of it is taken out; one value may be shown twice."""
    at = 0
    for units in shown:
        while at < len(wanted) and wanted[at] != units:
            at += 1
        if at == len(wanted):
            return False
    return True


def play(scenario: Scenario) -> Played:
    """Play a scenario from its beginning to its end; the same scenario plays the same way each time."""
    global_random.seed(scenario.seed)

    async def main() -> Played:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        return await World(scenario, loop).play()

    try:
        return run(main())
    except Exception as error:  # noqa: BLE001  # whatever it is, the seed is what helps
        return Played(scenario.seed, [f"{type(error).__name__}: {error}"], 0, 0, 0, 0, 0.0)
    finally:
        gc.unfreeze()  # a publisher freezes what it loads; a thousand of them would never be freed
