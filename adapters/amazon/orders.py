"""Takes in the orders of an Amazon account: those that changed since a time, and single ones; says what was shipped.

Contract: the published models of August 2026. Nothing of it was run against a real account. The list of changes may be
asked for once in three minutes, and no faster than that.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from adapters.amazon.account import Options, Session, checked, fault_of
from adapters.amazon.rows import OrderRow, order_of, read_order, written
from adapters.contract import confirmation
from adapters.contract.adapter import Adapter
from adapters.contract.commands import one_after_another
from adapters.contract.errors import CursorRefusedError, ThrottledError, UnreadableOrderError
from adapters.contract.fields import in_ms
from adapters.contract.http import COMMANDS, ORDERS, Answer, Exchange, read_private
from adapters.contract.orders import (
    Command,
    CommandName,
    CommandOutcome,
    Confirmation,
    Intake,
    Order,
    Pulled,
    Refused,
    Ship,
    Superseded,
    Undecided,
)

PAGE: Final = 100
"""Orders of one page; documented by the channel."""
PULL_EVERY_S: Final = 200.0
"""The list may be asked for once in 180 s, and twenty times at once after a pause."""
HISTORY_S: Final = 30 * 86_400.0
UNPAID_S: Final = 21 * 86_400.0
"""How long an order may be pending is not known. Unverified."""
NAMES: Final[frozenset[CommandName]] = frozenset({"ship"})
PATH: Final = "/orders/2026-01-01/orders"
DATA: Final = "RECIPIENT,PROCEEDS,TAX,CANCELLATION,FULFILLMENT,PACKAGES"
OVERLAP_MS: Final = 600_000
LATE_MS: Final = 120_000
"""What changed in the last two minutes is not listed yet."""
_OK: Final = 200
_BAD_REQUEST: Final = 400
_NOT_FOUND: Final = 404
_REFUSED: Final = (400, 404, 422)


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the reading is: changes after ``since``, behind the page of ``token``.

    ``before``: where the next walk begins.
    """

    since: int
    token: str = ""
    before: int = 0

    @property
    def cursor(self) -> str:
        """Write it as text."""
        return msgspec.json.encode(self).decode()


class Pagination(msgspec.Struct, rename="camel"):
    """Whether there are further pages."""

    next_token: str | None = None


class OrderPage(msgspec.Struct, rename="camel"):
    """A page of orders."""

    orders: list[msgspec.Raw]
    pagination: Pagination | None = None
    last_updated_before: str | None = None


class OneOrder(msgspec.Struct):
    """One order."""

    order: msgspec.Raw


_decode: Final = msgspec.json.Decoder(Place).decode


class AmazonOrders(Adapter):
    """The orders of one seller's account at one marketplace."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._session = Session(options, credentials)

    def intake(self) -> Intake:
        """Return how its orders come in."""
        return Intake(
            pull_every_s=PULL_EVERY_S,
            pull_floor_s=180.0,
            history_s=HISTORY_S,
            unpaid_s=UNPAID_S,
            commands=NAMES,
        )

    # -- pulling

    def first_cursor(self, since_ms: int) -> str:
        """Return the cursor of a walk over what changed since a time."""
        return Place(since_ms).cursor

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read a page of the orders that changed."""
        try:
            place = _decode(cursor)
        except (msgspec.MsgspecError, UnicodeEncodeError):
            raise CursorRefusedError("this is no cursor of a walk over changes") from None
        now_ms = round(now_s * 1000)
        query: dict[str, Any] = {
            "lastUpdatedAfter": written(min(place.since, now_ms - LATE_MS)),
            "marketplaceIds": self._options.marketplace_id,
            "fulfilledBy": "MERCHANT",
            "maxResultsPerPage": PAGE,
            "includedData": DATA,
        }
        if place.token:
            query["paginationToken"] = place.token
        answer = yield self._session.get(PATH, query, group=ORDERS)
        _check_quota(answer)
        if place.token and answer.status in _REFUSED:
            raise CursorRefusedError(f"the page is not known any more: HTTP {answer.status}")
        page = read_private(OrderPage, answer)
        read = [read_order(raw) for raw in page.orders]
        unreadable = tuple(row for row in read if not isinstance(row, OrderRow))
        token = (page.pagination.next_token if page.pagination is not None else None) or ""
        before = place.before or self._before(page, now_ms)
        further = Place(place.since, token, before) if token else Place(max(place.since, before - OVERLAP_MS))
        return Pulled(
            cursor=further.cursor,
            orders=tuple(order_of(row) for row in read if isinstance(row, OrderRow)),
            hints=tuple(each.key for each in unreadable if each.key),
            unreadable=unreadable,
            more=bool(token),
        )

    def _before(self, page: OrderPage, now_ms: int) -> int:
        try:
            told_ms = in_ms(page.last_updated_before or "")
        except ValueError:
            told_ms = now_ms
        return min(told_ms, now_ms - LATE_MS)

    # -- one order

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002  # nothing is signed
        """Read one order."""
        if not key or not key.isascii() or not key.replace("-", "").isalnum():
            return None
        answer = yield self._session.get(f"{PATH}/{quote(key, safe='')}", {"includedData": DATA}, group=ORDERS)
        if answer.status == _NOT_FOUND:
            return None
        _check_quota(answer)
        row = read_order(read_private(OneOrder, answer).order)
        if not isinstance(row, OrderRow):
            raise UnreadableOrderError(f"an order of another form: {row.reason}")
        return order_of(row)

    # -- commands

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:
        """Say to Amazon what was shipped."""
        if not isinstance(command, Ship):
            raise TypeError(f"no command of this channel: {type(command).__name__}")
        if order.fulfilled_by == "channel":
            return Refused(code="fba", reason="Amazon ships this order itself")
        left = {line.key: line.ordered - line.cancelled - line.shipped for line in order.lines}
        if order.state != "open" or any(left.get(key, 0) < pieces for key, pieces in command.lines):
            return Superseded(reason="the order has not so many pieces to ship any more")
        if not command.tracking:
            return Refused(code="tracking", reason="Amazon takes a parcel with its number")
        known = self._options.carriers.get(command.carrier)
        carrier = (
            {"carrierCode": known} if known else {"carrierCode": "Other", "carrierName": command.carrier or "Other"}
        )
        detail = {
            "packageReferenceId": _reference(order),
            **carrier,
            "trackingNumber": command.tracking,
            "shipDate": written(command.shipped_ms or int(now_s * 1000)),
            "orderItems": [{"orderItemId": key, "quantity": pieces} for key, pieces in command.lines],
        }
        body = {"marketplaceId": self._options.marketplace_id, "packageDetail": detail}
        path = f"/orders/v0/orders/{quote(order.key, safe='')}/shipmentConfirmation"
        request = self._session.send("POST", path, body, group=COMMANDS)
        return (yield from one_after_another([request], _judged))

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Say by an order that was read after a lost answer whether a command was carried out."""
        if isinstance(command, Ship):
            return confirmation.shipment(command, order)
        return Undecided(reason="the order does not tell")


def _reference(order: Order) -> str:
    """Number a parcel: the same when it is said again, since nothing of it has left by then."""
    return str(1 + len(order.packages))


def _judged(answer: Answer) -> Refused | None:
    if answer.status < _BAD_REQUEST:
        return None
    checked(answer)
    code, words = fault_of(answer)
    return Refused(code=code, reason=words)


def _check_quota(answer: Answer) -> None:
    if answer.status != _OK and b"QuotaExceeded" in answer.body:
        raise ThrottledError(f"HTTP {answer.status}: QuotaExceeded")
