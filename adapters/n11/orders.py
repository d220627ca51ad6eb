"""Takes in the orders of an n11 account: lists of packages by status and time, single orders, and what is said back.

Contract: notes of third parties on n11's portal. Nothing of it was run against a real account. n11 sends no
notifications. A package that waits or has left says by itself how its lines stand; of one that was split or cancelled
the whole order is read.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from adapters.contract.adapter import Adapter
from adapters.contract.errors import UnknownResultError, UnreadableOrderError
from adapters.contract.fields import text
from adapters.contract.http import COMMANDS, ORDERS, Answer, Exchange, Request, check_command, excerpt, read_private
from adapters.contract.key_lookup import folded
from adapters.contract.orders import (
    Acknowledge,
    Command,
    CommandOutcome,
    Confirmation,
    Done,
    Intake,
    NotDone,
    Order,
    Pulled,
    Refused,
    Superseded,
    Undecided,
)
from adapters.contract.spans import DAY_MS, Spans
from adapters.n11.account import Options, headers
from adapters.n11.packages import NEW, STATUSES, PackageRow, rows_of
from adapters.n11.snapshots import by_order, part_of, whole_of
from adapters.n11.wire import reason_of

PAGE: Final = 100
"""Packages of one page: documented by the channel."""
HISTORY_MS: Final = 60 * DAY_MS
"""How far back packages can be read is not published. Unverified."""
SPANS: Final = Spans(
    lists=len(STATUSES),
    span_ms=14 * DAY_MS,  # n11 cuts a longer one to 15 days without a word
    reach_ms=3 * 3_600_000 + 600_000,  # the zone of a filter is doubtful, and Turkish time is UTC and three hours
    history_ms=HISTORY_MS,
)
PACKAGES_OF_ORDER_MAX: Final = PAGE
_HOUR_MS: Final = 3_600_000
_PICKING: Final = "Picking"
_SUCCEEDED: Final = "success"
_BAD_REQUEST: Final = 400


class _Page(msgspec.Struct):
    content: list[msgspec.Raw]


class N11Orders(Adapter):
    """The orders of one seller's account."""

    def __init__(self, options: Options, app_key: str, app_secret: str) -> None:
        root = f"{options.base_url.rstrip('/')}/rest"
        self._options = options
        self._headers = headers(app_key, app_secret)
        self._packages_url = f"{root}/delivery/v1/shipmentPackages"
        self._update_url = f"{root}/order/v1/update"

    def intake(self) -> Intake:
        """Return how its orders come in: by reading alone."""
        return Intake(
            pull_floor_s=5.0,
            history_s=HISTORY_MS / 1000,
            commands=frozenset({"acknowledge"}),
        )

    # -- pulling

    def first_cursor(self, since_ms: int) -> str:
        """Return the cursor of a walk over what changed since a time."""
        return SPANS.first(since_ms)

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the packages of a status that changed within a time which is short enough for one answer."""
        walk = SPANS.opened(cursor, int(now_s * 1000))
        while True:
            start, end = SPANS.window(walk)
            raw = yield from self._packages(
                startDate=start, endDate=end, status=STATUSES[walk.number], page=walk.page, size=PAGE
            )
            shorter = SPANS.halved(walk) if len(raw) >= PAGE else None
            if shorter is None:
                break
            walk = shorter
        rows, unreadable = rows_of(raw, self._ahead_ms)
        after, more = SPANS.went_on(walk, [row.last_modified_date for row in rows], is_full=len(raw) >= PAGE)
        orders, hints = _parted([row for row in rows if walk.is_new(row.last_modified_date)])
        hints += tuple(each.key for each in unreadable if each.key and each.key not in hints)
        return Pulled(cursor=after, orders=orders, hints=hints, unreadable=tuple(unreadable), more=more)

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002  # unsigned
        """Read all packages of an order."""
        about: dict[str, Any] = {"orderNumber": key, "page": 0, "size": PACKAGES_OF_ORDER_MAX}
        by_status = self._options.single_order_by == "status"
        found: dict[str, PackageRow] = {}
        for status in STATUSES if by_status else ("",):
            raw = yield from self._packages(**about, **({"status": status} if status else {}))
            if len(raw) >= PACKAGES_OF_ORDER_MAX:
                raise UnreadableOrderError(f"the order has {PACKAGES_OF_ORDER_MAX} packages or more")
            rows, unreadable = rows_of(raw, self._ahead_ms)
            if unreadable:
                raise UnreadableOrderError(f"a package of the order is of another form: {unreadable[0].reason}")
            # One that goes on while they are asked for is met twice: the later status counts.
            found |= {row.key: row for row in rows if row.order == key}
        packages = by_order(found.values()).get(key)
        return whole_of(packages) if packages else None

    def _packages(self, **query: Any) -> Exchange[list[msgspec.Raw]]:
        sender = {"sender": self._options.sender} if self._options.sender else {}
        url = f"{self._packages_url}?{urlencode({**query, **sender})}"
        answer = yield Request("GET", url, self._headers, group=ORDERS)
        return read_private(_Page, answer).content

    @property
    def _ahead_ms(self) -> int:
        return self._options.hours_ahead * _HOUR_MS

    # -- commands

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:  # noqa: ARG002
        """Begin to pick the lines that nobody has begun with."""
        if not isinstance(command, Acknowledge):
            raise TypeError(f"n11 does not understand {type(command).__name__}")
        if not _living(order):
            return Superseded(reason="no package of the order waits at the seller any more")
        lines = _new_lines(order)
        if not lines:
            return Done()
        body = {"lines": [{"lineId": int(key) if key.isdecimal() else key} for key in lines], "status": _PICKING}
        answer = yield Request("PUT", self._update_url, self._headers, msgspec.json.encode(body), group=COMMANDS)
        check_command(answer)
        if answer.status >= _BAD_REQUEST:
            return Refused(code=f"http_{answer.status}", reason=excerpt(answer.body))
        return _verdict(answer, lines)

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Say by an order that was read after a lost answer whether a command was carried out."""
        if not isinstance(command, Acknowledge):
            return Undecided(reason="no command of this channel")
        return NotDone() if _new_lines(order) else Done()


