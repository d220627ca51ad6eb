"""Node.js, which runs the JavaScript client in tests."""

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent / "js"
"""The programs of these tests."""
INSTALL: Final = "apt-get install nodejs, or make node; it has to be release 18 or newer"


def node() -> str:
    """Return the program that runs JavaScript: where it is missing, the test is skipped, and fails where CI=true."""
    found = shutil.which("node")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"the JavaScript client must be tested too, and there is no Node.js: {INSTALL}")
        pytest.skip(f"there is no Node.js: {INSTALL}")
    return found
