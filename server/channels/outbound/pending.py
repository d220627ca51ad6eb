"""Which SKUs of one channel are pending or in flight, in which order, and from which journal id nothing is confirmed.

A pending SKU carries no value: the sender reads the newest when it sends. So each SKU is pending at most once, however
often it changes, and a second time only while it is in flight.
"""

import heapq
from collections.abc import Iterator, KeysView
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from server.store.journal.journal import EntryId

_STALE_MAX: Final = 1_000
"""Stale entries of the index of oldest ids below which rebuilding it costs more than it frees."""


class Queue(IntEnum):
    """Where a pending SKU waits. The order of the names is the order in which they are sent."""

    URGENT = 0
    """A fall to zero: every further sale there would be an order that cannot be shipped."""
    READY = 1
    PRICES = 2
    """Prices that go in pushes of their own, while no quantity waits."""
    CADENCE = 3
    """Until the channel's next cadence."""
    DELAYED = 4
    """Until its own time to retry."""
    BLOCKED = 5
    """Until the push that is in flight with the same SKU has been answered."""


def _is_moved(waits_in: Queue, queue: Queue) -> bool:
    """Return whether a SKU that changes leaves its queue: for more haste, for less, or its reason may be gone."""
    hastened = waits_in is Queue.CADENCE and queue is Queue.READY
    return (
        waits_in in (Queue.DELAYED, Queue.PRICES)
        or hastened
        or (waits_in is Queue.URGENT) is not (queue is Queue.URGENT)
    )


@dataclass(slots=True)
class PendingSku:
    """One SKU that is pending or in flight.

    ``entry_id`` is that of the oldest change that is not confirmed, ``changed_ms`` its time on the store's clock (0: it
    was no change of stock). ``since_ms``: when it became pending. ``forced``: send whatever the channel is believed to
    show. ``maybe_applied``: a request with it had no answer and may still take effect. ``next_queue`` is where a
    BLOCKED one goes. ``not_before_s``: when it may be retried, unless it has become urgent.
    ``alone``: without its price, for that was refused or put off together with it. ``price_group``: its price was in a
    push that was refused whole; it goes only with those that have the same number, and with no new quantity. 0: none.
    ``sold``: the units that the channel sold itself while this was in flight; None: there was no such sale.

    ``tries`` counts all attempts, ``attempt`` those that had a definite answer, ``refusals`` the answers that speak
    against the value.
    """

    entry_id: EntryId
    changed_ms: int
    forced: bool = False
    queue: Queue = Queue.BLOCKED
    next_queue: Queue = Queue.READY
    due_s: float = 0.0
    maybe_applied: bool = False
    since_ms: int = 0
    not_before_s: float = 0.0
    tries: int = 0
    attempt: int = 0
    refusals: int = 0
    alone: bool = False
    price_group: int = 0
    sold: int | None = None

    def count_try(self, *, answered: bool, refused: bool = False) -> None:
        """Count one attempt; ``answered``: it had a definite answer, ``refused``: one against the value."""
        self.tries += 1
        self.attempt += answered
        self.refusals += refused


