"""Which SKUs of one channel wait to be told, in which order, and up to which journal id everything is told.

A mark carries no value: whoever sends reads the newest. So there is one mark for each SKU at most, however often it
changes, and a second one only while the first is on its way.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from server.store.journal.journal import EntryId

_STALE_MAX: Final = 1_000


class Queue(IntEnum):
    """Where a mark waits. The order of the names is the order in which they are sent."""

    URGENT = 0
    """A fall to zero: every further sale there would be an order that cannot be shipped."""
    READY = 1
    CADENCE = 2
    """Until the channel's next turn."""
    RESTING = 3
    """Until its own time to try again."""
    BEHIND = 4
    """Until the push that is on its way with the same SKU has been answered."""


@dataclass(slots=True)
class PendingSku:
    """One SKU that waits or is on its way.

    ``entry_id`` is that of the oldest change that is not confirmed, ``changed_ms`` its time on the store's clock (0: it
    was no change of stock). ``since_ms``: when the mark was made. ``forced``: send whatever the channel is believed to
    show. ``doubtful``: a request with it had no answer and may still take effect. ``next_queue`` is where a mark goes
    that waits BEHIND another. ``not_before_s``: when it may be tried again, unless it has become urgent.

    ``tries`` counts all attempts, ``attempt`` those that had a definite answer, ``refusals`` the answers that speak
    against the value.
    """

    entry_id: EntryId
    changed_ms: int
    forced: bool = False
    queue: Queue = Queue.BEHIND
    next_queue: Queue = Queue.READY
    due_s: float = 0.0
    doubtful: bool = False
    since_ms: int = 0
    not_before_s: float = 0.0
    tries: int = 0
    attempt: int = 0
    refusals: int = 0


