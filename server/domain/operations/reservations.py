"""Operations on reservations: reserve and order, and what becomes of them."""

from typing import ClassVar

import msgspec

from server.domain.operations.base import LINES_ASSUMED, Operation
from server.domain.operations.stock import Disposition


class Line(msgspec.Struct, array_like=True, frozen=True):
    """Units of one SKU at one location that a caller wants."""

    sku: str
    location: str
    quantity: int


class LineQuantity(msgspec.Struct, array_like=True, frozen=True):
    """A part of an existing reservation: ``line`` counts from 1, in the order of the reservation."""

    line: int
    quantity: int


class ReturnedLine(msgspec.Struct, array_like=True, frozen=True):
    """Shipped units of one line that came back. ``location`` empty: to where they were shipped from."""

    line: int
    quantity: int
    disposition: Disposition
    location: str = ""


class ReservationOperation(Operation, frozen=True):
    """An operation on one reservation.

    A new one travels with its lines last and flat: an array costs the store more than all that is in it.
    """


class Reserve(ReservationOperation, tag="reserve", frozen=True):
    """Hold units until a deadline; all or nothing, or as much of each line as there is (``partial``).

    ``backorder``: what is missing waits, where the (SKU, location) allows it.
    """

    wire: ClassVar[tuple[str, ...]] = (
        "fingerprint", "actor", "reservation_id", "channel", "ttl_ms", "partial", "order_ref", "customer_ref", "flags",
        "line_count", "lines",
    )  # fmt: skip

    reservation_id: str
    channel: str
    lines: list[Line]
    ttl_ms: int
    partial: bool = False
    order_ref: str = ""
    customer_ref: str = ""
    flags: list[str] = []
    backorder: bool = False

    @property
    def weight(self) -> int:
        """Its lines."""
        return len(self.lines)


class Order(ReservationOperation, tag="order", frozen=True):
    """Reserve and commit in one step. ``accept_shortage``: it is already sold, so record what is missing.

    ``backorder`` comes first: what may not wait is a shortage.
    """

    wire: ClassVar[tuple[str, ...]] = (
        "fingerprint", "actor", "reservation_id", "channel", "accept_shortage", "partial", "order_ref", "customer_ref",
        "flags", "line_count", "lines",
    )  # fmt: skip

    reservation_id: str
    channel: str
    lines: list[Line]
    accept_shortage: bool = False
    partial: bool = False
    order_ref: str = ""
    customer_ref: str = ""
    flags: list[str] = []
    backorder: bool = False

    @property
    def weight(self) -> int:
        """Its lines."""
        return len(self.lines)


class Extend(ReservationOperation, tag="extend", frozen=True):
    """Move the deadline of a hold to now + ``ttl_ms``, never back and never past its longest life."""

    function: ClassVar[str] = "mutate_when_full"

    reservation_id: str
    key: str
    ttl_ms: int


class Commit(ReservationOperation, tag="commit", frozen=True):
    """Turn held units into ordered ones. No lines: all of them."""

    function: ClassVar[str] = "mutate_when_full"

    reservation_id: str
    key: str
    lines: list[LineQuantity]
    keep_remainder: bool = False
    order_ref: str = ""

    @property
    def weight(self) -> int:
        """The lines of the reservation, as assumed."""
        return LINES_ASSUMED


class Release(ReservationOperation, tag="release", frozen=True):
    """Give held units back. No lines: all of them."""

    function: ClassVar[str] = "mutate_when_full"

    reservation_id: str
    key: str
    lines: list[LineQuantity]

    @property
    def weight(self) -> int:
        """The lines of the reservation, as assumed."""
        return LINES_ASSUMED


class Cancel(ReservationOperation, tag="cancel", frozen=True):
    """Give ordered units back that have not been shipped. No lines: all of them."""

    function: ClassVar[str] = "mutate_when_full"

    reservation_id: str
    key: str
    lines: list[LineQuantity]
    reason: str = ""

    @property
    def weight(self) -> int:
        """The lines of the reservation, as assumed."""
        return LINES_ASSUMED


class Fulfil(ReservationOperation, tag="fulfil", frozen=True):
    """Ship ordered units: they leave ``on_hand``. No lines: all that is ordered."""

    function: ClassVar[str] = "mutate_when_full"

    reservation_id: str
    key: str
    lines: list[LineQuantity]
    tracking: str = ""
    carrier: str = ""
    invoice_ref: str = ""

    @property
    def weight(self) -> int:
        """The lines of the reservation, as assumed."""
        return LINES_ASSUMED


class LineRelocation(msgspec.Struct, array_like=True, frozen=True):
    """What a line has promised (``quantity`` 0), or so much of it, is to come from ``to``.

    ``closed``: that location takes no new promises, so the move is refused if it is not a replay.
    """

    line: int
    quantity: int
    to: str
    closed: bool = False


class Relocate(ReservationOperation, tag="relocate", frozen=True):
    """Take promised units from other locations, where they must be available."""

    reservation_id: str
    key: str
    lines: list[LineRelocation]

    @property
    def weight(self) -> int:
        """The lines of the reservation, as assumed, and those that move."""
        return LINES_ASSUMED + len(self.lines)


class Return(ReservationOperation, tag="return", frozen=True):
    """Take shipped units back, at any location; never more than were shipped. ``lines`` must not be empty."""

    reservation_id: str
    key: str
    lines: list[ReturnedLine]
    reason: str = ""

    @property
    def weight(self) -> int:
        """Its lines."""
        return len(self.lines)
