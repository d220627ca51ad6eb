"""Whether a row of measurements is flat: the arithmetic of the soak."""

from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import Final, NamedTuple

WARM_UP: Final = 0.25
"""This share of the slices at the beginning does not count: caches fill, the allocator finds its size."""
SLICES_MIN: Final = 4
"""With fewer than this after the warm-up a slope says nothing."""


class Sample(NamedTuple):
    """One value at one moment."""

    at_s: float
    value: float


def settled(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Leave the warm-up out."""
    return samples[int(len(samples) * WARM_UP) :]


def slope_per_s(samples: Sequence[Sample]) -> float:
    """Return the change per second: the median of the slopes between all pairs, so that one spike does not count."""
    slopes = [(b.value - a.value) / (b.at_s - a.at_s) for a, b in combinations(samples, 2) if b.at_s > a.at_s]
    return median(slopes) if slopes else 0.0


def growth(samples: Sequence[Sample]) -> float:
    """Return by what share of its middle value a row grew from the end of the warm-up to its own end."""
    kept = settled(samples)
    middle = median(sample.value for sample in kept) if kept else 0.0
    if len(kept) < SLICES_MIN or not middle:
        return 0.0
    return slope_per_s(kept) * (kept[-1].at_s - kept[0].at_s) / middle
