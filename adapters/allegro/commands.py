"""What a seller says about an order to Allegro: that it is prepared, not shipped at all, and its parcels.

A parcel has whole lines. The seller's own word for an order is compared with its revision. Nothing is paid back.
"""

from collections import Counter
from typing import Final
from urllib.parse import quote, urlencode

from adapters.allegro.account import Options, Session, fault_of
from adapters.allegro.forms import CANCELLED
from adapters.contract import confirmation
from adapters.contract.commands import one_after_another
from adapters.contract.http import COMMANDS, Answer, Exchange, Request
from adapters.contract.orders import (
    Acknowledge,
    Command,
    CommandName,
    CommandOutcome,
    Confirmation,
    Done,
    NotDone,
    Order,
    Refuse,
    Refused,
    Ship,
    Superseded,
    Undecided,
)

NAMES: Final[frozenset[CommandName]] = frozenset({"acknowledge", "refuse", "ship"})
NEW: Final = "NEW"
PROCESSING: Final = "PROCESSING"
OTHER: Final = "OTHER"
WAYBILL_MAX: Final = 64
CARRIER_NAME_MAX: Final = 30
_BAD_REQUEST: Final = 400
_MOVED: Final = (404, 409)
_MOVED_ON: Final = Superseded(reason="the order has changed meanwhile")


def carry_out(session: Session, options: Options, command: Command, order: Order) -> Exchange[CommandOutcome]:
    """Say something about an order."""
    if order.fulfilled_by == "channel":
        return Refused(code="depot", reason="Allegro ships this order itself")
    match command:
        case Acknowledge():
            said: Request | CommandOutcome = _acknowledge(session, order)
        case Refuse():
            said = _refuse(session, command, order)
        case Ship():
            said = _ship(session, options, command, order)
        case _:
            raise TypeError(f"no command of this channel: {type(command).__name__}")
    if not isinstance(said, Request):
        return said
    return (yield from one_after_another([said], _judged))


def confirmed(command: Command, order: Order) -> Confirmation:
    """Say by an order, read after the answer was lost, whether a command was carried out."""
    match command:
        case Acknowledge():
            return NotDone() if order.status == NEW else Done()
        case Refuse():
            return Done() if order.state == "cancelled" else NotDone()
        case Ship():
            return confirmation.shipment(command, order)
    return Undecided(reason="the order does not tell")


def _acknowledge(session: Session, order: Order) -> Request | CommandOutcome:
    if order.state in ("cancelled", "unpaid"):
        return _MOVED_ON
    return _marked(session, order, PROCESSING) if order.status == NEW else Done()


def _refuse(session: Session, command: Refuse, order: Order) -> Request | CommandOutcome:
    left, refused = _left(order), _counted(command.lines)
    if order.state != "open" or any(pieces > left[key] for key, pieces in refused.items()):
        return Superseded(reason="the order has not so many pieces any more that could be refused")
    if refused != left or any(line.shipped for line in order.lines):
        return Refused(code="whole_order_only", reason="Allegro marks whole orders as cancelled; refund a part there")
    return _marked(session, order, CANCELLED)


def _marked(session: Session, order: Order, status: str) -> Request:
    revision = f"?{urlencode({'checkoutForm.revision': order.revision})}" if order.revision else ""
    return session.send("PUT", f"{_path(order)}/fulfillment{revision}", {"status": status}, group=COMMANDS)


def _ship(session: Session, options: Options, command: Ship, order: Order) -> Request | CommandOutcome:
    left, leaving = _left(order), _counted(command.lines)
    if order.state != "open" or any(pieces > left[key] for key, pieces in leaving.items()):
        return Superseded(reason="the order has not so many pieces to ship any more")
    if any(pieces != left[key] for key, pieces in leaving.items()):
        return Refused(
            code="whole_lines", reason="Allegro takes parcels of whole lines; say it once all of it has left"
        )
    if not 0 < len(command.tracking) <= WAYBILL_MAX:
        return Refused(code="tracking", reason=f"Allegro takes a parcel with its number, of {WAYBILL_MAX} characters")
    known = options.carrier_ids.get(command.carrier)
    carrier = {"carrierId": known} if known else _other(command.carrier)
    body = {**carrier, "waybill": command.tracking, "lineItems": [{"id": key} for key in leaving]}
    return session.send("POST", f"{_path(order)}/shipments", body, group=COMMANDS)


def _other(carrier: str) -> dict[str, str]:
    return {"carrierId": OTHER, **({"carrierName": carrier[:CARRIER_NAME_MAX]} if carrier else {})}


def _path(order: Order) -> str:
    return f"/order/checkout-forms/{quote(order.key, safe='')}"


def _judged(answer: Answer) -> Refused | Superseded | None:
    if answer.status < _BAD_REQUEST:
        return None
    if answer.status in _MOVED:
        return _MOVED_ON
    code, words = fault_of(answer)
    return Refused(code=code, reason=words)


def _left(order: Order) -> Counter[str]:
    left = {line.key: line.ordered - line.cancelled - line.shipped for line in order.lines}
    return Counter({key: pieces for key, pieces in left.items() if pieces})


def _counted(lines: tuple[tuple[str, int], ...]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for key, pieces in lines:
        counted[key] += pieces
    return +counted
