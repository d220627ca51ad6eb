"""Takes in the orders of a WooCommerce shop: those that changed, single ones with their refunds, and its webhooks.

Contract: REST API v3, as a real WooCommerce 11.0.1 was seen to answer. A list is asked for in the order of changes and
goes on after the last one that was read, so that no order is missed when the list moves meanwhile. The date of a change
is exact to the second, so the last second is always read again.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

import msgspec

from adapters.contract.adapter import Adapter
from adapters.contract.errors import UnreadableOrderError
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
from adapters.contract.walk import Row, Walk
from adapters.woocommerce.order_commands import NAMES, carry_out, confirmed
from adapters.woocommerce.order_rows import OrderRow, RefundRow, id_of, refunded_by_line, row_of, rows_of
from adapters.woocommerce.order_snapshots import order_of
from adapters.woocommerce.shop import NOT_FOUND, Options, Shop, whole

PAGE: Final = 50
LATE_MS: Final = 600_000
"""How much of what is known is read again, for changes that come into view late."""
REFUNDS_MAX: Final = 100
"""Of one order: a page of them; more are not read."""
HISTORY_S: Final = 3_650 * 86_400.0
"""A shop forgets nothing by itself."""
ANSWER_S: Final = 5.0
_SECOND_MS: Final = 1_000
_TOPICS: Final = frozenset({"order.created", "order.updated", "order.restored"})
_DELETED: Final = "order.deleted"


class _Deleted(msgspec.Struct):
    id: int


_decode_refund: Final = msgspec.json.Decoder(RefundRow).decode
_decode_deleted: Final = msgspec.json.Decoder(_Deleted).decode


class WooCommerceOrders(Adapter):
    """The orders of one shop."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._shop = Shop(options, credentials["consumer_key"], credentials["consumer_secret"])
        self._secret = credentials.get("webhook_secret", "").encode()

    def intake(self) -> Intake:
        """Return how its orders come in; webhooks are heard where their secret is known."""
        return Intake(
            hears=bool(self._secret),
            authentic_by="hmac" if self._secret else "none",
            answer_within_s=ANSWER_S,
            history_s=HISTORY_S,
            commands=NAMES,
        )

    # -- pulling

    def first_cursor(self, since_ms: int) -> str:
        """Return the cursor of a walk over what changed since a time."""
        return Walk.first(since_ms // _SECOND_MS * _SECOND_MS).cursor

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the next page of orders that changed, the oldest change first."""
        walk = Walk.at(cursor)
        answer = yield from self._shop.get(f"/orders?{urlencode(_filter(walk))}", ORDERS)
        raw = read_private(list[msgspec.Raw], answer)
        rows, unreadable = rows_of(raw)
        step = walk.after(_dated(raw), is_full=len(raw) >= PAGE, now_s=now_s, overlap_ms=LATE_MS)
        whole_rows = [row for row in rows if not row.has_refunds]
        return step.pulled(self._orders(whole_rows), unreadable, (str(row.id) for row in rows if row.has_refunds))

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002  # unsigned
        """Read one order, and its refunds where it has some."""
        if not (key.isascii() and key.isdigit()):
            return None
        answer = yield from self._shop.get(f"/orders/{key}", ORDERS)
        if answer.status == NOT_FOUND:
            return None
        row = self._read(read_private(msgspec.Raw, answer))
        refunds: list[RefundRow] = []
        if row.has_refunds:
            answer = yield from self._shop.get(f"/orders/{key}/refunds?per_page={REFUNDS_MAX}", ORDERS)
            refunds = [self._refund(each) for each in read_private(list[msgspec.Raw], answer)]
        if len(refunds) >= REFUNDS_MAX:
            raise UnreadableOrderError(f"the order has {REFUNDS_MAX} refunds or more")
        return order_of(row, refunded_by_line(refunds), self._options)

    def _read(self, raw: msgspec.Raw) -> OrderRow:
        try:
            return row_of(raw)
        except ValueError as error:
            raise UnreadableOrderError(f"an order of another form: {error}") from None

    def _refund(self, raw: msgspec.Raw) -> RefundRow:
        try:
            return _decode_refund(raw)
        except msgspec.MsgspecError as error:
            raise UnreadableOrderError(f"a refund of another form: {error}") from None

    def _orders(self, rows: Sequence[OrderRow]) -> tuple[Order, ...]:
        orders = (order_of(row, {}, self._options) for row in rows)
        return tuple(order for order in orders if order is not None)

    # -- hearing

    def hear(self, delivery: Delivery, now_s: float) -> Heard:  # noqa: ARG002  # nothing is signed with a time
        """Say what a webhook means: the order as it was when it was sent, or the id of one to be read."""
        if _is_ping(delivery.body):
            return Heard(answer=Answer(200))  # it is not signed, and says nothing
        self._check(delivery)
        topic, number = (delivery.headers.get(f"x-wc-webhook-{name}", "") for name in ("topic", "delivery-id"))
        try:
            if topic == _DELETED:
                return Heard(hints=(str(_decode_deleted(delivery.body).id),), id=number)
            if topic not in _TOPICS:
                return Heard(id=number)
            row = row_of(delivery.body)
        except ValueError as error:
            raise UnreadableError(f"not an order: {error}") from None
        if row.has_refunds:
            return Heard(hints=(str(row.id),), id=number)
        return Heard(orders=self._orders([row]), id=number)

    def _check(self, delivery: Delivery) -> None:
        wanted = b64encode(hmac.digest(self._secret, delivery.body, "sha256"))
        given = delivery.headers.get("x-wc-webhook-signature", "").encode()
        if not self._secret or not hmac.compare_digest(given, wanted):
            raise ForgedError("the webhook's signature is not the one of its secret")

    # -- commands

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:  # noqa: ARG002
        """Say something to the shop about an order."""
        return carry_out(self._shop, command, order, with_note=self._options.shipment_notes)

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Say by an order that was read after a lost answer whether a command was carried out."""
        return confirmed(command, order)


# -- walks


def _filter(walk: Walk) -> dict[str, str | int]:
    # The shop answers what changed after a second; so the one before it is named.
    after = datetime.fromtimestamp(walk.since_ms // _SECOND_MS - 1, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "modified_after": after,
        "dates_are_gmt": "true",
        "orderby": "modified",
        "order": "asc",
        "per_page": PAGE,
        "offset": walk.skip,
        "status": "any",
    }


def _dated(raw: Sequence[msgspec.Raw]) -> list[Row]:
    """Return which orders a page has, and when each changed."""
    page = []
    for each in raw:
        try:
            row = row_of(each)
        except ValueError:
            page.append(Row(id_of(each), None))
        else:
            page.append(Row(str(row.id), row.changed_s * _SECOND_MS))
    return page


def _is_ping(body: bytes) -> bool:
    """Return whether a shop asks whether somebody listens, as it does when a webhook is made."""
    name, _, number = body.partition(b"=")
    return name == b"webhook_id" and whole(number.decode("ascii", "replace")) is not None
