"""What is available to promise of each SKU at each location, by the journal; every channel reads it when it sends."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from server.domain.aliases import LocationNames, is_of_location, left_places
from server.domain.allocations import Allocation, left
from server.domain.changes import Change
from server.domain.channels import ChannelRules, publishable
from server.domain.locations import ClosedLocations

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})
_KEPT_SKUS: Final = 10_000
"""SKUs whose numbers are kept: those that changed lately. Of all SKUs they would take more memory than their levels."""


class NumberedRules(NamedTuple):
    """Rules, and a number that those have alone that make the same of what is available."""

    rules: ChannelRules
    number: int


class StockLevels:
    """The newest available of each (SKU, location) of a partition. A greater seq is newer, wherever it comes from.

    Allocations to channels are kept of the few locations that have any. ``closed`` is a mask: what lies at those
    locations is kept up to date, and is available to nobody. ``newest_seq`` is the greatest seq of all that was seen.
    ``versions_from``: what is added to a seq where channels are told it as a version; above 0 in a restored store.
    """

    def __init__(self) -> None:
        self.newest_seq = 0
        self.versions_from = 0
        self._closed = ClosedLocations()
        self._names = LocationNames()
        self._available: dict[str, dict[str, int]] = {}
        self._seqs: dict[str, dict[str, int]] = {}
        self._allocations: dict[str, dict[str, Sequence[Allocation]]] = {}
        self._numbers_of_rules: dict[object, int] = {}
        self._published: dict[str, dict[int, int]] = {}

    @property
    def closed(self) -> ClosedLocations:
        """The closed locations."""
        return self._closed

    @closed.setter
    def closed(self, closed: ClosedLocations) -> None:
        self._closed = closed
        self._published.clear()

    @property
    def names(self) -> LocationNames:
        """The old names of locations: rules may have an old one, and SKUs lie under it until they have moved."""
        return self._names

    @names.setter
    def names(self, names: LocationNames) -> None:
        self._names = names
        self._published.clear()

    def __iter__(self) -> Iterator[str]:
        return iter(self._available)

    def __contains__(self, sku: str) -> bool:
        return sku in self._available

    def update(
        self, sku: str, location: str, available: int, seq: int, allocations: Sequence[Allocation] | None = None
    ) -> None:
        """Update a level, unless a newer one is known; ``available`` is what is neither reserved nor allocated."""
        self.newest_seq = max(self.newest_seq, seq)
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
        self._published.pop(sku, None)

    def follow(self, change: Change) -> None:
        """Update the levels of a change, in the journal's order."""
        for line in change.lines:
            self.update(line.sku, line.location, line.available, line.seq, line.allocations)
        for line in left_places(change):
            self.forget(line.sku, line.location)
        if is_of_location(change):
            self.names = self.names.after(change)

    def forget(self, sku: str, location: str) -> None:
        """Forget a level, because the SKU or location has another name now, or none."""
        self._published.pop(sku, None)
        for by_sku in (self._available, self._seqs, self._allocations):
            places: dict[str, object] = by_sku.get(sku, {})  # type: ignore[assignment]  # each has its own values
            places.pop(location, None)
            if not places:
                by_sku.pop(sku, None)

    def available(self, sku: str, channel: str) -> Mapping[str, int]:
        """Return what is available of a SKU to a channel at each open location; empty where the SKU is not known."""
        available, closed = self._available.get(sku, _NOTHING), self._closed.names
        if self._names:
            return self._available_by_new_names(sku, channel)
        if closed and not closed.isdisjoint(available):
            available = {location: units for location, units in available.items() if location not in closed}
        allocated = self._allocations.get(sku)
        if allocated is None:
            return available
        return {location: left(units, allocated.get(location, ()), channel) for location, units in available.items()}

    def _available_by_new_names(self, sku: str, channel: str) -> Mapping[str, int]:
        allocated, found = self._allocations.get(sku, {}), {}
        for location, units in self._available.get(sku, _NOTHING).items():
            now = self.names.current(location)
            if now not in self.closed.names:
                found[now] = left(units, allocated[location], channel) if location in allocated else units
        return found

    def numbered(self, rules: ChannelRules) -> NumberedRules:
        """Return rules with their number; those of most channels are the same."""
        what = (tuple(rules.locations), rules.buffer, rules.percent, rules.min_publish, rules.cap)
        return NumberedRules(rules, self._numbers_of_rules.setdefault(what, len(self._numbers_of_rules)))

    def published(self, sku: str, channel: str, numbered: NumberedRules) -> int:
        """Return what the rules make of a SKU for a channel; worked out once for all channels that have the same."""
        known = self._published.get(sku)
        if known is not None and (units := known.get(numbered.number)) is not None:
            return units
        units = publishable(self.meant(numbered.rules), self.available(sku, channel))
        if sku not in self._allocations:  # else it may be another for each channel
            if known is None:
                if len(self._published) >= _KEPT_SKUS:
                    self._published.clear()
                known = self._published[sku] = {}
            known[numbered.number] = units
        return units

    def meant(self, rules: ChannelRules) -> ChannelRules:
        """Return rules with each location once, as it is called now."""
        if not self.names or not rules.locations:
            return rules
        locations = dict.fromkeys(map(self.names.current, rules.locations))
        return msgspec.structs.replace(rules, locations=list(locations))

    def seq(self, sku: str) -> int:
        """Return the newest seq of a SKU; 0: it is not known."""
        seqs = self._seqs.get(sku)
        if not seqs:
            return 0
        return max(seqs.values()) if len(seqs) > 1 else next(iter(seqs.values()))

    def is_at(self, sku: str, locations: frozenset[str]) -> bool:
        """Return whether a SKU is known at one of some locations."""
        return not locations.isdisjoint(self._available.get(sku, _NOTHING))

    def _allocate(self, sku: str, location: str, allocations: Sequence[Allocation]) -> None:
        locations = self._allocations.setdefault(sku, {})
        locations.pop(location, None)
        if allocations:
            locations[location] = allocations
        if not locations:
            del self._allocations[sku]
