"""Takes in the orders and claims of a Trendyol account: the stream of changed packages, single orders, notifications.

Contract: the official description of the order service, and a third party's of tracking and labels. Nothing of it was
run against a real account. A package that came with its order and was neither split nor cancelled says by itself how
its lines stand. Of any other the whole order is read.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from adapters.contract.adapter import Adapter
from adapters.contract.errors import CursorRefusedError, UnavailableError, UnreadableOrderError
from adapters.contract.http import ORDERS, Answer, Exchange, Request, excerpt, read_private
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
from adapters.trendyol.account import STREAM, Options, headers, host_of
from adapters.trendyol.claims import cases_of
from adapters.trendyol.commands import Commands, command_names, confirmed
from adapters.trendyol.packages import PackageRow, rows_of
from adapters.trendyol.snapshots import by_order, part_of, whole_of
from adapters.trendyol.walks import HISTORY_MS, ZONE_MS, Walk, opened, went_on, written

PAGE: Final = 200
"""Packages of one page of the stream: documented by the channel."""
CLAIMS_PAGE: Final = 50
"""Claims of one page; the channel's maximum is not documented."""
CLAIMS_BACK_MS: Final = 60 * 86_400_000
"""Claims are asked for by when they were made, and change for weeks."""
UNPAID_S: Final = 24 * 3_600.0
"""How long the check of a payment may take; its end is told as another status."""
PACKAGES_OF_ORDER_MAX: Final = 200
"""Of one order; more are not read."""
_BAD_REQUEST: Final = 400


class _Stream(msgspec.Struct, rename="camel"):
    content: list[msgspec.Raw]
    has_more: bool = False
    next_cursor: str | None = None


class _Page(msgspec.Struct, rename="camel"):
    content: list[msgspec.Raw]
    total_pages: int | None = None
    page: int | None = None


_decode_page: Final = msgspec.json.Decoder(_Page).decode


