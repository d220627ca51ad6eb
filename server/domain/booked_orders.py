"""What was booked of a channel's order: one small record, written by the script that has the effect."""

from typing import Final, Literal

import msgspec

KEPT_S: Final = 400 * 86_400
"""How long the record of an order is kept after it was touched last: longer than its reservation."""
POSTED: Final = "posted"
"""State of a record that intake has not made: reservations named the order's number, and it adopts them."""
RESERVATIONS_MAX: Final = 60
"""Reservations of one order, generations included."""

BookedOrderState = Literal["posted", "unpaid", "open", "cancelled", "closed"]


def order_field(channel: str, number: str) -> str:
    """Name the field of an order's record."""
    return f"{channel}\0{number}"


class BookedPieces(msgspec.Struct, array_like=True, frozen=True):
    """Pieces of an order's line that stand in a reservation.

    ``reservation``: its place in the record, counted from 0. Each component has a line there, its number is in
    ``lines``, with so many ``units`` in each piece. The counters are what was last seen there, in pieces: the
    reservation itself is forgotten earlier. ``replaced``: pieces whose hold ended and that were booked anew.
    """

    reservation: int
    pieces: int
    lines: list[int]
    units: list[int]
    replaced: int = 0
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0


class BookedLine(msgspec.Struct, array_like=True, frozen=True):
    """One line: the figures of the last snapshot that was acted on, and where its pieces stand.

    ``seen_ms``: when that one was changed, counted from the order's first. ``due``: pieces that are to be booked still.
    ``corrected``: pieces that a correction took back and booked again. ``gone``: the cancelled pieces that an uncertain
    look has told, ``gone_since_ms`` by the store's clock. ``stockless``: it takes no stock.
    """

    key: str
    ordered: int = 0
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0
    seen_ms: int = 0
    parts: list[BookedPieces] = []
    due: int = 0
    corrected: int = 0
    gone: int = 0
    gone_since_ms: int = 0
    stockless: bool = False
    unmapped: bool = False


class BookedOrder(msgspec.Struct, array_like=True, frozen=True):
    """One order of a channel, as the store keeps it; Lua makes and extends those that are ``posted``.

    ``version`` grows with each write; 0: there is no record. ``touched_ms`` is by the store's clock, ``first_ms``,
    ``changed_ms`` and ``complete_ms`` (the last snapshot with all lines) by the channel's. ``fingerprint``: of the
    snapshot that was acted on last; ``undone``: something of it could not be. ``fetched``: it was read, not heard.
    ``generations``: how many reservations intake has made. Fewer than 16 fields: Lua reads the first ones alone.
    """

    version: int
    state: BookedOrderState
    reservations: list[str]
    touched_ms: int
    first_ms: int = 0
    changed_ms: int = 0
    complete_ms: int = 0
    fingerprint: str = ""
    lines: list[BookedLine] = []
    generations: int = 0
    fetched: bool = False
    undone: bool = False
