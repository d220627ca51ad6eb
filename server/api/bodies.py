"""What callers send: the types that validate it, and from which OpenAPI is generated."""

import re
from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from server.domain import channels, limits, locations, sourcing
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
Group = Annotated[str, _text(limits.NAME_BYTES_MAX, "Locations that belong together: 1–64 bytes of printable UTF-8.")]
Barcode = Annotated[str, _text(limits.BARCODE_BYTES_MAX, "What a scanner reads: 1–64 bytes of printable UTF-8.")]
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
LineNumber = Annotated[int, Meta(ge=1, le=limits.RECORD_LINES_MAX, description="The line's place, counted from 1.")]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request's body: what is not known is refused."""


UNNAMED: Final = "".join(limits.DEFAULT_LOCATION)
"""The default location where nobody named it: an object of its own, which is what tells it from the same name given."""


class LineBody(Body, frozen=True):
    """Units of one SKU at one location. With ``sourcing`` beside the lines, those that name no location are planned."""

    sku: Sku
    quantity: Quantity
    location: Location = UNNAMED


Latitude = Annotated[
    float, Meta(ge=-locations.LATITUDE_MAX, le=locations.LATITUDE_MAX, description="Degrees north of the equator.")
]
Longitude = Annotated[
    float, Meta(ge=-locations.LONGITUDE_MAX, le=locations.LONGITUDE_MAX, description="Degrees east of Greenwich.")
]


class PositionBody(Body, frozen=True):
    """A place on the earth, in degrees."""

    lat: Latitude
    lon: Longitude


class SourcingBody(Body, frozen=True):
    """Choose where to take the lines that name no location; each strategy breaks the ties of those before it.

    ``position``: where it is to be delivered, which ``nearest`` needs. ``splits_max``: locations beyond the first.
    ``split_lines``: units of one line may come from several of them, where no location has all. ``binding`` late: those
    lines stay open, and commit or fulfil can say where they are to be taken from.
    """

    strategy: (
        sourcing.Strategy | Annotated[list[sourcing.Strategy], Meta(min_length=1, max_length=sourcing.STRATEGIES_MAX)]
    )
    group: Group | None = None
    position: PositionBody | None = None
    splits_max: Annotated[int, Meta(ge=0, le=sourcing.SPLITS_MAX)] = sourcing.SPLITS_DEFAULT
    split_lines: bool | msgspec.UnsetType = msgspec.UNSET
    binding: Literal["early", "late"] | msgspec.UnsetType = msgspec.UNSET


Lines = Annotated[list[LineBody], Meta(min_length=1, max_length=limits.LINES_MAX)]
Flags = Annotated[list[Flag], Meta(max_length=limits.FLAGS_MAX)]


class ReserveBody(Body, frozen=True):
    """Hold units while a customer pays. Without ttl_s the server's default holds."""

    channel: Channel
    lines: Lines
    reservation_id: ReservationId | None = None
    ttl_s: TtlS | None = None
    policy: Literal["all_or_nothing", "partial", "backorder"] = "all_or_nothing"
    order_ref: Reference | None = None
    customer_ref: Reference | None = None
    flags: Flags = []
    sourcing: SourcingBody | msgspec.UnsetType = msgspec.UNSET


class ReserveManyBody(Body, frozen=True):
    """Up to 500 reservations, each on its own."""

    reservations: Annotated[list[ReserveBody], Meta(min_length=1, max_length=limits.RESERVATIONS_PER_BATCH_MAX)]


class OrderBody(Body, frozen=True):
    """Reserve and commit at once. ``on_shortage: accept``: it is sold already, so record what is missing."""

    channel: Channel
    lines: Lines
    reservation_id: ReservationId | None = None
    on_shortage: Literal["reject", "accept"] = "reject"
    policy: Literal["all_or_nothing", "partial", "backorder"] = "all_or_nothing"
    order_ref: Reference | None = None
    customer_ref: Reference | None = None
    flags: Flags = []
    sourcing: SourcingBody | msgspec.UnsetType = msgspec.UNSET


class PartBody(Body, frozen=True):
    """A part of one line of a reservation."""

    line: LineNumber
    quantity: Quantity


