"""Events of changes as they are sent: rounds of them, and the newest of each SKU that are kept for slow streams."""

from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from server.store.journal.journal import EntryId, format_entry_id

KEPT_EVENTS: Final = 10_000
KEPT_BYTES: Final = 4 * 1024 * 1024
PIECE_BYTES: Final = 64 * 1024
"""A slow stream is given about so much at a time: the events wait here, once, and not in each connection's buffer."""
_PIECES_MAX: Final = 64


class Event(NamedTuple):
    """The newest value of one SKU; ``body`` is the encoded event without an id."""

    sku: str
    body: bytes
    is_out: bool = False
    """Nothing is available."""


Position = tuple[int, ...]
"""Up to where events are ready: a journal id. Between two entries also that of the first, how many pieces of the second
are ready, and where the next begins: see :func:`server.store.repositories.locations.skus_at`."""


def entry_of(position: Position) -> EntryId:
    """Return the journal id up to which all is ready at a position."""
    return position[0], position[1]


def chunk_of(body: bytes) -> bytes:
    """Frame what is sent as one chunk of HTTP/1.1: once, for all streams. Nothing has no frame: it would be the end."""
    return b"%x\r\n%b\r\n" % (len(body), body) if body else b""


class Round(NamedTuple):
    """A piece of the journal as events: all that changed up to and with ``upto`` is in them, or in later ones.

    ``more``: the journal goes on.
    """

    upto: Position
    events: list[Event]
    more: bool = False

    @property
    def body(self) -> bytes:
        """The bytes to send. Only the last event has the id: a caller that leaves in the middle gets all again."""
        if not self.events:
            return b""
        *first, last = (event.body for event in self.events)
        return b"".join([*first, b"id: %b\n" % format_entry_id(entry_of(self.upto)).encode(), last])

    def chunk(self, skus: AbstractSet[str]) -> bytes:
        """Frame what of it is about some SKUs; none are named: all of it."""
        told = self._replace(events=[each for each in self.events if each.sku in skus]) if skus else self
        return chunk_of(told.body)


class _Kept(NamedTuple):
    upto: Position
    event: Event


class KeptEvents:
    """The newest round, and the newest event of each SKU in the order of change, within bounds of number and bytes."""

    def __init__(self) -> None:
        self.start_at((0, 0))

    def start_at(self, position: Position) -> None:
        """Keep nothing, and go on from a position."""
        self._kept: dict[str, _Kept] = {}
        self._bytes = 0
        self._reaches_back_to = self.before_newest = position
        self._newest, self.chunk = Round(position, []), b""
        self._in_newest: dict[str, int] | None = None
        self._pieces: dict[Position, tuple[Position, bytes]] = {}

    @property
    def position(self) -> Position:
        """Up to where events are ready."""
        return self._newest.upto

    def publish(self, found: Round) -> None:
        """Add the next round."""
        for event in found.events:
            self._forget(event.sku)
            self._kept[event.sku] = _Kept(found.upto, event)
            self._bytes += len(event.body)
        self.before_newest, self._newest, self.chunk = self.position, found, chunk_of(found.body)
        self._in_newest = None
        self._pieces = {self.before_newest: (found.upto, self.chunk)}
        while len(self._kept) > KEPT_EVENTS or self._bytes > KEPT_BYTES:
            oldest = next(iter(self._kept))
            self._reaches_back_to = self._kept[oldest].upto
            self._forget(oldest)

    def newest_of(self, skus: AbstractSet[str]) -> bytes:
        """Frame what of the newest round is about some SKUs; many streams ask, each for its few SKUs."""
        if self._in_newest is None:
            self._in_newest = {event.sku: number for number, event in enumerate(self._newest.events)}
        numbers = sorted(number for sku in skus if (number := self._in_newest.get(sku)) is not None)
        return chunk_of(self._newest._replace(events=[self._newest.events[number] for number in numbers]).body)

    def reaches(self, position: Position) -> bool:
        """Whether all that changed after a position is among the kept events."""
        return position >= min(self._reaches_back_to, self.before_newest)

    def after(self, position: Position) -> tuple[Position, bytes]:
        """Get what is newer than a position: the next position, and the chunk to send.

        Slow streams soon stand at the same positions, at the ends of pieces: a piece is made once for all of them.
        """
        found = self._pieces.get(position)
        if found is None:
            if len(self._pieces) >= _PIECES_MAX:
                self._pieces.clear()
            piece = self.piece_after(position)
            found = self._pieces[position] = (piece.upto, chunk_of(piece.body))
        return found

    def piece_after(self, position: Position) -> Round:
        """Take events until they are enough to send at once. A round is not divided: its id stands for all of it."""
        if position >= self.before_newest:
            return self._newest
        newer: list[_Kept] = []
        for kept in reversed(self._kept.values()):
            if kept.upto <= position:
                break
            newer.append(kept)
        newer.reverse()
        size = 0
        for index, kept in enumerate(newer):
            if size >= PIECE_BYTES and kept.upto != newer[index - 1].upto:
                return Round(newer[index - 1].upto, [each.event for each in newer[:index]])
            size += len(kept.event.body)
        return Round(self.position, [each.event for each in newer])

    def _forget(self, sku: str) -> None:
        known = self._kept.pop(sku, None)
        if known is not None:
            self._bytes -= len(known.event.body)
