"""The two releases: where their files are, and the proof of which of them a process runs."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
WORKING_TREE: Final = "the working tree"
_END_S: Final = 60.0
"""When a command of a moment is taken to hang."""
_OTHER: Final = frozenset({"bench", "tests"})
"""Folders whose Lua is not the server's."""
_DIGEST_LENGTH: Final = 12
"""Enough for a person to distinguish two."""
_WHERE: Final = "import server; print(server.__file__)"


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Make the environment of a release's process: ours without what would lead it elsewhere, and the settings."""
    foreign = ("HOLDFAST_", "PROMETHEUS_", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | dict(settings)


@dataclass(frozen=True)
class Release:
    """One release. ``name``: old or new. ``revision``: what was asked for, and its commit where it is one."""

    name: str
    revision: str
    directory: Path

    def lua_digest(self) -> str:
        """Digest of the server's Lua files: two releases that differ here have a library each in the store."""
        texts = [
            path.read_bytes()
            for folder in self.directory.iterdir()
            if folder.is_dir() and folder.name not in _OTHER and not folder.name.startswith(".")
            for path in folder.rglob("*.lua")
        ]
        # In the order of the texts, not of the names: a file that was only moved changes nothing in the store.
        return hashlib.sha256(b"".join(sorted(texts))).hexdigest()[:_DIGEST_LENGTH]

    def module_path(self) -> Path:
        """Ask Python where it takes the server from when it is started as our servers are."""
        command = [sys.executable, "-c", _WHERE]
        found = subprocess.run(
            command,
            cwd=self.directory,
            env=environment({}),
            capture_output=True,
            text=True,
            timeout=_END_S,
            check=True,
        )
        return Path(found.stdout.strip())


def release(name: str, wanted: str, scratch: Path) -> Release:
    """Get a release ready, and make sure that Python takes its own files and not those of an installed one."""
    found = _release(name, wanted, scratch)
    taken = found.module_path()
    if found.directory not in taken.parents:
        raise SystemExit(f"Started in {found.directory}, Python takes the server from {taken}")
    return found


def _release(name: str, wanted: str, scratch: Path) -> Release:
    """Unpack a git revision into ``scratch``; a directory and the working tree stay where they are."""
    if wanted == WORKING_TREE:
        return Release(name, wanted, ROOT)
    if Path(wanted).is_dir():
        return Release(name, wanted, Path(wanted).resolve())
    commit = commit_of(wanted)
    if not commit:
        raise SystemExit(f"{wanted} is neither a git revision here nor a directory. For tags: git fetch --tags")
    directory = scratch / name
    directory.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, timeout=_END_S, check=True)
    subprocess.run(["tar", "x"], cwd=directory, input=archive.stdout, timeout=_END_S, check=True)
    return Release(name, wanted if commit.startswith(wanted) else f"{wanted} ({commit[:7]})", directory)


def commit_of(revision: str) -> str:
    """Look a revision up in the repository; empty where it is unknown."""
    return _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")


def released(version: str) -> str:
    """Find the commit of a release: its tag's, or without one the last that has its version; empty: there is none."""
    if tagged := commit_of(f"v{version}"):
        return tagged
    moved = _git("log", "--format=%H", "-S", f'version = "{version}"', "--", "pyproject.toml").split()
    return commit_of(f"{moved[0]}^") if moved else ""


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, timeout=_END_S, check=False)
    return done.stdout.strip()
