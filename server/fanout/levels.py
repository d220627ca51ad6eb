"""What may be promised of each SKU at each location, as the journal tells it: read by every channel when it sends."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})

Level = tuple[str, str, int, int]
"""SKU, location, available, seq."""


class Levels:
    """The newest available of each (SKU, location) of a partition. A greater seq is newer, wherever it comes from."""

    def __init__(self) -> None:
        self._available: dict[str, dict[str, int]] = {}
        self._seqs: dict[str, dict[str, int]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._available)

    def update(self, sku: str, location: str, available: int, seq: int) -> None:
        """Note a level, unless a newer one is known."""
        seqs = self._seqs.get(sku)
        if seqs is None:
            self._seqs[sku], self._available[sku] = {location: seq}, {location: available}
        elif seq > seqs.get(location, 0):
            seqs[location] = seq
            self._available[sku][location] = available

    def available(self, sku: str) -> Mapping[str, int]:
        """Tell what may be promised of a SKU at each location; nothing of one that is not known."""
        return self._available.get(sku, _NOTHING)

    def seq(self, sku: str) -> int:
        """Tell how new that is; 0: not known."""
        seqs = self._seqs.get(sku)
        return max(seqs.values()) if seqs else 0
