"""Puts the packages of one n11 order together: how much of each line is living, cancelled and shipped.

A package that is split or partly cancelled ends, and its pieces come again in others. n11 does not say which package
came from which. So the greatest package that a line ever had tells how much was ordered of it, and what no living
package has is gone as far as cancelled ones had it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from adapters.contract.orders import Order, OrderLine, OrderState
from adapters.n11.packages import GONE, LEFT, LineRow, PackageRow

_CENT_HUNDREDTH: Final = Decimal("0.0001")


def by_order(rows: Iterable[PackageRow]) -> dict[str, list[PackageRow]]:
    """Return the packages of each order, the one that changed last first."""
    orders: dict[str, list[PackageRow]] = {}
    for row in sorted(rows, key=lambda row: -row.last_modified_date):
        orders.setdefault(row.order, []).append(row)
    return orders


def part_of(rows: Sequence[PackageRow]) -> Order | None:
    """Return what a package of an order says by itself; None: the order has to be read whole."""
    return _order(rows, complete=False) if len(rows) == 1 and rows[0].is_plain else None


def whole_of(rows: Sequence[PackageRow]) -> Order:
    """Return an order by all of its packages."""
    return _order(rows, complete=True)


@dataclass
class _Counted:
    """The pieces of one line over all packages. ``most``: in one of them."""

    row: LineRow
    most: int = 0
    living: int = 0
    cancelled: int = 0
    shipped: int = 0

    def add(self, row: PackageRow, line: LineRow) -> None:
        """Count a line of a package."""
        self.most = max(self.most, line.quantity)
        if row.state == "cancelled" or line.is_cancelled:
            self.cancelled += line.quantity
        elif row.state not in GONE:
            self.living += line.quantity
        if row.state in LEFT:
            self.shipped += line.quantity

    @property
    def ordered(self) -> int:
        return max(self.most, self.living)

    @property
    def gone(self) -> int:
        """What no living package has, as far as cancelled ones had it; the rest waits for a package."""
        return min(self.ordered - self.living, self.cancelled)


def _order(rows: Sequence[PackageRow], *, complete: bool) -> Order:
    newest = rows[0]
    counted = _count(rows)
    waiting = sum(each.ordered - each.living - each.gone for each in counted.values())
    words = ", ".join(dict.fromkeys(row.status for row in rows))
    alive = [row for row in rows if row.state not in GONE] or [newest]
    return Order(
        key=newest.order,
        changed_ms=newest.last_modified_date,
        complete=complete,
        gone_is_certain=_is_certain(counted),
        fulfilled_by="channel" if all(row.fulfilled_by == "channel" for row in rows) else "merchant",
        state=_state(rows, counted, waiting) if complete else "open",
        status=f"{words}; {waiting} pieces are in no package yet" if complete and waiting else words,
        placed_ms=min(_began_ms(row) for row in rows),
        currency="TRY",
        unit_prices_have_vat=True,
        lines=tuple(_line(key, each, complete=complete) for key, each in counted.items()),
        packages=tuple(row.package() for row in rows),
        buyer=alive[0].buyer(),
    )


def _count(rows: Sequence[PackageRow]) -> dict[str, _Counted]:
    counted: dict[str, _Counted] = {}
    for row in sorted(rows, key=lambda row: (_began_ms(row), row.key)):
        for line in row.lines:
            counted.setdefault(line.key, _Counted(line)).add(row, line)
    return counted


def _began_ms(row: PackageRow) -> int:
    moments = [each.created_date for each in row.package_histories or () if each.created_date]
    return min([*moments, row.last_modified_date])


def _is_certain(counted: dict[str, _Counted]) -> bool:
    """Whether what is gone stays gone: of an order of one piece nothing can come again in another package."""
    return sum(each.ordered for each in counted.values()) == 1 or not any(each.gone for each in counted.values())


def _state(rows: Sequence[PackageRow], counted: dict[str, _Counted], waiting: int) -> OrderState:
    if not _is_certain(counted):
        return "open"
    if counted and all(each.gone == each.ordered for each in counted.values()):
        return "cancelled"
    return "closed" if not waiting and all(row.state in GONE | {"delivered"} for row in rows) else "open"


def _line(key: str, counted: _Counted, *, complete: bool) -> OrderLine:
    row = counted.row
    off = [each for each in (row.seller_discount, row.seller_coupon_discount) if each is not None]
    discount = sum(off, Decimal(0)) / max(1, row.quantity)
    return OrderLine(
        key=key,
        listing=row.stock_code or "",
        barcode=row.barcode or "",
        sku_hint=row.stock_code or "",
        title=str(row.product_name or ""),
        ordered=counted.ordered,
        cancelled=counted.gone if complete else 0,
        shipped=counted.shipped,
        unit_price="" if row.price is None else _money(row.price - discount),
        discount=_money(discount) if off else "",
        vat_rate="" if row.vat_rate is None else f"{row.vat_rate:f}",
    )


def _money(amount: Decimal) -> str:
    rounded = amount.quantize(_CENT_HUNDREDTH)
    return f"{rounded.normalize():f}"
