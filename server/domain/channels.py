"""What is published to a channel, and what is kept about it: rules, listings, and the quantities that it confirmed.

Types with ``array_like`` are kept in the store as MessagePack, so new fields come at the end, with a default.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from server.domain.components import Component
from server.domain.field_faults import faults_of
from server.domain.intake import IntakeStatus, OrderIntake
from server.domain.limits import DEFAULT_PARTITION, LOCATION_BYTES_MAX, NAME_BYTES_MAX, QUANTITY_MAX
from server.domain.mirrors import MirrorSettings, MirrorStatus

CHANNEL_PATTERN: Final = rf"[a-z0-9][a-z0-9_.-]{{0,{NAME_BYTES_MAX - 1}}}"
"""A channel's name becomes part of a store key and a metric's label."""
CHANNEL_NAME_RULE: Final = f"must be 1-{NAME_BYTES_MAX} of a-z, 0-9, '_', '.' and '-', and start with a letter or digit"
KEY_BYTES_MAX: Final = 256
"""A listing's key: the longest seen is Shopify's, at some 60."""
ATTRIBUTES_MAX: Final = 32
LISTINGS_PER_CALL_MAX: Final = 1_000
DEAD_LETTERS_PER_PAGE_MAX: Final = 1_000
MONTH_S: Final = 31 * 86_400
PUBLISHER_MISSING_MS: Final = 5_000
"""A publisher writes each second; one that has not written for so long is not running."""
LEASE_S_MAX: Final = 60
"""The longest lease of a publisher; ``lua/functions/publisher_lease.lua`` has it, too."""

NonNegative = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
LocationName = Annotated[str, Meta(min_length=1, max_length=LOCATION_BYTES_MAX)]
Percent = Annotated[int, Meta(ge=0, le=100)]
CadenceS = Annotated[float, Meta(ge=0, le=86_400)]
ReconcileEveryS = Annotated[float, Meta(ge=0, le=MONTH_S)]


class ChannelRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a channel's publishable quantity follows from the available units, and when it is published.

    ``locations`` empty: all of them. ``buffer`` units are kept back, and ``percent`` of the rest are published: 0 if
    that is less than ``min_publish``, and never more than ``cap``. ``cadence_s`` 0: at once; else every so many
    seconds, but a fall to zero is published at once. ``reconcile_every_s`` 0: only on request. ``paused``: nothing is
    published, and what changes waits.
    """

    locations: list[LocationName] = []
    buffer: NonNegative = 0
    percent: Percent = 100
    min_publish: NonNegative = 0
    cap: NonNegative | None = None
    cadence_s: CadenceS = 0.0
    reconcile_every_s: ReconcileEveryS = 86_400.0
    paused: bool = False

    def __post_init__(self) -> None:
        if len(set(self.locations)) < len(self.locations):
            raise ValueError("locations names one twice; its units would count twice")


class RulesError(ValueError):
    """A rule set at run time is invalid: ``field`` names it, ``rule`` describes the values that it can have."""

    def __init__(self, field: str, rule: str) -> None:
        self.field = field
        self.rule = rule
        super().__init__(f"{field}: {rule}")


