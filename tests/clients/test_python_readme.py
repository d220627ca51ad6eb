"""The README of the Python client: its examples run one after the other on a fresh server, and print what it says."""

import contextlib
import io
import re
from typing import Any

import holdfast
from tests.support.http import ROOT, Server

README = (ROOT / "clients" / "python" / "README.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8080"
SHOWN = re.compile(r"# (.+?)(?:: keep it.*)?$", re.MULTILINE)


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def said(code: str) -> list[str]:
    """Find what the comments behind ``print`` say that it prints."""
    lines = [line for line in code.splitlines() if "print(" in line or "ready()" in line]
    return [found[1] for line in lines if (found := SHOWN.search(line))]


def test_every_example_prints_what_stands_beside_it() -> None:
    there: dict[str, Any] = {}
    with Server(role="api") as server, contextlib.ExitStack() as opened:
        for code in examples():
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code.replace(ADDRESS, server.url), "README.md", "exec"), there)  # noqa: S102  # our own
            assert printed.getvalue().splitlines() == said(code), code
            for client in {id(each): each for each in there.values() if isinstance(each, holdfast.Client)}.values():
                opened.callback(client.close)
        assert server.faults == []


def test_there_are_examples_that_print() -> None:
    assert sum(len(said(code)) for code in examples()) >= 10
