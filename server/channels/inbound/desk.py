"""The service as the intake of one channel sees it: orders are booked there, and parcels are looked up."""

from collections.abc import Sequence
from typing import Protocol

from server.domain.booked_orders import POSTED
from server.domain.channel_orders import Booked, ChannelOrder, IntakeRules
from server.domain.order_parcels import Parcel, parcels_of
from server.domain.principal import ALL_SCOPES, SYSTEM, Principal
from server.domain.reservation import Reservation
from server.service.caller import Caller, Partition
from server.service.checks import enter
from server.service.orders import book
from server.service.shortages import Lacking, lacking_of
from server.store.connection.timeouts import in_time
from server.store.repositories.booked_orders import read_order


class Desk(Protocol):
    """Where orders are booked."""

    async def book(
        self, channel: str, order: ChannelOrder, *, fetched: bool, whole: bool, rules: IntakeRules
    ) -> Booked:
        """Book what a snapshot says, see :func:`server.service.orders.book`."""

    async def is_booked(self, channel: str, number: str) -> bool:
        """Return whether intake has taken an order in before."""

    async def parcels(self, channel: str, number: str) -> Sequence[Parcel]:
        """Look up in which parcels an order has left, as far as they have tracking numbers."""

    async def number_of(self, reservation_id: str) -> str:
        """Return the order number that a reservation names, empty where it names none or is forgotten."""

    async def lacks(self, channel: str, number: str) -> Lacking:
        """Return how many units an order lacks now, and which other locations have some of them."""


class ServiceDesk:
    """The desk of one partition; a channel books in its own name."""

    def __init__(self, name: str, partition: Partition) -> None:
        self._name = name
        self._partition = partition

    async def book(
        self, channel: str, order: ChannelOrder, *, fetched: bool, whole: bool, rules: IntakeRules
    ) -> Booked:
        """Book what a snapshot says."""
        enter(self._name)  # names that are stored in an older spelling are found by this one, as for a request
        caller = Caller(Principal(f"channel:{channel}", self._name, ALL_SCOPES), self._partition)
        return await book(caller, channel, order, fetched=fetched, rules=rules, whole=whole)

    async def is_booked(self, channel: str, number: str) -> bool:
        """Return whether intake has taken an order in before."""
        found = await in_time(read_order(self._partition.client, self._partition.keyspace, channel, number))
        return found.record is not None and found.record.state != POSTED

    async def parcels(self, channel: str, number: str) -> Sequence[Parcel]:
        """Look up in which parcels an order has left."""
        record = (await in_time(read_order(self._partition.client, self._partition.keyspace, channel, number))).record
        if record is None:
            return ()
        found = dict[str, Reservation]()
        for name in record.reservations:
            reservation = (await self._partition.ledger.reservation(name)).reservation
            if reservation is not None:
                found[name] = reservation
        return parcels_of(record, found)

    async def number_of(self, reservation_id: str) -> str:
        """Return the order number that a reservation names."""
        found = (await self._partition.ledger.reservation(reservation_id)).reservation
        return found.order_ref if found is not None else ""

    async def lacks(self, channel: str, number: str) -> Lacking:
        """Return what an order lacks now: whoever came last lacks first."""
        return await lacking_of(Caller(Principal(SYSTEM, self._name, ALL_SCOPES), self._partition), channel, number)
