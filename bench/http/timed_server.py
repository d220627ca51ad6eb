"""Stands in for the interpreter of a server whose event loop is to be timed.

:mod:`bench.http.console_asks` starts it as this very text, ``python -c TEXT SOCKET -m server serve …``, so it imports
nothing but the standard library. It runs ``server`` as ``python -m server`` does, on asyncio's own event loop instead
of uvloop, and takes the time of each callback: nothing else has a turn meanwhile. The time is the thread's processor
time, so other work on the machine does not count. Words come over a Unix socket. After ``begin`` it forgets what it
noted; after ``end`` it answers with the longest callback and the sum of all, in microseconds, as one line of JSON.
"""

import asyncio
import json
import runpy
import socket
import sys
import threading
import time
from asyncio import events
from collections.abc import Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any

_taken_ns: list[int] = []


def _time_callbacks() -> None:
    carry_out = events.Handle._run  # noqa: SLF001  # asyncio has no other place for it

    def timed(handle: events.Handle) -> None:
        began_ns = time.thread_time_ns()
        carry_out(handle)
        _taken_ns.append(time.thread_time_ns() - began_ns)

    events.Handle._run = timed  # type: ignore[method-assign,assignment]  # noqa: SLF001


def _run(work: Coroutine[Any, Any, Any], **_: Any) -> Any:
    return asyncio.run(work)


def _obey(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.connect(path)
        with control.makefile("rw", encoding="utf-8") as words:
            for word in words:
                taken = [each // 1000 for each in _taken_ns]
                if word.strip() == "begin":
                    _taken_ns.clear()
                words.write(json.dumps([max(taken, default=0), sum(taken)]) + "\n")
                words.flush()


def main() -> None:
    """Run the module that the words behind ``-m`` name, and obey who listens at the socket."""
    path, _, module, *arguments = sys.argv[1:]
    sys.path.insert(0, str(Path.cwd()))
    _time_callbacks()
    stand_in = ModuleType("uvloop")
    stand_in.run = _run  # type: ignore[attr-defined]
    sys.modules["uvloop"] = stand_in
    threading.Thread(target=_obey, args=(path,), daemon=True, name="control").start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
