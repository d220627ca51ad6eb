"""What a merchant says about an order to Hepsiburada: packing, refusals, shipments and invoices.

Packing is how an order is accepted. Pieces in no package are refused line by line, whole; pieces in a package leave it
by a split, or once it is unpacked.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from adapters.contract import confirmation
from adapters.contract.commands import one_after_another, over_packages, part_of_named
from adapters.contract.errors import ChannelError, UnknownResultError
from adapters.contract.fields import text
from adapters.contract.http import COMMANDS, Answer, Exchange, Request, check_command, excerpt
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
    Package,
    Refuse,
    Refused,
    Ship,
    Superseded,
    Undecided,
)
from adapters.hepsiburada.account import Options
from adapters.hepsiburada.order_rows import TURKEY, fields_of

SERIES_LETTERS: Final = 3
"""The number of an invoice begins with its series."""
_BAD_REQUEST: Final = 400
_MOVED: Final = (404, 409)
_MOVED_ON: Final = Superseded(reason="the pieces of the order are elsewhere by now")


def command_names(options: Options) -> frozenset[CommandName]:
    """Return what can be said; Hepsiburada's own carrier tells itself that a parcel has left."""
    names: set[CommandName] = {"acknowledge", "invoice"}
    if options.refusal_reason_ids:
        names.add("refuse")
    if options.carrier == "own":
        names.add("ship")
    return frozenset(names)


