"""What a channel tells of an order by now: a snapshot, line by line, beside what was told and acted on before.

Each line is judged by its own time, since parts of an order come in any order. Only a complete snapshot that is newer,
or was fetched, lowers anything; of two with one time that differ the higher figures hold, whichever comes first.
"""

from collections.abc import Mapping
from typing import NamedTuple

from server.domain import limits
from server.domain.booked_orders import POSTED, BookedLine, BookedOrder, BookedOrderState
from server.domain.channel_orders import ORDER_LINES_MAX, ORDER_NUMBER_BYTES_MAX, ChannelOrder, ChannelOrderLine


class ToldLine(NamedTuple):
    """What a line is to become: figures in pieces."""

    ordered: int
    cancelled: int
    shipped: int
    returned: int
    seen_ms: int
    stockless: bool


class Told(NamedTuple):
    """What is told of an order, by the keys of its lines, and of the order as a whole.

    ``gone``: lines of which something is gone without certainty: how much is cancelled there, and since when.
    """

    lines: Mapping[str, ToldLine]
    gone: Mapping[str, tuple[int, int]]
    state: BookedOrderState
    first_ms: int
    changed_ms: int
    complete_ms: int
    fetched: bool
    stale: bool
    second_look_at_ms: int

    @property
    def is_paid(self) -> bool:
        """Whether it is sold; else it only holds."""
        return self.state != "unpaid"


def fault_of(order: ChannelOrder) -> str:
    """Return why an order cannot be as it is told, empty if it can."""
    if not order.key or len(order.key.encode()) > ORDER_NUMBER_BYTES_MAX or "\0" in order.key:
        return f"its number must have 1 to {ORDER_NUMBER_BYTES_MAX} bytes"
    if len(order.lines) > ORDER_LINES_MAX:
        return f"it has {len(order.lines)} lines; {ORDER_LINES_MAX} at most"
    if not order.lines and order.complete and order.state in {"open", "unpaid"}:
        return "it has no lines"
    if len({line.key for line in order.lines}) < len(order.lines):
        return "a line is there twice"
    return next((fault for line in order.lines if (fault := _fault_of_line(line))), "")


def _fault_of_line(line: ChannelOrderLine) -> str:
    if not line.key or not 0 < line.ordered <= limits.QUANTITY_MAX:
        return f"line {line.key!r} is of {line.ordered} pieces"
    if not all(0 <= each <= line.ordered for each in (line.cancelled, line.shipped, line.returned)):
        return f"line {line.key!r} has more cancelled, shipped or returned than ordered, or fewer than none"
    return ""


def told_of(record: BookedOrder, order: ChannelOrder, *, fetched: bool, now_ms: int, second_look_ms: int) -> Told:
    """Return what a snapshot says beside what was told before."""
    looked = _Look(record, order, fetched=fetched)
    lines = looked.lines()
    gone, second_look_at_ms = dict[str, tuple[int, int]](), 0
    if not order.gone_is_certain:
        lines, gone = _unsure(record, lines, now_ms, second_look_ms, is_look=order.complete)
        second_look_at_ms = max((since + second_look_ms for _, since in gone.values()), default=0)
    return Told(
        lines,
        gone,
        looked.state(),
        looked.first_ms,
        max(record.changed_ms, order.changed_ms),
        max(record.complete_ms, order.changed_ms) if order.complete else record.complete_ms,
        fetched if order.changed_ms >= record.changed_ms else record.fetched,
        not looked.used,
        second_look_at_ms,
    )


