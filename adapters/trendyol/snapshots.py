"""Puts the packages of one Trendyol order together: how much of each line is living, cancelled, shipped and back.

A package that is split or partly cancelled ends as a whole, and its units come again in a later one. So no package that
ended says alone what became of its units: all packages of the order do, counted by line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from adapters.contract.orders import CancelledBy, Order, OrderLine, OrderState
from adapters.trendyol.packages import AWAITING, GONE, LEFT, LineRow, PackageRow, money


def by_order(rows: Iterable[PackageRow]) -> dict[str, list[PackageRow]]:
    """Return the packages of each order, the one that changed last first."""
    orders: dict[str, list[PackageRow]] = {}
    for row in sorted(rows, key=lambda row: -row.last_modified_date):
        orders.setdefault(row.order, []).append(row)
    return orders


def part_of(rows: Sequence[PackageRow]) -> Order | None:
    """Return what some packages of an order say by themselves; None: the order has to be read whole."""
    keys = [line.key for row in rows for line in row.lines]
    if not all(row.is_plain for row in rows) or len(set(keys)) < len(keys):
        return None
    return _order(rows, complete=False)


def whole_of(rows: Sequence[PackageRow]) -> Order:
    """Return an order by all of its packages. Where its first ones are not among them, it is no more than a part."""
    known = {row.key for row in rows}
    return _order(rows, complete=all(origin in known for row in rows for origin in row.origins))


@dataclass
class _Counted:
    """The units of one line over all packages. ``first``: in those that came with the order."""

    row: LineRow
    first: int = 0
    living: int = 0
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0
    who: list[CancelledBy | None] = field(default_factory=list)
    units: dict[str, None] = field(default_factory=dict)

    def add(self, row: PackageRow, line: LineRow) -> None:
        """Count a line of a package."""
        self.units |= dict.fromkeys(line.units)
        if row.is_first:
            self.first += line.quantity
        if row.state == "cancelled" or line.is_cancelled:
            self.cancelled += line.quantity
            self.who.append(line.who_cancelled)
        elif row.state not in GONE:
            self.living += line.quantity
        if row.state in LEFT:
            self.shipped += line.quantity
        if row.state == "back":
            self.returned += line.quantity

    @property
    def ordered(self) -> int:
        return max(self.first, self.living)

    @property
    def gone(self) -> int:
        """What no living package has, as far as cancelled ones had it; the rest waits for a package."""
        return min(self.ordered - self.living, self.cancelled)

    @property
    def is_certain(self) -> bool:
        """Whether what is gone stays gone: a part of a greater line may come again, whatever the line says."""
        return not self.gone or (self.ordered == 1 and None not in self.who)


def _order(rows: Sequence[PackageRow], *, complete: bool) -> Order:
    newest = rows[0]
    counted = _count(rows)
    waiting = sum(each.ordered - each.living - each.gone for each in counted.values())
    words = ", ".join(dict.fromkeys(row.status for row in rows))
    alive = [row for row in rows if row.state not in GONE]
    return Order(
        key=newest.order,
        changed_ms=newest.last_modified_date,
        complete=complete,
        gone_is_certain=all(each.is_certain for each in counted.values()),
        state=_state(rows, list(counted.values()), waiting) if complete else _state_of_part(rows),
        status=f"{words}; {waiting} pieces are in no package yet" if complete and waiting else words,
        placed_ms=min(row.placed_ms for row in rows),
        currency=newest.currency_code or "",
        total=money(sum((row.package_total_price or Decimal(0) for row in alive), Decimal(0))),
        unit_prices_have_vat=True,
        lines=tuple(_line(key, each, complete=complete) for key, each in counted.items()),
        packages=tuple(row.package() for row in rows),
        buyer=(alive[0] if alive else newest).buyer(),
    )


def _count(rows: Sequence[PackageRow]) -> dict[str, _Counted]:
    first = [line for row in rows if row.is_first for line in row.lines]
    counted = {line.key: _Counted(line) for line in first}
    by_unit = {unit: line.key for line in first for unit in line.units}
    for row in rows:
        for line in row.lines:
            key = line.key if line.key in counted or row.is_first else _earlier_key(line, first, by_unit)
            counted.setdefault(key, _Counted(line)).add(row, line)
    return counted


def _earlier_key(line: LineRow, first: Sequence[LineRow], by_unit: dict[str, str]) -> str:
    """Return the line of a first package that a successor's line continues, should a split have given it a new id."""
    named = {by_unit[unit] for unit in line.units if unit in by_unit}
    named = named or {each.key for each in first if line.barcode and each.barcode == line.barcode}
    return named.pop() if len(named) == 1 else line.key


def _line(key: str, counted: _Counted, *, complete: bool) -> OrderLine:
    row = counted.row
    discounts = [each for each in (row.line_seller_discount, row.line_ty_discount) if each is not None]
    return OrderLine(
        key=key,
        listing=row.barcode or "",
        barcode=row.barcode or "",
        sku_hint=str(row.stock_code or row.merchant_sku or ""),
        title=str(row.product_name or ""),
        ordered=counted.ordered,
        cancelled=counted.gone if complete else 0,
        cancelled_by=next((who for who in counted.who if who), "unknown"),
        shipped=counted.shipped,
        returned=counted.returned,
        units=tuple(counted.units),
        unit_price=money(row.line_unit_price),
        discount=money(sum(discounts, Decimal(0))) if discounts else "",
        vat_rate=money(row.vat_rate),
    )


def _state_of_part(rows: Sequence[PackageRow]) -> OrderState:
    return "unpaid" if any(_is_awaiting(row) for row in rows) else "open"


def _state(rows: Sequence[PackageRow], counted: Sequence[_Counted], waiting: int) -> OrderState:
    if all(each.gone == each.ordered and each.is_certain for each in counted):
        return "cancelled"
    if not waiting and all(row.state in GONE | {"delivered", "back"} for row in rows) and _all_certain(counted):
        return "closed"
    return _state_of_part(rows)


def _all_certain(counted: Sequence[_Counted]) -> bool:
    return all(each.is_certain for each in counted)


def _is_awaiting(row: PackageRow) -> bool:
    return row.status.strip().casefold() == AWAITING
