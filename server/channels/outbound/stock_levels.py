"""What may be promised of each SKU at each location, as the journal tells it: read by every channel when it sends."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from server.domain.allocations import Allocation, left

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class StockLevels:
    """The newest available of each (SKU, location) of a partition. A greater seq is newer, wherever it comes from.

    What channels have for themselves is known of the few places that have any.
    """

    def __init__(self) -> None:
        self._available: dict[str, dict[str, int]] = {}
        self._seqs: dict[str, dict[str, int]] = {}
        self._allocations: dict[str, dict[str, Sequence[Allocation]]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._available)

    def update(
        self, sku: str, location: str, available: int, seq: int, allocations: Sequence[Allocation] | None = None
    ) -> None:
        """Note a level, unless a newer one is known; ``available`` is what is promised to nobody."""
        seqs = self._seqs.get(sku)
        if seqs is None:
            self._seqs[sku], self._available[sku] = {location: seq}, {location: available}
        elif seq > seqs.get(location, 0):
            seqs[location] = seq
            self._available[sku][location] = available
        else:
            return
        if allocations or sku in self._allocations:
            self._allocate(sku, location, allocations or ())

    def available(self, sku: str, channel: str) -> Mapping[str, int]:
        """Tell what a channel may be promised of a SKU at each location; nothing of one that is not known."""
        available = self._available.get(sku, _NOTHING)
        allocated = self._allocations.get(sku)
        if allocated is None:
            return available
        return {place: left(units, allocated.get(place, ()), channel) for place, units in available.items()}

    def seq(self, sku: str) -> int:
        """Tell how new that is; 0: not known."""
        seqs = self._seqs.get(sku)
        return max(seqs.values()) if seqs else 0

    def _allocate(self, sku: str, location: str, allocations: Sequence[Allocation]) -> None:
        places = self._allocations.setdefault(sku, {})
        places.pop(location, None)
        if allocations:
            places[location] = allocations
        if not places:
            del self._allocations[sku]
