"""Which keys of one channel are pending or in flight, in which order, and from which journal id nothing is confirmed.

A pending key carries no value: the sender reads the newest when it sends. So each key is pending at most once, however
often it changes, and a second time only while it is in flight.
"""

import heapq
from collections.abc import Iterator, KeysView
from enum import IntEnum
from typing import Final

import msgspec

from server.store.journal.journal import EntryId

_STALE_MAX: Final = 1_000
"""Stale entries of the index of oldest ids below which rebuilding it costs more than it frees."""


class Queue(IntEnum):
    """Where a pending key waits. The order of the names is the order in which they are sent."""

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
    """Until the push that is in flight with the same key has been answered."""


def _is_moved(waits_in: Queue, queue: Queue) -> bool:
    """Return whether a key that changes leaves its queue: for more haste, for less, or its reason may be gone."""
    hastened = waits_in is Queue.CADENCE and queue is Queue.READY
    return (
        waits_in in (Queue.DELAYED, Queue.PRICES)
        or hastened
        or (waits_in is Queue.URGENT) is not (queue is Queue.URGENT)
    )


class PendingKey(msgspec.Struct, gc=False):
    """One key that is pending or in flight.

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

    def begin_anew(self) -> None:
        """Forget what answers said so far: they were about another SKU."""
        self.tries = self.attempt = self.refusals = self.price_group = 0
        self.alone, self.not_before_s = False, 0.0


class Pending:
    """The pending and in-flight keys of one channel. Times are seconds of the event loop's clock."""

    def __init__(self) -> None:
        self._waiting: dict[str, PendingKey] = {}
        self._in_flight: dict[str, PendingKey] = {}
        queues = (Queue.URGENT, Queue.READY, Queue.PRICES, Queue.CADENCE)
        self._queues: dict[Queue, dict[str, None]] = {queue: {} for queue in queues}
        self._delayed: list[tuple[float, str]] = []
        self._oldest: list[tuple[EntryId, str]] = []

    def __contains__(self, key: str) -> bool:
        return key in self._waiting or key in self._in_flight

    def __len__(self) -> int:
        """Count the keys that are waiting or in flight."""
        return len(self._waiting) + sum(key not in self._waiting for key in self._in_flight)

    def in_flight(self) -> KeysView[str]:
        """Return the keys that are in flight; the view changes with them."""
        return self._in_flight.keys()

    def unsure(self) -> set[str]:
        """Return the keys that are in flight, and those whose last request had no answer."""
        return {*self._in_flight, *(key for key, pending in self._waiting.items() if pending.maybe_applied)}

    def add(
        self, key: str, entry_id: EntryId, changed_ms: int, queue: Queue, *, forced: bool = False, due_s: float = 0.0
    ) -> PendingKey:
        """Make a key pending, since it has changed.

        It keeps its place if it was pending before, unless it has become more urgent, or less, or is delayed: the
        reason for the delay may not hold for the new value.
        """
        pending = self._waiting.get(key)
        if pending is None:
            pending = self._waiting[key] = PendingKey(entry_id, changed_ms, forced, due_s=due_s)
            self._index(key, pending)
            self._enqueue(key, pending, queue)
            return pending
        pending.forced |= forced
        if entry_id < pending.entry_id:
            pending.entry_id = entry_id
            self._index(key, pending)
        pending.changed_ms = pending.changed_ms or changed_ms
        if pending.queue is Queue.BLOCKED:
            pending.next_queue = queue
        elif _is_moved(pending.queue, queue):
            self._dequeue(key, pending)
            self._enqueue(key, pending, queue)
        return pending

    def sendable(self, now_s: float) -> Iterator[tuple[str, PendingKey]]:
        """Go through the keys that may be sent now, the most urgent first; what is iterated over must not change.

        Those with :meth:`prices` of their own are not among them.
        """
        self._end_delays(now_s)
        waiting = self._waiting
        for queue in (Queue.URGENT, Queue.READY):
            for key in self._queues[queue]:
                yield key, waiting[key]

    def prices(self) -> Iterator[tuple[str, PendingKey]]:
        """Go through the keys whose price goes in a push of its own; what is iterated over must not change."""
        for key in self._queues[Queue.PRICES]:
            yield key, self._waiting[key]

    def move(self, key: str, queue: Queue) -> None:
        """Let a waiting key wait in another queue."""
        pending = self._waiting[key]
        self._dequeue(key, pending)
        self._enqueue(key, pending, queue)

    def release_cadence(self) -> None:
        """Make everything ready that waits for the channel's cadence."""
        released = self._queues[Queue.CADENCE]
        for key in released:
            self._waiting[key].queue = Queue.READY
        self._queues[Queue.READY].update(released)
        released.clear()

    @property
    def awaits_cadence(self) -> bool:
        """Whether something waits for the channel's cadence."""
        return bool(self._queues[Queue.CADENCE])

    def next_due_s(self) -> float:
        """Return when the next delayed key may go; infinity: none is delayed."""
        return self._delayed[0][0] if self._delayed else float("inf")

    def send(self, key: str) -> PendingKey:
        """Put a waiting key in flight."""
        pending = self._waiting.pop(key)
        self._dequeue(key, pending)
        self._in_flight[key] = pending
        pending.sold = None
        return pending

    def delay(self, key: str, due_s: float) -> None:
        """Let a waiting key wait until ``due_s``."""
        pending = self._waiting[key]
        self._dequeue(key, pending)
        pending.due_s = due_s
        self._enqueue(key, pending, Queue.DELAYED)

    def put_in_flight(self, key: str, pending: PendingKey) -> None:
        """Put a key in flight that did not wait here: of an earlier publisher's ticket, or to accompany a push."""
        self._in_flight[key] = pending
        self._index(key, pending)
        waiting = self._waiting.get(key)
        if waiting is not None:
            self._dequeue(key, waiting)
            self._enqueue(key, waiting, Queue.READY if waiting.queue is Queue.DELAYED else waiting.queue)

    def begin_anew(self, key: str) -> None:
        """Let a key begin anew, since another SKU owns it now."""
        for pending in (self._waiting.get(key), self._in_flight.get(key)):
            if pending is not None:
                pending.begin_anew()

    def was_sent(self, key: str) -> bool:
        """Return whether a key is in flight, or waits after a push that may have taken effect."""
        waiting = self._waiting.get(key)
        return key in self._in_flight or (waiting is not None and (waiting.tries > 0 or waiting.maybe_applied))

    def discard(self, key: str) -> None:
        """Remove a key if it waits: there is nothing to publish."""
        if key in self._waiting:
            self.drop(key)

    def sold(self, key: str, units: int) -> None:
        """Note that the channel has sold units under a key itself, which may be in flight."""
        pending = self._in_flight.get(key)
        if pending is not None:
            pending.sold = (pending.sold or 0) + units

    def drop(self, key: str) -> None:
        """Remove a waiting key: there is nothing to publish."""
        self._dequeue(key, self._waiting.pop(key))

    def finish(self, key: str) -> None:
        """End a key's flight, since its push has a final answer; what changed meanwhile may go now."""
        del self._in_flight[key]
        newer = self._waiting.get(key)
        if newer is not None:
            self._enqueue(key, newer, newer.next_queue)

    def requeue(self, key: str, queue: Queue, *, due_s: float = 0.0, forced: bool = False) -> PendingKey:
        """Let a key in flight wait again: it was not applied, or that is unknown. ``due_s`` is for DELAYED."""
        pending = self._in_flight.pop(key)
        newer = self._waiting.get(key)
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
        self._waiting[key] = pending
        pending.forced |= forced
        pending.due_s = due_s
        self._index(key, pending)
        self._enqueue(key, pending, queue)
        return pending

    def oldest(self) -> EntryId | None:
        """Return the oldest journal id that is not confirmed; None: everything is."""
        heap = self._oldest
        while heap:
            entry_id, key = heap[0]
            waiting, sent = self._waiting.get(key), self._in_flight.get(key)
            if (waiting and waiting.entry_id == entry_id) or (sent and sent.entry_id == entry_id):
                return entry_id
            heapq.heappop(heap)
        return None

    def oldest_changed_ms(self) -> int | None:
        """Return the time of the oldest change of stock that is not confirmed."""
        if self.oldest() is None:
            return None
        key = self._oldest[0][1]
        both = (self._in_flight.get(key), self._waiting.get(key))
        return next((pending.changed_ms for pending in both if pending is not None and pending.changed_ms), None)

    def _enqueue(self, key: str, pending: PendingKey, queue: Queue) -> None:
        if key in self._in_flight:
            pending.queue, pending.next_queue = Queue.BLOCKED, queue
            return
        pending.queue = queue
        if queue is Queue.DELAYED:
            heapq.heappush(self._delayed, (pending.due_s, key))
        else:
            self._queues[queue][key] = None

    def _dequeue(self, key: str, pending: PendingKey) -> None:
        if pending.queue in self._queues:
            del self._queues[pending.queue][key]

    def _end_delays(self, now_s: float) -> None:
        while self._delayed and self._delayed[0][0] <= now_s:
            due_s, key = heapq.heappop(self._delayed)
            pending = self._waiting.get(key)
            if pending is not None and pending.queue is Queue.DELAYED and pending.due_s == due_s:
                self._enqueue(key, pending, Queue.READY)

    def _index(self, key: str, pending: PendingKey) -> None:
        heapq.heappush(self._oldest, (pending.entry_id, key))
        # Stale entries leave when they come to the front; one valid entry that stays there must not keep them all.
        if len(self._oldest) > 4 * (len(self._waiting) + len(self._in_flight)) + _STALE_MAX:
            each = (*self._waiting.items(), *self._in_flight.items())
            self._oldest = [(pending.entry_id, key) for key, pending in each]
            heapq.heapify(self._oldest)