class Pending:
    """The pending and in-flight SKUs of one channel. Times are seconds of the event loop's clock."""

    def __init__(self) -> None:
        self._waiting: dict[str, PendingSku] = {}
        self._in_flight: dict[str, PendingSku] = {}
        queues = (Queue.URGENT, Queue.READY, Queue.PRICES, Queue.CADENCE)
        self._queues: dict[Queue, dict[str, None]] = {queue: {} for queue in queues}
        self._delayed: list[tuple[float, str]] = []
        self._oldest: list[tuple[EntryId, str]] = []

    def __contains__(self, sku: str) -> bool:
        return sku in self._waiting or sku in self._in_flight

    def __len__(self) -> int:
        """Count the SKUs that are waiting or in flight."""
        return len(self._waiting) + sum(sku not in self._waiting for sku in self._in_flight)

    def in_flight(self) -> KeysView[str]:
        """Return the SKUs that are in flight; the view changes with them."""
        return self._in_flight.keys()

    def unsure(self) -> set[str]:
        """Return the SKUs that are in flight, and those whose last request had no answer."""
        return {*self._in_flight, *(sku for sku, pending in self._waiting.items() if pending.maybe_applied)}

    def add(
        self, sku: str, entry_id: EntryId, changed_ms: int, queue: Queue, *, forced: bool = False, due_s: float = 0.0
    ) -> PendingSku:
        """Make a SKU pending, since it has changed.

        It keeps its place if it was pending before, unless it has become more urgent, or less, or is delayed: the
        reason for the delay may not hold for the new value.
        """
        pending = self._waiting.get(sku)
        if pending is None:
            pending = self._waiting[sku] = PendingSku(entry_id, changed_ms, forced, due_s=due_s)
            self._index(sku, pending)
            self._enqueue(sku, pending, queue)
            return pending
        pending.forced |= forced
        if entry_id < pending.entry_id:
            pending.entry_id = entry_id
            self._index(sku, pending)
        pending.changed_ms = pending.changed_ms or changed_ms
        if pending.queue is Queue.BLOCKED:
            pending.next_queue = queue
        elif _is_moved(pending.queue, queue):
            self._dequeue(sku, pending)
            self._enqueue(sku, pending, queue)
        return pending

    def sendable(self, now_s: float) -> Iterator[tuple[str, PendingSku]]:
        """Go through the SKUs that may be sent now, the most urgent first; what is iterated over must not change.

        Those with :meth:`prices` of their own are not among them.
        """
        self._end_delays(now_s)
        waiting = self._waiting
        for queue in (Queue.URGENT, Queue.READY):
            for sku in self._queues[queue]:
                yield sku, waiting[sku]

    def prices(self) -> Iterator[tuple[str, PendingSku]]:
        """Go through the SKUs whose price goes in a push of its own; what is iterated over must not change."""
        for sku in self._queues[Queue.PRICES]:
            yield sku, self._waiting[sku]

    def move(self, sku: str, queue: Queue) -> None:
        """Let a waiting SKU wait in another queue."""
        pending = self._waiting[sku]
        self._dequeue(sku, pending)
        self._enqueue(sku, pending, queue)

    def release_cadence(self) -> None:
        """Make everything ready that waits for the channel's cadence."""
        released = self._queues[Queue.CADENCE]
        for sku in released:
            self._waiting[sku].queue = Queue.READY
        self._queues[Queue.READY].update(released)
        released.clear()

    @property
    def awaits_cadence(self) -> bool:
        """Whether something waits for the channel's cadence."""
        return bool(self._queues[Queue.CADENCE])

    def next_due_s(self) -> float:
        """Return when the next delayed SKU may go; infinity: none is delayed."""
        return self._delayed[0][0] if self._delayed else float("inf")

    def send(self, sku: str) -> PendingSku:
        """Put a waiting SKU in flight."""
        pending = self._waiting.pop(sku)
        self._dequeue(sku, pending)
        self._in_flight[sku] = pending
        pending.sold = None
        return pending

    def delay(self, sku: str, due_s: float) -> None:
        """Let a waiting SKU wait until ``due_s``."""
        pending = self._waiting[sku]
        self._dequeue(sku, pending)
        pending.due_s = due_s
        self._enqueue(sku, pending, Queue.DELAYED)

    def put_in_flight(self, sku: str, pending: PendingSku) -> None:
        """Put a SKU in flight that did not wait here: of an earlier publisher's ticket, or to accompany a push."""
        self._in_flight[sku] = pending
        self._index(sku, pending)
        waiting = self._waiting.get(sku)
        if waiting is not None:
            self._dequeue(sku, waiting)
            self._enqueue(sku, waiting, Queue.READY if waiting.queue is Queue.DELAYED else waiting.queue)

    def sold(self, sku: str, units: int) -> None:
        """Note that the channel has sold units of a SKU itself, which may be in flight."""
        pending = self._in_flight.get(sku)
        if pending is not None:
            pending.sold = (pending.sold or 0) + units

    def drop(self, sku: str) -> None:
        """Remove a waiting SKU: there is nothing to publish."""
        self._dequeue(sku, self._waiting.pop(sku))

    def finish(self, sku: str) -> None:
        """End a SKU's flight, since its push has a final answer; what changed meanwhile may go now."""
        del self._in_flight[sku]
        newer = self._waiting.get(sku)
        if newer is not None:
            self._enqueue(sku, newer, newer.next_queue)

    def requeue(self, sku: str, queue: Queue, *, due_s: float = 0.0, forced: bool = False) -> PendingSku:
        """Let a SKU in flight wait again: it was not applied, or that is unknown. ``due_s`` is for DELAYED."""
        pending = self._in_flight.pop(sku)
        newer = self._waiting.get(sku)
        if newer is not None:  # its value goes instead, and stands for the older change, too
            newer.entry_id, newer.changed_ms = pending.entry_id, pending.changed_ms or newer.changed_ms
            newer.tries, newer.refusals = pending.tries, pending.refusals
            newer.forced |= pending.forced
            newer.maybe_applied |= pending.maybe_applied
            newer.alone |= pending.alone
            newer.price_group = pending.price_group
            if queue is Queue.PRICES or newer.next_queue is Queue.URGENT:
                queue = newer.next_queue
            pending = newer
        self._waiting[sku] = pending
        pending.forced |= forced
        pending.due_s = due_s
        self._index(sku, pending)
        self._enqueue(sku, pending, queue)
        return pending

    def oldest(self) -> EntryId | None:
        """Return the oldest journal id that is not confirmed; None: everything is."""
        heap = self._oldest
        while heap:
            entry_id, sku = heap[0]
            waiting, sent = self._waiting.get(sku), self._in_flight.get(sku)
            if (waiting and waiting.entry_id == entry_id) or (sent and sent.entry_id == entry_id):
                return entry_id
            heapq.heappop(heap)
        return None

    def oldest_changed_ms(self) -> int | None:
        """Return the time of the oldest change of stock that is not confirmed."""
        if self.oldest() is None:
            return None
        sku = self._oldest[0][1]
        both = (self._in_flight.get(sku), self._waiting.get(sku))
        return next((pending.changed_ms for pending in both if pending is not None and pending.changed_ms), None)

    def _enqueue(self, sku: str, pending: PendingSku, queue: Queue) -> None:
        if sku in self._in_flight:
            pending.queue, pending.next_queue = Queue.BLOCKED, queue
            return
        pending.queue = queue
        if queue is Queue.DELAYED:
            heapq.heappush(self._delayed, (pending.due_s, sku))
        else:
            self._queues[queue][sku] = None

    def _dequeue(self, sku: str, pending: PendingSku) -> None:
        if pending.queue in self._queues:
            del self._queues[pending.queue][sku]

    def _end_delays(self, now_s: float) -> None:
        while self._delayed and self._delayed[0][0] <= now_s:
            due_s, sku = heapq.heappop(self._delayed)
            pending = self._waiting.get(sku)
            if pending is not None and pending.queue is Queue.DELAYED and pending.due_s == due_s:
                self._enqueue(sku, pending, Queue.READY)

    def _index(self, sku: str, pending: PendingSku) -> None:
        heapq.heappush(self._oldest, (pending.entry_id, sku))
        # Stale entries leave when they come to the front; one valid entry that stays there must not keep them all.
        if len(self._oldest) > 4 * (len(self._waiting) + len(self._in_flight)) + _STALE_MAX:
            each = (*self._waiting.items(), *self._in_flight.items())
            self._oldest = [(pending.entry_id, sku) for sku, pending in each]
            heapq.heapify(self._oldest)
