"""What is kept of the sources: how far each is, which orders it was told, what it says, and what of that waits.

Only the holder of the lease changes it, see ``repositories/publisher.py``. What people decide lies in a hash of its
own, from which the holder takes it.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.changes import Change
from server.domain.sources import PULL_NOW, Decided, SourceStatus, TrackedOrder, WaitingNumber
from server.domain.sudden_changes import Place
from server.store.connection.commands import command, together
from server.store.connection.scans import scan
from server.store.journal.journal import bounds
from server.store.keys import Keyspace, SourceKeys, split_field, stored_text
from server.store.repositories.publisher import PublisherStore, Writes

_pack = msgspec.msgpack.Encoder().encode
_decode_order = msgspec.msgpack.Decoder(TrackedOrder).decode
_decode_waiting = msgspec.msgpack.Decoder(WaitingNumber).decode
_decode_decided = msgspec.msgpack.Decoder(Decided).decode
_decode_status = msgspec.json.Decoder(SourceStatus).decode
DECIDED: Final = "source_decision"
"""The journal's operation for what a person decided about the numbers of a source."""
_NAME_BYTES: Final = 6
_SEQ: Final = "seq"
"""The field of the partition's ``meta`` that has the newest seq."""


def field_of(place: Place) -> str:
    """Name the field of a place."""
    return "\0".join(place)


def _place_in(name: str) -> Place:
    """Return the place that a decision is about."""
    sku, location, _ = name.split("\0")
    return sku, location


class Position(msgspec.Struct, frozen=True):
    """A place in the journal, and the newest seq there."""

    entry_id: str
    seq: int


async def newest_position(client: Redis, keyspace: Keyspace) -> Position:
    """Return the journal's end, with the seq that belongs to it."""
    while True:
        end = await bounds(client, keyspace)
        stored = await command(client, "HGET", keyspace.meta, _SEQ)
        # Where nothing was written between the two, the seq is of that end.
        if (await bounds(client, keyspace)).last_id == end.last_id:
            return Position(end.last_id, int(stored or 0))


class SourceStore:
    """What is kept of one source. Every method raises StoreUnavailableError if the store does not answer."""

    def __init__(self, client: Redis, keyspace: Keyspace, source: str) -> None:
        self.client = client
        self.keyspace = keyspace
        self.source = source
        self.keys = SourceKeys(keyspace, source)

    async def state(self) -> dict[str, str]:
        """Read how far it is; empty: it has never begun."""
        stored = await command(self.client, "HGETALL", self.keys.state)
        return {stored_text(name): stored_text(value) for name, value in stored.items()}

    async def orders(self) -> AsyncIterator[tuple[str, TrackedOrder]]:
        """Go through the orders that it is told, or was."""
        async for field, packed in scan(self.client, self.keys.orders):
            yield stored_text(field), _decode_order(packed)

    async def refused(self) -> AsyncIterator[tuple[str, TrackedOrder]]:
        """Go through the orders that it does not take."""
        async for field, packed in scan(self.client, self.keys.refused):
            yield stored_text(field), _decode_order(packed)

    async def numbers(self) -> AsyncIterator[tuple[Place, int]]:
        """Go through what it says."""
        async for field, value in scan(self.client, self.keys.numbers):
            yield split_field(field), int(value)

    async def waiting(self) -> AsyncIterator[tuple[Place, WaitingNumber]]:
        """Go through the numbers that wait for a person, or were refused by one."""
        async for field, packed in scan(self.client, self.keys.waiting):
            yield split_field(field), _decode_waiting(packed)

    async def supplies(self) -> AsyncIterator[tuple[str, str]]:
        """Go through what it expects: the id here, and a fingerprint of what was taken over."""
        async for field, value in scan(self.client, self.keys.supplies):
            yield stored_text(field), stored_text(value)

    async def decisions(self) -> dict[str, tuple[Place, Decided]]:
        """Read what people have decided and nobody has taken yet, each under a name of its own."""
        stored = await command(self.client, "HGETALL", self.keys.decisions)
        found = {stored_text(field): _decode_decided(packed) for field, packed in stored.items()}
        return {name: (_place_in(name), decided) for name, decided in found.items()}

    async def decide(self, decisions: Mapping[Place, Decided]) -> None:
        """Leave what a person has decided for the holder of the lease."""
        # With a name of its own, none is removed that was left while another was taken.
        own = secrets.token_hex(_NAME_BYTES)
        words = [each for place, decided in decisions.items() for each in (f"{field_of(place)}\0{own}", _pack(decided))]
        if not words:
            return
        seconds, _ = await command(self.client, "TIME")
        changes = [
            Change(DECIDED, int(seconds) * 1000, decided.by, "", "", "", [], self._notes(place, decided))
            for place, decided in decisions.items()
        ]
        entry = ("XADD", self.keyspace.journal, "*", "e", _pack(changes))
        await together(self.client, [("HSET", self.keys.decisions, *words), entry])

    def _notes(self, place: Place, decided: Decided) -> list[tuple[str, str]]:
        """Return the notes by which the journal has a decision."""
        about = [("sku", place[0]), ("location", place[1])] if place[0] else []
        what = "pull" if place == PULL_NOW else decided.decision
        return [*about, ("source", self.source), ("decision", what), ("number", str(decided.after))]


