"""A mirrored location: what a channel holds in its own warehouse, counted at a location that nobody else changes."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain.limits import DEFAULT_LOCATION, LOCATION_BYTES_MAX
from server.domain.locations import ConfiguredGroups, check_groups
from server.domain.spelling import fault, normal

MirrorEveryS = Annotated[float, Meta(ge=1, le=86_400)]


class MirrorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[channels.NAME.mirror]``: at which ``location`` the units in the channel's own warehouse are counted.

    ``every_s`` None: as the kind has it. ``reserve_for_others``: other channels may sell these units; the merchant then
    has the channel send them. The channel itself never shows them: they are on sale there already. ``groups``: those
    of the location.
    """

    location: Annotated[str, Meta(min_length=1, max_length=LOCATION_BYTES_MAX)]
    every_s: MirrorEveryS | None = None
    reserve_for_others: bool = False
    groups: ConfiguredGroups = ()

    def __post_init__(self) -> None:
        check_groups(self.groups)
        name = normal(self.location)
        reason = fault(name)
        if reason or not name:
            raise ValueError(f"location {reason or 'is empty'}")
        if name == DEFAULT_LOCATION:
            raise ValueError(f"location may not be {DEFAULT_LOCATION}, where your own units are")


def fault_of_locations(mirror: MirrorSettings, locations: Sequence[str]) -> str:
    """Say what is wrong with the locations of the channel's own rules; empty: nothing.

    Its number would have the units twice: it sells from its warehouse by itself.
    """
    if mirror.location in locations:
        return f"may not name {mirror.location}: the channel sells what it holds there by itself"
    if mirror.reserve_for_others and not locations:
        without = f"must be named, without {mirror.location}"
        return f"{without}: its units are reserved for others, and all locations have them, too"
    return ""


class MirrorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a mirrored location stands. ``read_ms``: when the last reading began that was counted; 0: none was.

    ``skus`` and ``units``: what lies there. ``unmapped``: keys that no listing and no SKU has. ``reason``: why nothing
    is counted, or not all of it; empty where nothing is wrong.
    """

    location: str
    read_ms: int = 0
    skus: int = 0
    units: int = 0
    unmapped: int = 0
    reason: str = ""
