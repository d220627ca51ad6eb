"""What goes over the wire: the types that validate requests, shape answers, and from which OpenAPI is generated."""

import re
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.operations import Bucket

_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029"
UNPRINTABLE: Final = re.compile(f"[{_CONTROL}]")
_PRINTABLE_SCHEMA = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]+$"}
_ID_PATTERN = r"^[A-Za-z0-9_.:\-]+$"


def _text(bytes_max: int, description: str) -> Meta:
    """Rule of a free text; that it is printable and how many bytes it has is checked by ``api/rules.py``."""
    return Meta(min_length=1, max_length=bytes_max, description=description, extra_json_schema=_PRINTABLE_SCHEMA)


Sku = Annotated[str, _text(limits.SKU_BYTES_MAX, "What is sold: 1–128 bytes of printable UTF-8.")]
Location = Annotated[str, _text(limits.LOCATION_BYTES_MAX, "A warehouse or store: 1–64 bytes of printable UTF-8.")]
Channel = Annotated[str, _text(limits.NAME_BYTES_MAX, "Where it is sold: 1–64 bytes of printable UTF-8.")]
Reference = Annotated[str, _text(limits.REFERENCE_BYTES_MAX, "1–256 bytes of printable UTF-8, kept as it is.")]
Flag = Annotated[str, _text(limits.NAME_BYTES_MAX, "A word such as vip or gift.")]
ReservationId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.RESERVATION_ID_BYTES_MAX,
        extra_json_schema={"pattern": _ID_PATTERN},
        description="1–64 of A–Z a–z 0–9 _ . : -; also the key that makes a retry safe.",
    ),
]
RESERVATION_ID: Final = re.compile(r"[A-Za-z0-9_.:\-]+\Z")
Quantity = Annotated[int, Meta(ge=1, le=limits.QUANTITY_MAX, description="Units.")]
Units = Annotated[int, Meta(ge=0, le=limits.QUANTITY_MAX, description="Units.")]
SignedUnits = Annotated[
    int, Meta(ge=-limits.QUANTITY_MAX, le=limits.QUANTITY_MAX, description="Units; negative: fewer.")
]
TtlS = Annotated[int, Meta(ge=1, le=limits.TTL_S_MAX, description="Seconds; at most 24 hours.")]
LineNumber = Annotated[int, Meta(ge=1, le=limits.LINES_MAX, description="The line's place, counted from 1.")]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request's body: what is not known is refused."""


class LineBody(Body, frozen=True):
    """Units of one SKU at one location."""

    sku: Sku
    quantity: Quantity
    location: Location = limits.DEFAULT_LOCATION


Lines = Annotated[list[LineBody], Meta(min_length=1, max_length=limits.LINES_MAX)]
Flags = Annotated[list[Flag], Meta(max_length=limits.FLAGS_MAX)]


class ReserveBody(Body, frozen=True):
    """Hold units while a customer pays. Without ttl_s the server's default holds."""

    channel: Channel
    lines: Lines
    reservation_id: ReservationId | None = None
    ttl_s: TtlS | None = None
    policy: Literal["all_or_nothing", "partial"] = "all_or_nothing"
    order_ref: Reference | None = None
    customer_ref: Reference | None = None
    flags: Flags = []


class ReserveManyBody(Body, frozen=True):
    """Up to 500 reservations, each on its own."""

    reservations: Annotated[list[ReserveBody], Meta(min_length=1, max_length=limits.RESERVATIONS_PER_BATCH_MAX)]


class OrderBody(Body, frozen=True):
    """Reserve and commit at once. ``on_shortage: accept``: it is sold already, so record what is missing."""

    channel: Channel
    lines: Lines
    reservation_id: ReservationId | None = None
    on_shortage: Literal["reject", "accept"] = "reject"
    policy: Literal["all_or_nothing", "partial"] = "all_or_nothing"
    order_ref: Reference | None = None
    customer_ref: Reference | None = None
    flags: Flags = []


class PartBody(Body, frozen=True):
    """A part of one line of a reservation."""

    line: LineNumber
    quantity: Quantity


Parts = Annotated[list[PartBody], Meta(min_length=1, max_length=limits.LINES_MAX)]


class ExtendBody(Body, frozen=True):
    """Hold for so long from now; never shortens."""

    ttl_s: TtlS


class CommitBody(Body, frozen=True):
    """Commit the named parts, or all. What is not named is released, or kept until its deadline."""

    lines: Parts | None = None
    remainder: Literal["release", "keep"] = "release"
    order_ref: Reference | None = None


class ReleaseBody(Body, frozen=True):
    """Release the named parts, or all."""

    lines: Parts | None = None


class CancelBody(Body, frozen=True):
    """Cancel the named parts of what is committed, or all."""

    lines: Parts | None = None
    reason: Reference | None = None


class FulfilBody(Body, frozen=True):
    """Ship the named parts of what is committed, or all."""

    lines: Parts | None = None
    tracking: Reference | None = None
    carrier: Reference | None = None
    invoice_ref: Reference | None = None


class CountBody(Body, frozen=True):
    """Set on_hand as counted. ``baseline_seq``: the seq seen when the count began; what moved since is kept."""

    on_hand: Units
    baseline_seq: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    safety: Units | None = None
    reason: Reference | None = None


class ReceiveMovement(Body, frozen=True, tag_field="kind", tag="receive"):
    """Units arrived."""

    sku: Sku
    quantity: Quantity
    location: Location = limits.DEFAULT_LOCATION
    reason: Reference | None = None


class AdjustMovement(Body, frozen=True, tag_field="kind", tag="adjust"):
    """A bucket is off by so many units, for a reason."""

    sku: Sku
    quantity: SignedUnits
    reason: Reference
    location: Location = limits.DEFAULT_LOCATION
    bucket: Literal["on_hand", "damaged", "quality_control", "safety"] = Bucket.ON_HAND.value


class CountMovement(Body, frozen=True, tag_field="kind", tag="count"):
    """Somebody counted."""

    sku: Sku
    on_hand: Units
    location: Location = limits.DEFAULT_LOCATION
    baseline_seq: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    safety: Units | None = None
    reason: Reference | None = None


class MovementsBody(Body, frozen=True):
    """Up to 1,000 movements, each on its own, in order."""

    movements: Annotated[
        list[ReceiveMovement | AdjustMovement | CountMovement],
        Meta(min_length=1, max_length=limits.MOVEMENTS_PER_CALL_MAX),
    ]


class AvailabilityQueryBody(Body, frozen=True):
    """Up to 1,000 SKUs at once. ``channel`` is noted for the day when channels see different pools."""

    skus: Annotated[list[Sku], Meta(min_length=1, max_length=limits.SKUS_PER_QUERY_MAX)]
    channel: Channel | None = None
    location: Location | None = None


# --- answers ---------------------------------------------------------------------------------------------------------


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

    # omit_defaults would drop nothing of the required ones; the optional ones only appear where they say something.


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
