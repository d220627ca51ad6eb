"""Packages of Trendyol's orders as they are answered, and what one of them says of an order."""

from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from adapters.contract.orders import Address, Buyer, CancelledBy, Package, PackageState, Unreadable

STATES: Final[dict[str, PackageState]] = {
    "shipped": "shipped",
    "atcollectionpoint": "shipped",
    "undelivered": "undelivered",
    "delivered": "delivered",
    "returned": "back",
    "cancelled": "cancelled",
    "unsupplied": "cancelled",
    "unpacked": "dissolved",
    "repack": "dissolved",
}
"""Of the statuses in which a package does not simply wait at the seller; one that is not known waits there, too."""
AWAITING: Final = "awaiting"
"""The payment is being checked."""
LEFT: Final = frozenset({"shipped", "undelivered", "delivered", "back"})
"""Its units have left the house."""
GONE: Final = frozenset({"cancelled", "dissolved"})
"""It is no package any more."""
_FIRST: Final = frozenset({"", "order-creation", "transfer"})
"""By what a package came that is no other's successor; "transfer": an order that another seller had before."""
_TURKISH_TIME_MS: Final = 3 * 3_600_000
_WHO_CANCELLED: Final[tuple[tuple[str, CancelledBy], ...]] = (
    ("customer", "buyer"),
    ("buyer", "buyer"),
    ("seller", "merchant"),
    ("supplier", "merchant"),
    ("trendyol", "channel"),
    ("platform", "channel"),
)
"""Words in ``cancelledBy``; their exact spelling is not documented."""

Id = int | str


class Unit(msgspec.Struct, rename="camel"):
    """What is said of one unit of a line."""

    line_item_id: Id | None = None


class LineRow(msgspec.Struct, rename="camel"):
    """A line of a package: what stock needs is checked, the rest may be of any form."""

    quantity: Annotated[int, Meta(ge=0)]
    line_id: Id | None = None
    id: Id | None = None  # of the line, in older answers
    barcode: str | None = None
    stock_code: Any = None
    merchant_sku: Any = None
    product_name: Any = None
    order_line_item_status_name: str | None = None
    line_unit_price: Decimal | None = None
    line_seller_discount: Decimal | None = None
    line_ty_discount: Decimal | None = None
    vat_rate: Decimal | None = None
    cancelled_by: str | None = None
    discount_details: list[Unit] | None = None

    @property
    def key(self) -> str:
        """The name that outlives its package."""
        return text(self.line_id) or text(self.id)

    @property
    def units(self) -> tuple[str, ...]:
        """The names of its units."""
        return tuple(text(each.line_item_id) for each in self.discount_details or () if each.line_item_id is not None)

    @property
    def is_cancelled(self) -> bool:
        """Whether the line itself says so, whatever its package does."""
        return _state(self.order_line_item_status_name or "") == "cancelled"

    @property
    def who_cancelled(self) -> CancelledBy | None:
        """Who has cancelled it; None: the line does not say that somebody has."""
        words = (self.cancelled_by or "").casefold()
        for word, who in _WHO_CANCELLED:
            if word in words:
                return who
        return "unknown" if words else None


class Moment(msgspec.Struct, rename="camel"):
    """A step in the history of a package, in true UTC."""

    created_date: int | None = None