def understood(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored rules that this release can read; a newer one may have written other fields or values."""
    return {field: value for field, value in given.items() if not _fault(field, value)}


def rules_in_force(configured: ChannelRules, given: Mapping[str, Any]) -> ChannelRules:
    """Return the rules in force: those of the configuration, with the fields that were set at run time.

    Fields that this release does not know are ignored. Of stored rules, pass those that are :func:`understood`.

    Raises
    ------
    RulesError
        A known field has an invalid value.

    """
    known = {field: value for field, value in given.items() if field in ChannelRules.__struct_fields__}
    for field, value in known.items():
        rule = _fault(field, value)
        if rule:
            raise RulesError(field, rule)
    return msgspec.convert({**msgspec.structs.asdict(configured), **known}, ChannelRules)


def _fault(field: str, value: object) -> str:
    """Describe the values that a field can have where its value is invalid; else empty. No rule spans two fields."""
    try:
        msgspec.convert({field: value}, ChannelRules)
    except msgspec.ValidationError as error:
        first = str(error).partition(" - at `$")[0].replace("`", "").removeprefix(field + " ")
        return next((fault.rule for fault in faults_of({field: value}, ChannelRules)), first)
    return ""


class ChannelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One configured channel, without its credentials. ``options`` are the adapter's own.

    ``listings``: "listed" sends the SKUs that have a listing; "all" sends every SKU, under its own name where it has
    none. ``allow_private`` names hosts that may be called although their address is private, and without TLS.
    ``orders``: whether and how its orders come in. ``mirror``: where what it holds itself is counted; None: nowhere.
    """

    name: str
    kind: str
    partition: str = DEFAULT_PARTITION
    rules: ChannelRules = ChannelRules()
    listings: Literal["listed", "all"] = "listed"
    options: dict[str, Any] = {}
    allow_private: list[str] = []
    timeout_s: float = 15.0
    orders: OrderIntake = OrderIntake()
    mirror: MirrorSettings | None = None


def is_channel_name(name: str) -> bool:
    """Return whether a channel that is configured can have this name: it can be part of a store key."""
    return re.fullmatch(CHANNEL_PATTERN, name) is not None


def check_channel_name(name: str) -> None:
    """Refuse a name that a configured channel cannot have.

    Raises
    ------
    ValueError
        It cannot; the message has the rule.

    """
    if not is_channel_name(name):
        raise ValueError(f"channel {name!r} {CHANNEL_NAME_RULE}")


class Listing(msgspec.Struct, array_like=True, frozen=True):
    """A SKU as a channel knows it. ``key``: its name there; ``listed`` False: 0 is published.

    Prices are decimal text, empty: not published. ``attributes`` is what an adapter needs beside the key.
    With ``components`` it is a pack or a bundle, known by its key: ``sku`` is what ``known_by`` makes of that.
    """

    sku: str
    key: str
    listed: bool = True
    price: str = ""
    list_price: str = ""
    currency: str = ""
    attributes: dict[str, str] = {}
    components: list[Component] = []

    @property
    def made_of(self) -> list[Component]:
        """What one piece is made of: its components, or one unit of its SKU."""
        return self.components or [Component(self.sku, 1)]


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """What comparisons have found of a SKU, ``times`` in a row: it shows one number after it has confirmed another.

    ``sent``: what it confirmed each time, None: not always the same.
    """

    shows: int
    sent: int | None
    times: int


class Shown(msgspec.Struct, array_like=True, frozen=True):
    """The quantity and price that a channel has last confirmed for a key; ``seq`` is of the change that led to it.

    ``sold``: the units that it has sold itself since then, fewer than none if it took some back. It has changed its
    own number, so that is unknown. None: there was no such sale. ``kept``: comparisons say that it did not take effect.
    ``sku`` had the key then; empty: an earlier release did not write it.
    """

    key: str
    quantity: int
    price: str
    list_price: str
    seq: int
    confirmed_ms: int
    sold: int | None = None
    kept: Kept | None = None
    sku: str = ""

    def confirms(self, sku: str, quantity: int) -> bool:
        """Return whether the channel has confirmed this quantity of this SKU, and sold nothing itself since."""
        return self.quantity == quantity and self.sold is None and self.sku in (sku, "")

    @property
    def may_show_units(self) -> bool:
        """Whether the channel may show more than nothing."""
        return self.quantity > 0 or self.sold is not None

    @property
    def is_sold_out_there(self) -> bool:
        """Whether the channel's own sales have taken all that it was told."""
        return self.sold is not None and self.sold >= self.quantity > 0


class DeadLetter(msgspec.Struct, array_like=True, frozen=True):
    """A quantity or a price that a channel refused for good. ``reason``: in its own words. Times: of the store's clock.

    ``field`` says which of the two; a SKU can have one of each. Only that of a price has ``price`` and what follows.
    """

    sku: str
    key: str
    quantity: int
    code: str
    reason: str
    attempts: int
    first_ms: int
    last_ms: int
    seq: int = 0
    field: Literal["quantity", "price"] = "quantity"
    price: str = ""
    list_price: str = ""
    currency: str = ""


class TicketItem(msgspec.Struct, array_like=True, frozen=True):
    """One SKU's quantity and price in a ticket. ``priced``: it carries the price, else the channel showed it before.

    Earlier releases did not write which of the two it is.
    """

    sku: str
    key: str
    quantity: int
    price: str
    list_price: str
    seq: int
    changed_ms: int
    priced: bool = True


class OpenTicket(msgspec.Struct, array_like=True, frozen=True):
    """A push that the channel has accepted and not yet confirmed."""

    id: str
    accepted_ms: int
    expires_ms: int
    items: list[TicketItem]


Circuit = Literal["closed", "open", "halted"]
"""open: the channel fails, and gets one trial request at a time. halted: it answered that retries are useless."""


class LastReconcile(msgspec.Struct, frozen=True):
    """The result of the last reconcile. ``read_back`` False: the channel cannot be read, so all was sent again."""

    finished_ms: int
    checked: int
    differed: int
    read_back: bool = True


class LastTest(msgspec.Struct, frozen=True):
    """What came of the last test of the connection: whether the channel answered, and its ``reason`` where it did not.

    ``answered`` None: nobody knows yet, since the channel cannot be read. ``reason`` says what was done in its place.
    """

    finished_ms: int
    answered: bool | None
    reason: str = ""


class ChannelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of a channel, as its publisher last wrote it. Ages are seconds, times milliseconds since 1970.

    ``since_ms``: when something was first published to it. ``oldest_unsent_s``: age of the oldest change that was not
    sent. ``lag_p50_s`` and ``lag_p99_s``: from change to the channel's own confirmation, over the last thousand, None
    where there was none. ``cursor``: the journal id up to which all is confirmed. ``refused_prices`` of the
    ``dead_letters`` are about a price alone. ``lists_all``: every SKU is listed, under its own name if need be.
    ``intake`` None: no orders come in from it. ``signed_out``: a person has to sign in. ``quantity_max``: greater
    quantities are shown as this one. ``mirror`` None: what it holds itself is not counted. ``paused``: by its
    rules. ``test`` None: the connection was not tested.
    """

    publisher: str
    written_ms: int
    since_ms: int = 0
    listings: int = 0
    dirty: int = 0
    in_flight: int = 0
    tickets: int = 0
    oldest_unsent_s: float = 0.0
    last_confirmed_ms: int | None = None
    circuit: Circuit = "closed"
    reason: str = ""
    dead_letters: int = 0
    lag_p50_s: float | None = None
    lag_p99_s: float | None = None
    cursor: str = ""
    reconcile: LastReconcile | None = None
    refused_prices: int = 0
    lists_all: bool = False
    intake: IntakeStatus | None = None
    signed_out: bool = False
    quantity_max: int | None = None
    mirror: MirrorStatus | None = None
    paused: bool = False
    test: LastTest | None = None

    def is_current(self, now_ms: int) -> bool:
        """Whether a publisher runs. A time ahead of the clock was written while that was fast, so it says nothing."""
        return abs(now_ms - self.written_ms) <= PUBLISHER_MISSING_MS


def publishable(rules: ChannelRules, available: Mapping[str, int], *, listed: bool = True) -> int:
    """Return the publishable quantity of a SKU from the units available at each location. Never negative.

    A shortage at one of the channel's locations reduces the sum: those units are reserved.
    """
    if not listed:
        return 0
    # Runs for each change and channel that lists the SKU, so the usual case takes the short way.
    units = sum([available.get(each, 0) for each in rules.locations]) if rules.locations else sum(available.values())
    units = max(0, units - rules.buffer) * rules.percent // 100
    if units < rules.min_publish:
        return 0
    return units if rules.cap is None else min(units, rules.cap)