class Pending:
    """The marks of one channel. Times are seconds of the event loop's clock."""

    def __init__(self) -> None:
        self.waiting: dict[str, PendingSku] = {}
        self.flying: dict[str, PendingSku] = {}
        self._queues: dict[Queue, dict[str, None]] = {Queue.URGENT: {}, Queue.READY: {}, Queue.CADENCE: {}}
        self._resting: list[tuple[float, str]] = []
        self._oldest: list[tuple[EntryId, str]] = []

    def __contains__(self, sku: str) -> bool:
        return sku in self.waiting or sku in self.flying

    def __len__(self) -> int:
        """Count the SKUs that wait or are on their way."""
        return len(self.waiting) + sum(sku not in self.waiting for sku in self.flying)

    def mark(
        self, sku: str, entry_id: EntryId, changed_ms: int, queue: Queue, *, forced: bool = False, due_s: float = 0.0
    ) -> PendingSku:
        """Note that a SKU has changed.

        It keeps the place of an earlier mark, unless it has become more urgent, or less, or the mark rests: what it
        rests for may not hold for the new value.
        """
        mark = self.waiting.get(sku)
        if mark is None:
            mark = self.waiting[sku] = PendingSku(entry_id, changed_ms, forced, due_s=due_s)
            self._note(sku, mark)
            self._put(sku, mark, queue)
            return mark
        mark.forced |= forced
        if entry_id < mark.entry_id:
            mark.entry_id = entry_id
            self._note(sku, mark)
        mark.changed_ms = mark.changed_ms or changed_ms
        if mark.queue is Queue.BEHIND:
            mark.next_queue = queue
        elif mark.queue is Queue.RESTING or (mark.queue is Queue.URGENT) is not (queue is Queue.URGENT):
            self._leave(sku, mark)
            self._put(sku, mark, queue)
        return mark

    def sendable(self, now_s: float) -> Iterator[str]:
        """Go through the SKUs that may be sent now, the most urgent first; what is iterated over must not change."""
        self._wake(now_s)
        yield from self._queues[Queue.URGENT]
        yield from self._queues[Queue.READY]

    def begin_turn(self) -> None:
        """Let everything that waits for the channel's turn go."""
        turn = self._queues[Queue.CADENCE]
        for sku in turn:
            self.waiting[sku].queue = Queue.READY
        self._queues[Queue.READY].update(turn)
        turn.clear()

    @property
    def awaits_turn(self) -> bool:
        """Whether something waits for the channel's turn."""
        return bool(self._queues[Queue.CADENCE])

    def next_due_s(self) -> float:
        """Tell when the next resting mark may go; infinity: none rests."""
        return self._resting[0][0] if self._resting else float("inf")

    def take_off(self, sku: str) -> PendingSku:
        """Send a waiting SKU on its way."""
        mark = self.waiting.pop(sku)
        self._leave(sku, mark)
        self.flying[sku] = mark
        return mark

    def fly_again(self, sku: str, mark: PendingSku) -> None:
        """Note a SKU that an earlier publisher sent on its way."""
        self.flying[sku] = mark
        self._note(sku, mark)
        waiting = self.waiting.get(sku)
        if waiting is not None:
            self._leave(sku, waiting)
            self._put(sku, waiting, Queue.READY if waiting.queue is Queue.RESTING else waiting.queue)

    def drop(self, sku: str) -> None:
        """Forget a waiting SKU: there is nothing to tell."""
        self._leave(sku, self.waiting.pop(sku))

    def land(self, sku: str) -> None:
        """Note that the push has been answered for good; what changed meanwhile may go now."""
        del self.flying[sku]
        newer = self.waiting.get(sku)
        if newer is not None:
            self._put(sku, newer, newer.next_queue)

    def put_back(self, sku: str, queue: Queue, *, due_s: float = 0.0, forced: bool = False) -> PendingSku:
        """Let a SKU wait again: it was not taken, or nobody knows. ``due_s`` is for RESTING."""
        mark = self.flying.pop(sku)
        newer = self.waiting.get(sku)
        if newer is not None:  # its value goes instead, and stands for the older change, too
            newer.entry_id, newer.changed_ms = mark.entry_id, mark.changed_ms or newer.changed_ms
            newer.tries, newer.refusals, newer.forced = mark.tries, mark.refusals, newer.forced or mark.forced
            newer.doubtful |= mark.doubtful
            mark, queue = newer, Queue.URGENT if newer.next_queue is Queue.URGENT else queue
        self.waiting[sku] = mark
        mark.forced |= forced
        mark.due_s = due_s
        self._note(sku, mark)
        self._put(sku, mark, queue)
        return mark

    def oldest(self) -> EntryId | None:
        """Tell the oldest journal id that is not confirmed; None: everything is."""
        heap = self._oldest
        while heap:
            entry_id, sku = heap[0]
            waiting, flying = self.waiting.get(sku), self.flying.get(sku)
            if (waiting and waiting.entry_id == entry_id) or (flying and flying.entry_id == entry_id):
                return entry_id
            heapq.heappop(heap)
        return None

    def oldest_changed_ms(self) -> int | None:
        """Tell the time of the oldest change of stock that is not confirmed."""
        if self.oldest() is None:
            return None
        sku = self._oldest[0][1]
        marks = (self.flying.get(sku), self.waiting.get(sku))
        return next((mark.changed_ms for mark in marks if mark is not None and mark.changed_ms), None)

    def _put(self, sku: str, mark: PendingSku, queue: Queue) -> None:
        if sku in self.flying:
            mark.queue, mark.next_queue = Queue.BEHIND, queue
            return
        mark.queue = queue
        if queue is Queue.RESTING:
            heapq.heappush(self._resting, (mark.due_s, sku))
        else:
            self._queues[queue][sku] = None

    def _leave(self, sku: str, mark: PendingSku) -> None:
        if mark.queue in self._queues:
            del self._queues[mark.queue][sku]

    def _wake(self, now_s: float) -> None:
        while self._resting and self._resting[0][0] <= now_s:
            due_s, sku = heapq.heappop(self._resting)
            mark = self.waiting.get(sku)
            if mark is not None and mark.queue is Queue.RESTING and mark.due_s == due_s:
                self._put(sku, mark, Queue.READY)

    def _note(self, sku: str, mark: PendingSku) -> None:
        heapq.heappush(self._oldest, (mark.entry_id, sku))
        # Entries of settled marks leave when they come to the front; one that stays there must not keep them all.
        if len(self._oldest) > 4 * (len(self.waiting) + len(self.flying)) + _STALE_MAX:
            each = (*self.waiting.items(), *self.flying.items())
            self._oldest = [(mark.entry_id, sku) for sku, mark in each]
            heapq.heapify(self._oldest)
