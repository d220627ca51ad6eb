"""Orders of eMAG as they are answered, and how they stand: each answer is the whole order."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from adapters.contract.fields import text
from adapters.contract.orders import Address, Buyer, Order, OrderLine, OrderState, Unreadable

CANCELLED, NEW, IN_PROGRESS, PREPARED, FINALIZED, RETURNED = range(6)
WORDS: Final = ("cancelled", "new", "in progress", "prepared", "finalized", "returned")
"""Of the statuses, by their numbers."""
DEPOT: Final = 2
"""As the type of an order: eMAG ships it from its own warehouse."""
CASH: Final = 1
CARD: Final = 3
"""How an order is paid; 2 is a bank transfer."""
_WRITTEN: Final = "%Y-%m-%d %H:%M:%S"


class LineRow(msgspec.Struct):
    """A line: what stock needs is checked, the rest may be of any form.

    ``initial_qty``: how many were ordered first; ``storno_qty``: how many came back after they left. Both are
    recollections, and may be missing.
    """

    id: int
    quantity: Annotated[int, Meta(ge=0)]
    product_id: int | str | None = None
    status: int | None = None
    initial_qty: int | None = None
    storno_qty: int | None = None
    part_number: Any = None
    name: Any = None
    sale_price: Any = None
    currency: Any = None
    vat: Any = None


class OrderRow(msgspec.Struct):
    """An order."""

    id: int
    status: Annotated[int, Meta(ge=0, le=5)]
    date: str
    products: list[LineRow]
    modified: str | None = None
    type: int | None = None
    is_complete: int | None = None
    payment_mode_id: int | None = None
    payment_status: int | None = None
    customer: dict[str, Any] | None = None

    @property
    def revision(self) -> str:
        """When it changed last, in its own words."""
        return self.modified or self.date

    @property
    def is_unpaid(self) -> bool:
        """Whether it waits for its money, or is not whole yet."""
        is_paid = self.payment_mode_id in (None, CASH) or bool(self.payment_status)
        return self.status == NEW and (not is_paid or self.is_complete == 0)


_decode: Final = msgspec.json.Decoder(OrderRow).decode
_decode_any: Final = msgspec.json.Decoder(dict[str, Any]).decode


def rows_of(raw: list[msgspec.Raw], zone: ZoneInfo) -> tuple[list[OrderRow], list[Unreadable]]:
    """Read the orders of a page one by one: an impossible one keeps none of the others."""
    rows, unreadable = [], []
    for each in raw:
        try:
            row = _decode(each)
            in_ms(row.revision, zone)
            in_ms(row.date, zone)
            rows.append(row)
        except ValueError as error:
            unreadable.append(Unreadable(key=_number_of(each), reason=str(error)))
    return rows, unreadable


def _number_of(raw: msgspec.Raw) -> str:
    try:
        return text(_decode_any(raw).get("id"))
    except msgspec.MsgspecError:
        return ""


def order_of(row: OrderRow, zone: ZoneInfo) -> Order:
    """Return an order as it stands."""
    lines = tuple(_line(line, row.status) for line in row.products if _ordered(line))
    return Order(
        key=str(row.id),
        changed_ms=in_ms(row.revision, zone),
        complete=True,
        revision=row.revision,
        state=_state(row, lines),
        status=WORDS[row.status],
        fulfilled_by="channel" if row.type == DEPOT else "merchant",
        placed_ms=in_ms(row.date, zone),
        currency=next((text(line.currency) for line in row.products), ""),
        unit_prices_have_vat=False,
        lines=lines,
        buyer=_buyer(row.customer or {}),
    )


def _state(row: OrderRow, lines: tuple[OrderLine, ...]) -> OrderState:
    if row.status == CANCELLED or all(line.cancelled == line.ordered for line in lines):
        return "cancelled"
    if row.status in (FINALIZED, RETURNED):
        return "closed"
    return "unpaid" if row.is_unpaid else "open"


def _ordered(line: LineRow) -> int:
    return max(line.initial_qty or 0, line.quantity + (line.storno_qty or 0))


def _line(line: LineRow, status: int) -> OrderLine:
    ordered = _ordered(line)
    has_left = status in (FINALIZED, RETURNED) and line.status != 0
    shipped = line.quantity + (line.storno_qty or 0) if has_left else 0
    is_off = status == CANCELLED or (line.status == 0 and not has_left)
    off = ordered if is_off else ordered - (shipped if has_left else line.quantity)
    return OrderLine(
        key=str(line.id),
        listing=text(line.product_id),
        sku_hint=text(line.part_number),
        title=text(line.name),
        ordered=ordered,
        cancelled=off,
        shipped=shipped,
        returned=_returned(line, status, shipped),
        unit_price=_money(line.sale_price),
        vat_rate=_money(line.vat),
    )


def _returned(line: LineRow, status: int, shipped: int) -> int:
    return shipped if status == RETURNED else min(shipped, line.storno_qty or 0) if status == FINALIZED else 0


def in_ms(written: str, zone: ZoneInfo) -> int:
    """Return a time in milliseconds since 1970. Raises ValueError.

    In autumn an hour comes twice: the later one is meant, so that nothing counts as older than it is.
    """
    moment = datetime.strptime(written, _WRITTEN).replace(tzinfo=zone, fold=1)
    return round(moment.timestamp() * 1000)


def written(at_ms: int, zone: ZoneInfo) -> str:
    """Write a time as eMAG does."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone).strftime(_WRITTEN)


def _money(value: Any) -> str:
    """Return an amount, which comes as text or as a number."""
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        return ""
    return f"{amount:f}" if value is not None and amount.is_finite() else ""


def _buyer(customer: Mapping[str, Any]) -> Buyer:
    shipping, billing = (_address(customer, part) for part in ("shipping", "billing"))
    return Buyer(
        id=text(customer.get("id")),
        name=text(customer.get("name")) or shipping.name,
        email=text(customer.get("email")),
        phone=shipping.phone or billing.phone,
        shipping=shipping,
        billing=billing,
    )


def _address(customer: Mapping[str, Any], part: Literal["shipping", "billing"]) -> Address:
    """Return where it is sent, or who is billed; ``suburb`` is the county."""
    found = {name: text(customer.get(f"{part}_{name}")) for name in _FIELDS}
    is_billing = part == "billing"
    return Address(
        name=found["contact"] or found["name"] or text(customer.get("name")),
        company=text(customer.get("company")) if is_billing else "",
        lines=tuple(filter(None, (found["street"],))),
        city=found["city"],
        region=found["suburb"],
        postal_code=found["postal_code"],
        country=found["country"],
        phone=found["phone"],
        tax_number=text(customer.get("code")) if is_billing else "",
    )


_FIELDS: Final = ("contact", "name", "street", "city", "suburb", "postal_code", "country", "phone")