def _parted(rows: Sequence[PackageRow]) -> tuple[tuple[Order, ...], tuple[str, ...]]:
    """Return the orders that some packages tell enough of, and the numbers of those that are to be read whole."""
    parts = {number: part_of(packages) for number, packages in by_order(rows).items()}
    orders = tuple(part for part in parts.values() if part is not None)
    return orders, tuple(number for number, part in parts.items() if part is None)


def _living(order: Order) -> bool:
    return any(package.state == "living" for package in order.packages)


def _new_lines(order: Order) -> list[str]:
    """Return the lines of packages that are new."""
    new = (package for package in order.packages if package.state == "living" and folded(package.status) == NEW)
    return list(dict.fromkeys(key for package in new for key, _ in package.lines))


def _verdict(answer: Answer, lines: Sequence[str]) -> CommandOutcome:
    """Return the outcome by the result of each line, which comes with HTTP 200 also where it failed.

    Raises
    ------
    UnknownResultError
        Not all lines are named, or some have failed: the order is read before anything is repeated.

    """
    found = {text(row.get("lineId") or row.get("orderLineId") or row.get("id")): row for row in _rows_in(answer)}
    named = [found[key] for key in lines if key in found]
    failed = [row for row in named if folded(text(row.get("status"))) != _SUCCEEDED]
    if len(named) == len(lines) and not failed:
        return Done()
    if len(failed) == len(lines):
        first = failed[0]
        return Refused(code="failed", reason=reason_of(first.get("reasons") or first.get("reason")))
    raise UnknownResultError(f"{len(named) - len(failed)} of {len(lines)} lines are said to be begun with")


def _rows_in(answer: Answer) -> list[dict[str, Any]]:
    """Return the results of lines, wherever they stand: n11 does not publish the form of this answer."""
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
    candidates = [body, *body.values()] if isinstance(body, dict) else [body]
    lists = [each for each in candidates if isinstance(each, list)]
    return [row for rows in lists for row in rows if isinstance(row, dict)]
