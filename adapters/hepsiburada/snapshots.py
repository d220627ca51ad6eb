"""Puts the lines of one Hepsiburada order together: how much of each is living, cancelled and shipped.

A line can be there several times: in several packages, or with a part of it cancelled. Nothing says when an order
changed, so it stands as it was when it was read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.contract.fields import text
from adapters.contract.orders import Order, OrderLine, OrderState, Package, PackageState
from adapters.hepsiburada.account import Options
from adapters.hepsiburada.order_rows import Fields, Line, buyer_of, fields_of, in_ms, line_of, money_of

UNPAID: Final = frozenset({"awaiting", "waiting", "paymentawaiting", "awaitingpayment", "unpaid"})
"""Words for the status of a payment; Hepsiburada does not publish them."""


def parts_of(lines: Iterable[Line], options: Options, now_ms: int) -> tuple[Order, ...]:
    """Return what some lines say of their orders: parts, which lower nothing."""
    orders: dict[str, list[Line]] = {}
    for line in lines:
        if line.order:
            orders.setdefault(line.order, []).append(line)
    return tuple(_order(number, some, options, now_ms, {}) for number, some in orders.items())


def whole_of(number: str, content: Fields, options: Options, now_ms: int) -> Order | None:
    """Return an order as it was read by its number; None: it has no lines. Raises ValueError."""
    items = content.get("items")
    if not isinstance(items, list):
        raise ValueError("an order without items")  # noqa: TRY004  # one kind of error for all that is wrong
    is_unpaid = text(content.get("paymentstatus")).lower() in UNPAID
    lines = [line_of(fields_of(each), options) for each in items]
    if is_unpaid:
        lines = [each._replace(meaning="unpaid") if each.meaning == "open" else each for each in lines]
    return _order(number, lines, options, now_ms, content) if lines else None


@dataclass
class _Counted:
    """The pieces of one line over all of its places."""

    line: Line
    ordered: int = 0
    cancelled: int = 0
    shipped: int = 0
    packages: dict[str, int] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Count some pieces of it."""
        self.ordered += line.quantity
        if line.meaning == "cancelled":
            self.cancelled += line.quantity
        elif line.package:
            self.packages[line.package] = self.packages.get(line.package, 0) + line.quantity
        if line.meaning in ("shipped", "delivered"):
            self.shipped += line.quantity


def _order(number: str, lines: Sequence[Line], options: Options, now_ms: int, content: Fields) -> Order:
    counted: dict[str, _Counted] = {}
    for each in lines:
        counted.setdefault(each.key, _Counted(each)).add(each)
    complete = bool(content)
    first = lines[0]
    amount, currency = money_of(first.fields.get("unitprice"))
    return Order(
        key=number,
        changed_ms=now_ms,
        complete=complete,
        state=_state(lines, complete=complete),
        status=", ".join(dict.fromkeys(filter(None, (each.status for each in lines)))),
        placed_ms=in_ms(content.get("orderdate")) or in_ms(first.fields.get("orderdate")),
        ship_by_ms=in_ms(first.fields.get("duedate")),
        currency=currency if amount else "",
        unit_prices_have_vat=True,
        lines=tuple(_line(key, each, options, complete=complete) for key, each in counted.items()),
        packages=_packages(lines, counted),
        buyer=buyer_of(content) if complete else None,
    )


def _state(lines: Sequence[Line], *, complete: bool) -> OrderState:
    meanings = {each.meaning for each in lines}
    if complete and meanings <= {"cancelled", "delivered"}:
        return "cancelled" if meanings == {"cancelled"} else "closed"
    return "unpaid" if "unpaid" in meanings else "open"


def _line(key: str, counted: _Counted, options: Options, *, complete: bool) -> OrderLine:
    line = counted.line
    merchant_sku = line.text("merchantsku")
    own = line.text("hbsku") or line.text("hepsiburadasku") or line.text("sku")
    return OrderLine(
        key=key,
        listing=merchant_sku if options.key_is == "merchant_sku" else own,
        barcode=line.text("productbarcode"),
        sku_hint=merchant_sku,
        title=line.text("productname") or line.text("name"),
        ordered=counted.ordered,
        cancelled=counted.cancelled if complete else 0,
        shipped=counted.shipped,
        fulfilled_by="channel" if line.fields.get("isfulfilledbyhb") is True else "merchant",
        unit_price=money_of(line.fields.get("unitprice"))[0],
        vat_rate=_rate(line),
    )


def _rate(line: Line) -> str:
    rate = line.fields.get("vatrate")
    return f"{rate:g}" if isinstance(rate, int | float) and not isinstance(rate, bool) else ""


def _packages(lines: Sequence[Line], counted: dict[str, _Counted]) -> tuple[Package, ...]:
    packed = {each.package: each for each in lines if each.package and each.meaning != "cancelled"}
    return tuple(
        Package(
            key=number,
            state=_package_state(line),
            status=line.status,
            lines=tuple((key, each.packages[number]) for key, each in counted.items() if number in each.packages),
            carrier=line.text("cargocompany"),
        )
        for number, line in packed.items()
    )


def _package_state(line: Line) -> PackageState:
    if line.meaning == "delivered":
        return "delivered"
    if line.meaning == "shipped":
        return "undelivered" if line.status.lower() == "undelivered" else "shipped"
    return "living"
