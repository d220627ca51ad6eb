"""Follows adapters/README.md as it is written: the adapter, its test, and the command that runs them."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "adapters" / "README.md").read_text("utf-8")
NEEDED: Final = ("adapters", "server", "lua", "tests", "docs/api", "pyproject.toml")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what runs, so that nothing of a test stays in this checkout."""
    for name in NEEDED:
        source, target = ROOT / name, tmp_path / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "node_modules", "samples", "console", "rigs")
            shutil.copytree(source, target, symlinks=True, ignore=ignored)
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(source, target)
    return tmp_path


@pytest.mark.timeout(300)
def test_the_page_leads_to_a_passing_test(checkout: Path) -> None:
    section = PAGE.partition("\n## Write one in ten minutes\n")[2].partition("\n## ")[0]
    files = re.findall(
        r"this into `(\w+\.py)` in (?:the folder )?`([\w/]+)/`:\n\n```python\n(.*?)^```$",
        section,
        re.DOTALL | re.MULTILINE,
    )
    [(command, shown)] = re.findall(
        r"^\$ \.venv/bin/(pytest .*)\n[^\n]*\n(\d+ passed, \d+ skipped) in", section, re.MULTILINE
    )

    for name, folder, text in files:
        (checkout / folder / name).write_text(text, "utf-8")
    words = [sys.executable, "-m", *shlex.split(command)]
    done = subprocess.run(words, cwd=checkout, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(checkout)},
                          capture_output=True, text=True, check=False)  # fmt: skip

    assert len(files) == 2
    assert done.returncode == 0, done.stdout[-4000:]
    assert shown in done.stdout, "the page shows another count: correct it"
