"""A desk that books on paper: what the intake hands on is noted, and what it answers is up to the test."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from server.domain.channel_orders import Booked, ChannelOrder, IntakeRules, LinePieces, LineProgress
from server.domain.order_parcels import Parcel
from server.service.shortages import Lacking
from server.store.errors import StoreUnavailableError


class PaperDesk:
    """Notes each snapshot. ``shipped``: by order and line, what has left here. ``short``: orders that lack a piece, and
    ``others``: locations that have it.

    ``fails``: so many calls find the store away. ``impossible``: orders that raise what nobody expected.
    ``takes_s``: so long each call takes. ``most_at_once`` orders were booked at a time, and ``most_of_one`` snapshots
    of one of them.
    """

    def __init__(self) -> None:
        self.told: dict[tuple[str, str], ChannelOrder] = {}
        self.calls: list[tuple[str, ChannelOrder, bool]] = []
        self.shipped: Counter[tuple[str, str]] = Counter()
        self.short: set[str] = set()
        self.parcels_are: list[Parcel] = []
        self.others: tuple[str, ...] = ()
        self.fails = 0
        self.impossible: set[str] = set()
        self.second_looks: dict[str, int] = {}
        self.booking: Counter[str] = Counter()
        self.most_at_once = 0
        self.most_of_one = 0
        self.takes_s = 0.0

    async def book(
        self,
        channel: str,
        order: ChannelOrder,
        *,
        fetched: bool,
        whole: bool,  # noqa: ARG002
        rules: IntakeRules,  # noqa: ARG002
    ) -> Booked:
        self.booking[order.key] += 1
        self.most_at_once = max(self.most_at_once, self.booking.total())
        self.most_of_one = max(self.most_of_one, *self.booking.values())
        await asyncio.sleep(self.takes_s)
        self.booking[order.key] -= 1
        if self.fails:
            self.fails -= 1
            raise StoreUnavailableError("The store is away.")
        if order.key in self.impossible:
            raise ValueError("Marked Person of Somewhere Street")
        self.calls.append((channel, order, fetched))
        before = self.told.get((channel, order.key))
        if before is not None and before.changed_ms > order.changed_ms and not fetched:
            return Booked(state="booked", stale=True, lines=self._lines(before))
        self.told[channel, order.key] = order
        done = all(line.cancelled >= line.ordered for line in order.lines)
        return Booked(
            state="cancelled" if done else "booked",
            unchanged=before == order,
            reservations=(f"{channel}.{order.key}",),
            lines=self._lines(order),
            short=tuple(LinePieces(line.key, 1) for line in order.lines) if order.key in self.short else (),
            second_look_at_ms=self.second_looks.pop(order.key, 0),
        )

    def _lines(self, order: ChannelOrder) -> tuple[LineProgress, ...]:
        return tuple(
            LineProgress(
                line.key,
                line.ordered,
                line.ordered - line.cancelled,
                line.cancelled,
                max(line.shipped, self.shipped[order.key, line.key]),
                0,
            )
            for line in order.lines
        )

    async def is_booked(self, channel: str, number: str) -> bool:
        return (channel, number) in self.told

    async def parcels(self, channel: str, number: str) -> Sequence[Parcel]:  # noqa: ARG002
        return self.parcels_are

    async def number_of(self, reservation_id: str) -> str:
        return reservation_id.partition(".")[2]

    async def lacks(self, channel: str, number: str) -> Lacking:  # noqa: ARG002
        return Lacking(int(number in self.short), self.others)

    def keys(self, channel: str) -> set[str]:
        """Return the orders that were told."""
        return {key for name, key in self.told if name == channel}
