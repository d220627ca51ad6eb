"""The service as the intake of one channel sees it: orders are booked there, and parcels are looked up."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from server.domain.channel_orders import Booked, ChannelOrder, IntakeRules
from server.domain.principal import ALL_SCOPES, Principal
from server.service.caller import Caller, Partition
from server.service.orders import book


class Parcel(NamedTuple):
    """How the last units of some reservations left; empty where nobody said."""

    tracking: str = ""
    carrier: str = ""


class Desk(Protocol):
    """Where orders are booked."""

    async def book(self, channel: str, order: ChannelOrder, *, fetched: bool, rules: IntakeRules) -> Booked:
        """Book what a snapshot says, see :func:`server.service.orders.book`."""

    async def parcel(self, reservations: Sequence[str]) -> Parcel:
        """Look up how units of reservations left last."""

    async def number_of(self, reservation_id: str) -> str:
        """Return the order number that a reservation names, empty where it names none or is forgotten."""


class ServiceDesk:
    """The desk of one partition; a channel books in its own name."""

    def __init__(self, name: str, partition: Partition) -> None:
        self._name = name
        self._partition = partition

    async def book(self, channel: str, order: ChannelOrder, *, fetched: bool, rules: IntakeRules) -> Booked:
        """Book what a snapshot says."""
        caller = Caller(Principal(f"channel:{channel}", self._name, ALL_SCOPES), self._partition)
        return await book(caller, channel, order, fetched=fetched, rules=rules)

    async def parcel(self, reservations: Sequence[str]) -> Parcel:
        """Look up how units of reservations left last."""
        for reservation_id in reversed(reservations):
            found = (await self._partition.ledger.reservation(reservation_id)).reservation
            notes = dict(found.notes) if found is not None else {}
            if notes.get("tracking") or notes.get("carrier"):
                return Parcel(notes.get("tracking", ""), notes.get("carrier", ""))
        return Parcel()

    async def number_of(self, reservation_id: str) -> str:
        """Return the order number that a reservation names."""
        found = (await self._partition.ledger.reservation(reservation_id)).reservation
        return found.order_ref if found is not None else ""
