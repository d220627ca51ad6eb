"""What the ledger answers: values, not exceptions.

The Lua scripts build these as MessagePack arrays, the tag first; the order of the fields is the contract.
:data:`OUTCOMES` is the one table from an outcome's name to its HTTP status and meaning.
"""

from datetime import date
from typing import Final

import msgspec

from server.domain.allotments import Allotment, left, set_aside


class ReservationLine(msgspec.Struct, array_like=True, frozen=True):
    """One line of a reservation. All counters are units; ``line`` is its place, counted from 1.

    At any time ``quantity = held + committed + fulfilled + released + expired + backordered``, and
    ``returned`` is at most ``fulfilled``. Of those that are backordered, ``waiting`` will be held and ``owed``
    committed when they come; ``first_waiting`` is how many they were at first, ``mode`` and ``promise_on`` what was
    told then.
    ``requested`` exceeds ``quantity`` only where a partial reservation got less than it wanted.
    ``first_available`` and ``first_seq`` are what the reserve or order itself left of the (SKU, location) for its
    channel, kept so that a replay can answer as the first time; both are 0 in a line that a move to another location
    added.
    """

    sku: str
    location: str
    quantity: int
    requested: int
    held: int
    committed: int
    first_available: int
    first_seq: int
    fulfilled: int = 0
    released: int = 0
    expired: int = 0
    returned: int = 0
    waiting: int = 0
    owed: int = 0
    first_waiting: int = 0
    mode: str = ""
    promise_on: str = ""

    @property
    def backordered(self) -> int:
        """Units that are not there yet."""
        return self.waiting + self.owed


class OpenLines(msgspec.Struct, array_like=True, frozen=True):
    """Lines that are held where they lie only for want of an address, until they are ``bound``.

    ``group`` is where they may be bound, empty: anywhere; ``lines`` are numbers, counted from 1.
    """

    group: str
    lines: list[int]
    bound: bool = False


class Reservation(msgspec.Struct, array_like=True, frozen=True):
    """One promise, as the store keeps it. Times are milliseconds since 1970 on the store's clock.

    ``state``: held, committed, backordered (nothing but units that are not there yet), fulfilled, released, expired,
    cancelled. ``deadline_ms`` is 0 where nothing is held, or waited for to be held.
    ``ttl_ms`` is the first one asked for, 0 for an order. ``seq`` is the last change's.
    ``notes`` are (name, value) pairs that later operations left: tracking, carrier, invoice_ref, cancel reason,
    return reason, exchanged_for; exchange_of is there from the start. ``open``: None where no line ever was.
    """

    state: str
    created_ms: int
    deadline_ms: int
    ttl_ms: int
    seq: int
    channel: str
    actor: str
    fingerprint: str
    lines: list[ReservationLine]
    order_ref: str = ""
    customer_ref: str = ""
    flags: list[str] = []
    notes: list[tuple[str, str]] = []
    open: OpenLines | None = None


class Availability(msgspec.Struct, array_like=True, frozen=True):
    """What may still be promised of a SKU at a location, and the seq that says how new that is."""

    sku: str
    location: str
    available: int
    seq: int


class Changed(msgspec.Struct, array_like=True, frozen=True, tag="changed"):
    """An operation on a reservation took effect, now or (``replayed``) when the same request came first.

    ``availability``: what the operation left, for the reservation's channel, of each (SKU, location) that it touched. A
    reserve or order sends none: its lines tell, see :func:`left_available`.
    """

    replayed: bool
    reservation: Reservation
    availability: list[Availability] = []


def left_available(changed: Changed) -> list[Availability]:
    """Tell what an operation left of each (SKU, location) that it touched, in the order of the lines."""
    if changed.availability:
        return changed.availability
    lines = changed.reservation.lines
    # Where several lines name one place, the last one tells what is left there.
    last = {(line.sku, line.location): line for line in lines}
    return [Availability(sku, place, line.first_available, line.first_seq) for (sku, place), line in last.items()]


class LineRefusal(msgspec.Struct, array_like=True, frozen=True):
    """Why one line was refused: how much was asked for, and how much there was (available or left over)."""

    line: int
    sku: str
    location: str
    requested: int
    available: int


