"""What is installed is written down: locks/ has every package of pyproject.toml, in one release, with its hashes."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[2]
PYPROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETS: Final[dict[str, dict[str, Any]]] = PYPROJECT["tool"]["holdfast"]["locks"]
MEND: Final = "run `make locks ARGS=--no-upgrade`, and commit locks/"
_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+==[^\n\\]*?) ?\\?\n((?:    --hash=[^\n]*\n)*)", re.MULTILINE)


class Pin(msgspec.Struct, frozen=True):
    """One release of a package. ``marker``: where it is installed; "" is everywhere."""

    name: str
    version: str
    marker: str
    hashes: int


def pins(text: str) -> list[Pin]:
    """Read the packages of a file as pip does."""
    found = []
    for line, hashes in _PINNED.findall(text):
        requirement = Requirement(line)
        [exact] = requirement.specifier
        marker = str(requirement.marker or "")
        found.append(Pin(canonicalize_name(requirement.name), exact.version, marker, hashes.count("--hash=sha256:")))
    return found


def locked(name: str) -> list[Pin]:
    return pins((ROOT / "locks" / f"{name}.txt").read_text("utf-8"))


def environments() -> Iterator[dict[str, str]]:
    """Yield what markers ask, for each Python and system that is supported."""
    for minor in (11, 12, 13):
        for system, platform in (("Linux", "linux"), ("Darwin", "darwin")):
            yield {
                "python_version": f"3.{minor}", "python_full_version": f"3.{minor}.9", "os_name": "posix",
                "implementation_name": "cpython", "platform_python_implementation": "CPython",
                "platform_system": system, "sys_platform": platform, "platform_machine": "x86_64", "extra": "",
            }  # fmt: skip


def applies(requirement: Requirement, environment: Mapping[str, str], extras: Iterable[str] = ("",)) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in extras)


def installed_in(found: Iterable[Pin], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the versions by name that a Python of this kind is given."""
    return {
        pin.name: pin.version
        for pin in found
        if applies(Requirement(f"{pin.name} ; {pin.marker}" if pin.marker else pin.name), environment)
    }


def wanted_by(part: Mapping[str, Any], pyproject: Mapping[str, Any] = PYPROJECT) -> list[Requirement]:
    """Read from pyproject.toml what a set is made of."""
    project = pyproject["project"]
    own = project["dependencies"] if part.get("project") else []
    extras = [each for extra in part.get("extras", []) for each in project["optional-dependencies"][extra]]
    groups = [each for group in part.get("groups", []) for each in pyproject["dependency-groups"][group]]
    return [Requirement(each) for each in [*own, *extras, *groups]]


def not_covered(wanted: Iterable[Requirement], found: Iterable[Pin]) -> list[str]:
    """Find what is wanted, and what that needs in turn, and is not locked in a release that will do."""
    found = list(found)
    return sorted({f for environment in environments() for f in _not_covered_in(environment, wanted, found)})


def _not_covered_in(environment: Mapping[str, str], wanted: Iterable[Requirement], found: list[Pin]) -> Iterator[str]:
    versions = installed_in(found, environment)
    left, seen = [each for each in wanted if applies(each, environment)], set[tuple[str, str]]()
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        version = versions.get(name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement} has {version or 'nothing'} with {environment['python_version']}"
        extras = {extra for extra in requirement.extras or {""} if (name, extra) not in seen}
        seen |= {(name, extra) for extra in extras}
        left += [each for each in _needs(name, version) if extras and applies(each, environment, extras)]


def _needs(name: str, version: str | None) -> list[Requirement]:
    """Return what a package needs, where it is installed here in the release that is locked."""
    try:
        return [Requirement(each) for each in requires(name) or []] if version else []
    except PackageNotFoundError:
        return []


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_what_pyproject_says_and_what_that_needs_for_every_python(name: str) -> None:
    assert not_covered(wanted_by(SETS[name]), locked(name)) == [], MEND


@pytest.mark.parametrize("name", SETS)
def test_every_package_of_a_set_has_a_hash(name: str) -> None:
    assert [pin.name for pin in locked(name) if not pin.hashes] == [], MEND
    lines = re.findall(r"^[a-z0-9]", (ROOT / "locks" / f"{name}.txt").read_text("utf-8"), re.MULTILINE)
    assert len(locked(name)) == len(lines), "a line is not read"


