"""Finds SKUs that ran out at their last open location, or are back at one, beside the events of each location.

What counts is whether any open location has units. That can change only where the event of a location is raised, so
only those SKUs are looked at. Units are read as they are now, and which SKUs are out is kept in the store, changed by
the script that appends the events. So each event is raised once, and they come in turns, also after a crash. A SKU that
ran out and came back between two looks raises neither.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from server.domain.changes import Change
from server.store.repositories.daily_figures import FigureStore, Finding
from server.store.repositories.replenishment import event_of

_OUT, _BACK, _NEW = "stock.out", "stock.back", "sku.new"
_TELLING: Final = frozenset({_OUT, _BACK, _NEW})


async def find(store: FigureStore, events: Sequence[Change], closed: frozenset[str]) -> list[Finding]:
    """Find what the events of locations mean for their SKUs; ``closed``: locations whose units do not count."""
    by_sku: dict[str, list[Change]] = {}
    for event in events:
        if event.operation in _TELLING:
            by_sku.setdefault(dict(event.notes)["sku"], []).append(event)
    if by_sku:
        by_sku = await _as_called_now(store, by_sku)
    units = await store.units_of(list(by_sku), closed) if by_sku else {}
    found = (_finding(sku, raised, units[sku]) for sku, raised in by_sku.items())
    return [each for each in found if each is not None]


async def _as_called_now(store: FigureStore, by_sku: Mapping[str, list[Change]]) -> dict[str, list[Change]]:
    """Return the events by what their SKUs are called now: the store knows which are out under that name."""
    names = await store.current_of(list(by_sku))
    found: dict[str, list[Change]] = {}
    for sku, raised in by_sku.items():
        found.setdefault(names[sku], []).extend(raised)
    return found


def _finding(sku: str, raised: Sequence[Change], units: Mapping[str, int]) -> Finding | None:
    kinds = {event.operation for event in raised}
    if units and (_NEW in kinds or _BACK not in kinds):
        return None  # it is said to be new, or was there all the time
    if not units and _OUT not in kinds:
        # New and without units; or there were some, and they were sold meanwhile: an event that comes says so.
        return Finding(sku, is_out=True, is_sure=False, event=None) if kinds == {_NEW} else None
    notes = dict(raised[-1].notes)
    event = event_of(
        "sku.back" if units else "sku.out",
        at_ms=raised[-1].at_ms,
        sku=sku,
        location="",
        available=sum(units.values()),
        reorder_point=0,
        seq=int(notes["seq"]),
    )
    return Finding(sku, is_out=not units, is_sure=bool(units) and set(units) <= _came_back(raised), event=event)


def _came_back(raised: Sequence[Change]) -> set[str]:
    """Name the locations that had no units before these events."""
    first: dict[str, str] = {}
    for event in raised:
        first.setdefault(dict(event.notes)["location"], event.operation)
    return {location for location, operation in first.items() if operation == _BACK}
