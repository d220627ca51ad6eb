"""What can be asked of the ledger: one immutable type for each operation.

They travel to the Lua scripts as MessagePack: the tag first, then the fields in the order written here. A field's place
is therefore part of the contract with ``lua/operations/*.lua``; add new ones at the end. Reserve and Order travel
with their lines last (``server/store/lane.py``).

Every operation carries ``actor`` (who asked: an API key's id, ``local`` or ``system``) for the journal, and what makes
a retry safe: ``fingerprint`` is a digest of the request, so that a key that comes back with another body
is refused. An empty fingerprint means that the caller asked for no protection against retries.
"""

from datetime import date
from enum import StrEnum
from hashlib import blake2b
from typing import Final

import msgspec

from server.domain.allotments import AllotmentKind

_FINGERPRINT_BYTES: Final = 8
"""Only two different bodies under one key can collide, so 64 bits are plenty, and each live record holds one."""


class Bucket(StrEnum):
    """One counter of a (SKU, location)."""

    ON_HAND = "on_hand"
    HELD = "held"
    COMMITTED = "committed"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"
    SAFETY = "safety"


class Disposition(StrEnum):
    """What becomes of units that come in: sold again, or held back in a bucket."""

    RESTOCK = "restock"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"


class Shelf(StrEnum):
    """Where units of a (SKU, location) lie: they can be sold, or are held back in a bucket."""

    AVAILABLE = "available"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"


class BackorderMode(StrEnum):
    """Why units may be promised that are not there: none was yet, or they are sold out and more is to come."""

    PREORDER = "preorder"
    BACKORDER = "backorder"


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


class Operation(msgspec.Struct, array_like=True, frozen=True):
    """What all operations have in common."""

    fingerprint: str
    actor: str


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


class LineMove(msgspec.Struct, array_like=True, frozen=True):
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
    lines: list[LineMove]


class Return(Operation, tag="return", frozen=True):
    """Take shipped units back, at any location; never more than were shipped. ``lines`` must not be empty."""

    reservation_id: str
    key: str
    lines: list[ReturnedLine]
    reason: str = ""


class Receive(Operation, tag="receive", frozen=True):
    """Units arrived: ``on_hand`` grows. Makes the SKU known at the location."""

    key: str
    sku: str
    location: str
    quantity: int
    reason: str = ""


class Adjust(Operation, tag="adjust", frozen=True):
    """Change one bucket by a signed ``delta``, with a reason. No bucket may go below zero by it."""

    key: str
    sku: str
    location: str
    bucket: Bucket
    delta: int
    reason: str = ""


class Count(Operation, tag="count", frozen=True):
    """Somebody counted: set ``on_hand`` absolutely.

    ``baseline_seq`` is the seq that the counter saw when the count began: what was shipped or received since then
    is added to the figure. -1: no baseline, the figure holds as of now.
    ``safety`` -1: leave the safety stock as it is. ``on_hand`` -1: set only the safety stock.
    """

    key: str
    sku: str
    location: str
    on_hand: int
    baseline_seq: int = -1
    safety: int = -1
    reason: str = ""


class Move(Operation, tag="move", frozen=True):
    """Put units from one shelf on another; ``on_hand`` stays. Promised units can turn out to be broken, too.

    There must be as many where they are taken from: of ``available``, as lie there unharmed, promised or not.
    """

    key: str
    sku: str
    location: str
    from_shelf: Shelf
    to_shelf: Shelf
    quantity: int
    reason: str = ""


class SetBackorder(Operation, tag="backorder", frozen=True):
    """Say how many units of a (SKU, location) may be waited for at a time; makes the SKU known there.

    ``limit`` 0: none from now on, those who wait stay. ``promise_on``: the day that new ones are told, or "".
    """

    key: str
    sku: str
    location: str
    mode: BackorderMode
    limit: int
    promise_on: str = ""


class Allocate(Operation, tag="allocate", frozen=True):
    """Give a channel units of its own, or a cap on what it may take; ``units`` in all, what it has promised included.

    own and 0: it has nothing for itself any more. What a channel without an allotment has promised there must be
    counted: it was ``used`` when the journal ended with ``seen_id`` (empty: not counted).
    """

    key: str
    sku: str
    location: str
    channel: str
    kind: AllotmentKind
    units: int
    reason: str = ""
    seen_id: str = ""
    used: int = 0


class AllocateMove(Operation, tag="allocate_move", frozen=True):
    """Give units that a channel has, and has not promised, to another. ``used`` and ``seen_id`` are the taker's."""

    key: str
    sku: str
    location: str
    channel: str
    taker: str
    units: int
    reason: str = ""
    seen_id: str = ""
    used: int = 0


class TransferItem(msgspec.Struct, array_like=True, frozen=True):
    """Units of one SKU that are sent."""

    sku: str
    quantity: int


class ArrivedLine(msgspec.Struct, array_like=True, frozen=True):
    """Units of one line of a transfer that arrived; ``line`` counts from 1."""

    line: int
    quantity: int
    disposition: Disposition


class Ship(Operation, tag="ship", frozen=True):
    """Send units from one location to another; only what may still be promised there.

    A ``transfer_id`` that is there already is a retry, if the fingerprint is the same.
    """

    key: str
    transfer_id: str
    source: str
    destination: str
    lines: list[TransferItem]
    reason: str = ""


class Arrive(Operation, tag="arrive", frozen=True):
    """Receive units of a transfer at its destination.

    ``everything``: all that is on its way arrived, to be sold again; ``lines`` is empty then.
    ``close``: what has not arrived by now never will, for this ``reason``.
    """

    key: str
    transfer_id: str
    lines: list[ArrivedLine]
    everything: bool = False
    close: bool = False
    reason: str = ""


class Expect(Operation, tag="expect", frozen=True):
    """Say that units are to come on a day. ``quantity`` is all that was ordered, also what has come of it by now.

    A ``supply_id`` that is there already is changed to what this says; it stays with its SKU.
    """

    key: str
    supply_id: str
    sku: str
    location: str
    quantity: int
    expected_on: date
    reference: str = ""


class Forgo(Operation, tag="forgo", frozen=True):
    """Expect a receipt no longer."""

    key: str
    supply_id: str


class ReceiveExpected(Operation, tag="receive_expected", frozen=True):
    """Units arrived that were expected. ``location`` empty: where they were expected."""

    key: str
    supply_id: str
    sku: str
    location: str
    quantity: int
    reason: str = ""


ReservationOperation = Reserve | Order | Extend | Commit | Release | Cancel | Fulfil | Return | Relocate
StockOperation = Receive | ReceiveExpected | Adjust | Count | Move | SetBackorder
AllotmentOperation = Allocate | AllocateMove
SupplyOperation = Expect | Forgo
TransferOperation = Ship | Arrive

_encoder = msgspec.msgpack.Encoder()


def fingerprint(*parts: object) -> str:
    """Digest of a request, 16 hexadecimal characters; equal for equal requests, however they were spelled.

    ``parts``: what the request means (its name, what it is about, its decoded body), not who sent it.
    """
    return blake2b(_encoder.encode(parts), digest_size=_FINGERPRINT_BYTES).hexdigest()
