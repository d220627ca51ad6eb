"""Replenishment over the wire: rules by which to order, proposals, and events of stock that crossed a line."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from server.domain.alerts import Alert
from server.domain.replenishment import Days, Proposal, Units
from server.schemas.common import After, Body, Location, RowsMax, Sku

RULES_PER_CALL_MAX: Final = 1_000


class RuleBody(Body, frozen=True):
    """A rule for one SKU or all, at one location or all. ``remove``: take it away."""

    sku: Sku | None = None
    location: Location | None = None
    reorder_point: Units = 0
    target: Units = 0
    lead_time_days: Days = 0.0
    cover_days: Days = 0.0
    remove: bool = False


class RulesBody(Body, frozen=True):
    """Rules to set; those that are not named stay."""

    rules: Annotated[list[RuleBody], Meta(min_length=1, max_length=RULES_PER_CALL_MAX)]


class RuleView(msgspec.Struct, frozen=True):
    """A rule. ``sku`` or ``location`` null: for all."""

    sku: str | None
    location: str | None
    reorder_point: int
    target: int
    lead_time_days: float
    cover_days: float


class RuleList(msgspec.Struct, frozen=True):
    """Every rule, those for all first."""

    rules: list[RuleView]


class RulesPut(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rules that were set. ``unknown_skus``: these have no stock yet, so check their names."""

    rules: list[RuleView]
    unknown_skus: list[str] = []


class PlaceQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SKU or all, at one location or all. ``after`` is the ``next`` of the page before."""

    sku: Sku | None = None
    location: Location | None = None
    after: After = ""
    limit: RowsMax = 100


class ProposalList(msgspec.Struct, frozen=True):
    """What to order, most urgent first; ``proposals_total`` counts those of all pages.

    ``next`` is the ``after`` of the next page, empty on the last. Each page is worked out anew.
    """

    proposals: list[Proposal]
    proposals_total: int
    next: str


class EventsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after``: the ``next`` of an earlier answer; without it from the oldest event that is kept."""

    after: Annotated[str, Meta(max_length=64)] | None = None
    limit: RowsMax = 100
    about: Annotated[
        Literal["places", "skus", "all"],
        Meta(description="Events of SKUs at their locations, of SKUs as a whole, or both."),
    ] = "places"


class EventView(msgspec.Struct, frozen=True):
    """A line that was crossed. ``available``: what could be reserved right after it. ``location`` "": at all."""

    id: str
    type: Alert
    at: datetime
    sku: str
    location: str
    available: int
    reorder_point: int
    seq: int


class EventList(msgspec.Struct, frozen=True):
    """Events, oldest first. ``next`` goes into ``after`` to read on, also when there is none now."""

    events: list[EventView]
    next: str
