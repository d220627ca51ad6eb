"""Operations on transfers between locations."""

from typing import ClassVar

import msgspec

from server.domain.operations.base import LINES_ASSUMED, Operation
from server.domain.operations.stock import Disposition


class TransferItem(msgspec.Struct, array_like=True, frozen=True):
    """Units of one SKU that are sent."""

    sku: str
    quantity: int


class ArrivedLine(msgspec.Struct, array_like=True, frozen=True):
    """Units of one line of a transfer that arrived; ``line`` counts from 1."""

    line: int
    quantity: int
    disposition: Disposition


class TransferOperation(Operation, frozen=True):
    """A step of a transfer."""

    function: ClassVar[str] = "mutate_transfers"


class Ship(TransferOperation, tag="ship", frozen=True):
    """Send units from one location to another; only available units.

    A ``transfer_id`` that exists is a retry if the fingerprint is the same, else refused.
    """

    key: str
    transfer_id: str
    source: str
    destination: str
    lines: list[TransferItem]
    reason: str = ""
    allow_similar: bool = False

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Its destination: the SKUs are known at the source."""
        return (), (self.destination,)

    @property
    def weight(self) -> int:
        """Its lines."""
        return len(self.lines)


class Arrive(TransferOperation, tag="arrive", frozen=True):
    """Receive units of a transfer at its destination.

    ``everything``: all units in transit arrived and can be sold; ``lines`` is empty then.
    ``close``: write off the units that have not arrived, for this ``reason``.
    """

    key: str
    transfer_id: str
    lines: list[ArrivedLine]
    everything: bool = False
    close: bool = False
    reason: str = ""

    @property
    def weight(self) -> int:
        """Its lines, as far as they are named."""
        return len(self.lines) or 1


class CancelTransfer(TransferOperation, tag="cancel_transfer", frozen=True):
    """Take a transfer back that never left: its units are at the source again."""

    key: str
    transfer_id: str
    reason: str = ""

    @property
    def weight(self) -> int:
        """The lines of the transfer, as assumed."""
        return LINES_ASSUMED
