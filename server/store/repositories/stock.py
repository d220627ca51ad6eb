"""The record of a (SKU, location) as the scripts keep it (``lua/lib/stock.lua``), for those who read it directly."""

from typing import Annotated, Final

import msgspec

from server.domain.allocations import Allocation, left
from server.domain.stock import Backorder

Units = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
"""Lua's whole numbers are exact within these; anything beyond is damage."""


class StockRecord(msgspec.Struct, array_like=True, frozen=True):
    """Six buckets and the seq. What stands behind them is left out where nobody set it."""

    on_hand: Units
    held: Units
    committed: Units
    damaged: Units
    quality_control: Units
    safety: Units
    seq: Units
    allocations: list[Allocation] | bool = False
    """False: none."""
    backorder: Backorder | None = None

    @property
    def buckets(self) -> tuple[int, int, int, int, int, int]:
        """The six buckets, in the order of :data:`server.store.journal.replay.BUCKETS`."""
        return (self.on_hand, self.held, self.committed, self.damaged, self.quality_control, self.safety)

    @property
    def allocated(self) -> list[Allocation]:
        """What channels have for themselves."""
        return self.allocations if isinstance(self.allocations, list) else []

    @property
    def free(self) -> int:
        """What is promised to nobody, set aside or not; negative is a shortage."""
        return self.on_hand - self.held - self.committed - self.damaged - self.quality_control - self.safety

    def left(self, channel: str = "") -> int:
        """What may still be promised to a channel; empty: to anybody."""
        return left(self.free, self.allocated, channel)

    @property
    def waiting(self) -> int:
        """Units that are waited for; in no bucket."""
        return self.backorder.waiting if self.backorder is not None else 0


decode_stock: Final = msgspec.msgpack.Decoder(StockRecord).decode
"""Read one record; raises ``msgspec.DecodeError`` for a damaged one."""
