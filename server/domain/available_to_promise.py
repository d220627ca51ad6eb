"""Available to promise by day: arithmetic over the units available now, expected receipts and dated demand."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import accumulate
from typing import Final

import msgspec

DAYS_MAX: Final = 180
"""Days in one answer."""

_ONE_DAY: Final = timedelta(days=1)


class Dated(msgspec.Struct, frozen=True):
    """Units that arrive, or are due, on a day."""

    on: date
    units: int


class AtpDay(msgspec.Struct, frozen=True):
    """One day, in units.

    ``projected``: available at the end of it, if all units arrive and leave as dated; negative: a shortage.
    ``promisable``: what can be reserved for it without causing a shortage on that or a later day.
    """

    on: date
    projected: int
    promisable: int


def available_to_promise(
    available: int, supply: Iterable[Dated], demand: Iterable[Dated], *, today: date, start: date, end: date
) -> list[AtpDay]:
    """Return what is available to promise from ``start`` to ``end``, both included; ``start`` is not before ``today``.

    ``available``: units that can be reserved now; held and committed ones are not among them. Supply counts from its
    day on; once that has passed it is late and counts only when it is received. Demand is owed on its day and is not in
    ``available``; once its day has passed it counts for today.

    A day's ``promisable`` is the least that is projected from that day on, however far ahead, and never below zero.
    Units reserved for a day are missing on every later one, so each of those must have them to spare.
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
    """Count the units whose day has passed."""
    return sum(each.units for each in supply if each.on < today)


def _days(start: date, end: date) -> Iterable[date]:
    return (start + n * _ONE_DAY for n in range((end - start).days + 1))
