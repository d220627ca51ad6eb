"""Where an order without a location is taken from, in plain Python: what the store's answer is compared with."""

from collections.abc import Collection, Mapping

from server.domain.limits import DEFAULT_LOCATION
from tests.support.sourcing_oracle import Parts, Stock


def may_take_from(name: str, channel: str, closed: Collection[str], limited: Mapping[str, Collection[str]]) -> bool:
    """Say whether an order of a channel may be taken from a place."""
    return name not in closed and name in limited.get(channel, [name])


def shown(sku: str, left: Stock) -> int:
    """Return what a channel is shown of a SKU; ``left``: what it may reserve at each place, negative: a shortage."""
    return max(0, sum(units for (each, _), units in left.items() if each == sku))


def comes_first(sku: str, name: str, left: Stock) -> tuple[int, bool, str]:
    """Return by what places are sorted: most units first, then the default location, then by name."""
    return -left[sku, name], name != DEFAULT_LOCATION, name


def parts_of(wanted: Mapping[str, int], left: Stock, most: Mapping[str, int]) -> dict[str, Parts]:
    """Choose for each SKU how many units come from where, as far as there are ``most`` of it.

    All from one place that has everything, the default location before others; else from the places with most first.
    """
    names = {name for _, name in left}
    whole = [
        name
        for name in names
        if all(left.get((sku, name), 0) >= units and units <= most[sku] for sku, units in wanted.items())
    ]
    if whole:
        best = min(whole, key=lambda name: (name != DEFAULT_LOCATION, -sum(left[sku, name] for sku in wanted), name))
        return {sku: [(best, units)] for sku, units in wanted.items()}
    return {sku: _most_first(sku, min(units, most[sku]), left) for sku, units in wanted.items()}


def _most_first(sku: str, missing: int, left: Stock) -> Parts:
    parts = []
    for name in sorted((name for each, name in left if each == sku), key=lambda name: comes_first(sku, name, left)):
        units = min(missing, left[sku, name])
        if units > 0:
            parts.append((name, units))
            missing -= units
    return parts
