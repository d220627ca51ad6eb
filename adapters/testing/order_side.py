"""What simulated channels that sell have in common: a clock, orders that are placed, and what they send about them.

Buyers act here: an order is placed, paid, cancelled in part, shipped, and returned. The truth of each order is kept
apart from what the channel says of it, so that a test can compare the two.
"""

import random
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from adapters.contract.orders import Delivery
from adapters.testing.simulator import Simulator

TICK_MS: Final = 1_000
BUYER: Final = "Ayşe Yılmaz"
STREET: Final = "Gizli Sokak 7"
PHONE: Final = "+905550001122"
PERSONAL: Final = (BUYER, STREET, PHONE)
"""Of every buyer here: none of it may stand in a message, a log or a trace."""


@dataclass
class Truth:
    """What became of the pieces of one line, whatever the channel says of it just now."""

    listing: str
    ordered: int
    cancelled: int = 0
    shipped: int = 0

    @property
    def living(self) -> int:
        return self.ordered - self.cancelled - self.shipped


@dataclass
class OrderSide(Simulator):
    """A channel that sells. ``fixed_ms``: its time, which goes on with each change; 0: that of the machine.

    ``truth`` is by order number and line key. ``carried_out`` counts what was said to the channel and took effect.
    """

    fixed_ms: int = 0
    truth: dict[str, dict[str, Truth]] = field(default_factory=dict)
    carried_out: Counter[str] = field(default_factory=Counter)
    last_ms: int = 0

    # -- time

    def now_ms(self) -> int:
        """The channel's time; it does not go on by itself where it is fixed."""
        return self.fixed_ms or int(time.time() * 1000)

    def tick(self) -> int:
        """The time of a change: later than that of the one before."""
        if self.fixed_ms:
            self.fixed_ms += TICK_MS
        self.last_ms = max(self.now_ms(), self.last_ms + 1)
        return self.last_ms

    def later(self, seconds: float) -> None:
        """Let time pass where it is fixed."""
        self.fixed_ms += int(seconds * 1000)

    # -- what buyers do

    @abstractmethod
    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:
        """Place an order of pieces of listings; return its number."""

    @abstractmethod
    def pay(self, number: str) -> None:
        """Let an order be paid that was placed without."""

    @abstractmethod
    def cancel(self, number: str, key: str, pieces: int) -> None:
        """Let a buyer cancel pieces of a line."""

    @abstractmethod
    def send_off(self, number: str) -> None:
        """Let everything that lives of an order leave."""

    @abstractmethod
    def spoil(self, number: str) -> None:
        """Let the channel answer an order in a form that no contract has."""

    # -- what it sends

    @abstractmethod
    def deliveries(self, number: str) -> Sequence[Delivery]:
        """What the channel sends about an order as it stands now, rightly signed."""

    @abstractmethod
    def signed(self, body: bytes) -> Delivery:
        """Sign a body as the channel does."""

    @abstractmethod
    def forged(self, delivery: Delivery) -> Sequence[Delivery]:
        """Make deliveries of another sender out of a right one."""

    async def send(self, url: str, number: str) -> list[int]:
        """Send what there is to be said of an order to an address of ours; return the statuses of the answers."""
        statuses = []
        async with aiohttp.ClientSession() as session:
            for each in self.deliveries(number):
                async with session.request(each.method, url, data=each.body, headers=each.headers) as answer:
                    statuses.append(answer.status)
        return statuses

    # -- at random

    @abstractmethod
    def misbehave(self, chance: random.Random) -> None:
        """Switch on some of the ways in which the channel is seen to misbehave."""

    def act(self, chance: random.Random) -> str:
        """Let something happen to some order, or a new one be placed; return its number."""
        open_orders = [number for number, lines in self.truth.items() if any(each.living for each in lines.values())]
        if not open_orders or chance.random() < 0.3:
            listings = chance.sample(sorted(self.shown), chance.randint(1, min(3, len(self.shown))))
            return self.place(*((listing, chance.randint(1, 3)) for listing in listings))
        number = chance.choice(open_orders)
        if chance.random() < 0.3:
            self.send_off(number)
            return number
        key, line = chance.choice([(key, each) for key, each in self.truth[number].items() if each.living])
        self.cancel(number, key, chance.randint(1, line.living))
        return number

    def taken(self, what: str) -> None:
        """Count something that was said to the channel and took effect."""
        self.carried_out[what] += 1
