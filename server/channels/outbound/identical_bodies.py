"""Arranges a push for a channel that refuses a body identical to one it was sent lately."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from adapters.contract.stock import Item
from server.channels.outbound.in_flight import InFlight

ROTATIONS_MAX: Final = 8
"""Orders of the same items that are tried first; each costs one more body."""

Parcel = tuple[InFlight, Item]
"""What is in flight, and its form for the adapter, which is built once for all arrangements."""


def arrangements(parcels: Sequence[Parcel], companions: Sequence[Parcel]) -> Iterator[list[Parcel]]:
    """Go through orders of a push, and then through the push with companions, whose values are confirmed already."""
    for first in range(1, min(len(parcels), ROTATIONS_MAX + 1)):
        yield [*parcels[first:], *parcels[:first]]
    groups = [*([each] for each in companions), *(companions[:size] for size in range(2, len(companions) + 1))]
    for group in groups:
        yield [*parcels, *group]
        yield [*group, *parcels]


def first_new(tried: Iterator[list[Parcel]], repeats: Callable[[Sequence[Item]], bool]) -> list[Parcel] | None:
    """Return the first arrangement whose body the channel was not sent lately; None: there is none."""
    return next((each for each in tried if not repeats([item for _, item in each])), None)
