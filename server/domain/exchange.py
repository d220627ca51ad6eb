"""Exchange: shipped units are returned and a new reservation replaces them; both take effect, or neither."""

from typing import ClassVar, Literal

import msgspec

from server.domain.answers import Refused
from server.domain.operations.reservations import Order, Reserve, Return
from server.domain.reservation import Changed
from server.domain.sourcing import AmongPlaces, Sourced

Half = Literal["return", "promise"]


class Exchange(msgspec.Struct, frozen=True):
    """A return, and the new reservation (``promise``). The return's ``key`` and ``fingerprint`` are those of both.

    Restocked units are available to the new reservation. Its ``reservation_id`` must be new: only the key identifies a
    retry.
    """

    function: ClassVar[str] = "mutate_creating"

    returned: Return
    promise: Reserve | Order | Sourced | AmongPlaces

    @property
    def weight(self) -> int:
        """The sum of both halves."""
        return self.returned.weight + self.promise.weight


class Exchanged(msgspec.Struct, array_like=True, frozen=True, tag="exchanged"):
    """Both halves took effect, now or (``replayed``) when the same request came first.

    ``returned.availability`` is that after both halves; ``promised`` is the answer of the new reservation alone.
    """

    replayed: bool
    returned: Changed
    promised: Changed


class ExchangeRefused(msgspec.Struct, array_like=True, frozen=True, tag="exchange_refused"):
    """Nothing changed: ``half`` was refused, with the reason in ``refused``."""

    half: Half
    refused: Refused


ExchangeAnswer = Exchanged | ExchangeRefused | Refused
"""Refused without a half: the key was used before with another body."""
