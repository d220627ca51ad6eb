"""How much of the machine others used while the figures were taken, so that a reader knows what they are worth."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
_BUSY: Final = (0, 1, 2, 5, 6, 7)
"""user, nice, system, irq, softirq, steal; what is left out is idle, waiting, or counted twice."""


class Neighbours:
    """Counts processor time that was not the bench's; Linux only, elsewhere :meth:`cores` gives None."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._others_s = _others_s()

    def cores(self) -> float | None:
        """Return how many cores others kept busy, on average, since this was made."""
        others_s = _others_s()
        if self._others_s is None or others_s is None:
            return None
        return max(0.0, (others_s - self._others_s) / (time.monotonic() - self._began_s))


def cpu_s(pid: int) -> float:
    """Processor seconds that a process has used; 0 where that cannot be known."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def ran_s(pid: int) -> float:
    """Processor seconds of the threads that a process has, as exact as the kernel knows.

    0 where that cannot be known. :func:`cpu_s` has hundredths of a second, too coarse for one request.
    """
    taken_ns = 0
    for path in (_PROC / str(pid)).glob("task/*/schedstat"):
        with contextlib.suppress(OSError):
            taken_ns += int(path.read_text("ascii").split()[0])
    return taken_ns / 1e9


def family_s(name: str) -> float:
    """Processor seconds of this process's descendants whose program's name begins so; those that ended count, too."""
    ours = _ours()
    ticks = sum(each.ticks for each in _processes() if each.pid in ours and each.name.startswith(name))
    return ticks / os.sysconf("SC_CLK_TCK")


def _others_s() -> float | None:
    """Processor seconds of everybody but this process and its descendants, since the machine was started."""
    try:
        total = (_PROC / "stat").read_text("utf-8").splitlines()[0].split()[1:]
    except OSError:
        return None
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    return sum(int(total[place]) for place in _BUSY) / ticks_per_s - _ours_s(ticks_per_s)


def _ours_s(ticks_per_s: int) -> float:
    """Processor seconds of this process and its descendants, those included that have ended and were waited for."""
    ours = _ours()
    return sum(each.ticks for each in _processes() if each.pid in ours) / ticks_per_s


def _ours() -> set[int]:
    """Return this process and its descendants."""
    parents = {each.pid: each.parent for each in _processes()}
    ours, found = {os.getpid()}, -1
    while len(ours) != found:
        found = len(ours)
        ours |= {pid for pid, parent in parents.items() if parent in ours}
    return ours


class _Process(NamedTuple):
    """A process; ``ticks``: of its own, and of its children that have ended and were waited for."""

    pid: int
    parent: int
    name: str
    ticks: int


def _processes() -> Iterator[_Process]:
    """Look at every process."""
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            # The name stands in brackets and may hold anything.
            before, _, after = path.read_text("utf-8", "replace").rpartition(")")
        except OSError:
            continue
        fields = after.split()
        name = before.partition("(")[2]
        yield _Process(int(path.parent.name), int(fields[1]), name, sum(int(ticks) for ticks in fields[11:15]))
