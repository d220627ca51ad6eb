"""Installs a real shop from PyPI, once for many runs: into a cache, as a virtual environment of its own."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.channels.npm import digest, locked, unavailable

PINNED: Final = "requirements.txt"


def installed(name: str, here: Path, cache: Path, install_s: float) -> Path:
    """Return the Python that has the shop's packages, installed now if need be; two may ask at once."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache / f"{name.lower()}-{version}-{digest([here / PINNED])}"
    with locked(folder):
        if not folder.exists():
            _install(name, here / PINNED, folder, install_s)
    return folder / "bin" / "python"


def _install(name: str, pinned: Path, folder: Path, install_s: float) -> None:
    """Install beside the folder and rename at the end: what is half done has another name."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    packages = ("--quiet", "--disable-pip-version-check", "--no-deps", "--requirement", str(pinned))
    pip = (sys.executable, "-m", "pip", "--python", str(partial / "bin" / "python"), "install", *packages)
    for command in ((sys.executable, "-m", "venv", "--without-pip", str(partial)), pip):
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=install_s, check=False
            )
        except subprocess.TimeoutExpired:
            unavailable(name, f"pip did not finish in {install_s:g} s; is its registry within reach?")
        if done.returncode != 0:
            words = (done.stderr or done.stdout)[-500:].strip()
            unavailable(name, f"{' '.join(command[1:3])} failed; is its registry within reach? {words}")
    partial.rename(folder)
