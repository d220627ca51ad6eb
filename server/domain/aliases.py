"""Old names: a SKU that was renamed is found under each name that it ever had."""

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


class MovingAliases(msgspec.Struct, frozen=True):
    """The old names of a partition, and the new ones whose places still move: new name to old one."""

    aliases: Aliases = Aliases()
    moving: Mapping[str, str] = {}

    def field_of(self, field: bytes, is_there: Callable[[bytes], bool]) -> bytes:
        """Return the field of the stock that a line means: under its name, or what that is now, or what it was."""
        if not self.aliases or is_there(field):
            return field
        sku, _, location = field.decode("utf-8", "backslashreplace").partition("\0")
        now = self.aliases.sku(sku)
        fields = [f"{name}\0{location}".encode() for name in (now, self.moving.get(now, now))]
        return next(filter(is_there, fields), fields[0])
