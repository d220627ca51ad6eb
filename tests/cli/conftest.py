"""Fixtures for tests that run commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import stop_store


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """Name a folder for commands; the store that they start in it is stopped."""
    yield tmp_path
    stop_store(tmp_path / ".holdfast")
