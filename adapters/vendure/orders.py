"""Orders of a Vendure shop, and what is said about them. Run against a real 3.7 server.

Vendure's time of an order moves when it is placed, changed or cancelled, and stays where it is when parcels are made,
shipped, delivered or cancelled (seen). So the walk finds new orders and cancels, and open orders are read again for
their parcels. A cancel takes pieces off a line whether they have left or not: those that have come back to the shop.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from adapters.contract import confirmation, http
from adapters.contract.adapter import Capabilities
from adapters.contract.commands import part_of_named
from adapters.contract.errors import SpoiledError, UnreadableOrderError
from adapters.contract.http import Exchange
from adapters.contract.orders import (
    Command,
    CommandOutcome,
    Confirmation,
    Done,
    Intake,
    LineQuantities,
    Order,
    Pulled,
    Refuse,
    Refused,
    Ship,
    Superseded,
)
from adapters.contract.walk import Row, Walk
from adapters.vendure.graphql import VendureOptions
from adapters.vendure.order_wire import (
    CANCEL,
    FULFIL,
    ORDERS,
    SHIP,
    OrdersAnswer,
    Result,
    ResultAnswer,
    ShopOrder,
    read,
    snapshot,
)
from adapters.vendure.stock import VendureStock

PAGE: Final = 50
"""Each line and parcel is looked up by itself in the shop: more orders at once would make others wait."""
INTAKE: Final = Intake(
    pulls=True,
    pull_every_s=10.0,  # the shop sells by itself what it was not yet told: often, since nothing is heard
    history_s=365 * 86_400.0,
    commands=frozenset({"ship", "refuse"}),
    reads_open=True,
)
_CHANGED_MEANWHILE: Final = frozenset({"ITEMS_ALREADY_FULFILLED_ERROR", "QUANTITY_TOO_GREAT_ERROR"})


class Vendure(VendureStock):
    """One Vendure shop: its stock, and its orders."""

    def __init__(self, options: VendureOptions, credentials: Mapping[str, str]) -> None:
        super().__init__(options, credentials)
        self._capabilities = msgspec.structs.replace(self._capabilities, intake=INTAKE)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._capabilities

    def first_cursor(self, since_ms: int) -> str:
        """Begin with what has changed since then."""
        return Walk.first(since_ms).cursor

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the orders that changed, oldest change first. Carts and drafts are left out."""
        walk = Walk.at(cursor)
        # ``after`` leaves out its own moment, and some databases keep fractions of a millisecond.
        changed = {"active": {"eq": False}, "updatedAt": {"after": _time(walk.since_ms - 1)}}
        options = {"filter": changed, "sort": {"updatedAt": "ASC", "id": "ASC"}, "take": PAGE, "skip": walk.skip}
        answer = yield from self._orders(options)
        found, unreadable = read(answer.orders.items)
        times = {each.id: round(each.updated_at.timestamp() * 1000) for each in found}
        rows = [Row(key, times.get(key)) for key in (str(each.get("id")) for each in answer.orders.items)]
        step = walk.after(rows, is_full=len(rows) == PAGE, now_s=now_s)
        return step.pulled((self._snapshot(each, answer) for each in found if each.is_placed), unreadable)

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002
        """Read one order by its code."""
        answer = yield from self._orders({"filter": {"code": {"eq": key}}, "take": PAGE})
        found = _one(key, answer)
        return self._snapshot(found, answer) if found is not None else None

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:  # noqa: ARG002
        """Ship, or cancel pieces; money is never paid back from here.

        The order is read again first: a parcel that stands ready with the same pieces is the one that is shipped.
        """
        answer = yield from self._orders({"filter": {"code": {"eq": command.order}}, "take": PAGE})
        found = _one(command.order, answer)
        if found is None:
            return Refused(code="unknown_order", reason=f'Vendure has no order "{command.order}"')
        try:
            if isinstance(command, Ship):
                return (yield from self._ship(command, self._snapshot(found, answer)))
            if isinstance(command, Refuse):
                return (yield from self._cancel(command, found.id))
        except SpoiledError as error:
            return Refused(code=error.code, reason=error.reason)
        raise TypeError(f"Vendure does not understand {type(command).__name__}")

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Look for a parcel, or a cancel, of the same pieces."""
        if isinstance(command, Ship):
            return confirmation.shipment(command, order)
        if isinstance(command, Refuse):
            return confirmation.refusal(command, order)
        raise TypeError(f"Vendure does not understand {type(command).__name__}")

    # -- what is asked

    def _orders(self, options: dict[str, Any]) -> Exchange[OrdersAnswer]:
        return (yield from self._session.ask("orders", ORDERS, {"options": options}, OrdersAnswer, http.ORDERS))

    def _ship(self, command: Ship, order: Order) -> Exchange[CommandOutcome]:
        refused = part_of_named(command, order.packages)
        if refused is not None:
            return refused
        parcel = command.package or confirmation.half_done(command, order)
        if not parcel:
            arguments = {"method": command.carrier, "trackingCode": command.tracking}
            handler = {
                "code": self._options.fulfillment_handler,
                "arguments": [{"name": name, "value": value} for name, value in arguments.items()],
            }
            made = yield from self._say("fulfil", FULFIL, {"lines": _lines(command.lines), "handler": handler})
            if made.error_code:
                return _refused(made)
            parcel = made.id
        answer = yield from self._session.ask("ship", SHIP, {"id": parcel}, ResultAnswer, http.COMMANDS)
        return _refused(answer.result) if answer.result.error_code else Done(remote_id=parcel)

    def _cancel(self, command: Refuse, order_id: str) -> Exchange[CommandOutcome]:
        reason = command.reason.replace("_", " ")
        wanted = {"orderId": order_id, "lines": _lines(command.lines), "reason": reason, "cancelShipping": False}
        result = yield from self._say("cancel", CANCEL, wanted)
        return _refused(result) if result.error_code else Done(remote_id=order_id)

    def _say(self, name: str, query: str, wanted: dict[str, Any]) -> Exchange[Result]:
        answer = yield from self._session.ask(name, query, {"input": wanted}, ResultAnswer, http.COMMANDS)
        return answer.result

    def _snapshot(self, order: ShopOrder, answer: OrdersAnswer) -> Order:
        return snapshot(order, answer.decimals, self._options.key_is, self._options.shipped_is)


def _one(code: str, answer: OrdersAnswer) -> ShopOrder | None:
    """Return the placed order of this code; some databases find a code in any case.

    Raises
    ------
    UnreadableOrderError
        It is of another form.

    """
    found, unreadable = read(each for each in answer.orders.items if each.get("code") == code)
    if unreadable:
        raise UnreadableOrderError(f"an order of another form: {unreadable[0].reason}")
    return next((each for each in found if each.is_placed), None)


def _refused(result: Result) -> CommandOutcome:
    if result.error_code in _CHANGED_MEANWHILE:
        return Superseded(reason=result.reason)
    return Refused(code=result.error_code, reason=result.reason)


def _lines(lines: LineQuantities) -> list[dict[str, Any]]:
    return [{"orderLineId": key, "quantity": pieces} for key, pieces in lines]


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
