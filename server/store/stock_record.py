"""A record of the stock hash, as lua/lib/stock.lua packs it: six buckets, the seq, and more where there is any."""

from typing import Annotated

import msgspec

from server.domain.allotments import Allotment, left

Units = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
"""Lua's whole numbers are exact within these; anything beyond is damage."""


class StockRecord(msgspec.Struct, array_like=True, frozen=True):
    """One (SKU, location). Values that this release does not know may stand behind these."""

    on_hand: Units
    held: Units
    committed: Units
    damaged: Units
    quality_control: Units
    safety: Units
    seq: Units
    allotments: list[Allotment] | bool = False
    """False: none, and something stands behind them."""

    @property
    def buckets(self) -> tuple[int, int, int, int, int, int]:
        """The six, in their order."""
        return (self.on_hand, self.held, self.committed, self.damaged, self.quality_control, self.safety)

    @property
    def allotted(self) -> list[Allotment]:
        """What channels have for themselves."""
        return self.allotments if isinstance(self.allotments, list) else []

    @property
    def free(self) -> int:
        """What is promised to nobody, set aside or not; negative is a shortage."""
        return self.on_hand - self.held - self.committed - self.damaged - self.quality_control - self.safety

    def left(self, channel: str = "") -> int:
        """What may still be promised to a channel; empty: to anybody."""
        return left(self.free, self.allotted, channel)
