"""Takes in the orders of a Shopify shop: the list of changes, single orders with their parts, and its webhooks.

Contract: the channel's published schema. Nothing of orders was run against a real shop. The list of changes says which
orders are to be read; an order is read in several questions, and counts where it did not change between them.
"""

import hmac
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from adapters.contract.adapter import Adapter
from adapters.contract.errors import CursorRefusedError, SpoiledError, UnavailableError, UnreadableOrderError
from adapters.contract.fields import in_ms
from adapters.contract.http import Exchange
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
from adapters.shopify import order_documents as documents
from adapters.shopify.account import Options
from adapters.shopify.graphql import Session, gid, part
from adapters.shopify.order_commands import NAMES, carry_out, confirmed
from adapters.shopify.order_documents import PAGE, Connection, LineRow, ListedOrder, OrderRow, PartsRow
from adapters.shopify.order_snapshots import Parts, number_of, order_of

R = TypeVar("R")

LATE_MS: Final = 600_000
"""How much of what is known is looked at again: the list is made from an index that comes somewhat later."""
SEEN_MAX: Final = 200
"""Orders that a cursor keeps with their times, so that none is read again that has not changed."""
HISTORY_S: Final = 60 * 86_400.0
"""Older orders are shown to an app with a scope of its own only."""
ANSWER_S: Final = 5.0
ROUNDS_MAX: Final = 3
"""So often an order is read that changes meanwhile."""

