"""How long to rest after work that can wait, so that a process that serves many orders has its time for them."""

import asyncio
import time
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, TypeVar

T = TypeVar("T")

REST: Final = 1.0
"""After a piece it rests for so many times as long as that has cost."""
REST_BUSY: Final = 100.0
"""The same where the process is busy otherwise: a hundredth of its time is taken."""
BUSY: Final = 0.6
"""The part of one core that the process uses for others."""
LOOK_S: Final = 0.25
"""Over how long that is measured at least, and after how long of a rest it is asked again."""


class Pace:
    """Knows how busy the process is, and what is owed to it. One is shared by all who follow, and by their threads.

    What is owed is processor time that was spent, in seconds. It is paid by resting, by one at a time: so all together
    take no more than one of them may.
    """

    def __init__(
        self, cpu_s: Callable[[], float] = time.process_time, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._cpu_s, self._clock_s = cpu_s, clock_s
        self._began_s, self._used_s = clock_s(), cpu_s()
        self._own_s = self._owed_s = 0.0
        self._resting = asyncio.Lock()
        self.is_busy = False

    def spend(self, cpu_s: float) -> None:
        """Count processor time, whichever thread it was taken in."""
        self._own_s += cpu_s
        self._owed_s += cpu_s

    async def counted(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work, and count what it takes of this thread; for what others do it meanwhile nothing is counted."""
        return await _stepwise(work, self.spend)

    async def rest(self) -> None:
        """Rest for all that was spent and is not paid; a process that is busy no more is not waited for."""
        async with self._resting:
            while (nap_s := self.nap_s()) > 0.0:  # noqa: ASYNC110  # it is time itself that is waited for
                await asyncio.sleep(nap_s)

    def nap_s(self) -> float:
        """Return how long to rest until it is to be asked again, 0: all is paid. What that pays is owed no more."""
        self._look()
        times = REST_BUSY if self.is_busy else REST
        left_s = self._owed_s * times
        nap_s = min(left_s, LOOK_S)
        self._owed_s = (left_s - nap_s) / times
        return nap_s

    def _look(self) -> None:
        now_s, used_s = self._clock_s(), self._cpu_s()
        if now_s - self._began_s >= LOOK_S:
            self.is_busy = used_s - self._used_s - self._own_s > BUSY * (now_s - self._began_s)
            self._began_s, self._used_s, self._own_s = now_s, used_s, 0.0


@types.coroutine
def _stepwise(work: Coroutine[Any, Any, T], spend: Callable[[float], None]) -> Generator[Any, Any, T]:
    """Run a coroutine, and count each of its steps, from where it goes on to where it waits."""
    step, value = work.send, None
    while True:
        began_s = time.thread_time()
        try:
            waits_for = step(value)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            spend(time.thread_time() - began_s)
        try:
            step, value = work.send, (yield waits_for)
        except BaseException as error:  # noqa: BLE001  # it is for the work, as a cancellation is
            step, value = work.throw, error
