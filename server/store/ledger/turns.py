"""What waits for the store, and whose turn it is: a queue for each key of each partition, served in turn by weight.

Deficit round robin: each turn credits a queue with a quantum of lines, and it sends what its credit covers. What is
left is kept for its next turn, so a queue of heavy operations gets as many lines as one of light ones. A queue that is
alone needs no credit. One that is empty is forgotten.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from server.store.errors import OverloadedError
from server.store.ledger.function_call import FunctionCall, Turn, Waiting
from server.telemetry.refused_keys import Reason, refused

if TYPE_CHECKING:
    pass

TURNS_PER_BATCH: Final = 4
"""How many queues that have much to send share a batch: what waits for its turn waits for a quarter of one each."""


Batch = dict[FunctionCall, list[Waiting]]
"""What is sent together: the calls, and the operations of each."""


class _Batch:
    """What several queues send together, within the bounds of a batch."""

    def __init__(self, operations_max: int, lines_max: int) -> None:
        self.calls: Batch = {}
        self.operations = 0
        self._operations_max = operations_max
        self._lines_left = lines_max

    def has_room_for(self, weight: int) -> bool:
        """Whether an operation still fits; the first one does, whatever it weighs."""
        return not self.operations or (self.operations < self._operations_max and weight <= self._lines_left)

    def add(self, waiting: Waiting) -> None:
        """Add an operation to its call."""
        self.operations += 1
        self._lines_left -= waiting.weight
        self.calls.setdefault(waiting.call, []).append(waiting)


class _Queue(deque[Waiting]):
    """Operations of one key, oldest first. ``credit``: lines it may send now, while ``has_turn``, or has left over."""

    __slots__ = ("credit", "has_turn")

    credit: int
    has_turn: bool


class Turns:
    """The queues before one store.

    Parameters
    ----------
    operations_max, lines_max
        Bounds of one batch.
    queue_max
        How many operations may wait, in all queues together.

    Attributes
    ----------
    operations
        How many wait.

    """

    def __init__(self, *, operations_max: int, lines_max: int, queue_max: int) -> None:
        self.operations = 0
        self._operations_max = operations_max
        self._lines_max = lines_max
        self._quantum = max(1, lines_max // TURNS_PER_BATCH)
        self._queues: OrderedDict[Turn, _Queue] = OrderedDict()
        """In the order of their turns: the first is next. One that is empty is there alone, while nothing waits."""
        self.bound(queue_max)

    def bound(self, queue_max: int) -> None:
        """Set how many operations may wait; where more do, who has the most gives way, but each key keeps one."""
        self._queue_max = queue_max
        self._half_max = max(1, queue_max // 2)
        if self.operations > queue_max:
            self._shed()

    def _shed(self) -> None:
        reason = Reason.FULL if len(self._queues) == 1 else Reason.DISPLACED
        kept = _fair_share([len(queue) for queue in self._queues.values()], self._queue_max)
        for turn, queue in self._queues.items():
            for _ in range(len(queue) - kept):
                self._refuse_newest(turn, reason)

    @property
    def queues(self) -> int:
        """How many queues have operations waiting."""
        return len(self._queues) if self.operations else 0

    @property
    def longest(self) -> int:
        """How many operations wait in the longest of them."""
        return max(map(len, self._queues.values()), default=0)

    def add(self, waiting: Waiting) -> None:
        """Queue an operation behind those of its key.

        Raises
        ------
        OverloadedError
            There is no room for it. Nothing happened.

        """
        turn = waiting.turn
        queue = self._queues.get(turn)
        if self.operations >= self._half_max:
            self._make_room(turn, 0 if queue is None else len(queue))
        if queue is None:
            queue = self._new_queue(turn)
        queue.append(waiting)
        self.operations += 1

    def add_first(self, waiting: list[Waiting]) -> None:
        """Queue operations before later ones of their keys, whether or not there is room: they waited before."""
        for each in reversed(waiting):
            queue = self._queues.get(each.turn)
            if queue is None:
                queue = self._new_queue(each.turn)
            queue.appendleft(each)
            self.operations += 1

    def take(self) -> Batch:
        """Take what fits into one batch: of each queue what its turn allows, of one that is alone all."""
        if len(self._queues) != 1:
            return self._take_in_turn()
        # Most of the time there is no other, so this is written to be quick.
        [queue] = self._queues.values()
        batch: Batch = {}
        operations, lines, operations_max, lines_max = 0, 0, self._operations_max, self._lines_max
        while queue and operations < operations_max:
            lines += queue[0].weight
            if lines > lines_max and operations:
                break
            waiting = queue.popleft()
            operations += 1
            sharing = batch.get(waiting.call)
            if sharing is None:
                batch[waiting.call] = [waiting]
            else:
                sharing.append(waiting)
        self.operations -= operations
        return batch

    def _take_in_turn(self) -> Batch:
        batch = _Batch(self._operations_max, self._lines_max)
        # No queue has two turns in a batch: its answer waits for no more of any other than a quantum.
        turns = len(self._queues)
        while self.operations and (turns > 0 or not batch.operations):
            turn, queue = next(iter(self._queues.items()))
            if not queue.has_turn:
                queue.credit += self._quantum
                queue.has_turn = True
            while queue and queue[0].weight <= queue.credit:
                if not batch.has_room_for(queue[0].weight):
                    return batch.calls  # it is still its turn, in the next batch
                queue.credit -= queue[0].weight
                self.operations -= 1
                batch.add(queue.popleft())
            turns -= 1
            queue.has_turn = False
            self._queues.move_to_end(turn)
            if not queue:
                del self._queues[turn]
        return batch.calls

    def take_out(self, wanted: Callable[[Waiting], bool]) -> list[Waiting]:
        """Take such operations out of all queues."""
        return self._remove(lambda queue: [each for each in queue if wanted(each)])

    def take_overdue(self, since_s: float) -> list[Waiting]:
        """Take out what has waited since before then; in each queue the oldest are first."""

        def overdue(queue: _Queue) -> list[Waiting]:
            found = []
            for each in queue:
                if each.since_s >= since_s:
                    break
                found.append(each)
            return found

        return self._remove(overdue)

    def _remove(self, chosen: Callable[[_Queue], list[Waiting]]) -> list[Waiting]:
        removed: list[Waiting] = []
        for turn, queue in list(self._queues.items()):
            gone = chosen(queue)
            if not gone:
                continue
            removed += gone
            ids = set(map(id, gone))
            kept = [each for each in queue if id(each) not in ids]
            queue.clear()
            queue.extend(kept)
            if not kept:
                del self._queues[turn]
        self.operations -= len(removed)
        return removed

    def forget_idle(self) -> None:
        """Forget the queue that is kept while nothing waits, so that one busy key does not make it anew each time."""
        if not self.operations:
            self._queues.clear()

    def _new_queue(self, turn: Turn) -> _Queue:
        self.forget_idle()
        queue = self._queues[turn] = _Queue()
        queue.credit, queue.has_turn = 0, False
        return queue

    def _make_room(self, turn: Turn, held: int) -> None:
        """Find room for one more of a key that has ``held`` operations waiting, at the cost of who has the most.

        Raises
        ------
        OverloadedError
            It has half of all places while others wait, or as many as who has the most.

        """
        if held < self._half_max or held == self.operations:
            if self.operations < self._queue_max:
                return
            most = max(self._queues, key=lambda each: len(self._queues[each]))
            if held + 1 < len(self._queues[most]):
                self._refuse_newest(most, Reason.DISPLACED)
                return
        is_over = held * len(self._queues) > self.operations
        refused(Reason.SHARE if is_over else Reason.FULL, *turn)
        raise OverloadedError

    def _refuse_newest(self, turn: Turn, reason: Reason) -> None:
        """Refuse the newest of a key: it would have waited longest, and the order of the others stays."""
        newest = self._queues[turn].pop()
        self.operations -= 1
        refused(reason, *turn)
        if not newest.answer.done():
            newest.answer.set_exception(OverloadedError())


def _fair_share(lengths: list[int], places: int) -> int:
    """Return how many places each queue may have, so that all of them have no more than ``places``; 1 at least."""
    lengths.sort()
    for number, length in enumerate(lengths):
        share = places // (len(lengths) - number)
        if length > share:
            return max(1, share)
        places -= length
    return max(lengths, default=1)
