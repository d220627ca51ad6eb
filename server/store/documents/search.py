"""Find orders by what people know of them, the newest first, a page at a time.

A search goes along the index that has the fewest orders for what is asked. It says which: without statistics, a
database takes the one in whose order the page is, and then goes through all orders. A further page begins where the one
before ended, so it costs no more than the first.
"""

from typing import Any, Final, Literal, NamedTuple

from server.domain.order_documents import ENDED_STATES, KeptOrder, OrderFilter
from server.store.documents.database import Session, plain
from server.store.documents.orders import KEPT, flagged

LINES_MAX: Final = 5_000
"""Lines whose orders are all read: some tens of milliseconds. Where there are more, a page soon has its orders."""
_STATE: Final = "CASE WHEN o.booked_state = '' THEN o.state ELSE o.booked_state END"

Way = Literal["number", "customer_ref", "flag", "state", "channel", "time"]


class Place(NamedTuple):
    """Where a page ended: the order's time, channel and number."""

    sort_ms: int
    channel: str
    number: str


class _Asked:
    """Conditions, and the values of their marks."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.values: list[Any] = []

    def ask(self, condition: str, *values: Any) -> None:
        """Ask for one thing more."""
        self.conditions.append(condition)
        self.values += values

    @property
    def text(self) -> str:
        """All of it."""
        return " AND ".join(self.conditions)


async def find(
    session: Session, partition: str, wanted: OrderFilter, after: Place | None, limit: int
) -> tuple[list[KeptOrder], Place | None]:
    """Read a page of the orders that match, and where the next one begins; None where there is none."""
    asked, named = _of_order(partition, wanted), _of_lines(partition, wanted, is_way=True)
    if after is not None:
        asked.ask(f"{_time(wanted)} <= ?", after.sort_ms)  # what follows alone would do, but no index knows it
        behind = "(o.sort_ms < ? OR o.channel > ? OR (o.channel = ? AND o.number > ?))"
        asked.ask(behind, after.sort_ms, plain(after.channel), plain(after.channel), plain(after.number))
    order = f"{_time(wanted)} DESC, o.channel, o.number"
    source, values = "orders o", list[Any]()
    if named.conditions and await _are_few(session, named):
        # Written so that no index has the channels: it would go through the lines of all orders.
        found = f"SELECT DISTINCT l.channel || '' AS channel, l.number FROM order_lines l WHERE {named.text}"
        source, values = f"({found}) AS n CROSS JOIN orders o", named.values
        asked.ask("o.channel = n.channel AND o.number = n.number")
    elif named.conditions:
        own = _of_lines(partition, wanted, is_way=False)
        own.ask("l.channel = o.channel AND l.number = o.number")
        asked.ask(f"EXISTS (SELECT 1 FROM order_lines l WHERE {own.text})", *own.values)
    rows = await session.fetch(
        f"SELECT {KEPT} FROM {source} WHERE {asked.text} ORDER BY {order} LIMIT ?",
        *values, *asked.values, limit + 1,
    )  # fmt: skip
    page = rows[:limit]
    following = Place(page[-1][-1], page[-1][0], page[-1][1]) if len(rows) > limit else None
    return await flagged(session, partition, page), following


def _way(wanted: OrderFilter) -> Way:
    """Choose along which index to look, where no lines are asked for: the one that has the fewest orders mostly."""
    if wanted.number:
        return "number"
    if wanted.customer_ref:
        return "customer_ref"
    if wanted.short or wanted.unmapped:
        return "flag"
    if wanted.state and (wanted.state not in ENDED_STATES or not wanted.channel):
        return "state"  # most orders have ended
    return "channel" if wanted.channel else "time"


def _time(wanted: OrderFilter) -> str:
    """Return the time of an order; of the few that have a number so that no index has it."""
    return "o.sort_ms + 0" if wanted.number else "o.sort_ms"


def _is(expression: str, value: str, *, is_way: bool) -> tuple[str, str]:
    """Ask for a text; where that is not the way, so that no index has it."""
    return f"{expression} = ?" if is_way else f"{expression} || '' = ?", plain(value)


def _of_order(partition: str, wanted: OrderFilter) -> _Asked:
    asked, way = _Asked(), _way(wanted)
    asked.ask("o.partition = ?", partition)
    for column in ("channel", "number", "customer_ref"):
        if value := getattr(wanted, column):
            asked.ask(*_is(f"o.{column}", value, is_way=way in (column, "number")))
    if way == "customer_ref":
        asked.ask("o.customer_ref <> ''")  # as its index has it
    if wanted.state:
        asked.ask(*_is(_STATE, wanted.state, is_way=way == "state"))
    for column in ("short", "unmapped"):
        if (flag := getattr(wanted, column)) is not None:
            asked.ask(f"o.{column} > 0" if flag else f"o.{column} = 0")
    if wanted.from_ms:
        asked.ask(f"{_time(wanted)} >= ?", wanted.from_ms)
    if wanted.to_ms:
        asked.ask(f"{_time(wanted)} < ?", wanted.to_ms)
    return asked


def _of_lines(partition: str, wanted: OrderFilter, *, is_way: bool) -> _Asked:
    """Ask for one line with all that is asked of lines; empty where nothing is. ``is_way``: along SKU or location."""
    asked = _Asked()
    for column, names in (("sku", wanted.skus), ("location", wanted.locations)):
        if names:
            expression = f"l.{column}" if is_way and not asked.conditions else f"l.{column} || ''"
            asked.ask(f"{expression} IN ({', '.join('?' * len(names))})", *map(plain, names))
    if asked.conditions:
        asked.ask("l.partition = ?", partition)
    return asked


async def _are_few(session: Session, lines: _Asked) -> bool:
    """Return whether so few lines match that all their orders can be read."""
    some = f"SELECT 1 FROM order_lines l WHERE {lines.text} LIMIT ?"
    rows = await session.fetch(f"SELECT COUNT(*) FROM ({some}) AS few", *lines.values, LINES_MAX + 1)
    return bool(rows[0][0] <= LINES_MAX)
