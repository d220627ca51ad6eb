"""The units that a channel holds in its own warehouse, as an adapter reads them: listing by listing."""

import msgspec


class Warehouse(msgspec.Struct, frozen=True, kw_only=True):
    """That a kind can read what lies in the channel's own warehouse; it is read anew every ``every_s`` seconds."""

    every_s: float = 900.0


class HeldUnits(msgspec.Struct, frozen=True):
    """The units of one listing there that can be sold. ``key``: as the listing is published.

    ``sku_hint``: the merchant's own name of it, where the channel tells it; never guessed.
    """

    key: str
    quantity: int
    sku_hint: str = ""


class WarehousePage(msgspec.Struct, frozen=True):
    """One page. ``cursor``: of the next one; ``more`` False: these were the last.

    What the channel ships from elsewhere is left out. ``unreadable``: rows that could not be understood; what they
    would have said is unknown, so nothing is taken to be gone.
    """

    units: tuple[HeldUnits, ...]
    cursor: str
    more: bool
    unreadable: int = 0
