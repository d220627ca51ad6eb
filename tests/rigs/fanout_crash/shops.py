"""The channels of a crash run: one of each shape, as simulators here and as configuration for the real processes."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from adapters.testing.simulator import Fault, Simulator
from server.domain.channels import ChannelRules
from tests.channels import shopify_simulator, webhook_receiver, woocommerce_simulator
from tests.channels.shopify_simulator import ShopifySimulator
from tests.channels.trendyol_simulator import TicketState, TrendyolSimulator
from tests.channels.webhook_receiver import WebhookReceiver
from tests.channels.woocommerce_simulator import WooCommerceSimulator
from tests.rigs.simulation.listings import Listings

TIMEOUT_S: Final = 1.0
"""How long the publisher waits for a channel that is silent."""
LAG_S: Final = (0.02, 0.25)
"""Between two faults of a run."""
CAP: Final = 500
"""So low that what this channel is to show seldom changes: only its own sales do that there."""
SLOW_S: Final = 2.5
"""How long a ticket takes at most."""
FAULTS: Final[tuple[Fault, ...]] = (
    "reset", "reset", "reset_after", "reset_after", "failing", "unavailable", "throttled", "throttled_with_retry_after",
    "not_json", "silent", "silent_after",
)  # fmt: skip
"""Silence is drawn less often: it takes a second of a round each time."""
FAULTS_WAITING_MAX: Final = 2
ENVIRONMENT: Final = {
    "WOO_KEY": woocommerce_simulator.KEY,
    "WOO_SECRET": woocommerce_simulator.SECRET,
    "SHOP_TOKEN": shopify_simulator.TOKEN,
    "MARKET_KEY": TrendyolSimulator.api_key,
    "MARKET_SECRET": TrendyolSimulator.api_secret,
    "HOOK_SECRET": webhook_receiver.SECRET,
}


@dataclass
class Shop:
    """One channel: ``key`` names the listing of the so-manieth SKU there. ``calm``: no fault is ever planted in it.

    ``sells``: buyers order there, too. ``moving``: the listings that change their keys.
    """

    name: str
    kind: str
    simulator: Simulator
    key: Callable[[int], str]
    options: Callable[[Simulator], dict[str, object]]
    credentials: dict[str, str]
    rules: ChannelRules
    calm: bool = False
    sells: bool = True
    moving: Listings = field(default_factory=lambda: Listings((), lists_all=False))

    def list_skus(self, skus: list[str], moving: int, spare: int) -> None:
        """List SKUs, of which the first few will move to other keys, with some to spare."""
        numbers = [*range(moving), *range(len(skus), len(skus) + spare)]
        self.moving = Listings(skus[:moving], lists_all=False, keys=[self.key(number) for number in numbers])

    def key_of(self, sku: str, number: int) -> str:
        """Return the key of the so-manieth SKU now; empty: it is not listed."""
        if sku not in self.moving.by_sku:
            return self.key(number)
        listing = self.moving.of(sku)
        return listing.key if listing.listed else ""

    def toml(self) -> str:
        """Write its part of the configuration; the simulator must have started."""
        rules = {name: value for name, value in msgspec.structs.asdict(self.rules).items() if value is not None}
        table = {"kind": self.kind, "allow_private": ["127.0.0.1"], "timeout_s": TIMEOUT_S, **rules}
        credentials = "".join(f'{name} = {{ env = "{place}" }}\n' for name, place in self.credentials.items())
        return (
            f"[channels.{self.name}]\n{_lines(table)}\n[channels.{self.name}.options]\n"
            f"{_lines(self.options(self.simulator))}\n[channels.{self.name}.credentials]\n{credentials}\n"
        )

    def effects(self) -> list[tuple[str, int]]:
        """Return what took effect, in order, but for tickets that no publisher ever knew of."""
        if isinstance(self.simulator, SlowMarket):
            return [(key, units) for ticket, key, units in self.simulator.effects if ticket.polls]
        return self.simulator.applied

    def is_quiet(self) -> bool:
        """Whether nothing is left that may still take effect by itself."""
        if not isinstance(self.simulator, TrendyolSimulator):
            return True
        return all(line.is_ended for ticket in self.simulator.tickets.values() for line in ticket.lines)


def _lines(table: dict[str, object]) -> str:
    return "".join(f"{name} = {msgspec.json.encode(value).decode()}\n" for name, value in table.items())


@dataclass
class SlowMarket(TrendyolSimulator):
    """A market that takes some time over each ticket, and remembers which ticket brought which value."""

    effects: list[tuple[TicketState, str, int]] = field(default_factory=list)
    _processing: TicketState | None = None

    def _process(self, ticket: TicketState, first: int | None) -> None:
        self._processing = ticket
        super()._process(ticket, first)
        self._processing = None

    def show(self, key: str, quantity: int, price: str | None = None) -> None:
        assert self._processing is not None
        self.effects.append((self._processing, key, quantity))
        super().show(key, quantity, price)

    @property
    def lost(self) -> int:
        """Count the tickets whose answer was lost, so that no publisher ever asked about them."""
        return sum(not ticket.polls for ticket in self.tickets.values())


def all_shops() -> list[Shop]:
    """Make one channel of each shape, and one that never fails."""
    rules = {"reconcile_every_s": 0.0}  # what is wrong must be corrected without a comparison
    woo = {"consumer_key": "WOO_KEY", "consumer_secret": "WOO_SECRET"}
    return [
        Shop(
            "woo", "woocommerce", WooCommerceSimulator(), lambda number: str(1_000 + number), _woo_options, woo,
            msgspec.convert({**rules, "buffer": 2}, ChannelRules),
        ),
        Shop(
            "calm", "woocommerce", WooCommerceSimulator(), lambda number: f"120/{2_000 + number}", _woo_options, woo,
            msgspec.convert({**rules, "cap": CAP}, ChannelRules), calm=True,
        ),
        Shop(
            "shop", "shopify", ShopifySimulator(maximum=20_000.0, restore_per_s=2_000.0),
            lambda number: f"{shopify_simulator.ITEM}{3_000 + number}", _shop_options, {"access_token": "SHOP_TOKEN"},
            msgspec.convert({**rules, "percent": 80}, ChannelRules),
        ),
        Shop(
            "market", "trendyol",
            SlowMarket(writes_per_min=100_000, reads_per_min=100_000, endpoint_requests_max=100_000),
            lambda number: f"TR-{number}", _market_options,
            {"api_key": "MARKET_KEY", "api_secret": "MARKET_SECRET"}, msgspec.convert(rules, ChannelRules),
        ),
        Shop(
            "hook", "webhook", WebhookReceiver(bearer=None), lambda number: f"hook-{number}", _hook_options,
            {"secret": "HOOK_SECRET"}, msgspec.convert({**rules, "min_publish": 3}, ChannelRules), sells=False,
        ),
    ]  # fmt: skip


def _woo_options(simulator: Simulator) -> dict[str, object]:
    return {"base_url": simulator.url, "requests_per_s": 200.0}


def _shop_options(simulator: Simulator) -> dict[str, object]:
    location = shopify_simulator.LOCATION
    return {
        "shop": shopify_simulator.SHOP, "location_id": location, "base_url": simulator.url, "points_per_s": 2000,
    }  # fmt: skip


def _market_options(simulator: Simulator) -> dict[str, object]:
    # Its own documentation has two limits that contradict each other; a run of minutes takes the one that lets it.
    return {"seller_id": 4711, "base_url": simulator.url, "tier": "unlimited", "obey_short_window": False}


def _hook_options(simulator: Simulator) -> dict[str, object]:
    return {"url": simulator.url + webhook_receiver.PATH}


@contextlib.asynccontextmanager
async def opened_shops(shops: list[Shop], skus: int) -> AsyncIterator[None]:
    """Open the channels meanwhile, each with a listing for so many SKUs."""
    async with contextlib.AsyncExitStack() as stack:
        for shop in shops:
            shop.simulator.stock(*map(shop.key, range(skus)), quantity=-1)
            await stack.enter_async_context(shop.simulator)
        yield


async def misbehave(shops: list[Shop], chance: random.Random) -> None:
    """Plant faults for ever in all but the calm ones."""
    faulty = [shop.simulator for shop in shops if not shop.calm]
    while True:
        await asyncio.sleep(chance.uniform(*LAG_S))
        simulator = chance.choice(faulty)
        if len(simulator.faults) < FAULTS_WAITING_MAX:
            simulator.faults.append(chance.choice(FAULTS))
        if isinstance(simulator, SlowMarket):
            simulator.process_s = chance.choice((0.0, chance.uniform(0.0, SLOW_S)))
            simulator.early = chance.choice((0, 1))


def behave(shops: list[Shop]) -> None:
    """Take all faults away that wait."""
    for shop in shops:
        shop.simulator.faults.clear()
        if isinstance(shop.simulator, SlowMarket):
            shop.simulator.process_s = 0.0
