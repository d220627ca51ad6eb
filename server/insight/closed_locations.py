"""The closed locations as the counter of figures sees them, and the events of what lies at one that closed or opened.

They stand in the store beside the cursor and are of its moment, so what is counted late is seen as it was. The events
of one location are written in steps; which step is next stands there, too, and a script writes it with the events.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from server.domain.alerts import Alert
from server.domain.aliases import RENAMED
from server.domain.changes import Change
from server.domain.locations import LocationsChanged
from server.domain.replenishment import Rules, rule_for
from server.store.repositories.daily_figures import FigureStore, Mask, StockAtLocation
from server.store.repositories.locations import closings, read_closed
from server.store.repositories.replenishment import event_of

EVENTS_MAX: Final = 100
"""Of one script, which writes each to two streams: about a millisecond of the store's time."""


class Step(NamedTuple):
    """The next events of a change of locations; ``mask`` is written with them. ``is_last``: none are left."""

    events: list[Change]
    mask: Mask
    is_last: bool


class MaskedLocations:
    """The closed locations at the counter's cursor."""

    def __init__(self, store: FigureStore) -> None:
        self._store = store
        self.mask = Mask()

    async def begin(self, cursor: str) -> None:
        """Read the mask at the cursor; an older release may have counted since, then it is that of now."""
        self.mask = await self._store.mask()
        if self.mask.cursor != cursor:
            now = await read_closed(self._store.client, self._store.keyspace)
            self.mask = self.mask._replace(closed=now, step="", stored_closed=None)

    def moved_by(self, changes: Sequence[Change]) -> LocationsChanged | None:
        """Return which locations changes closed and opened; None: none, or it is in the mask already."""
        for change in changes:
            moved = closings(change)
            if moved is not None and moved.closed and change.operation == RENAMED:
                # A closed location has another name from now on: nothing is out that was not.
                self.mask = self.mask._replace(closed=self.mask.closed.after(moved))
            elif moved is not None and moved.version > self.mask.closed.version:
                return moved
        return None

    async def next_step(self, entry_id: str, moved: LocationsChanged, at_ms: int, rules: Rules) -> Step:
        """Make the next events of a change. Which SKUs lie there is read now, and what is available of them."""
        entry, place, part = (*self.mask.step.split(), "0", "0")[:3] if self.mask.step else (entry_id, "0", "0")
        if entry != entry_id:
            place = part = "0"
        shelves, following = await self._store.shelves_at(moved.names, int(place))
        crossed = [each for each in shelves if each.available > 0]
        first = int(part) * EVENTS_MAX
        events = [_event(each, moved, at_ms, rules) for each in crossed[first : first + EVENTS_MAX]]
        if first + EVENTS_MAX < len(crossed):
            return Step(events, self.mask._replace(step=f"{entry_id} {place} {int(part) + 1}"), is_last=False)
        if following:
            return Step(events, self.mask._replace(step=f"{entry_id} {following} 0"), is_last=False)
        return Step(events, self.mask._replace(closed=self.mask.closed.after(moved), step=""), is_last=True)


def _event(shelf: StockAtLocation, moved: LocationsChanged, at_ms: int, rules: Rules) -> Change:
    """A closing takes all units away, an opening brings them back."""
    is_closed = shelf.location in moved.closed
    alert: Alert = "stock.out" if is_closed else "stock.back"
    rule = rule_for(rules, shelf.sku, shelf.location)
    return event_of(
        alert, at_ms=at_ms, sku=shelf.sku, location=shelf.location, available=0 if is_closed else shelf.available,
        reorder_point=rule.reorder_point if rule is not None else 0, seq=shelf.seq,
    )  # fmt: skip
