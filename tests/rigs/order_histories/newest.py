"""The newest that was told of each line, whatever came in what order: what stock must be after each delivery."""

from collections import defaultdict

from server.domain.channel_orders import ChannelOrder
from tests.rigs.order_histories.market import Market


class Newest:
    """What the snapshots that were delivered so far say together."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._lines: dict[str, tuple[int, int, int, int]] = {}
        self._undone: list[ChannelOrder] = []
        self.is_paid = False

    def hear(self, order: ChannelOrder) -> None:
        """Take a snapshot in, line by line: of each the newest figures; a part lowers none."""
        self._undone = [each for each in self._undone if each is not order and not _covers(order, each)]
        self.is_paid = self.is_paid or order.state == "open"
        for line in order.lines:
            before = self._lines.get(line.key, (-1, 0, 0, 0))
            if order.changed_ms < before[0]:
                continue
            now = (order.changed_ms, line.ordered, line.cancelled, line.shipped)
            if not order.complete and order.changed_ms > before[0]:
                now = (now[0], *(max(each) for each in zip(now[1:], before[1:], strict=True)))  # type: ignore[assignment]
            self._lines[line.key] = now

    def left_undone(self, order: ChannelOrder) -> None:
        """Note that a snapshot may be done in part, until it or a newer whole one comes."""
        self._undone.append(order)

    def has_told(self, keys: set[str]) -> bool:
        """Whether something was told of each of some lines."""
        return keys <= self._lines.keys()

    @property
    def is_settled(self) -> bool:
        """Whether all that was delivered must be done by now."""
        return not self._undone and not self._market.uncertain

    def expected(self) -> dict[str, tuple[int, int]]:
        """Return pieces that are open and gone of each SKU that only the channel moves, and that is there."""
        of_sku: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        left_alone = set[str]()
        for line in self._market.lines:
            if line.mode == "desk" or line.sku == self._market.late_sku:
                left_alone.add(line.sku)
            elif line.key in self._lines:
                _, ordered, cancelled, shipped = self._lines[line.key]
                of_sku[line.sku][0] += ordered - cancelled - shipped
                of_sku[line.sku][1] += shipped
        return {sku: (each[0], each[1]) for sku, each in of_sku.items() if sku not in left_alone}


def _covers(order: ChannelOrder, other: ChannelOrder) -> bool:
    return order.complete and order.changed_ms >= other.changed_ms
