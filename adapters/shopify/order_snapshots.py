"""What an order of a Shopify shop says of its lines: ordered, cancelled, shipped, back; and of its buyer."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from adapters.contract.fields import in_ms
from adapters.contract.orders import Address, Buyer, Order, OrderLine, OrderState, Package, PackageState
from adapters.shopify.account import Options
from adapters.shopify.graphql import gid
from adapters.shopify.order_documents import LineRow, OrderRow, Parcel, ParcelLine, Place, RefundLine, Task, TaskLine

_SENT: Final = "SUCCESS"
_NEVER: Final = frozenset({"CANCELLED", "ERROR", "FAILURE"})
"""Statuses of a fulfilment that ships nothing; any other one may still become a success."""
_NOT_PAID: Final = frozenset({"EXPIRED", "VOIDED"})
_RETURN: Final = "RETURN"
_CLOSED: Final = frozenset({"CLOSED", "CANCELLED", "INCOMPLETE"})


class Parts(NamedTuple):
    """The parts of an order, each with all of its lines."""

    parcels: list[tuple[Parcel, list[ParcelLine]]]
    refunded: list[RefundLine]
    tasks: list[tuple[Task, list[TaskLine]]]


def order_of(row: OrderRow, lines: Sequence[LineRow], parts: Parts, options: Options) -> Order:
    """Return an order as it stands. Raises ValueError."""
    told = _Told(row, parts, options)
    made = tuple(told.line(line) for line in lines)
    total = row.total_price_set
    return Order(
        key=number_of(row.id),
        changed_ms=in_ms(row.updated_at),
        complete=True,
        state=told.state(made),
        status=" ".join(filter(None, (row.display_financial_status, row.display_fulfillment_status))),
        placed_ms=in_ms(row.created_at),
        currency=row.currency_code or "",
        total=f"{total.shop_money.amount:f}" if total else "",
        unit_prices_have_vat=row.taxes_included,
        lines=made,
        packages=tuple(_package(*each) for each in parts.parcels),
        buyer=_buyer(row) if options.reads_buyers else None,
    )


class _Told:
    """What an order says of all of its lines."""

    def __init__(self, row: OrderRow, parts: Parts, options: Options) -> None:
        self._options = options
        self._is_off = row.cancelled_at is not None or row.display_financial_status in _NOT_PAID
        self._shipped = _pieces(line for parcel, lines in parts.parcels if parcel.status == _SENT for line in lines)
        self._pending = _pieces(
            line for parcel, lines in parts.parcels if parcel.status not in {_SENT, *_NEVER} for line in lines
        )
        self._returned = _pieces(line for line in parts.refunded if line.restock_type == _RETURN)
        self._here, self._elsewhere = set[str](), set[str]()
        for task, rows in parts.tasks:
            (self._here if is_at(task, options) else self._elsewhere).update(row.line_item.id for row in rows)

    def line(self, row: LineRow) -> OrderLine:
        """Return what it says of one line.

        Refunds without a restock tell neither where the pieces are nor whether they had left. So no more is cancelled
        than what has neither left nor waits to.
        """
        shipped = min(row.quantity, self._shipped[row.id])
        returned = min(shipped, self._returned[row.id])
        waiting = 0 if self._is_off else row.unfulfilled_quantity + self._pending[row.id]
        off = row.quantity if self._is_off else row.quantity - row.current_quantity - returned
        item = row.variant.inventory_item if row.variant else None
        price = row.original_unit_price_set
        return OrderLine(
            key=number_of(row.id),
            listing=self._listing(item.id) if item else "",
            sku_hint=row.sku or "",
            title=row.title or "",
            ordered=row.quantity,
            cancelled=max(0, min(off, row.quantity - shipped - waiting)),
            shipped=shipped,
            returned=returned,
            carries_stock=item is not None or row.requires_shipping,
            fulfilled_by="channel" if self._is_elsewhere(row) else "merchant",
            unit_price=f"{price.shop_money.amount:f}" if price else "",
        )

    def state(self, lines: Sequence[OrderLine]) -> OrderState:
        """Return how the whole order is: Shopify sets its stock aside as soon as it is placed, paid or not."""
        if self._is_off or (lines and all(line.cancelled == line.ordered for line in lines)):
            return "cancelled"
        return "closed" if all(line.cancelled + line.shipped >= line.ordered for line in lines) else "open"

    def _listing(self, item: str) -> str:
        return item if self._options.keys_are == "gid" else number_of(item)

    def _is_elsewhere(self, row: LineRow) -> bool:
        is_there = row.id in self._elsewhere and row.id not in self._here
        return is_there and self._options.other_locations == "recorded"


def is_at(task: Task, options: Options) -> bool:
    """Whether the channel's own location is to ship it; one without a location may be."""
    location = task.assigned_location.location if task.assigned_location else None
    return location is None or location.id == gid("Location", options.location_id)


def is_open(task: Task) -> bool:
    """Whether something of it can be shipped."""
    return task.status not in _CLOSED


def number_of(name: str) -> str:
    """Return the number in a global id."""
    return name.rpartition("/")[2]


def _pieces(lines: Iterable[ParcelLine | RefundLine]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for line in lines:
        counted[line.line_item.id] += line.quantity
    return counted


def _package(parcel: Parcel, lines: Sequence[ParcelLine]) -> Package:
    state: PackageState = "shipped" if parcel.status == _SENT else "dissolved" if parcel.status in _NEVER else "living"
    tracking = parcel.tracking_info[0] if parcel.tracking_info else None
    return Package(
        key=number_of(parcel.id),
        state=state,
        status=parcel.status,
        lines=tuple((number_of(line.line_item.id), line.quantity) for line in lines),
        tracking=(tracking.number or "") if tracking else "",
        carrier=(tracking.company or "") if tracking else "",
        url=(tracking.url or "") if tracking else "",
    )


def _buyer(row: OrderRow) -> Buyer:
    shipping, billing = _address(row.shipping_address), _address(row.billing_address)
    named = shipping or billing
    return Buyer(
        name=named.name if named else "",
        email=row.email or "",
        phone=named.phone if named else "",
        shipping=shipping,
        billing=billing,
        note=row.note or "",
    )


def _address(place: Place | None) -> Address | None:
    if place is None:
        return None
    return Address(
        name=place.name or "",
        company=place.company or "",
        lines=tuple(filter(None, (place.address1, place.address2))),
        city=place.city or "",
        region=place.province or "",
        postal_code=place.zip or "",
        country=place.country_code or "",
        phone=place.phone or "",
    )
