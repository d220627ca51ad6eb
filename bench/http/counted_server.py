"""Stands in for the interpreter of a server whose own calls are to be counted.

:mod:`bench.http.reserve_way` starts it in a checkout as this very text, ``python -c TEXT SOCKET -m server serve …``, so
it imports nothing but the standard library. It runs ``server`` as ``python -m server`` does, under a profile function
(``sys.setprofile``) that is always on and notes something only between two words. They come over a Unix socket: after
``begin`` it notes, after ``end`` it answers with all steps as one line of JSON.

A step is ``[kind, depth, caller's file, file, function]``. Only functions whose file lies in :data:`FOLDERS` of the
checkout are our own. ``depth`` and ``caller's file`` are of the nearest frames above that are our own, those of
libraries and comprehensions between them left out; where there is none, the file is empty. ``kind`` is :data:`CALL`,
:data:`COMPREHENSION`, or :data:`RESUMED` for a coroutine or generator that goes on after an ``await`` or ``yield``.
"""

import dis
import json
import os
import runpy
import socket
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

CALL: Final = "call"
COMPREHENSION: Final = "comprehension"
RESUMED: Final = "resumed"
FOLDERS: Final = ("server", "lua", "adapters")

_COMPREHENSIONS: Final = frozenset(("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"))
"""Each is a function of its own up to Python 3.11; later releases no longer call most of them."""
_RESUME: Final = dis.opmap["RESUME"]
_AT_START: Final = 0
_WHERE: Final = 0b11
"""The bits of RESUME's argument that say whether a frame starts or goes on, and after what."""


class Recorder:
    """Notes the calls of functions whose files lie below some folders of a checkout."""

    def __init__(self, root: Path) -> None:
        self._heads = tuple(f"{root}{os.sep}{folder}{os.sep}" for folder in FOLDERS)
        self._root_length = len(str(root)) + 1
        self._files: dict[CodeType, str] = {}
        self._steps: list[list[Any]] | None = None

    def begin(self) -> None:
        """Note what is called from now on."""
        self._steps = []

    def end(self) -> list[list[Any]]:
        """Stop noting, and give what was noted."""
        steps, self._steps = self._steps or [], None
        return steps

    def profile(self, frame: FrameType, event: str, _argument: object) -> None:
        """Take one event of ``sys.setprofile``."""
        steps = self._steps
        if steps is None or event != "call":
            return
        code = frame.f_code
        file = self._file(code)
        if not file:
            return
        kind = RESUMED
        if _starts(frame):
            kind = COMPREHENSION if code.co_name in _COMPREHENSIONS else CALL
        steps.append([kind, *self._above(frame), file, code.co_qualname])

    def _file(self, code: CodeType) -> str:
        """Name the file of our own that a piece of code stands in, below the checkout; empty: it is not our own."""
        file = self._files.get(code)
        if file is None:
            own = code.co_filename.startswith(self._heads)
            file = self._files[code] = code.co_filename[self._root_length :] if own else ""
        return file

    def _above(self, frame: FrameType) -> tuple[int, str]:
        """Count the frames of our own above one, and name the file of the nearest."""
        depth, nearest = 0, ""
        above = frame.f_back
        while above is not None:
            if above.f_code.co_name not in _COMPREHENSIONS and (file := self._file(above.f_code)):
                depth += 1
                nearest = nearest or file
            above = above.f_back
        return depth, nearest


def _starts(frame: FrameType) -> bool:
    """Whether a frame runs for the first time: a coroutine that goes on stands at another RESUME, or at none."""
    code, place = frame.f_code.co_code, frame.f_lasti
    # Where an error is thrown into a coroutine, it goes on from where it was, and that is no RESUME.
    return place < 0 or (code[place] == _RESUME and code[place + 1] & _WHERE == _AT_START)


def _obey(recorder: Recorder, path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.connect(path)
        with control.makefile("rw", encoding="utf-8") as words:
            for word in words:
                if word.strip() == "begin":
                    recorder.begin()
                    answer = "[]"
                else:
                    answer = json.dumps(recorder.end())
                words.write(answer + "\n")
                words.flush()


def main() -> None:
    """Run the module that the words behind ``-m`` name, and obey who listens at the socket."""
    path, _, module, *arguments = sys.argv[1:]
    root = Path.cwd().resolve()
    sys.path.insert(0, str(root))
    recorder = Recorder(root)
    threading.Thread(target=_obey, args=(recorder, path), daemon=True, name="control").start()
    sys.argv = [module, *arguments]
    # Of this thread alone, in which the event loop runs.
    sys.setprofile(recorder.profile)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
