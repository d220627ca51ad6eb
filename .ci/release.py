"""Makes a release of this checkout: version, changelog, wheel, archive of the sources, commit and tag.

python .ci/release.py 0.2.0

Everything is checked before anything is changed. What is changed is taken back if a later step fails. Nothing leaves
this machine: pushing is left to a person, who is told what to push.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import UTC, datetime
from email import message_from_string
from pathlib import Path
from typing import Final, NoReturn

ROOT: Final = Path(__file__).parents[1]
PYPROJECT: Final = ROOT / "pyproject.toml"
CHANGELOG: Final = ROOT / "CHANGELOG.md"
README: Final = ROOT / "README.md"
DIST: Final = ROOT / "dist"
VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
OWN: Final = re.compile(r'^version = "([^"]+)"$', re.MULTILINE)
UNRELEASED: Final = re.compile(r"^## (?:\S+ – )?[Uu]nreleased\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BOOTED: Final = re.compile(r"^Holdfast \S+ at http://", re.MULTILINE)
"""The line of the README that shows the version that starts."""
OF_CLIENTS: Final = (
    "clients/python/holdfast/_version.py",
    "clients/js/package.json",
    "clients/js/src/version.js",
    "clients/js/types/version.d.ts",
)
"""The client libraries have the version of the API."""
OF_CLIENT: Final = re.compile(r'(version\w*"?(?: =|:) ")[^"]+(?=")')
IN_SDIST: Final = ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "Dockerfile", "locks/run.txt")


class RefusedError(Exception):
    """The release was not made; the message says what to do."""


def run(*words: str | Path) -> str:
    """Run a command in the checkout and return what it prints."""
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    if done.returncode:
        raise RefusedError(f"`{' '.join(map(str, words))}` failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout


def check(version: str) -> None:
    """Refuse what cannot become a release."""
    if not VERSION.fullmatch(version):
        raise RefusedError(f"{version!r} is no version: three numbers, as in `make release VERSION=0.2.0`.")
    changed = run("git", "status", "--porcelain").strip()
    if changed:
        raise RefusedError(f"The checkout has changes that are in no commit. Commit them or put them away:\n{changed}")
    changelog = CHANGELOG.read_text("utf-8")
    if run("git", "tag", "--list", f"v{version}").strip() or re.search(
        rf"^## {re.escape(version)} – \d", changelog, re.MULTILINE
    ):
        raise RefusedError(f"{version} is there already, as a tag or in CHANGELOG.md. Take the next version.")
    found = UNRELEASED.search(changelog)
    if found is None:
        raise RefusedError("CHANGELOG.md has no chapter that is unreleased. Begin it with `## Unreleased`.")
    if not re.search(r"^[-*\d]", found[1], re.MULTILINE):
        raise RefusedError("The unreleased chapter of CHANGELOG.md names no change. Write what users will notice.")


def write(version: str, day: str) -> None:
    """Put the version where it stands: pyproject.toml, the changelog, the README's first example, and the clients."""
    PYPROJECT.write_text(OWN.sub(f'version = "{version}"', PYPROJECT.read_text("utf-8"), count=1), "utf-8")
    text = CHANGELOG.read_text("utf-8")
    CHANGELOG.write_text(UNRELEASED.sub(lambda found: f"## {version} – {day}\n{found[1]}", text, count=1), "utf-8")
    README.write_text(BOOTED.sub(f"Holdfast {version} at http://", README.read_text("utf-8")), "utf-8")
    for name in OF_CLIENTS:
        path = ROOT / name
        path.write_text(OF_CLIENT.sub(rf"\g<1>{version}", path.read_text("utf-8"), count=1), "utf-8")


def build(version: str) -> tuple[Path, Path]:
    """Build the wheel and the archive of the sources, and look into both."""
    for old in DIST.glob("holdfast-*"):
        old.unlink()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", DIST)
    wheel, sdist = DIST / f"holdfast-{version}-py3-none-any.whl", DIST / f"holdfast-{version}.tar.gz"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = message_from_string(archive.read(f"holdfast-{version}.dist-info/METADATA").decode())
    if about["Version"] != version:
        raise RefusedError(f"The wheel says that it is {about['Version']}.")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in IN_SDIST if name not in packed]
    missing += sorted(name for name in names if ".dist-info/" not in name and name not in packed)
    if missing:
        raise RefusedError(f"The archive of the sources lacks {', '.join(missing[:5])}.")
    start(wheel, version)
    return wheel, sdist


def start(wheel: Path, version: str) -> None:
    """Install the wheel where nothing else of this checkout is, and have it say its version."""
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        python = Path(folder) / "bin" / "python"
        pip: list[str | Path] = [
            sys.executable,
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "--python",
            python,
            "install",
        ]
        run(*pip, "--require-hashes", "--no-deps", "--requirement", "locks/image.txt")
        run(*pip, "--no-deps", wheel)
        run(*pip[:-1], "check")
        said = run(Path(folder) / "bin" / "holdfast", "--version")
    if version not in said:
        raise RefusedError(f"The command of the wheel says that it is {said.strip()}.")


def release(version: str) -> None:
    """Make the release, or change nothing."""
    check(version)
    day = datetime.now(UTC).date().isoformat()
    try:
        write(version, day)
        wheel, sdist = build(version)
        run("git", "commit", "--quiet", "--all", "--message", f"release: {version}")
    except BaseException:
        run("git", "checkout", "--quiet", "--", ".")
        raise
    run("git", "tag", "--annotate", f"v{version}", "--message", f"Holdfast {version}")
    print(f"{wheel.relative_to(ROOT)}\n{sdist.relative_to(ROOT)}")
    print(f"Released {version}, dated {day}, as v{version}. To publish it: git push --follow-tags, and the two files.")
    print("The next change begins a chapter `## Unreleased` in CHANGELOG.md.")


def main() -> NoReturn:
    """Make the release that the command line names."""
    try:
        release(" ".join(sys.argv[1:]))
    except RefusedError as refused:
        sys.exit(f"No release was made. {refused}")
    sys.exit()


if __name__ == "__main__":
    main()