async def source_statuses(client: Redis, keyspace: Keyspace) -> dict[str, SourceStatus]:
    """Read how each source of a partition stands."""
    stored = await command(client, "HGETALL", keyspace.source_status)
    return {stored_text(name): _decode_status(packed) for name, packed in stored.items()}


class SourceWrites:
    """What one source's engine has changed and not yet written: what it is about first, last how far it is.

    So a place in the journal never stands for what a kill could take away.
    """

    def __init__(self, store: PublisherStore, token: int, source: str) -> None:
        self._store = store
        self._token = token
        self._source = source
        self._keys = SourceKeys(store.keyspace, source)
        self._saving = asyncio.Lock()
        self._writes = Writes()
        self._state: dict[str, bytes | str | None] = {}

    def order(self, key: str, order: TrackedOrder | None) -> None:
        """Keep an order; None: no longer."""
        packed = None if order is None else _pack(order)
        self._writes.set(self._keys.orders, key, packed)
        # Apart from the many, so that they are found at once.
        self._writes.set(self._keys.refused, key, packed if order is not None and order.reason else None)

    def number(self, place: Place, units: int | None) -> None:
        """Keep what the source says of a place; None: nothing any more."""
        self._writes.set(self._keys.numbers, field_of(place), None if units is None else str(units))

    def waiting(self, place: Place, waiting: WaitingNumber | None) -> None:
        """Keep a number that waits; None: it does not any more."""
        self._writes.set(self._keys.waiting, field_of(place), None if waiting is None else _pack(waiting))

    def taken(self, names: Iterable[str]) -> None:
        """Remove decisions that were taken, by their own names."""
        for name in names:
            self._writes.set(self._keys.decisions, name, None)

    def supply(self, supply_id: str, fingerprint: str | None) -> None:
        """Keep what was taken over of an expected receipt; None: it is not expected any more."""
        self._writes.set(self._keys.supplies, supply_id, fingerprint)

    def status(self, status: SourceStatus) -> None:
        """Keep how it stands."""
        self._writes.set(self._store.keyspace.source_status, self._source, msgspec.json.encode(status))

    def state(self, **values: str | int) -> None:
        """Keep how far it is."""
        self._state |= {name: str(value) for name, value in values.items()}

    async def save(self) -> None:
        """Write what was gathered; all of it is written when this returns.

        Raises
        ------
        FencedError
            Another publisher has taken over.
        StoreUnavailableError
            The store is away; the next call writes it.

        """
        async with self._saving:
            writes, state = self._writes, self._state
            self._writes, self._state = Writes(), {}
            try:
                await self._store.record(self._token, _with_state(writes, self._keys.state, state))
            except BaseException:
                self._collect_again(writes, state)
                raise

    def _collect_again(self, writes: Writes, state: dict[str, bytes | str | None]) -> None:
        newer, self._writes = self._writes, writes
        writes.hashes.pop(self._keys.state, None)
        for key, fields in newer.hashes.items():
            for field, value in fields.items():
                writes.set(key, field, value)
        self._state = {**state, **self._state}


def _with_state(writes: Writes, key: str, state: dict[str, bytes | str | None]) -> Writes:
    for field, value in state.items():
        writes.set(key, field, value)
    return writes
