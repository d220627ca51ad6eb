"""Buyers, sellers and a desk at work on simulated marketplaces, at random from a seed."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from tests.channels.orders_simulator import Market

SKUS: Final = tuple(f"sku-{number}" for number in range(8))
PAUSE_S: Final = 0.2
_AWAY: Final = (aiohttp.ClientError, OSError, TimeoutError)


@dataclass
class Traffic:
    """What happens meanwhile. ``parcels``: tracking numbers that the desk has used."""

    markets: dict[str, Market]
    url: str
    random: random.Random
    placed: int = 0
    parcels: int = 0
    stopped: bool = False
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def run(self) -> None:
        """Buy, cancel and ship until stopped."""
        while not self.stopped:
            name = self.random.choice(sorted(self.markets))
            self._do_one(name, self.markets[name])
            await asyncio.sleep(PAUSE_S * self.random.random())

    def _do_one(self, name: str, market: Market) -> None:
        draw = self.random.random()
        open_orders = [key for key, order in market.orders.items() if order["state"] == "open"]
        if draw < 0.55 or not open_orders:
            self._place(market)
        elif draw < 0.75:
            self._cancel(market, self.random.choice(open_orders[-40:]))
        elif draw < 0.85:
            self._ship_there(market, self.random.choice(open_orders[-40:]))
        else:
            self._later(self._ship_here(name, self.random.choice(open_orders[-40:])))

    def _place(self, market: Market) -> None:
        self.placed += 1
        skus = self.random.sample(SKUS, self.random.randint(1, 3))
        key = f"N{self.placed}"
        market.place(key, {sku: self.random.randint(1, 3) for sku in skus})
        self._tell(market, key)

    def _cancel(self, market: Market, key: str) -> None:
        line = self.random.choice(market.orders[key]["lines"])
        left = line["ordered"] - line.get("cancelled", 0) - line.get("shipped", 0)
        # What is being shipped from here may not be cancelled there: no marketplace allows both.
        if left > 0 and not market.orders[key].get("leaves"):
            market.cancel(key, line["listing"], self.random.randint(1, left))
            self._tell(market, key)

    def _ship_there(self, market: Market, key: str) -> None:
        order = market.orders[key]
        if order.get("leaves"):
            return
        order["leaves"] = True
        for line in order["lines"]:
            line["shipped"] = line["ordered"] - line.get("cancelled", 0)
        order["state"] = "closed"
        market.changed(order)
        self._tell(market, key)

    async def _ship_here(self, name: str, key: str) -> None:
        """Ship what is booked of an order at the desk; the channel is told by a rule."""
        order = self.markets[name].orders[key]
        if order.get("leaves"):
            return
        order["leaves"] = True
        await asyncio.sleep(0.5)  # a cancel that is on its way is booked first
        self.parcels += 1
        tracking = f"T{self.parcels}"
        timeout = aiohttp.ClientTimeout(total=5)
        with suppress(*_AWAY):
            async with aiohttp.ClientSession(timeout=timeout) as session:
                url = f"{self.url}/v1/reservations/{name}.{key}/fulfil"
                headers = {"Idempotency-Key": tracking}
                async with session.post(url, json={"tracking": tracking, "carrier": "sled"}, headers=headers) as answer:
                    if answer.status == 200:
                        return
        order["leaves"] = False

    def _tell(self, market: Market, key: str) -> None:
        if self.random.random() < 0.7:
            self._later(market.tell(key, hint=self.random.random() < 0.3))

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def stop(self) -> None:
        """Stop, and wait for what is on its way."""
        self.stopped = True
        await asyncio.gather(*self.tasks, return_exceptions=True)
