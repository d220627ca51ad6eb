"""Small questions about the orders that a source is told: by how much they make its numbers too high, and such."""

from collections.abc import Mapping

from adapters.contract.adapter import Adapter
from adapters.contract.source import Source
from server.domain.reservation import Reservation
from server.domain.sources import TrackedOrder, Units
from server.domain.sudden_changes import Place


def too_high(order: TrackedOrder) -> dict[Place, int]:
    """Return by how much an order makes the source's numbers too high.

    Where it refuses an order, it may know of it by another way: what came back is not added then.
    """
    if not order.reason:
        return order.untold
    return {place: units for place, units in order.untold.items() if units > 0}


def tracked(sold: Mapping[Place, int], reservation: Reservation) -> TrackedOrder:
    """Return an order as it is first tracked: with what it has sold, and the source told of nothing."""
    return TrackedOrder(
        reservation.channel, reservation.order_ref, listed(sold), [], reservation.seq, reservation.created_ms
    )


def listed(units: Mapping[Place, int]) -> Units:
    """List units by place, as they are stored."""
    return [(sku, location, number) for (sku, location), number in sorted(units.items()) if number]


def source_of(adapter: Adapter) -> Source:
    """Return an adapter that was built from a kind of source."""
    if not isinstance(adapter, Source):
        raise TypeError(f"{type(adapter).__name__} is no source")
    return adapter
