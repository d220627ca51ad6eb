"""Orders and returns of a Medusa shop, and what is said about them. Run against a real 2.21 server.

Medusa's time of an order moves with whatever happens to it, also parcels and returns (seen), so the walk finds all.
Medusa cancels whole orders only, and none of which a parcel was made. An edit lowers a line's quantity and says nothing
of what it was; a line that was edited away is gone from the order.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from adapters.contract import confirmation, http
from adapters.contract.adapter import Capabilities
from adapters.contract.commands import part_of_named
from adapters.contract.errors import UnknownResultError, UnreadableOrderError
from adapters.contract.http import Exchange
from adapters.contract.orders import (
    Command,
    CommandOutcome,
    Confirmation,
    Done,
    Intake,
    LineQuantities,
    NotDone,
    Order,
    Pulled,
    Refuse,
    Refused,
    Ship,
    Superseded,
)
from adapters.contract.walk import Row, Walk
from adapters.medusa.order_rows import (
    ORDER_FIELDS,
    RETURN_FIELDS,
    Found,
    OrdersPage,
    Parcel,
    ReturnsPage,
    in_ms,
    number_of,
    read,
    read_returns,
)
from adapters.medusa.order_snapshots import return_case, snapshot
from adapters.medusa.shop import MedusaOptions, Refusal, part
from adapters.medusa.stock import MedusaStock

PAGE: Final = 50
INTAKE: Final = Intake(
    pulls=True,
    pull_every_s=10.0,  # the shop sells by itself what it was not yet told: often, since nothing is heard
    returns=True,
    history_s=365 * 86_400.0,
    commands=frozenset({"ship", "refuse"}),
    reads_open=False,
)
_DRAFT: Final = "draft"


class _Said(msgspec.Struct, frozen=True):
    """What a command answers: the parcels of the order, where they were asked for."""

    order: "_Parcels"


class _Parcels(msgspec.Struct, frozen=True):
    fulfillments: list[Parcel] = []


class Medusa(MedusaStock):
    """One Medusa shop: its stock, and its orders."""

    def __init__(self, options: MedusaOptions, credentials: Mapping[str, str]) -> None:
        super().__init__(options, credentials)
        self._capabilities = msgspec.structs.replace(self._capabilities, intake=INTAKE)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._capabilities

    # -- reading

    def first_cursor(self, since_ms: int) -> str:
        """Begin with what has changed since then."""
        return Walk.first(since_ms).cursor

    def pull_orders(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the orders that changed, oldest change first."""
        walk = Walk.at(cursor)
        answer = yield from self._shop.get("/orders", _page(walk, ORDER_FIELDS), OrdersPage, http.ORDERS)
        rows = answer.orders if answer is not None else []
        found, unreadable = read(rows)
        times = {each.id: in_ms(each.updated_at) for each in found}
        step = walk.after(
            [Row(key, times.get(key)) for key in map(number_of, rows)], is_full=len(rows) == PAGE, now_s=now_s
        )
        return step.pulled((snapshot(each, self._options) for each in found if each.status != _DRAFT), unreadable)

    def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:  # noqa: ARG002
        """Read one order by its id."""
        query = [("fields", ORDER_FIELDS)]
        answer = yield from self._shop.get(f"/orders/{part(key)}", query, Found, http.ORDERS)
        if answer is None:
            return None
        found, unreadable = read([answer.order])
        if unreadable:
            raise UnreadableOrderError(f"an order of another form: {unreadable[0].reason}")
        return snapshot(found[0], self._options)

    def pull_returns(self, cursor: str, now_s: float) -> Exchange[Pulled]:
        """Read the returns that changed, oldest change first."""
        walk = Walk.at(cursor)
        answer = yield from self._shop.get("/returns", _page(walk, RETURN_FIELDS), ReturnsPage, http.ORDERS)
        rows = answer.returns if answer is not None else []
        found, unreadable = read_returns(rows)
        times = {each.id: in_ms(each.updated_at) for each in found}
        met = [Row(key, times.get(key)) for key in map(number_of, rows)]
        step = walk.after(met, is_full=len(rows) == PAGE, now_s=now_s)
        return Pulled(
            cursor=step.walk.cursor,
            returns=tuple(case for case in map(return_case, found) if case is not None),
            unreadable=tuple(unreadable),
            more=step.more,
        )

    # -- what is said

    def command(self, command: Command, order: Order, now_s: float) -> Exchange[CommandOutcome]:
        """Ship, or cancel the whole order; money is never paid back from here.

        The order is read again first: a parcel that stands ready with the same pieces is the one that is shipped.
        """
        fresh = yield from self.fetch_order(order.key, now_s)
        if fresh is None:
            return Refused(code="not_found", reason=f'Medusa has no order "{order.key}"')
        if isinstance(command, Ship):
            return (yield from self._ship(command, fresh))
        if isinstance(command, Refuse):
            return (yield from self._cancel(command, fresh))
        raise TypeError(f"Medusa does not understand {type(command).__name__}")

    def confirm(self, command: Command, order: Order) -> Confirmation:
        """Look for a parcel of the same pieces, or whether the order is cancelled."""
        if isinstance(command, Ship):
            return confirmation.shipment(command, order)
        if isinstance(command, Refuse):
            return Done() if order.state == "cancelled" else NotDone()
        raise TypeError(f"Medusa does not understand {type(command).__name__}")

    def _ship(self, command: Ship, order: Order) -> Exchange[CommandOutcome]:
        path, items = f"/orders/{part(order.key)}/fulfillments", _items(command.lines)
        parcel = command.package or confirmation.half_done(command, order, tracked_later=True)
        known = {each.key for each in order.packages}
        if command.package and command.package not in known:  # the shop would answer 500
            return Superseded(reason=f"the order has no parcel {command.package}")
        refused = part_of_named(command, order.packages)
        if refused is not None:
            return refused
        if not parcel:
            if not _fit(command.lines, order):
                return Superseded(reason="not so many of these pieces are without a parcel any more")
            location = yield from self._location_id()
            body = {"items": items, "location_id": location}
            made = yield from self._shop.post(
                f"{path}?fields=id,*fulfillments,*fulfillments.items", body, _Said, http.COMMANDS
            )
            if isinstance(made, Refusal):
                return _refused(made)
            parcel = _made(made.order.fulfillments, known, command)
        label = {"tracking_number": command.tracking, "tracking_url": command.url, "label_url": ""}
        body = {"items": items, "labels": [label] if command.tracking else []}
        sent = yield from self._shop.post(f"{path}/{part(parcel)}/shipments", body, _Said, http.COMMANDS)
        return _refused(sent) if isinstance(sent, Refusal) else Done(remote_id=parcel)

    def _cancel(self, command: Refuse, order: Order) -> Exchange[CommandOutcome]:
        left = {line.key: line.ordered - line.cancelled for line in order.lines}
        if order.state == "cancelled":
            return Superseded(reason="the order is cancelled already")
        if dict(command.lines) != left:
            return Refused(code="whole_order_only", reason="Medusa cancels whole orders; edit the order in its admin")
        answer = yield from self._shop.post(f"/orders/{part(order.key)}/cancel", {}, _Said, http.COMMANDS)
        return _refused(answer) if isinstance(answer, Refusal) else Done(remote_id=order.key)


