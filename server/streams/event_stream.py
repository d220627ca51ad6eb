"""One open change stream: what its caller has so far, and how it gets the rest.

While it keeps up, the fan-out writes into it, and it costs nothing else. Where its connection is full or it is behind,
it goes on by itself, in turns with others, until it has caught up.
"""

import asyncio
from typing import Final, NamedTuple, Protocol

import msgspec
import structlog

from server.store.errors import StoreError
from server.store.journal.journal import DamagedEntryError, format_entry_id, parse_entry_id
from server.streams.endings import DISCONNECTED, NOT_READ
from server.streams.event_fanout import STORE_IS_AWAY, EventFanOut
from server.streams.event_rounds import Position, chunk_of, entry_of
from server.streams.open_streams import OpenStreams, Place

log = structlog.get_logger("holdfast.http")

WENT_BACK: Final = "the store came back without its newest entries"
UNREADABLE: Final = "an entry of the journal cannot be read"
_RETRY_S: Final = 1.0
_LEAVES_S: Final = 1.0
"""How long a stream that was ended may take to read what was sent."""


class Outlet(Protocol):
    """Where the bytes of a stream go."""

    def is_full(self) -> bool:
        """Whether the caller has not read enough for more to be written."""

    def write(self, chunk: bytes) -> None:
        """Write a framed piece; it does not wait."""

    def waiting(self) -> tuple[int, int]:
        """Return how many bytes wait for the caller, those in the kernel too, and how many it has taken so far."""

    async def drained(self) -> None:
        """Wait until more can be written.

        Raises
        ------
        ConnectionError
            The caller has left.

        """

    def abort(self) -> None:
        """Close the connection, whatever is unsent."""


class _Seen(NamedTuple):
    """What was waiting for a caller at the last look, how much it had taken, and since when that is so."""

    waiting: int
    taken: int
    since_s: float


