"""From an adapter's snapshot to what stock is told of an order: no prices, no people."""

from collections.abc import Mapping

from adapters.contract.orders import Order, OrderLine
from server.domain.channel_orders import Booked, ChannelOrder, ChannelOrderLine


def neutral(order: Order) -> ChannelOrder:
    """Return what stock needs of an order. Tracking leads to the buyer, so it is none of it."""
    return ChannelOrder(
        key=order.key,
        changed_ms=order.changed_ms,
        lines=tuple(map(_line, order.lines)),
        complete=order.complete,
        state=order.state,
        gone_is_certain=order.gone_is_certain,
        fulfilled_by=order.fulfilled_by,
        placed_ms=order.placed_ms,
        pay_by_ms=order.pay_by_ms,
    )


def _line(line: OrderLine) -> ChannelOrderLine:
    return ChannelOrderLine(
        key=line.key,
        ordered=line.ordered,
        listing=line.listing,
        barcode=line.barcode,
        sku_hint=line.sku_hint,
        cancelled=line.cancelled,
        cancelled_by=line.cancelled_by,
        shipped=line.shipped,
        returned=line.returned,
        carries_stock=line.carries_stock,
        fulfilled_by=line.fulfilled_by,
    )


def is_over(order: Order, booked: Booked) -> bool:
    """Whether nothing more is to be expected of an order that was read whole: neither there nor here."""
    if not order.complete or booked.second_look_at_ms or booked.inbox:
        return False
    if booked.state == "recorded" or order.state in ("cancelled", "closed"):
        return True
    # What was shipped here and not yet there is to be said to the channel first.
    there = all(line.cancelled + line.shipped >= line.ordered for line in order.lines if line.carries_stock)
    return there and booked.state in ("shipped", "cancelled", "closed")


def shipped_ahead(order: Order, booked: Booked, said: Mapping[str, int]) -> tuple[tuple[str, int, int], ...]:
    """Return what has left here, is not shipped at the channel and was not ``said``, by pieces of a line.

    Each is a line, its pieces, and how many of it have left in all.
    """
    there = {line.key: max(line.shipped, said.get(line.key, 0)) for line in order.lines}
    return tuple(
        (each.line, each.shipped - there[each.line], each.shipped)
        for each in booked.lines
        if each.line in there and each.shipped > there[each.line]
    )


def is_whole(order: Order, line_key: str, shipped: int) -> bool:
    """Whether all that is not cancelled of a line has left."""
    line = next(line for line in order.lines if line.key == line_key)
    return shipped >= line.ordered - line.cancelled


def is_rest(order: Order, pieces: Mapping[str, int]) -> bool:
    """Whether these pieces of lines are all that is left of an order at the channel."""
    left = {line.key: line.ordered - line.cancelled - line.shipped for line in order.lines if line.carries_stock}
    return all(pieces.get(key, 0) >= count for key, count in left.items())
