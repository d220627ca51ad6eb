"""Orders that a channel tells of, and what is said back: snapshots, returns, commands.

An adapter yields whole orders as they stand, with cumulative quantities, never events: what is to be done follows from
the difference to what was done before, so doubled, late and reordered news do no harm. It decides nothing about stock.
"""

from typing import Literal

import msgspec

from adapters.contract.http import Answer

OrderState = Literal["open", "unpaid", "cancelled", "closed"]
"""What the channel says of the whole order; ``closed``: nothing more is to be done there."""
CancelledBy = Literal["buyer", "merchant", "channel", "unknown"]
PackageState = Literal["living", "dissolved", "cancelled", "shipped", "delivered", "undelivered", "back"]
"""``dissolved``: its units come again in another package. ``cancelled``: they may; only a later look tells."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is sent, or who is billed. Personal data: it is kept apart, and never logged."""

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


class Buyer(msgspec.Struct, frozen=True, kw_only=True):
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


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line, by a key that outlives splits; quantities are cumulative, in the channel's own pieces.

    ``listing``: the key under which stock is published there, empty where the channel does not tell it; then
    ``barcode`` or ``sku_hint`` (the merchant's own) may. ``units``: names of single units where it has some.
    ``parent``: the line of the bundle that it is a part of; ``carries_stock`` False: another line has its units.
    Money is decimal text, for one piece. ``fulfilled_by`` channel: shipped from the channel's own warehouse.
    """

    key: str
    ordered: int
    listing: str = ""
    barcode: str = ""
    sku_hint: str = ""
    title: str = ""
    cancelled: int = 0
    cancelled_by: CancelledBy = "unknown"
    shipped: int = 0
    returned: int = 0
    units: tuple[str, ...] = ()
    parent: str = ""
    carries_stock: bool = True
    fulfilled_by: Literal["merchant", "channel"] = "merchant"
    unit_price: str = ""
    discount: str = ""
    vat_rate: str = ""


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel of an order: ``lines`` are (line key, quantity), ``origin_keys`` the packages that it came from.

    ``status``: the channel's own word for its state. ``invoiced``: None: the channel does not say.
    """

    key: str
    state: PackageState = "living"
    status: str = ""
    invoiced: bool | None = None
    origin_keys: tuple[str, ...] = ()
    lines: tuple[tuple[str, int], ...] = ()
    tracking: str = ""
    carrier: str = ""
    url: str = ""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stood at ``changed_ms``, by the channel's clock in true UTC.

    ``key``: the order number, with the channel's name its identity for ever. ``revision``: opaque, for commands that
    compare it. ``complete``: every line is here, and what is missing is gone; else it is a part, which lowers nothing.
    ``gone_is_certain`` False: quantities that are missing or cancelled may come again in another package; a second
    complete look later decides.
    ``unit_prices_have_vat``: None: the channel does not say.
    """

    key: str
    changed_ms: int
    lines: tuple[OrderLine, ...]
    complete: bool
    state: OrderState = "open"
    revision: str = ""
    gone_is_certain: bool = True
    fulfilled_by: Literal["merchant", "channel"] = "merchant"
    status: str = ""
    placed_ms: int = 0
    ship_by_ms: int = 0
    pay_by_ms: int = 0
    currency: str = ""
    total: str = ""
    unit_prices_have_vat: bool | None = None
    packages: tuple[Package, ...] = ()
    buyer: Buyer | None = None


class ReturnLine(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back: by the order's line, or by the listing where the channel tells no line."""

    quantity: int
    line: str = ""
    listing: str = ""
    units: tuple[str, ...] = ()
    reason: str = ""


class ReturnCase(msgspec.Struct, frozen=True, kw_only=True):
    """A return as the channel tells it: no stock comes of it before a person says in what state the goods are.

    ``replacement``: the channel sends, or has us send, another one for it.
    """

    key: str
    order_key: str
    lines: tuple[ReturnLine, ...]
    state: Literal["asked", "under_way", "arrived", "accepted", "refused", "closed"]
    changed_ms: int = 0
    deadline_ms: int = 0
    replacement: bool = False


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """An order on a page that cannot be understood, while the others can: a person has to look. ``key`` may be empty.

    On a page of returns it is one of those: ``case`` is the channel's name of it, and ``key`` that of its order.
    ``reason`` names the field that is wrong, and quotes nothing of the order: that may be personal.
    """

    key: str
    reason: str
    case: str = ""


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a walk: what it holds, and how to go on.

    ``cursor`` is opaque text. It is stored once all of the page is durable. ``more``: another page follows at once;
    else the next walk begins ``again_after_s`` later, or as the settings say. ``hints``: keys of orders to be read
    whole, since the page does not tell enough. ``unreadable``: what is not understood; it is shown, not skipped, and an
    order whose key is known is among the hints.
    """

    cursor: str
    orders: tuple[Order, ...] = ()
    returns: tuple[ReturnCase, ...] = ()
    hints: tuple[str, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    more: bool = False
    again_after_s: float | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel has sent to us, as it came: ``path`` behind the channel's name, header names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Describe it without what may be secret or personal."""
        return f"Delivery({self.method} {self.path} {len(self.body)} bytes)"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery means: snapshots, returns, and keys of orders to read. ``answer``: what the channel expects.

    ``id``: the channel's own id of the delivery, empty where it has none; a repeated one saves work, no more.
    """

    orders: tuple[Order, ...] = ()
    returns: tuple[ReturnCase, ...] = ()
    hints: tuple[str, ...] = ()
    id: str = ""
    answer: Answer = Answer(200)


class ForgedError(Exception):
    """A delivery's signature, secret or time is not right: nothing of it is believed. Answered with 401."""


class UnreadableError(Exception):
    """A delivery is signed rightly, and is not what the contract says. Answered with 400, and counted."""


# -- what goes back

RefusalReason = Literal["out_of_stock", "damaged", "price", "address", "buyer_asked", "other"]
LineQuantities = tuple[tuple[str, int], ...]
"""(line key, pieces)."""


class Acknowledge(msgspec.Struct, frozen=True, kw_only=True, tag="acknowledge"):
    """The merchant has seen the order and will ship it."""

    order: str
    lines: LineQuantities = ()


class Refuse(msgspec.Struct, frozen=True, kw_only=True, tag="refuse"):
    """These pieces cannot be supplied. It costs the merchant: fines, rank."""

    order: str
    lines: LineQuantities
    reason: RefusalReason = "out_of_stock"


class Ship(msgspec.Struct, frozen=True, kw_only=True, tag="ship"):
    """These pieces have left, all at once. ``package``: the channel's parcel, where it has made one before."""

    order: str
    lines: LineQuantities
    package: str = ""
    carrier: str = ""
    tracking: str = ""
    url: str = ""
    shipped_ms: int = 0


class Invoice(msgspec.Struct, frozen=True, kw_only=True, tag="invoice"):
    """The invoice of an order, or of one package: where it can be read."""

    order: str
    number: str
    url: str
    issued_ms: int
    package: str = ""


class SettleReturn(msgspec.Struct, frozen=True, kw_only=True, tag="settle_return"):
    """What the merchant says to a return."""

    order: str
    case: str
    lines: tuple[ReturnLine, ...]
    accept: bool
    reason: str = ""


class Label(msgspec.Struct, frozen=True, kw_only=True, tag="label"):
    """Ask for the label of a package."""

    order: str
    package: str = ""
    format: str = ""


Command = Acknowledge | Refuse | Ship | Invoice | SettleReturn | Label
CommandName = Literal["acknowledge", "refuse", "ship", "invoice", "settle_return", "label"]


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The channel has taken it. ``remote_id``: its name of what was made. ``document``: a label, where asked for."""

    remote_id: str = ""
    document: bytes = b""
    media_type: str = ""


class NotDone(msgspec.Struct, frozen=True, kw_only=True, tag="not_done"):
    """Looked at again: the channel has not carried it out; it may be sent again."""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The channel does not take it, however often it is sent; ``reason`` in its own words."""

    code: str
    reason: str


class Superseded(msgspec.Struct, frozen=True, kw_only=True, tag="superseded"):
    """The order is another one by now (its revision, its packages): read it, then decide anew."""

    reason: str
    packages: tuple[str, ...] = ()


class Undecided(msgspec.Struct, frozen=True, kw_only=True, tag="undecided"):
    """Looked at again: the channel does not tell whether it was carried out. A person has to look."""

    reason: str


CommandOutcome = Done | Refused | Superseded
"""Of a command that was sent. One whose answer was lost raises UnknownResultError, and is confirmed before a repeat."""
Confirmation = Done | NotDone | Undecided


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """How the orders of a kind come in.

    ``pulls``: it has :meth:`~adapters.contract.adapter.Adapter.pull_orders`; every ``pull_every_s`` by default, which
    a setting may change, but not below ``pull_floor_s``. ``hears``: deliveries are understood, within
    ``answer_within_s``, and are authentic by ``authentic_by``. ``returns``: it pulls returns. ``history_s``: how far
    back missed orders can be read. ``unpaid_s``: how long an unpaid order is kept there at most. ``commands``: what can
    be said, ``whole_lines``: only of whole lines, ``whole_orders``: a shipment only of all that is left of an order.
    ``reads_open``: open orders must be read again, since some changes
    (a shipment, a cancel) move no cursor.
    """

    pulls: bool = True
    pull_every_s: float = 60.0
    pull_floor_s: float = 1.0
    hears: bool = False
    authentic_by: Literal["basic", "api_key", "hmac", "none"] = "none"
    answer_within_s: float = 5.0
    body_bytes_max: int = 1_048_576
    returns: bool = False
    history_s: float = 14 * 86_400.0
    unpaid_s: float = 3_600.0
    commands: frozenset[CommandName] = frozenset()
    whole_lines: bool = False
    whole_orders: bool = False
    reads_open: bool = True
    second_look_s: float = 120.0