class TrendyolOrders(Adapter):
    """The orders of one seller's account."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        root = f"{host_of(options)}/integration/order/sellers/{options.seller_id}"
        self._options = options
        self._headers = headers(options, credentials["api_key"], credentials["api_secret"])
        self._stream_url = f"{root}/orders/stream"
        self._order_url = f"{root}/v2/orders"
        self._claims_url = f"{root}/claims"
        self._secrets = _secrets(credentials)
        self._commands = Commands(
            host_of(options), options.seller_id, self._headers, options.carrier, options.claim_issue_reason_id
        )

    def intake(self) -> Intake:
        """Return how its orders come in; notifications are heard where they have a secret."""
        return Intake(
            pull_floor_s=5.0,
            hears=bool(self._secrets),
            authentic_by="api_key" if "x-api-key" in self._secrets else "basic" if self._secrets else "none",
            returns=True,
            history_s=HISTORY_MS / 1000,
            unpaid_s=UNPAID_S,
            commands=command_names(self._options.carrier),
        )

    # -- pulling

    def first_cursor(self, since_ms: int) -> str:
        """Return the cursor of a walk over what changed since a time."""
        return written(Walk(since=since_ms))

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the next page of changed packages, the newest first."""
        walk = opened(cursor, int(now_s * 1000))
        answer = yield Request("GET", f"{self._stream_url}?{urlencode(_filter(walk))}", self._headers, group=STREAM)
        if answer.status == _BAD_REQUEST and walk.next:
            raise CursorRefusedError(f"HTTP 400: {excerpt(answer.body)}")
        page = read_private(_Stream, answer)
        if page.has_more and page.next_cursor in (None, "", walk.next):
            raise UnavailableError("there is more, and no cursor that leads on")
        rows, unreadable = rows_of(page.content)
        changed = [row.last_modified_date for row in rows]
        after, more = went_on(walk, changed, page.next_cursor or "" if page.has_more else "")
        orders, hints = _parted(rows)
        hints += tuple(each.key for each in unreadable if each.key and each.key not in hints)
        return Pulled(cursor=after, orders=orders, hints=hints, unreadable=tuple(unreadable), more=more)

    def pull_returns(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the next page of claims, the one that changed last first."""
        now_ms = int(now_s * 1000)
        walk = opened(cursor, now_ms)
        if not walk.next:
            walk = msgspec.structs.replace(walk, start=now_ms - CLAIMS_BACK_MS, end=now_ms + ZONE_MS)
        number = int(walk.next or "0")
        query = {"startDate": walk.start, "endDate": walk.end, "page": number, "size": CLAIMS_PAGE}
        answer = yield Request("GET", f"{self._claims_url}?{urlencode(query)}", self._headers, group=ORDERS)
        page = read_private(_Page, answer)
        cases, unreadable = cases_of(page.content)
        has_more = bool(page.content) and number + 1 < (page.total_pages or 0)
        after, more = went_on(walk, [case.changed_ms for case in cases], str(number + 1) if has_more else "")
        return Pulled(cursor=after, returns=tuple(cases), unreadable=tuple(unreadable), more=more)

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002  # unsigned
        """Read all packages of an order."""
        query = urlencode({"orderNumber": key, "page": 0, "size": PACKAGES_OF_ORDER_MAX})
        answer = yield Request("GET", f"{self._order_url}?{query}", self._headers, group=ORDERS)
        page = read_private(_Page, answer)
        rows, unreadable = rows_of(page.content)
        if unreadable:
            raise UnreadableOrderError(f"a package of the order is of another form: {unreadable[0].reason}")
        if (page.total_pages or 0) > 1:
            raise UnreadableOrderError(f"the order has more than {PACKAGES_OF_ORDER_MAX} packages")
        found = by_order(rows).get(key)
        return whole_of(found) if found else None

    # -- hearing

    def hear(self, delivery: Delivery, now_s: float) -> Heard:  # noqa: ARG002  # nothing is signed with a time
        """Say what a notification means: it carries one package, as the list of orders has it."""
        self._check(delivery)
        if delivery.method != "POST":
            raise UnreadableError(f"{delivery.method} is no notification; POST is")
        try:
            page = _decode_page(delivery.body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UnreadableError(f"not a page of packages: {error}") from None
        rows, unreadable = rows_of(page.content)
        if unreadable or not rows:
            raise UnreadableError(unreadable[0].reason if unreadable else "a page without a package")
        orders, hints = _parted(rows)
        newest = rows[0]
        return Heard(
            orders=orders,
            hints=hints,
            id=f"{newest.key}:{newest.status}:{newest.last_modified_date}",
            answer=Answer(200),
        )

    def _check(self, delivery: Delivery) -> None:
        """Compare each header that was agreed on, all of them in constant time. Raises ForgedError."""
        given = [(delivery.headers.get(name, "").encode(), wanted) for name, wanted in self._secrets.items()]
        same = [hmac.compare_digest(value, wanted) for value, wanted in given]
        if not same or not all(same):
            raise ForgedError("the notification does not carry the agreed secret")

    # -- commands

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:  # noqa: ARG002
        """Say something to Trendyol about an order."""
        return self._commands.carry_out(command, order)

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Say by an order that was read after a lost answer whether a command was carried out."""
        return confirmed(command, order, self._options.carrier)


def _filter(walk: Walk) -> dict[str, str | int]:
    always: dict[str, str | int] = {
        "lastModifiedStartDate": walk.start,
        "lastModifiedEndDate": walk.end,
        "size": PAGE,
    }
    return {**always, "nextCursor": walk.next} if walk.next else always


def _parted(rows: Sequence[PackageRow]) -> tuple[tuple[Order, ...], tuple[str, ...]]:
    """Return the orders that some packages tell enough of, and the numbers of those that are to be read whole."""
    parts = {number: part_of(packages) for number, packages in by_order(rows).items()}
    orders = tuple(part for part in parts.values() if part is not None)
    return orders, tuple(number for number, part in parts.items() if part is None)


def _secrets(credentials: Mapping[str, str]) -> dict[str, bytes]:
    """Return which header of a notification must have which value.

    Raises
    ------
    ValueError
        A user without a password, or a password without a user.

    """
    user, password = (credentials.get(f"notification_{name}", "") for name in ("user", "password"))
    if bool(user) != bool(password):
        raise ValueError("notification_user and notification_password belong together; give both, or neither")
    basic = {"authorization": b"Basic " + b64encode(f"{user}:{password}".encode())} if user else {}
    api_key = credentials.get("notification_api_key", "")
    return {**basic, "x-api-key": api_key.encode()} if api_key else basic