_decode_body: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Walk(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the list of changes is: ``after`` names the next page. ``seen``: orders that were met, and their times."""

    since: int
    newest: int = 0
    after: str = ""
    seen: dict[str, int] = {}


_decode_walk: Final = msgspec.json.Decoder(Walk).decode


class ShopifyOrders(Adapter):
    """The orders of one shop."""

    def __init__(self, options: Options, access_token: str, webhook_secret: str) -> None:
        self._options = options
        self._session = Session(options, access_token)
        self._secret = webhook_secret.encode()

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
        return _written(Walk(since_ms))

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the next page of changes, the oldest first: which orders are to be read."""
        try:
            walk = _decode_walk(cursor)
        except msgspec.MsgspecError:
            raise CursorRefusedError("this is no cursor of a list of changes") from None
        try:
            answer = yield from self._session.look(documents.ORDERS, _filter(walk), documents.LIST_POINTS)
        except SpoiledError as error:
            raise CursorRefusedError(error.reason) from None
        page = part(answer, "data.orders", Connection[ListedOrder])
        met, unreadable = _met(page.nodes)
        new = [key for key, at_ms in met.items() if walk.seen.get(key) != at_ms]
        after, more = _went_on(walk, met, page, now_s)
        hints = [*new, *(each.key for each in unreadable)]
        return Pulled(cursor=after, hints=tuple(hints), unreadable=tuple(unreadable), more=more)

    # -- one order

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002  # unsigned
        """Read one order, again where it changes while it is read."""
        if not (key.isascii() and key.isdecimal()):
            return None
        try:
            for _ in range(ROUNDS_MAX):
                found = yield from self._whole(gid("Order", key))
                if found is None or isinstance(found, Order):
                    return found
        except SpoiledError:
            return None  # the shop does not know the id
        except ValueError as error:
            raise UnreadableOrderError(f"an order of another form: {error}") from None
        raise UnavailableError("the order keeps changing while it is read")

    def _whole(self, name: str) -> Exchange[Order | bool | None]:
        """Read an order and its parts; None: there is none, False: it has changed meanwhile."""
        lines, after, row = list[LineRow](), "", None
        while True:
            variables = {
                "id": name, "after": after or None, "first": documents.LINES, "buyer": self._options.reads_buyers
            }  # fmt: skip
            answer = yield from self._session.look(documents.ORDER, variables, documents.ORDER_POINTS)
            page = _read(answer, "data.order", OrderRow | None)
            if page is None:
                return None
            if row is not None and row.updated_at != page.updated_at:
                return False
            row = page
            lines += page.line_items.nodes
            after = page.line_items.page_info.end_cursor or ""
            if not (page.line_items.page_info.has_next_page and after):
                break
        stood_at, parts = yield from self._parts(name)
        return order_of(row, lines, parts, self._options) if stood_at == row.updated_at else False

    def _parts(self, name: str) -> Exchange[tuple[str, Parts]]:
        """Read the parcels, refunds and fulfilment orders of an order, and how new they are."""
        answer = yield from self._session.look(documents.PARTS, {"id": name}, documents.PARTS_POINTS)
        found = _read(answer, "data.order", PartsRow)
        tasks = found.fulfillment_orders.nodes
        if max(len(found.fulfillments), len(found.refunds), len(tasks)) >= documents.PARTS_MAX:
            raise UnreadableOrderError(f"the order has {documents.PARTS_MAX} parcels, refunds or tasks, or more")
        parts = Parts([], [], [])
        for parcel in found.fulfillments:
            rest = self._rest(parcel.id, "fulfillmentLineItems", parcel.fulfillment_line_items)
            parts.parcels.append((parcel, (yield from rest)))
        for refund in found.refunds:
            rows = yield from self._rest(refund.id, "refundLineItems", refund.refund_line_items)
            parts.refunded.extend(rows)
        for task in tasks:
            parts.tasks.append((task, (yield from self._rest(task.id, "lineItems", task.line_items))))
        return found.updated_at, parts

    def _rest(self, name: str, field: str, first: Connection[R]) -> Exchange[list[R]]:
        """Return all rows of a list within a list, of which the first are known."""
        rows, page = list(first.nodes), first
        while page.page_info.has_next_page and page.page_info.end_cursor:
            variables = {"id": name, "after": page.page_info.end_cursor}
            answer = yield from self._session.look(documents.REST, variables, documents.ORDER_POINTS)
            page = _read(answer, f"data.node.{field}", _FORMS[field])
            rows += page.nodes
        return rows

    # -- hearing

    def hear(self, delivery: Delivery, now_s: float) -> Heard:  # noqa: ARG002  # nothing is signed with a time
        """Say which order a webhook is about: it is read whole."""
        self._check(delivery)
        topic, number = (delivery.headers.get(f"x-shopify-{name}", "") for name in ("topic", "webhook-id"))
        try:
            body = _decode_body(delivery.body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UnreadableError(f"not an object: {error}") from None
        order = body.get("id") if topic.startswith("orders/") else body.get("order_id")
        if isinstance(order, int) and not isinstance(order, bool):
            return Heard(hints=(str(order),), id=number)
        if topic.startswith("orders/"):
            raise UnreadableError("an order without its id")
        return Heard(id=number)  # of something that names no order; the list of changes has it

    def _check(self, delivery: Delivery) -> None:
        wanted = b64encode(hmac.digest(self._secret, delivery.body, "sha256"))
        given = delivery.headers.get("x-shopify-hmac-sha256", "").encode()
        if not self._secret or not hmac.compare_digest(given, wanted):
            raise ForgedError("the webhook's signature is not the one of its secret")
        if delivery.headers.get("x-shopify-shop-domain", self._options.shop) != self._options.shop:
            raise ForgedError("the webhook is of another shop")

    # -- commands

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:  # noqa: ARG002
        """Say something to the shop about an order."""
        return carry_out(self._session, self._options, command, order, self._parts)

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Say by an order that was read after a lost answer whether a command was carried out."""
        return confirmed(command, order)


_FORMS: Final[dict[str, Any]] = {
    "fulfillmentLineItems": Connection[documents.ParcelLine],
    "refundLineItems": Connection[documents.RefundLine],
    "lineItems": Connection[documents.TaskLine],
}


def _read(answer: Any, path: str, form: Any) -> Any:
    """Return a part of an answer about one order.

    Raises
    ------
    UnreadableOrderError
        It is of another form.

    """
    try:
        return part(answer, path, form)
    except UnavailableError as error:
        raise UnreadableOrderError(error.reason) from None


# -- the list of changes


def _filter(walk: Walk) -> dict[str, Any]:
    since = datetime.fromtimestamp(walk.since // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"query": f"updated_at:>='{since}'", "after": walk.after or None, "first": PAGE}


def _met(rows: list[ListedOrder]) -> tuple[dict[str, int], list[Unreadable]]:
    met, unreadable = dict[str, int](), list[Unreadable]()
    for row in rows:
        try:
            met[number_of(row.id)] = in_ms(row.updated_at)
        except (TypeError, ValueError):
            unreadable.append(Unreadable(key=number_of(row.id), reason="its updatedAt is no time"))
    return met, unreadable


def _went_on(walk: Walk, met: dict[str, int], page: Connection[ListedOrder], now_s: float) -> tuple[str, bool]:
    newest = max((walk.newest, *met.values()))
    seen = {**walk.seen, **met}
    kept = dict(sorted(seen.items(), key=lambda each: -each[1])[:SEEN_MAX])
    after = page.page_info.end_cursor or ""
    if page.page_info.has_next_page and after and after != walk.after:
        return _written(Walk(walk.since, newest, after, kept)), True
    since = max(walk.since, min(newest, int(now_s * 1000)) - LATE_MS)
    return _written(Walk(since, seen={key: at_ms for key, at_ms in kept.items() if at_ms >= since})), False


def _written(walk: Walk) -> str:
    return msgspec.json.encode(walk).decode()
