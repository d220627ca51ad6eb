"""Takes in the orders of a Hepsiburada account: four lists one after another, single orders, and what it sends.

Contract: the published description of orders, and corrections of third parties who run it. Nothing of it was run
against a real account. What stands in which list is an order's status, and a line that goes on leaves its list. So the
lists are read in the order in which a line goes through them, they overlap, and an order itself is the truth.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from adapters.contract.adapter import Adapter
from adapters.contract.errors import UnreadableOrderError
from adapters.contract.fields import text
from adapters.contract.http import ORDERS, Answer, Exchange, Request, read_private
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
    Unreadable,
    UnreadableError,
)
from adapters.contract.spans import DAY_MS, LATE_MS, Spans, SpanWalk
from adapters.hepsiburada.account import Options, headers, orders_host
from adapters.hepsiburada.commands import Commands, command_names, confirmed
from adapters.hepsiburada.order_rows import (
    TURKEY,
    Fields,
    Line,
    fields_of,
    in_ms,
    line_of,
    number_of,
    numbers_in,
    row_of,
)
from adapters.hepsiburada.snapshots import parts_of, whole_of

AWAITING, OPEN, PACKAGES, CANCELLED = range(4)
"""The lists, in the order in which a line goes through them."""
LIMITS: Final = (50, 100, 10, 50)
"""The longest pages that are documented."""
OVERLAPS: Final = (10, 20, 2, 10)
"""So many rows of a page are read again: others that left the list meanwhile would have moved what follows."""
PAGE: Final = LIMITS[OPEN]
HISTORY_MS: Final = 30 * DAY_MS
"""How far back orders can be read is not published. Unverified."""
SPANS: Final = Spans(
    lists=len(LIMITS),
    turned=frozenset({AWAITING, PACKAGES, CANCELLED}),
    span_ms=DAY_MS - 600_000,  # a day at most; times are cut to whole minutes
    shortest_ms=300_000,
    reach_ms=3 * 3_600_000 + 600_000,
    history_ms=HISTORY_MS,
)
UNPAID_S: Final = 3 * 86_400.0
"""How long a transfer of money may take; its end is told as another list."""
ANSWER_S: Final = 5.0
_MINUTE_MS: Final = 60_000
_NOT_FOUND: Final = 404
_POST: Final = "POST"
_AFTER_PACKAGES: Final = ("claims", "packages")
"""Paths of news that name no order: the orders behind them are read again in their time."""

_decode_any: Final = msgspec.json.Decoder(dict[str, Any]).decode


class HepsiburadaOrders(Adapter):
    """The orders of one merchant's account."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        host, merchant = orders_host(options), options.merchant_id
        self._options = options
        self._headers = headers(options, credentials["service_key"])
        self._orders_url = f"{host}/orders/merchantid/{merchant}"
        self._packages_url = f"{host}/packages/merchantid/{merchant}"
        self._secret = _secret(credentials)
        self._commands = Commands(host, options, self._headers)

    def intake(self) -> Intake:
        """Return how its orders come in; what it sends is heard where it has a password."""
        return Intake(
            pull_floor_s=5.0,
            hears=bool(self._secret),
            authentic_by="basic" if self._secret else "none",
            answer_within_s=ANSWER_S,
            history_s=HISTORY_MS / 1000,
            unpaid_s=UNPAID_S,
            commands=command_names(self._options),
        )

    # -- pulling

    def first_cursor(self, since_ms: int) -> str:
        """Return the cursor of a walk over what is new since a time."""
        return SPANS.first(since_ms)

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the next page of the lists."""
        now_ms = int(now_s * 1000)
        walk = SPANS.opened(cursor, now_ms)
        while True:
            raw = yield from self._rows(walk)
            is_full = len(raw) >= LIMITS[walk.number]
            shorter = SPANS.halved(walk) if is_full else None
            if shorter is None:
                break
            walk = shorter
        if walk.number == CANCELLED:
            return self._cancelled(walk, raw, is_full=is_full)
        lines, unreadable = self._lines(walk.number, raw)
        after, more = SPANS.went_on(walk, [walk.began], is_full=is_full)
        return Pulled(
            cursor=after,
            orders=parts_of(lines, self._options, now_ms),
            hints=tuple(dict.fromkeys(each.key for each in unreadable if each.key)),
            unreadable=tuple(unreadable),
            more=more,
        )

    def _rows(self, walk: SpanWalk) -> Exchange[list[msgspec.Raw]]:
        limit = LIMITS[walk.number]
        offset = walk.page * (limit - OVERLAPS[walk.number])
        if walk.number == PACKAGES:
            minutes = -(-(walk.began - _since_ms(walk)) // _MINUTE_MS) + 1
            query: dict[str, Any] = {"Offset": offset, "limit": limit, "timespan": max(1, minutes)}
            return (yield from self._list(f"{self._packages_url}?{urlencode(query)}"))
        query = {"offset": offset, "limit": limit}
        if walk.number == OPEN:
            start, end = SPANS.window(walk)
            query |= {"begindate": _minute(start), "enddate": _minute(end + _MINUTE_MS)}
        path = {AWAITING: "/paymentawaiting", OPEN: "", CANCELLED: "/cancelled"}[walk.number]
        return (yield from self._list(f"{self._orders_url}{path}?{urlencode(query)}"))

    def _list(self, url: str) -> Exchange[list[msgspec.Raw]]:
        """Read a list: a bare array, or one among the items of a page."""
        answer = yield Request("GET", url, self._headers, group=ORDERS)
        raw = read_private(msgspec.Raw, answer)
        if bytes(raw).lstrip().startswith(b"["):
            return read_private(list[msgspec.Raw], answer)
        page = {name.lower(): each for name, each in read_private(dict[str, msgspec.Raw], answer).items()}
        return read_private(list[msgspec.Raw], Answer(200, {}, bytes(page.get("items", b"null"))))

    def _lines(self, number: int, raw: Sequence[msgspec.Raw]) -> tuple[list[Line], list[Unreadable]]:
        lines, unreadable = list[Line](), list[Unreadable]()
        for each in raw:
            try:
                lines += self._lines_of(number, row_of(each))
            except ValueError as error:
                unreadable.append(Unreadable(key=number_of(each), reason=str(error)))
        return lines, unreadable

    def _lines_of(self, number: int, row: Fields) -> list[Line]:
        if number != PACKAGES:
            return [line_of(row, self._options, "unpaid" if number == AWAITING else "open")]
        package = {"packagenumber": row.get("packagenumber"), "status": row.get("status")}
        items = row.get("items")
        if not isinstance(items, list):
            raise ValueError("a package without items")  # noqa: TRY004  # one kind of error for all that is wrong
        return [line_of({**package, **fields_of(each)}, self._options) for each in items]

    def _cancelled(self, walk: SpanWalk, raw: Sequence[msgspec.Raw], *, is_full: bool) -> Pulled:
        """Hint at the orders of lines that were cancelled since; this list knows no times and may go back far."""
        known, found = list[str](), list[str]()  # the first are of walks before
        for each in raw:
            try:
                row = row_of(each)
            except ValueError:
                continue  # the order itself is read again in its time
            at_ms = in_ms(row.get("canceldate"))
            is_known = at_ms and at_ms < _since_ms(walk)
            (known if is_known else found).append(text(row.get("ordernumber")))
        after, more = SPANS.went_on(walk, [walk.began], is_full=is_full and bool(found))
        return Pulled(cursor=after, hints=tuple(dict.fromkeys(filter(None, found))), more=more)

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:
        """Read one order, which is answered in every status."""
        url = f"{self._orders_url}/ordernumber/{quote(key, safe='')}"
        answer = yield Request("GET", url, self._headers, group=ORDERS)
        if answer.status == _NOT_FOUND:
            return None
        content = fields_of(read_private(dict[str, Any], answer))
        try:
            return whole_of(key, content, self._options, int(now_s * 1000))
        except ValueError as error:
            raise UnreadableOrderError(f"an order of another form: {error}") from None

    # -- hearing

    def hear(self, delivery: Delivery, now_s: float) -> Heard:  # noqa: ARG002  # nothing is signed with a time
        """Say which orders a delivery is about: whatever its path and method, they are read whole."""
        self._check(delivery)
        parts = [part for part in delivery.path.lower().split("/") if part]
        try:
            body = fields_of(_decode_any(delivery.body)) if delivery.body else {}
        except (ValueError, UnicodeDecodeError) as error:
            raise UnreadableError(f"not an object: {error}") from None
        numbers = [text(body.get("ordernumber")), *numbers_in(body.get("items")), *_number_in(parts)]
        hints = tuple(dict.fromkeys(filter(None, numbers)))
        if not hints and not (len(parts) > 1 and parts[0] in _AFTER_PACKAGES):
            raise UnreadableError("it names no order")
        return Heard(hints=hints, answer=Answer(201 if delivery.method == _POST else 204))

    def _check(self, delivery: Delivery) -> None:
        given = delivery.headers.get("authorization", "").encode()
        if not self._secret or not hmac.compare_digest(given, self._secret):
            raise ForgedError("the delivery does not carry the agreed user and password")

    # -- commands

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:
        """Say something to Hepsiburada about an order."""
        return self._commands.carry_out(command, order, int(now_s * 1000))

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Say by an order that was read after a lost answer whether a command was carried out."""
        return confirmed(command, order)


def _since_ms(walk: SpanWalk) -> int:
    """Return from when on a list is taken in that names no times of changes: those of the walks are ours."""
    return walk.start if walk.is_whole else walk.since - LATE_MS


def _minute(at_ms: int) -> str:
    """Return a time as Hepsiburada reads it: in Turkey, cut to the minute."""
    return datetime.fromtimestamp(at_ms // 1000, TURKEY).strftime("%Y-%m-%d %H:%M")


def _number_in(parts: Sequence[str]) -> list[str]:
    """Return the number of an order from a path like ``orders/4012345678/shippingaddress``."""
    return [parts[1]] if len(parts) > 1 and parts[0] == "orders" and parts[1].isdecimal() else []


def _secret(credentials: Mapping[str, str]) -> bytes:
    """Return the header that a delivery must carry; empty: nothing is heard. Raises ValueError."""
    user, password = (credentials.get(f"notification_{name}", "") for name in ("user", "password"))
    if bool(user) != bool(password):
        raise ValueError("notification_user and notification_password belong together; give both, or neither")
    return b"Basic " + b64encode(f"{user}:{password}".encode()) if user else b""
