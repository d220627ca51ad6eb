"""What happens in one run: drawn from one number, so that the number reproduces all of it."""

from random import Random
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from tests.rigs.simulation.shop import FAULTS, Poison, ShopPlan, Window

TROUBLE_S: Final = 25.0
"""For so long things are sold and go wrong; then the world is quiet, and everything must come right."""
LEASE_S: Final = 2.0
LOCATIONS: Final = ("main", "store")
_ALWAYS_UNSURE: Final = ("lost", "late", "unanswered")
BAD_PRICES: Final = ("6.66", "6.67")


class ChannelPlan(msgspec.Struct, frozen=True):
    """One channel: its shop, what its adapter can do, and the rules by which its number is made."""

    shop: ShopPlan
    capabilities: dict[str, Any]
    rules: dict[str, Any]
    lists_all: bool = True


class Event(msgspec.Struct, frozen=True):
    """At ``at_s`` something happens.

    ``count`` sets a SKU's units at a location; ``close`` and ``open`` are about a whole location. ``kill`` tears a
    process away, and another takes its place after ``for_s``. ``stop`` ends it in order. ``cut`` takes its store away
    for ``for_s``. ``reconcile`` asks a channel for a comparison, ``resend`` for all SKUs. ``sell``: a channel sells
    units itself, fewer than none: takes them back; the order reaches us ``for_s`` later. ``price`` lists a SKU there
    with a price. ``move`` gives keys to other SKUs, drawn by ``units``; ``pack`` makes packs and bundles. ``jump``
    puts the store's clock forward by ``for_s``, or back.
    """

    at_s: float
    what: str
    which: int = 0
    for_s: float = 0.0
    sku: str = ""
    location: str = ""
    units: int = 0
    price: str = ""


class Scenario(msgspec.Struct, frozen=True):
    """All that is drawn. ``processes`` publishers run at once; one of them acts."""

    seed: int
    skus: tuple[str, ...]
    channels: tuple[ChannelPlan, ...]
    events: tuple[Event, ...]
    processes: int


def draw(seed: int) -> Scenario:
    """Draw a scenario. Some are calm: the fewer things go wrong, the more can be asked of what comes out."""
    random = Random(seed)
    skus = tuple(f"S{number}" for number in range(random.randint(1, 8)))
    processes = random.choice((1, 1, 2))
    channels = tuple(_channel(random, f"c{number}", skus) for number in range(random.randint(1, 3)))
    counts, troubles = _counts(random, skus), _troubles(random, processes, len(channels))
    baits = [bait for trouble in troubles if trouble.what == "kill" for bait in _baits(random, trouble, counts)]
    # Drawn last, and by another number: what the earlier ones drew stays what it was.
    random = Random(-1 - seed)
    channels = tuple(_with_habits(random, channel, skus) for channel in channels)
    more = [*_sales(random, channels, skus), *_prices(random, channels, counts), *_jumps(random, troubles)]
    more += _closings(random)
    random = Random(-1_000_000 - seed)
    channels = tuple(replace(channel, lists_all=random.random() < 0.7) for channel in channels)
    more += _moves(random, channels, troubles)
    more += _packs(Random(-2_000_000 - seed), channels, troubles)
    events = sorted([*counts, *troubles, *baits, *more], key=lambda each: each.at_s)
    return Scenario(seed, skus, channels, tuple(events), processes)


def _channel(random: Random, name: str, skus: tuple[str, ...]) -> ChannelPlan:
    tickets = random.random() < 0.3
    result = random.choice(("per_item", "per_item", "whole"))
    capabilities: dict[str, Any] = {
        "items_max": random.choice((1, 2, 5, 50)),
        "result": result,
        "requests_in_flight_max": random.choice((1, 1, 3)),
        "poll_every_s": random.choice((0.5, 3.0)),
        "read_items_max": random.choice((0, 3, 50)),
    }
    if tickets:
        capabilities["jobs_pending_max"] = random.choice((None, 1, 3))
    rules: dict[str, Any] = {
        "buffer": random.choice((0, 0, 2)),
        "percent": random.choice((100, 100, 50)),
        "min_publish": random.choice((0, 0, 3)),
        "cap": random.choice((None, None, 10)),
        "cadence_s": random.choice((0.0, 0.0, 0.0, 4.0)),
        "locations": random.choice(([], [], [LOCATIONS[0]])),
    }
    shop = ShopPlan(
        name=name,
        result=result,
        ticket_s=(0.2, random.choice((1.0, 15.0))) if tickets else None,
        windows=_windows(random),
        poisons=_poisons(random, skus),
        answer_s=random.choice(((0.001, 0.01), (0.01, 0.2), (0.1, 1.0))),
    )
    return ChannelPlan(shop, capabilities, rules)


