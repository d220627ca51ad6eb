"""Programs that a page has its reader leave running: known by a mark in their environment, and by nothing else.

A page writes the ids of such programs into files and ends them by these. An id may be another program's by then, so
``kill`` in these pages asks for the mark first. What is left at the end is found by the mark, and not by the files.
"""

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

import pytest

NAME: Final = "HF_TEST_READER"
PROCESSES: Final = Path("/proc")
ENDS_S: Final = 20.0
_KILL: Final = f"""() {{
  local each
  for each in "$@"; do
    case $each in -*) continue ;; esac
    if ! tr '\\0' '\\n' < "/proc/$each/environ" | grep -qx "{NAME}=${NAME}"; then
      echo "$each is not ours"; return 1
    fi
  done
  builtin kill "$@"
}}"""


class OwnProcesses:
    """Marks what is started with its ``environment``, and ends what of it is left at the end of the block."""

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            pytest.skip("only Linux shows what is in the environment of a process")
        self._entry = f"{NAME}={uuid4().hex}".encode()
        mark = self._entry.partition(b"=")[2].decode()
        self.environment = {NAME: mark, "BASH_FUNC_kill%%": _KILL}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for pid in self.running():
            self._end(pid)

    def running(self) -> list[int]:
        """Return the ids of the processes that have the mark."""
        return [int(path.name) for path in PROCESSES.glob("[0-9]*") if self._has_mark(path)]

    def _has_mark(self, path: Path) -> bool:
        with contextlib.suppress(OSError):
            return self._entry in (path / "environ").read_bytes().split(b"\0")
        return False

    def _end(self, pid: int) -> None:
        """Kill a process; the handle is of the one that was asked for the mark, also where its id is given anew."""
        with _handle(pid) as handle:
            if handle is not None and self._has_mark(PROCESSES / str(pid)):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                assert select.select([handle], [], [], ENDS_S)[0], f"{pid} has not ended"


@contextlib.contextmanager
def _handle(pid: int) -> Iterator[int | None]:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)
