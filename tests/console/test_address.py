"""``make run`` prints where the console is, and there it is."""

import os
import re
import subprocess
from collections.abc import Callable

import pytest

from tests.support.http import ROOT, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)
PRINTED = re.compile(r"^  console +(http://127\.0\.0\.1:\d+)/console$", re.MULTILINE)


def test_make_run_serves_the_sample_and_nothing_else() -> None:
    # As a person types it: what make was given that runs the tests is not for this one.
    environment = {name: value for name, value in os.environ.items() if name not in {"ARGS", "MAKEFLAGS"}}
    words = ["make", "-n", "run"]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, env=environment).stdout

    assert re.search(r"^exec \S*/holdfast serve --sample *$", told, re.MULTILINE)


async def test_a_server_prints_where_its_console_is(start_server: Callable[..., Server]) -> None:
    server = start_server()

    [printed] = PRINTED.findall(server.stderr)

    assert printed == server.url
    async with opened(printed) as anybody:
        page = (await anybody.get("/console")).ok()
    assert "<title>Holdfast</title>" in page


@pytest.mark.parametrize("page", ["README.md", "docs/console.md"])
def test_the_documentation_says_so(page: str) -> None:
    assert "/console" in (ROOT / page).read_text("utf-8")
