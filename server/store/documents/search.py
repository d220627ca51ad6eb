"""Find orders by what people know of them, the newest first, a page at a time."""

from typing import Any, Final, NamedTuple

from server.domain.order_documents import KeptOrder, OrderFilter
from server.store.documents.database import Session, plain
from server.store.documents.orders import KEPT, flagged

_LINES: Final = (
    "(o.channel, o.number) IN (SELECT l.channel, l.number FROM order_lines l WHERE l.partition = ? AND {condition})"
)
"""Read once: asked for each order, SQLite would go through all lines of a SKU each time."""


class Place(NamedTuple):
    """Where a page ended: the order's time, channel and number."""

    sort_ms: int
    channel: str
    number: str


async def find(
    session: Session, partition: str, wanted: OrderFilter, after: Place | None, limit: int
) -> tuple[list[KeptOrder], Place | None]:
    """Read a page of the orders that match, and where the next one begins; None where there is none."""
    conditions, values = _conditions(partition, wanted)
    if after is not None:
        conditions.append("(o.sort_ms < ? OR (o.sort_ms = ? AND (o.channel > ? OR (o.channel = ? AND o.number > ?))))")
        values += [after.sort_ms, after.sort_ms, plain(after.channel), plain(after.channel), plain(after.number)]
    rows = await session.fetch(
        f"SELECT {KEPT} FROM orders o WHERE {' AND '.join(['o.partition = ?', *conditions])}"
        " ORDER BY o.sort_ms DESC, o.channel, o.number LIMIT ?",
        partition, *values, limit + 1,
    )  # fmt: skip
    page = rows[:limit]
    following = Place(page[-1][-1], page[-1][0], page[-1][1]) if len(rows) > limit else None
    return await flagged(session, partition, page), following


def _conditions(partition: str, wanted: OrderFilter) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []

    def ask(condition: str, *what: Any) -> None:
        conditions.append(condition)
        values.extend(what)

    for column in ("channel", "number", "customer_ref"):
        if value := getattr(wanted, column):
            ask(f"o.{column} = ?", plain(value))
    if wanted.state:
        ask("CASE WHEN o.booked_state = '' THEN o.state ELSE o.booked_state END = ?", plain(wanted.state))
    for column in ("short", "unmapped"):
        if (flag := getattr(wanted, column)) is not None:
            ask(f"o.{column} > 0" if flag else f"o.{column} = 0")
    if wanted.from_ms:
        ask("o.sort_ms >= ?", wanted.from_ms)
    if wanted.to_ms:
        ask("o.sort_ms < ?", wanted.to_ms)
    names = {"sku": wanted.skus, "location": wanted.locations}
    lines = [f"l.{column} IN ({', '.join('?' * len(each))})" for column, each in names.items() if each]
    if lines:
        asked = (plain(name) for each in names.values() for name in each)
        ask(_LINES.format(condition=" AND ".join(lines)), partition, *asked)
    return conditions, values
