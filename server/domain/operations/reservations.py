"""Operations on reservations: reserve and order, and what becomes of them."""

import msgspec

from server.domain.operations.base import Operation
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


class Reserve(Operation, tag="reserve", frozen=True):
    """Hold units until a deadline; all or nothing, or as much of each line as there is (``partial``).

    ``backorder``: what is missing waits, where the (SKU, location) allows it.
    """

    reservation_id: str
    channel: str
    lines: list[Line]
    ttl_ms: int
    partial: bool = False
    order_ref: str = ""
    customer_ref: str = ""
    flags: list[str] = []
    backorder: bool = False


class Order(Operation, tag="order", frozen=True):
    """Reserve and commit in one step. ``accept_shortage``: it is already sold, so record what is missing.

    ``backorder`` comes first: what may not wait is a shortage.
    """

    reservation_id: str
    channel: str
    lines: list[Line]
    accept_shortage: bool = False
    partial: bool = False
    order_ref: str = ""
    customer_ref: str = ""
    flags: list[str] = []
    backorder: bool = False


class Extend(Operation, tag="extend", frozen=True):
    """Move the deadline of a hold to now + ``ttl_ms``, never back and never past its longest life."""

    reservation_id: str
    key: str
    ttl_ms: int


class Commit(Operation, tag="commit", frozen=True):
    """Turn held units into ordered ones. No lines: all of them."""

    reservation_id: str
    key: str
    lines: list[LineQuantity]
    keep_remainder: bool = False
    order_ref: str = ""


class Release(Operation, tag="release", frozen=True):
    """Give held units back. No lines: all of them."""

    reservation_id: str
    key: str
    lines: list[LineQuantity]


class Cancel(Operation, tag="cancel", frozen=True):
    """Give ordered units back that have not been shipped. No lines: all of them."""

    reservation_id: str
    key: str
    lines: list[LineQuantity]
    reason: str = ""


class Fulfil(Operation, tag="fulfil", frozen=True):
    """Ship ordered units: they leave ``on_hand``. No lines: all that is ordered."""

    reservation_id: str
    key: str
    lines: list[LineQuantity]
    tracking: str = ""
    carrier: str = ""
    invoice_ref: str = ""


class LineRelocation(msgspec.Struct, array_like=True, frozen=True):
    """What a line has promised (``quantity`` 0), or so much of it, is to come from ``to``.

    ``closed``: that location takes no new promises, so the move is refused if it is not a replay.
    """

    line: int
    quantity: int
    to: str
    closed: bool = False


class Relocate(Operation, tag="relocate", frozen=True):
    """Take promised units from other locations, where they must be available."""

    reservation_id: str
    key: str
    lines: list[LineRelocation]


class Return(Operation, tag="return", frozen=True):
    """Take shipped units back, at any location; never more than were shipped. ``lines`` must not be empty."""

    reservation_id: str
    key: str
    lines: list[ReturnedLine]
    reason: str = ""
