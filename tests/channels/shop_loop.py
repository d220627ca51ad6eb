"""What must hold whatever shop sells: its orders come in, stock falls everywhere, and both sides end equal."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Any, Final

from tests.channels.webhook_receiver import SECRET, WebhookReceiver
from tests.conftest import wait_until
from tests.support.http import Api

CHANNEL: Final = "shop"
DONE_S: Final = 90.0
LOOK_S: Final = 0.2
FEED: Final = """
[channels.feed]
kind = "webhook"
listings = "all"
allow_private = ["127.0.0.1"]

[channels.feed.options]
url = "%s"

[channels.feed.credentials]
secret = { env = "FEED_SECRET" }

[channels.shop.orders]
enabled = true
pull_every_s = 1.0
open_orders_every_s = 1.0
ship = "when_fulfilled"
"""
FEED_ENVIRONMENT: Final = {"FEED_SECRET": SECRET}


class ShopLoop(ABC):
    """A subclass drives a real shop; each test sells a SKU of its own."""

    @abstractmethod
    def saleable(self, sku: str) -> int:
        """Read what the shop's buyers can have of a SKU."""

    @abstractmethod
    def buy(self, sku: str, units: int) -> str:
        """Place and pay an order; returns its key."""

    @abstractmethod
    def cancel(self, key: str) -> None:
        """Cancel an order in the shop."""

    @abstractmethod
    def send_out(self, key: str, units: int) -> None:
        """Make a parcel in the shop, and let it leave."""

    @abstractmethod
    def parcels(self, key: str) -> list[tuple[str, str]]:
        """Read state and tracking number of an order's parcels in the shop."""

    @abstractmethod
    def line(self, key: str) -> str:
        """Return the key of an order's only line."""

    # -- what is looked at

    async def listed(self, api: Api, feed: WebhookReceiver, sku: str, units: int) -> None:
        """Count a SKU and wait until both channels show it."""
        await api.count(sku, units)
        await self.shows(feed, sku, units)

    async def shows(self, feed: WebhookReceiver, sku: str, units: int) -> None:
        """Wait until both channels show so many units."""
        await wait_until(lambda: feed.shown.get(sku) == units, f"the feed shows {units}", within_s=DONE_S)
        await self.sells(sku, units)

    async def sells(self, sku: str, units: int) -> None:
        """Wait until the shop's buyers can have so many units."""

        async def is_so() -> bool:
            return await asyncio.to_thread(self.saleable, sku) == units

        await wait_until(is_so, f"the shop sells {units}", within_s=DONE_S, every_s=LOOK_S)

    def becomes(self, api: Api, sku: str, **wanted: int) -> Awaitable[None]:
        """Wait until a SKU's counters are as wanted."""

        async def is_so() -> bool:
            level = (await api.get(f"/v1/stock/{sku}")).ok()["levels"][0]
            return all(level[name] == value for name, value in wanted.items())

        return wait_until(is_so, f"{sku} has {wanted}", within_s=DONE_S, every_s=0.02)

    async def reservation(self, api: Api, key: str) -> dict[str, Any]:
        """Find what was booked of an order."""
        listed = (await api.get(f"/v1/reservations?channel={CHANNEL}")).ok()["reservations"]
        found: dict[str, Any] = next(each for each in listed if each["order_ref"] == key)
        return found

    # -- what must hold

    async def check_that_an_order_lowers_all_and_a_cancel_raises_all(
        self, api: Api, feed: WebhookReceiver, sku: str
    ) -> None:
        await self.listed(api, feed, sku, 10)

        key = await asyncio.to_thread(self.buy, sku, 3)
        began_s = time.monotonic()
        await self.becomes(api, sku, on_hand=10, committed=3)
        print(f"booked {time.monotonic() - began_s:.2f} s after it was placed")  # noqa: T201  # pytest shows it with -s
        await self.shows(feed, sku, 7)
        await asyncio.to_thread(self.cancel, key)

        await self.becomes(api, sku, on_hand=10, committed=0)
        await self.shows(feed, sku, 10)

    async def check_that_what_is_shipped_here_is_shipped_there_once(
        self, api: Api, feed: WebhookReceiver, sku: str
    ) -> None:
        await self.listed(api, feed, sku, 10)
        key = await asyncio.to_thread(self.buy, sku, 2)
        await self.becomes(api, sku, committed=2)
        mine = (await self.reservation(api, key))["reservation_id"]

        (await api.post(f"/v1/reservations/{mine}/fulfil", {"tracking": "T-1", "carrier": "sled"})).ok()

        async def is_told() -> bool:
            return await asyncio.to_thread(self.parcels, key) == [("shipped", "T-1")]

        await wait_until(is_told, "the shop knows of the parcel", within_s=DONE_S, every_s=LOOK_S)
        await asyncio.sleep(3.0)  # more than one look at all that is open
        assert self.parcels(key) == [("shipped", "T-1")]
        await self.becomes(api, sku, on_hand=8, committed=0)
        await self.shows(feed, sku, 8)

    async def check_that_what_is_shipped_there_leaves_here(self, api: Api, feed: WebhookReceiver, sku: str) -> None:
        await self.listed(api, feed, sku, 10)
        key = await asyncio.to_thread(self.buy, sku, 2)
        await self.becomes(api, sku, committed=2)

        await asyncio.to_thread(self.send_out, key, 2)

        await self.becomes(api, sku, on_hand=8, committed=0)
        await self.shows(feed, sku, 8)
        assert len(self.parcels(key)) == 1

    async def check_that_what_is_refused_here_is_cancelled_there(
        self, api: Api, feed: WebhookReceiver, sku: str
    ) -> None:
        await self.listed(api, feed, sku, 10)
        key = await asyncio.to_thread(self.buy, sku, 2)
        await self.becomes(api, sku, committed=2)

        lines = [{"line": await asyncio.to_thread(self.line, key), "quantity": 2}]
        (await api.post(f"/v1/channels/{CHANNEL}/outbox", {"command": "refuse", "order": key, "lines": lines})).ok(202)

        async def is_refused() -> bool:
            listed = (await api.get(f"/v1/channels/{CHANNEL}/outbox?order={key}")).ok()["commands"]
            return [each["state"] for each in listed] == ["done"]

        await wait_until(is_refused, "the shop has cancelled it", within_s=DONE_S, every_s=LOOK_S)
        await self.becomes(api, sku, on_hand=10, committed=0)
        await self.shows(feed, sku, 10)
