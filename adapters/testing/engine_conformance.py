"""What every kind of channel must do together with the engine: on a real store, over real sockets, after a restart."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from adapters.contract.adapter import Adapter, Capabilities
from adapters.contract.stock import Item
from adapters.testing.driving import Driving, S
from adapters.testing.engine import Engine, plan, publishing
from adapters.testing.waiting import wait_until
from server.channels.channel_plan import ChannelPlan
from server.domain.channels import Listing
from server.domain.operations.stock import Receive
from server.store.ledger.ledger import Ledger

UNITS_MAX = 2_000_000_001
"""More than any channel shows."""
POLL_EVERY_S = 0.02
"""A simulated channel has finished at once."""
CHANNEL = "shop"


class HasUrl(Protocol):
    """A store that runs, wherever it comes from."""

    @property
    def url(self) -> str:
        """Where it answers."""


class EngineConformance(Driving[S]):
    """Part of ``adapters.testing.conformance``: that what is confirmed is what the channel shows."""

    def priced(self, item: Item) -> Item:
        """Give an item prices that its channel takes."""
        return msgspec.structs.replace(item, price="9.50", list_price="12.00", currency=self.currency)

    async def test_what_is_confirmed_is_what_is_shown_also_above_the_maximum_and_after_a_restart(
        self, simulator: S, store: HasUrl, ledger: Ledger, partition: str
    ) -> None:
        largest = self.build(simulator).capabilities.quantity_max or UNITS_MAX
        above, below, none = (self.priced(item) for item in self.items(UNITS_MAX, 7, 0))
        for item in (above, below):
            await ledger.run(_received(item))
        wanted = {above.key: largest, below.key: 7, none.key: 0}
        simulator.shown[none.key] = 3
        plans = [self._plan(simulator)]

        async with publishing(store.url, partition, plans) as engine:
            await engine.list_skus(CHANNEL, *(_listing(item) for item in (above, below, none)))
            await wait_until(lambda: {key: simulator.shown[key] for key in wanted} == wanted, "all is shown")
            await wait_until(engine.is_idle)
        prices = dict(simulator.prices)
        async with publishing(store.url, partition, plans) as engine:
            await engine.store.send_command(CHANNEL, "channel_reconcile", (), "test")
            await wait_until(lambda: engine.channel(CHANNEL).last_reconcile is not None, "it is compared")
            await wait_until(engine.is_idle)

            assert [letter async for letter in engine.store.dead_letters(CHANNEL)] == []
            self._check_reconcile(engine, simulator)
        assert {key: simulator.shown[key] for key in wanted} == wanted
        assert simulator.prices == prices

    def _check_reconcile(self, engine: Engine, simulator: S) -> None:
        report = engine.channel(CHANNEL).last_reconcile
        assert report is not None
        is_read = bool(self.build(simulator).capabilities.read_items_max)
        assert (report.checked, report.differed, report.read_back) == (3, 0, is_read)

    async def test_what_was_changed_at_the_channel_is_mended_by_a_publisher_that_was_just_started(
        self, simulator: S, store: HasUrl, ledger: Ledger, partition: str
    ) -> None:
        items = self.items(5, 7, 9)
        for item in items:
            await ledger.run(_received(item))
        plans = [self._plan(simulator)]
        async with publishing(store.url, partition, plans) as engine:
            await engine.list_skus(CHANNEL, *map(_listing, items))
            await wait_until(lambda: all(simulator.shown[item.key] == item.quantity for item in items))
            await wait_until(engine.is_idle)
        simulator.shown[items[0].key], simulator.shown[items[2].key] = 99, 0

        async with publishing(store.url, partition, plans) as engine:
            await engine.store.send_command(CHANNEL, "channel_reconcile", (), "test")

            await wait_until(lambda: all(simulator.shown[item.key] == item.quantity for item in items), "it is mended")

    def _plan(self, simulator: S) -> ChannelPlan:
        return plan(CHANNEL, self._hurried(simulator), kind=self.kind.name, listings="listed")

    def _hurried(self, simulator: S) -> Callable[[], Adapter]:
        """Build the adapter as it is, but for what only makes a test slow: its limits and the pause between polls."""

        def build() -> Adapter:
            adapter = self.build(simulator)
            capabilities = msgspec.structs.replace(adapter.capabilities, limits=(), poll_every_s=POLL_EVERY_S)
            return _sped_up(adapter, capabilities)

        return build


def _sped_up(adapter: Adapter, capabilities: Capabilities) -> Adapter:
    own: dict[str, Any] = {"capabilities": property(lambda _: capabilities)}
    adapter.__class__ = type(type(adapter).__name__, (type(adapter),), own)
    return adapter


def _received(item: Item) -> Receive:
    return Receive("", "conformance", "", item.sku, "main", item.quantity)


def _listing(item: Item) -> Listing:
    prices = (item.price or "", item.list_price or "", item.currency or "")
    return Listing(item.sku, item.key, True, *prices, item.attributes)
