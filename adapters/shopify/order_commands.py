"""What is said to a Shopify shop about an order: a shipment, a cancel, a smaller order; and whether it was carried out.

Nothing here raises the shop's own number, and nothing pays money back unless an option says so. A part is refused by an
edit, which takes effect with its last step alone.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from adapters.contract import confirmation
from adapters.contract.errors import SpoiledError, UnavailableError, UnknownResultError
from adapters.contract.http import REASON_CHARACTERS_MAX, Exchange
from adapters.contract.orders import (
    Command,
    CommandName,
    CommandOutcome,
    Confirmation,
    Done,
    Order,
    RefusalReason,
    Refuse,
    Refused,
    Ship,
    Superseded,
    Undecided,
)
from adapters.shopify import order_documents as documents
from adapters.shopify.account import Options
from adapters.shopify.graphql import MUTATION_POINTS, Session, UserError, gid, part
from adapters.shopify.order_snapshots import Parts, is_at, is_open, number_of

NAMES: Final[frozenset[CommandName]] = frozenset({"refuse", "ship"})
REASONS: Final[dict[RefusalReason, str]] = {
    "out_of_stock": "INVENTORY",
    "damaged": "INVENTORY",
    "buyer_asked": "CUSTOMER",
}
"""Shopify's words for why an order is cancelled; any other reason is OTHER."""
ReadParts = Callable[[str], Exchange[tuple[str, Parts]]]


class _Said(msgspec.Struct, rename="camel"):
    """The answer to what was said."""

    user_errors: list[UserError]
    fulfillment: documents.Named | None = None
    calculated_order: documents.Named | None = None


def carry_out(
    session: Session, options: Options, command: Command, order: Order, read_parts: ReadParts
) -> Exchange[CommandOutcome]:
    """Say something about an order."""
    match command:
        case Ship():
            return (yield from _ship(session, options, command, read_parts))
        case Refuse():
            return (yield from _refuse(session, options, command, order))
    raise TypeError(f"no command of this channel: {type(command).__name__}")


def confirmed(command: Command, order: Order) -> Confirmation:
    """Say by an order, read after the answer was lost, whether a command was carried out."""
    match command:
        case Ship():
            return confirmation.shipment(command, order)
        case Refuse():
            return confirmation.refusal(command, order)
    return Undecided(reason="no command of this channel")


# -- shipments


def _ship(session: Session, options: Options, command: Ship, read_parts: ReadParts) -> Exchange[CommandOutcome]:
    """Make a parcel of what the channel's location has to ship by now: fulfilment orders are split and moved."""
    _, parts = yield from read_parts(gid("Order", command.order))
    tasks = _shared_out(command, parts, options)
    if tasks is None:
        return Superseded(reason="the location has not so many of these pieces to ship any more")
    tracking = {"number": command.tracking, "url": command.url, "company": command.carrier}
    given = {name: value for name, value in tracking.items() if value}
    fulfillment = {
        "lineItemsByFulfillmentOrder": tasks,
        "notifyCustomer": options.notifies_buyers,
        **({"trackingInfo": given} if given else {}),
    }
    said = yield from _say(session, documents.SHIP, {"fulfillment": fulfillment}, "fulfillmentCreate")
    if said.user_errors:
        return _refused(said)
    return Done(remote_id=number_of(said.fulfillment.id) if said.fulfillment else "")


def _shared_out(command: Ship, parts: Parts, options: Options) -> list[dict[str, Any]] | None:
    """Return which pieces of which fulfilment order leave; None: there are not so many."""
    wanted: Counter[str] = Counter()
    for key, pieces in command.lines:
        wanted[gid("LineItem", key)] += pieces
    found = []
    for task, rows in parts.tasks:
        if not (is_open(task) and is_at(task, options)):
            continue
        taken = []
        for row in rows:
            pieces = min(row.remaining_quantity, wanted[row.line_item.id])
            if pieces:
                taken.append({"id": row.id, "quantity": pieces})
                wanted[row.line_item.id] -= pieces
        if taken:
            found.append({"fulfillmentOrderId": task.id, "fulfillmentOrderLineItems": taken})
    return None if any(wanted.values()) else found


# -- refusals


def _refuse(session: Session, options: Options, command: Refuse, order: Order) -> Exchange[CommandOutcome]:
    left = {line.key: line.ordered - line.cancelled - line.shipped for line in order.lines}
    refused: Counter[str] = Counter()
    for key, pieces in command.lines:
        refused[key] += pieces
    if any(pieces > left.get(key, 0) for key, pieces in refused.items()):
        return Superseded(reason="the order has not so many pieces any more that could be refused")
    is_whole = all(refused[key] == pieces for key, pieces in left.items())
    if is_whole and not any(line.shipped for line in order.lines):
        return (yield from _cancel(session, options, command))
    return (yield from _edit(session, options, order, refused))


def _cancel(session: Session, options: Options, command: Refuse) -> Exchange[CommandOutcome]:
    variables = {
        "id": gid("Order", command.order),
        "reason": REASONS.get(command.reason, "OTHER"),
        "refund": {"originalPaymentMethodsRefund": options.refunds_refused},
        "notify": options.notifies_buyers,
    }
    said = yield from _say(session, documents.CANCEL, variables, "orderCancel")
    return _refused(said) if said.user_errors else Done()


def _edit(session: Session, options: Options, order: Order, refused: Counter[str]) -> Exchange[CommandOutcome]:
    """Make the order smaller. Nothing of it counts before the last step."""
    begun = yield from _ask(session, documents.BEGIN_EDIT, {"id": gid("Order", order.key)}, "orderEditBegin")
    if begun.user_errors or begun.calculated_order is None:
        return _refused(begun)
    edit = begun.calculated_order.id
    lines = {line.key: line.ordered - line.cancelled - line.returned for line in order.lines}
    for key, pieces in refused.items():
        variables = {"id": edit, "line": gid("CalculatedLineItem", key), "quantity": lines[key] - pieces}
        step = yield from _ask(session, documents.SET_QUANTITY, variables, "orderEditSetQuantity")
        if step.user_errors:
            return _refused(step)
    last = {"id": edit, "notify": options.notifies_buyers}
    said = yield from _say(session, documents.COMMIT_EDIT, last, "orderEditCommit")
    return _refused(said) if said.user_errors else Done()


# -- answers


def _ask(session: Session, document: str, variables: dict[str, Any], field: str) -> Exchange[_Said]:
    """Take a step that changes nothing by itself."""
    try:
        answer = yield from session.look(document, variables, MUTATION_POINTS)
    except SpoiledError as error:
        return _Said([UserError(error.reason, error.code)])
    return part(answer, f"data.{field}", _Said)


def _say(session: Session, document: str, variables: dict[str, Any], field: str) -> Exchange[_Said]:
    try:
        answer = yield from session.say(document, variables, MUTATION_POINTS)
    except SpoiledError as error:
        return _Said([UserError(error.reason, error.code)])
    try:
        return part(answer, f"data.{field}", _Said)
    except UnavailableError as error:
        raise UnknownResultError(error.reason) from None


def _refused(said: _Said) -> Refused:
    errors: Sequence[UserError] = said.user_errors or [UserError("the shop has begun no edit")]
    return Refused(code=errors[0].name, reason="; ".join(error.message for error in errors)[:REASON_CHARACTERS_MAX])
