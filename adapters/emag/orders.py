"""Takes in the orders of an eMAG account: those that changed within a time, single ones, and eMAG's own calls.

Contract: third parties' copies of the API reference 4.4.9. Nothing of it was run against a real account. Every answer
is the whole order. Its status may go back: what was cancelled or finalised can be in progress again.
"""

import hmac
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import msgspec

from adapters.contract.adapter import Adapter
from adapters.contract.errors import UnavailableError, UnknownResultError, UnreadableOrderError
from adapters.contract.http import ORDERS, Answer, Exchange, read_private
from adapters.contract.orders import (
    Command,
    CommandOutcome,
    Confirmation,
    Delivery,
    ForgedError,
    Heard,
    Intake,
    Order,
    Pulled,
    UnreadableError,
)
from adapters.contract.spans import DAY_MS, Spans
from adapters.emag.account import Options, Session
from adapters.emag.commands import NAMES, carry_out, confirmed
from adapters.emag.order_rows import in_ms, order_of, rows_of, written

PAGE: Final = 100
"""Orders of one page; documented by the channel."""
HISTORY_MS: Final = 90 * DAY_MS
"""How far back orders can be read is not known. Unverified."""
SPANS: Final = Spans(
    span_ms=28 * DAY_MS,  # a month at most
    reach_ms=3 * 3_600_000 + 600_000,  # the zone of the times is not documented
    history_ms=HISTORY_MS,
)
UNPAID_S: Final = 5 * 86_400.0
"""How long a bank transfer may take."""
STATUSES: Final = (0, 1, 2, 3, 4, 5)


class _Page(msgspec.Struct, rename="camel"):
    is_error: bool | None = None
    results: list[msgspec.Raw] | None = None


class EmagOrders(Adapter):
    """The orders of one seller's account."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._session = Session(options, credentials)
        self._zone = ZoneInfo(options.time_zone)
        self._secret = credentials.get("callback_secret", "").encode()

    def intake(self) -> Intake:
        """Return how its orders come in; eMAG's calls are heard where their address holds a secret."""
        return Intake(
            hears=bool(self._secret),
            authentic_by="api_key" if self._secret else "none",
            history_s=HISTORY_MS / 1000,
            unpaid_s=UNPAID_S,
            commands=NAMES,
        )

    # -- pulling

    def first_cursor(self, since_ms: int) -> str:
        """Return the cursor of a walk over what changed since a time."""
        return SPANS.first(since_ms)

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the orders that changed within a time which is short enough for one answer."""
        walk = SPANS.opened(cursor, int(now_s * 1000))
        while True:
            start, end = SPANS.window(walk)
            times = {"modifiedAfter": written(start, self._zone), "modifiedBefore": written(end + 1_000, self._zone)}
            page = {"itemsPerPage": PAGE, "currentPage": walk.page + 1}
            raw = yield from self._orders({"status": STATUSES, **times, **page})
            shorter = SPANS.halved(walk) if len(raw) >= PAGE else None
            if shorter is None:
                break
            walk = shorter
        rows, unreadable = rows_of(raw, self._zone)
        changed = [in_ms(row.revision, self._zone) for row in rows]
        after, more = SPANS.went_on(walk, changed, is_full=len(raw) >= PAGE)
        new = [row for row, at_ms in zip(rows, changed, strict=True) if walk.is_new(at_ms)]
        return Pulled(
            cursor=after,
            orders=tuple(order_of(row, self._zone) for row in new),
            hints=tuple(each.key for each in unreadable if each.key),
            unreadable=tuple(unreadable),
            more=more,
        )

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002  # unsigned
        """Read one order."""
        raw = yield from self._one(key)
        if raw is None:
            return None
        rows, unreadable = rows_of([raw], self._zone)
        if unreadable:
            raise UnreadableOrderError(f"an order of another form: {unreadable[0].reason}")
        return order_of(rows[0], self._zone)

    def _one(self, key: str) -> Exchange[msgspec.Raw | None]:
        if not (key.isascii() and key.isdecimal()):
            return None
        raw = yield from self._orders({"id": int(key), "itemsPerPage": PAGE, "currentPage": 1})
        return next((each for each in raw if _id_of(each) == key), None)

    def _orders(self, query: Mapping[str, Any]) -> Exchange[list[msgspec.Raw]]:
        try:
            answer: Answer = yield self._session.request("order/read", query, ORDERS)
        except UnknownResultError as error:
            raise UnavailableError(f"no answer to a read: {error.reason}", error.after_s) from None
        page = read_private(_Page, answer)
        if page.is_error is not False:
            raise UnavailableError("eMAG answers with an error, and with no orders")
        return page.results or []

    # -- hearing

    def hear(self, delivery: Delivery, now_s: float) -> Heard:  # noqa: ARG002  # nothing is signed with a time
        """Say which order a call is about: eMAG names it, and nothing more. The secret is the end of the address."""
        if not self._secret or not hmac.compare_digest(delivery.path.strip("/").encode(), self._secret):
            raise ForgedError("the address does not end with the secret")
        numbers = parse_qs(delivery.query).get("order_id", [])
        known = [each for each in numbers if each.isascii() and each.isdecimal()]
        if not known or len(known) < len(numbers):
            raise UnreadableError("it names no order_id")
        return Heard(hints=tuple(dict.fromkeys(known)), answer=Answer(200))

    # -- commands

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:  # noqa: ARG002
        """Say something to eMAG about an order."""
        return carry_out(self._session, command, order, self._one)

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Say by an order that was read after a lost answer whether a command was carried out."""
        return confirmed(command, order)


def _id_of(raw: msgspec.Raw) -> str:
    try:
        return str(msgspec.json.decode(raw, type=dict[str, Any]).get("id"))
    except msgspec.MsgspecError:
        return ""
