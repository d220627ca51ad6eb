"""docs/how-to/connector.md is followed as it is written, and shows the connector as it is."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.followed_page import ROOT, Reader
from tests.support.own_processes import OwnProcesses
from tests.support.stores import free_port

PAGE: Final = (ROOT / "docs" / "how-to" / "connector.md").read_text("utf-8")
BAZAAR_PORT: Final = "8090"
SLEEPS: Final = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]


@pytest.fixture
def own() -> Iterator[OwnProcesses]:
    with OwnProcesses() as started:
        yield started


@pytest.mark.timeout(300)
def test_the_page_leads_to_a_connector_that_books_once_and_shows_what_is_left(
    tmp_path: Path, own: OwnProcesses
) -> None:
    assert shutil.which("curl"), "the page uses curl: apt-get install curl"
    environment = {**own.environment, "PYTHONPATH": str(ROOT / "clients" / "python")}
    with Reader(tmp_path, environment) as reader:
        assert reader.follow(PAGE.replace(BAZAAR_PORT, str(free_port()))) == []


def test_the_page_shows_parts_of_the_connector_as_it_is() -> None:
    connector = (ROOT / "examples" / "connector" / "connector.py").read_text("utf-8")
    shown = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

    assert len(shown) == 3
    assert [block for block in shown if block not in connector] == []


# -- a page ends what it has started, and nothing else


def test_an_id_in_a_file_that_is_another_program_s_is_not_killed(tmp_path: Path, own: OwnProcesses) -> None:
    with subprocess.Popen(SLEEPS, stdout=subprocess.PIPE) as other:
        (tmp_path / "stale.pid").write_text(f"{other.pid}\n")
        with Reader(tmp_path, own.environment) as reader:
            [difference] = reader.follow("```console\n$ kill -9 $(cat stale.pid)\n```\n")
        assert f"{other.pid} is not ours" in difference
        assert other.poll() is None
        other.kill()


def test_a_page_kills_what_it_has_started(tmp_path: Path, own: OwnProcesses) -> None:
    page = "```console\n$ sleep 600 & echo $! > own.pid\n$ kill $(cat own.pid)\n```\n"
    with Reader(tmp_path, own.environment) as reader:
        assert reader.follow(page.replace("sleep 600 &", "sleep 600 > /dev/null 2>&1 &")) == []

    assert not _runs(int((tmp_path / "own.pid").read_text()))


def test_what_is_left_running_is_ended_and_nothing_else(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPS, stdout=subprocess.PIPE) as other:
        with OwnProcesses() as own, Reader(tmp_path, own.environment) as reader:
            reader.follow("```console\n$ sleep 600 > /dev/null 2>&1 & echo $! > own.pid\n```\n")
            left = int((tmp_path / "own.pid").read_text())
            assert left in own.running()
            assert other.pid not in own.running()

        assert not _runs(left)
        assert other.poll() is None
        other.kill()


def _runs(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and is not asked for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" and os.getpid() != pid
