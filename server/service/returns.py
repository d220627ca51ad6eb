"""Returns: shipped units come back; and exchanges, where others are reserved instead in the same step."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec
from msgspec import structs

from server.domain.exchange import Exchange, ExchangeAnswer
from server.domain.operations.base import fingerprint
from server.domain.operations.reservations import Order, Reserve, Return, ReturnedLine
from server.domain.operations.stock import Disposition
from server.schemas.reservations import OrderBody, ReserveBody
from server.schemas.returns_and_exchanges import ExchangeBody, ReturnBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_location, check_reference
from server.service.likeness import as_asked, is_allowed
from server.service.line_names import NamedLines
from server.service.order_channels import check_repeated, is_refused
from server.service.part_names import NO_SCANS, find_scanned, named_parts
from server.service.problems import within
from server.service.reservations import lines_to_plan, named_lines, order_operation, reserve_operation
from server.service.scans import Found, Scan
from server.service.sourcing import planned

BodyHalf = Literal["return", "reservation", "order"]
"""A half of an exchange by its name in the body."""


def return_operation(caller: Caller, target: str, body: ReturnBody, found: Mapping[Scan, Found] = NO_SCANS) -> Return:
    """Make the operation that takes shipped units back.

    ``found``: the barcodes of its lines, see :func:`~server.service.part_names.find_scanned`.

    Raises
    ------
    InvalidError
        A field breaks a rule.
    UnknownBarcodeError
        A barcode is not registered.

    """
    return _return(caller, target, body, found, (caller.fingerprint("return", target, as_asked(body)), caller.key))


def _return(
    caller: Caller, target: str, body: ReturnBody, found: Mapping[Scan, Found], request: tuple[str, str]
) -> Return:
    """Make the same. ``request``: its fingerprint and its key."""
    lines = []
    body_fingerprint, key = request
    for number, (named, part) in enumerate(zip(named_parts(body.lines, found), body.lines, strict=True)):
        location = "" if part.location is None else check_location(f"lines[{number}].location", part.location)
        lines.append(ReturnedLine(named.name, named.quantity, Disposition(part.disposition), location))
    reason = check_reference("reason", body.reason)
    return Return(body_fingerprint, caller.actor, target, key, lines, reason, is_allowed(body))


class ExchangeRequest(NamedTuple):
    """An exchange that was checked: what comes back, and what is reserved instead, by its name in the body."""

    returned: Return
    half: BodyHalf
    body: ReserveBody | OrderBody
    operation: Reserve | Order


async def exchange_request(caller: Caller, target: str, body: ExchangeBody) -> ExchangeRequest:
    """Check an exchange.

    Raises
    ------
    InvalidError
        A field of either half breaks a rule, or not exactly one of reservation and order is there.

    """
    half, wanted = _wanted(body)
    asked = structs.replace(body, return_=as_asked(body.return_))
    body_fingerprint = fingerprint("exchange", target, asked, *lines_to_plan(wanted))
    try:
        named = await named_lines(caller, half, wanted)
    except InvalidError as error:
        raise within(half, error) from None
    new = _new_reservation(caller, half, wanted, named, body_fingerprint)
    # A new reservation's own id makes a retry safe where there is no key; no caller can send a key that begins so.
    key = caller.key or ("" if wanted.reservation_id is None else f"\0{new.reservation_id}")
    try:
        found = await find_scanned(caller, body.return_.lines)
        returned = _return(caller, target, body.return_, found, (new.fingerprint, key))
    except InvalidError as error:
        raise within("return", error) from None
    return ExchangeRequest(returned, half, wanted, new)


def _wanted(body: ExchangeBody) -> tuple[BodyHalf, ReserveBody | OrderBody]:
    if isinstance(body.reservation, ReserveBody) and body.order is msgspec.UNSET:
        return "reservation", body.reservation
    if isinstance(body.order, OrderBody) and body.reservation is msgspec.UNSET:
        return "order", body.order
    raise InvalidError("reservation", "or order: exactly one of the two says what is reserved instead")


def _new_reservation(
    caller: Caller, half: BodyHalf, wanted: ReserveBody | OrderBody, named: NamedLines | None, body_fingerprint: str
) -> Reserve | Order:
    """Make the new reservation's operation; its fingerprint is that of the exchange, for no other request makes it."""
    try:
        operation: Reserve | Order
        if isinstance(wanted, ReserveBody):
            operation = reserve_operation(caller, wanted, named)
        else:
            operation = order_operation(caller, wanted, named)
    except InvalidError as error:
        raise within(half, error) from None
    return structs.replace(operation, fingerprint=body_fingerprint if operation.fingerprint else "")


async def exchange(caller: Caller, request: ExchangeRequest) -> ExchangeAnswer:
    """Take shipped units back and reserve others instead: both, or neither.

    Raises as :meth:`~server.store.ledger.ledger.Ledger.run`, and ProblemError where the channel may not be named.
    """
    if is_refused(caller.partition, request.operation):
        await check_repeated(caller, request.operation)
    operation = await planned(caller, request.body, request.operation)
    return await caller.ledger.run(Exchange(request.returned, operation))
