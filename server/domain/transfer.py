"""Transfers between locations, as the ledger returns them."""

import msgspec

from server.domain.stock import Availability


class TransferLine(msgspec.Struct, array_like=True, frozen=True):
    """One SKU of a transfer, in units. Units neither received nor lost nor cancelled are in transit."""

    sku: str
    quantity: int
    received: int
    lost: int
    cancelled: int = 0
    """Units that never left: they are at the source again."""

    @property
    def in_transit(self) -> int:
        """Units in transit: they belong to no location."""
        return self.quantity - self.received - self.lost - self.cancelled


class Transfer(msgspec.Struct, array_like=True, frozen=True):
    """Units sent from one location to another, as the store keeps it. ``state``: in_transit, closed, cancelled.

    Times are milliseconds since 1970 on the store's clock; ``closed_ms`` is 0 while it is in transit.
    """

    state: str
    shipped_ms: int
    closed_ms: int
    actor: str
    fingerprint: str
    source: str
    destination: str
    lines: list[TransferLine]
    reason: str = ""
    lost_reason: str = ""
    cancel_reason: str = ""


class TransferChanged(msgspec.Struct, array_like=True, frozen=True, tag="transfer_changed"):
    """A step of a transfer took effect, now or (``replayed``) when the same request came first."""

    replayed: bool
    transfer: Transfer
    availability: list[Availability] = []
