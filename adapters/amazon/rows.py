"""Orders of Amazon as they are answered, and how they stand: each answer is the whole order."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from adapters.contract.fields import in_ms, inner, text
from adapters.contract.orders import (
    Address,
    Buyer,
    CancelledBy,
    Order,
    OrderLine,
    OrderState,
    Package,
    Unreadable,
)

UNPAID: Final = frozenset({"PENDING", "PENDING_AVAILABILITY"})
CANCELLED: Final = frozenset({"CANCELLED", "CANCELED"})
FBA: Final = "AMAZON"
_WHO: Final[Mapping[str, CancelledBy]] = {"BUYER": "buyer", "MERCHANT": "merchant", "AMAZON": "channel"}
Count = Annotated[int, Meta(ge=0)]


class Done(msgspec.Struct, rename="camel"):
    """How far a line is."""

    quantity_fulfilled: Count | None = None
    quantity_unfulfilled: Count | None = None


class ItemRow(msgspec.Struct, rename="camel"):
    """A line: what stock needs is checked, the rest may be of any form."""

    order_item_id: Annotated[str, Meta(min_length=1)]
    quantity_ordered: Count
    product: dict[str, Any] | None = None
    fulfillment: Done | None = None
    cancellation: Any = None
    proceeds: Any = None


class OrderRow(msgspec.Struct, rename="camel"):
    """An order."""

    order_id: Annotated[str, Meta(min_length=1)]
    created_time: str
    last_updated_time: str
    order_items: list[ItemRow]
    fulfillment: dict[str, Any] | None = None
    recipient: Any = None
    packages: Any = None

    @property
    def status(self) -> str:
        """Its status, in Amazon's word."""
        return text(inner(self.fulfillment, "fulfillmentStatus")).upper()


_decode: Final = msgspec.json.Decoder(OrderRow).decode
_decode_any: Final = msgspec.json.Decoder(dict[str, Any]).decode


def read_order(raw: msgspec.Raw) -> OrderRow | Unreadable:
    """Read one order of a page: an impossible one keeps none of the others."""
    try:
        row = _decode(raw)
        in_ms(row.last_updated_time)
        in_ms(row.created_time)
    except ValueError as error:
        return Unreadable(key=_key_of(raw), reason=str(error))
    return row


def _key_of(raw: msgspec.Raw) -> str:
    try:
        return text(_decode_any(raw).get("orderId"))
    except msgspec.MsgspecError:
        return ""


def order_of(row: OrderRow) -> Order:
    """Return an order as it stands."""
    is_cancelled = row.status in CANCELLED
    lines = tuple(_line(line, is_cancelled=is_cancelled) for line in row.order_items)
    return Order(
        key=row.order_id,
        changed_ms=in_ms(row.last_updated_time),
        complete=True,
        state=_state(row, lines),
        status=row.status,
        fulfilled_by="channel" if text(inner(row.fulfillment, "fulfilledBy")).upper() == FBA else "merchant",
        placed_ms=in_ms(row.created_time),
        ship_by_ms=_ms_or_none(inner(row.fulfillment, "shipByWindow", "latestDateTime")),
        currency=next((currency for line in row.order_items if (currency := _price(line, "currencyCode"))), ""),
        lines=lines,
        packages=_packages(row),
        buyer=_buyer(row),
    )


def _line(line: ItemRow, *, is_cancelled: bool) -> OrderLine:
    shipped = (line.fulfillment.quantity_fulfilled if line.fulfillment is not None else None) or 0
    left = line.fulfillment.quantity_unfulfilled if line.fulfillment is not None else None
    if is_cancelled:
        gone = max(0, line.quantity_ordered - shipped)
    else:
        gone = max(0, line.quantity_ordered - shipped - left) if left is not None else 0
    sku = text(inner(line.product, "sellerSku"))
    who = text(inner(line.cancellation, "cancellationExecution", "cancelledBy")).upper()
    return OrderLine(
        key=line.order_item_id,
        ordered=line.quantity_ordered,
        listing=sku,
        sku_hint=sku,
        title=text(inner(line.product, "title")),
        cancelled=gone,
        cancelled_by=_WHO.get(who, "unknown"),
        shipped=min(shipped, line.quantity_ordered),
        unit_price=_price(line, "amount"),
    )


def _price(line: ItemRow, what: str) -> str:
    return text(inner(line.product, "price", "unitPrice", what))


def _state(row: OrderRow, lines: Sequence[OrderLine]) -> OrderState:
    if row.status in CANCELLED:
        return "cancelled"
    if row.status in UNPAID:
        return "unpaid"
    is_over = bool(lines) and all(line.shipped + line.cancelled >= line.ordered for line in lines)
    return "closed" if is_over else "open"


def _packages(row: OrderRow) -> tuple[Package, ...]:
    found = []
    for each in row.packages if isinstance(row.packages, list) else ():
        items = inner(each, "packageItems")
        pieces = [
            (text(inner(item, "orderItemId")), inner(item, "quantity"))
            for item in (items if isinstance(items, list) else ())
        ]
        found.append(
            Package(
                key=text(inner(each, "packageReferenceId")),
                state="shipped",
                lines=tuple((key, quantity) for key, quantity in pieces if key and isinstance(quantity, int)),
                tracking=text(inner(each, "trackingNumber")),
                carrier=text(inner(each, "carrier")),
            )
        )
    return tuple(found)


# -- fields of any form


def written(at_ms: int) -> str:
    """Write a time as Amazon reads it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ms_or_none(moment: Any) -> int:
    try:
        return in_ms(text(moment))
    except ValueError:
        return 0


def _buyer(row: OrderRow) -> Buyer:
    fields = inner(row.recipient, "deliveryAddress")
    lines = (text(inner(fields, f"addressLine{number}")) for number in (1, 2, 3))
    shipping = Address(
        name=text(inner(fields, "name")),
        company=text(inner(fields, "companyName")),
        lines=tuple(filter(None, lines)),
        city=text(inner(fields, "city")),
        district=text(inner(fields, "districtOrCounty")),
        region=text(inner(fields, "stateOrRegion")),
        postal_code=text(inner(fields, "postalCode")),
        country=text(inner(fields, "countryCode")),
        phone=text(inner(fields, "phone")),
    )
    return Buyer(name=shipping.name, phone=shipping.phone, shipping=shipping)
