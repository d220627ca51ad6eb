"""The JavaScript client as others have it: its files, its types, its version, and the request of each method."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

import server
from clients.generate.written import TYPESCRIPT_TYPES, written
from tests.clients.js_side import arguments, camel
from tests.clients.js_types import JS, compiled, kept, made, modules
from tests.clients.methods import METHODS, STREAM, Operation, all_operations
from tests.clients.node import HERE, node

LINES_MAX: Final = 300
LISTS: Final = ("keys", "skus", "lines", "barcodes", "listings", "rules", "movements", "reservations", "orders", "ids")
REPEATS: Final = {"GET": "reads"}


def package() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((JS / "package.json").read_text("utf-8"))
    return found


def semantic(version: str) -> str:
    """Write a version of Python's as npm has it."""
    return re.sub(r"\.dev(\d+)$", r"-dev.\1", version)


def test_it_has_the_version_of_the_api() -> None:
    said = (JS / "src" / "version.js").read_text("utf-8")

    assert package()["version"] == semantic(server.__version__)
    assert f'version = "{semantic(server.__version__)}"' in said


def test_it_needs_nothing_else() -> None:
    imported = {
        found
        for path in (JS / "src").rglob("*.js")
        for found in re.findall(r"""(?:from|import\()\s*["']([^"']+)["']""", path.read_text("utf-8"))
        if not found.startswith(".")
    }

    assert imported == {"node:crypto"}
    assert not {"dependencies", "peerDependencies", "scripts"} & set(package())


def test_no_file_is_too_long() -> None:
    lengths = {path.name: path.read_text("utf-8").count("\n") for path in (JS / "src").rglob("*.js")}

    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}


def test_nothing_else_stands_among_the_written_types() -> None:
    assert set(TYPESCRIPT_TYPES.iterdir()) == {path for path in written() if path.suffix == ".ts"}


def test_its_package_has_the_sources_and_the_types() -> None:
    names = {path.relative_to(JS).as_posix() for path in JS.rglob("*") if path.is_file()}

    assert {"src/index.js", "src/webhooks.js", "types/index.d.ts", "types/webhooks.d.ts", "README.md"} < names
    for target in package()["exports"].values():
        for path in target.values() if isinstance(target, dict) else [target]:
            assert path.removeprefix("./") in names


# -- the request of each method


def value_of(name: str) -> Any:
    if name in LISTS:
        return [f"<{name}>"]
    return True if name == "dry_run" else f"<{name}>"


def given(operation: Operation) -> dict[str, Any]:
    """Give every parameter a value that says its name."""
    names = [*operation.parameters("path"), *operation.parameters("query"), *operation.body_fields]
    found = {name: value_of(name) for name in names}
    if "text/csv" in operation.described.get("requestBody", {}).get("content", {}):
        found["file"] = "sku"
    if "Idempotency-Key" in operation.parameters("header"):
        found["idempotency_key"] = "own-key"
    return found


OPERATIONS: Final = [each for each in all_operations() if f"{each.resource}.{each.method}" != STREAM]


@pytest.fixture(scope="module")
def requests() -> dict[str, dict[str, Any]]:
    """Have the client make every call, each to a server that refuses all."""
    asked = [
        {"resource": camel(each.resource), "method": camel(each.method), "args": arguments(each, given(each))}
        for each in OPERATIONS
    ]
    done = subprocess.run(
        [node(), HERE / "calls.mjs"], input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip([f"{each.resource}.{each.method}" for each in OPERATIONS], json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.resource}.{each.method}")
def test_a_method_sends_every_parameter_of_its_operation(
    requests: dict[str, dict[str, Any]], operation: Operation
) -> None:
    made = requests[f"{operation.resource}.{operation.method}"]

    url = urlsplit(made["url"])
    assert operation.matches(made["verb"], url.path), (made, operation.path)
    assert set(parse_qs(url.query)) == set(operation.parameters("query"))
    if operation.body_fields:
        assert set(json.loads(made["body"])) == set(operation.body_fields)
    takes_key = "Idempotency-Key" in operation.parameters("header")
    is_new = "reservation_id" in operation.body_fields and operation.verb == "POST" and takes_key
    assert (made["repeat"] == "has_key") == takes_key
    assert made["key"] == ("<reservation_id>" if is_new else "own-key" if takes_key else "")
    assert made["headers"].get("Idempotency-Key", "") == ("own-key" if takes_key and not is_new else "")
    if operation.verb in REPEATS:
        assert made["repeat"] == REPEATS[operation.verb]


def test_it_has_no_other_methods() -> None:
    done = subprocess.run([node(), HERE / "methods.mjs"], capture_output=True, text=True, check=True, timeout=60)

    expected = {".".join(map(camel, each.split("."))) for each in METHODS.values()}
    assert set(json.loads(done.stdout)) == expected | {"changes.follow"}


@pytest.mark.parametrize(("ci", "ends"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_where_node_is_missing_it_is_said_what_installs_it_and_only_ci_fails(
    monkeypatch: pytest.MonkeyPatch, ci: str, ends: type[BaseException]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)

    with pytest.raises(ends, match="apt-get install nodejs, or make node"):
        node()


# -- what TypeScript says


@pytest.mark.timeout(900)
def test_its_types_are_those_of_its_sources(tmp_path: Path) -> None:
    found, there = made(tmp_path), kept()

    differing = [name for name in found.keys() | there.keys() if found.get(name) != there.get(name)]
    assert differing == [], "python -m tests.clients.js_types"


@pytest.mark.timeout(900)
def test_right_calls_compile_strictly_and_each_wrong_one_is_found(tmp_path: Path) -> None:
    for path in (HERE / "typescript").iterdir():
        shutil.copy(path, tmp_path)
    installed = tmp_path / "node_modules"
    installed.mkdir()
    (installed / "holdfast-client").symlink_to(JS)
    for name in ("@types", "undici-types"):
        (installed / name).symlink_to(modules() / name)

    said = compiled(tmp_path)

    source = (HERE / "typescript" / "wrong.ts").read_text("utf-8").splitlines()
    wrong = {number for number, line in enumerate(source, 1) if line.endswith("// wrong")}
    found = {(name, int(number)) for name, number in re.findall(r"^(\w+\.ts)\((\d+),", said, re.MULTILINE)}
    assert found == {("wrong.ts", number) for number in wrong}, said
    assert wrong
