"""Under the plugin of ``make test-fast``, whatever starts a store fails."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PLANTED: Final = {
    # the first, since what another one started may live for a moment longer
    "by_nothing": "    subprocess.run(['true'], check=True)\n",
    "by_itself": "    with start_valkey():\n        pass\n",
    "by_a_child": "    subprocess.run(['sh', '-c', f'{find_binary().path} --port 0 & sleep 1; kill $!'], check=True)\n",
    "by_serving": "    with Server():\n        pass\n",
}
HEAD: Final = """
import subprocess
from server.store.embedded.binary import find_binary
from tests.support.http import Server
from tests.support.stores import start_valkey

"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Run the planted tests, and return what pytest says of each."""
    folder = tmp_path_factory.mktemp("planted")
    tests = "".join(f"def test_{name}():\n{body}\n\n" for name, body in PLANTED.items())
    (folder / "test_planted.py").write_text(HEAD + tests, "utf-8")
    command: list[str | Path] = [
        sys.executable, "-m", "pytest", "-p", "tests.support.no_store", "-c", "/dev/null", f"--rootdir={folder}",
        "-p", "no:cacheprovider", "-rA", folder / "test_planted.py",
    ]  # fmt: skip
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    said: dict[str, set[str]] = {name: set() for name in PLANTED}
    for outcome, name, reason in re.findall(r"^(PASSED|FAILED|ERROR) \S*::test_(\w+)(.*)$", output, re.MULTILINE):
        said[name].add(outcome if "Error" not in reason else f"{outcome}: {'starts the store' in reason}")
    assert all(said.values()), output
    return said


@pytest.mark.parametrize("name", ["by_itself", "by_a_child", "by_serving"])
def test_what_starts_a_store_fails(name: str, outcomes: dict[str, set[str]]) -> None:
    assert outcomes[name] - {"PASSED"}


def test_what_starts_none_passes(outcomes: dict[str, set[str]]) -> None:
    assert outcomes["by_nothing"] == {"PASSED"}
