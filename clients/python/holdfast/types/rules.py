"""What is sent and answered: rules.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import date, datetime

import msgspec

from holdfast.types.common import SeamView


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was crossed. ``available``: what could be reserved right after it. ``location`` "": at all."""

    id: str
    type: str
    """One of: shortage.opened, sku.back, sku.new, sku.out, stock.back, stock.low, stock.out."""
    at: datetime
    sku: str
    location: str
    available: int
    reorder_point: int
    seq: int


class NamedSkuBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a SKU is, with its name."""

    sku: str
    """What is sold: 1–128 bytes of printable UTF-8."""
    category: str | None


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What to order for a (SKU, location). ``reorder_point`` and ``target`` are those that hold at this velocity.

    ``incoming`` units are on their way already: expected, and not late, or in transit from another location.
    """

    sku: str
    location: str
    available: int
    incoming: int
    per_day: float
    reorder_point: int
    target: int
    quantity: int


class RuleBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule for one SKU or all, at one location or all. ``remove``: take it away."""

    sku: str | None = None
    """What is sold: 1–128 bytes of printable UTF-8."""
    location: str | None = None
    """A warehouse or store: 1–64 bytes of printable UTF-8."""
    reorder_point: int | None = None
    target: int | None = None
    lead_time_days: float | None = None
    cover_days: float | None = None
    remove: bool | None = None


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. ``sku`` or ``location`` null: for all."""

    sku: str | None
    location: str | None
    reorder_point: int
    target: int
    lead_time_days: float
    cover_days: float


class SafetyRuleBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule for one category or all, at one location or all. ``remove``: take it away."""

    category: str | None = None
    location: str | None = None
    """A warehouse or store: 1–64 bytes of printable UTF-8."""
    units: int | None = None
    percent: int | None = None
    remove: bool | None = None


class SafetyRuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. ``category`` or ``location`` null: for all."""

    category: str | None
    location: str | None
    units: int
    percent: int


class SkuView(msgspec.Struct, frozen=True, kw_only=True):
    """What a SKU is. ``category`` null: none. ``tracked`` is left out where many are put into categories.

    ``sku`` is what it is called now; ``former_names``, left out where there are none, are what it was called before.
    """

    sku: str
    category: str | None
    tracked: bool | None = None
    former_names: list[str] = msgspec.field(default_factory=list)


class EventList(msgspec.Struct, frozen=True, kw_only=True):
    """Events, oldest first. ``next`` goes into ``after`` to read on, also when there is none now."""

    events: list[EventView]
    next: str


class ProposalList(msgspec.Struct, frozen=True, kw_only=True):
    """What to order, most urgent first; ``proposals_total`` counts those of all pages.

    ``next`` is the ``after`` of the next page, empty on the last. Each page is worked out anew.
    """

    proposals: list[Proposal]
    proposals_total: int
    next: str


class RuleList(msgspec.Struct, frozen=True, kw_only=True):
    """Every rule, those for all first."""

    rules: list[RuleView]


class RulesPut(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that were set. ``unknown_skus``: these have no stock yet, so check their names."""

    rules: list[RuleView]
    unknown_skus: list[str] = msgspec.field(default_factory=list)


class SafetyRuleList(msgspec.Struct, frozen=True, kw_only=True):
    """Rules, those for all first."""

    rules: list[SafetyRuleView]


class SafetyRulesPut(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that were set. ``unknown_categories``: no SKU is of these yet, so check their names."""

    rules: list[SafetyRuleView]
    unknown_categories: list[str] = msgspec.field(default_factory=list)


class TimeZoneView(msgspec.Struct, frozen=True, kw_only=True):
    """Whose days they are now, which day it is, and every change so far."""

    time_zone: str
    today: date
    seams: list[SeamView]


class SkuList(msgspec.Struct, frozen=True, kw_only=True):
    """What SKUs are, in the order in which they were given."""

    skus: list[SkuView]
