"""What is kept of an order for people: what the channel told, what was booked of it, its timeline and its inbox entry.

None of it moves stock. ``OrderDocument`` has the field names of the adapters' contract, so that a snapshot becomes one
by :func:`document_of`; all fields but the first have defaults, so that each release reads what another has written.
Personal data stands in :class:`Buyer`, :class:`Address`, in free text, and in what says where a parcel is.
"""

import hashlib
import hmac
import re
from typing import Final, Literal

import msgspec

NOTE_BYTES_MAX: Final = 4_000
KEPT_NUMBER_BYTES_MAX: Final = 1_024
"""Of an order that cannot be booked for its long number, and stands in the inbox under it."""
UNREADABLE_RETURN: Final = "unreadable_return"
"""Why a return stands in the inbox that the adapter does not understand."""
_RETURN: Final = "return:"
_BEGINNING_MAX: Final = 100
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
Flag = Literal["repeat", "return"]
FLAGS: Final[tuple[Flag, ...]] = ("repeat", "return")
"""The buyer has ordered at the channel before; something of the order comes back, or is asked to."""
ENDED_STATES: Final = frozenset({"cancelled", "closed", "shipped"})
"""States of a booking, or of an order at its channel, after which nothing more is to be sent to the buyer."""


class Address(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where something is sent, or who is billed: personal data."""

    name: str = ""
    company: str = ""
    lines: tuple[str, ...] = ()
    city: str = ""
    district: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    phone: str = ""
    tax_number: str = ""
    tax_office: str = ""

    def __repr__(self) -> str:
        """Show nothing of it: it may stand in a traceback."""
        return "Address(***)"


class Buyer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who has bought: personal data. ``id``: the channel's own number of the buyer, empty where it has none."""

    id: str = ""
    name: str = ""
    email: str = ""
    phone: str = ""
    identity_number: str = ""
    shipping: Address | None = None
    billing: Address | None = None
    note: str = ""

    def __repr__(self) -> str:
        """Show nothing of it: it may stand in a traceback."""
        return "Buyer(***)"


class DocumentLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line as the channel told it; quantities are cumulative, in the channel's pieces; money is decimal text."""

    key: str
    ordered: int = 0
    listing: str = ""
    barcode: str = ""
    sku_hint: str = ""
    title: str = ""
    cancelled: int = 0
    cancelled_by: str = "unknown"
    shipped: int = 0
    returned: int = 0
    units: tuple[str, ...] = ()
    parent: str = ""
    carries_stock: bool = True
    fulfilled_by: str = "merchant"
    unit_price: str = ""
    discount: str = ""
    vat_rate: str = ""


class DocumentPackage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A parcel of an order; tracking and its address lead to the buyer, and are erased with it."""

    key: str
    state: str = "living"
    origin_keys: tuple[str, ...] = ()
    lines: tuple[tuple[str, int], ...] = ()
    tracking: str = ""
    carrier: str = ""
    url: str = ""


class OrderDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order as its channel told it at ``changed_ms``. ``key``: the order number.

    ``complete`` False: a part, whose lines and packages are added to those that are known.
    """

    key: str
    changed_ms: int = 0
    lines: tuple[DocumentLine, ...] = ()
    complete: bool = True
    state: str = "open"
    revision: str = ""
    gone_is_certain: bool = True
    fulfilled_by: str = "merchant"
    status: str = ""
    placed_ms: int = 0
    ship_by_ms: int = 0
    pay_by_ms: int = 0
    currency: str = ""
    total: str = ""
    unit_prices_have_vat: bool | None = None
    packages: tuple[DocumentPackage, ...] = ()
    buyer: Buyer | None = None


def document_of(snapshot: object) -> OrderDocument:
    """Make the document of an adapter's snapshot, by the names of its fields."""
    return msgspec.convert(snapshot, OrderDocument, from_attributes=True)


class StockLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units that an order's line took: of a SKU at a location, in a reservation. ``lacks``: so many are not there."""

    sku: str
    location: str = ""
    quantity: int = 0
    lacks: int = 0
    line: str = ""


class Booking(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was booked of an order, as far as people search for it; the truth of it is in the store.

    ``short``: units that are not there, over all lines. ``unmapped``: lines whose SKU is known nowhere. ``reason``: why
    it, or a part of it, could not be booked; it then stands in the inbox.
    """

    state: str
    reservations: tuple[str, ...] = ()
    lines: tuple[StockLine, ...] = ()
    short: int = 0
    unmapped: int = 0
    reason: str = ""


class ReturnedLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What comes back. ``reason`` is the buyer's own text: personal data."""

    quantity: int
    line: str = ""
    listing: str = ""
    units: tuple[str, ...] = ()
    reason: str = ""


class ReturnDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A return case as the channel told it. A person settles it; only that moves stock."""

    key: str
    order_key: str
    lines: tuple[ReturnedLine, ...] = ()
    state: str = "asked"
    changed_ms: int = 0
    deadline_ms: int = 0
    replacement: bool = False


def kept_number(number: str) -> str:
    """Return the number under which an order is kept: its own where a person can name it, else a digest of it."""
    code = number.encode("utf-8", "surrogatepass")
    if 0 < len(code) <= KEPT_NUMBER_BYTES_MAX and not _UNPRINTABLE.search(number):
        return number
    beginning = _UNPRINTABLE.sub("?", number[:_BEGINNING_MAX])
    return f"{beginning}…{hashlib.blake2b(code, digest_size=8).hexdigest()}"


def return_number(case: str) -> str:
    """Return what stands in place of an order's number in the inbox for a return, by the channel's name of it."""
    return kept_number(f"{_RETURN}{case or '?'}")


def is_return(number: str) -> bool:
    """Whether an entry of the inbox is of a return, by its number."""
    return number.startswith(_RETURN)


def return_of(case: object) -> ReturnDocument:
    """Make the document of an adapter's return case, by the names of its fields."""
    return msgspec.convert(case, ReturnDocument, from_attributes=True)


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of an order's timeline. ``text`` holds no personal data: it stays after an erasure."""

    at_ms: int
    kind: str
    text: str = ""
    actor: str = ""


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person wrote about an order; it may hold personal data, and is erased with it."""

    at_ms: int
    text: str
    actor: str = ""


InboxState = Literal["open", "ignored"]


class InboxEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order that could not be booked, or not whole: why, since when, how often it was tried.

    ``reason`` is a word that `docs/orders.md` explains, ``detail`` a sentence without personal data.
    ``listings``: the channel's keys that no SKU is known for.
    """

    channel: str
    number: str
    reason: str
    detail: str = ""
    listings: tuple[str, ...] = ()
    state: InboxState = "open"
    first_ms: int = 0
    last_ms: int = 0
    tries: int = 1
    actor: str = ""


class KeptOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it is kept: what the channel told, without the buyer, and what was booked of it; None: not yet.

    ``first_ms``: when it was first heard of, ``put_ms``: last. ``customer_ref`` names the buyer without saying who it
    is. ``erased_ms``: when its personal data was erased, 0: never.
    """

    channel: str
    order: OrderDocument
    booking: Booking | None = None
    first_ms: int = 0
    put_ms: int = 0
    booked_ms: int = 0
    customer_ref: str = ""
    erased_ms: int = 0
    flags: tuple[Flag, ...] = ()

    @property
    def number(self) -> str:
        """The order number."""
        return self.order.key


class WholeOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order with everything that is kept of it; ``buyer`` is personal data."""

    kept: KeptOrder
    buyer: Buyer | None = None
    timeline: tuple[Event, ...] = ()
    notes: tuple[Note, ...] = ()
    returns: tuple[ReturnDocument, ...] = ()
    inbox: InboxEntry | None = None


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders are looked for; what is empty or None does not matter. Times are of the placing, ``to_ms`` is out.

    ``state``: of the booking, or where nothing is booked of the order at its channel. ``skus`` and ``locations``: all
    names that one has had.
    """

    channel: str = ""
    state: str = ""
    number: str = ""
    customer_ref: str = ""
    skus: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    short: bool | None = None
    unmapped: bool | None = None
    from_ms: int = 0
    to_ms: int = 0


def customer_ref(key: bytes, channel: str, buyer: Buyer | None) -> str:
    """Name a buyer of a channel without saying who it is: by the channel's number, else by the e-mail address.

    Who does not have the key can neither find the buyer of a name nor test a guess.
    """
    who = "" if buyer is None else buyer.id or buyer.email.strip().lower()
    if not who:
        return ""
    return hmac.new(key, f"{channel}\0{who}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