class PackageRow(msgspec.Struct, rename="camel"):
    """A package; Trendyol writes null for what it leaves out."""

    order_number: Id
    status: str
    last_modified_date: int
    lines: list[LineRow]
    shipment_package_id: Id | None = None
    id: Id | None = None  # the same, in some answers
    created_by: str | None = None
    origin_package_ids: list[Id] | None = None
    order_date: int | None = None
    currency_code: str | None = None
    package_total_price: Decimal | None = None
    cargo_tracking_number: Any = None
    cargo_provider_name: Any = None
    cargo_tracking_link: Any = None
    invoice_status: str | None = None
    customer_id: Any = None
    customer_email: Any = None
    identity_number: Any = None
    shipment_address: dict[str, Any] | None = None
    invoice_address: dict[str, Any] | None = None
    package_histories: list[Moment] | None = None

    @property
    def key(self) -> str:
        """The package's own name."""
        return text(self.shipment_package_id) or text(self.id)

    @property
    def order(self) -> str:
        """The order that it belongs to."""
        return text(self.order_number)

    @property
    def state(self) -> PackageState:
        """What its status means."""
        return _state(self.status)

    @property
    def origins(self) -> tuple[str, ...]:
        """The first packages that it came from; none of an order that has been transferred to the seller."""
        is_transfer = (self.created_by or "").casefold() == "transfer"
        return () if is_transfer else tuple(map(text, self.origin_package_ids or ()))

    @property
    def is_first(self) -> bool:
        """Whether it came with the order, and is no successor of another."""
        return not self.origins and (self.created_by or "").casefold() in _FIRST

    @property
    def is_plain(self) -> bool:
        """Whether it says by itself how its lines stand: no other package has, or will have, a part of them."""
        return self.is_first and self.state not in GONE and not any(line.is_cancelled for line in self.lines)

    @property
    def placed_ms(self) -> int:
        """When it was ordered: its history is in UTC, while ``orderDate`` is Turkish time written as if it were."""
        moments = [each.created_date for each in self.package_histories or () if each.created_date]
        return min(moments) if moments else max(0, (self.order_date or _TURKISH_TIME_MS) - _TURKISH_TIME_MS)

    def package(self) -> Package:
        """Return it as the engine knows packages; nothing but what its lines say is added."""
        return Package(
            key=self.key,
            state=self.state,
            status=self.status,
            invoiced=None if self.invoice_status is None else self.invoice_status.casefold() == "invoiced",
            origin_keys=self.origins,
            lines=tuple((line.key, line.quantity) for line in self.lines),
            tracking=text(self.cargo_tracking_number),
            carrier=text(self.cargo_provider_name),
            url=text(self.cargo_tracking_link),
        )

    def buyer(self) -> Buyer:
        """Return who has bought."""
        shipping, billing = _address(self.shipment_address), _address(self.invoice_address)
        named = shipping or billing
        return Buyer(
            id=text(self.customer_id),
            name=named.name if named else "",
            email=text(self.customer_email),
            phone=named.phone if named else "",
            identity_number=text(self.identity_number),
            shipping=shipping,
            billing=billing,
        )


def text(value: Any) -> str:
    """Return a name or a number as text; empty for what is neither."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def money(value: Decimal | None) -> str:
    """Return an amount as decimal text, with the digits that it came with."""
    return "" if value is None else f"{value:f}"


_decode: Final = msgspec.json.Decoder(PackageRow).decode
_decode_number: Final = msgspec.json.Decoder(dict[str, Any]).decode


def rows_of(raw: list[msgspec.Raw]) -> tuple[list[PackageRow], list[Unreadable]]:
    """Read the packages of a page one by one: an impossible one keeps none of the others."""
    rows, unreadable = [], []
    for each in raw:
        try:
            rows.append(_checked(_decode(each)))
        except (msgspec.MsgspecError, ValueError) as error:
            unreadable.append(Unreadable(key=_number_of(each), reason=str(error)))
    return rows, unreadable


def _checked(row: PackageRow) -> PackageRow:
    if not row.order or not row.key:
        raise ValueError("a package without orderNumber or shipmentPackageId")
    if not all(line.key for line in row.lines):
        raise ValueError("a line without lineId")
    return row


def _number_of(raw: msgspec.Raw) -> str:
    try:
        return text(_decode_number(raw).get("orderNumber"))
    except msgspec.MsgspecError:
        return ""


def _state(status: str) -> PackageState:
    return STATES.get(status.strip().casefold(), "living")


def _address(fields: dict[str, Any] | None) -> Address | None:
    if not fields:
        return None
    found = {name: text(value) for name, value in fields.items()}
    name = found.get("fullName") or f"{found.get('firstName', '')} {found.get('lastName', '')}".strip()
    lines = [found.get("fullAddress") or found.get("address1", ""), found.get("address2", "")]
    return Address(
        name=name,
        company=found.get("company", ""),
        lines=tuple(line for line in lines if line),
        city=found.get("city", ""),
        district=found.get("district", ""),
        region=found.get("neighborhood", ""),
        postal_code=found.get("postalCode", ""),
        country=found.get("countryCode", ""),
        phone=found.get("phone", ""),
        tax_number=found.get("taxNumber", ""),
        tax_office=found.get("taxOffice", ""),
    )
