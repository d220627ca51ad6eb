"""The ledger of a key with limits: it shows and changes what is within them, and nothing else is there for it."""

from typing import Any, Final

from server.domain.answers import Refused
from server.domain.exchange import Exchange, ExchangeRefused
from server.domain.key_limits import KeyLimits
from server.domain.operations import ReservationOperation
from server.domain.operations.reservations import Order, Reserve
from server.domain.owned import Owned, is_made_with
from server.domain.reservation import FoundReservation, Reservation
from server.store.ledger.ledger import Ledger
from server.telemetry.refused_keys import Reason, refused

_NEW: Final = (Reserve, Order)
_REFUSALS: Final = frozenset({Refused, ExchangeRefused})
_ABOUT_OTHERS: Final = ("id_reused", "order_known")
"""Refusals that may be about a reservation of somebody else: they say nothing more of it."""


class LimitedLedger(Ledger):
    """A key's ledger within its limits; ``key`` is its id. Everything else is as of :class:`Ledger`.

    Here it counts what a quota refuses, and no answer but a refusal costs anything for it.
    """

    def __init__(self, ledger: Ledger, key: str, limits: KeyLimits) -> None:
        self.__dict__.update(vars(ledger))
        self._key = key
        self._own = limits
        self._looked_at = self._looked_at | _REFUSALS

    async def _look_at(self, operation: Any, answer: Any) -> Any:
        if type(answer) not in _REFUSALS:
            answer = await self._run_again(operation, answer)
        refusal = answer.refused if isinstance(answer, ExchangeRefused) else answer
        if isinstance(refusal, Refused) and refusal.outcome == "quota_exceeded":
            refused(Reason.QUOTA, self.keyspace.partition, self._key)
        return answer

    async def reservation(self, reservation_id: str) -> FoundReservation:
        """Read one reservation; None where it is beyond the limits."""
        found = await super().reservation(reservation_id)
        return (
            found if found.reservation is None or self._shows(found.reservation) else FoundReservation(found.as_of_ms)
        )

    def _shows(self, record: Reservation) -> bool:
        if self._own.channel not in ("", record.channel):
            return False
        return not self._own.reads_own or is_made_with(self._key, record.actor)


class GuardedLedger(LimitedLedger):
    """The same of a key that changes only what it has made, or what is of its channel."""

    async def run(self, operation: Any) -> Any:
        """Run one operation as :meth:`Ledger.run`; a reservation beyond the limits is answered as an unknown one."""
        inner = innermost(operation)
        if isinstance(inner, Exchange):  # no route for one asks this ledger
            return ExchangeRefused("return", Refused("unknown_reservation", "", []))
        is_of_known = isinstance(inner, ReservationOperation) and not isinstance(inner, _NEW)
        guarded: Any = Owned(self._owner, self._own.channel, operation) if is_of_known else operation
        answer = await super().run(guarded)
        if isinstance(answer, Refused) and answer.outcome in _ABOUT_OTHERS:
            return Refused(answer.outcome, "", [])
        return answer

    @property
    def _owner(self) -> str:
        return self._key if self._own.writes_own else ""


def within(ledger: Ledger, key: str, limits: KeyLimits) -> Ledger:
    """Return a key's ledger within its limits: the same where they are not about reservations."""
    if limits.writes_own or limits.channel:
        return GuardedLedger(ledger, key, limits)
    return LimitedLedger(ledger, key, limits) if limits.reads_own or limits.quota is not None else ledger


def innermost(operation: Any) -> Any:
    """Return the operation behind all that may stand in front of it."""
    while (behind := getattr(operation, "operation", None)) is not None:
        operation = behind
    return operation
