"""A clone of this checkout, with what is not committed here committed there: what a release or a build is made from."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
NOT_OURS: Final = (".venv", ".installed", ".holdfast")


def git(*words: str | Path, cwd: Path) -> str:
    """Run git and return what it prints; commits are by nobody."""
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout


def scratch_clone(folder: Path) -> Path:
    """Make the clone; a test is skipped where this is no checkout of git, such as in an archive of the sources."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no checkout of git: clone the repository to test releases")
    git("clone", "--quiet", "--no-local", ROOT, folder, cwd=ROOT)
    for name in ("user.name", "user.email"):
        git("config", name, "nobody@example.com", cwd=folder)
    changed = git("ls-files", "--modified", "--others", "--deleted", "--exclude-standard", "-z", cwd=ROOT).split("\0")
    for name in filter(None, changed):
        if not name.startswith(NOT_OURS):
            _copy(ROOT / name, folder / name)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--allow-empty", "--message", "what is not committed", cwd=folder)
    return folder


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
