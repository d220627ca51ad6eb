"""The history over the wire: who changed what, when, from what to what, and why."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.history import Gap, GapReason, HistoryRow
from server.schemas.common import Channel, Location, OrderNumber, Sku, time_of

HistoryKey = Annotated[str, Meta(min_length=1, max_length=256)]
Actor = Annotated[str, Meta(min_length=1, max_length=2 * limits.NAME_BYTES_MAX + 1)]


class HistoryQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Which changes; what is left out does not matter. ``to`` is not included.

    ``order``: the number of an order, or the id of a reservation. ``key``: a channel's key of a listing, a barcode, or
    the id of an API key. ``at``: what was available of ``sku`` then, and the changes up to then. ``after`` is the
    ``next`` of the page before.
    """

    sku: Sku | None = None
    order: OrderNumber | None = None
    location: Location | None = None
    channel: Channel | None = None
    actor: Actor | None = None
    key: HistoryKey | None = None
    from_: datetime | msgspec.UnsetType = msgspec.UNSET
    to: datetime | msgspec.UnsetType = msgspec.UNSET
    at: datetime | msgspec.UnsetType = msgspec.UNSET
    after: Annotated[str, Meta(max_length=40)] = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50


class HistoryView(msgspec.Struct, frozen=True):
    """One change. Names are as they were then; empty: it is about none.

    ``deltas``: by how many units it moved which bucket. ``available``: units that could be reserved after it,
    ``available_before`` before it; null: it moved no stock, or channels had allocations there. ``was`` and ``now``: of
    a setting, as JSON or text; null: it is none, empty: it was not set. ``seq`` null: no stock was changed.
    """

    at: datetime
    operation: str
    actor: str
    channel: str
    sku: str
    location: str
    reservation_id: str
    order_ref: str
    key: str
    state: str
    deltas: dict[str, int]
    available_before: int | None
    available: int | None
    was: str | None
    now: str | None
    reason: str
    notes: dict[str, str]
    seq: int | None


class GapView(msgspec.Struct, frozen=True):
    """A time of which not everything is known. ``from`` null: since ever."""

    from_: datetime | None = msgspec.field(name="from")
    to: datetime
    reason: GapReason


class PlaceThenView(msgspec.Struct, frozen=True):
    """What was available at a location; null: not known. ``change`` made it so, null: it is older than the history.

    ``sure`` false: something that is not known lies between that change and the time, see the gaps.
    """

    location: str
    available: int | None
    sure: bool
    change: HistoryView | None


class StockThenView(msgspec.Struct, frozen=True):
    """What was available of a SKU at a time, together and at each location. ``complete`` false: some are left out."""

    sku: str
    at: datetime
    available: int
    locations: list[PlaceThenView]
    complete: bool


class HistoryPage(msgspec.Struct, frozen=True):
    """Changes, the newest first, as of a moment. ``next`` is the ``after`` of the next page, empty on the last.

    A page can have fewer than were asked for, or none, although there are more. ``gaps``: where the history lacks
    something in the time that was asked for. ``then``: the answer to ``at``.
    """

    changes: list[HistoryView]
    next: str
    gaps: list[GapView]
    as_of: datetime
    then: StockThenView | None = None


_SHOWN_APART = frozenset({"was", "now", "reason", "order_ref", "sku", "location", "key"})


def history_view(row: HistoryRow) -> HistoryView:
    """Show a row."""
    detail, notes = row.detail, dict(row.detail.notes)
    return HistoryView(
        time_of(row.moment.ms), row.operation, row.actor, row.channel, row.sku, row.location, row.reservation_id,
        row.order_ref, row.key, detail.state, detail.moved, detail.before, row.available,
        notes.get("was"), notes.get("now"), notes.get("reason", ""),
        {name: value for name, value in notes.items() if name not in _SHOWN_APART},
        detail.seq or None,
    )  # fmt: skip


def gap_view(gap: Gap) -> GapView:
    """Show a gap."""
    return GapView(time_of(gap.from_ms) if gap.from_ms else None, time_of(gap.to_ms), gap.reason)
