"""Channels over the wire: rules, status, listings and dead letters."""

import re
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from server.domain import channels, limits
from server.domain.channels import ChannelRules, Circuit
from server.domain.components import COMPONENTS_MAX
from server.schemas.common import After, Body, ListingKey, Location, Looked, Reference, Sku, _text
from server.schemas.intake import IntakeView


class ChannelSummary(msgspec.Struct, frozen=True):
    """The state of a channel, in short. ``publisher_missing``: no report of it for five seconds or more.

    ``paused``: nothing is sent to it, because a rule says so.
    """

    channel: str
    kind: str
    publisher_missing: bool
    circuit: Circuit
    reason: str
    dirty: int
    oldest_unsent_s: float
    last_confirmed_at: datetime | None
    dead_letters: int
    lag_p50_s: float | None
    lag_p99_s: float | None
    paused: bool


class ChannelList(msgspec.Struct, frozen=True):
    """Every channel that is configured, by name."""

    channels: list[ChannelSummary]


class ChannelView(msgspec.Struct, frozen=True):
    """One channel: the rules in force, and the names of those that were set at run time.

    ``listings``: "listed" publishes the SKUs that have a listing; "all" publishes every SKU.
    """

    channel: str
    kind: str
    listings: Literal["listed", "all"]
    rules: ChannelRules
    set_at_run_time: list[str]


class ReconcileView(msgspec.Struct, frozen=True):
    """What the last comparison found. ``read_back`` false: the channel cannot be read, all was sent again."""

    finished_at: datetime
    checked: int
    differed: int
    read_back: bool


class ConnectionView(msgspec.Struct, frozen=True):
    """What came of the last test of the connection. ``answered`` null: it cannot be known; ``reason`` says why.

    Where the channel did not answer, ``reason`` is in its own words, or those of the network.
    """

    finished_at: datetime
    answered: bool | None
    reason: str


class MirrorView(msgspec.Struct, frozen=True):
    """The location at which it is counted what the channel holds in its own warehouse.

    ``read_at``: when the last reading began that was counted; null: none was. ``skus`` and ``units``: what it found.
    ``unmapped``: keys that neither a listing nor a SKU has. ``reason``: why nothing is counted, or not all; else empty.
    """

    location: str
    read_at: datetime | None
    skus: int
    units: int
    unmapped: int
    reason: str


class ChannelStatusView(msgspec.Struct, frozen=True):
    """The state of a channel, as its publisher last wrote it at ``written_at``; null: it never did.

    ``oldest_unsent_s``: how long the longest waiting change has waited, in seconds. ``lag_p50_s`` and ``lag_p99_s``:
    from change to the channel's own confirmation, over the last thousand. ``cursor``: the id in the journal up to which
    all is confirmed. ``refused_prices``: how many of the ``dead_letters`` are about a price alone. ``intake``: of its
    orders; null where none come in. ``mirror``: of what the channel holds itself; null where it is not counted.
    ``paused``: nothing is sent to it, because a rule says so. ``test``: of the connection; null: there was none.
    """

    channel: str
    publisher: str
    publisher_missing: bool
    written_at: datetime | None
    circuit: Circuit
    reason: str
    listings: int
    dirty: int
    in_flight: int
    tickets: int
    oldest_unsent_s: float
    last_confirmed_at: datetime | None
    dead_letters: int
    lag_p50_s: float | None
    lag_p99_s: float | None
    cursor: str
    reconcile: ReconcileView | None
    refused_prices: int
    intake: IntakeView | None
    mirror: MirrorView | None
    paused: bool
    test: ConnectionView | None


class ListingsPut(msgspec.Struct, frozen=True):
    """How many listings were put; ``unknown_skus``: those that stock does not know, shown as 0 until it does."""

    listings: int
    unknown_skus: list[str]


class ComponentView(msgspec.Struct, frozen=True):
    """Units of one SKU in each piece of a bundle."""

    sku: str
    quantity: int


class ListingView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A SKU as the channel knows it. With ``factor`` it is a pack of so many; a bundle has ``components``, and no SKU.

    Those two are known by their key.
    """

    sku: str
    key: str
    listed: bool
    price: str = ""
    list_price: str = ""
    currency: str = ""
    attributes: dict[str, str] = {}
    factor: int = 0
    components: list[ComponentView] = []


ListingState = Literal["shown", "pending", "refused", "unlisted"]
"""shown: confirmed by the channel. pending: not yet. refused: the channel does not take it. unlisted: taken off."""


class RefusedView(msgspec.Struct, frozen=True):
    """A quantity that the channel does not take, with its own code and reason."""

    quantity: int
    code: str
    reason: str
    attempts: int
    last_at: datetime


class ListingStandingView(ListingView, frozen=True, omit_defaults=True, kw_only=True):
    """A listing, the quantity that the channel confirmed last (``shown``), and the one that it ``should_show``.

    ``why`` says how that number comes about; null: there was no room to work it out. ``pending``: the channel has not
    confirmed it. ``refused``: it does not take it.
    """

    state: ListingState
    shown: int | None
    should_show: int | None
    why: str
    confirmed_at: datetime | None
    pending: bool
    refused: RefusedView | None


class ListingPage(msgspec.Struct, frozen=True):
    """Some listings, in no order; ``next`` is the ``after`` of the next page, empty on the last."""

    listings: list[ListingStandingView]
    next: str


class OnChannelView(msgspec.Struct, frozen=True):
    """What a channel shows of a SKU. No ``listings``: it is not on the channel. ``complete`` False: there are more.

    ``publisher_missing``: nothing is sent to it now.
    """

    channel: str
    kind: str
    publisher_missing: bool
    listings: list[ListingStandingView]
    complete: bool


class SkuOnChannels(msgspec.Struct, frozen=True):
    """What each configured channel shows of a SKU, and should show."""

    sku: str
    channels: list[OnChannelView]


class DeadLetterView(msgspec.Struct, frozen=True):
    """A value that the channel will not take. ``reason`` is in the channel's own words. ``sku`` of a pack is empty.

    ``field``: "price" means that the channel shows the quantity, and goes on doing so; ``price`` is the refused one.
    """

    sku: str
    key: str
    quantity: int
    code: str
    reason: str
    attempts: int
    first_at: datetime
    last_at: datetime
    seq: int
    field: Literal["quantity", "price"]
    price: str


class DeadLetterList(msgspec.Struct, frozen=True):
    """The newest first; ``complete``: no more come. ``next`` is the ``after`` of the next page, empty on the last."""

    dead_letters: list[DeadLetterView]
    complete: bool
    next: str


class ChannelAsked(msgspec.Struct, frozen=True):
    """The command to the channel's publisher. It stays until it is done; ``publisher_missing``: none does it now."""

    channel: str
    asked: Literal["reconcile", "retry", "test"]
    publisher_missing: bool


