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

    ``reservation``: its place in the record, counted from 0. Each component has a line there, from ``line`` on, with so
    many ``units`` in each piece. The counters are what was last seen there, in pieces: the reservation itself is
    forgotten earlier.
    """

    reservation: int
    pieces: int
    line: int
    units: list[int]
    cancelled: int = 0
    expired: int = 0
    shipped: int = 0
    returned: int = 0


class BookedLine(msgspec.Struct, array_like=True, frozen=True):
    """One line: the figures of the last snapshot that was acted on, and where its pieces stand.

    ``seen_ms``: how much later than the order's first snapshot that one was changed. ``due``: pieces that are to be
    booked still. ``corrected``: pieces that a correction took back and booked again. ``gone``: pieces that were missing
    without certainty, ``gone_since_ms`` by the store's clock. ``stockless``: it takes no stock.
    """

    key: str
    ordered: int
    cancelled: int
    shipped: int
    returned: int
    seen_ms: int
    parts: list[BookedPieces] = []
    due: int = 0
    corrected: int = 0
    gone: int = 0
    gone_since_ms: int = 0
    stockless: bool = False
    unmapped: bool = False


class BookedOrder(msgspec.Struct, array_like=True, frozen=True):
    """One order of a channel, as the store keeps it; Lua makes and extends those that are ``posted``.

    ``version`` grows with each write; 0: there is no record. ``first_ms`` and ``changed_ms`` are the channel's times,
    ``touched_ms`` is the store's. ``fingerprint``: of the snapshot that was acted on last, empty if something of it is
    undone. ``generations``: how many reservations intake has made.
    """

    version: int
    first_ms: int
    changed_ms: int
    touched_ms: int
    fingerprint: str
    state: BookedOrderState
    reservations: list[str]
    lines: list[BookedLine] = []
    generations: int = 0
    fetched: bool = False
    inbox: str = ""
