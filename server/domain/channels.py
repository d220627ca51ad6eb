"""What a channel is told, and what is kept about it: rules, listings, and the records of what it confirmed.

Types with ``array_like`` are kept in the store as MessagePack, so new fields come at the end, with a default.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from server.domain.limits import DEFAULT_PARTITION, LOCATION_BYTES_MAX, NAME_BYTES_MAX, QUANTITY_MAX

CHANNEL_PATTERN: Final = rf"[a-z0-9][a-z0-9_.-]{{0,{NAME_BYTES_MAX - 1}}}"
"""A channel's name becomes part of a store key and a metric's label."""
KEY_BYTES_MAX: Final = 256
"""A listing's key: the longest seen is Shopify's, at some 60."""
ATTRIBUTES_MAX: Final = 32
LISTINGS_PER_CALL_MAX: Final = 1_000
DEAD_LETTERS_PER_PAGE_MAX: Final = 1_000
MONTH_S: Final = 31 * 86_400
PUBLISHER_MISSING_MS: Final = 5_000
"""A publisher writes each second; who has been silent for so long is not there."""

NonNegative = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
Place = Annotated[str, Meta(min_length=1, max_length=LOCATION_BYTES_MAX)]
Percent = Annotated[int, Meta(ge=0, le=100)]
CadenceS = Annotated[float, Meta(ge=0, le=86_400)]
ReconcileEveryS = Annotated[float, Meta(ge=0, le=MONTH_S)]


class ChannelRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a channel's number comes from what is available, and when it is told.

    ``locations`` empty: all of them. ``buffer`` units stay behind. ``percent`` of the rest are shown, none of fewer
    than ``min_publish``, and never more than ``cap``. ``cadence_s`` 0: at once; else every so many seconds, but a fall
    to zero goes at once all the same. ``reconcile_every_s`` 0: only when asked.
    """

    locations: list[Place] = []
    buffer: NonNegative = 0
    percent: Percent = 100
    min_publish: NonNegative = 0
    cap: NonNegative | None = None
    cadence_s: CadenceS = 0.0
    reconcile_every_s: ReconcileEveryS = 86_400.0

    def __post_init__(self) -> None:
        if len(set(self.locations)) < len(self.locations):
            raise ValueError("locations names one twice; its units would count twice")


class RulesError(ValueError):
    """Rules that were given at run time cannot be: ``field`` names which, ``rule`` what is expected there."""

    def __init__(self, field: str, rule: str) -> None:
        self.field = field
        self.rule = rule
        super().__init__(f"{field}: {rule}")


def understood(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of stored rules what this release can read; a newer one may have written more, or wider values."""
    return {field: value for field, value in given.items() if not _fault(field, value)}


def rules_in_force(configured: ChannelRules, given: Mapping[str, Any]) -> ChannelRules:
    """Tell the rules that hold: those of the configuration, but for the fields that were given at run time.

    Fields that this release does not know are passed over. Of what is stored, hand over what is :func:`understood`.

    Raises
    ------
    RulesError
        A known field has a value that it cannot have.

    """
    known = {field: value for field, value in given.items() if field in ChannelRules.__struct_fields__}
    for field, value in known.items():
        rule = _fault(field, value)
        if rule:
            raise RulesError(field, rule)
    return msgspec.convert({**msgspec.structs.asdict(configured), **known}, ChannelRules)


def _fault(field: str, value: object) -> str:
    """Tell what is wrong with one field of the rules; empty: nothing. No rule is about two fields."""
    try:
        msgspec.convert({field: value}, ChannelRules)
    except msgspec.ValidationError as error:
        return str(error).partition(" - at `$")[0].replace("`", "").removeprefix(field + " ")
    return ""


class ChannelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One configured channel, without its credentials. ``options`` are the adapter's own.

    ``listings``: "listed" sends the SKUs that have a listing; "all" sends every SKU, under its own name where it has
    none. ``allow_private`` names hosts that may be called although their address is private, and without TLS.
    """

    name: str
    kind: str
    partition: str = DEFAULT_PARTITION
    rules: ChannelRules = ChannelRules()
    listings: Literal["listed", "all"] = "listed"
    options: dict[str, Any] = {}
    allow_private: list[str] = []
    timeout_s: float = 15.0


def check_channel_name(name: str) -> None:
    """Refuse a name that cannot be part of a store key.

    Raises
    ------
    ValueError
        It is not 1–64 characters of a-z, 0-9, ``_``, ``.`` and ``-``, or does not start with a letter or digit.

    """
    if not re.fullmatch(CHANNEL_PATTERN, name):
        raise ValueError(
            f"channel {name!r} must be 1-{NAME_BYTES_MAX} of a-z, 0-9, '_', '.' and '-',"
            " and start with a letter or digit"
        )


class Listing(msgspec.Struct, array_like=True, frozen=True):
    """A SKU as a channel knows it. ``key``: its name there; ``listed`` False: the channel is told 0.

    Prices are decimal text, empty: not told. ``attributes`` is what an adapter needs beside the key.
    """

    sku: str
    key: str
    listed: bool = True
    price: str = ""
    list_price: str = ""
    currency: str = ""
    attributes: dict[str, str] = {}


class Shown(msgspec.Struct, array_like=True, frozen=True):
    """What a channel has last confirmed for a SKU. ``seq`` and ``changed_ms`` are of the change that it carried."""

    key: str
    quantity: int
    price: str
    list_price: str
    seq: int
    confirmed_ms: int


class DeadLetter(msgspec.Struct, array_like=True, frozen=True):
    """A value that a channel will not take. ``reason`` in the channel's own words; times are of the store's clock."""

    sku: str
    key: str
    quantity: int
    code: str
    reason: str
    attempts: int
    first_ms: int
    last_ms: int
    seq: int = 0


class TicketItem(msgspec.Struct, array_like=True, frozen=True):
    """One value that a ticket carries."""

    sku: str
    key: str
    quantity: int
    price: str
    list_price: str
    seq: int
    changed_ms: int


class OpenTicket(msgspec.Struct, array_like=True, frozen=True):
    """A push that the channel took for later and has not yet answered for."""

    id: str
    accepted_ms: int
    expires_ms: int
    items: list[TicketItem]


Circuit = Literal["closed", "open", "halted"]
"""open: the channel fails, one careful request now and then. halted: it said that it is of no use to ask again."""


class LastReconcile(msgspec.Struct, frozen=True):
    """What the last comparison with the channel found. ``read_back`` False: it cannot be read, all was sent again."""

    finished_ms: int
    checked: int
    differed: int
    read_back: bool = True


class ChannelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel stands, as its publisher last wrote it. Ages are seconds, times milliseconds since 1970.

    ``since_ms``: when the channel was first told anything. ``oldest_unsent_s``: how long the longest waiting change has
    waited. ``lag_p50_s`` and ``lag_p99_s``: from change to the channel's own confirmation, over the last thousand, None
    where there was none. ``cursor``: the journal id up to which all is confirmed.
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


def publishable(rules: ChannelRules, available: Mapping[str, int], *, listed: bool = True) -> int:
    """Tell what a channel is shown of a SKU, from what may be promised at each location. Never negative.

    A shortage at one of the channel's locations takes from what the others have: those units are promised.
    """
    if not listed:
        return 0
    # Runs for each change and channel that lists the SKU, so the usual case takes the short way.
    units = sum([available.get(place, 0) for place in rules.locations]) if rules.locations else sum(available.values())
    units = max(0, units - rules.buffer) * rules.percent // 100
    if units < rules.min_publish:
        return 0
    return units if rules.cap is None else min(units, rules.cap)