ChannelName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.NAME_BYTES_MAX,
        extra_json_schema={"pattern": f"^{channels.CHANNEL_PATTERN}$"},
        description="A channel of the configuration file.",
    ),
]


_PRICE_PATTERN = r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,4})?$"
PRICE: Final = re.compile(_PRICE_PATTERN.replace("$", r"\Z"))


Price = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=17,
        extra_json_schema={"pattern": _PRICE_PATTERN},
        description="Decimal text with at most 4 decimals, such as 129.90; more than 0.",
    ),
]


CURRENCY: Final = re.compile(r"[A-Z]{3}\Z")


Currency = Annotated[
    str,
    Meta(min_length=3, max_length=3, extra_json_schema={"pattern": "^[A-Z]{3}$"}, description="ISO 4217, such as TRY."),
]


AttributeName = Annotated[str, _text(limits.NAME_BYTES_MAX, "1–64 bytes of printable UTF-8.")]


class ChannelRulesBody(Body, frozen=True):
    """Rules to hold from now on. A field that is left out goes back to the configuration; ``cap`` null: no cap.

    ``paused`` alone stays as it is where it is left out. ``reason`` is no rule: the journal keeps it.
    """

    locations: list[Location] | msgspec.UnsetType = msgspec.UNSET
    buffer: channels.NonNegative | msgspec.UnsetType = msgspec.UNSET
    percent: channels.Percent | msgspec.UnsetType = msgspec.UNSET
    min_publish: channels.NonNegative | msgspec.UnsetType = msgspec.UNSET
    cap: channels.NonNegative | msgspec.UnsetType | None = msgspec.UNSET
    cadence_s: channels.CadenceS | msgspec.UnsetType = msgspec.UNSET
    reconcile_every_s: channels.ReconcileEveryS | msgspec.UnsetType = msgspec.UNSET
    paused: bool | msgspec.UnsetType = msgspec.UNSET
    reason: Reference | msgspec.UnsetType = msgspec.UNSET


class PauseBody(Body, frozen=True):
    """Why a channel is paused, or not any more; the journal keeps it."""

    reason: Reference | None = None


Factor = Annotated[
    int, Meta(ge=1, le=limits.PACK_UNITS_MAX, description="Units of the SKU in each piece that the channel sells.")
]


class ComponentBody(Body, frozen=True):
    """Units of one SKU in each piece of a bundle."""

    sku: Sku
    quantity: Factor = 1


Components = Annotated[
    list[ComponentBody],
    Meta(min_length=1, max_length=COMPONENTS_MAX, description="What one piece of a bundle is made of."),
]


class ListingBody(Body, frozen=True):
    """A SKU as the channel knows it. ``listed`` false: 0 is published. Prices left out are not published.

    With ``factor`` it is a further listing of the SKU, known by its key: a pack of so many. With ``components`` in
    place of the SKU it is a bundle, known by its key as well.
    """

    key: ListingKey
    sku: Sku | msgspec.UnsetType = msgspec.UNSET
    factor: Factor | msgspec.UnsetType = msgspec.UNSET
    components: Components | msgspec.UnsetType = msgspec.UNSET
    listed: bool = True
    price: Price | None = None
    list_price: Price | None = None
    currency: Currency | None = None
    attributes: Annotated[dict[AttributeName, Reference], Meta(max_length=channels.ATTRIBUTES_MAX)] = {}


class ListingsBody(Body, frozen=True):
    """Up to 1,000 listings, to be added or to replace those of the same SKUs, packs and bundles those of their key."""

    listings: Annotated[list[ListingBody], Meta(min_length=1, max_length=channels.LISTINGS_PER_CALL_MAX)]


class RetryBody(Body, frozen=True):
    """Try the dead letters of these SKUs again, or all."""

    skus: Annotated[list[Sku], Meta(min_length=1, max_length=channels.DEAD_LETTERS_PER_PAGE_MAX)] | None = None


class DeadLettersQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many; the newest come first. ``after`` is the ``next`` of the page before."""

    after: After = ""
    limit: Annotated[int, Meta(ge=1, le=channels.DEAD_LETTERS_PER_PAGE_MAX)] = 100


class ListingsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SKU's, with its packs and bundles; those of one key; those that ``q`` finds; or all; of a ``state`` or any.

    ``after`` is the ``next`` of the page before.
    """

    sku: Sku | None = None
    key: ListingKey | None = None
    q: Looked | None = None
    state: ListingState | msgspec.UnsetType = msgspec.UNSET
    after: After = ""
    limit: Annotated[int, Meta(ge=1, le=channels.LISTINGS_PER_CALL_MAX)] = 100
