"""Gives channels units of their own or caps, after counting what they have promised already where nobody knows.

What a channel with an allocation has promised is counted by the scripts. For one that gets its first
allocation at a place it must be counted once, over all live reservations, while sales go on:

- The journal's end is noted, then the live reservations are looked through.
- Those that changed at the place meanwhile are named by the journal. They are read anew, together with the journal's
  end; what happened in the moment before that is added from the journal itself. So the sum is exact for that end.
- The script adds what the few entries since tell, and so knows the sum of the moment in which it acts. It need not
  find the place unchanged, and a SKU that is sold from all the time can be given to a channel like any other.
"""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.outcomes import AllocationUsageUnknown, Refused
from server.domain.reservation import Reservation
from server.domain.stock import StockChanged
from server.store.connection.commands import together
from server.store.errors import StoreUnavailableError
from server.store.journal.entries import START
from server.store.journal.journal import bounds, read
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories import reservations

TRIES_MAX: Final = 20
"""The script looks through so many entries of the journal that one is enough, unless this process stood still."""

_decode_reservation = msgspec.msgpack.Decoder(Reservation).decode


async def allocate(
    client: Redis, ledger: Ledger, limits: bytes, operation: Allocate | AllocateMove
) -> StockChanged | Refused:
    """Run an operation on allocations; refusals as :meth:`Ledger.allocate` tells them.

    Raises
    ------
    StoreUnavailableError
        What the channel has promised could not be counted, or the store is away. Nothing changed.

    """
    answer = await ledger.run(operation)
    if not isinstance(answer, AllocationUsageUnknown):
        return answer
    channel = operation.channel if isinstance(operation, Allocate) else operation.taker
    count = Count(client, ledger.keyspace, limits, (operation.sku, operation.location), channel)
    await count.begin()
    for _ in range(TRIES_MAX):
        await count.catch_up()
        counted = msgspec.structs.replace(operation, seen_id=count.seen_id, used=count.units)
        answer = await ledger.run(counted)
        if not isinstance(answer, AllocationUsageUnknown):
            return answer
    raise StoreUnavailableError("What the channel has promised could not be counted in time; try again.")


class Count:
    """Counts what a channel has promised at a place: ``units``, as of when the journal ended with ``seen_id``."""

    def __init__(self, client: Redis, keyspace: Keyspace, limits: bytes, place: tuple[str, str], channel: str) -> None:
        self.seen_id = START
        self._client = client
        self._keys = keyspace
        self._limits = limits
        self._place = place
        self._channel = channel
        self._units: dict[str, int] = {}  # by reservation

    @property
    def units(self) -> int:
        """What is promised."""
        return sum(self._units.values())

    async def begin(self) -> None:
        """Look through all live reservations."""
        self.seen_id = (await bounds(self._client, self._keys)).last_id
        async for name, reservation in reservations.live_of(
            self._client, self._keys, self._limits, sku=self._place[0], channel=self._channel
        ):
            self._units[name] = self._promised(reservation)

    async def catch_up(self) -> None:
        """Follow what changed since."""
        names: dict[str, None] = {}
        async for name, _ in self._moves():
            names[name] = None
        read_at = await self._read_anew(list(names))
        async for name, units in self._moves(until=read_at):
            if name not in names:
                self._units[name] = self._units.get(name, 0) + units

    async def _moves(self, until: str | None = None) -> AsyncIterator[tuple[str, int]]:
        """Give what the journal tells of the place: whose promise moved, and by how many units."""
        async for entry_id, changes in read(self._client, self._keys, self.seen_id, until):
            self.seen_id = entry_id
            for change in changes:
                if change.reservation_id and change.channel == self._channel:
                    for line in change.lines:
                        if (line.sku, line.location) == self._place:
                            yield change.reservation_id, line.d_held + line.d_committed

    async def _read_anew(self, names: list[str]) -> str:
        """Read some reservations as they are; gives the journal's end at that moment."""
        questions: list[tuple[str | int, ...]] = [("XREVRANGE", self._keys.journal, "+", "-", "COUNT", 1)]
        if names:
            questions.append(("HMGET", self._keys.reservations, *names))
        newest, *found = await together(self._client, questions)
        for name, record in zip(names, found[0] if found else [], strict=True):
            # What is not among the live ones holds nothing any more.
            self._units[name] = self._promised(_decode_reservation(record)) if record is not None else 0
        return str(newest[0][0].decode()) if newest else self.seen_id

    def _promised(self, reservation: Reservation) -> int:
        lines = (line for line in reservation.lines if (line.sku, line.location) == self._place)
        return sum(line.held + line.committed for line in lines)
