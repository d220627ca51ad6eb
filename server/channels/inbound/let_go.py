"""What a shop lets go of its orders, where it subtracts them from its stock: what it then shows, nobody has told it.

It lets pieces go when an order is cancelled, sent, edited or taken back. Our number may have changed before that, or
not at all. So the listing is told again, whatever it is believed to show.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple

from adapters.contract.orders import Order

Tell = Callable[[Sequence[str]], Awaitable[None]]
"""Has listings told again, by their keys; durable when it returns."""
_REMEMBERED: Final = 10_000
"""Orders of which is known how they were: of others, what they ever let go counts as new."""


class _Line(NamedTuple):
    """How a line is at the shop; ``sold``: pieces that were ordered and are not cancelled."""

    listing: str
    ordered: int
    sold: int
    shipped: int
    returned: int

    def lets_go(self, before: "_Line | None") -> bool:
        """Whether pieces were let go since ``before``; None: nothing is known of the line."""
        was = before or _Line(self.listing, self.ordered, self.ordered, 0, 0)
        return self.sold < was.sold or self.shipped > was.shipped or self.returned > was.returned


class LetGo:
    """Looks at the orders of one channel; ``tell`` None: it does not subtract its orders, so nothing is looked at."""

    def __init__(self, tell: Tell | None) -> None:
        self._tell = tell
        self._orders: OrderedDict[str, Mapping[str, _Line]] = OrderedDict()

    async def look(self, order: Order) -> None:
        """Have told again what an order has let go since it was last looked at.

        Raises
        ------
        StoreUnavailableError
            It may not be told; look again.

        """
        if self._tell is None:
            return
        before = self._orders.get(order.key, {})
        lines = dict(_lines_of(order))
        gone = {key: each._replace(sold=0) for key, each in before.items() if order.complete and key not in lines}
        now = {**before, **gone, **lines}
        keys = dict.fromkeys(each.listing for key, each in now.items() if each.lets_go(before.get(key)))
        told = [key for key in keys if key]
        if told:
            await self._tell(told)
        self._remember(order.key, now)

    def _remember(self, key: str, lines: Mapping[str, _Line]) -> None:
        self._orders[key] = lines
        self._orders.move_to_end(key)
        if len(self._orders) > _REMEMBERED:
            self._orders.popitem(last=False)


def _lines_of(order: Order) -> list[tuple[str, _Line]]:
    return [
        (
            each.key,
            _Line(
                each.listing or each.sku_hint,
                each.ordered,
                0 if order.state == "cancelled" else each.ordered - each.cancelled,
                each.shipped,
                each.returned,
            ),
        )
        for each in order.lines
        if each.carries_stock
    ]
