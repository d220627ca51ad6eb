"""What is to be said in the dashboard of a django-oscar shop for a command, and whether it was carried out.

Whole orders are shipped and refused by their status. Single pieces are by shipping events, where the shop has types of
them for it and shows them on its lines: what cannot be looked at afterwards is not said.
"""

from collections import Counter
from typing import Final, NamedTuple

from adapters.contract import confirmation
from adapters.contract.orders import (
    Command,
    CommandOutcome,
    Confirmation,
    Done,
    LineQuantities,
    NotDone,
    Order,
    Refuse,
    Refused,
    Ship,
    Superseded,
    Undecided,
)
from adapters.oscar.order_rows import OrderRow
from adapters.oscar.shop import OscarOptions

NO_DASHBOARD: Final = Refused(code="no_dashboard", reason="the dashboard has no such order: see dashboard_path")
_WHOLE: Final = "only all that is left of an order: ship_event and cancel_event are not set"
_SHOWN: Final = "the shop's lines do not show what became of pieces: add shipping_status to OSCARAPI_ORDERLINE_FIELDS"


class Whole(NamedTuple):
    """An order that was read with all of its lines. ``shows_events``: they show what became of their pieces."""

    row: OrderRow
    order: Order
    shows_events: bool


class Plan(NamedTuple):
    """What is to be said of ``pieces`` by line: a shipping event, then another status of the order; empty: none."""

    pieces: Counter[str]
    event: str
    status: str
    reference: str
    is_shipment: bool


def plan_of(command: Command, before: Whole, options: OscarOptions) -> Plan | Refused | Superseded:
    """Return what is to be said, or why nothing is."""
    if not isinstance(command, Ship | Refuse):
        raise TypeError(f"Oscar does not understand {type(command).__name__}")
    is_shipment = isinstance(command, Ship)
    wanted, left = _counted(command.lines), _left(before.order)
    if not wanted or not wanted <= left:
        return Superseded(reason="not so many of these pieces are neither shipped nor cancelled any more")
    event = options.ship_event if is_shipment else options.cancel_event
    status = options.ship_status if is_shipment else options.cancel_status
    if wanted != left:
        status = ""  # it would speak of the others, too
    elif status and not (before.shows_events and (is_shipment or _has_shipped(before.order))):
        event = ""  # the status says it of all
    elif event and not is_shipment:
        status = ""  # an order of which a part has left is not cancelled
    if not event and not status:
        return Refused(code="whole_order_only", reason=_WHOLE)
    if event and not before.shows_events:
        return Refused(code="events_not_shown", reason=_SHOWN)
    reference = " ".join(filter(None, (command.carrier, command.tracking))) if isinstance(command, Ship) else ""
    return Plan(wanted, event, status, reference, is_shipment)


def outcome_of(planned: Plan, before: Whole, after: Whole | None) -> CommandOutcome:
    """Say by an order that was read behind it whether it was carried out."""
    if after is None:
        return Superseded(reason="the order is gone")
    grown = _figures(after.order, is_shipment=planned.is_shipment)
    grown.subtract(_figures(before.order, is_shipment=planned.is_shipment))
    is_grown = all(grown[key] >= pieces for key, pieces in planned.pieces.items())
    if is_grown or (not planned.event and after.row.status == planned.status):
        return Done()
    if planned.event:
        reason = f"the dashboard did not take the shipping event {planned.event!r}: is it a code of the shop's?"
        return Refused(code="event_not_taken", reason=reason)
    reason = f"the order stays {after.row.status!r}: the shop's pipeline does not lead from there to {planned.status!r}"
    return Refused(code="status_not_taken", reason=reason)


def confirmed(command: Command, order: Order) -> Confirmation:
    """Say by the figures of an order, read after the answer was lost, whether a command was carried out."""
    match command:
        case Refuse():
            return confirmation.refusal(command, order)
        case Ship():
            return _is_shipped(command, order)
    return Undecided(reason="no command of this channel")


def _is_shipped(command: Ship, order: Order) -> Confirmation:
    wanted, shipped, left = _counted(command.lines), _figures(order, is_shipment=True), _left(order)
    if not wanted <= shipped:
        return NotDone()
    if wanted <= left:
        return Undecided(reason="as many pieces are shipped; it may have been an earlier parcel")
    return Done()


def _counted(lines: LineQuantities) -> Counter[str]:
    counted: Counter[str] = Counter()
    for key, pieces in lines:
        counted[key] += pieces
    return counted


def _left(order: Order) -> Counter[str]:
    """Return the pieces that are neither shipped nor cancelled, of lines that have some."""
    return +Counter({line.key: line.ordered - line.cancelled - line.shipped for line in order.lines})


def _has_shipped(order: Order) -> bool:
    return any(line.shipped for line in order.lines)


def _figures(order: Order, *, is_shipment: bool) -> Counter[str]:
    return Counter({line.key: line.shipped if is_shipment else line.cancelled for line in order.lines})
