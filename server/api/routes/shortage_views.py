"""How shortages are shown, at a location with all orders or of one order: several routes have them in their answers."""

from server.domain.shortages import Elsewhere
from server.schemas.common import time_of
from server.schemas.shortages import OrderShortageView, ShortageView, ShortLineView, other_locations
from server.service.shortages import OrderShortages
from server.store.repositories.shortages import Shortage


def shortage_view(shortage: Shortage, elsewhere: Elsewhere) -> ShortageView:
    """Show what is short, and whose it is."""
    lines = [
        ShortLineView(
            each.reservation_id, each.line, each.channel, each.state, each.order_ref, each.flags,
            time_of(each.created_ms), each.quantity, each.lacks,
            other_locations(elsewhere, shortage.sku, each.channel, shortage.location),
        )
        for each in shortage.lines
    ]  # fmt: skip
    return ShortageView(shortage.sku, shortage.location, shortage.short, lines, shortage.complete)


def order_shortages(found: OrderShortages) -> list[OrderShortageView]:
    """Show what reservations lack, line by line."""
    return [
        OrderShortageView(
            line.reservation_id, line.line, each.sku, each.location, line.lacks,
            other_locations(found.elsewhere, each.sku, line.channel, each.location), each.complete,
        )
        for each in found.short
        for line in each.lines
    ]  # fmt: skip
