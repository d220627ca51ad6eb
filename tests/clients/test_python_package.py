"""The Python client as others have it: a wheel that is installed alone, and that mypy reads strictly."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

import holdfast
from tests.support.http import ROOT

RIGHT: Final = """
from holdfast import AsyncClient, Client
from holdfast.types import LineBody, ReservationView

def held(client: Client) -> ReservationView:
    return client.reservations.reserve(channel="shop", lines=[LineBody(sku="A", quantity=1)], policy="partial")

async def left(client: AsyncClient) -> int:
    async with client.changes.follow() as changes:
        async for change in changes:
            return change.view.available
    async for page in client.pages(client.reservations.read_many, state="held"):
        return len(page.reservations)
    return (await client.availability.read("A")).available
"""
WRONG: Final = """
from holdfast import AsyncClient, Client
from holdfast.types import LineBody

def wrong(client: Client, other: AsyncClient) -> None:
    client.reservations.reserve(channel="shop", lines=[LineBody(sku="A")])
    client.reservations.reserve(channel="shop", lines=[], policy="some")
    client.reservations.reserve(lines=[])
    client.stock.count("A", "main", on_hand="3")
    client.availability.read("A").free
    other.availability.read("A").available
    client.pages(client.stock.read, "A")
"""
WRONG_LINES: Final = [6, 7, 8, 9, 10, 11, 12]


def run(words: list[Any], cwd: Path, *, fails: bool = False) -> str:
    done = subprocess.run(words, cwd=cwd, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], ROOT / "clients" / "python")
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the client, and of this repository nothing else."""
    venv = tmp_path_factory.mktemp("outside") / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", venv], ROOT)
    made = venv / "bin" / "python"
    run([sys.executable, "-m", "pip", "--python", made, "install", "--no-deps", "--no-index", "--quiet", wheel], ROOT)
    [site] = (venv / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return made


def test_the_wheel_has_the_client_its_types_and_its_version(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert wheel.name.startswith(f"holdfast_client-{holdfast.__version__}-")
    assert {"holdfast/py.typed", "holdfast/types/common.py", "holdfast/resources/reservations.py"} < set(names)
    assert {name.split("/")[0] for name in names} == {"holdfast", f"holdfast_client-{holdfast.__version__}.dist-info"}


def test_it_is_imported_where_the_server_is_not(python: Path, tmp_path: Path) -> None:
    program = "import holdfast, sys; print(holdfast.__file__); assert 'server' not in sys.modules"

    assert str(ROOT) not in run([python, "-c", program], tmp_path)


@pytest.mark.timeout(200)
def test_right_calls_pass_mypy_strictly_and_each_wrong_one_is_found(python: Path, tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(RIGHT, "utf-8")
    (tmp_path / "wrong.py").write_text(WRONG, "utf-8")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--no-error-summary"]

    assert run([*mypy, "right.py"], tmp_path) == ""
    found = run([*mypy, "wrong.py"], tmp_path, fails=True).splitlines()

    assert sorted({int(line.split(":")[1]) for line in found if ": error:" in line}) == WRONG_LINES, found