def _page(walk: Walk, fields: str) -> list[tuple[str, str | int]]:
    since = datetime.fromtimestamp(walk.since_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return [
        ("updated_at[$gte]", since.replace("+00:00", "Z")), ("order", "updated_at"), ("limit", PAGE),
        ("offset", walk.skip), ("fields", fields),
    ]  # fmt: skip


def _made(parcels: Sequence[Parcel], known: Collection[str], command: Ship) -> str:
    """Find the parcel that was just made; somebody at the desk may have made another one.

    Raises
    ------
    UnknownResultError
        It is not there.

    """
    wanted = Counter(dict(command.lines))
    for each in parcels:
        pieces = Counter({line.line_item_id or "": int(line.quantity) for line in each.items})
        if each.id not in known and each.canceled_at is None and pieces == wanted:
            return each.id
    raise UnknownResultError("Medusa has made a parcel and does not show it")


def _fit(lines: LineQuantities, order: Order) -> bool:
    """Return whether so many pieces are in no parcel yet."""
    left = Counter({line.key: line.ordered - line.cancelled for line in order.lines})
    for each in order.packages:
        if each.state != "dissolved":
            left.subtract(dict(each.lines))
    left.subtract(dict(lines))
    return all(left[key] >= 0 for key, _ in lines)


def _items(lines: LineQuantities) -> list[dict[str, Any]]:
    return [{"id": key, "quantity": pieces} for key, pieces in lines]


def _refused(refusal: Refusal) -> CommandOutcome:
    return Refused(code=refusal.type, reason=refusal.message)
