"""What a channel and a desk do with one order: the truth by which stock is judged in the end.

Each unit is cancelled or shipped by one of them, not by both: what the desk does is told to the channel later. A line
of which the channel takes things back is left alone by the desk, for then it is not said whose act is taken back.
"""

import random
from typing import Final, Literal

from server.domain.channel_orders import ChannelOrder, ChannelOrderLine

Mode = Literal["desk", "falls"]
STEP_MS: Final = 10
PACK: Final = 2
"""Units in each piece of a pack."""


class MarketLine:
    """One line, in pieces. ``asked``: what the desk has done and the channel does not know yet."""

    def __init__(self, key: str, sku: str, ordered: int, mode: Mode, units: int) -> None:
        self.key = key
        self.sku = sku
        self.ordered = ordered
        self.mode = mode
        self.units = units
        self.cancelled = self.shipped = 0
        self.asked_cancel = self.asked_ship = 0

    @property
    def open(self) -> int:
        return self.ordered - self.cancelled - self.shipped - self.asked_cancel - self.asked_ship

    def told(self) -> ChannelOrderLine:
        is_pack = self.units > 1
        return ChannelOrderLine(
            key=self.key, ordered=self.ordered, cancelled=self.cancelled, shipped=self.shipped,
            listing=f"pack-{self.sku}" if is_pack else "", sku_hint="" if is_pack else self.sku,
        )  # fmt: skip


class Market:
    """One order as its channel has it, and the snapshots that were made of it."""

    def __init__(self, seed: int, chance: random.Random) -> None:
        self.number = f"n{seed}"
        self.chance = chance
        self.lines = list[MarketLine]()
        self.paid = chance.random() < 0.6
        self.late_sku = f"{seed}-late" if chance.random() < 0.3 else ""
        self.uncertain = chance.random() < 0.2
        self._prefix = f"{seed}-"
        self._now_ms = 1_000
        self.snapshots = list[ChannelOrder]()
        for _ in range(chance.randint(1, 3)):
            self.add_line()
        self.snap()

    @property
    def skus(self) -> set[str]:
        return {line.sku for line in self.lines}

    def add_line(self) -> None:
        chance, number = self.chance, len(self.lines)
        mode: Mode = chance.choice(("desk", "falls"))
        sku = f"{self._prefix}{number if mode == 'desk' else 'shared'}"
        if number == 0 and self.late_sku:
            mode, sku = "falls", self.late_sku
        units = PACK if mode == "desk" and chance.random() < 0.3 else 1
        self.lines.append(MarketLine(f"l{number}", sku, chance.randint(1, 4), mode, units))

    def act(self) -> None:
        """Let something happen at the channel."""
        line = self.chance.choice(self.lines)
        acts = [self._cancel, self._ship, self._raise, self._tell_desk, self._tell_desk]
        if line.mode == "falls":
            acts += [self._take_back_cancel, self._take_back_shipping]
        self.chance.choice(acts)(line)
        if not self.paid and self.chance.random() < 0.4:
            self.paid = True
        if len(self.lines) < 4 and self.chance.random() < 0.1:
            self.add_line()
        self.snap()

    def _cancel(self, line: MarketLine) -> None:
        line.cancelled += self.chance.randint(0, max(0, line.open))

    def _ship(self, line: MarketLine) -> None:
        if self.paid:
            line.shipped += self.chance.randint(0, max(0, line.open))

    def _raise(self, line: MarketLine) -> None:
        line.ordered += self.chance.choice((0, 0, 1, 2))

    def _take_back_cancel(self, line: MarketLine) -> None:
        line.cancelled -= self.chance.randint(0, line.cancelled)

    def _take_back_shipping(self, line: MarketLine) -> None:
        line.shipped -= self.chance.randint(0, line.shipped)

    def _tell_desk(self, line: MarketLine) -> None:
        line.cancelled, line.asked_cancel = line.cancelled + line.asked_cancel, 0
        line.shipped, line.asked_ship = line.shipped + line.asked_ship, 0

    def finish(self) -> ChannelOrder:
        """Have the order paid and all that the desk did told; return it as it is in the end."""
        self.paid = True
        for line in self.lines:
            self._tell_desk(line)
        self.snap()
        return self.snapshots[-1]

    def snap(self) -> None:
        """Make a snapshot; sometimes a part of it as well."""
        self._now_ms += STEP_MS
        lines = tuple(line.told() for line in self.lines)
        is_sold = self.paid or any(line.shipped for line in self.lines)
        state: Literal["open", "unpaid"] = "open" if is_sold else "unpaid"
        if self.chance.random() < 0.3:
            some = tuple(line for line in lines if self.chance.random() < 0.6)
            self.snapshots.append(self._order(some, state, complete=False))
        self.snapshots.append(self._order(lines, state, complete=True))

    def _order(
        self, lines: tuple[ChannelOrderLine, ...], state: Literal["open", "unpaid"], *, complete: bool
    ) -> ChannelOrder:
        return ChannelOrder(
            key=self.number, changed_ms=self._now_ms, lines=lines, complete=complete, state=state,
            gone_is_certain=not self.uncertain,
        )  # fmt: skip
