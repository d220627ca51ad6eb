"""Exchange: shipped units come back and others are promised instead; both happen, or neither."""

from typing import ClassVar, Literal

import msgspec

from server.domain.operations.reservations import Order, Reserve, Return
from server.domain.outcomes import Refused
from server.domain.reservation import Changed
from server.domain.sourcing import Sourced

Half = Literal["return", "promise"]


class Exchange(msgspec.Struct, frozen=True):
    """A return, and the promise made instead. The return's ``key`` and ``fingerprint`` stand for both.

    What comes back to be sold again is there for the promise. A ``reservation_id`` of the promise that exists already
    is refused: only the key makes a retry.
    """

    function: ClassVar[str] = "mutate"

    returned: Return
    promise: Reserve | Order | Sourced

    @property
    def weight(self) -> int:
        """What both halves weigh."""
        return self.returned.weight + self.promise.weight


class Exchanged(msgspec.Struct, array_like=True, frozen=True, tag="exchanged"):
    """Both halves took effect, now or (``replayed``) when the same request came first.

    ``returned.availability`` tells what both have left; ``promised`` is as the promise alone would have been answered.
    """

    replayed: bool
    returned: Changed
    promised: Changed


class ExchangeRefused(msgspec.Struct, array_like=True, frozen=True, tag="exchange_refused"):
    """Nothing changed: ``half`` could not be, for the reason that ``refused`` tells."""

    half: Half
    refused: Refused


ExchangeAnswer = Exchanged | ExchangeRefused | Refused
"""Refused without a half: the key came before with another body."""


def promise_of(exchange: Exchange) -> Reserve | Order:
    """Give the promise itself, whether or not it is planned."""
    return exchange.promise.promise if isinstance(exchange.promise, Sourced) else exchange.promise