def _with_habits(random: Random, channel: ChannelPlan, skus: tuple[str, ...]) -> ChannelPlan:
    """Draw what a shop does by itself: sell, say yes and keep its number, leave rows out, refuse prices."""
    left_out = []
    if random.random() < 0.15:
        from_s = random.uniform(0, TROUBLE_S * 0.8)
        left_out.append(
            Window(from_s, min(TROUBLE_S, from_s + random.expovariate(1 / 5)), random.choice((0.2, 0.6)), ())
        )
    shop = replace(
        channel.shop,
        keeps=_keeps(random, skus, can_be_read=channel.capabilities["read_items_max"] > 0),
        left_out=tuple(left_out),
        bad_prices=BAD_PRICES if random.random() < 0.7 else (),
    )
    own_sale = random.choice(("none", "lowers", "lowers", "subtracts"))
    return ChannelPlan(shop, {**channel.capabilities, "own_sale": own_sale}, channel.rules)


def _keeps(random: Random, skus: tuple[str, ...], *, can_be_read: bool) -> tuple[Poison, ...]:
    if random.random() < 0.85:
        return ()
    from_s, is_for_ever = random.uniform(0, TROUBLE_S), can_be_read and random.random() < 0.5
    return (Poison(random.choice(skus), from_s, float("inf") if is_for_ever else from_s + random.uniform(0, 5.0)),)


def _sales(random: Random, channels: tuple[ChannelPlan, ...], skus: tuple[str, ...]) -> list[Event]:
    selling = [number for number, each in enumerate(channels) if each.capabilities["own_sale"] != "none"]
    events = []
    for _ in range(random.randint(0, 30) if selling else 0):
        at_s, which, sku = random.uniform(1.0, TROUBLE_S - 3.0), random.choice(selling), random.choice(skus)
        units, place, late_s = (
            random.randint(1, 3),
            random.choice(LOCATIONS),
            random.choice((0.0, random.uniform(0, 2.0))),
        )
        events.append(Event(at_s, "sell", which, late_s, sku, place, units))
        if random.random() < 0.2:
            back_s = min(TROUBLE_S - 2.5, at_s + late_s + random.uniform(0.0, 3.0))
            events.append(Event(back_s, "sell", which, late_s, sku, place, -units))
    return events


def _prices(random: Random, channels: tuple[ChannelPlan, ...], counts: list[Event]) -> list[Event]:
    """List SKUs with prices: often shortly before their number changes, so that both are new to the shop at once."""
    if random.random() < 0.5:
        return []
    falls, events = [each for each in counts if not each.units], []
    for _ in range(random.randint(1, 10)):
        near = random.choice(falls if falls and random.random() < 0.7 else counts)
        at_s = random.choice((0.0, random.uniform(0.0, TROUBLE_S), max(0.0, near.at_s - random.uniform(0.0, 2.0))))
        which, price = random.randrange(len(channels)), random.choice(("1.10", "2.20", *BAD_PRICES))
        events.append(Event(at_s, "price", which, sku=near.sku, price=price))
    return events


def _moves(random: Random, channels: tuple[ChannelPlan, ...], troubles: list[Event]) -> list[Event]:
    """Give keys to other SKUs: at any time, shortly after one another, and shortly before a kill."""
    events: list[Event] = []
    for _ in range(random.choice((0, 0, 3, 12))):
        near = [each.at_s for each in (*troubles, *events)]
        at_s = random.uniform(0.0, TROUBLE_S)
        if near and random.random() < 0.5:
            at_s = min(TROUBLE_S, max(0.0, random.choice(near) + random.uniform(-0.4, 0.2)))
        events.append(Event(at_s, "move", random.randrange(len(channels)), units=random.randrange(1_000_000)))
    return events


