"""How an adapter is asked for orders in a test: as the engine asks it, against a simulator that sells."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, TypeVar

import msgspec
import pytest

from adapters.contract.adapter import Adapter
from adapters.contract.orders import (
    Acknowledge,
    Command,
    CommandName,
    CommandOutcome,
    Invoice,
    Order,
    Pulled,
    Refuse,
    Ship,
)
from adapters.testing.driving import Driving, Send
from adapters.testing.order_side import OrderSide
from server.channels.connection.http_transport import Transport, converse

O = TypeVar("O", bound=OrderSide)  # noqa: E741  # as S is for simulators
START_MS: Final = 1_790_000_000_000
PAGES_MAX: Final = 50


class Seller:
    """An adapter that is asked for orders as the engine asks it, and what it has told so far."""

    def __init__(self, adapter: Adapter, send: Send, simulator: OrderSide) -> None:
        self.adapter = adapter
        self.send = send
        self.simulator = simulator
        self.told: dict[str, Order] = {}
        self.unreadable: list[str] = []
        self.cursor = adapter.first_cursor(START_MS - 60_000)

    @property
    def now_s(self) -> float:
        return self.simulator.now_ms() / 1000

    async def page(self, cursor: str) -> Pulled:
        return await converse(self.adapter.pull_orders(cursor, self.now_s), self.send)

    async def fetch(self, key: str) -> Order | None:
        return await converse(self.adapter.fetch_order(key, self.now_s), self.send)

    async def order(self, key: str) -> Order:
        order = await self.fetch(key)
        assert order is not None
        return order

    async def say(self, command: Command, order: Order) -> CommandOutcome:
        return await converse(self.adapter.command(command, order, self.now_s), self.send)

    async def walk(self) -> set[str]:
        """Walk to the end, and read whole what is only hinted at; return the numbers that were met."""
        met: set[str] = set()
        for _ in range(PAGES_MAX):
            pulled = await self.page(self.cursor)
            for order in pulled.orders:
                self.merge(order)
            for key in set(pulled.hints) - {each.key for each in pulled.unreadable}:
                self.merge(await self.order(key))
            self.unreadable += [f"{each.key}: {each.reason}" for each in pulled.unreadable]
            met |= {order.key for order in pulled.orders} | set(pulled.hints)
            self.cursor = pulled.cursor
            if not pulled.more:
                return met
        raise AssertionError("the walk does not end")

    def hear(self, number: str) -> list[str]:
        """Let the channel send what it has to say of an order; return the numbers that are to be read whole."""
        hints: list[str] = []
        for delivery in self.simulator.deliveries(number):
            heard = self.adapter.hear(delivery, self.now_s)
            for order in heard.orders:
                self.merge(order)
            hints += heard.hints
        return hints

    def merge(self, order: Order) -> None:
        """Take a snapshot as the engine does: a whole one counts, a part lowers nothing, an older one is dropped."""
        before = self.told.get(order.key)
        if order.complete or before is None:
            self.told[order.key] = order
            return
        lines = {line.key: line for line in before.lines}
        for line in order.lines:
            known = lines.get(line.key, line)
            higher = {name: max(getattr(known, name), getattr(line, name)) for name in ("ordered", "shipped")}
            lines[line.key] = msgspec.structs.replace(known, **higher)
        self.told[order.key] = msgspec.structs.replace(before, lines=tuple(lines.values()))


class Selling(Driving[O]):
    """What a test of orders says of its kind, beside what :class:`Driving` asks; and an adapter that is asked.

    ``page_size``: how much a page of the adapter holds. ``orders_path``, ``order_path`` and ``command_path`` are parts
    of the paths of a walk, of one order, and of what is said. ``heard_with``: credentials with which deliveries are
    authentic; none: the channel sends nothing. ``cancels_are_sure`` False: a cancel may be part of a change that goes
    on. ``tells_shipments`` False: the channel does not say what has left. ``tells_unpaid`` False: it shows an order
    only once it is paid.
    """

    page_size: ClassVar[int]
    orders_path: ClassVar[str]
    command_path: ClassVar[str]
    heard_with: ClassVar[Mapping[str, str]]
    cancels_are_sure: ClassVar[bool] = True
    tells_shipments: ClassVar[bool] = True
    tells_unpaid: ClassVar[bool] = True

    def options_of_seller(self, simulator: O) -> dict[str, Any]:
        """Options for what is said to the channel; override where a default leaves commands out."""
        return self.options_for(simulator)

    def command(self, name: CommandName, order: Order) -> Command | None:
        """Make a command about all of an order; None: it is tested by the kind's own tests."""
        lines = tuple((line.key, line.ordered - line.cancelled - line.shipped) for line in order.lines)
        made: dict[CommandName, Command] = {
            "acknowledge": Acknowledge(order=order.key),
            "refuse": Refuse(order=order.key, lines=lines),
            "ship": Ship(order=order.key, lines=lines, carrier="Aras", tracking="TR-1", url="https://example.org/TR-1"),
            "invoice": Invoice(
                order=order.key, number="TY42026000000001", url="https://example.org/1", issued_ms=START_MS
            ),
        }
        return made.get(name)

    @pytest.fixture
    def seller(self, simulator: O, transport: Transport) -> Seller:
        simulator.fixed_ms = START_MS
        simulator.shown.update(dict.fromkeys(simulator.shown, 10_000))
        options = msgspec.convert(self.options_of_seller(simulator), self.kind.options)
        adapter = self.kind.build(options, {**self.credentials, **self.heard_with})
        return Seller(adapter, transport.send, simulator)

    def check(self, seller: Seller, number: str) -> None:
        """Compare what was told of an order with what became of it."""
        told = {line.key: (line.ordered, line.cancelled, line.shipped) for line in seller.told[number].lines}
        truth = {
            key: (each.ordered, each.cancelled, each.shipped if self.tells_shipments else 0)
            for key, each in seller.simulator.truth[number].items()
        }
        assert told == truth, f"{number}: {seller.told[number].status}"
