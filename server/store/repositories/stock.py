"""Reads the record of a (SKU, location) as the scripts store it (``lua/lib/stock.lua``)."""

from typing import Final

import msgspec

from server.domain.stock import StockRecord

decode_stock: Final = msgspec.msgpack.Decoder(StockRecord).decode
"""Read one record; raises ``msgspec.DecodeError`` for a damaged one."""