Parts = Annotated[list[PartBody], Meta(min_length=1, max_length=limits.LINES_MAX)]


class ExtendBody(Body, frozen=True):
    """Hold for so long from now; never shortens."""

    ttl_s: TtlS


class ReleaseBody(Body, frozen=True):
    """Release the named parts, or all."""

    lines: Parts | None = None


class CancelBody(Body, frozen=True):
    """Cancel the named parts of what is committed, or all."""

    lines: Parts | None = None
    reason: Reference | None = None


class ReturnPartBody(Body, frozen=True):
    """Shipped units of one line that came back. Without a location: to where they were shipped from."""

    line: LineNumber
    quantity: Quantity
    disposition: Literal["restock", "damaged", "quality_control"]
    location: Location | None = None


class ReturnBody(Body, frozen=True):
    """What came back, and what becomes of it."""

    lines: Annotated[list[ReturnPartBody], Meta(min_length=1, max_length=limits.LINES_MAX)]
    reason: Reference | None = None


class TransferLineBody(Body, frozen=True):
    """Units of one SKU that are sent."""

    sku: Sku
    quantity: Quantity


class ShipBody(Body, frozen=True):
    """Send units from one location to another. ``transfer_id`` is yours, and makes a retry safe."""

    from_: Location = msgspec.field(name="from")
    to: Location
    lines: Annotated[list[TransferLineBody], Meta(min_length=1, max_length=limits.LINES_MAX)]
    transfer_id: ReservationId | None = None
    reason: Reference | None = None


class ArrivedBody(Body, frozen=True):
    """Units of one line of a transfer that arrived, and what becomes of them."""

    line: LineNumber
    quantity: Quantity
    disposition: Literal["restock", "damaged", "quality_control"] = "restock"


class ArriveBody(Body, frozen=True):
    """What arrived; without lines: everything. ``close``: the rest never will, for this reason."""

    lines: Annotated[list[ArrivedBody], Meta(max_length=limits.LINES_MAX)] | None = None
    close: bool = False
    reason: Reference | None = None


class CountBody(Body, frozen=True):
    """Set on_hand as counted. ``baseline_seq``: the seq seen when the count began; what moved since is kept."""

    on_hand: Units
    baseline_seq: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    safety: Units | None = None
    reason: Reference | None = None


class BarcodeBody(Body, frozen=True):
    """What one barcode stands for: ``factor`` units of a SKU, 12 for a carton of twelve."""

    barcode: Barcode
    sku: Sku
    factor: Annotated[int, Meta(ge=1, le=limits.PACK_UNITS_MAX, description="Units of one pack.")] = 1


class BarcodesBody(Body, frozen=True):
    """Up to 1,000 barcodes; what was said of them before is replaced."""

    barcodes: Annotated[list[BarcodeBody], Meta(min_length=1, max_length=limits.BARCODES_PER_CALL_MAX)]


Day = Annotated[date, Meta(description="A day, such as 2026-12-01, in UTC.")]


class SupplyBody(Body, frozen=True):
    """So many units in all are to come, on that day; what was received of them stays received."""

    sku: Sku
    quantity: Quantity
    expected_on: Day
    location: Location = limits.DEFAULT_LOCATION
    reference: Reference | None = None


class ReceiveMovement(Body, frozen=True, tag_field="kind", tag="receive"):
    """Units arrived. With a barcode instead of a SKU, ``quantity`` counts packs.

    ``supply_id``: they were expected; without a location they arrived where they were expected, else at main.
    """

    quantity: Quantity
    sku: Sku | None = None
    barcode: Barcode | None = None
    location: Location | None = None
    supply_id: ReservationId | None = None
    reason: Reference | None = None


class AdjustMovement(Body, frozen=True, tag_field="kind", tag="adjust"):
    """A bucket is off by so many units, for a reason."""

    sku: Sku
    quantity: SignedUnits
    reason: Reference
    location: Location = limits.DEFAULT_LOCATION
    bucket: Literal["on_hand", "damaged", "quality_control", "safety"] = Bucket.ON_HAND.value


