"""From the buckets of a SKU, as the ledger keeps them, to what callers get."""

from server.domain.operations.stock import BackorderMode
from server.domain.stock import StockLevel
from server.schemas.allocations import AllocationView
from server.schemas.stock import BackorderView, LevelView, MovedView


def level_view(level: StockLevel, *, closed: bool) -> LevelView:
    """Show every bucket, and how available follows from them; ``closed``: the location is, so nothing is available."""
    because = f"available 0: the location is closed; open, {_because(level)}" if closed else _because(level)
    return LevelView(
        level.location, 0 if closed else level.available, level.on_hand, level.held, level.committed, level.damaged,
        level.quality_control, level.safety, level.seq, because, level.set_aside, allocation_views(level),
        _backorder_view(level), closed,
    )  # fmt: skip


def _because(level: StockLevel) -> str:
    buckets = (
        f"on_hand {level.on_hand} − damaged {level.damaged}"
        f" − quality_control {level.quality_control} − safety {level.safety}"
        f" − held {level.held} − committed {level.committed}"
    )
    if not level.set_aside:
        return f"available {level.available} = {buckets}"
    explained = f"available {level.available} = {buckets} − set_aside {level.set_aside}"
    if level.free >= level.set_aside:
        return explained
    return f"{explained}, of which {max(0, level.free)} are there"


def _backorder_view(level: StockLevel) -> BackorderView | None:
    backorder = level.backorder
    if backorder is None:
        return None
    return BackorderView(BackorderMode(backorder.mode).value, backorder.limit, backorder.waiting, backorder.promise_on)


def allocation_views(level: StockLevel) -> list[AllocationView]:
    """Show the allocations of channels."""
    return [
        AllocationView(each.channel, each.kind, each.units, each.used, level.left(each.channel))
        for each in level.allocated
    ]


def moved_view(level: StockLevel) -> MovedView:
    """Show the buckets after a movement."""
    return MovedView(
        level.sku, level.location, level.available, level.on_hand, level.held, level.committed, level.damaged,
        level.quality_control, level.safety, level.seq, level.set_aside,
    )  # fmt: skip
