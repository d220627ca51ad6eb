"""Installs the real Vendure from npm, once for many runs: into the user's cache, named after what is installed."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import pytest

HERE: Final = Path(__file__).parent
INSTALLED_FROM: Final = ("package.json", "package-lock.json")
INSTALL_S: Final = 400.0
"""15 s where it was measured, most of it downloading."""


def unavailable(reason: str) -> NoReturn:
    """Fail where nothing may be left out, skip elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"the real Vendure must be tested too: {reason}")
    pytest.skip(f"no real Vendure: {reason}")


def installed() -> Path:
    """Return the folder whose ``node_modules`` hold Vendure, installed now if need be; two may ask at once."""
    for command in ("node", "npm"):
        if shutil.which(command) is None:
            unavailable(f"{command} is missing; install Node.js 20 or newer, which brings npm")
    folder = _cache() / f"vendure-{digest(HERE / name for name in INSTALLED_FROM)}"
    with locked(folder):
        if not folder.exists():
            _install(folder)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time make what is at ``path``; the lock ends with the process that holds it."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def digest(files: Iterator[Path]) -> str:
    """Name a state of some files."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _cache() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for folder in (home / "holdfast-tests", Path(tempfile.gettempdir()) / f"holdfast-tests-{os.getuid()}"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    unavailable("neither the user's cache nor the system's temporary directory can be written")


def _install(folder: Path) -> None:
    """Install beside the folder and rename at the end: what is half done has another name."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name in INSTALLED_FROM:
        shutil.copy(HERE / name, partial)
    try:
        npm = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=partial,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        unavailable(f"npm did not finish in {INSTALL_S:g} s; is its registry within reach?")
    if npm.returncode != 0:
        unavailable(f"npm ci failed; is its registry within reach? {npm.stderr[-500:].strip()}")
    partial.rename(folder)