class Refused(msgspec.Struct, array_like=True, frozen=True, tag="refused"):
    """Nothing changed. ``outcome`` is a name in :data:`OUTCOMES`; ``state`` the reservation's, where there is one."""

    outcome: str
    state: str
    lines: list[LineRefusal]


class Backorder(msgspec.Struct, array_like=True, frozen=True):
    """How many units of a (SKU, location) may be waited for at a time, and how many are now.

    ``mode``: preorder or backorder. ``promise_on``: the day that new ones are told, or "".
    """

    mode: str
    limit: int
    promise_on: str
    waiting: int


class StockLevel(msgspec.Struct, array_like=True, frozen=True):
    """Every bucket of one (SKU, location), in units, and what channels have for themselves."""

    sku: str
    location: str
    on_hand: int
    held: int
    committed: int
    damaged: int
    quality_control: int
    safety: int
    seq: int
    allotments: list[Allotment] | bool = False
    """False: none."""
    backorder: Backorder | None = None

    @property
    def free(self) -> int:
        """What is promised to nobody, set aside or not; negative is a shortage."""
        return self.on_hand - self.damaged - self.quality_control - self.safety - self.held - self.committed

    @property
    def allotted(self) -> list[Allotment]:
        """What channels have for themselves."""
        return self.allotments if isinstance(self.allotments, list) else []

    @property
    def set_aside(self) -> int:
        """What is kept for channels; more than is free, where units went missing."""
        return set_aside(self.allotted)

    @property
    def available(self) -> int:
        """What may still be promised to anybody; negative is a shortage."""
        return left(self.free, self.allotted) if self.allotments else self.free

    def left(self, channel: str) -> int:
        """What may still be promised to a channel."""
        return left(self.free, self.allotted, channel)


class StockChanged(msgspec.Struct, array_like=True, frozen=True, tag="stock_changed"):
    """A movement took effect, now or (``replayed``) when the same request came first."""

    replayed: bool
    level: StockLevel


class TransferLine(msgspec.Struct, array_like=True, frozen=True):
    """One SKU of a transfer, in units. What was neither received nor lost is on its way."""

    sku: str
    quantity: int
    received: int
    lost: int

    @property
    def in_transit(self) -> int:
        """Units on their way: they belong to no location."""
        return self.quantity - self.received - self.lost


class Transfer(msgspec.Struct, array_like=True, frozen=True):
    """Units sent from one location to another, as the store keeps it. ``state``: in_transit, closed.

    Times are milliseconds since 1970 on the store's clock; ``closed_ms`` is 0 while it is on its way.
    """

    state: str
    shipped_ms: int
    closed_ms: int
    actor: str
    fingerprint: str
    source: str
    destination: str
    lines: list[TransferLine]
    reason: str = ""
    lost_reason: str = ""


class TransferChanged(msgspec.Struct, array_like=True, frozen=True, tag="transfer_changed"):
    """A step of a transfer took effect, now or (``replayed``) when the same request came first."""

    replayed: bool
    transfer: Transfer
    availability: list[Availability] = []


class Supply(msgspec.Struct, array_like=True, frozen=True):
    """An expected receipt, as the store keeps it: ``quantity`` units in all, of which ``received`` have come."""

    sku: str
    location: str
    quantity: int
    received: int
    expected_on: date
    reference: str = ""

    @property
    def expected(self) -> int:
        """Units that are still to come; more may have come than was ordered."""
        return max(0, self.quantity - self.received)


class SupplyChanged(msgspec.Struct, array_like=True, frozen=True, tag="supply_changed"):
    """An expected receipt is as this says, or (forgone) was."""

    replayed: bool
    supply: Supply


class Again(msgspec.Struct, array_like=True, frozen=True, tag="again"):
    """Short of units, while more lapsed holds wait to be ended than one script may end: ask again. Nothing changed."""


class Uncounted(msgspec.Struct, array_like=True, frozen=True, tag="uncounted"):
    """How much a channel has promised there is not known any more: count, and ask again. Nothing changed."""


ReservationAnswer = Changed | Refused
AllotmentAnswer = StockChanged | Refused | Uncounted
StockAnswer = StockChanged | Refused
TransferAnswer = TransferChanged | Refused
SupplyAnswer = SupplyChanged | Refused


class Outcome(msgspec.Struct, frozen=True):
    """How an outcome is told over HTTP. ``retryable``: the same request may succeed later."""

    status: int
    title: str
    retryable: bool = False


