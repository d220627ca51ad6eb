"""Orders before and during a count; every acknowledged reservation is noted, to be looked for afterwards."""

import asyncio
import random
from typing import Any, Final

import msgspec

from tests.support.http import Api

LOCATION: Final = "store-b"
ON_HAND_MAX: Final = 20
CALLERS: Final = 8
_LINES: Final = 5
_PAUSE_S_MAX: Final = 0.03


class Shelf(msgspec.Struct):
    """One SKU at the location: what the books said, what people counted, and what moved since they began."""

    sku: str
    on_hand: int
    counted: int
    moved: int = 0

    @property
    def is_safe_to_ship(self) -> bool:
        """Whether nothing was missing: of the others units may be reserved that are not there."""
        return self.counted >= self.on_hand


class Acknowledged(msgspec.Struct):
    """What was acknowledged. ``state`` is the last one that was."""

    id: str
    state: str
    lines: dict[str, int]


def shelves(rows: int, chance: random.Random) -> list[Shelf]:
    """Draw a location's stock and what will be found of it: mostly as it should be, some less, nothing or more."""
    drawn = []
    for number in range(rows):
        on_hand = chance.randint(2, ON_HAND_MAX)
        less, more = chance.randint(1, on_hand - 1), on_hand + chance.randint(1, 5)
        [counted] = chance.choices((on_hand, less, 0, more), (70, 15, 8, 7))
        drawn.append(Shelf(f"raf {number:05}", on_hand, counted))
    return drawn


class Traffic:
    """Callers over HTTP. ``acknowledged`` are all reservations that were acknowledged."""

    def __init__(self, api: Api, stock: list[Shelf], chance: random.Random) -> None:
        self.acknowledged: dict[str, Acknowledged] = {}
        self.refused = 0
        self.running = True
        self._api = api
        self._stock = stock
        self._by_sku = {shelf.sku: shelf for shelf in stock}
        self._chance = chance
        self._number = 0
        self._free: dict[str, list[Acknowledged]] = {"held": [], "committed": []}

    async def promise_beforehand(self) -> None:
        """Have much of the stock reserved already when the count begins."""
        waiting = iter([self._stock[at : at + _LINES] for at in range(0, len(self._stock), _LINES)] * 2)

        async def caller() -> None:
            for some in waiting:
                await self._ask(self._chance.choice(("orders", "reservations")), {
                    shelf.sku: self._chance.randint(1, max(1, shelf.on_hand // 3)) for shelf in some
                })  # fmt: skip

        await asyncio.gather(*(caller() for _ in range(CALLERS)))

    async def run(self) -> None:
        """Order, hold, commit, release, ship and receive until ``running`` is False."""
        await asyncio.gather(*(self._caller() for _ in range(CALLERS)))

    async def _caller(self) -> None:
        while self.running:
            match self._chance.choices(("orders", "reservations", "settle", "ship", "receive"), (6, 3, 2, 2, 1))[0]:
                case ("orders" | "reservations") as path:
                    some = self._chance.sample(self._stock, self._chance.randint(1, 3))
                    await self._ask(path, {shelf.sku: self._chance.randint(1, 2) for shelf in some})
                case "settle":
                    await self._settle()
                case "ship":
                    await self._ship()
                case _:
                    await self._receive()
            await asyncio.sleep(self._chance.uniform(0, _PAUSE_S_MAX))

    async def _ask(self, path: str, lines: dict[str, int]) -> None:
        self._number += 1
        reservation = Acknowledged(f"p{self._number}", "committed" if path == "orders" else "held", lines)
        body: dict[str, Any] = {
            "reservation_id": reservation.id,
            "channel": "web",
            "flags": ["vip"] if self._chance.random() < 0.2 else [],
            "lines": [{"sku": sku, "quantity": units, "location": LOCATION} for sku, units in lines.items()],
        }
        if path == "reservations":
            body["ttl_s"] = 86_400
        answer = await self._api.post(f"/v1/{path}", body)
        if answer.status == 409:
            self.refused += 1
            return
        answer.ok(201)
        self.acknowledged[reservation.id] = reservation
        self._free[reservation.state].append(reservation)

    async def _settle(self) -> None:
        reservation = self._taken("held")
        if reservation is None:
            return
        verb, state = self._chance.choice((("commit", "committed"), ("release", "released")))
        (await self._api.post(f"/v1/reservations/{reservation.id}/{verb}", {})).ok()
        reservation.state = state

    async def _ship(self) -> None:
        reservation = self._taken("committed")
        if reservation is None:
            return
        if not all(self._by_sku[sku].is_safe_to_ship for sku in reservation.lines):
            return
        (await self._api.post(f"/v1/reservations/{reservation.id}/fulfil", {})).ok()
        reservation.state = "fulfilled"
        for sku, units in reservation.lines.items():
            self._by_sku[sku].moved -= units

    async def _receive(self) -> None:
        shelf = self._chance.choice(self._stock)
        units = self._chance.randint(1, 4)
        movement = {"kind": "receive", "sku": shelf.sku, "quantity": units, "location": LOCATION}
        [result] = (await self._api.post("/v1/stock/movements", {"movements": [movement]})).ok()["results"]
        assert result["status"] == 200, result
        shelf.moved += units

    def _taken(self, state: str) -> Acknowledged | None:
        """Take a reservation out of those in a state: no other caller ends or ships it."""
        free = self._free[state]
        if not free:
            return None
        place = self._chance.randrange(len(free))
        free[place], free[-1] = free[-1], free[place]
        return free.pop()
