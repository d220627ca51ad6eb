"""What a seller says about an order to eMAG: that it is seen, refused, gone, and its invoice.

An order is saved as a whole, so it is read again first, and saved with every field as it was read. Nothing is saved
over a change that the caller has not seen. eMAG knows no parcels of a part of an order.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import msgspec

from adapters.contract import confirmation
from adapters.contract.errors import UnknownResultError
from adapters.contract.http import ORDERS, Exchange, Request, check_command, excerpt
from adapters.contract.orders import (
    Acknowledge,
    Command,
    CommandName,
    CommandOutcome,
    Confirmation,
    Done,
    Invoice,
    NotDone,
    Order,
    RefusalReason,
    Refuse,
    Refused,
    Ship,
    Superseded,
    Undecided,
)
from adapters.emag.account import Session, reply_of
from adapters.emag.order_rows import CANCELLED, CARD, DEPOT, FINALIZED, NEW, WORDS

NAMES: Final[frozenset[CommandName]] = frozenset({"acknowledge", "refuse", "ship", "invoice"})
REASONS: Final[dict[RefusalReason, int]] = {"out_of_stock": 1, "damaged": 33, "other": 31}
"""eMAG's numbers: out of stock, no longer in the seller's stock, at the seller's wish."""
INVOICE: Final = 1
"""As the type of an attachment."""
_BAD_REQUEST: Final = 400
_MOVED: Final = Superseded(reason="the order has changed meanwhile")
_Fields = dict[str, Any]
ReadOne = Callable[[str], Exchange[msgspec.Raw | None]]


def carry_out(session: Session, command: Command, order: Order, read: ReadOne) -> Exchange[CommandOutcome]:
    """Say something about an order."""
    if order.fulfilled_by == "channel":
        return Refused(code="depot", reason="eMAG ships this order itself")
    match command:
        case Acknowledge():
            return (yield from _acknowledge(session, order))
        case Refuse():
            return (yield from _refuse(session, command, order, read))
        case Ship():
            return (yield from _ship(session, command, order, read))
        case Invoice():
            return (yield from _invoice(session, command))
    raise TypeError(f"no command of this channel: {type(command).__name__}")


def confirmed(command: Command, order: Order) -> Confirmation:
    """Say by an order, read after the answer was lost, whether a command was carried out."""
    match command:
        case Acknowledge():
            return NotDone() if order.status == WORDS[NEW] else Done()
        case Refuse():
            return confirmation.refusal(command, order)
        case Ship():
            return Done() if order.state == "closed" else NotDone()
    return Undecided(reason="the order does not tell which documents it has")


def _acknowledge(session: Session, order: Order) -> Exchange[CommandOutcome]:
    if order.status == WORDS[CANCELLED]:
        return _MOVED
    if order.status != WORDS[NEW]:
        return Done()
    return (yield from _said(session.request(f"order/acknowledge/{order.key}", {}, ORDERS)))


def _ship(session: Session, command: Ship, order: Order, read: ReadOne) -> Exchange[CommandOutcome]:
    """Finalise the whole order; a new one is acknowledged before, which harms nothing if it is all that is done."""
    left, leaving = _left(order), _counted(command.lines)
    if order.state == "closed" or any(pieces > left[key] for key, pieces in leaving.items()):
        return Superseded(reason="the order has not so many pieces to ship any more")
    if leaving != left:
        return Refused(code="whole_order_only", reason="eMAG finalises whole orders; say it once all has left")
    revision = order.revision
    if order.status == WORDS[NEW]:
        outcome = yield from _acknowledge(session, order)
        if not isinstance(outcome, Done):
            return outcome
        revision = ""
    fields = yield from _fields(read, order.key, revision)
    if fields is None or fields.get("status") in (CANCELLED, FINALIZED):
        return _MOVED
    return (yield from _said(session.request("order/save", [{**fields, "status": FINALIZED}], ORDERS)))


def _refuse(session: Session, command: Refuse, order: Order, read: ReadOne) -> Exchange[CommandOutcome]:
    reason = REASONS.get(command.reason)
    if reason is None:
        known = ", ".join(REASONS)
        return Refused(code="reason", reason=f"eMAG has no number for {command.reason!r}; it has: {known}")
    left, refused = _left(order), _counted(command.lines)
    if any(pieces > left[key] for key, pieces in refused.items()):
        return Superseded(reason="the order has not so many pieces any more that could be refused")
    fields = yield from _fields(read, order.key, order.revision)
    if fields is None:
        return _MOVED
    is_whole = refused == left
    if not is_whole and fields.get("payment_mode_id") == CARD:
        return Refused(code="card", reason="eMAG takes no smaller quantities of an order that is paid by card")
    products = [_smaller(line, refused[str(line.get("id"))], reason) for line in fields.get("products", [])]
    saved = {**fields, "products": products, **({"status": CANCELLED} if is_whole else {})}
    return (yield from _said(session.request("order/save", [saved], ORDERS)))


def _smaller(line: _Fields, pieces: int, reason: int) -> _Fields:
    if not pieces:
        return line
    quantity = int(line.get("quantity", 0)) - pieces
    if quantity:
        return {**line, "quantity": quantity}
    return {**line, "status": 0, "cancellation_reason": reason}


def _invoice(session: Session, command: Invoice) -> Exchange[CommandOutcome]:
    fields = {
        "order_id": int(command.order),
        "name": command.number,
        "url": command.url,
        "type": INVOICE,
        "force_download": 0,
    }
    return (yield from _said(session.request("order/attachments/save", [fields], ORDERS)))


def _fields(read: ReadOne, key: str, revision: str) -> Exchange[_Fields | None]:
    """Return an order with every field; None: it is not there, is eMAG's own, or has changed meanwhile."""
    raw = yield from read(key)
    fields = msgspec.json.decode(raw, type=_Fields) if raw is not None else None
    if fields is None or fields.get("type") == DEPOT:
        return None
    return fields if revision in ("", fields.get("modified") or fields.get("date")) else None


def _said(request: Request) -> Exchange[CommandOutcome]:
    answer = yield request
    check_command(answer)
    reply = reply_of(answer)
    if reply is not None and reply.is_error is False:
        return Done()
    if reply is None and answer.status < _BAD_REQUEST:
        raise UnknownResultError(f"an answer of another form: {excerpt(answer.body)}")
    return Refused(code="refused", reason=reply.words if reply else excerpt(answer.body))


def _left(order: Order) -> Counter[str]:
    left = {line.key: line.ordered - line.cancelled - line.shipped for line in order.lines}
    return Counter({key: pieces for key, pieces in left.items() if pieces})


def _counted(lines: tuple[tuple[str, int], ...]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for key, pieces in lines:
        counted[key] += pieces
    return +counted