class Commands:
    """The requests of one merchant's commands."""

    def __init__(self, host: str, options: Options, headers: Mapping[str, str]) -> None:
        self._options = options
        self._packages_url = f"{host}/packages/merchantid/{options.merchant_id}"
        self._lines_url = f"{host}/lineitems/merchantid/{options.merchant_id}/id"
        self._headers = {**headers, "Content-Type": "application/json"}

    def carry_out(self, command: Command, order: Order, now_ms: int) -> Exchange[CommandOutcome]:
        """Say something about an order."""
        match command:
            case Ship():
                return (yield from self._ship(command, order, now_ms))
            case Acknowledge():
                requests: Sequence[Request] | CommandOutcome = self._acknowledge(order)
            case Refuse():
                requests = self._refuse(command, order)
            case Invoice():
                requests = self._invoice(command, order)
            case _:
                raise TypeError(f"no command of this channel: {type(command).__name__}")
        if isinstance(requests, Done | Refused | Superseded):
            return requests
        judge = _judged_paper if isinstance(command, Invoice) else _judged
        return (yield from one_after_another(requests, judge))

    # -- packing and shipping

    def _acknowledge(self, order: Order) -> Sequence[Request] | CommandOutcome:
        unpacked = _unpacked(order)
        if unpacked:
            return [self._pack(unpacked)]
        return Done() if _living(order) else _MOVED_ON

    def _pack(self, pieces: Mapping[str, int]) -> Request:
        lines = [{"id": key, "quantity": quantity} for key, quantity in pieces.items()]
        return self._post(
            self._packages_url, {"lineItemRequests": lines, "parcelQuantity": 1, "deci": self._options.deci}
        )

    def _ship(self, command: Ship, order: Order, now_ms: int) -> Exchange[CommandOutcome]:
        """Say that parcels have left; what is in none is packed first."""
        if not command.tracking:
            return Refused(code="tracking", reason="Hepsiburada takes an own parcel with its tracking number only")
        not_whole = part_of_named(command, _living(order))
        if not_whole is not None:
            return not_whole
        packages, rest = _fitting(command, order)
        if packages is None:
            return _MOVED_ON
        if not rest:
            return (yield from one_after_another([self._left(each, command, now_ms) for each in packages], _judged))
        answer = yield self._pack(rest)
        check_command(answer)
        refused = _judged(answer)
        if refused is not None:
            return refused
        numbers = [*packages, _package_in(answer)]
        requests = [self._left(each, command, now_ms) for each in numbers]
        try:
            outcome = yield from one_after_another(requests, _judged)
        except ChannelError as error:
            raise UnknownResultError(f"the parcel was packed, then: {error.reason}") from None
        if not isinstance(outcome, Done):
            raise UnknownResultError(f"the parcel was packed, then: {outcome.reason}")
        return outcome

    def _left(self, package: str, command: Ship, now_ms: int) -> Request:
        at = datetime.fromtimestamp((command.shipped_ms or now_ms) // 1000, TURKEY)
        fields = {
            "shippedDate": at.strftime("%Y-%m-%dT%H:%M:%S"),
            "trackingNumber": command.tracking,
            "trackingUrl": command.url,
            "deci": self._options.deci,
        }
        return self._of_package(package, "intransit", fields)

    # -- refusals

    def _refuse(self, command: Refuse, order: Order) -> Sequence[Request] | CommandOutcome:
        reason = self._options.refusal_reason_ids.get(command.reason)
        if reason is None:
            words = f"set refusal_reason_ids: Hepsiburada's number for {command.reason!r} is not known"
            return Refused(code="reason", reason=words)
        unpacked, wanted = _unpacked(order), _counted(command.lines)
        alone = {key: unpacked[key] for key in wanted if 0 < unpacked[key] <= wanted[key]}
        rest = tuple((key, wanted[key] - alone.get(key, 0)) for key in wanted if wanted[key] > alone.get(key, 0))
        found = over_packages(rest, _living(order))
        if found is None:
            if all(wanted[key] <= unpacked[key] + _packed(order)[key] for key in wanted):
                return Refused(code="whole_lines", reason="pack the order first: a line in no package goes whole")
            return _MOVED_ON
        requests = [self._cancel(key, reason) for key in alone]
        for package in (each for each in order.packages if each.key in found):
            requests += self._take_out(package, dict(found[package.key]), reason)
        return requests

    def _take_out(self, package: Package, pieces: Mapping[str, int], reason: int) -> list[Request]:
        rest = [(key, quantity - pieces.get(key, 0)) for key, quantity in package.lines]
        left = [{"orderLineId": key, "quantity": quantity} for key, quantity in rest if quantity]
        if not left:
            return [self._of_package(package.key, "unpack", {}), *(self._cancel(key, reason) for key in pieces)]
        gone = [
            {"orderLineId": key, "quantity": quantity, "cancelReasonId": reason} for key, quantity in pieces.items()
        ]
        details = [{"lines": left, "parcelQuantity": 1, "deci": self._options.deci}]
        url = f"{self._packages_url}/{quote(package.key, safe='')}/split"
        return [self._post(url, {"packageDetails": details, "cancelledItems": gone})]

    def _cancel(self, line: str, reason: int) -> Request:
        return self._post(f"{self._lines_url}/{quote(line, safe='')}/cancelbymerchant", {"reasonId": reason})

    # -- papers

    def _invoice(self, command: Invoice, order: Order) -> Sequence[Request] | CommandOutcome:
        named = [each for each in order.packages if command.package in ("", each.key)]
        if not named:
            return Superseded(reason="the order has no such package") if command.package else _no_package()
        if len(named) > 1:
            keys = ", ".join(each.key for each in named)
            return Refused(code="package", reason=f"name one of its packages: {keys}")
        at = datetime.fromtimestamp(command.issued_ms // 1000, TURKEY)
        fields = {
            "invoiceLink": command.url,
            "serialNumber": command.number[:SERIES_LETTERS],
            "rowNumber": command.number[SERIES_LETTERS:],
            "arrangementDate": at.strftime("%Y-%m-%dT%H:%M:%S"),
        }
        url = f"{self._packages_url}/packagenumber/{quote(named[0].key, safe='')}/invoice"
        return [Request("PUT", url, self._headers, msgspec.json.encode(fields), group=COMMANDS)]

    # -- requests

    def _of_package(self, package: str, what: str, body: Mapping[str, Any]) -> Request:
        return self._post(f"{self._packages_url}/packagenumber/{quote(package, safe='')}/{what}", body)

    def _post(self, url: str, body: Mapping[str, Any]) -> Request:
        return Request("POST", url, self._headers, msgspec.json.encode(body), group=COMMANDS)


def confirmed(command: Command, order: Order) -> Confirmation:
    """Say by an order, read after the answer was lost, whether a command was carried out."""
    match command:
        case Acknowledge():
            return NotDone() if _unpacked(order) else Done()
        case Refuse():
            return confirmation.refusal(command, order, in_parts=True)
        case Ship():
            return _shipment_confirmed(command, order)
    return Undecided(reason="the order does not tell whether its package has an invoice")


def _shipment_confirmed(command: Ship, order: Order) -> Confirmation:
    # The order shows no tracking number.
    found = confirmation.shipment(msgspec.structs.replace(command, tracking=""), order)
    left = {line.key: line.ordered - line.cancelled - line.shipped for line in order.lines}
    if isinstance(found, NotDone) and any(left.get(key, 0) < pieces for key, pieces in command.lines):
        return Undecided(reason="a part of these pieces has left")
    return found


def _no_package() -> Refused:
    return Refused(code="package", reason="pack the order first: Hepsiburada takes the invoice of a package")


def _fitting(command: Ship, order: Order) -> tuple[list[str] | None, dict[str, int]]:
    """Return the packages that leave, and the pieces that are to be packed first; None: it does not come out even."""
    if command.package:
        return ([command.package] if command.package in {each.key for each in _living(order)} else None), {}
    wanted, packages = _counted(command.lines), list[str]()
    for package in _living(order):
        if all(wanted[key] >= pieces for key, pieces in package.lines):
            wanted.subtract(dict(package.lines))
            packages.append(package.key)
    rest, unpacked = {key: pieces for key, pieces in wanted.items() if pieces}, _unpacked(order)
    return (None if any(pieces > unpacked[key] for key, pieces in rest.items()) else packages), rest


def _living(order: Order) -> list[Package]:
    return [each for each in order.packages if each.state == "living"]


def _packed(order: Order) -> Counter[str]:
    return _counted([line for package in _living(order) for line in package.lines])


def _unpacked(order: Order) -> Counter[str]:
    """Return how many pieces of each line are in no package."""
    packed = _packed(order)
    left = {line.key: line.ordered - line.cancelled - line.shipped - packed[line.key] for line in order.lines}
    return Counter({key: pieces for key, pieces in left.items() if pieces > 0})


def _counted(lines: Sequence[tuple[str, int]]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for key, pieces in lines:
        counted[key] += pieces
    return counted


def _package_in(answer: Answer) -> str:
    """Return the number of the package that was made. Raises UnknownResultError."""
    try:
        number = text(fields_of(msgspec.json.decode(answer.body)).get("packagenumber"))
    except (ValueError, UnicodeDecodeError):
        number = ""
    if not number:
        raise UnknownResultError("the parcel was packed, and the answer does not name it")
    return number


def _judged(answer: Answer) -> Refused | Superseded | None:
    if answer.status in _MOVED:
        return Superseded(reason=excerpt(answer.body))
    return _judged_paper(answer)


def _judged_paper(answer: Answer) -> Refused | None:
    """Judge an answer about an invoice, where a conflict says that the package has one."""
    if answer.status < _BAD_REQUEST:
        return None
    return Refused(code=f"http_{answer.status}", reason=excerpt(answer.body))
