"""Other names over the wire: of SKUs and locations, and which were deleted."""

import msgspec

from server.schemas.common import AllowSimilar, Body, Channel, Sku


class RenameBody(Body, frozen=True):
    """``to``: the new name."""

    to: Sku
    allow_similar: AllowSimilar = msgspec.UNSET


class RenamedView(msgspec.Struct, frozen=True):
    """``sku``: the old name, which goes on to work; ``to``: the new one."""

    sku: Sku
    to: Sku


class DeletedView(msgspec.Struct, frozen=True):
    """The SKU that was deleted."""

    sku: Sku


class ListingDeleted(msgspec.Struct, frozen=True):
    """The SKU that has no listing on the channel now."""

    channel: Channel
    sku: Sku
