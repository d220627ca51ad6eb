"""Which orders of a channel are to be read whole, and when: hints first, then open orders and those that wait."""

import heapq
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from server.domain.intake import Reason, ToRead
from server.store.repositories.intake import IntakeWrites

URGENT: Final[frozenset[Reason]] = frozenset({"hint", "unread", "second_look"})
RETRY_S: Final = 5.0
"""After the first failure to read an order; twice as long after each further one."""
RETRY_S_MAX: Final = 3_600.0
_DOUBLINGS_MAX: Final = 10


class Schedule:
    """The orders of one channel that are to be read. What changes here is written with the next save."""

    def __init__(self, writes: IntakeWrites) -> None:
        self._writes = writes
        self._wanted: dict[str, ToRead] = {}
        self._urgent: list[tuple[int, str]] = []
        self._calm: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._wanted)

    def __contains__(self, order: str) -> bool:
        return order in self._wanted

    def load(self, wanted: Iterable[tuple[str, ToRead]]) -> None:
        """Take over what is stored."""
        for order, each in wanted:
            self._wanted[order] = each
            self._queue(order, each)

    def get(self, order: str) -> ToRead | None:
        """Return when and why an order is to be read."""
        return self._wanted.get(order)

    def inbox_count(self) -> int:
        """Count the orders that are not booked."""
        return sum(1 for each in self._wanted.values() if each.inbox)

    def due_count(self, now_ms: int) -> int:
        """Count the orders that wait to be read now, for a reason that is not only time."""
        return sum(1 for each in self._wanted.values() if each.reason in URGENT and each.due_ms <= now_ms)

    def hint(self, order: str, due_ms: int) -> None:
        """Have an order read at a time, or before if it was to be read before."""
        before = self._wanted.get(order)
        if before is None:
            self.put(order, ToRead(due_ms, "hint", due_ms))
        elif before.reason in URGENT and before.due_ms <= due_ms:
            # Made anew, so that who is reading it now sees that it came meanwhile.
            self.put(order, replace(before, reason="hint"))
        else:
            self.put(order, replace(before, due_ms=due_ms, reason="hint", tries=0))

    def put(self, order: str, wanted: ToRead) -> None:
        """Have an order read as said, whatever was said before."""
        self._wanted[order] = wanted
        self._writes.to_read(order, wanted)
        self._queue(order, wanted)

    def remove(self, order: str) -> None:
        """Have an order not read any more."""
        if self._wanted.pop(order, None) is not None:
            self._writes.to_read(order, None)

    def settle(self, order: str, seen: ToRead | None, wanted: ToRead | None) -> None:
        """Note what comes of an order that was read; a hint that came meanwhile stays.

        ``seen``: what :meth:`get` returned before it was read. ``wanted`` None: nothing more is to be read of it.
        """
        now = self._wanted.get(order)
        if now is not None and now is not seen:
            kept = wanted or now
            self.put(order, replace(kept, due_ms=now.due_ms, reason=now.reason, since_ms=now.since_ms))
        elif wanted is not None:
            self.put(order, wanted)
        else:
            self.remove(order)

    def failed(self, order: str, seen: ToRead, now_ms: int) -> None:
        """Have an order read again later, since it could not be read."""
        pause_s = min(RETRY_S_MAX, RETRY_S * 2 ** min(seen.tries, _DOUBLINGS_MAX))
        self.settle(
            order, seen, replace(seen, due_ms=now_ms + int(1000 * pause_s), reason="unread", tries=seen.tries + 1)
        )

    def next_due_ms(self) -> int | None:
        """Return when something is to be read; None: nothing is."""
        heads = [heap[0][0] for heap in (self._urgent, self._calm) if self._is_head_current(heap)]
        return min(heads, default=None)

    def take_due(self, now_ms: int) -> str | None:
        """Return the order to read next; None: nothing is due. It stays until :meth:`settle`."""
        for heap in (self._urgent, self._calm):
            if self._is_head_current(heap) and heap[0][0] <= now_ms:
                return heapq.heappop(heap)[1]
        return None

    def _queue(self, order: str, wanted: ToRead) -> None:
        heapq.heappush(self._urgent if wanted.reason in URGENT else self._calm, (wanted.due_ms, order))

    def _is_head_current(self, heap: list[tuple[int, str]]) -> bool:
        """Drop what was replaced since from the front of a heap; return whether something is left."""
        while heap:
            due_ms, order = heap[0]
            wanted = self._wanted.get(order)
            if wanted is not None and wanted.due_ms == due_ms and heap is self._heap_of(wanted):
                return True
            heapq.heappop(heap)
        return False

    def _heap_of(self, wanted: ToRead) -> list[tuple[int, str]]:
        return self._urgent if wanted.reason in URGENT else self._calm
