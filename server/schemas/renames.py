"""Other names over the wire: of SKUs and locations, and which were deleted."""

import msgspec

from server.schemas.common import AllowSimilar, Body, Channel, ListingKey, Location, Reason, Sku


class RenameBody(Body, frozen=True):
    """``to``: the new name."""

    to: Sku
    allow_similar: AllowSimilar = msgspec.UNSET
    reason: Reason = msgspec.UNSET


class RenamedView(msgspec.Struct, frozen=True):
    """``sku``: the old name, which goes on to work; ``to``: the new one."""

    sku: Sku
    to: Sku


class DeletedView(msgspec.Struct, frozen=True):
    """The SKU that was deleted."""

    sku: Sku


class LocationRenamed(msgspec.Struct, frozen=True):
    """``location``: the old name, which goes on to work; ``to``: the new one.

    ``done`` false: SKUs still move to it; ``moved`` have, since the rename began. Nobody has to wait for that.
    """

    location: Location
    to: Location
    done: bool
    moved: int


class LocationDeleted(msgspec.Struct, frozen=True):
    """The location that was deleted."""

    location: Location


class ListingDeleted(msgspec.Struct, frozen=True):
    """The SKU that has no listing on the channel now."""

    channel: Channel
    sku: Sku


class DeletedKeyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``key``: of the pack or bundle."""

    key: ListingKey


class KeyDeleted(msgspec.Struct, frozen=True):
    """The key under which the channel has no pack or bundle now."""

    channel: Channel
    key: ListingKey