class _Look:
    """One look at a snapshot."""

    def __init__(self, record: BookedOrder, order: ChannelOrder, *, fetched: bool) -> None:
        self._record = record
        self._order = order
        self._is_truth = order.complete and fetched
        # An older one that had a line to tell of was acted on, too: it is no news of the other lines.
        self._is_same = record.fingerprint == order.fingerprint and order.changed_ms >= record.changed_ms
        self._known = {line.key: line for line in record.lines}
        self.first_ms = record.first_ms or order.changed_ms
        self.used = False

    def lines(self) -> dict[str, ToldLine]:
        told = {line.key: self._line(line) for line in self._order.lines}
        for key, line in self._known.items():
            if key not in told:
                told[key] = self._missing(line)
        return told

    def state(self) -> BookedOrderState:
        before, now = self._record.state, self._order.state
        if self._record.version == 0 or before == POSTED:
            return "open" if now == "unpaid" and any(line.shipped for line in self._order.lines) else now
        if self._order.changed_ms < self._record.changed_ms and not self._is_truth:
            return before
        shipped = any(line.shipped for line in self._order.lines)
        # What is sold stays sold.
        if now == "unpaid" and (shipped or before in {"open", "closed"}):
            return "open"
        return now

    def _seen_ms(self, line: BookedLine | None) -> int:
        """Return how new what is known of a line is: of one that is not known, that it was not there."""
        return self._record.complete_ms if line is None else self.first_ms + line.seen_ms

    def _line(self, line: ChannelOrderLine) -> ToldLine:
        known, order = self._known.get(line.key), self._order
        seen_ms = self._seen_ms(known)
        is_newer = order.changed_ms > seen_ms or self._is_truth or self._is_same
        is_equal = order.changed_ms == seen_ms and not (
            self._record.fetched and order.changed_ms == self._record.changed_ms
        )
        before = known or BookedLine(line.key)
        if not (is_newer or is_equal):
            return _as_before(before, stockless=before.stockless if known else self._is_stockless(line))
        self.used = True
        ordered = max(before.ordered, line.ordered)
        figures = (line.cancelled + ordered - line.ordered, line.shipped, line.returned)
        if not (order.complete and is_newer):
            others = (before.cancelled, before.shipped, before.returned)
            figures = (
                max(line.cancelled, others[0]), max(line.shipped, others[1]), max(line.returned, others[2])
            )  # fmt: skip
        cancelled, shipped, returned = figures
        if order.state == "cancelled":
            cancelled = max(cancelled, ordered - shipped)
        stockless = self._is_stockless(line)
        if stockless and known is not None and not known.stockless:
            cancelled, stockless = ordered - shipped, False  # the channel ships it by now: nothing of it stays booked
        later_ms = order.changed_ms - self.first_ms
        if known is not None:
            later_ms = max(later_ms, known.seen_ms)
        return ToldLine(ordered, cancelled, shipped, returned, later_ms, stockless)

    def _is_stockless(self, line: ChannelOrderLine) -> bool:
        return not line.carries_stock or "channel" in {line.fulfilled_by, self._order.fulfilled_by}

    def _missing(self, line: BookedLine) -> ToldLine:
        """Return what becomes of a line that a snapshot does not have: it is gone where that is complete."""
        order = self._order
        is_newer = order.changed_ms > self._seen_ms(line) or self._is_truth or self._is_same
        if not is_newer:
            return _as_before(line, stockless=line.stockless)
        cancelled, seen_ms = line.cancelled, line.seen_ms
        if order.complete:
            self.used = True
            cancelled = max(cancelled, line.ordered - line.shipped)
            seen_ms = max(seen_ms, order.changed_ms - self.first_ms)
        elif order.state == "cancelled":
            self.used = True
            cancelled = max(cancelled, line.ordered - line.shipped)
        return ToldLine(line.ordered, cancelled, line.shipped, line.returned, seen_ms, line.stockless)


def _as_before(line: BookedLine, *, stockless: bool) -> ToldLine:
    return ToldLine(line.ordered, line.cancelled, line.shipped, line.returned, line.seen_ms, stockless)


def _unsure(
    record: BookedOrder, lines: Mapping[str, ToldLine], now_ms: int, second_look_ms: int, *, is_look: bool
) -> tuple[dict[str, ToldLine], dict[str, tuple[int, int]]]:
    """Believe what is gone only at the second look: return the lines until then, and what is doubted."""
    known = {line.key: line for line in record.lines}
    believed, gone = dict(lines), {}
    for key, line in lines.items():
        before = known.get(key) or BookedLine(key)
        if line.cancelled <= before.cancelled or not before.parts:
            continue
        since_ms = before.gone_since_ms if before.gone == line.cancelled else now_ms
        if is_look and before.gone == line.cancelled and now_ms - since_ms >= second_look_ms:
            continue
        believed[key] = line._replace(cancelled=before.cancelled)
        gone[key] = (line.cancelled, since_ms)
    return believed, gone


def blank(now_ms: int) -> BookedOrder:
    """Make the record of an order that is not known."""
    return BookedOrder(0, "open", [], now_ms)


def with_lines(record: BookedOrder, told: Told) -> list[BookedLine]:
    """Return the record's lines, and those that are new."""
    known = {line.key for line in record.lines}
    lines = [
        BookedLine(key, seen_ms=-1, stockless=line.stockless) for key, line in told.lines.items() if key not in known
    ]
    return [*record.lines, *lines]
