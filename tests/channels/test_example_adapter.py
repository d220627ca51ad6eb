"""The example of a kind in a package of its own: built, installed beside Holdfast, and put through the suites there."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
EXAMPLE: Final = ROOT / "examples" / "adapter"
PAGE: Final = (ROOT / "docs" / "how-to" / "own-adapter.md").read_text("utf-8")


class Outside:
    """A virtual environment that knows nothing of this repository but the two wheels that were built from it."""

    def __init__(self, folder: Path) -> None:
        self.package = folder / "adapter"
        self._venv = folder / "venv"
        shutil.copytree(EXAMPLE, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        wheels = [built(source, folder / "wheels" / source.name) for source in (ROOT, self.package)]
        run([sys.executable, "-m", "venv", "--without-pip", self._venv])
        self.python = self._venv / "bin" / "python"
        run([sys.executable, "-m", "pip", "--python", self.python, "install", "--no-deps", "--no-index", *wheels])
        # What both need of others is that of these tests: a path in a .pth file adds the folder, and not our own code,
        # to which a .pth file of that folder leads.
        [site] = (self._venv / "lib").glob("python*/site-packages")
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")

    def run(self, *words: str | Path) -> str:
        return run([self.python, *words], cwd=self.package)

    def command(self, *words: str) -> str:
        return run([self._venv / "bin" / "holdfast", *words], cwd=self.package)


def run(words: list[Any], cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def built(source: Path, folder: Path) -> Path:
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=source)
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    return Outside(tmp_path_factory.mktemp("outside"))


@pytest.mark.timeout(400)
def test_the_example_passes_the_suites_of_the_holdfast_that_is_installed_beside_it(outside: Outside) -> None:
    assert str(ROOT) not in outside.run("-c", "import adapters; print(adapters.__file__)")

    reported = outside.run("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider")

    [passed] = re.findall(r"(\d+) passed", reported)
    assert int(passed) > 100, reported
    skipped = set(re.findall(r"^SKIPPED .*?: (.*)$", reported, re.MULTILINE))
    assert skipped == {"nothing can be shipped, or no package is there before it leaves"}, reported


def test_it_is_found_where_it_is_installed(outside: Outside) -> None:
    kinds = {each["kind"]: each for each in json.loads(outside.command("channels", "kinds", "--json"))}

    assert (kinds["acme"]["origin"], kinds["acme"]["problem"]) == ("holdfast-acme 1.0.0", "")
    assert kinds["trendyol"]["origin"] == "holdfast"


def test_the_channel_of_the_guide_can_be_built(outside: Outside) -> None:
    [table] = re.findall(r"^```toml\n(\[channels\..*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (outside.package / "holdfast.toml").write_text(table, "utf-8")
    program = """
from pathlib import Path
from server.channels.connection.adapter_registry import build
from server.config.settings import load_config_file
[channel] = load_config_file(Path("holdfast.toml"), credentials=False).channels
print(build(channel.settings, {"token": "made-up"}).capabilities.items_max)
"""

    assert outside.run("-c", program) == "100\n"


def test_the_guide_shows_the_files_of_the_example_as_they_are() -> None:
    blocks = re.findall(r"^```(?:python|toml)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    texts = [path.read_text("utf-8") for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")]

    quoted = [block for block in blocks if not block.startswith("[channels.")]
    assert quoted
    assert [block for block in quoted if not any(block in text for text in texts)] == []
