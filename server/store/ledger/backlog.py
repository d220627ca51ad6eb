"""How long a backlog may get: as many operations as the store does in a set time, by what it has lately done.

A bound in operations alone means 0.1 s of waiting on a quick disk and a second on a slow one. So while operations wait
without a break, what is sent is counted, and the bound follows. It falls no lower than a few batches: a short burst,
or a store that stood still for a moment, is no reason to refuse anybody.
"""

from typing import Final

from server.domain.limits import BACKLOG_BATCHES_MIN

MEASURED_S: Final = 0.05
"""So long a backlog must have lasted for the bound to follow, and so often it follows: a burst is over by then."""
CALM_S: Final = 0.5
"""So long nothing may have been left behind before the bound is the highest again: both slots may empty the queue in
one moment while far more is on its way than the store can do."""
STALLED_S: Final = 1.0
"""What took longer was no rate but a store that was away."""


class Backlog:
    """Works the bound out, once for each batch.

    Parameters
    ----------
    operations_max
        Operations in one batch.
    queue_max
        The bound while there is no backlog, and the highest.
    wait_s
        How long an operation may wait for its batch, about; 0: the bound stays as it is.

    """

    def __init__(self, *, operations_max: int, queue_max: int, wait_s: float) -> None:
        self.queue_max = queue_max
        self._least = min(queue_max, BACKLOG_BATCHES_MIN * operations_max)
        self._wait_s = wait_s
        self._since_s = 0.0
        self._sent = 0
        self.is_there = False
        """Whether something was left behind by the last batch."""

    def goes_on(self, sent: int, now_s: float) -> int | None:
        """Note that a batch was taken and left others behind; return the bound, where it is to change."""
        if not self.is_there:
            self.is_there, self._since_s, self._sent = True, now_s, 0
            return None
        self._sent += sent
        lasted_s = now_s - self._since_s
        if lasted_s < MEASURED_S or not self._wait_s:
            return None
        rate = self._sent / lasted_s
        self._since_s, self._sent = now_s, 0
        return None if lasted_s > STALLED_S else max(self._least, min(self.queue_max, int(rate * self._wait_s)))

    def is_over(self) -> None:
        """Note that a batch has left nothing behind; who calls puts the bound up once that was so for ``CALM_S``."""
        self.is_there = False
