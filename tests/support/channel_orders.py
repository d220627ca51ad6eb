"""Orders of channels for tests: snapshots in few words, and what stock has of them."""

from typing import Any, Final

from server.domain.channel_orders import Booked, ChannelOrder, ChannelOrderLine, IntakeRules
from server.service.caller import Caller
from server.service.orders import book

CHANNEL: Final = "market"
RULES: Final = IntakeRules()


def line(key: str, ordered: int, *, sku: str = "A", **fields: Any) -> ChannelOrderLine:
    """Make a line that tells its SKU."""
    return ChannelOrderLine(key=key, ordered=ordered, **({"sku_hint": sku} | fields))


def told(number: str, at_ms: int, *lines: ChannelOrderLine, **fields: Any) -> ChannelOrder:
    """Make a snapshot with all lines."""
    return ChannelOrder(key=number, changed_ms=at_ms, lines=lines, **({"complete": True} | fields))


async def hear(
    caller: Caller,
    order: ChannelOrder,
    *,
    fetched: bool = False,
    whole: bool = False,
    channel: str = CHANNEL,
    **rules: Any,
) -> Booked:
    """Book a snapshot of a channel."""
    return await book(caller, channel, order, fetched=fetched, whole=whole, rules=IntakeRules(**rules))


async def buckets(caller: Caller, sku: str = "A") -> tuple[int, int, int]:
    """Return what is on hand, held and committed of a SKU, at all locations."""
    levels = (await caller.ledger.stock(sku)).levels
    return (
        sum(each.on_hand for each in levels),
        sum(each.held for each in levels),
        sum(each.committed for each in levels),
    )
