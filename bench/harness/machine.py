"""What the figures were taken on, in a few words: they mean little without."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.harness.load import loader
from server.store.embedded.binary import StoreBinary, find_binary, inspect

_PACKAGES: Final = ("aiohttp", "uvloop", "msgspec", "redis", "hiredis")
_REDIS7: Final = Path("/usr/bin/redis-server")


def stores_here() -> list[StoreBinary]:
    """Find the store that Holdfast embeds, and Debian's Redis where it is another."""
    embedded, other = find_binary(), inspect(_REDIS7)
    return [embedded] + ([other] if other is not None and other.path != embedded.path else [])


def describe(stores: list[StoreBinary], data: Path) -> Iterator[tuple[str, str]]:
    """Name the machine, the versions, the loader, and how busy others keep the machine."""
    yield "machine", f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    yield "Python", f"{platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield "stores", ", ".join(f"{each.family.capitalize()} {'.'.join(map(str, each.version))}" for each in stores)
    yield "load", f"{loader()}; it, the server and the store share the cores"
    yield "file system", _filesystem(data)
    yield "load average before", f"{os.getloadavg()[0]:.2f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _filesystem(path: Path) -> str:
    """Name the file system: an fsync to memory is none."""
    try:
        mounts = [line.split()[:3] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    except OSError:
        return "an unknown file system"
    at = str(path.resolve())
    holding = [(mount, kind) for _, mount, kind in mounts if f"{at}/".startswith(f"{mount.rstrip('/')}/")]
    kind = max(holding, key=lambda found: len(found[0]), default=("", "an unknown file system"))[1]
    return f"{kind}: not a disk, so fsync costs nothing here" if kind in ("tmpfs", "ramfs") else kind
