"""Buyers and a warehouse: random orders, holds, releases and receipts of a few hot SKUs, as fast as the run wants.

Some buy on the channels themselves, which take the units off their own numbers before we hear of it.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Final

from tests.rigs.fanout_crash.shops import Shop
from tests.support.http import Answer, Api

UNITS_MAX: Final = 9_000
"""So many, and such large orders, that one value seldom comes twice: so the value shown names the change."""
ORDER_MAX: Final = 300
PAUSE_S_MAX: Final = 0.02
MOVE_S: Final = (0.01, 0.15)
"""Between two requests that move keys, over all channels."""


class Buyer:
    """Asks for one random thing after the other until ``running`` is False."""

    def __init__(self, name: str, api: Api, skus: list[str], shops: Sequence[Shop], chance: random.Random) -> None:
        self.running = True
        self._name = name
        self._api = api
        self._skus = skus
        self._all_shops = shops
        self._shops = [shop for shop in shops if shop.sells]
        self._chance = chance
        self._number = 0
        self._held: list[str] = []

    async def run(self) -> None:
        """Ask until stopped."""
        while self.running:
            await self._ask()
            await asyncio.sleep(self._chance.uniform(0, PAUSE_S_MAX))

    async def _ask(self) -> None:
        match self._chance.choices(("receive", "count", "order", "hold", "settle", "there"), (4, 1, 5, 4, 3, 3))[0]:
            case "receive":
                movement = {"kind": "receive", "sku": self._sku(), "quantity": self._chance.randint(1, ORDER_MAX)}
                await self._move(movement)
            case "count":
                units = self._chance.choice((0, self._chance.randint(0, UNITS_MAX)))
                await self._move({"kind": "count", "sku": self._sku(), "location": "main", "on_hand": units})
            case "order":
                _expected(await self._api.post("/v1/orders", self._body()), 201)
            case "hold":
                answer = await self._api.post("/v1/reservations", {**self._body(), "ttl_s": 86_400})
                if _expected(answer, 201):
                    self._held.append(answer.body["reservation_id"])
            case "settle" if self._held:
                held = self._held.pop(self._chance.randrange(len(self._held)))
                path = f"/v1/reservations/{held}/{self._chance.choice(('commit', 'release'))}"
                _expected(await self._api.post(path, {}), 200)

            case "there":
                await self._buy_there()

    async def _buy_there(self) -> None:
        """Order on a channel, which tells us a little later; what it has sold is sold."""
        shop, number = self._chance.choice(self._shops), self._chance.randrange(len(self._skus))
        key = shop.key_of(self._skus[number], number)
        units = min(self._chance.randint(1, ORDER_MAX), shop.simulator.shown.get(key, 0))
        if units > 0:
            shop.simulator.sell(key, units)
            await asyncio.sleep(self._chance.uniform(0, PAUSE_S_MAX))
            lines = [{"sku": self._skus[number], "quantity": units}]
            body = {**self._body(), "channel": shop.name, "lines": lines, "on_shortage": "accept"}
            assert (answer := await self._api.post("/v1/orders", body)).status == 201, answer.raw

    async def move_keys(self) -> None:
        """Give keys of a channel to other SKUs until stopped, one request after the other."""
        while self.running:
            await asyncio.sleep(self._chance.uniform(*MOVE_S))
            shop = self._chance.choice(self._all_shops)
            request = shop.moving.move(self._chance)
            listings = [{"sku": each.sku, "key": each.key, "listed": each.listed} for each in request]
            (await self._api.put(f"/v1/channels/{shop.name}/listings", {"listings": listings})).ok()

    def _sku(self) -> str:
        return self._chance.choice(self._skus)

    def _body(self) -> dict[str, Any]:
        self._number += 1
        lines = [
            {"sku": sku, "quantity": self._chance.randint(1, ORDER_MAX)}
            for sku in self._chance.sample(self._skus, self._chance.randint(1, 3))
        ]
        return {"reservation_id": f"{self._name}-{self._number}", "channel": "crash", "lines": lines}

    async def _move(self, movement: dict[str, Any]) -> None:
        [result] = (await self._api.post("/v1/stock/movements", {"movements": [movement]})).ok()["results"]
        assert result["status"] == 200, result


def _expected(answer: Answer, status: int) -> bool:
    """Return whether it was done; to be short of units is the only refusal that is expected here."""
    assert answer.status in (status, 409), answer.raw
    return answer.status == status
