"""The README of the JavaScript client: its examples run as one program on a fresh server, and print what it says."""

import re
import subprocess
from pathlib import Path

from tests.clients.js_types import JS
from tests.clients.node import node
from tests.support.http import Server

README = (JS / "README.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8080"
SAID = re.compile(r"^.*(?:console\.log\(|ready\(\)).*// (.+)$", re.MULTILINE)
RUN_S = 60.0


def examples() -> list[str]:
    return re.findall(r"^```js\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_examples_print_what_stands_beside_them(tmp_path: Path) -> None:
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "holdfast-client").symlink_to(JS)
    with Server(role="api") as server:
        (tmp_path / "readme.mjs").write_text("\n".join(examples()).replace(ADDRESS, server.url), "utf-8")
        done = subprocess.run(
            [node(), "readme.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=RUN_S
        )
        assert server.faults == []

    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == [line for code in examples() for line in SAID.findall(code)]


def test_there_are_examples_that_print() -> None:
    assert sum(len(SAID.findall(code)) for code in examples()) >= 10
