"""A reservation, its lines and their counters, as the store keeps them."""

from typing import Final

import msgspec

from server.domain.stock import Availability

UNTRACKED: Final = "untracked"
"""Mode of a line whose SKU has no stock and needs none."""
UNMAPPED: Final = "unmapped"
"""Mode of a line that has what a channel wrote in place of a SKU; its units are owed."""
PARCEL: Final = "parcel"
"""Name of the note that says what has left with the tracking number before it, see ``lua/operations/fulfil.lua``."""


class ReservationLine(msgspec.Struct, array_like=True, frozen=True):
    """One line of a reservation. All counters are units; ``line`` is its place, counted from 1.

    At any time ``quantity = held + committed + fulfilled + released + expired + backordered``, and
    ``returned`` is at most ``fulfilled``. Of those that are backordered, ``waiting`` will be held and ``owed``
    committed when they arrive. ``first_waiting`` is their number at first; ``mode`` and ``promise_on`` are of then.
    ``requested`` exceeds ``quantity`` only where a partial reservation got less than it requested.
    ``first_available`` and ``first_seq`` are the availability for its channel after the reserve or order itself,
    kept so that a replay can return the original answer; both are 0 in a line that a relocation or an edit added.
    A line without ``location`` counts in no bucket, and its ``mode`` is UNTRACKED or UNMAPPED. ``text``: what the
    channel wrote in place of a SKU, where the line was mapped. ``edited``: by how many units edits have changed
    ``quantity`` and ``requested``, signed; 0 in a line that was added.
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
    text: str = ""
    edited: int = 0

    @property
    def is_stocked(self) -> bool:
        """Whether its units count in the buckets of a (SKU, location)."""
        return self.location != ""

    @property
    def is_unmapped(self) -> bool:
        """Whether it waits for a SKU."""
        return self.mode == UNMAPPED and self.owed > 0

    @property
    def backordered(self) -> int:
        """Units that the line waits for."""
        return self.waiting + self.owed


class OpenLines(msgspec.Struct, array_like=True, frozen=True):
    """Lines whose location is chosen again when the address is known, until they are ``bound``.

    ``group``: the locations to which they may be bound, empty: all; ``lines`` are numbers, counted from 1.
    """

    group: str
    lines: list[int]
    bound: bool = False


class ChannelPart(msgspec.Struct, array_like=True, frozen=True):
    """A component of a channel's line: its line of the reservation, and the units of it in each piece."""

    line: int
    units: int


class ChannelLine(msgspec.Struct, array_like=True, frozen=True):
    """A line as the channel wrote it: ``quantity`` pieces of what it lists under ``key``, and where they stand.

    ``behind``: how many lines the request had; what was split or moved from them stands behind those. ``cancelled``
    and ``returned``: pieces that were, by the channel's key; each piece is so once at most.
    """

    key: str
    quantity: int
    parts: list[ChannelPart]
    behind: int
    cancelled: int = 0
    returned: int = 0


class Reservation(msgspec.Struct, array_like=True, frozen=True):
    """One reservation, as the store keeps it. Times are milliseconds since 1970 on the store's clock.

    ``state``: held, committed, backordered (only units that lines wait for), fulfilled, released, expired,
    cancelled. ``deadline_ms`` is 0 where no units are held or wait to be held.
    ``ttl_ms`` is the first one requested, 0 for an order. ``seq`` is the last change's.
    ``notes`` are (name, value) pairs that later operations added: tracking, carrier, invoice_ref, parcel, cancel
    reason, return reason, exchanged_for; exchange_of is set from the start. ``open``: None where no line was ever open.
    ``channel_lines``: the lines that were named by the channel's key. ``quota``: the API key for whose quota it counts,
    empty: for none.
    An ended one without lines is a tombstone: a cancel or release that came before its reservation, and waits for it.
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
    channel_lines: list[ChannelLine] = []
    quota: str = ""

    @property
    def is_tombstone(self) -> bool:
        """Whether it only remembers a cancel or release that came before its reservation."""
        return not self.lines


class Changed(msgspec.Struct, array_like=True, frozen=True, tag="changed"):
    """An operation on a reservation took effect, now or (``replayed``) when the same request came first.

    ``availability``: of each (SKU, location) that it changed, for the reservation's channel. A reserve or order sends
    none, because its lines hold it; see :func:`left_available`.
    """

    replayed: bool
    reservation: Reservation
    availability: list[Availability] = []


def left_available(changed: Changed) -> list[Availability]:
    """Return the availability of each (SKU, location) that an operation changed, in the order of the lines."""
    if changed.availability:
        return changed.availability
    lines = [line for line in changed.reservation.lines if line.is_stocked]
    # Where several lines name one location, the last one has what is left there.
    last = {(line.sku, line.location): line for line in lines}
    return [Availability(sku, place, line.first_available, line.first_seq) for (sku, place), line in last.items()]


class FoundReservation(msgspec.Struct, array_like=True, frozen=True):
    """A reservation as it is at a moment on the store's clock, or None."""

    as_of_ms: int
    reservation: Reservation | None = None


def as_of(reservation: Reservation, now_ms: int) -> Reservation:
    """Return a reservation as it is at a moment: a hold past its deadline has expired, in the store or not."""
    if not 0 < reservation.deadline_ms <= now_ms:
        return reservation
    lines = [
        msgspec.structs.replace(line, held=0, waiting=0, expired=line.expired + line.held + line.waiting)
        if line.held or line.waiting
        else line
        for line in reservation.lines
    ]
    return msgspec.structs.replace(reservation, state=_state_without_holds(lines), deadline_ms=0, lines=lines)


def _state_without_holds(lines: list[ReservationLine]) -> str:
    if any(line.committed for line in lines):
        return "committed"
    if any(line.owed for line in lines):
        return "backordered"
    return "fulfilled" if any(line.fulfilled for line in lines) else "expired"
