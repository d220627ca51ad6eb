"""What a seller says about an order to Trendyol: the requests that carry it, and whether it was carried out."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from adapters.contract import confirmation
from adapters.contract.commands import (
    PART_OF_PACKAGE,
    one_after_another,
    over_packages,
    part_of_named,
    whole_packages,
)
from adapters.contract.errors import UnavailableError
from adapters.contract.http import COMMANDS, Answer, Exchange, Request, check_status, json_as
from adapters.contract.orders import (
    Acknowledge,
    Command,
    CommandName,
    CommandOutcome,
    Confirmation,
    Done,
    Invoice,
    Label,
    NotDone,
    Order,
    Package,
    RefusalReason,
    Refuse,
    Refused,
    SettleReturn,
    Ship,
    Superseded,
    Undecided,
)
from adapters.trendyol.packages import AWAITING
from adapters.trendyol.wire import refusal

Carrier = Literal["trendyol", "own", "international", "link"]
"""Who carries the parcels: Trendyol's carrier, whose scan says that they left; or the seller's, told by a number, by a
number and a provider, or by a link."""
REASONS: Final[dict[RefusalReason, int]] = {"out_of_stock": 500, "damaged": 501, "price": 502}
"""The reasons that Trendyol has a number for."""
_TAKEN: Final = (200, 201, 202, 204)
_GONE: Final = 404
_BAD_REQUEST: Final = 400
_ZPL: Final = "ZPL"


class _Label(msgspec.Struct):
    label: str


class _Labels(msgspec.Struct):
    data: list[_Label] | None = None


def command_names(carrier: Carrier) -> frozenset[CommandName]:
    """Return what can be said; Trendyol's own carrier tells itself that a parcel has left."""
    always: frozenset[CommandName] = frozenset({"acknowledge", "refuse", "invoice", "settle_return", "label"})
    return always if carrier == "trendyol" else always | {"ship"}


