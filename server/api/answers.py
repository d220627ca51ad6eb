"""What callers get: the types that shape answers, and from which OpenAPI is generated."""

from datetime import datetime
from typing import Literal

import msgspec

from server.api.allocation_views import AllocationView
from server.domain.channels import ChannelRules, Circuit


class LineView(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a reservation. quantity = held + committed + fulfilled + released + expired + backordered.

    The last three are there where the line had to wait for units: how many of them are not there yet, and what was
    told when it was promised (``promise_on``: the day, if one was).
    """

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
    backordered: int = 0
    mode: str = ""
    promise_on: str = ""


class AvailableView(msgspec.Struct, frozen=True):
    """What may still be promised of a SKU at a location; negative is a shortage. Newer seq wins."""

    sku: str
    location: str
    available: int
    seq: int


State = Literal["held", "committed", "backordered", "fulfilled", "released", "expired", "cancelled"]


class OpenView(msgspec.Struct, frozen=True, omit_defaults=True):
    """The lines that commit or fulfil can still take from elsewhere, within the group; without one: from anywhere."""

    lines: list[int]
    group: str = ""


class ReservationView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A reservation. ``expires_at`` is there while something is held, or waited for to be held.

    ``state`` backordered: it has nothing but units that are not there yet. ``open``: some line waits for an address.
    """

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
    open: OpenView | None = None


class ExchangeView(msgspec.Struct, frozen=True):
    """What came back, and what is promised instead. ``returned.availability`` is what both have left."""

    returned: ReservationView
    reservation: ReservationView


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
    """An RFC 9457 problem. ``outcome`` is what programs should look at; ``retryable``: the same may succeed later.

    ``half``: of an exchange, the field of the body that could not be.
    """

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
    half: Literal["", "return", "reservation", "order"] = ""


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


class BackorderView(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many units may be waited for at a time, and how many are now. ``promise_on``: the day that is told."""

    mode: Literal["preorder", "backorder"]
    limit: int
    waiting: int
    promise_on: str = ""


class LevelView(msgspec.Struct, frozen=True, omit_defaults=True):
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
    set_aside: int = 0
    allocations: list[AllocationView] = []
    backorder: BackorderView | None = None


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


class InTransitView(msgspec.Struct, frozen=True):
    """Units that left one location and have not reached the other; no location counts them."""

    transfer_id: str
    from_: str = msgspec.field(name="from")
    to: str
    quantity: int
    shipped_at: datetime


class StockView(msgspec.Struct, frozen=True):
    """Why the number is what it is: buckets by location, and who holds how much until when."""

    sku: str
    available: int
    seq: int
    levels: list[LevelView]
    holders: list[HolderView]
    holders_complete: bool
    in_transit: list[InTransitView]
    as_of: datetime


class MovedView(msgspec.Struct, frozen=True, omit_defaults=True):
    """The buckets of one (SKU, location) after a movement; what is ``set_aside`` for channels, if anything."""

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
    set_aside: int = 0


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


class ChannelSummary(msgspec.Struct, frozen=True):
    """How a channel stands, in short. ``publisher_missing``: nobody has written of it for five seconds or more."""

    channel: str
    kind: str
    publisher_missing: bool
    circuit: Circuit
    reason: str
    dirty: int
    oldest_unsent_s: float
    last_confirmed_at: datetime | None
    dead_letters: int
    lag_p50_s: float | None
    lag_p99_s: float | None


class ChannelList(msgspec.Struct, frozen=True):
    """Every channel that is configured, by name."""

    channels: list[ChannelSummary]


class ChannelView(msgspec.Struct, frozen=True):
    """One channel: the rules in force, and the names of those that were set at run time.

    ``listings``: "listed" tells it the SKUs that have a listing; "all" tells it every SKU.
    """

    channel: str
    kind: str
    listings: Literal["listed", "all"]
    rules: ChannelRules
    set_at_run_time: list[str]


class ReconcileView(msgspec.Struct, frozen=True):
    """What the last comparison found. ``read_back`` false: the channel cannot be read, all was sent again."""

    finished_at: datetime
    checked: int
    differed: int
    read_back: bool


class ChannelStatusView(msgspec.Struct, frozen=True):
    """How a channel stands, as its publisher last wrote it at ``written_at``; null: it never did.

    ``oldest_unsent_s``: how long the longest waiting change has waited, in seconds. ``lag_p50_s`` and ``lag_p99_s``:
    from change to the channel's own confirmation, over the last thousand. ``cursor``: the id in the journal up to which
    all is confirmed.
    """

    channel: str
    publisher: str
    publisher_missing: bool
    written_at: datetime | None
    circuit: Circuit
    reason: str
    listings: int
    dirty: int
    in_flight: int
    tickets: int
    oldest_unsent_s: float
    last_confirmed_at: datetime | None
    dead_letters: int
    lag_p50_s: float | None
    lag_p99_s: float | None
    cursor: str
    reconcile: ReconcileView | None


class ListingsPut(msgspec.Struct, frozen=True):
    """How many listings were put; ``unknown_skus``: those that stock does not know, shown as 0 until it does."""

    listings: int
    unknown_skus: list[str]


class ListingView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A SKU as the channel knows it."""

    sku: str
    key: str
    listed: bool
    price: str = ""
    list_price: str = ""
    currency: str = ""
    attributes: dict[str, str] = {}


class ListingPage(msgspec.Struct, frozen=True):
    """Some listings, in no order; ``next`` is the ``after`` of the next page, empty on the last."""

    listings: list[ListingView]
    next: str


class DeadLetterView(msgspec.Struct, frozen=True):
    """A value that the channel will not take. ``reason`` is in the channel's own words."""

    sku: str
    key: str
    quantity: int
    code: str
    reason: str
    attempts: int
    first_at: datetime
    last_at: datetime
    seq: int


class DeadLetterList(msgspec.Struct, frozen=True):
    """The newest first; ``complete`` says whether those are all."""

    dead_letters: list[DeadLetterView]
    complete: bool


class Asked(msgspec.Struct, frozen=True):
    """What the channel's publisher was asked. It stands until it is done; ``publisher_missing``: nobody does it now."""

    channel: str
    asked: Literal["reconcile", "retry"]
    publisher_missing: bool
