"""Orders of Allegro as they are answered, its checkout forms, and how they stand: each answer is the whole order."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from adapters.contract.fields import in_ms, inner, text
from adapters.contract.orders import Address, Buyer, Order, OrderLine, OrderState, Package, Unreadable

UNPAID: Final = frozenset({"BOUGHT", "FILLED_IN"})
READY: Final = "READY_FOR_PROCESSING"
CANCELLED: Final = "CANCELLED"
OUT: Final = frozenset({"SENT", "PICKED_UP", "RETURNED"})
"""Of the fulfilment, which is the seller's own word."""
DEPOT: Final = "ALLEGRO"
"""As the provider of the fulfilment: Allegro ships it from its own warehouse."""
SOME: Final = "SOME"
ALL: Final = "ALL"


class External(msgspec.Struct):
    """The seller's own name of an offer."""

    id: Any = None


class LineOffer(msgspec.Struct):
    """What was bought."""

    id: str
    external: External | None = None
    name: Any = None


class Amount(msgspec.Struct):
    """Money; its form is not relied on."""

    amount: Any = None
    currency: Any = None


class LineRow(msgspec.Struct, rename="camel"):
    """A line: what stock needs is checked, the rest may be of any form."""

    id: Annotated[str, Meta(min_length=1)]
    offer: LineOffer
    quantity: Annotated[int, Meta(ge=0)]
    price: Amount | None = None
    tax: Any = None
    bought_at: str | None = None


class FormRow(msgspec.Struct, rename="camel"):
    """An order."""

    id: Annotated[str, Meta(min_length=1)]
    status: str
    line_items: list[LineRow]
    updated_at: str
    revision: str | None = None
    fulfillment: Any = None
    payment: Any = None
    delivery: Any = None
    invoice: Any = None
    buyer: Any = None
    message_to_seller: Any = None
    summary: Any = None

    @property
    def sent(self) -> str:
        """How many of its lines have a parcel, in Allegro's word."""
        return text(inner(self.fulfillment, "shipmentSummary", "lineItemsSent"))

    @property
    def fulfilment(self) -> str:
        """The seller's own word."""
        return text(inner(self.fulfillment, "status"))


class ShipmentLine(msgspec.Struct):
    """A line of a parcel, whole."""

    id: str


class ShipmentRow(msgspec.Struct, rename="camel"):
    """A parcel."""

    id: str
    waybill: Any = None
    carrier_id: Any = None
    carrier_name: Any = None
    line_items: list[ShipmentLine] | None = None


_decode: Final = msgspec.json.Decoder(FormRow).decode
_decode_any: Final = msgspec.json.Decoder(dict[str, Any]).decode


def read_form(raw: msgspec.Raw) -> FormRow | Unreadable:
    """Read one order of a page: an impossible one keeps none of the others."""
    try:
        row = _decode(raw)
        in_ms(row.updated_at)
    except ValueError as error:
        return Unreadable(key=_key_of(raw), reason=str(error))
    return row


def _key_of(raw: msgspec.Raw) -> str:
    try:
        return text(_decode_any(raw).get("id"))
    except msgspec.MsgspecError:
        return ""


def order_of(row: FormRow, shipments: Sequence[ShipmentRow] = ()) -> Order:
    """Return an order as it stands, with the parcels that were read for it."""
    is_out = row.status == READY and (row.fulfilment in OUT or row.sent == ALL)
    gone = {line.id for each in shipments for line in each.line_items or ()}
    is_cancelled = CANCELLED in (row.status, row.fulfilment)
    lines = tuple(_line(line, is_out=is_out or line.id in gone, is_cancelled=is_cancelled) for line in row.line_items)
    bought_ms = [in_ms(line.bought_at) for line in row.line_items if line.bought_at]
    return Order(
        key=row.id,
        changed_ms=in_ms(row.updated_at),
        complete=True,
        # What the seller has marked as cancelled can be taken up again.
        gone_is_certain=row.status == CANCELLED or row.fulfilment != CANCELLED,
        revision=row.revision or "",
        state=_state(row, lines),
        status=row.fulfilment if row.status == READY else row.status,
        fulfilled_by="channel" if text(inner(row.fulfillment, "provider", "id")) == DEPOT else "merchant",
        placed_ms=min(bought_ms, default=0),
        ship_by_ms=_ms_or_none(inner(row.delivery, "time", "dispatch", "to")),
        currency=next((text(line.price.currency) for line in row.line_items if line.price is not None), ""),
        total=text(inner(row.summary, "totalToPay", "amount")),
        unit_prices_have_vat=True,
        lines=lines,
        packages=_packages(row, shipments),
        buyer=_buyer(row),
    )


def _line(line: LineRow, *, is_out: bool, is_cancelled: bool) -> OrderLine:
    shipped = line.quantity if is_out else 0
    return OrderLine(
        key=line.id,
        ordered=line.quantity,
        listing=line.offer.id,
        sku_hint=text(line.offer.external.id) if line.offer.external is not None else "",
        title=text(line.offer.name),
        cancelled=line.quantity - shipped if is_cancelled else 0,
        shipped=shipped,
        unit_price=text(line.price.amount) if line.price is not None else "",
        vat_rate=text(inner(line.tax, "rate")),
    )


def _state(row: FormRow, lines: Sequence[OrderLine]) -> OrderState:
    if CANCELLED in (row.status, row.fulfilment):
        return "cancelled"
    if row.status in UNPAID:
        return "unpaid"
    return "closed" if lines and all(line.shipped >= line.ordered for line in lines) else "open"


def _packages(row: FormRow, shipments: Sequence[ShipmentRow]) -> tuple[Package, ...]:
    pieces = {line.id: line.quantity for line in row.line_items}
    return tuple(
        Package(
            key=each.id,
            state="shipped",
            status=row.fulfilment,
            lines=tuple((line.id, pieces[line.id]) for line in each.line_items or () if line.id in pieces),
            tracking=text(each.waybill),
            carrier=text(each.carrier_name) or text(each.carrier_id),
        )
        for each in shipments
    )


# -- fields of any form


def _ms_or_none(moment: Any) -> int:
    try:
        return in_ms(text(moment))
    except ValueError:
        return 0


def _buyer(row: FormRow) -> Buyer:
    shipping = _address(inner(row.delivery, "address"))
    billing = inner(row.invoice, "address")
    return Buyer(
        id=text(inner(row.buyer, "id")),
        name=shipping.name or _name(row.buyer) or text(inner(row.buyer, "login")),
        email=text(inner(row.buyer, "email")),
        phone=shipping.phone or text(inner(row.buyer, "phoneNumber")),
        shipping=shipping,
        billing=_address(billing) if isinstance(billing, dict) else None,
        note=text(row.message_to_seller),
    )


def _address(fields: Mapping[str, Any] | None) -> Address:
    company = inner(fields, "company")
    return Address(
        name=_name(fields) or _name(inner(fields, "naturalPerson")),
        company=text(inner(fields, "companyName")) or text(inner(company, "name")),
        lines=tuple(filter(None, (text(inner(fields, "street")),))),
        city=text(inner(fields, "city")),
        postal_code=text(inner(fields, "zipCode")),
        country=text(inner(fields, "countryCode")),
        phone=text(inner(fields, "phoneNumber")),
        tax_number=text(inner(company, "taxId")),
    )


def _name(fields: Any) -> str:
    return " ".join(filter(None, (text(inner(fields, "firstName")), text(inner(fields, "lastName")))))