def test_a_package_has_the_same_release_in_every_set() -> None:
    all_versions = {(pin.name, pin.version) for pin in locked("versions")}

    assert [(name, pin) for name in SETS for pin in locked(name) if (pin.name, pin.version) not in all_versions] == []


def test_no_file_of_a_set_that_is_gone_stays() -> None:
    assert {path.stem for path in (ROOT / "locks").glob("*.txt")} == {*SETS, "versions"}, MEND


def unlocked_installs(text: str) -> list[str]:
    """Find the commands of a Makefile or Dockerfile that would have pip search for packages."""
    expanded = text.replace("$(LOCKED)", "-m pip install --require-hashes").replace("$(PIP)", "-m pip install")
    commands = re.findall(r"^(?:\t@?|RUN | && ).*\bpip\b.* (?:install|wheel) .*", expanded, re.MULTILINE)
    return [each for each in commands if "--require-hashes" not in each and "--no-deps" not in each]


def test_pip_installs_nothing_that_is_not_locked() -> None:
    assert unlocked_installs((ROOT / "Dockerfile").read_text("utf-8")) == []
    # A real ERP for a test, in an environment of its own: its releases are pinned in a file of that test.
    [of_a_test] = unlocked_installs((ROOT / "Makefile").read_text("utf-8"))
    assert "$(VENV)/tryton" in of_a_test


def test_every_locked_set_is_installed_by_something() -> None:
    readers = "".join((ROOT / name).read_text("utf-8") for name in ("Makefile", "Dockerfile"))
    named = {
        name
        for name in SETS
        if re.search(rf"locks/{name}\.txt|LOCK := {name}$|\$\(VENV\)/{name}/", readers, re.MULTILINE)
    }

    assert named == set(SETS)


# -- the test can fail


GOOD: Final = (
    "aiohttp==3.14.5 \\\n    --hash=sha256:ab\nuvloop==0.23.0 ; sys_platform != 'win32' \\\n    --hash=sha256:cd\n"
)


def test_a_package_that_is_not_locked_is_found() -> None:
    found = not_covered([Requirement("aiohttp>=3.14.4"), Requirement("nowhere>=1")], pins(GOOD))

    assert {each for each in found if each.startswith("nowhere")} == {
        f"nowhere>=1 has nothing with 3.{minor}" for minor in (11, 12, 13)
    }


def test_a_release_that_is_too_old_is_found() -> None:
    assert "uvloop>=0.24 has 0.23.0 with 3.13" in not_covered([Requirement("uvloop>=0.24")], pins(GOOD))


def test_a_package_for_some_pythons_alone_is_found() -> None:
    text = "nowhere==1.0 ; python_full_version < '3.12' \\\n    --hash=sha256:ab\n"

    found = not_covered([Requirement("nowhere>=1")], pins(text))

    assert found == ["nowhere>=1 has nothing with 3.12", "nowhere>=1 has nothing with 3.13"]


def test_what_a_locked_package_needs_is_found_where_it_is_missing() -> None:
    assert [each for each in not_covered([Requirement("aiohttp>=3")], pins(GOOD)) if each.startswith("yarl")]


@pytest.mark.parametrize("line", ["RUN pip install aiohttp", "\t@$(BIN)/python $(PIP) --editable ."])
def test_an_install_without_hashes_is_found(line: str) -> None:
    assert len(unlocked_installs(f"# pip install in words\n{line}\n")) == 1


def test_a_package_without_a_hash_is_found() -> None:
    assert [pin.hashes for pin in pins("a==1\nb==2 \\\n    --hash=sha256:ab\n")] == [0, 1]


def test_what_the_locks_are_made_of_is_read_as_the_tool_that_makes_them_reads_it() -> None:
    code = (
        "import json, sys, tomllib; sys.path.insert(0, '.ci'); import locks\n"
        "read = tomllib.load(open('pyproject.toml', 'rb'))\n"
        "print(json.dumps({n: locks.requirements_of(read, s) for n, s in read['tool']['holdfast']['locks'].items()}))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)

    read = msgspec.json.decode(answer.stdout, type=dict[str, list[str]])
    assert {name: [Requirement(each) for each in found] for name, found in read.items()} == {
        name: wanted_by(part) for name, part in SETS.items()
    }
