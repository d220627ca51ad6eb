"""What can be promised for a day: pure arithmetic over what is available now, what is to come, and what is to go."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import accumulate
from typing import Final

import msgspec

DAYS_MAX: Final = 180
"""Days that one answer tells of."""

_ONE_DAY: Final = timedelta(days=1)


class Dated(msgspec.Struct, frozen=True):
    """So many units come, or go, on a day."""

    on: date
    units: int


class AtpDay(msgspec.Struct, frozen=True):
    """One day, in units.

    ``projected``: what will be available at the end of it, if all comes and goes as it is dated; negative: short.
    ``promisable``: what can be promised for it without making any promise for that or a later day impossible.
    """

    on: date
    projected: int
    promisable: int


def available_to_promise(
    available: int, supply: Iterable[Dated], demand: Iterable[Dated], *, today: date, start: date, end: date
) -> list[AtpDay]:
    """Tell day by day, from ``start`` to ``end`` (both included, ``start`` not before ``today``), what can be promised.

    ``available`` is what may be promised now; what is held or committed has left it already. Supply counts from its day
    on; if that is over it is late, and counts for nothing until it was received. Demand is what was promised for a day
    and is not in ``available``; if its day is over it is still owed, today.

    A day's ``promisable`` is the least that is projected from that day on, however far ahead, and never below zero:
    units promised for a day are gone on every later one, so all of those must be able to spare them.
    """
    changes: Counter[date] = Counter()
    for each in supply:
        if each.on >= today:
            changes[each.on] += each.units
    for each in demand:
        changes[max(each.on, today)] -= each.units
    days = sorted({day for day in changes if day > end} | set(_days(start, end)))
    so_far = available + sum(units for day, units in changes.items() if day < start)
    projected = list(accumulate((changes[day] for day in days), initial=so_far))[1:]
    least = reversed(list(accumulate(reversed(projected), min)))
    return [
        AtpDay(day, units, max(0, lowest))
        for day, units, lowest in zip(days, projected, least, strict=True)
        if day <= end
    ]


def late(supply: Iterable[Dated], today: date) -> int:
    """Count the units whose day is over."""
    return sum(each.units for each in supply if each.on < today)


def _days(start: date, end: date) -> Iterable[date]:
    return (start + n * _ONE_DAY for n in range((end - start).days + 1))
