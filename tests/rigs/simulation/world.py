"""Plays one scenario with the real engine, and holds what the shops show against what they should."""

import asyncio
import gc
import random as global_random
from collections import defaultdict
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import msgspec

from server.channels.channel_plan import ChannelPlan
from server.domain.channels import ChannelRules, ChannelSettings, DeadLetter, publishable
from server.domain.components import Component
from server.store.keys import ChannelKeys
from server.store.repositories.channels import ChannelStore
from tests.channels.plain import Plain
from tests.rigs.simulation.listings import Listings
from tests.rigs.simulation.loop import SimulatedLoop, run
from tests.rigs.simulation.process import Process
from tests.rigs.simulation.scenario import TROUBLE_S, Event, Scenario
from tests.rigs.simulation.shop import URL, Shop
from tests.rigs.simulation.store import SimulatedClient, SimulatedStore

SETTLED_S: Final = 400.0
"""So long after the last trouble everything must be right: longer than the longest backoff, rest and second thought."""
LOOK_S: Final = 1.0
COMPARISONS: Final = 4
"""Three find a shop that says yes and changes nothing. One more: what waits for a second thought is not compared."""
COMPARE_EVERY_S: Final = 100.0
"""Longer than a backoff and a second thought together, so that only one comparison can meet one."""


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
                ChannelSettings(
                    name=each.shop.name,
                    kind="plain",
                    rules=self.rules[each.shop.name],
                    listings="all" if each.lists_all else "listed",
                ),
                lambda each=each: Plain(URL, **each.capabilities),  # type: ignore[misc]
            )
            for each in scenario.channels
        ]
        self.started = 0
        self.kills = 0
        # Of what was never counted there is nothing.
        self.wanted: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0])
        self.listings = {
            each.shop.name: Listings(scenario.skus, lists_all=each.lists_all) for each in scenario.channels
        }
        self.processes = [Process(self, number) for number in range(scenario.processes)]
        self._repairs: set[asyncio.Task[None]] = set()

    async def play(self) -> Played:
        """Play it to the end."""
        for name, each in self.listings.items():
            if not each.lists_all:
                await self._desk().put_listings(name, list(each.by_sku.values()), "sim")
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
                self._sell(event, list(self.shops)[event.which])
            case "price" | "move" | "pack":
                await self._list(event, list(self.shops)[event.which])
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

    def _sell(self, event: Event, name: str) -> None:
        listings = self.listings[name]
        made = [each for each in listings.holding(event.sku) if each.listed]
        listing = made[0] if made and event.units % 2 == 0 else listings.of(event.sku)
        if listing.listed:  # else nobody finds it there
            self.shops[name].sell(listing.key, event.units)
            self._after(event.for_s, lambda: self._order(event, name, listing.components))

    def _order(self, event: Event, channel: str, components: Sequence[Component]) -> None:
        parts = [(each.sku, each.quantity) for each in components] or [(event.sku, 1)]
        for sku, quantity in parts:
            self.store.sell(sku, event.location, event.units * quantity, channel)
            self._has_changed(sku)

    def _has_changed(self, sku: str) -> None:
        for name, listings in self.listings.items():
            for key in {each.key for each in (listings.of(sku), *listings.holding(sku))}:
                self.wanted[name, key].append(self._wanted(name, key))

    async def _list(self, event: Event, name: str) -> None:
        listings = self.listings[name]
        match event.what:
            case "price":
                request = listings.price(event.sku, event.price)
            case "move":
                request = listings.move(Random(event.units))
            case _:
                request = listings.pack(Random(event.units))
        self._tell(f"{name} lists {request}")
        for key in self.listings[name].keys:
            self.wanted[name, key].append(self._wanted(name, key))
        await self._desk().put_listings(name, request, "sim")

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
                f"{name} shows {shop.shown.get(key)} under {key}, and should show {self._wanted(name, key)}"
                for name, shop in self.shops.items()
                for key in sorted({*self._listed_keys(name), *shop.shown})
                if self._shown(shop, key) != self._wanted(name, key) and not self._may_differ(shop, key)
            ]
        )

    def _listed_keys(self, name: str) -> set[str]:
        """The keys that somebody is listed under; one that is listed by itself must have been counted."""
        listings, counted = self.listings[name], {sku for sku, _ in self.store.on_hand}
        owners = (listings.owner(key) for key in listings.keys)
        return {each.key for each in owners if each is not None and (each.sku in {*listings.by_sku, *counted})}

    def _shown(self, shop: Shop, key: str) -> int | None:
        """What the shop shows; where it never took a value of the key, it has nothing to sell."""
        return shop.shown.get(key, 0 if key in shop.plan.kept else None)

    def _may_differ(self, shop: Shop, key: str) -> bool:
        """Whether the shop refused or kept the key, and that stands in the dead letters for everybody to see.

        What is refused or kept under a key that nobody is listed under any more is in the log alone.
        """
        owner = self.listings[shop.plan.name].owner(key)
        return self._is_bad(shop, key) and (
            owner is None or (owner.sku, "quantity") in self._dead_letters(shop.plan.name)
        )

    def _is_bad(self, shop: Shop, key: str) -> bool:
        """Whether the shop has a reason to refuse a quantity under the key; a price is none."""
        is_bad = any(each.key == key for each in shop.plan.poisons) or key in shop.plan.keeps_for_ever
        return is_bad or bool(shop.plan.left_out)

    def _held_back(self) -> list[str]:
        """List quantities that are refused without a reason, as those are that a price holds back."""
        return [
            f"{name} refuses every quantity of {sku}, and has nothing against it"
            for name, shop in self.shops.items()
            for sku, refused in sorted(self._dead_letters(name))
            if refused == "quantity" and not self._is_bad(shop, self.listings[name].of(sku).key)
        ]

    def _wrong_prices(self) -> list[str]:
        """Every price is shown, or stands in the dead letters, or its SKU does.

        One that the shop took with a yes and without effect stays unseen: prices are not compared, as the docs say.
        """
        return [
            f"{name} shows the price {shop.prices.get(each.key)} under {each.key}, and should show {each.price}"
            for name, listings in self.listings.items()
            for each in map(listings.owner, sorted(listings.keys))
            if each is not None
            and each.price
            and (shop := self.shops[name]).prices.get(each.key) != each.price
            and not (
                (each.sku, "price") in self._dead_letters(name)
                and (each.price in shop.plan.bad_prices or self._is_bad(shop, each.key))
            )
            and (each.sku, "quantity") not in self._dead_letters(name)
            and each.key not in shop.plan.kept
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

    def _wanted(self, name: str, key: str) -> int:
        """What a key should show: the number of the SKU that is listed under it."""
        owner = self.listings[name].owner(key)
        if owner is None:
            return 0
        parts = owner.components or [Component(owner.sku, 1)]
        return min(self._publishable(name, each.sku) // each.quantity for each in parts)

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
        is_back = any((each.what, each.which) == ("sell", which) and each.units < 0 for each in self.scenario.events)
        falls = [key for key in shop.priced_falls if key not in shop.plan.kept and not is_back]
        return [f"{shop.plan.name} was sent a price with the zero of {key}" for key in falls] + [
            f"{shop.plan.name} was shown {key} out of order: {shown} of {self.wanted[shop.plan.name, key]}"
            for key in sorted(self.listings[shop.plan.name].keys)
            if not _in_order(
                shown := [units for each, units in shop.applied if each == key], self.wanted[shop.plan.name, key]
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