class CountMovement(Body, frozen=True, tag_field="kind", tag="count"):
    """Somebody counted. With a barcode instead of a SKU, ``on_hand`` counts packs."""

    on_hand: Units
    sku: Sku | None = None
    barcode: Barcode | None = None
    location: Location = limits.DEFAULT_LOCATION
    baseline_seq: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    safety: Units | None = None
    reason: Reference | None = None


ShelfName = Literal["available", "damaged", "quality_control"]


class MoveMovement(Body, frozen=True, tag_field="kind", tag="move"):
    """Units are put from one bucket into another."""

    sku: Sku
    quantity: Quantity
    from_: ShelfName = msgspec.field(name="from")
    to: ShelfName
    reason: Reference
    location: Location = limits.DEFAULT_LOCATION


class MovementsBody(Body, frozen=True):
    """Up to 1,000 movements, each on its own, in order."""

    movements: Annotated[
        list[ReceiveMovement | AdjustMovement | CountMovement | MoveMovement],
        Meta(min_length=1, max_length=limits.MOVEMENTS_PER_CALL_MAX),
    ]


class AvailabilityQueryBody(Body, frozen=True):
    """Up to 1,000 SKUs at once; with ``channel``, what may be promised to that channel."""

    skus: Annotated[list[Sku], Meta(min_length=1, max_length=limits.SKUS_PER_QUERY_MAX)]
    channel: Channel | None = None
    location: Location | None = None
    group: Group | None = None


ChannelName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.NAME_BYTES_MAX,
        extra_json_schema={"pattern": f"^{channels.CHANNEL_PATTERN}$"},
        description="A channel of the configuration file.",
    ),
]
ListingKey = Annotated[
    str, _text(channels.KEY_BYTES_MAX, "The SKU's name on the channel: 1–256 bytes of printable UTF-8.")
]
_PRICE_PATTERN = r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,4})?$"
PRICE: Final = re.compile(_PRICE_PATTERN.replace("$", r"\Z"))
Price = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=17,
        extra_json_schema={"pattern": _PRICE_PATTERN},
        description="Decimal text with at most 4 decimals, such as 129.90; more than 0.",
    ),
]
CURRENCY: Final = re.compile(r"[A-Z]{3}\Z")
Currency = Annotated[
    str,
    Meta(min_length=3, max_length=3, extra_json_schema={"pattern": "^[A-Z]{3}$"}, description="ISO 4217, such as TRY."),
]
AttributeName = Annotated[str, _text(limits.NAME_BYTES_MAX, "1–64 bytes of printable UTF-8.")]


class ChannelRulesBody(Body, frozen=True):
    """Rules to hold from now on. A field that is left out goes back to the configuration; ``cap`` null: no cap."""

    locations: list[Location] | msgspec.UnsetType = msgspec.UNSET
    buffer: channels.NonNegative | msgspec.UnsetType = msgspec.UNSET
    percent: channels.Percent | msgspec.UnsetType = msgspec.UNSET
    min_publish: channels.NonNegative | msgspec.UnsetType = msgspec.UNSET
    cap: channels.NonNegative | msgspec.UnsetType | None = msgspec.UNSET
    cadence_s: channels.CadenceS | msgspec.UnsetType = msgspec.UNSET
    reconcile_every_s: channels.ReconcileEveryS | msgspec.UnsetType = msgspec.UNSET


class ListingBody(Body, frozen=True):
    """A SKU as the channel knows it. ``listed`` false: the channel is told 0. Prices left out are not told."""

    sku: Sku
    key: ListingKey
    listed: bool = True
    price: Price | None = None
    list_price: Price | None = None
    currency: Currency | None = None
    attributes: Annotated[dict[AttributeName, Reference], Meta(max_length=channels.ATTRIBUTES_MAX)] = {}


class ListingsBody(Body, frozen=True):
    """Up to 1,000 listings, to be added or to replace those of the same SKUs."""

    listings: Annotated[list[ListingBody], Meta(min_length=1, max_length=channels.LISTINGS_PER_CALL_MAX)]


class RetryBody(Body, frozen=True):
    """Try the dead letters of these SKUs again, or all."""

    skus: Annotated[list[Sku], Meta(min_length=1, max_length=channels.DEAD_LETTERS_PER_PAGE_MAX)] | None = None
