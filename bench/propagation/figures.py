"""Holds sales against what arrived at the channels: how long each change took, and whether any value went back."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from bench.propagation.channels import Arrival


class Sale(NamedTuple):
    """One change of a SKU: what was left, and when the store made it, in milliseconds since 1970."""

    number: int
    available: int
    at_ms: int


class NeverReceivedError(Exception):
    """A channel never received a change, so there is no figure."""


Values = dict[int, list[tuple[int, int]]]
"""By SKU: (when in microseconds since 1970, quantity), in the order of arrival."""


def values(arrivals: Iterable[Arrival]) -> Values:
    """Sort what arrived at one channel by SKU."""
    found: Values = {}
    for arrival in arrivals:
        for key, quantity in arrival.items:
            found.setdefault(key, []).append((arrival.at_us, quantity))
    return found


def delays_ms(sales: Sequence[Sale], arrived: Values) -> Iterator[float]:
    """Return for each sale how long after it a request was at the channel that carries its value or a newer one.

    Units are only sold meanwhile, so a smaller quantity is the newer one.

    Raises
    ------
    NeverReceivedError
        No such request came.

    """
    positions = dict.fromkeys(arrived, 0)
    for sale in sales:
        received, position = arrived.get(sale.number, []), positions.get(sale.number, 0)
        while position < len(received) and received[position][1] > sale.available:
            position += 1
        if position == len(received):
            raise NeverReceivedError(f"a channel never received that {sale.available} are left of {sale.number}")
        positions[sale.number] = position
        yield received[position][0] / 1000 - sale.at_ms


def backwards(arrived: Values) -> int:
    """Count the values that arrived after newer ones of their SKU."""
    return sum(
        later > earlier for received in arrived.values() for (_, earlier), (_, later) in itertools.pairwise(received)
    )


def last_values(sales: Iterable[Sale]) -> dict[int, int]:
    """Return what is left of each SKU in the end."""
    return {sale.number: sale.available for sale in sales}


def is_right(arrived: Values, wanted: Mapping[int, int]) -> bool:
    """Whether the last value that a channel received of each SKU is the newest."""
    return all(number in arrived and arrived[number][-1][1] == left for number, left in wanted.items())


def right_at_us(arrived: Values, wanted: Mapping[int, int]) -> int:
    """Return when the last of these values came that was still missing."""
    return max(
        next(at_us for at_us, quantity in arrived[number] if quantity == left) for number, left in wanted.items()
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Pick one of sorted values."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