def _packs(random: Random, channels: tuple[ChannelPlan, ...], troubles: list[Event]) -> list[Event]:
    """Make packs and bundles and change them: at any time, and shortly before a kill."""
    events: list[Event] = []
    for _ in range(random.choice((0, 0, 2, 8))):
        at_s = random.uniform(0.0, TROUBLE_S)
        if troubles and random.random() < 0.3:
            at_s = min(TROUBLE_S, max(0.0, random.choice(troubles).at_s + random.uniform(-0.4, 0.2)))
        events.append(Event(at_s, "pack", random.randrange(len(channels)), units=random.randrange(1_000_000)))
    return events


def _jumps(random: Random, troubles: list[Event]) -> list[Event]:
    if random.random() < 0.8:
        return []
    kills = [each.at_s for each in troubles if each.what == "kill"]
    at_s = random.choice(kills) if kills and random.random() < 0.7 else random.uniform(0, TROUBLE_S)
    by_s = random.choice((-86_400.0, -1_800.0, -30.0, -1.0, 1.0, 30.0, 1_800.0, 86_400.0))
    jumps = [Event(at_s, "jump", for_s=by_s)]
    if random.random() < 0.5:  # and right again
        jumps.append(Event(min(TROUBLE_S, at_s + random.uniform(0.0, 5.0)), "jump", for_s=-by_s))
    return jumps


def _windows(random: Random) -> tuple[Window, ...]:
    windows = []
    for _ in range(random.choice((0, 0, 1, 2))):
        from_s = random.uniform(0, TROUBLE_S * 0.8)
        until_s = min(TROUBLE_S, from_s + random.expovariate(1 / 5))
        faults = tuple(random.sample(FAULTS, random.randint(1, 4)))
        windows.append(Window(from_s, until_s, random.choice((0.1, 0.5, 1.0)), faults))
    return tuple(windows)


def _poisons(random: Random, skus: tuple[str, ...]) -> tuple[Poison, ...]:
    if random.random() < 0.8:
        return ()
    from_s = random.uniform(0, TROUBLE_S)
    return (Poison(random.choice(skus), from_s, random.choice((from_s + 3.0, float("inf")))),)


def _counts(random: Random, skus: tuple[str, ...]) -> list[Event]:
    hot = random.sample(skus, max(1, len(skus) // 3))
    return [
        Event(
            random.uniform(0, TROUBLE_S),
            "count",
            sku=random.choice(hot if random.random() < 0.7 else skus),
            location=random.choice(LOCATIONS),
            units=random.choice((0, random.randint(0, 20))),
        )
        for _ in range(random.randint(5, 60))
    ]


def _closings(random: Random) -> list[Event]:
    return [
        Event(random.uniform(0, TROUBLE_S), random.choice(("close", "open")), location=random.choice(LOCATIONS))
        for _ in range(random.choice((0, 0, 2, 6)))
    ]


def _baits(random: Random, kill: Event, counts: list[Event]) -> list[Event]:
    """Change a SKU shortly before a kill and back again after it: what was on its way may be shown, unknown to all."""
    before = [each for each in counts if each.at_s < kill.at_s - 1.0]
    if not before or random.random() < 0.3:
        return []
    known = random.choice(before)
    same = [each for each in counts if (each.sku, each.location) == (known.sku, known.location)]
    units = max((each for each in same if each.at_s < kill.at_s), key=lambda each: each.at_s).units
    there_s, back_s = kill.at_s - random.uniform(0.0, 0.4), kill.at_s + random.uniform(0.0, 0.2)
    return [
        Event(there_s, "count", sku=known.sku, location=known.location, units=units + 5),
        Event(back_s, "count", sku=known.sku, location=known.location, units=units),
    ]


def _troubles(random: Random, processes: int, channels: int) -> list[Event]:
    events = []
    for _ in range(random.choice((0, 0, 1, 2, 4))):
        what = random.choice(("kill", "kill", "stop", "cut", "cut"))
        for_s = random.choice((0.01, 0.5, 1.5 * LEASE_S))
        events.append(Event(random.uniform(0.1, TROUBLE_S), what, random.randrange(processes), for_s))
    for _ in range(random.choice((0, 0, 0, 1))):
        what = random.choice(("reconcile", "resend"))
        events.append(Event(random.uniform(1, TROUBLE_S), what, random.randrange(channels)))
    return events
