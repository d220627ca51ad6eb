"""What callers do: short stories of a customer, an order or a delivery, from the first request to the last.

A caller plays one story after the other. Between two requests it rests, so a story that the old release began is often
ended by the new one. ``Desk.ask`` sends a request, and raises :class:`StoryEndsError` where it cannot go on.
"""

import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tests.rigs.rolling_upgrade import shelf
from tests.rigs.rolling_upgrade.desk import Desk
from tests.rigs.rolling_upgrade.records import LOCATION, Ask, Move

_ONE: Final = "/v1/reservations/"
_QUANTITY_MAX: Final = 4


class Teller:
    """One caller. ``number`` decides the names of what it makes and which SKUs are its own."""

    def __init__(self, number: int, desk: Desk, chance: random.Random) -> None:
        self._number = number
        self._desk = desk
        self._chance = chance
        self._made = 0

    async def basket(self) -> None:
        """A customer fills a basket, stays a while, and buys some of it, all of it or nothing."""
        basket = await self._reserve("reserve", ttl_s=shelf.DAY_S)
        if self._chance.random() < 0.4:
            await self._on(basket, "extend", {"ttl_s": shelf.DAY_S})
        if self._chance.random() < 0.3:
            await self._on(basket, "release", {"lines": [{"line": 1, "quantity": 1}]} if self._is_large(basket) else {})
        if self._is("held", basket) and self._chance.random() < 0.8:
            await self._on(basket, "commit", {"order_ref": f"shop-{basket['reservation_id']}"})
            await self._deliver(basket)

    async def expire(self) -> None:
        """A customer never comes back: the hold ends by itself."""
        await self._reserve("reserve", ttl_s=1, order_ref=shelf.NEVER_PAID)

    async def order(self) -> None:
        """An order comes in and is shipped, or cancelled."""
        await self._deliver(await self._reserve("order", order_ref="market", flags=["gift"]))

    async def scarce(self) -> None:
        """Many want what is nearly sold out; now and then some more arrive."""
        sku = self._chance.choice(shelf.SCARCE)
        if self._chance.random() < 0.2:
            await self._desk.ask(shelf.received(self._name("delivery"), sku, shelf.FEW))
        order = await self._reserve("order", lines=[{"sku": sku, "quantity": self._units()}])
        if self._chance.random() < 0.3:
            await self._on(order, "cancel", {"reason": "found it cheaper"})

    async def sourced_order(self) -> None:
        """An order leaves the choice of location to the server, and later goes to another one."""
        sourcing = {"strategy": ["priority", "most_stock"], "group": shelf.GROUP, "split_lines": True}
        lines = [{"sku": sku, "quantity": self._units()} for sku in self._chance.sample(shelf.SPREAD, 2)]
        order = await self._reserve("order (sourced)", lines=lines, sourcing=sourcing)
        here = order["lines"][0]["location"]
        to = self._chance.choice([place for place in shelf.PLACES if place != here])
        order = await self._on(order, "move", {"lines": [{"line": 1, "to": to}]}, may_lack=True)
        await self._deliver(order)

    async def late_binding(self) -> None:
        """A basket is held in a group of shops, and bound to one of them when it is paid."""
        sourcing = {"strategy": "most_stock", "group": shelf.GROUP, "binding": "late"}
        lines = [{"sku": self._chance.choice(shelf.SPREAD), "quantity": self._units()}]
        basket = await self._reserve("reserve (late)", ttl_s=shelf.DAY_S, lines=lines, sourcing=sourcing)
        body = {"location": self._chance.choice(shelf.PLACES)}
        if self._chance.random() < 0.5:
            await self._on(basket, "commit", body, kind="commit (bound)", may_lack=True)
            await self._deliver(basket)
        else:
            await self._on(basket, "commit", {})
            await self._on(basket, "fulfil", body, kind="fulfil (bound)", may_lack=True)

    async def backorder(self) -> None:
        """An order waits for units, which come in two deliveries."""
        sku = shelf.awaited_by(self._number)
        await self._desk.ask(shelf.waiting_allowed(self._name("let-wait"), sku))
        units = self._units() + 1
        lines = [{"sku": sku, "quantity": units}]
        order = await self._reserve("order (waits)", lines=lines, policy="backorder", order_ref="waits")
        for part in (1, units - 1):
            await self._desk.ask(shelf.received(self._name("delivery"), sku, part), rests=False)
            # Units go to waiting orders, so what the order has now stands in no answer but its own.
            order = await self._desk.read(order["reservation_id"])
        await self._deliver(order)

    async def allocation(self) -> None:
        """A channel has units of its own, sells some, leaves some to another, and both give the rest back."""
        sku = shelf.allocated_to(self._number)
        path = f"/v1/stock/{sku}/{LOCATION}/allocations/"
        body: dict[str, Any] = {"units": 20, "reason": "a week"}
        await self._desk.ask(Ask("allocate", "PUT", path + "campaign", body, self._name("own")))
        order = await self._reserve("order", lines=[{"sku": sku, "quantity": self._units()}], channel="campaign")
        body = {"sku": sku, "from_channel": "campaign", "to_channel": "outlet", "units": 5}
        await self._desk.ask(Ask("allocate (move)", "POST", "/v1/allocations/move", body, self._name("give")))
        for channel in ("campaign", "outlet"):
            body = {"units": 0, "reason": "over"}
            await self._desk.ask(Ask("allocate", "PUT", path + channel, body, self._name("own")))
        await self._deliver(order)

    async def batch(self) -> None:
        """A marketplace sends two baskets at once, and one of them is bought."""
        names = [self._name("batch"), self._name("batch")]
        baskets = [
            {"reservation_id": name, "channel": "market", "lines": self._lines(), "ttl_s": shelf.DAY_S}
            for name in names
        ]
        ask = Ask("reserve (batch)", "POST", "/v1/reservations/batch", {"reservations": baskets}, self._name("batch"))
        answer = await self._desk.ask(ask)
        bought = answer["results"][0]["reservation"]
        await self._on(bought, "commit", {})
        await self._deliver(bought)

    async def delivery(self) -> None:
        """A pack comes by its barcode; then a supplier says that units come, and they do, in two parts."""
        sku, supply_id = self._chance.choice(shelf.HOT), self._name("po")
        packs = {"kind": "receive", "barcode": shelf.barcode_of(sku), "quantity": 1}
        came = Move(sku, LOCATION, "on_hand", shelf.PACK)
        await self._desk.ask(shelf.movement("receive (barcode)", self._name("pack"), packs, came))
        body: dict[str, Any] = {"sku": sku, "quantity": 10, "expected_on": "2035-01-01", "reference": "PO"}
        await self._desk.ask(Ask("expect", "PUT", f"/v1/supply/{supply_id}", body, self._name("expect")))
        for units in (4, 6):
            body = {"kind": "receive", "sku": sku, "quantity": units, "supply_id": supply_id, "location": LOCATION}
            move = Move(sku, LOCATION, "on_hand", units)
            key = self._name("delivery")
            await self._desk.ask(shelf.movement("receive (expected)", key, body, move, supply=(supply_id, units)))

    async def shelf_work(self) -> None:
        """Units are received, found broken, repaired and counted."""
        sku = shelf.counted_by(self._number)
        units = self._units() + 1
        await self._desk.ask(shelf.received(self._name("delivery"), sku, units))
        body = {"kind": "adjust", "sku": sku, "quantity": units, "bucket": "damaged", "reason": "broken"}
        broken = Move(sku, LOCATION, "damaged", units)
        await self._desk.ask(shelf.movement("adjust", self._name("adjust"), body, broken))
        body = {"kind": "move", "sku": sku, "quantity": 1, "from": "damaged", "to": "available", "reason": "dusty"}
        repaired = Move(sku, LOCATION, "damaged", -1)
        await self._desk.ask(shelf.movement("shelf move", self._name("move"), body, repaired))
        on_hand = shelf.PLENTY + self._chance.randint(0, 1_000)
        found = Move(sku, LOCATION, "on_hand", on_hand, absolute=True)
        body = {"on_hand": on_hand, "reason": "cycle count"}
        await self._desk.ask(Ask("count", "PUT", f"/v1/stock/{sku}/{LOCATION}", body, self._name("count"), (found,)))

    async def transfer(self) -> None:
        """Units go to the depot and arrive in two parts, one of them broken."""
        sku, transfer_id, units = shelf.counted_by(self._number), self._name("transfer"), self._units() + 2
        lines = [{"sku": sku, "quantity": units}]
        body: dict[str, Any] = {"transfer_id": transfer_id, "from": LOCATION, "to": shelf.DEPOT, "lines": lines}
        gone = Move(sku, LOCATION, "on_hand", -units)
        await self._desk.ask(Ask("transfer", "POST", "/v1/transfers", body, self._name("ship"), (gone,)))
        path = f"/v1/transfers/{transfer_id}/receive"
        body = {"lines": [{"line": 1, "quantity": 1, "disposition": "damaged"}]}
        broken = (Move(sku, shelf.DEPOT, "on_hand", 1), Move(sku, shelf.DEPOT, "damaged", 1))
        await self._desk.ask(Ask("transfer arrives", "POST", path, body, self._name("arrive"), broken))
        rest = Move(sku, shelf.DEPOT, "on_hand", units - 1)
        await self._desk.ask(Ask("transfer arrives", "POST", path, {}, self._name("arrive"), (rest,)))

    async def _deliver(self, order: Any) -> None:
        """Ship an order or cancel it; some of it comes back, or is exchanged for something else."""
        if self._chance.random() < 0.25:
            await self._on(order, "cancel", {"reason": "changed their mind"})
            return
        shipped = await self._on(order, "fulfil", {"tracking": f"TR-{order['reservation_id']}"})
        if self._chance.random() > 0.5:
            return
        line = next(line for line in shipped["lines"] if line["fulfilled"])
        back = self._return(line, self._chance.choice(("restock", "damaged", "quality_control")))
        part = {"lines": [back[0]], "reason": "too small"}
        if self._chance.random() < 0.6:
            await self._on(shipped, "return", part, moves=back[1])
            return
        again = {"reservation_id": self._name("again"), "channel": "web", "lines": self._lines(), "order_ref": "again"}
        await self._on(shipped, "exchange", {"return": part, "order": again}, moves=back[1])

    def _return(self, line: Any, disposition: str) -> tuple[Any, tuple[Move, ...]]:
        part = {"line": line["line"], "quantity": 1, "disposition": disposition, "location": line["location"]}
        moves = [Move(line["sku"], line["location"], "on_hand", 1)]
        if disposition != "restock":
            moves.append(Move(line["sku"], line["location"], disposition, 1))
        return part, tuple(moves)

    async def _reserve(self, kind: str, **fields: Any) -> Any:
        path = "/v1/orders" if kind.startswith("order") else "/v1/reservations"
        body = {"reservation_id": self._name(kind.split(" ", 1)[0]), "channel": "web", "lines": self._lines()} | fields
        return await self._desk.ask(Ask(kind, "POST", path, body, may_lack=True))

    async def _on(
        self,
        reservation: Any,
        what: str,
        body: Any,
        *,
        kind: str = "",
        moves: tuple[Move, ...] = (),
        may_lack: bool = False,
    ) -> Any:
        """Ask for something to be done with a reservation."""
        path = f"{_ONE}{reservation['reservation_id']}/{what}"
        return await self._desk.ask(Ask(kind or what, "POST", path, body, self._name(what), moves, may_lack=may_lack))

    def _is_large(self, basket: Any) -> bool:
        return bool(basket["lines"][0]["quantity"] > 1)

    def _is(self, state: str, basket: Any) -> bool:
        return self._desk.state(basket["reservation_id"]) == state

    def _lines(self) -> list[dict[str, Any]]:
        skus = self._chance.sample(shelf.HOT, self._chance.randint(1, 3))
        return [{"sku": sku, "quantity": self._units()} for sku in skus]

    def _units(self) -> int:
        return self._chance.randint(1, _QUANTITY_MAX)

    def _name(self, what: str) -> str:
        self._made += 1
        return f"{what}-{self._number}-{self._made}"


Story = Callable[[Teller], Awaitable[None]]
STORIES: Final[tuple[tuple[Story, int], ...]] = (
    (Teller.basket, 6),
    (Teller.expire, 1),
    (Teller.order, 4),
    (Teller.scarce, 3),
    (Teller.sourced_order, 3),
    (Teller.late_binding, 2),
    (Teller.backorder, 2),
    (Teller.allocation, 1),
    (Teller.batch, 1),
    (Teller.delivery, 2),
    (Teller.shelf_work, 2),
    (Teller.transfer, 2),
)
"""Each story, and how often it is played beside the others."""
