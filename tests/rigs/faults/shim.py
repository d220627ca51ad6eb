"""Builds the small libraries in C that stand between a process and its disk or clock, when they are needed."""

import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

_SOURCES: Final = Path(__file__).parent
_BUILT: Final = tempfile.TemporaryDirectory(prefix="hf-shims-")


def missing() -> str:
    """Return what is needed to build and use them; empty: nothing."""
    if sys.platform != "linux":
        return "the shim is preloaded with LD_PRELOAD, which is Linux only"
    return "" if shutil.which("gcc") else "gcc is not installed: apt-get install gcc libc6-dev"


@functools.cache
def build(name: str) -> Path:
    """Compile one of them; returns the library for ``LD_PRELOAD``."""
    library = Path(_BUILT.name) / f"{name}.so"
    words = ["gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, _SOURCES / f"{name}.c"]
    done = subprocess.run([*map(str, words), "-ldl"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"gcc refuses {name}.c:\n{done.stderr}"
    return library


def preloaded(name: str, **settings: str | int | Path) -> dict[str, str]:
    """Return the environment of a process with one of them in it; settings by the names that its source knows."""
    return {"LD_PRELOAD": str(build(name))} | {f"FAULTS_{key.upper()}": str(value) for key, value in settings.items()}