OUTCOMES: Final[dict[str, Outcome]] = {
    # Precedence: an earlier row is reported before a later one where both apply.
    "unauthorized": Outcome(401, "No valid API key"),
    "forbidden": Outcome(403, "The API key lacks the scope"),
    "not_found": Outcome(404, "No such resource"),
    "method_not_allowed": Outcome(405, "The resource does not take this method"),
    "unsupported_media_type": Outcome(415, "The body's media type is not understood"),
    "too_large": Outcome(413, "The body is too large"),
    "request_timeout": Outcome(408, "The body did not arrive in time", retryable=True),
    "invalid": Outcome(400, "The request breaks a rule"),
    "id_reused": Outcome(422, "The key was used before with another body"),
    "unknown_channel": Outcome(404, "No such channel"),
    "unknown_location": Outcome(404, "Nobody described that location"),
    "unknown_reservation": Outcome(404, "No such reservation"),
    "unknown_transfer": Outcome(404, "No such transfer"),
    "unknown_supply": Outcome(404, "No such expected receipt"),
    "unknown_barcode": Outcome(422, "No such barcode"),
    "unknown_sku": Outcome(422, "No such SKU at that location"),
    "already_committed": Outcome(409, "The units are already committed"),
    "already_released": Outcome(409, "The units were already given back"),
    "expired": Outcome(409, "The hold ended at its deadline"),
    "not_held": Outcome(409, "Nothing is held"),
    "not_committed": Outcome(409, "Nothing is committed"),
    "unknown_allocation": Outcome(404, "The channel has nothing for itself there"),
    "allocation_differs": Outcome(409, "One channel has units of its own there, the other a cap"),
    "too_many_allocations": Outcome(422, "Too many channels have something for themselves there"),
    "transfer_closed": Outcome(409, "Nothing is on its way any more"),
    "not_fulfilled": Outcome(409, "Nothing was shipped"),
    "not_open": Outcome(409, "The lines are bound to another location"),
    "exceeds_remaining": Outcome(422, "More than what is left"),
    "exceeds_bucket": Outcome(422, "More than there are in the bucket"),
    "baseline_expired": Outcome(409, "Too much has moved since the baseline: count again"),
    "too_many_lines": Outcome(422, "The reservation would have more lines than it may"),
    "location_closed": Outcome(409, "The location is closed, or no location of the group is open", retryable=True),
    "too_many_splits": Outcome(409, "The order would have to come from more locations", retryable=True),
    "exceeds_available": Outcome(409, "More than what is not promised", retryable=True),
    "out_of_stock": Outcome(409, "Not enough units", retryable=True),
    "overloaded": Outcome(503, "Too much to do: nothing happened", retryable=True),
    "store_unavailable": Outcome(503, "The store cannot take it now: nothing happened", retryable=True),
    "outcome_unknown": Outcome(503, "It may or may not have happened: ask again with the same key", retryable=True),
    "internal_error": Outcome(500, "A fault of the server"),
}
"""Refusals and errors. Successes carry the reservation's state instead: held, committed, fulfilled, released …"""


class LocationAvailability(msgspec.Struct, array_like=True, frozen=True):
    """What may still be promised of a SKU at one location."""

    location: str
    available: int
    seq: int
    waiting: int = 0
    """Units that are waited for; only an outlook tells."""


class FoundAvailability(msgspec.Struct, array_like=True, frozen=True):
    """For each SKU asked for, what may still be promised at its locations, at a moment on the store's clock.

    A SKU without locations is unknown.
    """

    as_of_ms: int
    skus: list[list[LocationAvailability]]


class Outlook(msgspec.Struct, array_like=True, frozen=True):
    """What is available of a SKU and what is still to come (supply id, supply), both at one moment."""

    as_of_ms: int
    levels: list[LocationAvailability]
    supply: list[tuple[str, Supply]]


class SkuStock(msgspec.Struct, array_like=True, frozen=True):
    """Every bucket of a SKU at every location where it is known."""

    as_of_ms: int
    levels: list[StockLevel]


class FoundReservation(msgspec.Struct, array_like=True, frozen=True):
    """A reservation as it stands at a moment on the store's clock, or None."""

    as_of_ms: int
    reservation: Reservation | None = None
