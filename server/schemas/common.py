"""What all subjects share: names, quantities, lines and times as they are validated; OpenAPI is generated from them."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from server.domain import channels, limits, locations
from server.domain.channel_orders import ORDER_NUMBER_BYTES_MAX
from server.domain.order_documents import KEPT_NUMBER_BYTES_MAX

_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029"
UNPRINTABLE: Final = re.compile(f"[{_CONTROL}]")
PRINTABLE_SCHEMA: Final = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]+$"}
PRINTABLE_OR_EMPTY_SCHEMA: Final = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"}


def _text(bytes_max: int, description: str) -> Meta:
    """Rule of a free text; that it is printable and how many bytes it has is checked by ``service/checks.py``."""
    return Meta(min_length=1, max_length=bytes_max, description=description, extra_json_schema=PRINTABLE_SCHEMA)


Sku = Annotated[str, _text(limits.SKU_BYTES_MAX, "What is sold: 1–128 bytes of printable UTF-8.")]
Location = Annotated[str, _text(limits.LOCATION_BYTES_MAX, "A warehouse or store: 1–64 bytes of printable UTF-8.")]
Group = Annotated[str, _text(limits.NAME_BYTES_MAX, "Locations that belong together: 1–64 bytes of printable UTF-8.")]
OrderNumber = Annotated[
    str,
    _text(
        KEPT_NUMBER_BYTES_MAX,
        f"The number of an order at its channel: 1–1,024 bytes of UTF-8; it is booked up to {ORDER_NUMBER_BYTES_MAX}.",
    ),
]
Barcode = Annotated[str, _text(limits.BARCODE_BYTES_MAX, "What a scanner reads: 1–64 bytes of printable UTF-8.")]
Scan = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.SCAN_BYTES_MAX,
        description="What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \\u001d.",
    ),
]
Looked = Annotated[
    str, Meta(min_length=1, max_length=limits.SCAN_BYTES_MAX, description="A name, a part of it, a key or a barcode.")
]
Channel = Annotated[str, _text(limits.NAME_BYTES_MAX, "Where it is sold: 1–64 bytes of printable UTF-8.")]
ListingKey = Annotated[
    str, _text(channels.KEY_BYTES_MAX, "The SKU's name on the channel: 1–256 bytes of printable UTF-8.")
]
Reference = Annotated[str, _text(limits.REFERENCE_BYTES_MAX, "1–256 bytes of printable UTF-8, kept as it is.")]
Reason = (
    Annotated[str, _text(limits.REFERENCE_BYTES_MAX, "Why: 1–256 bytes of printable UTF-8; the history keeps it.")]
    | msgspec.UnsetType
)
Flag = Annotated[str, _text(limits.NAME_BYTES_MAX, "A word such as vip or gift.")]


ReservationId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.RESERVATION_ID_BYTES_MAX,
        extra_json_schema=PRINTABLE_SCHEMA,
        description="Yours, 1–64 bytes of printable UTF-8; also the key that makes a retry safe.",
    ),
]


RESERVATION_ID: Final = re.compile(r"[A-Za-z0-9_.:\-]+\Z")
"""An id that needs no further look: most of them, and all of earlier releases."""
Quantity = Annotated[int, Meta(ge=1, le=limits.QUANTITY_MAX, description="Units.")]
Units = Annotated[int, Meta(ge=0, le=limits.QUANTITY_MAX, description="Units.")]


SignedUnits = Annotated[
    int, Meta(ge=-limits.QUANTITY_MAX, le=limits.QUANTITY_MAX, description="Units; negative: fewer.")
]


TtlS = Annotated[int, Meta(ge=1, le=limits.TTL_S_MAX, description="Seconds; at most 24 hours.")]
LineNumber = Annotated[int, Meta(ge=1, le=limits.RECORD_LINES_MAX, description="The line's place, counted from 1.")]


AllowSimilar = (
    Annotated[bool, Meta(description="True: new names are meant, even if known ones are like them.")]
    | msgspec.UnsetType
)


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request's body: what is not known is refused."""


UNNAMED: Final = "".join(limits.DEFAULT_LOCATION)
"""Stands for no location in a line: an object of its own, which distinguishes it from the same name sent."""


class LineBody(Body, frozen=True, kw_only=True):
    """Units of one SKU at one location. Without one, they are taken from where units are, or as ``sourcing`` says.

    ``key`` in place of ``sku``: so many pieces of what the channel lists under it. ``barcode``: so many packs.
    """

    sku: Sku = ""
    quantity: Quantity
    location: Location = UNNAMED
    key: ListingKey | msgspec.UnsetType = msgspec.UNSET
    barcode: Scan | msgspec.UnsetType = msgspec.UNSET


Latitude = Annotated[
    float, Meta(ge=-locations.LATITUDE_MAX, le=locations.LATITUDE_MAX, description="Degrees north of the equator.")
]


Longitude = Annotated[
    float, Meta(ge=-locations.LONGITUDE_MAX, le=locations.LONGITUDE_MAX, description="Degrees east of Greenwich.")
]


class PositionBody(Body, frozen=True):
    """A position on the earth, in degrees."""

    lat: Latitude
    lon: Longitude


Lines = Annotated[list[LineBody], Meta(min_length=1, max_length=limits.LINES_MAX)]
Flags = Annotated[list[Flag], Meta(max_length=limits.FLAGS_MAX)]
Day = Annotated[date, Meta(description="A day, such as 2026-12-01, in the partition's time zone.")]
After = Annotated[str, Meta(max_length=1_024, pattern=r"^[A-Za-z0-9_-]*$")]  # base64url: it stays short in an address
RowsMax = Annotated[int, Meta(ge=1, le=1_000, description="Rows at most.")]


CountedAt = Annotated[
    datetime, Meta(tz=True, description="When it was counted, with the zone. What moved since is added.")
]


def time_ms_of(time: datetime) -> int:
    """Return a time as milliseconds since 1970; 0 for earlier ones."""
    return max(0, (time - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1))


@lru_cache(maxsize=8)  # the views of one answer have the same
def time_of(time_ms: int) -> datetime:
    """Return milliseconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """The server can take work. ``detail``: what an operator has to know all the same; left out where it is nothing."""

    status: Literal["ok"]
    detail: str = ""
