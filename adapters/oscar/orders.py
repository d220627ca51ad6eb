"""Orders of a django-oscar shop, and what is said about them. Run against a real 4.2 with django-oscar-api 3.3.

The list of orders is sorted by when they were placed, and an order has no time of its last change. So the walk finds
new orders, and open ones are read again for their status and for what became of their pieces.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.contract.adapter import Capabilities
from adapters.contract.errors import ChannelError, UnknownResultError, UnreadableOrderError
from adapters.contract.http import ORDERS, Exchange, read_private
from adapters.contract.orders import (
    Command,
    CommandName,
    CommandOutcome,
    Confirmation,
    Intake,
    Order,
    Pulled,
    Refused,
)
from adapters.oscar.dashboard import Dashboard
from adapters.oscar.order_commands import NO_DASHBOARD, Plan, Whole, confirmed, outcome_of, plan_of
from adapters.oscar.order_rows import LineRow, OrderRow, Walk, in_ms, line_row, listed, opened, order_row
from adapters.oscar.order_snapshots import snapshot
from adapters.oscar.shop import OscarOptions, is_number
from adapters.oscar.stock import OscarStock

PAGE: Final = 20
"""Each order of the list has its addresses and discounts looked up: more at once would make others wait."""
LINES_PAGE: Final = 200
PAGES_MAX: Final = 100


class Oscar(OscarStock):
    """One Oscar shop: its stock, and its orders."""

    def __init__(self, options: OscarOptions, credentials: Mapping[str, str]) -> None:
        super().__init__(options, credentials)
        self._dashboard = Dashboard(options, credentials["username"], credentials["password"])
        self._capabilities = msgspec.structs.replace(self._capabilities, intake=_intake(options))

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._capabilities

    # -- reading

    def first_cursor(self, since_ms: int) -> str:
        """Begin with what was placed since then."""
        return Walk(since_ms).cursor

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the next page of orders, the newest first. Their lines stand elsewhere: new ones are hinted at."""
        walk = opened(cursor, round(now_s * 1000))
        page = yield from self._shop.page("/orders/", walk.next or f"limit={PAGE}", ORDERS)
        rows, unreadable = listed(page.rows if page is not None else ())
        placed_ms = [in_ms(row.date_placed) for row in rows]
        following, more = walk.went_on(placed_ms, page.next if page is not None else "")
        hints = [row.key for row, at_ms in zip(rows, placed_ms, strict=True) if walk.is_new(at_ms)]
        return Pulled(
            cursor=following.cursor,
            hints=(*hints, *(each.key for each in unreadable if each.key)),
            unreadable=tuple(unreadable),
            more=more,
        )

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:
        """Read one order and its lines."""
        found = yield from self._whole(key, now_s)
        return found.order if found is not None else None

    def _whole(self, key: str, now_s: float) -> Exchange[Whole | None]:
        row = yield from self._row(key)
        if row is None:
            return None
        found = yield from self._lines(row)
        lines = list[tuple[LineRow, str | None]]()
        for line in found:
            listing = yield from self._records.key_of(line.record, line.partner_sku or "")
            lines.append((line, listing))
        order = snapshot(row, lines, self._options, round(now_s * 1000))
        shows_events = all(line.shipping_status is not None for line in found)
        return Whole(row, order, shows_events) if order is not None else None

    def _row(self, key: str) -> Exchange[OrderRow | None]:
        if not is_number(key):
            return None
        answer = yield from self._shop.get(f"/orders/{key}/", ORDERS)
        if answer is None:
            return None
        raw = read_private(msgspec.Raw, answer)
        try:
            return order_row(raw)
        except ValueError as error:
            raise UnreadableOrderError(f"an order of another form: {error}") from None

    def _lines(self, row: OrderRow) -> Exchange[list[LineRow]]:
        """Read the lines of an order, however the shop divides them."""
        key, query, lines = row.key, f"limit={LINES_PAGE}", dict[str, LineRow]()
        for _ in range(PAGES_MAX):
            page = yield from self._shop.page(f"/orders/{key}/lines/", query, ORDERS)
            try:
                found = [line_row(raw) for raw in (page.rows if page is not None else ())]
            except ValueError as error:
                raise UnreadableOrderError(f"an order with a line of another form: {error}") from None
            lines |= {line.url: line for line in found}
            if page is None or not page.next:
                return list(lines.values())
            query = page.next
        raise UnreadableOrderError(f"the lines of the order do not end after {PAGES_MAX} pages")

    # -- what is said

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:
        """Ship or refuse. The order is read before, and again behind it: the dashboard does not say what it did."""
        before = yield from self._whole(order.key, now_s)
        if before is None:
            return Refused(code="not_found", reason=f'the shop has no order "{order.key}"')
        planned = plan_of(command, before, self._options)
        if not isinstance(planned, Plan):
            return planned
        if planned.event:
            lines, reference = tuple(planned.pieces.items()), planned.reference
            if not (yield from self._dashboard.add_event(before.row.number, planned.event, lines, reference)):
                return NO_DASHBOARD
        if planned.status:
            try:
                is_said = yield from self._dashboard.set_status(before.row.number, planned.status)
            except ChannelError as error:
                if planned.event:
                    raise UnknownResultError(f"a part was carried out, then: {error.reason}") from None
                raise
            if not is_said and not planned.event:
                return NO_DASHBOARD
        try:
            after = yield from self._whole(order.key, now_s)
        except ChannelError as error:
            raise UnknownResultError(f"it was said, and the order cannot be read again: {error.reason}") from None
        return outcome_of(planned, before, after)

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Say by the order's figures whether a command was carried out."""
        return confirmed(command, order)


def _intake(options: OscarOptions) -> Intake:
    says: dict[CommandName, str] = {
        "ship": options.ship_status or options.ship_event,
        "refuse": options.cancel_status or options.cancel_event,
    }
    return Intake(
        pulls=True,
        pull_every_s=10.0,  # the shop sells by itself what it was not yet told: often, since nothing is heard
        history_s=365 * 86_400.0,
        commands=frozenset(name for name, how in says.items() if how),
        whole_orders=not options.ship_event,
        reads_open=True,
    )