class Commands:
    """The requests of one seller's commands."""

    def __init__(self, host: str, seller: int, headers: dict[str, str], carrier: Carrier, issue_reason: int) -> None:
        self._seller_url = f"{host}/integration/sellers/{seller}"
        self._packages_url = f"{host}/integration/order/sellers/{seller}/shipment-packages"
        self._claims_url = f"{host}/integration/order/sellers/{seller}/claims"
        self._headers = headers
        self._carrier = carrier
        self._issue_reason = issue_reason

    def carry_out(self, command: Command, order: Order) -> Exchange[CommandOutcome]:
        """Say something about an order."""
        if isinstance(command, Label):
            return (yield from self._label(command, order))
        requests = self._requests(command, order)
        if isinstance(requests, Refused | Superseded | Done):
            return requests
        return (yield from one_after_another(requests, _judged))

    def _requests(self, command: Command, order: Order) -> list[Request] | Refused | Superseded | Done:
        match command:
            case Acknowledge():
                return self._acknowledge(order)
            case Refuse():
                return self._refuse(command, order)
            case Ship():
                return self._ship(command, order)
            case Invoice():
                return self._invoice(command, order)
            case SettleReturn():
                return self._settle(command)
        raise TypeError(f"no command of this channel: {type(command).__name__}")

    # -- packages

    def _acknowledge(self, order: Order) -> list[Request] | Superseded | Done:
        """Begin to pick every package that nobody has begun with."""
        packages = living(order)
        if not packages:
            return _moved(order)
        new = [package for package in packages if _is_new(package)]
        return [
            self._package(each, "", {"lines": _lines(each.lines), "params": {}, "status": "Picking"}) for each in new
        ]

    def _refuse(self, command: Refuse, order: Order) -> list[Request] | Refused | Superseded:
        reason = REASONS.get(command.reason)
        if reason is None:
            known = ", ".join(REASONS)
            return Refused(code="reason", reason=f"Trendyol has no number for {command.reason!r}; it has: {known}")
        found = over_packages(command.lines, living(order))
        if not found:
            return _moved(order)
        by_key = {package.key: package for package in order.packages}
        return [
            self._package(by_key[key], "/items/unsupplied", {"lines": _lines(lines), "reasonId": reason})
            for key, lines in found.items()
        ]

    def _ship(self, command: Ship, order: Order) -> list[Request] | Refused | Superseded:
        told = command.url if self._carrier == "link" else command.tracking
        if not told:
            return Refused(code="tracking", reason="Trendyol takes a parcel of the seller's own with its tracking only")
        waiting = [package for package in living(order) if command.package in ("", package.key)]
        packages = whole_packages(command.lines, waiting)
        if packages is None:
            return part_of_named(command, waiting) or self._part(command, order, waiting)
        if not packages:
            return _moved(order)
        path, body = self._tracking(command)
        return [self._package(package, path, body) for package in packages]

    def _part(self, command: Ship, order: Order, waiting: Sequence[Package]) -> Refused | Superseded:
        """Refuse a part of a package: its number is that of the whole, and its parts would be other packages."""
        found = over_packages(command.lines, waiting)
        if found is None:
            return _moved(order)
        names = ", ".join(found)
        return Refused(
            code=PART_OF_PACKAGE,
            reason=f"Trendyol has one tracking number for a whole package: divide {names} in the seller panel first",
        )

    def _tracking(self, command: Ship) -> tuple[str, dict[str, Any]]:
        if self._carrier == "link":
            return "/alternative-delivery", {"isPhoneNumber": False, "trackingInfo": command.url, "params": {}}
        if self._carrier == "international":
            fields = {"cargoSenderNumber": command.tracking, "providerCode": command.carrier}
            return "/tracking-details", fields
        return "/update-tracking-number", {"trackingNumber": command.tracking}

    # -- papers

    def _invoice(self, command: Invoice, order: Order) -> list[Request] | Refused | Superseded:
        package = _one(order, command.package)
        if not isinstance(package, Package):
            return package
        fields = {
            "invoiceLink": command.url,
            "shipmentPackageId": _number(package.key),
            "invoiceDateTime": command.issued_ms // 1000,
            "invoiceNumber": command.number,
        }
        return [self._json("POST", f"{self._seller_url}/seller-invoice-links", fields)]

    def _label(self, command: Label, order: Order) -> Exchange[CommandOutcome]:
        package = _one(order, command.package)
        if not isinstance(package, Package):
            return package
        if not package.tracking:
            return Refused(code="tracking", reason="the package has no number of its carrier yet")
        url = f"{self._seller_url}/common-label/{quote(package.tracking, safe='')}"
        asked = yield self._json("POST", url, {"format": command.format or _ZPL, "boxQuantity": 1})
        check_status(asked)  # a 4xx may mean that it was asked for before
        answer = yield Request("GET", url, self._headers, group=COMMANDS)
        check_status(answer)
        if answer.status >= _BAD_REQUEST:
            return _judged(answer) or _judged(asked) or Done()
        labels = json_as(_Labels, answer).data or []
        if not labels:
            raise UnavailableError("the label is not ready yet")
        document = "\n".join(each.label for each in labels).encode()
        return Done(remote_id=package.tracking, document=document, media_type="x-application/zpl")

    # -- claims of buyers

    def _settle(self, command: SettleReturn) -> list[Request] | Refused:
        units = [unit for line in command.lines for unit in line.units]
        if not units:
            return Refused(code="units", reason="name the units of the claim: Trendyol settles them one by one")
        url = f"{self._claims_url}/{quote(command.case, safe='')}"
        if command.accept:
            return [self._json("PUT", f"{url}/items/approve", {"claimLineItemIdList": units, "params": {}})]
        if not self._issue_reason:
            return Refused(code="reason", reason="set claim_issue_reason_id: Trendyol wants the number of a reason")
        fields = [("claimIssueReasonId", str(self._issue_reason)), ("claimItemIdList", ",".join(units))]
        return [self._form(f"{url}/issue", [*fields, ("description", command.reason[:500])])]

    # -- requests

    def _package(self, package: Package, path: str, body: dict[str, Any]) -> Request:
        return self._json("PUT", f"{self._packages_url}/{quote(package.key, safe='')}{path}", body)

    def _json(self, method: str, url: str, body: dict[str, Any]) -> Request:
        typed = {**self._headers, "Content-Type": "application/json"}
        return Request(method, url, typed, msgspec.json.encode(body), group=COMMANDS)

    def _form(self, url: str, fields: Sequence[tuple[str, str]]) -> Request:
        boundary = sha256(repr(fields).encode()).hexdigest()
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields
        ]
        typed = {**self._headers, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        return Request("POST", url, typed, "".join([*parts, f"--{boundary}--\r\n"]).encode(), group=COMMANDS)


def confirmed(command: Command, order: Order, carrier: Carrier) -> Confirmation:
    """Say by an order, read after the answer was lost, whether a command was carried out."""
    match command:
        case Acknowledge():
            return NotDone() if any(_is_new(package) for package in living(order)) else Done()
        case Refuse():
            return confirmation.refusal(command, order, in_parts=True)
        case Ship():
            return _shipment_confirmed(command, order, carrier)
        case Invoice():
            return _invoice_confirmed(command, order)
        case Label():
            return NotDone()  # asking for it again changes nothing
    return Undecided(reason="look at the claim: the order does not tell how it was settled")


def _shipment_confirmed(command: Ship, order: Order, carrier: Carrier) -> Confirmation:
    shown = {package.url if carrier == "link" else package.tracking for package in order.packages}
    told = command.url if carrier == "link" else command.tracking
    if told in shown:
        return Done()
    # A number may be told again: the package has one. What becomes of a second link is not documented.
    return NotDone() if carrier != "link" else Undecided(reason="the order does not show the link of its parcel")


def _invoice_confirmed(command: Invoice, order: Order) -> Confirmation:
    package = _one(order, command.package)
    if not isinstance(package, Package) or package.invoiced is None:
        return Undecided(reason="the order does not tell whether its package has an invoice")
    return Done() if package.invoiced else NotDone()


def living(order: Order) -> list[Package]:
    """Return the packages that wait at the seller, and are paid."""
    return [each for each in order.packages if each.state == "living" and each.status.casefold() != AWAITING]


def _is_new(package: Package) -> bool:
    return package.status.casefold() == "created"


def _one(order: Order, key: str) -> Package | Refused | Superseded:
    """Return the package that a paper is of: the one that is named, or the only one."""
    packages = [package for package in order.packages if package.state not in ("cancelled", "dissolved")]
    named = [package for package in packages if not key or package.key == key]
    if len(named) == 1:
        return named[0]
    if key or not packages:
        return _moved(order)
    return Refused(code="package", reason=f"name one of its packages: {', '.join(each.key for each in packages)}")


def _moved(order: Order) -> Superseded:
    packages = tuple(package.key for package in living(order))
    return Superseded(reason="the packages of the order are other ones by now, or have other pieces", packages=packages)


def _lines(lines: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"lineId": _number(key), "quantity": pieces} for key, pieces in lines]


def _number(key: str) -> int | str:
    return int(key) if key.isascii() and key.isdigit() else key


def _judged(answer: Answer) -> Refused | Superseded | None:
    if answer.status in _TAKEN:
        return None
    code, reason = refusal(answer)
    if answer.status == _GONE:
        return Superseded(reason=reason)
    return Refused(code=code, reason=reason)
