"""Counts the instructions that a reserve takes, in the server's process and in its store's, of any checkout.

Rates scatter on a busy machine; how many instructions a processor carries out does not. The checkout is known from the
outside alone: ``python -m server serve --role api`` with its embedded store, and ``POST /v1/reservations``.

Two tools can count. ``perf`` reads the processor's own counters, if the machine lends them; many virtual machines do
not. Else ``valgrind`` runs the server on a processor of its own making, which is some fifty times slower, and counts
what it carries out outside of the kernel. As a reserve takes so long there, what the server does by the clock is
counted while nothing is asked, and taken off.
"""

import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from bench.harness.black_box import Caller, interpreter, reserve_many, server

TOOLS_MISSING: Final = (
    "Instructions cannot be counted: perf has no counter on this machine, and valgrind is missing."
    " Debian and Ubuntu: apt-get install valgrind"
)
_REQUESTS_PERF: Final = 5_000
_REQUESTS_VALGRIND: Final = 1_000
"""Some ten seconds of one connection."""
_IDLE_S: Final = 4.0
"""Long enough for some eighty looks of the batcher at its deadlines."""
WARM_UP: Final = 200
_ATTACHES_S: Final = 0.5
"""perf does not say when it has begun."""
READY_S: Final = 180.0
"""How long a server may take to start under valgrind."""
SETTINGS: Final = {
    # The order of sets and dictionaries of text, and with it the number of collisions, is the same in every run.
    "PYTHONHASHSEED": "0",
    # Under valgrind everything takes fifty times as long.
    "HOLDFAST_REPLY_TIMEOUT_S": "60",
    "HOLDFAST_QUEUE_TIMEOUT_S": "60",
}
_TOTALS: Final = re.compile(r"^totals: (\d+)", re.MULTILINE)
PROCESSES: Final = ("server", "its store")


class CannotCountError(Exception):
    """The machine has no tool that counts; the message says what to install."""


class Counter(Protocol):
    """Counts the instructions of some processes while something is done."""

    requests: int
    """How many reserves make a figure that repeats."""

    def python(self, interpreter: str) -> Sequence[str]:
        """Return the words in front of ``-m`` that start a server which can be counted."""

    def count(self, pids: Sequence[int], work: Callable[[], object]) -> list[int]:
        """Do something, and say how many instructions each process took meanwhile."""


class Perf:
    """Asks the processor's own counters."""

    requests = _REQUESTS_PERF

    def python(self, interpreter: str) -> Sequence[str]:
        """As :class:`Counter` says."""
        return (interpreter,)

    def count(self, pids: Sequence[int], work: Callable[[], object]) -> list[int]:
        """As :class:`Counter` says."""
        command = ["perf", "stat", "-x,", "-e", "instructions", "-p"]
        perfs = [subprocess.Popen([*command, str(pid)], stderr=subprocess.PIPE, text=True) for pid in pids]
        time.sleep(_ATTACHES_S)
        work()
        for perf in perfs:
            perf.send_signal(signal.SIGINT)
        return [int(perf.communicate()[1].split(",")[0]) for perf in perfs]


class Valgrind:
    """Runs the processes on valgrind's processor, which counts. ``folder`` takes what it writes."""

    requests = _REQUESTS_VALGRIND

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._dumps = 0

    def python(self, interpreter: str) -> Sequence[str]:
        """As :class:`Counter` says."""
        out = f"--callgrind-out-file={self._folder}/%p"
        return ("valgrind", "--tool=callgrind", "--instr-atstart=no", "--trace-children=yes", "-q", out, interpreter)

    def count(self, pids: Sequence[int], work: Callable[[], object]) -> list[int]:
        """As :class:`Counter` says."""
        for words in (("-i", "on"), ("-z",)):
            self._tell(words, pids)
        work()
        self._dumps += 1
        self._tell(("-d",), pids)
        return [self._total(self._folder / f"{pid}.{self._dumps}") for pid in pids]

    def _tell(self, words: Sequence[str], pids: Sequence[int]) -> None:
        for pid in pids:
            subprocess.run(["callgrind_control", *words, str(pid)], check=True, capture_output=True)

    def _total(self, dump: Path) -> int:
        found = _TOTALS.findall(dump.read_text("utf-8", "replace"))
        return sum(map(int, found))


def counter(folder: Path) -> Counter:
    """Choose the tool that this machine has.

    Raises
    ------
    CannotCountError
        It has none.

    """
    if shutil.which("perf"):
        tried = subprocess.run(
            ["perf", "stat", "-x,", "-e", "instructions", "true"], capture_output=True, text=True, check=False
        )
        if tried.stderr.split(",")[0].isdigit():
            return Perf()
    if not shutil.which("valgrind"):
        raise CannotCountError(TOOLS_MISSING)
    return Valgrind(folder)


def measure(checkout: Path, connections: Sequence[int], settings: Mapping[str, str]) -> dict[str, float]:
    """Count the instructions of one reserve at each number of connections. ``settings``: of the checkout's server."""
    found: dict[str, float] = {}
    for number in connections:
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
            found |= _at(checkout, number, Path(folder), settings)
    return found


def _at(checkout: Path, connections: int, folder: Path, settings: Mapping[str, str]) -> dict[str, float]:
    tool = counter(folder)
    python = tool.python(interpreter(checkout))
    process = server(checkout, folder, python=python, settings={**SETTINGS, **settings}, ready_s=READY_S)
    with process, Caller(process.url) as caller:
        caller.fill()
        reserve_many(process.url, connections, WARM_UP)
        pids = [process.pid, *children(process.pid)]
        taken = for_one(tool, pids, lambda: reserve_many(process.url, connections, tool.requests))
    return {f"{connections} connections, {of}": each for of, each in zip(PROCESSES, taken, strict=True)}


def for_one(tool: Counter, pids: Sequence[int], work: Callable[[], object]) -> list[float]:
    """Count what each process takes for one request; ``work`` sends ``tool.requests`` of them."""
    idle, idle_s = _timed(tool, pids, lambda: time.sleep(_IDLE_S))
    used, used_s = _timed(tool, pids, work)
    return [(mine - rest * used_s / idle_s) / tool.requests for mine, rest in zip(used, idle, strict=True)]


def _timed(tool: Counter, pids: Sequence[int], work: Callable[[], object]) -> tuple[list[int], float]:
    took_s = 0.0

    def timed() -> None:
        nonlocal took_s
        began_s = time.perf_counter()
        work()
        took_s = time.perf_counter() - began_s

    return tool.count(pids, timed), took_s


def children(pid: int) -> Iterator[int]:
    """Name the processes that one has started, such as its store."""
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return map(int, listed.stdout.split())
