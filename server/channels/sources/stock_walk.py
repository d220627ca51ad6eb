"""One walk over what a source says: gathered page by page, and judged as a whole before any number is believed."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from adapters.contract.source import StockPage
from server.domain.sources import UNREADABLE_SHOWN_MAX, WHOLE_LIST, WaitingNumber
from server.domain.spelling import normal
from server.domain.sudden_changes import Change, ChangeRules, Place, is_within, suspicion_of_list, suspicions


class SaidNumber(NamedTuple):
    """A number as the source said it, when it had been told of ``told`` units at the place since the start."""

    units: int
    told: int


class StockWalk:
    """A walk that goes on. ``began_ms``: on the store's clock, before the first question."""

    def __init__(self, cursor: str, *, whole: bool, began_ms: int) -> None:
        self.cursor = cursor
        self.whole = whole
        self.began_ms = began_ms
        self.pages = 0
        self.said: dict[Place, SaidNumber] = {}
        self.listed: set[Place] = set()
        """All places that it met, also those whose number cannot be used."""
        self.unreadable: list[str] = []

    def add(
        self, page: StockPage, *, locations: Collection[str], told: Mapping[Place, int], unsure: Collection[Place]
    ) -> None:
        """Take a page in. ``unsure``: places of which nobody knows whether the source was told of a sale."""
        self.cursor = page.cursor
        self.whole = page.whole and (self.whole or not self.pages)
        self.pages += 1
        for row in page.rows:
            place = normal(row.sku), row.location
            if not place[0] or row.location not in locations:
                continue
            self.listed.add(place)
            if place not in unsure:
                self.said[place] = SaidNumber(row.quantity, told.get(place, 0))
        for sku in page.unreadable:
            self.listed.update((normal(sku), location) for location in locations)
            if len(self.unreadable) < UNREADABLE_SHOWN_MAX:
                self.unreadable.append(sku)

    def keep(self, is_wanted: Callable[[Place], bool]) -> None:
        """Leave out all other places."""
        self.listed = {place for place in self.listed if is_wanted(place)}
        self.said = {place: said for place, said in self.said.items() if place in self.listed}


class Verdict(NamedTuple):
    """What comes of a walk: ``believed`` numbers, and what waits for a person; all else is forgotten of what waited.

    ``gone``: places that the source does not have any more, as a person has settled: True where nothing is left there.
    """

    believed: dict[Place, SaidNumber]
    waiting: dict[Place, WaitingNumber]
    gone: dict[Place, bool]


def judge(
    walk: StockWalk,
    *,
    before: Mapping[Place, int],
    known: Mapping[Place, int],
    waiting: Mapping[Place, WaitingNumber],
    rules: ChangeRules,
    now_ms: int,
) -> Verdict:
    """Judge a walk that has ended.

    ``before``: what each number would be if nothing had changed at the source. ``known``: what the last walks said.
    ``waiting``: what waited until now, with the decisions of people.
    """
    whole = _of_list(walk, known, waiting.get(WHOLE_LIST), rules, now_ms) if walk.whole else waiting.get(WHOLE_LIST)
    if whole is not None and walk.whole:
        return Verdict({}, {**waiting, WHOLE_LIST: whole}, {})
    changes = {place: (before.get(place, 0), said.units) for place, said in walk.said.items()}
    kept = {place: each for place, each in waiting.items() if place not in walk.said and place != WHOLE_LIST}
    if whole is not None:
        kept[WHOLE_LIST] = whole
    believed = dict(walk.said)
    others = () if walk.whole else (units for place, units in known.items() if place not in walk.said)
    for place, why in suspicions(changes, rules, others).items():
        there, change = waiting.get(place), changes[place]
        if there is not None and there.decision == "confirmed" and is_within(change, (there.before, there.after)):
            continue
        del believed[place]
        is_same = there is not None and (there.why, there.after) == (why, change[1])
        kept[place] = there if there is not None and is_same else WaitingNumber(why, *change, now_ms)
    gone = _gone(walk, known, kept, now_ms) if walk.whole else {}
    return Verdict(believed, kept, gone)


def _of_list(
    walk: StockWalk, known: Mapping[Place, int], there: WaitingNumber | None, rules: ChangeRules, now_ms: int
) -> WaitingNumber | None:
    """Say why the list as a whole waits; None: it does not, or a person has confirmed one that was no fuller."""
    why = suspicion_of_list(known, walk.listed, rules)
    if why is None:
        return None
    change: Change = len(known), len(walk.listed)
    if there is not None and there.why == why:
        if there.decision == "confirmed" and is_within(change, (there.before, there.after)):
            return None
        if there.after == change[1]:
            return there
    return WaitingNumber(why, *change, now_ms)


def _gone(
    walk: StockWalk, known: Mapping[Place, int], kept: dict[Place, WaitingNumber], now_ms: int
) -> dict[Place, bool]:
    """Return the places that are settled; those that the list has no more, and nobody has decided about, wait."""
    settled: dict[Place, bool] = {}
    for place in known.keys() - walk.listed:
        there = kept.get(place)
        if there is None or there.why != "gone":
            kept[place] = WaitingNumber("gone", known[place], 0, now_ms)
        elif there.decision:
            settled[place] = there.decision == "confirmed"
            del kept[place]
    return settled
