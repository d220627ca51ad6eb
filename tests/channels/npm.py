"""Installs a real shop from npm, once for many runs: into a cache, in a folder named after what is installed."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import pytest

_CHECKED: Final = ("package.json", "package-lock.json")


class Shop(NamedTuple):
    """What is installed: ``files`` beside package.json and its lock are copied too. ``cache``: where to."""

    name: str
    here: Path
    cache: Path
    install_s: float
    node: str
    files: tuple[str, ...] = ()


def unavailable(shop: str, reason: str) -> NoReturn:
    """Fail where nothing may be left out, skip elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"the real {shop} must be tested too: {reason}")
    pytest.skip(f"no real {shop}: {reason}")


def installed(shop: Shop) -> Path:
    """Return the folder whose ``node_modules`` hold the shop, installed now if need be; two may ask at once."""
    for command in ("node", "npm"):
        if shutil.which(command) is None:
            unavailable(shop.name, f"{command} is missing; install Node.js {shop.node} or newer, which brings npm")
    folder = shop.cache / f"{shop.name.lower()}-{digest(shop.here / name for name in (*_CHECKED, *shop.files))}"
    with locked(folder):
        if not folder.exists():
            _install(shop, folder)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time make what is at ``path``; the lock ends with the process that holds it."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def digest(files: Iterable[Path]) -> str:
    """Name a state of some files."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


def user_cache(shop: str) -> Path:
    """Return a folder of the user's cache that can be written."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for folder in (home / "holdfast-tests", Path(tempfile.gettempdir()) / f"holdfast-tests-{os.getuid()}"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    unavailable(shop, "neither the user's cache nor the system's temporary directory can be written")


def _install(shop: Shop, folder: Path) -> None:
    """Install beside the folder and rename at the end: what is half done has another name."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name in (*_CHECKED, *shop.files):
        shutil.copy(shop.here / name, partial)
    try:
        npm = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=partial,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=shop.install_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        unavailable(shop.name, f"npm did not finish in {shop.install_s:g} s; is its registry within reach?")
    if npm.returncode != 0:
        unavailable(shop.name, f"npm ci failed; is its registry within reach? {npm.stderr[-500:].strip()}")
    partial.rename(folder)
