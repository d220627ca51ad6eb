"""What callers get: the types that shape answers, and from which OpenAPI is generated."""

from datetime import datetime
from typing import Literal

import msgspec


class LineView(msgspec.Struct, frozen=True):
    """One line of a reservation. quantity = held + committed + fulfilled + released + expired."""

    line: int
    sku: str
    location: str
    quantity: int
    requested: int
    held: int
    committed: int
    fulfilled: int
    released: int
    expired: int
    returned: int


class AvailableView(msgspec.Struct, frozen=True):
    """What may still be promised of a SKU at a location; negative is a shortage. Newer seq wins."""

    sku: str
    location: str
    available: int
    seq: int


State = Literal["held", "committed", "fulfilled", "released", "expired", "cancelled"]


class ReservationView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A reservation. ``expires_at`` is there while something is held."""

    reservation_id: str
    state: State
    channel: str
    created_at: datetime
    lines: list[LineView]
    expires_at: datetime | None = None
    order_ref: str = ""
    customer_ref: str = ""
    flags: list[str] = []
    notes: dict[str, str] = {}
    availability: list[AvailableView] = []


class LineProblem(msgspec.Struct, frozen=True):
    """What was asked of one line, and what there was."""

    line: int
    sku: str
    location: str
    requested: int
    available: int


class FieldProblem(msgspec.Struct, frozen=True):
    """A field that breaks a rule."""

    field: str
    rule: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An RFC 9457 problem. ``outcome`` is what programs should look at; ``retryable``: the same may succeed later."""

    type: str
    title: str
    status: int
    detail: str
    outcome: str
    retryable: bool
    errors: list[FieldProblem] = []
    lines: list[LineProblem] = []
    state: str = ""
    reservation_id: str = ""


class ReservationResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One result of a batch: the status and outcome that it would have had alone."""

    status: int
    outcome: str
    reservation_id: str
    replayed: bool = False
    reservation: ReservationView | None = None
    problem: Problem | None = None


class ReservationResults(msgspec.Struct, frozen=True):
    """In the order of the request."""

    results: list[ReservationResult]


class ReservationPage(msgspec.Struct, frozen=True):
    """Reservations that match; ``next`` is the ``after`` of the next page, empty on the last."""

    reservations: list[ReservationView]
    next: str


class LocationAvailable(msgspec.Struct, frozen=True):
    """What may still be promised at one location."""

    location: str
    available: int


class AvailabilityView(msgspec.Struct, frozen=True):
    """What may still be promised of a SKU: the sum over its locations. Newer seq wins."""

    sku: str
    available: int
    seq: int
    locations: list[LocationAvailable]
    as_of: datetime


class AvailabilityList(msgspec.Struct, frozen=True):
    """In the order of the request; ``unknown`` lists those that the store does not know."""

    availability: list[AvailabilityView]
    unknown: list[str]


class LevelView(msgspec.Struct, frozen=True):
    """Every bucket of one (SKU, location), and how available follows from them."""

    location: str
    available: int
    on_hand: int
    held: int
    committed: int
    damaged: int
    quality_control: int
    safety: int
    seq: int
    because: str


class HolderView(msgspec.Struct, frozen=True):
    """A promise that keeps units from being sold."""

    reservation_id: str
    channel: str
    line: int
    location: str
    state: str
    held: int
    committed: int
    expires_at: datetime | None


class StockView(msgspec.Struct, frozen=True):
    """Why the number is what it is: buckets by location, and who holds how much until when."""

    sku: str
    available: int
    seq: int
    levels: list[LevelView]
    holders: list[HolderView]
    holders_complete: bool
    as_of: datetime


class MovedView(msgspec.Struct, frozen=True):
    """The buckets of one (SKU, location) after a movement."""

    sku: str
    location: str
    available: int
    on_hand: int
    held: int
    committed: int
    damaged: int
    quality_control: int
    safety: int
    seq: int


class MovementResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One result of a list of movements."""

    status: int
    outcome: str
    replayed: bool = False
    stock: MovedView | None = None
    problem: Problem | None = None


class MovementResults(msgspec.Struct, frozen=True):
    """In the order of the request."""

    results: list[MovementResult]


class Health(msgspec.Struct, frozen=True):
    """The server is well."""

    status: Literal["ok"]
