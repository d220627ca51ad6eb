"""``make release`` in a clone: version, changelog, wheel, archive and tag agree, or nothing was changed."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from tests.support.scratch_clone import ROOT, git, scratch_clone

VERSION: Final = "9.8.7"
OF_CLIENTS: Final = {
    "clients/python/holdfast/_version.py": f'__version__ = "{VERSION}"',
    "clients/js/package.json": f'"version": "{VERSION}"',
    "clients/js/src/version.js": f'version = "{VERSION}"',
    "clients/js/types/version.d.ts": f'version: "{VERSION}"',
}
"""Where the client libraries say their version, and how."""


def release(clone: Path, version: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, ".ci/release.py", version]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def a_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone = scratch_clone(tmp_path_factory.mktemp("release") / "clone")
    changelog = clone / "CHANGELOG.md"
    head = re.compile(r"^## \S+ – unreleased$|^## Unreleased$", re.MULTILINE)
    text = changelog.read_text("utf-8")
    if head.search(text) is None:  # just after a release
        changelog.write_text(text.replace("\n## ", "\n## Unreleased\n\n- Something.\n\n## ", 1), "utf-8")
        git("commit", "--quiet", "--all", "--message", "something", cwd=clone)
    return clone


@pytest.fixture
def clone(a_clone: Path) -> Iterator[Path]:
    """Lend the clone; afterwards it stands where it stood."""
    before = git("rev-parse", "HEAD", cwd=a_clone).strip()
    yield a_clone
    git("reset", "--quiet", "--hard", before, cwd=a_clone)
    for tag in git("tag", "--list", f"v{VERSION}", cwd=a_clone).split():
        git("tag", "--delete", tag, cwd=a_clone)


def state_of(clone: Path) -> tuple[str, ...]:
    words = (("rev-parse", "HEAD"), ("status", "--porcelain"), ("tag", "--list"), ("diff",))
    return tuple(git(*each, cwd=clone) for each in words)


def committed(clone: Path, name: str, text: str) -> None:
    (clone / name).write_text(text, "utf-8")
    git("commit", "--quiet", "--all", "--message", "a test's", cwd=clone)


@pytest.mark.timeout(300)
def test_what_is_released_says_the_same_version_everywhere(clone: Path) -> None:
    done = release(clone, VERSION)

    assert done.returncode == 0, done.stderr
    assert git("status", "--porcelain", cwd=clone) == ""
    assert git("describe", "--exact-match", cwd=clone).strip() == f"v{VERSION}"
    assert git("cat-file", "-t", f"v{VERSION}", cwd=clone).strip() == "tag"
    shown = {
        name: git("show", f"v{VERSION}:{name}", cwd=clone) for name in ("pyproject.toml", "CHANGELOG.md", "README.md")
    }
    assert tomllib.loads(shown["pyproject.toml"])["project"]["version"] == VERSION
    heads = re.findall(r"^## (.*)$", shown["CHANGELOG.md"], re.MULTILINE)
    assert heads[0] == f"{VERSION} – {datetime.now(UTC).date().isoformat()}"
    assert f"\nHoldfast {VERSION} at http://" in shown["README.md"]
    for name, line in OF_CLIENTS.items():
        assert line in git("show", f"v{VERSION}:{name}", cwd=clone), name
    with zipfile.ZipFile(clone / "dist" / f"holdfast-{VERSION}-py3-none-any.whl") as wheel:
        metadata = wheel.read(f"holdfast-{VERSION}.dist-info/METADATA").decode()
    assert f"\nVersion: {VERSION}\n" in metadata
    with tarfile.open(clone / "dist" / f"holdfast-{VERSION}.tar.gz") as sdist:
        packed = sdist.extractfile(f"holdfast-{VERSION}/CHANGELOG.md")
        assert packed is not None
        assert packed.read().decode() == shown["CHANGELOG.md"]


def test_a_checkout_with_changes_is_refused(clone: Path) -> None:
    (clone / "notes.txt").write_text("not committed")
    before = state_of(clone)

    done = release(clone, VERSION)

    (clone / "notes.txt").unlink()
    assert (done.returncode, "notes.txt" in done.stderr) == (1, True)
    assert before == (*state_of(clone)[:1], "?? notes.txt\n", *state_of(clone)[2:])


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "1.2.3.dev0", ""])
def test_what_is_no_version_is_refused(version: str, clone: Path) -> None:
    before = state_of(clone)

    done = release(clone, version)

    assert (done.returncode, "is no version" in done.stderr) == (1, True)
    assert state_of(clone) == before


def test_a_version_with_a_tag_is_refused(clone: Path) -> None:
    git("tag", f"v{VERSION}", cwd=clone)
    before = state_of(clone)

    done = release(clone, VERSION)

    assert (done.returncode, "is there already" in done.stderr) == (1, True)
    assert state_of(clone) == before


def test_a_version_of_the_changelog_is_refused(clone: Path) -> None:
    [former, *_] = re.findall(r"^## (\d+\.\d+\.\d+) – \d", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)

    done = release(clone, former)

    assert (done.returncode, "is there already" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("chapter", "said"),
    [
        ("## Unreleased\n\nMuch.\n\n", "names no change"),
        ("## Unreleased\n\n### Fixed\n\n", "names no change"),
        ("", "no chapter"),
    ],
)
def test_a_changelog_that_says_nothing_is_refused(chapter: str, said: str, clone: Path) -> None:
    committed(clone, "CHANGELOG.md", f"# Changelog\n\n{chapter}## 0.1.0 – 2026-11-29\n\n- First.\n")
    before = state_of(clone)

    done = release(clone, VERSION)

    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert state_of(clone) == before


def test_a_build_that_fails_changes_nothing(clone: Path) -> None:
    committed(clone, "pyproject.toml", (clone / "pyproject.toml").read_text("utf-8").replace('"lua"]', '"nowhere"]', 1))
    (clone / "nowhere").unlink(missing_ok=True)
    committed(clone, "LICENSE", "")
    git("rm", "--quiet", "README.md", cwd=clone)
    git("commit", "--quiet", "--message", "a test's", cwd=clone)
    before = state_of(clone)

    done = release(clone, VERSION)

    assert done.returncode == 1
    assert state_of(clone) == before


def test_make_hands_the_version_over() -> None:
    done = subprocess.run(
        ["make", "-n", "release", "VERSION=1.2.3"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert re.search(r"python \.ci/release\.py 1\.2\.3$", done.stdout, re.MULTILINE)
