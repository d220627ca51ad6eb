"""Which numbers of somebody else's list are not believed at once: falls and rises too great to be a day's business.

One rule for all that sets many counts from outside: what an ERP says, and what a file or a feed has. A number that is
not believed stands as it was and waits for a person. A number that is wrong and large is sold though nobody has it; one
that is wrong and zero takes a SKU off every channel.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

Place = tuple[str, str]
"""A SKU and a location."""
Change = tuple[int, int]
"""Units before and after."""
Suspicion = Literal["fell", "grew", "zeroed", "gone"]
"""Why a number waits: it fell or grew too far, too many fell to nothing at once, or the list has it no more."""
ListSuspicion = Literal["empty", "missing", "strange"]
"""Why a whole list waits: it has nothing, lacks much of what it had, or has much that it never had."""


class ChangeRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far numbers may change by themselves.

    ``factor``: one that falls to that part of itself, or grows to as many times of itself, waits, and so do all where
    their sum does. Below ``units_min`` units, before a fall or after a rise, that is everyday. ``share``: of the
    numbers above zero that part may fall to zero at once; ``places_min``: so few always may.
    """

    factor: Annotated[float, Meta(ge=2, le=1_000_000)] = 10.0
    units_min: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 50
    share: Annotated[float, Meta(gt=0, le=1)] = 0.1
    places_min: Annotated[int, Meta(ge=1, le=1_000_000)] = 3


BY_DEFAULT: Final = ChangeRules()


def suspicions(
    changes: Mapping[Place, Change], rules: ChangeRules = BY_DEFAULT, others: Iterable[int] = ()
) -> dict[Place, Suspicion]:
    """Return the places whose new number waits for a person, and why. Numbers below zero count as zero.

    ``others``: the numbers that are not in the list, where it has those alone that may have changed.
    """
    clear = {place: (max(0, before), max(0, after)) for place, (before, after) in changes.items()}
    rest = [units for units in others if units > 0]
    found: dict[Place, Suspicion] = {}
    before_all, after_all = (sum(rest) + sum(change[side] for change in clear.values()) for side in (0, 1))
    whole = _sudden(before_all, after_all, rules)
    for place, (before, after) in clear.items():
        alone = _sudden(before, after, rules)
        if alone is None and whole is not None and _sudden(before, after, rules, units_min=1) == whole:
            alone = whole
        if alone is not None:
            found[place] = alone
    zeroed = [place for place, (before, after) in clear.items() if before > 0 == after]
    if _are_many(len(zeroed), len(rest) + sum(1 for before, _ in clear.values() if before > 0), rules):
        found |= dict.fromkeys(zeroed, "zeroed")
    return found


def suspicion_of_list(
    known: Collection[Place], listed: Collection[Place], rules: ChangeRules = BY_DEFAULT
) -> ListSuspicion | None:
    """Return why a list of everything waits as a whole; None: its numbers are looked at one by one.

    ``known``: the places that the last one had. Where nothing is known yet, nothing can be missing.
    """
    if not known:
        return None
    if not listed:
        return "empty"
    there = set(known)
    if _are_many(len(there.difference(listed)), len(there), rules):
        return "missing"
    if _are_many(sum(1 for place in listed if place not in there), len(listed), rules):
        return "strange"
    return None


def is_within(change: Change, confirmed: Change) -> bool:
    """Whether a change goes no further than one that a person has confirmed."""
    (before, after), (_, agreed) = change, confirmed
    return min(before, agreed) <= after <= max(before, agreed)


def _sudden(before: int, after: int, rules: ChangeRules, units_min: int | None = None) -> Suspicion | None:
    """Say whether one number, or a sum, changes too far; a fall to nothing is judged with all others."""
    floor = rules.units_min if units_min is None else units_min
    if before >= floor and 0 < after * rules.factor <= before:
        return "fell"
    if after >= floor and before > 0 and after >= before * rules.factor:
        return "grew"
    return None


def _are_many(count: int, among: int, rules: ChangeRules) -> bool:
    return count >= rules.places_min and count > rules.share * among
