"""jemalloc for a store that was built without it: its many small allocations cost less, and fragment less."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

FOLDERS: Final = tuple(
    Path(folder) for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib/x86_64-linux-gnu", "/usr/local/lib64")
)
LIBRARY: Final = "libjemalloc.so.2"
BUILT_WITHOUT: Final = "libc"
"""What ``--version`` and ``INFO`` say of a server without an allocator of its own."""
_TRIAL_S: Final = 10.0
_BEHIND_OTHERS: Final = 'export LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}$0"; exec "$@"'
"""For a shell, so that what the environment preloads already stays before it."""


def preload(program: Path, folders: Sequence[Path] = FOLDERS) -> tuple[list[str], Path | None]:
    """Return the words that start a program with the system's jemalloc, and the library; none where there is none.

    It is tried first: a library for another kind of system is not loaded, and every start would complain of it.
    """
    shell = shutil.which("sh")
    for library in _libraries(folders) if sys.platform == "linux" and shell is not None else ():
        words = [str(shell), "-c", _BEHIND_OTHERS, str(library)]
        try:
            tried = subprocess.run(  # noqa: S603  # the program was just checked, the library is the system's
                [*words, program, "--version"], capture_output=True, timeout=_TRIAL_S, check=False
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if tried.returncode == 0 and not tried.stderr:
            return words, library
    return [], None


def allocator_of(pid: int, built_with: str) -> str:
    """Name the allocator of a running store: the one it was built with, or the jemalloc that was preloaded."""
    if built_with != BUILT_WITHOUT:
        return built_with
    try:
        maps = Path(f"/proc/{pid}/maps").read_text("utf-8", "replace")
    except OSError:
        return built_with  # not Linux: nothing is preloaded there
    return f"jemalloc, preloaded ({LIBRARY})" if LIBRARY in maps else built_with


def _libraries(folders: Sequence[Path]) -> list[Path]:
    found = [folder / LIBRARY for folder in folders]
    for folder in folders:
        found += sorted(folder.glob(f"*-linux-*/{LIBRARY}"))
    return [library for library in found if library.exists()]
