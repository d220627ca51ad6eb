"""What is said to a WooCommerce shop about an order: a refusal, a shipment; and whether it was carried out.

A refund would by default pay money back and raise the shop's stock, and both are switched off. A shipment is written
into a field of the order's own, with its new status in the same request, so that it can be found again.
"""

from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

import msgspec

from adapters.contract import confirmation
from adapters.contract.commands import one_after_another
from adapters.contract.errors import ChannelError
from adapters.contract.http import Answer, Exchange, json_of
from adapters.contract.orders import (
    Command,
    CommandName,
    CommandOutcome,
    Confirmation,
    Done,
    NotDone,
    Order,
    OrderLine,
    Refuse,
    Refused,
    Ship,
    Superseded,
    Undecided,
)
from adapters.woocommerce.order_rows import SHIPMENT, Shipment
from adapters.woocommerce.shop import NOT_FOUND, Shop, refusal_of

NAMES: Final[frozenset[CommandName]] = frozenset({"refuse", "ship"})
_SUCCESS: Final = (200, 201)
_DIGEST_BYTES: Final = 10


def carry_out(shop: Shop, command: Command, order: Order, *, with_note: bool) -> Exchange[CommandOutcome]:
    """Say something about an order."""
    match command:
        case Refuse():
            return (yield from _refuse(shop, command, order))
        case Ship():
            return (yield from _ship(shop, command, order, with_note=with_note))
    raise TypeError(f"no command of this channel: {type(command).__name__}")


def confirmed(command: Command, order: Order) -> Confirmation:
    """Say by an order, read after the answer was lost, whether a command was carried out."""
    match command:
        case Refuse():
            return confirmation.refusal(command, order)
        case Ship():
            return Done(remote_id=_name(command)) if _is_told(command, order) else NotDone()
    return Undecided(reason="no command of this channel")


def _refuse(shop: Shop, command: Refuse, order: Order) -> Exchange[CommandOutcome]:
    left = {line.key: line.ordered - line.cancelled - line.shipped for line in order.lines}
    refused = _by_line(command)
    if any(pieces > left.get(key, 0) for key, pieces in refused.items()):
        return Superseded(reason="the order has not so many pieces any more that could be refused")
    is_whole = all(refused.get(key, 0) == pieces for key, pieces in left.items())
    if is_whole and not any(line.shipped for line in order.lines):
        request = shop.said("PUT", f"/orders/{order.key}", {"status": "cancelled"})
    else:
        lines = [_refund_line(line, refused[line.key]) for line in order.lines if refused.get(line.key)]
        free = {"api_refund": False, "api_restock": False}
        request = shop.said("POST", f"/orders/{order.key}/refunds", {**free, "line_items": lines})
    return (yield from one_after_another([request], _judged))


def _refund_line(line: OrderLine, pieces: int) -> dict[str, Any]:
    total = msgspec.Raw(f"{Decimal(line.unit_price or '0') * pieces:f}".encode())
    return {"id": int(line.key), "quantity": pieces, "refund_total": total}


def _ship(shop: Shop, command: Ship, order: Order, *, with_note: bool) -> Exchange[CommandOutcome]:
    if _is_told(command, order):
        return Done(remote_id=_name(command))
    told = Shipment(lines=command.lines, carrier=command.carrier, tracking=command.tracking, url=command.url)
    value = msgspec.json.encode(told).decode()
    fields: dict[str, Any] = {"meta_data": [{"key": SHIPMENT + _name(command), "value": value}]}
    if _is_rest(command, order):
        fields["status"] = "completed"
    outcome = yield from one_after_another([shop.said("PUT", f"/orders/{order.key}", fields)], _judged)
    if not isinstance(outcome, Done):
        return outcome
    if with_note and (command.tracking or command.url):
        yield from _note(shop, command, order)
    return Done(remote_id=_name(command))


def _note(shop: Shop, command: Ship, order: Order) -> Exchange[None]:
    """Tell the buyer where the parcel is: at most once. The shipment is told already, whatever becomes of this."""
    words = " ".join(word for word in (command.carrier, command.tracking, command.url) if word)
    try:
        yield shop.said("POST", f"/orders/{order.key}/notes", {"note": words, "customer_note": True})
    except ChannelError:
        return


def _is_rest(command: Ship, order: Order) -> bool:
    """Return whether nothing is left to be shipped after it."""
    shipped = _by_line(command)
    stock = [line for line in order.lines if line.carries_stock]
    return all(line.ordered - line.cancelled - line.shipped <= shipped.get(line.key, 0) for line in stock)


def _by_line(command: Refuse | Ship) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, pieces in command.lines:
        found[key] = found.get(key, 0) + pieces
    return found


def _is_told(command: Ship, order: Order) -> bool:
    return _name(command) in {package.key for package in order.packages}


def _name(command: Ship) -> str:
    """Return the name of a shipment: of the same command the same."""
    return blake2b(msgspec.json.encode(command), digest_size=_DIGEST_BYTES).hexdigest()


def _judged(answer: Answer) -> Refused | Superseded | None:
    if answer.status in _SUCCESS:
        return None
    refusal = refusal_of(json_of(answer))
    if answer.status == NOT_FOUND:
        return Superseded(reason=refusal.reason)
    return Refused(code=refusal.code, reason=refusal.reason)
