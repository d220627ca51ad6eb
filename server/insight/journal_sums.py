"""What a part of the journal adds up to by day, and the events that it raises."""

from typing import Final

from server.domain.alerts import crossed
from server.domain.aliases import NAMES_ONLY
from server.domain.calendars import IN_UTC, Calendar
from server.domain.changes import Change, ChangeLine
from server.domain.daily_figures import Figures
from server.domain.locations import ClosedLocations
from server.domain.replenishment import Rules, rule_for
from server.insight.backorder_fills import NOBODY_WAITED, Filled
from server.store.repositories.replenishment import LACKING_CHANGED, NEW_SKU, event_of

_ALL_OPEN: Final = ClosedLocations()


class JournalSums:
    """What a part of the journal adds up to, and which thresholds were crossed in it."""

    def __init__(self, closed: ClosedLocations = _ALL_OPEN, calendar: Calendar = IN_UTC) -> None:
        self._closed = closed
        self._day_of = calendar.day_of
        self.days: dict[int, dict[str, dict[tuple[str, str], Figures]]] = {}
        self.events: list[Change] = []
        self._rows = 0
        self._known: dict[tuple[int, str, str, str], Figures] = {}
        self.changes = 0

    @property
    def size(self) -> int:
        """How much there is to write."""
        return self._rows + len(self.events)

    def pass_over(self, changes: int) -> None:
        """Take in changes that come to nothing."""
        self.changes += changes

    def take(self, change: Change, rules: Rules, highest_point: int, filled: Filled = NOBODY_WAITED) -> None:
        """Take one change in; ``rules`` define what is low, and no reorder point is above ``highest_point``.

        ``filled``: lines whose units filled backorders at once.
        """
        self.changes += 1
        operation, day, channel = change.operation, self._day_of(change.at_ms), change.channel
        if operation in NAMES_ONLY:
            return
        if operation == LACKING_CHANGED:
            self._note_lacking(change, rules)
        elif change.notes and not change.reservation_id:
            self._note_new(change)
        for line in change.lines:
            now = line.available
            was = now - line.d_available
            if filled and line.seq in filled:
                was, now = filled[line.seq]
            # Most changes happen far above any line, and this runs for each of them.
            if (was <= highest_point or now <= highest_point) and line.location not in self._closed.names:
                self._watch(change.at_ms, line, was, now, rules)
            # What is owed is ordered, too: it counts once, when it is ordered, and not again when the units come.
            d_on_hand, d_ordered = line.d_on_hand, line.d_committed + line.d_owed
            if d_on_hand or d_ordered:  # a hold comes to nothing here until it is committed
                self._row(day, line.sku, channel, line.location).take(operation, d_on_hand, d_ordered)

    def _watch(self, at_ms: int, line: ChangeLine, was: int, now: int, rules: Rules) -> None:
        rule = rule_for(rules, line.sku, line.location)
        point = rule.reorder_point if rule is not None else 0
        for alert in crossed(was, now, point):
            self.events.append(
                event_of(
                    alert, at_ms=at_ms, sku=line.sku, location=line.location, available=now,
                    reorder_point=point, seq=line.seq,
                )
            )  # fmt: skip

    def _note_new(self, change: Change) -> None:
        for sku in (value for name, value in change.notes if name == NEW_SKU):
            line = next(line for line in change.lines if line.sku == sku)
            self.events.append(
                event_of(
                    "sku.new", at_ms=change.at_ms, sku=sku, location=line.location, available=max(0, line.available),
                    reorder_point=0, seq=line.seq,
                )
            )  # fmt: skip

    def _note_lacking(self, change: Change, rules: Rules) -> None:
        notes = dict(change.notes)
        if notes["lacked"] != "0":
            return  # the shortage was there before
        sku, location = notes["sku"], notes["location"]
        rule = rule_for(rules, sku, location)
        self.events.append(
            event_of(
                "shortage.opened", at_ms=change.at_ms, sku=sku, location=location, available=int(notes["available"]),
                reorder_point=rule.reorder_point if rule is not None else 0, seq=int(notes["seq"]),
            )
        )  # fmt: skip

    def _row(self, day: int, sku: str, channel: str, location: str) -> Figures:
        where = day, sku, channel, location
        figures = self._known.get(where)
        if figures is None:
            self._rows += 1
            figures = self._known[where] = Figures()
            self.days.setdefault(day, {}).setdefault(sku, {})[channel, location] = figures
        return figures
