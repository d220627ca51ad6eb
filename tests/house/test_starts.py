"""Tests start Holdfast by ``tests/support/launch.py``, in milliseconds; every other way takes a second."""

import re
from typing import Final

from tests.support.http import ROOT

FROM_NOTHING: Final = {
    "tests/api/test_keys_across_releases.py": "it is another release",
    "tests/channels/test_allegro_end_to_end.py": "it reads from standard input",
    "tests/cli/test_preview.py": "it asks on a terminal",
}
"""Tests that start it themselves, and why."""
_STARTED: Final = re.compile(r'"-m",\s*"server"')


def test_no_other_test_starts_it_from_nothing() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("*.py")
        if "rigs" not in path.parts and _STARTED.search(path.read_text("utf-8"))
    }

    assert found == set(FROM_NOTHING)
