"""Packages of n11's orders as they are answered, and what one of them says of an order."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from adapters.contract.fields import text
from adapters.contract.key_lookup import folded
from adapters.contract.orders import Address, Buyer, Package, PackageState, Unreadable

STATUSES: Final = ("Created", "Picking", "Shipped", "Delivered", "Cancelled", "UnSupplied", "Unpacked")
"""As n11 names them, in the order in which a package goes through them: one that goes on while they are asked for, one
by one, is met further on."""
STATES: Final[dict[str, PackageState]] = {
    "shipped": "shipped",
    "delivered": "delivered",
    "cancelled": "cancelled",
    "unsupplied": "cancelled",
    "unpacked": "dissolved",
}
"""Of the statuses in which a package does not simply wait at the seller; one that is not known waits there, too."""
NEW: Final = "created"
LEFT: Final = frozenset({"shipped", "delivered"})
"""Its pieces have left the house."""
GONE: Final = frozenset({"cancelled", "dissolved"})
"""It is no package any more."""
_CHANNEL_S_OWN: Final = "n11"
"""As sender: n11 ships it from its own warehouse."""

Id = int | str


class LineRow(msgspec.Struct, rename="camel"):
    """A line of a package: what stock needs is checked, the rest may be of any form."""

    order_line_id: Id
    quantity: Annotated[int, Meta(ge=0)]
    stock_code: str | None = None
    barcode: str | None = None
    product_name: Any = None
    price: Decimal | None = None
    seller_discount: Decimal | None = None
    seller_coupon_discount: Decimal | None = None
    vat_rate: Decimal | None = None
    order_item_line_item_status_name: str | None = None

    @property
    def key(self) -> str:
        """The name of the line."""
        return text(self.order_line_id)

    @property
    def is_cancelled(self) -> bool:
        """Whether the line itself says so, whatever its package does."""
        return _state(self.order_item_line_item_status_name or "") == "cancelled"


class Moment(msgspec.Struct, rename="camel"):
    """A step in the history of a package."""

    created_date: int | None = None


class PackageRow(msgspec.Struct, rename="camel"):
    """A package; its number goes on growing, and comes as text."""

    id: Id
    order_number: Id
    shipment_package_status: str
    last_modified_date: int
    lines: list[LineRow]
    sender: Any = None
    package_histories: list[Moment] | None = None
    cargo_tracking_number: Any = None
    cargo_provider_name: Any = None
    customerfull_name: Any = msgspec.field(default=None, name="customerfullName")
    customer_id: Any = None
    customer_email: Any = None
    tc_identity_number: Any = None
    tax_id: Any = None
    tax_office: Any = None
    shipping_address: dict[str, Any] | None = None
    billing_address: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """The package's own name."""
        return text(self.id)

    @property
    def order(self) -> str:
        """The order that it belongs to."""
        return text(self.order_number)

    @property
    def status(self) -> str:
        """Its status in n11's own word, without the blanks that it may come with."""
        return self.shipment_package_status.strip()

    @property
    def state(self) -> PackageState:
        """What its status means."""
        return _state(self.shipment_package_status)

    @property
    def fulfilled_by(self) -> Literal["merchant", "channel"]:
        """Who ships it."""
        return "channel" if folded(text(self.sender)) == _CHANNEL_S_OWN else "merchant"

    @property
    def is_plain(self) -> bool:
        """Whether it says by itself how its lines stand, as long as no other package has a part of them."""
        return self.state not in GONE and not any(line.is_cancelled for line in self.lines)

    def package(self) -> Package:
        """Return it as the engine knows packages."""
        return Package(
            key=self.key,
            state=self.state,
            status=self.status,
            lines=tuple((line.key, line.quantity) for line in self.lines),
            tracking=text(self.cargo_tracking_number),
            carrier=text(self.cargo_provider_name),
        )

    def buyer(self) -> Buyer:
        """Return who has bought. Of an order that is picked up the buyer stands in the billing address alone."""
        tax = {"tax_number": text(self.tax_id), "tax_office": text(self.tax_office)}
        shipping, billing = _address(self.shipping_address), _address(self.billing_address, **tax)
        named = shipping or billing
        return Buyer(
            id=text(self.customer_id),
            name=text(self.customerfull_name) or (named.name if named else ""),
            email=text(self.customer_email),
            phone=named.phone if named else "",
            identity_number=text(self.tc_identity_number),
            shipping=shipping,
            billing=billing,
        )


_decode: Final = msgspec.json.Decoder(PackageRow).decode
_decode_any: Final = msgspec.json.Decoder(dict[str, Any]).decode


def rows_of(raw: list[msgspec.Raw], ahead_ms: int) -> tuple[list[PackageRow], list[Unreadable]]:
    """Read the packages of a page one by one: an impossible one keeps none of the others.

    ``ahead_ms``: how far their times are ahead of UTC, which is taken off.
    """
    rows, unreadable = [], []
    for each in raw:
        try:
            rows.append(_checked(_decode(each), ahead_ms))
        except (msgspec.MsgspecError, ValueError) as error:
            unreadable.append(Unreadable(key=_number_of(each), reason=str(error)))
    return rows, unreadable


def _checked(row: PackageRow, ahead_ms: int) -> PackageRow:
    if not row.order or not row.key:
        raise ValueError("a package without orderNumber or id")
    if not all(line.key for line in row.lines):
        raise ValueError("a line without orderLineId")
    row.last_modified_date -= ahead_ms
    for moment in row.package_histories or ():
        moment.created_date = (moment.created_date or 0) - ahead_ms
    return row


def _number_of(raw: msgspec.Raw) -> str:
    try:
        return text(_decode_any(raw).get("orderNumber"))
    except msgspec.MsgspecError:
        return ""


def _state(status: str) -> PackageState:
    return STATES.get(folded(status), "living")


def _address(fields: Mapping[str, Any] | None, **more: str) -> Address | None:
    if not fields:
        return None
    found = {name.casefold(): text(value) for name, value in fields.items()}
    return Address(
        name=found.get("fullname", ""),
        lines=tuple(line for line in (found.get("address", ""),) if line),
        city=found.get("city", ""),
        district=found.get("district", ""),
        region=found.get("neighborhood", ""),
        postal_code=found.get("postalcode", ""),
        country="TR",
        phone=found.get("gsm") or found.get("phone", ""),
        tax_number=more.get("tax_number") or found.get("taxid", ""),
        tax_office=more.get("tax_office") or found.get("taxhouse", ""),
    )
