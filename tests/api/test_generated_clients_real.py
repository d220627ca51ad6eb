"""Clients that generators make of the served OpenAPI: they compile, and complete a reserve at a real server.

openapi-python-client comes from PyPI, openapi-typescript and openapi-fetch from npm; both are installed once for many
runs, as the real shops of other tests are.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tests.channels import npm, pypi
from tests.support.contract import contract
from tests.support.http import Key, Server

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

HERE: Final = Path(__file__).parent / "clients"
INSTALL_S: Final = 400.0
RUN_S: Final = 300.0
ADMIN: Final = Key("boss", "default")
COMPLETED: Final = {
    "state": "held", "committed": "committed", "outcome": "out_of_stock", "available": 3, "request_id": True,
}  # fmt: skip
WRITTEN_ONLY_IN_TYPESCRIPT: Final = ("reserve.ts", "wrong.ts", "tsconfig.json", "package.json")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(keys=[ADMIN], role="api") as started:
        yield started
        assert started.faults == []


def ran(*command: str | Path, cwd: Path, path: Sequence[Path] = (), fails: bool = False) -> str:
    """Run a command and return what it said; ``path``: folders whose programs it finds first."""
    environment = {**os.environ, "PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]])}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, said[-6000:]
    return said


def operations() -> list[dict[str, Any]]:
    return [each for methods in contract().document["paths"].values() for each in methods.values()]


def test_openapi_python_client_makes_a_client_that_compiles_and_reserves(server: Server, tmp_path: Path) -> None:
    python = pypi.installed("openapi-python-client", HERE, npm.user_cache("openapi-python-client"), INSTALL_S)
    programs = python.parent
    config = tmp_path / "config.yaml"
    config.write_text("post_hooks: []\n")
    made = tmp_path / "made"

    said = ran(
        python, "-m", "openapi_python_client", "generate", "--url", f"{server.url}/openapi.json",
        "--output-path", made, "--config", config, cwd=tmp_path, path=[programs],
    )  # fmt: skip

    print(said[-3000:])  # noqa: T201  # pytest shows it with -s, and on failure
    modules = {path.stem for path in (made / "holdfast_client" / "api").rglob("*.py")} - {"__init__"}
    assert modules == {each["operationId"] for each in operations()}
    script = made / "reserve_with_made_client.py"
    shutil.copy(HERE / script.name, script)
    checked = ran(
        sys.executable, "-m", "mypy", "--python-executable", python, "--strict", "--config-file", os.devnull,
        "--follow-imports", "normal", "holdfast_client", script.name, cwd=made,
    )  # fmt: skip
    assert "Success" in checked
    told = json.loads(ran(python, script.name, server.url, ADMIN.token, cwd=made).splitlines()[-1])
    assert told == {**COMPLETED, "created": True}


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Path:
    """Make the types of the served document, in a folder that has what compiles them."""
    shop = npm.Shop("openapi-clients", HERE, npm.user_cache("openapi-clients"), INSTALL_S, node="20")
    modules = npm.installed(shop) / "node_modules"
    folder = tmp_path_factory.mktemp("typescript")
    for name in WRITTEN_ONLY_IN_TYPESCRIPT:
        shutil.copy(HERE / name, folder)
    (folder / "node_modules").symlink_to(modules)
    ran(
        "node", modules / "openapi-typescript" / "bin" / "cli.js", f"{server.url}/openapi.json", "-o", "api.d.ts",
        cwd=folder,
    )  # fmt: skip
    return folder


def compiled(folder: Path, source: str, *, fails: bool = False) -> str:
    config = json.loads((folder / "tsconfig.json").read_text())
    (folder / "tsconfig.json").write_text(json.dumps({**config, "files": [source, "api.d.ts"]}))
    return ran("node", folder / "node_modules" / "typescript" / "bin" / "tsc", "-p", ".", cwd=folder, fails=fails)


def test_openapi_typescript_makes_types_that_compile_and_reserve(server: Server, typescript: Path) -> None:
    compiled(typescript, "reserve.ts")

    said = ran("node", typescript / "made" / "reserve.js", server.url, ADMIN.token, cwd=typescript)

    assert json.loads(said.splitlines()[-1]) == COMPLETED


def test_what_the_api_would_refuse_does_not_compile(typescript: Path) -> None:
    said = compiled(typescript, "wrong.ts", fails=True)

    wrong = {line.partition("(")[2].partition(",")[0] for line in said.splitlines() if line.startswith("wrong.ts")}
    assert wrong == {"6", "7", "8", "9", "10"}
