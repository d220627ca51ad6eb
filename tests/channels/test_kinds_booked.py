"""Every kind that sells, and the booking of its orders: however news come, stock ends as the channel has it.

Snapshots are heard, read in walks, read whole, doubled and told again much later. At the end each order is read whole,
and the units of every SKU are what is left by what was sold, cancelled and shipped there.
"""

import random
from collections import Counter
from typing import Any, Final

import msgspec
import pytest

from adapters.contract.orders import Order
from adapters.testing.driving import PATIENT_S
from adapters.testing.orders_conformance import LATER_S, OrdersConformance
from adapters.testing.seller import START_MS, Seller
from server.channels.connection.http_transport import Transport
from server.channels.inbound.snapshots import neutral
from server.domain.channel_orders import IntakeRules
from server.domain.channels import ChannelSettings, Listing
from server.service.caller import Caller
from server.service.orders import book
from server.store.repositories.channels import ChannelStore
from tests.channels import (
    test_allegro_orders,
    test_amazon_orders,
    test_emag_orders,
    test_hepsiburada_orders,
    test_n11_orders,
    test_oscar_orders,
    test_shopify_orders,
    test_trendyol_orders,
    test_woocommerce_orders,
)
from tests.rigs.order_histories.run import caller_on
from tests.support.operations import meant, receive
from tests.support.stores import StoreProcess

KINDS: Final[dict[str, type[OrdersConformance[Any]]]] = {
    "allegro": test_allegro_orders.TestAllegroOrders,
    "amazon": test_amazon_orders.TestAmazonOrders,
    "emag": test_emag_orders.TestEmagOrders,
    "hepsiburada": test_hepsiburada_orders.TestHepsiburadaOrders,
    "n11": test_n11_orders.TestN11Orders,
    "oscar": test_oscar_orders.TestOscarOrders,
    "shopify": test_shopify_orders.TestShopifyOrders,
    "trendyol": test_trendyol_orders.TestTrendyolOrders,
    "woocommerce": test_woocommerce_orders.TestWooCommerceOrders,
}
RULES: Final = IntakeRules(second_look_s=0.0)
UNITS: Final = 1_000
STEPS: Final = 40
LISTINGS: Final = 3


class Shelf:
    """The stock behind one channel, and what is booked of its orders."""

    def __init__(self, caller: Caller, channel: str, seller: Seller, keys: list[str]) -> None:
        settings = {channel: ChannelSettings(name=channel, kind="webhook")}
        partition = msgspec.structs.replace(caller.partition, channels=settings, ledgers={})
        self._caller = Caller(caller.principal, partition)
        self._ledger: Any = caller.ledger
        self._channel = channel
        self._seller = seller
        self._skus = {key: f"{channel}-{number}" for number, key in enumerate(keys)}
        self.told: list[Order] = []

    async def fill(self) -> None:
        store = ChannelStore(self._caller.partition.client, self._caller.partition.keyspace)
        await store.put_listings(self._channel, [Listing(sku, key) for key, sku in self._skus.items()], "tester")
        for sku in self._skus.values():
            await self._ledger.run(meant(receive(sku, UNITS)))

    async def take(self, order: Order, *, fetched: bool) -> str:
        """Book a snapshot; return what is wrong with it."""
        self.told.append(order)
        booked = await book(self._caller, self._channel, neutral(order), fetched=fetched, rules=RULES)
        return booked.inbox and f"{order.key}: {booked.inbox} {booked.detail}"

    async def read(self, number: str) -> str:
        order = await self._seller.fetch(number)
        return await self.take(order, fetched=True) if order is not None else f"{number} is not there"

    async def walk(self) -> None:
        more = True
        while more:
            pulled = await self._seller.page(self._seller.cursor)
            for order in pulled.orders:
                await self.take(order, fetched=True)
            for number in pulled.hints:
                await self.read(number)
            self._seller.cursor, more = pulled.cursor, pulled.more

    async def hear(self, number: str) -> None:
        for delivery in self._seller.simulator.deliveries(number):
            heard = self._seller.adapter.hear(delivery, self._seller.now_s)
            for order in heard.orders:
                await self.take(order, fetched=False)
            for hint in heard.hints:
                await self.read(hint)

    async def wrong(self, *, tells_shipments: bool) -> list[str]:
        """Compare the units of each SKU with what became of the orders."""
        gone, open_ = Counter[str](), Counter[str]()
        for lines in self._seller.simulator.truth.values():
            for line in lines.values():
                left = line.shipped if tells_shipments else 0
                gone[line.listing] += left
                open_[line.listing] += line.ordered - line.cancelled - left
        found = []
        for key, sku in self._skus.items():
            levels = (await self._ledger.stock(sku)).levels
            is_so = tuple(sum(getattr(level, name) for level in levels) for name in ("on_hand", "held", "committed"))
            must_be = (UNITS - gone[key], 0, open_[key])
            found += [] if is_so == must_be else [f"{sku}: {is_so}, must be {must_be}"]
        return found


async def play(kind: str, seed: int, caller: Caller) -> list[str]:
    """Let a channel live at random; return what is wrong in the end."""
    chance, suite = random.Random(seed), KINDS[kind]()
    keys = [suite.key(number) for number in range(LISTINGS)]
    transport = Transport(allow_private=["127.0.0.1"], timeout_s=PATIENT_S)
    async with suite.make_simulator() as simulator:
        suite.make_known(simulator, *keys)
        simulator.shown.update(dict.fromkeys(simulator.shown, 10_000))
        simulator.fixed_ms = START_MS
        simulator.misbehave(chance)
        options = msgspec.convert(suite.options_of_seller(simulator), suite.kind.options)
        adapter = suite.kind.build(options, {**suite.credentials, **suite.heard_with})
        shelf = Shelf(caller, f"{kind}-{seed}", Seller(adapter, transport.send, simulator), keys)
        await shelf.fill()
        for _ in range(STEPS):
            await _step(shelf, simulator, chance)
        simulator.later(LATER_S)
        if hasattr(simulator, "cursors_refused"):
            simulator.cursors_refused = 0
        await shelf.walk()
        problems = [problem for _ in range(3) for number in simulator.truth if (problem := await shelf.read(number))]
        await transport.close()
        return [*problems, *await shelf.wrong(tells_shipments=suite.tells_shipments), *simulator.complaints]


async def _step(shelf: Shelf, simulator: Any, chance: random.Random) -> None:
    number = simulator.act(chance)
    what = chance.random()
    if what < 0.3:
        await shelf.hear(number)
    elif what < 0.5:
        await shelf.read(number)
    elif what < 0.6 and not getattr(simulator, "cursors_refused", 0):
        await shelf.walk()
    elif what < 0.7 and shelf.told:
        await shelf.take(chance.choice(shelf.told), fetched=False)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
async def test_stock_ends_as_the_channel_has_it(kind: str, seed: int, store: StoreProcess, partition: str) -> None:
    async with caller_on(store, partition) as caller:
        assert await play(kind, seed, caller) == []


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
async def test_stock_ends_as_the_channel_has_it_in_many_histories(
    kind: str, store: StoreProcess, partition: str
) -> None:
    async with caller_on(store, partition) as caller:
        wrong = {seed: problems for seed in range(1_000, 1_200) if (problems := await play(kind, seed, caller))}
    assert wrong == {}
