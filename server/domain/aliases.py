"""Old names: a SKU or location that was renamed is found under each name that it ever had."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from server.domain.changes import Change, ChangeLine

RENAMED: Final = "renamed"
"""The journal's operation: units leave one name and come to another. Nothing was sold, received or counted."""
DELETED: Final = "deleted"
"""The journal's operation: a SKU without units and promises is known no more."""
NAMES_ONLY: Final = frozenset({RENAMED, DELETED})
"""Changes of names. No order, no receipt and no alert comes of them."""


def left_places(change: Change) -> Sequence[ChangeLine]:
    """Return the lines of a change of names whose SKU and location are known no more."""
    if change.operation == RENAMED:
        return change.lines[::2]  # each of them in front of the line of its new name
    return change.lines if change.operation == DELETED else ()


def is_of_location(change: Change) -> bool:
    """Return whether a change is of a location's names: a rename begins or ends, or it was deleted."""
    return change.operation in NAMES_ONLY and not change.lines and any(name == "location" for name, _ in change.notes)


class Aliases(msgspec.Struct, frozen=True):
    """The old names of the SKUs of a partition, each with the newest one: there are no chains."""

    newest: Mapping[str, str] = {}

    def sku(self, name: str) -> str:
        """Return what a SKU is called now."""
        return self.newest.get(name, name)

    def names(self, sku: str) -> list[str]:
        """Return what a SKU is called now, and then all that it was called."""
        now = self.sku(sku)
        return [now, *sorted(old for old, new in self.newest.items() if new == now)]

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.newest)


NO_ALIASES: Final = Aliases()


class LocationNames(msgspec.Struct, frozen=True):
    """The old names of the locations of a partition, each with the newest one: there are no chains.

    ``moving``: those of which SKUs still lie under the old name, new name to old one.
    """

    newest: Mapping[str, str] = {}
    moving: Mapping[str, str] = {}

    def current(self, name: str) -> str:
        """Return what a location is called now."""
        return self.newest.get(name, name)

    def names(self, location: str) -> list[str]:
        """Return what a location is called now, and then all that it was called."""
        now = self.current(location)
        return [now, *sorted(old for old, new in self.newest.items() if new == now)]

    def after(self, change: Change) -> "LocationNames":
        """Return those after a change of a location's names, see :func:`is_of_location`; none move there."""
        notes = dict(change.notes)
        location = notes["location"]
        if change.operation == DELETED:
            return LocationNames({old: now for old, now in self.newest.items() if now != location})
        newest = {old: notes["to"] if now == location else now for old, now in self.newest.items()}
        return LocationNames({**newest, location: notes["to"]})

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.newest)


NO_LOCATION_NAMES: Final = LocationNames()


class MovingAliases(msgspec.Struct, frozen=True):
    """The old names of a partition, and the new ones whose places still move: new name to old one."""

    aliases: Aliases = Aliases()
    moving: Mapping[str, str] = {}
    locations: LocationNames = LocationNames()

    def field_of(self, field: bytes, is_there: Callable[[bytes], bool]) -> bytes:
        """Return the field of the stock that a line means: under its name, or what that is now, or what it was."""
        if not (self.aliases or self.locations) or is_there(field):
            return field
        sku, _, location = field.decode("utf-8", "backslashreplace").partition("\0")
        now, here = self.aliases.sku(sku), self.locations.current(location)
        before, former = self.moving.get(now, now), self.locations.moving.get(here, here)
        fields = [f"{name}\0{place}".encode() for name, place in ((now, here), (before, here), (now, former))]
        return next(filter(is_there, fields), fields[0])
