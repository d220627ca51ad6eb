"""Orders of Acme: read by the time of their last change, heard by its webhooks, shipped and refused."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import quote, urlencode

import msgspec

from adapters.contract import confirmation
from adapters.contract.adapter import Capabilities
from adapters.contract.commands import one_after_another
from adapters.contract.errors import UnreadableOrderError
from adapters.contract.http import COMMANDS, ORDERS, Answer, Exchange, Request, excerpt, read_private
from adapters.contract.orders import (
    Address,
    Buyer,
    Command,
    CommandOutcome,
    Confirmation,
    Delivery,
    ForgedError,
    Heard,
    Intake,
    Order,
    OrderLine,
    OrderState,
    Package,
    Pulled,
    Refuse,
    Refused,
    Ship,
    Unreadable,
    UnreadableError,
)
from adapters.contract.walk import Row, Walk
from holdfast_acme.stock import AcmeOptions, AcmeStock

PAGE: Final = 50
SIGNATURE: Final = "x-acme-signature"
NOT_FOUND: Final = 404
_STATES: Final[dict[str, OrderState]] = {
    "unpaid": "unpaid",
    "open": "open",
    "cancelled": "cancelled",
    "done": "closed",
}


class _Line(msgspec.Struct, frozen=True):
    id: str
    article: str
    ordered: int
    cancelled: int = 0
    shipped: int = 0


class _Parcel(msgspec.Struct, frozen=True):
    id: str
    lines: dict[str, int]
    tracking: str = ""


class _Buyer(msgspec.Struct, frozen=True):
    name: str
    street: str = ""
    phone: str = ""


class _Order(msgspec.Struct, frozen=True):
    number: str
    placed: int
    changed: int
    state: Literal["unpaid", "open", "cancelled", "done"]
    lines: list[_Line]
    parcels: list[_Parcel] = []
    buyer: _Buyer | None = None


class _Page(msgspec.Struct, frozen=True):
    """Each order is read by itself: one of another form must not hide the others."""

    orders: list[msgspec.Raw]


class _Numbered(msgspec.Struct, frozen=True):
    number: str = ""


class Acme(AcmeStock):
    """One account at Acme: its stock, and its orders."""

    def __init__(self, options: AcmeOptions, credentials: Mapping[str, str]) -> None:
        super().__init__(options, credentials)
        self._secret = credentials.get("webhook_secret", "").encode()
        intake = Intake(
            pull_every_s=10.0,
            hears=bool(self._secret),
            authentic_by="hmac" if self._secret else "none",
            history_s=90 * 86_400.0,
            commands=frozenset({"ship", "refuse"}),
            reads_open=False,
        )
        self._capabilities = msgspec.structs.replace(self._capabilities, intake=intake)

    @property
    def capabilities(self) -> Capabilities:
        """What Acme documents."""
        return self._capabilities

    # -- reading

    def first_cursor(self, since_ms: int) -> str:
        """Begin with what has changed since then."""
        return Walk.first(since_ms).cursor

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the orders that changed, the oldest change first."""
        walk = Walk.at(cursor)
        query = urlencode({"since": walk.since_ms, "skip": walk.skip, "limit": PAGE})
        answer = yield Request("GET", f"{self._root}/orders?{query}", self._headers, group=ORDERS)
        rows = read_private(_Page, answer).orders
        orders, unreadable = list[Order](), list[Unreadable]()
        for row in rows:
            try:
                orders.append(_snapshot(msgspec.json.decode(row, type=_Order)))
            except msgspec.ValidationError as error:
                unreadable.append(Unreadable(key=_number_of(row), reason=str(error)))
        times = {order.key: order.changed_ms for order in orders}
        met = [Row(number, times.get(number)) for number in map(_number_of, rows)]
        return walk.after(met, is_full=len(rows) == PAGE, now_s=now_s).pulled(orders, unreadable)

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002  # nothing is signed
        """Read one order by its number."""
        answer = yield Request("GET", self._order_url(key), self._headers, group=ORDERS)
        if answer.status == NOT_FOUND:
            return None
        try:
            return _snapshot(msgspec.json.decode(read_private(msgspec.Raw, answer), type=_Order))
        except msgspec.ValidationError as error:
            raise UnreadableOrderError(f"an order of another form: {error}") from None

    # -- hearing

    def hear(self, delivery: Delivery, now_s: float) -> Heard:  # noqa: ARG002  # its time is not signed
        """Believe a delivery by its signature; it holds the order as it stands."""
        wanted = hmac.new(self._secret, delivery.body, sha256).hexdigest().encode()
        given = delivery.headers.get(SIGNATURE, "").encode()
        if not self._secret or not hmac.compare_digest(wanted, given):
            raise ForgedError("the signature is not right")
        try:
            return Heard(orders=(_snapshot(msgspec.json.decode(delivery.body, type=_Order)),))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnreadableError(f"not an order: {error}") from None

    # -- what is said

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:  # noqa: ARG002
        """Ship pieces as a parcel, or cancel them."""
        if isinstance(command, Ship):
            body = {"lines": dict(command.lines), "carrier": command.carrier, "tracking": command.tracking}
            return (yield from self._said(order.key, "parcels", body))
        if isinstance(command, Refuse):
            return (yield from self._said(order.key, "cancels", {"lines": dict(command.lines)}))
        raise TypeError(f"Acme does not understand {type(command).__name__}")

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Look for the parcel, or for the pieces that are cancelled."""
        if isinstance(command, Ship):
            return confirmation.shipment(command, order)
        if isinstance(command, Refuse):
            return confirmation.refusal(command, order)
        raise TypeError(f"Acme does not understand {type(command).__name__}")

    def _said(self, number: str, what: str, body: object) -> Exchange[CommandOutcome]:
        url = f"{self._order_url(number)}/{what}"
        request = Request("POST", url, self._headers, msgspec.json.encode(body), COMMANDS)
        return (yield from one_after_another([request], _refused))

    def _order_url(self, number: str) -> str:
        return f"{self._root}/orders/{quote(number, safe='')}"


def _refused(answer: Answer) -> Refused | None:
    ok = answer.status < 300  # noqa: PLR2004  # the classes of HTTP
    return None if ok else Refused(code=f"http_{answer.status}", reason=excerpt(answer.body))


def _number_of(row: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(row, type=_Numbered).number
    except msgspec.ValidationError:
        return ""


def _snapshot(row: _Order) -> Order:
    return Order(
        key=row.number,
        changed_ms=row.changed,
        placed_ms=row.placed,
        complete=True,
        state=_STATES[row.state],
        status=row.state,
        lines=tuple(
            OrderLine(
                key=line.id, listing=line.article, ordered=line.ordered, cancelled=line.cancelled, shipped=line.shipped
            )
            for line in row.lines
        ),
        packages=tuple(
            Package(key=each.id, state="shipped", lines=tuple(each.lines.items()), tracking=each.tracking)
            for each in row.parcels
        ),
        buyer=_buyer(row.buyer) if row.buyer is not None else None,
    )


def _buyer(told: _Buyer) -> Buyer:
    return Buyer(name=told.name, phone=told.phone, shipping=Address(name=told.name, lines=(told.street,)))
