"""What the JavaScript client makes of each answer, and when it tries again: a program in JavaScript tests it."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.node import HERE, node


@pytest.mark.parametrize(("program", "tests_min"), [("decisions.test.mjs", 20), ("streams.test.mjs", 6)])
def test_it_decides_as_it_should(program: str, tests_min: int) -> None:
    words: list[str | Path] = [node(), "--test", HERE / program]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=100)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert len(re.findall(r"^test\(", (HERE / program).read_text("utf-8"), re.MULTILINE)) >= tests_min
