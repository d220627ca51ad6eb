"""Lines of Hepsiburada's orders: each list names their fields otherwise, and in other cases of letters."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

import msgspec

from adapters.contract.fields import text
from adapters.contract.orders import Address, Buyer
from adapters.hepsiburada.account import Meaning, Options

TURKEY: Final = timezone(timedelta(hours=3))
"""The zone of times that are written without one."""
MEANINGS: Final[dict[str, Meaning]] = {
    "paymentawaiting": "unpaid",
    "awaitingpayment": "unpaid",
    "open": "open",
    "unpacked": "open",
    "packaged": "open",
    "packed": "open",
    "intransit": "shipped",
    "shipped": "shipped",
    "undelivered": "shipped",
    "delivered": "delivered",
}
"""Hepsiburada does not publish the words for the status of a line. One that is not known counts as sold."""
_CANCELLED: Final = "cancel"
"""Begins every word for a line that is cancelled, whoever did it."""
_MORE_DIGITS: Final = re.compile(r"(\.\d{6})\d+")

Fields = dict[str, Any]
"""An object by the names of its fields, all in small letters."""

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Line(NamedTuple):
    """Pieces of a line in one status, and in one package or in none."""

    key: str
    order: str
    quantity: int
    meaning: Meaning
    status: str
    package: str
    fields: Fields

    def text(self, name: str) -> str:
        """Return a field as text; empty where it is none."""
        return text(self.fields.get(name))


def fields_of(value: Any) -> Fields:
    """Return an object by its fields in small letters. Raises ValueError where it is none."""
    if not isinstance(value, dict):
        raise ValueError("an object is missing")  # noqa: TRY004  # one kind of error for all that is wrong
    return {str(name).lower(): each for name, each in value.items()}


def row_of(raw: msgspec.Raw | bytes) -> Fields:
    """Read a row of a list. Raises ValueError."""
    return fields_of(_decode(raw))


def line_of(fields: Fields, options: Options, meaning: Meaning | None = None) -> Line:
    """Read a line of an order, a package, or a list.

    Raises
    ------
    ValueError
        What stock needs of it is missing; the words name the field, and quote nothing.

    """
    key = text(fields.get("lineitemid")) or text(fields.get("id"))
    order = text(fields.get("ordernumber"))
    quantity = fields.get("quantity")
    if not key:
        raise ValueError("a line without id")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 0:
        raise ValueError("a line without a whole quantity")
    status = text(fields.get("status"))
    found = meaning or meaning_of(status, options)
    return Line(key, order, quantity, found, status, text(fields.get("packagenumber")), fields)


def meaning_of(status: str, options: Options) -> Meaning:
    """Return what the status of a line means."""
    word = status.strip().lower()
    for name, meaning in options.line_statuses.items():
        if name.strip().lower() == word:
            return meaning
    return "cancelled" if word.startswith(_CANCELLED) else MEANINGS.get(word, "open")


def number_of(raw: msgspec.Raw) -> str:
    """Return the number of the order of a row, also of one that cannot be read; empty: not even that."""
    try:
        fields = row_of(raw)
        return text(fields.get("ordernumber")) or next(iter(numbers_in(fields.get("items"))), "")
    except ValueError:
        return ""


def numbers_in(items: Any) -> list[str]:
    """Return the numbers of orders that a list of lines names, each once."""
    rows = [fields_of(each) for each in items if isinstance(each, dict)] if isinstance(items, list) else []
    return list(dict.fromkeys(filter(None, (text(row.get("ordernumber")) for row in rows))))


def in_ms(value: Any) -> int:
    """Return a time: with a zone, without one, with any number of decimals; 0: it is none."""
    try:
        moment = datetime.fromisoformat(_MORE_DIGITS.sub(r"\1", text(value)))
    except ValueError:
        return 0
    return round((moment if moment.tzinfo else moment.replace(tzinfo=TURKEY)).timestamp() * 1000)


def money_of(value: Any) -> tuple[str, str]:
    """Return an amount and its currency; empty where there is none."""
    fields = fields_of(value) if isinstance(value, dict) else {}
    try:
        amount = Decimal(str(fields.get("amount", "")))
    except InvalidOperation:
        return "", ""
    return (f"{amount:f}", text(fields.get("currency"))) if amount.is_finite() else ("", "")


def buyer_of(order: Fields) -> Buyer:
    """Return who has bought."""
    customer, invoice = (_object(order.get(name)) for name in ("customer", "invoice"))
    shipping = _address(_object(order.get("deliveryaddress")))
    billing = _address(_object(invoice.get("address")), invoice)
    named = shipping or billing
    return Buyer(
        id=text(customer.get("customerid")) or text(customer.get("id")),
        name=text(customer.get("name")) or (named.name if named else ""),
        email=text(customer.get("email")) or text(_object(order.get("deliveryaddress")).get("email")),
        phone=named.phone if named else "",
        identity_number=text(invoice.get("turkishidentitynumber")),
        shipping=shipping,
        billing=billing,
    )


def _object(value: Any) -> Fields:
    return fields_of(value) if isinstance(value, dict) else {}


def _address(fields: Fields, invoice: Mapping[str, Any] | None = None) -> Address | None:
    if not fields:
        return None
    found = {name: text(value) for name, value in fields.items()}
    more = invoice or {}
    return Address(
        name=found.get("name", ""),
        lines=tuple(line for line in (found.get("address", ""),) if line),
        city=found.get("city", ""),
        district=found.get("town") or found.get("district", ""),
        country=found.get("countrycode", ""),
        phone=found.get("phonenumber", ""),
        tax_number=text(more.get("taxnumber")),
        tax_office=text(more.get("taxoffice")),
    )
