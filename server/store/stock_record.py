"""The record of a (SKU, location) as the scripts keep it (``lua/lib/stock.lua``), for those who read it directly."""

from typing import Annotated, Any, Final

import msgspec

from server.domain.outcomes import Backorder

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
    allotments: Any = False
    """Nothing of what reads records here looks at it."""
    backorder: Backorder | None = None

    @property
    def buckets(self) -> tuple[int, int, int, int, int, int]:
        """The six buckets, in the order of :data:`server.store.replay.BUCKETS`."""
        return (self.on_hand, self.held, self.committed, self.damaged, self.quality_control, self.safety)

    @property
    def available(self) -> int:
        """What may still be promised; negative is a shortage."""
        return self.on_hand - self.held - self.committed - self.damaged - self.quality_control - self.safety

    @property
    def waiting(self) -> int:
        """Units that are waited for; in no bucket."""
        return self.backorder.waiting if self.backorder is not None else 0


decode_stock: Final = msgspec.msgpack.Decoder(StockRecord).decode
"""Read one record; raises ``msgspec.DecodeError`` for a damaged one."""
