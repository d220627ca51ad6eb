"""What one piece of a listing is made of, where that is not one unit of one SKU: a pack of six, or a bundle."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

COMPONENTS_MAX: Final = 20
"""Different SKUs in one bundle."""
LISTINGS_PER_COMPONENT_MAX: Final = 1_000
"""Packs and bundles of one channel that hold a SKU: each of its changes is published to all of them."""
COMPONENTS_PER_CALL_MAX: Final = 2_000
"""Components that one request may add and remove: some 2 ms of the store's time."""
_KNOWN_BY_KEY: Final = "\0"
"""No SKU begins so."""


class Component(msgspec.Struct, array_like=True, frozen=True):
    """Units of one SKU in each piece of a listing."""

    sku: str
    quantity: int


def known_by(key: str) -> str:
    """Return what stands in place of a SKU in a listing that is known by its key."""
    return _KNOWN_BY_KEY + key


def key_in(listed_as: str) -> str | None:
    """Return the key of a listing that is known by it; None: it is known by its SKU."""
    return listed_as[1:] if listed_as.startswith(_KNOWN_BY_KEY) else None


def sku_in(listed_as: str) -> str:
    """Return the SKU that a listing is known by; empty: it is known by its key."""
    return "" if listed_as.startswith(_KNOWN_BY_KEY) else listed_as


def name_in(listed_as: str) -> str:
    """Return what to call a listing: its SKU, or its key where it is known by that."""
    return listed_as.removeprefix(_KNOWN_BY_KEY)


def pieces(components: Iterable[Component], units_of: Callable[[str], int]) -> int:
    """Return how many pieces can be made of the units that there are; fewer than none where a SKU is short."""
    return min(units_of(each.sku) // each.quantity for each in components)


def renamed(components: Iterable[Component], old: str, new: str) -> list[Component]:
    """Return components where a SKU has another name; it stands there once."""
    units: dict[str, int] = {}
    for each in components:
        sku = new if each.sku == old else each.sku
        units[sku] = units.get(sku, 0) + each.quantity
    return [Component(sku, quantity) for sku, quantity in units.items()]