class EventStream:
    """One open stream, of the SKUs that its place names, or of all.

    Parameters
    ----------
    outlet
        Where it writes.
    position
        Up to where its caller has everything.
    write_timeout_s
        How long its caller may take to read what its connection holds, however little at a time it takes.
    gather_s
        How long it rests once its caller has everything: what changes meanwhile comes at once, each SKU one time.

    """

    def __init__(
        self,
        outlet: Outlet,
        fan_out: EventFanOut,
        position: Position,
        place: Place,
        streams: OpenStreams,
        *,
        write_timeout_s: float,
        gather_s: float = 0.0,
    ) -> None:
        self._outlet = outlet
        self._fan_out = fan_out
        self._position = position
        self._place = place
        self._skus = place.skus
        self._streams = streams
        self._write_timeout_s = write_timeout_s
        self._gather_s = gather_s
        self._rests_until_s = 0.0
        self._waking: asyncio.TimerHandle | None = None
        self._rewinds = fan_out.rewinds
        self._reads_alone = False
        """It has begun to read alone and is not at the end: what is kept may be older than what it has sent."""
        self._parked: asyncio.Future[None] | None = None
        self._seen = _Seen(0, 0, 0.0)
        place.on_end = self._notice_end

    # -- what the fan-out and the registry do with it

    def offer(self) -> None:
        """Take the newest round, or begin to catch up."""
        if self._parked is None or self._has_ended():
            return  # it goes on by itself
        if self._rest_s():
            self._wake_after_rest()
            return
        kept = self._fan_out.kept
        if (
            self._rewinds == self._fan_out.rewinds
            and self._position == kept.before_newest
            and not self._outlet.is_full()
        ):
            self._outlet.write(kept.newest_of(self._skus) if self._skus else kept.chunk)
            self._position = kept.position
            self._rest()
        if not self._keeps_up():
            self.wake()

    def say(self, comment: bytes) -> None:
        """Send a comment if nothing else is being sent."""
        if self._parked is not None and not self._has_ended() and not self._outlet.is_full():
            self._outlet.write(comment)
            if self._outlet.is_full():
                self.wake()  # it has its deadline from now on

    def look(self, now_s: float) -> None:
        """End it where its caller takes nothing of what waits for it, little as that may be.

        A connection that is full has a deadline of its own, see :meth:`_drained`.
        """
        if self._parked is None or self._has_ended():
            return
        (waiting, taken), before = self._outlet.waiting(), self._seen
        if not (waiting and before.waiting and taken == before.taken):
            self._seen = _Seen(waiting, taken, now_s)
        elif now_s - before.since_s >= self._write_timeout_s:
            self._end_unread()
            self.wake()

    def wake(self) -> None:
        """Have it look what there is to do."""
        if self._parked is not None and not self._parked.done():
            self._parked.set_result(None)

    def lost(self) -> None:
        """Note that its caller has left."""
        self._streams.end(self._place, DISCONNECTED)
        self.wake()

    def _notice_end(self) -> None:
        if self._outlet.is_full():
            self._outlet.abort()  # it waits for a caller that does not read
        self.wake()

    # -- its own way

    async def run(self) -> None:
        """Go on until it is to end, and tell the caller why."""
        while not self._has_ended():
            try:
                if self._keeps_up() or self._rest_s():
                    await self._park()
                else:
                    await self._go_on()
                    self._rest()
            except DamagedEntryError as damaged:
                await self.reset(parse_entry_id(damaged.entry_id), UNREADABLE)
            except StoreError:
                await self._wait_for_store()
            except ConnectionError:
                self._streams.end(self._place, DISCONNECTED)
        self._leave()

    async def reset(self, position: Position, reason: str) -> None:
        """Have the caller read everything anew, and go on from a position."""
        body = b"id: %b\nevent: reset\ndata: %b\n\n" % (
            format_entry_id(entry_of(position)).encode(),
            msgspec.json.encode({"reason": reason}),
        )
        await self._write(chunk_of(body))
        self._position = position
        self._reads_alone = False

    def _keeps_up(self) -> bool:
        return (
            self._position >= self._fan_out.position
            and self._rewinds == self._fan_out.rewinds
            and not self._reads_alone
            and not self._outlet.is_full()
        )

    def _rest_s(self) -> float:
        """Return how long it still rests."""
        return max(0.0, self._rests_until_s - asyncio.get_running_loop().time()) if self._rests_until_s else 0.0

    def _rest(self) -> None:
        """Rest from now on, unless there is more to be written first."""
        if self._gather_s and self._keeps_up():
            self._rests_until_s = asyncio.get_running_loop().time() + self._gather_s

    def _wake_after_rest(self) -> None:
        if self._waking is None:
            self._waking = asyncio.get_running_loop().call_later(self._rest_s(), self._has_rested)

    def _has_rested(self) -> None:
        self._waking, self._rests_until_s = None, 0.0
        self.wake()

    async def _park(self) -> None:
        """Be written to by the fan-out."""
        if not self._keeps_up():
            self._wake_after_rest()
        self._parked = asyncio.get_running_loop().create_future()
        try:
            await self._parked
        finally:
            self._parked = None

    async def _go_on(self) -> None:
        fan_out = self._fan_out
        if self._outlet.is_full():
            await self._drained()
        elif fan_out.rewinds != self._rewinds:
            self._rewinds = fan_out.rewinds
            await self.reset(fan_out.position, WENT_BACK)
        elif self._reads_alone or not fan_out.kept.reaches(self._position):
            await self._read_alone()
        elif self._skus:
            piece = fan_out.kept.piece_after(self._position)
            await self._write(piece.chunk(self._skus))
            self._position = piece.upto
        else:
            upto, chunk = fan_out.kept.after(self._position)
            await self._write(chunk)
            self._position = upto

    async def _read_alone(self) -> None:
        """Have a piece read, up to the journal's end, which is no less far than the fan-out was before."""
        found = await self._fan_out.read_alone(self._position, self._place.principal.key)
        await self._write(found.chunk(self._skus))
        self._position, self._reads_alone = found.upto, found.more

    async def _wait_for_store(self) -> None:
        """The caller keeps its place, and gets the rest when the store is back."""
        await self._write(STORE_IS_AWAY)
        await asyncio.sleep(_RETRY_S)

    async def _write(self, chunk: bytes) -> None:
        """Write in a turn, when the caller has read enough of what was written before."""
        while chunk and not self._has_ended():
            if self._outlet.is_full():
                await self._drained()
                continue
            async with self._fan_out.turn():
                if not self._outlet.is_full() and not self._has_ended():
                    self._outlet.write(chunk)
                    return

    def _has_ended(self) -> bool:
        return self._place.ending is not None

    async def _drained(self) -> None:
        """Wait until the caller has read; its time counts from now, also where it takes a byte a second."""
        try:
            async with asyncio.timeout(self._write_timeout_s):
                await self._outlet.drained()
        except TimeoutError:
            # Many are full since the same round and would end at once: in turns, they hold nobody else up.
            async with self._fan_out.turn():
                if not self._has_ended():
                    self._end_unread()

    def _end_unread(self) -> None:
        log.warning("changes_stream_not_read", key=self._place.principal.key, within_s=self._write_timeout_s)
        self._streams.end(self._place, NOT_READ)

    def _leave(self) -> None:
        """Say why it ends, and close the connection, at once where nothing can be said."""
        if self._waking is not None:
            self._waking.cancel()
        ending = self._place.ending
        if ending is None or not ending.detail or self._outlet.is_full():
            self._outlet.abort()
            return
        self._outlet.write(ending.chunk)
        asyncio.get_running_loop().call_later(_LEAVES_S, self._outlet.abort)
