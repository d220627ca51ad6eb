"""Installs the real Vendure from npm, once for many runs: into the user's cache, 15 s where it was measured."""

from pathlib import Path
from typing import Final

from tests.channels import npm

HERE: Final = Path(__file__).parent
INSTALL_S: Final = 400.0


def installed() -> Path:
    """Return the folder whose ``node_modules`` hold Vendure."""
    return npm.installed(npm.Shop("Vendure", HERE, npm.user_cache("Vendure"), INSTALL_S, node="20"))
