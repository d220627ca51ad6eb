"""What an order of a django-oscar shop says of its lines: ordered, cancelled, shipped, back; and of its buyer.

Oscar has no statuses of its own: each shop has a pipeline. A status speaks of all pieces that nothing else is known of.
Single pieces are cancelled and shipped by shipping events, which lines show as text where the shop's settings add it.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from adapters.contract.orders import Address, Buyer, Order, OrderLine, OrderState
from adapters.oscar.order_rows import LineRow, OrderRow, Place, in_ms
from adapters.oscar.shop import Meaning, OscarOptions, number_at_end

MEANINGS: Final[dict[str, Meaning]] = {
    "shipped": "shipped",
    "dispatched": "shipped",
    "delivered": "shipped",
    "complete": "shipped",
    "completed": "shipped",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "payment declined": "cancelled",
}
"""Of statuses, in small letters, that shops commonly have. One that is not known counts as sold."""
_EVENT: Final = re.compile(r"(?P<name>.+?)(?: \((?P<part>\d+)/\d+ items\))?(?:, |$)")
_CENTS: Final = Decimal("0.0001")


class Pieces(NamedTuple):
    """How many pieces of a line have gone through events."""

    shipped: int = 0
    cancelled: int = 0
    returned: int = 0


def meaning_of(status: str, options: OscarOptions) -> Meaning:
    """Return what a status means."""
    if status in options.order_statuses:
        return options.order_statuses[status]
    own: dict[str, Meaning] = {options.ship_status: "shipped", options.cancel_status: "cancelled"}
    return (own.get(status) if status else None) or MEANINGS.get(status.lower(), "open")


def snapshot(
    row: OrderRow, lines: Sequence[tuple[LineRow, str | None]], options: OscarOptions, now_ms: int
) -> Order | None:
    """Return an order as it stands; None: it is not an order yet.

    Beside each line is the key of its listing; None: another partner has it, and ships it.
    """
    meaning = meaning_of(row.status, options)
    if meaning == "none":
        return None
    told = tuple(_line(line, listing, meaning, options) for line, listing in lines)
    return Order(
        key=row.key,
        changed_ms=max(now_ms, in_ms(row.date_placed)),  # nothing says when it changed: it stands as it was read
        complete=True,
        state=_state(meaning, told),
        status=f"#{row.number} {row.status}",
        placed_ms=in_ms(row.date_placed),
        currency=row.currency,
        total=row.total_incl_tax,
        unit_prices_have_vat=True,
        lines=told,
        buyer=_buyer(row),
    )


def _state(meaning: Meaning, lines: Sequence[OrderLine]) -> OrderState:
    if meaning == "cancelled" or (lines and all(line.cancelled == line.ordered for line in lines)):
        return "cancelled"
    return "closed" if meaning == "shipped" else "unpaid" if meaning == "unpaid" else "open"


def _line(row: LineRow, listing: str | None, of_order: Meaning, options: OscarOptions) -> OrderLine:
    ordered = row.quantity
    pieces = pieces_of(row.shipping_status or "", ordered, options)
    of_line = meaning_of(row.status, options) if row.status and of_order == "open" else of_order
    shipped = min(ordered, max(pieces.shipped, pieces.returned))
    cancelled = min(pieces.cancelled, ordered - shipped)
    if of_line == "cancelled":
        cancelled = ordered - shipped
    elif of_line == "shipped":
        shipped = ordered - cancelled
    before, after = (_for_one(text, ordered) for text in (row.price_incl_tax_excl_discounts, row.price_incl_tax))
    return OrderLine(
        key=row.key,
        listing=listing or "",
        fulfilled_by="channel" if listing is None else "merchant",
        barcode=row.upc or "",
        sku_hint=row.partner_sku or "",
        title=row.title or "",
        ordered=ordered,
        cancelled=cancelled,
        shipped=shipped,
        returned=min(pieces.returned, shipped),
        unit_price=_text(before if before is not None else after),
        discount=_text(before - after) if before is not None and after is not None and before > after else "",
        vat_rate=_vat_rate(row),
    )


def pieces_of(text: str, ordered: int, options: OscarOptions) -> Pieces:
    """Read how far a line is, as in "Shipped (2/3 items), Cancelled (1/3 items)"; no number: all of its pieces.

    Where the newest event is of all pieces, Oscar names no other.
    """
    counted: dict[str, int] = {}
    for found in _EVENT.finditer(text):
        counted[found["name"]] = int(found["part"]) if found["part"] else ordered
    return Pieces(
        shipped=_most(counted, options.shipped_events),
        cancelled=_most(counted, options.cancelled_events),
        returned=_most(counted, options.returned_events),
    )


def _most(counted: Mapping[str, int], names: Sequence[str]) -> int:
    return max((counted.get(name, 0) for name in names), default=0)


def _vat_rate(row: LineRow) -> str:
    """Return the rate of the tax in per cent, as far as cents tell it."""
    net, gross = _decimal(row.price_excl_tax), _decimal(row.price_incl_tax)
    if not net or gross is None:
        return ""
    return _text(((gross / net - 1) * 100).quantize(Decimal("0.1")))


def _for_one(text: str | None, pieces: int) -> Decimal | None:
    amount = _decimal(text)
    return amount / pieces if amount is not None and pieces else None


def _decimal(text: str | None) -> Decimal | None:
    try:
        amount = Decimal(text) if text is not None else None
    except InvalidOperation:
        return None
    return amount if amount is not None and amount.is_finite() else None


def _text(amount: Decimal | None) -> str:
    if amount is None:
        return ""
    return format(amount.quantize(_CENTS).normalize(), "f")


# -- who has bought


def _buyer(row: OrderRow) -> Buyer:
    place = row.shipping_address or row.billing_address or Place()
    return Buyer(
        id=number_at_end(row.owner or ""),
        name=place.name,
        email=row.email or "",
        phone=place.phone_number or "",
        shipping=_address(row.shipping_address),
        billing=_address(row.billing_address),
        note=place.notes or "",
    )


def _address(place: Place | None) -> Address | None:
    if place is None:
        return None
    return Address(
        name=place.name,
        lines=tuple(filter(None, (place.line1, place.line2, place.line3))),
        city=place.line4,
        region=place.state,
        postal_code=place.postcode,
        country=(place.country or "").rstrip("/").rpartition("/")[2],
        phone=place.phone_number or "",
    )
