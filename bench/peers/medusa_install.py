"""Installs Medusa from npm into the user's cache, once for many runs: 700 MB, a minute or some."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from bench.peers.base import MissingError, needed

VERSION: Final = "2.21.2"
_PACKAGE: Final = {
    "name": "holdfast-bench-medusa",
    "private": True,
    "dependencies": {f"@medusajs/{name}": VERSION for name in ("medusa", "framework", "cli", "admin-sdk")},
}
_CONFIG: Final = """\
const { defineConfig } = require("@medusajs/framework/utils")
const here = "http://127.0.0.1", secret = process.env.BENCH_SECRET

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    http: { storeCors: here, adminCors: here, authCors: here, jwtSecret: secret, cookieSecret: secret },
  },
})
"""
_INSTALL_S: Final = 900.0
_NODE_MIN: Final = (20, 19)
_NODE: Final = "install Node.js 20.19 or newer, which brings npm (Debian 13: apt-get install nodejs npm; or nodejs.org)"


def installed() -> Path:
    """Return the folder whose ``node_modules`` hold Medusa, installed now if need be; two may ask at once.

    Raises
    ------
    MissingError
        Node.js is missing or too old, or npm could not install it.

    """
    needed("npm", _NODE)
    said = subprocess.run([needed("node", _NODE), "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(int(part) for part in re.findall(r"\d+", said)[:2]) < _NODE_MIN:
        raise MissingError(f"node {said.strip()} is too old for Medusa: {_NODE}")
    files = {"package.json": json.dumps(_PACKAGE, indent=2), "medusa-config.js": _CONFIG}
    digest = hashlib.sha256("\0".join(files.values()).encode()).hexdigest()[:12]
    folder = _cache() / f"medusa-{VERSION}-{digest}"
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _install(folder, files)
    return folder


def _cache() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _install(folder: Path, files: dict[str, str]) -> None:
    """Install beside the folder and rename at the end: what is half done has another name."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for name, text in files.items():
        (partial / name).write_text(text)
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        npm = subprocess.run(
            command,
            cwd=partial,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MissingError(
            f"npm did not install Medusa within {_INSTALL_S:g} s; is its registry within reach?"
        ) from None
    if npm.returncode:
        raise MissingError(f"`{' '.join(command)}` in {partial} failed: {npm.stderr[-500:].strip()}")
    partial.rename(folder)
