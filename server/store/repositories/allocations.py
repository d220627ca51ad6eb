"""Sets the allocations of channels, after counting what a channel has reserved where that is not known yet.

Scripts count what a channel with an allocation has reserved. When a channel gets its first allocation at a location,
that is counted once, over all live reservations, while sales go on:

- The journal's last id is noted, then the live reservations are read.
- The journal names those that changed there since. They are read again, together with the journal's last id. What
  happened just before that is added from the journal. So the sum is exact for that id.
- The script adds the few entries since, and so has the sum of the moment in which it acts. The stock may change
  meanwhile, so a SKU that sells all the time can be allocated like any other.
"""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.answers import AllocationUsageUnknown, Refused
from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.reservation import Reservation
from server.domain.stock import StockChanged
from server.store.connection.commands import together
from server.store.errors import StoreUnavailableError
from server.store.journal.entries import START
from server.store.journal.journal import bounds, read
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories import reservations
from server.store.repositories.aliases import read_aliases
from server.store.repositories.location_names import read_location_names

TRIES_MAX: Final = 20
"""The script reads so many entries of the journal that one try is enough, unless this process stood still."""

_decode_reservation = msgspec.msgpack.Decoder(Reservation).decode


async def allocate(
    client: Redis, ledger: Ledger, limits: bytes, operation: Allocate | AllocateMove
) -> StockChanged | Refused:
    """Run an operation on allocations, and count first if the ledger needs it.

    Raises
    ------
    StoreUnavailableError
        The channel's reserved units could not be counted, or the store is unreachable. Nothing changed.

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
    raise StoreUnavailableError(
        "The channel's reserved units could not be counted in time. Nothing changed; try again."
    )


class Count:
    """Counts the units that a channel has reserved of a SKU at a location, as of the journal's id ``seen_id``."""

    def __init__(self, client: Redis, keyspace: Keyspace, limits: bytes, place: tuple[str, str], channel: str) -> None:
        self.seen_id = START
        self._client = client
        self._keys = keyspace
        self._limits = limits
        self._place = place
        self._names = frozenset({place})
        self._channel = channel
        self._units: dict[str, int] = {}  # by reservation

    @property
    def units(self) -> int:
        """The reserved units."""
        return sum(self._units.values())

    async def begin(self) -> None:
        """Read all live reservations; they name the place as it was called when they were made."""
        aliases, locations = await read_aliases(self._client, self._keys), await self._location_names()
        self._names = frozenset((sku, place) for sku in aliases.names(self._place[0]) for place in locations)
        self.seen_id = (await bounds(self._client, self._keys)).last_id
        async for name, reservation in reservations.live_of(
            self._client, self._keys, self._limits, sku=self._place[0], channel=self._channel
        ):
            self._units[name] = self._reserved(reservation)

    async def _location_names(self) -> list[str]:
        return (await read_location_names(self._client, self._keys)).names(self._place[1])

    async def catch_up(self) -> None:
        """Add what changed since."""
        names: dict[str, None] = {}
        async for name, _ in self._moves():
            names[name] = None
        read_at = await self._read_again(list(names))
        async for name, units in self._moves(until=read_at):
            if name not in names:
                self._units[name] = self._units.get(name, 0) + units

    async def _moves(self, until: str | None = None) -> AsyncIterator[tuple[str, int]]:
        """Read from the journal which reservations changed there, and by how many units."""
        async for entry_id, changes in read(self._client, self._keys, self.seen_id, until):
            self.seen_id = entry_id
            for change in changes:
                if change.reservation_id and change.channel == self._channel:
                    for line in change.lines:
                        if (line.sku, line.location) in self._names:
                            yield change.reservation_id, line.d_held + line.d_committed

    async def _read_again(self, names: list[str]) -> str:
        """Read some reservations as they are; return the journal's last id at that moment."""
        questions: list[tuple[str | int, ...]] = [("XREVRANGE", self._keys.journal, "+", "-", "COUNT", 1)]
        if names:
            questions.append(("HMGET", self._keys.reservations, *names))
        newest, *found = await together(self._client, questions)
        for name, record in zip(names, found[0] if found else [], strict=True):
            # A reservation that is not live any more holds no units.
            self._units[name] = self._reserved(_decode_reservation(record)) if record is not None else 0
        return str(newest[0][0].decode()) if newest else self.seen_id

    def _reserved(self, reservation: Reservation) -> int:
        lines = (line for line in reservation.lines if (line.sku, line.location) in self._names)
        return sum(line.held + line.committed for line in lines)
