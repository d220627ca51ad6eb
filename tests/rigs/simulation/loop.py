"""An event loop without waiting: where nothing is left to do, its clock jumps to the next moment at which there is."""

import asyncio
import itertools
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_RESOLUTION_S: Final = 1e-6
"""Sums of times are off by less; what is due at one moment runs at one moment."""


class StuckError(Exception):
    """Nothing will ever happen any more, and the simulation has not come to its end."""


class _Jumping(selectors.SelectSelector):
    """Waits for nothing: adds the time instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError("every task waits for another one")
        self.now_s += max(0.0, timeout)
        return []


class _NumberedFuture(asyncio.Future[Any]):
    """Hashed by its number, not by where it lies in memory: sets of these have the same order in each run."""

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class _NumberedTask(asyncio.Task[Any]):
    """The same for tasks, which groups keep in sets and cancel in their order."""

    def __init__(self, number: int, work: Coroutine[Any, Any, Any], **options: Any) -> None:
        self._number = number
        super().__init__(work, **options)

    def __hash__(self) -> int:
        return self._number


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Its ``time()`` starts at 0 and passes only while all tasks wait; what happens at one time has one order."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self._clock_resolution = _RESOLUTION_S
        self._numbers = itertools.count(1)
        self.set_task_factory(
            lambda loop, work, **options: _NumberedTask(next(self._numbers), work, loop=loop, **options)
        )

    def create_future(self) -> asyncio.Future[Any]:
        """Make a future with a number."""
        return _NumberedFuture(next(self._numbers), self)

    def time(self) -> float:
        """Seconds since the loop was made, in its own time."""
        return self._jumping.now_s


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, as ``asyncio.run`` does, in no time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)
