"""Up to which event each endpoint has received, and how many events there are."""

from typing import Any, Final, NamedTuple

from redis.asyncio import Redis

from server.store.connection.commands import command
from server.store.journal.entries import START, parse_entry_id
from server.store.keys import Keyspace

_NONE: Final = "0-0"


class Place(NamedTuple):
    """A position in the stream of events: the last one passed, and how many were ever raised up to it."""

    event_id: str
    number: int


class Extent(NamedTuple):
    """The extent of the stream: ``end`` is its last position, ``first_id`` the oldest event that is still stored."""

    end: Place
    first_id: str
    kept: int

    def is_before(self, place: Place) -> bool:
        """Whether a position lies beyond the end: the store came back without its newest events."""
        return parse_entry_id(place.event_id) > parse_entry_id(self.end.event_id)

    def missed(self, place: Place) -> int:
        """Count the events after a position that are not stored any more."""
        if self.kept and parse_entry_id(self.first_id) <= parse_entry_id(place.event_id):
            return 0
        return max(0, self.end.number - place.number - self.kept)


class WebhookStore:
    """The endpoints of one partition. Every method raises StoreUnavailableError if the store does not answer."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self._client = client
        self._keyspace = keyspace

    async def places(self) -> dict[str, Place]:
        """Read the position of each endpoint."""
        stored = await command(self._client, "HGETALL", self._keyspace.webhook_cursors)
        return {name.decode(): _place(packed.decode()) for name, packed in stored.items()}

    async def extent(self) -> Extent:
        """Read how many events there are."""
        if not await command(self._client, "EXISTS", self._keyspace.events):
            return Extent(Place(START, 0), _NONE, 0)
        facts = await command(self._client, "XINFO", "STREAM", self._keyspace.events)
        found: dict[bytes, Any] = dict(zip(facts[::2], facts[1::2], strict=True))
        first = found[b"first-entry"]
        return Extent(
            Place(found[b"last-generated-id"].decode(), int(found[b"entries-added"])),
            first[0].decode() if first else _NONE,
            int(found[b"length"]),
        )


def packed(place: Place) -> str:
    """Write a position as it is stored."""
    return f"{place.event_id} {place.number}"


def _place(text: str) -> Place:
    event_id, _, number = text.partition(" ")
    return Place(event_id, int(number))
