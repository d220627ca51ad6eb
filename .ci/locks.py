"""Renews the files of locks/: exact releases with the hashes of their files, for each set that something installs.

``[tool.holdfast.locks]`` of pyproject.toml says which extras and groups a set has. All sets are found together first,
so a package has one release in all of them. ``make locks`` runs this with uv beside it.

python .ci/locks.py                                     renew everything
python .ci/locks.py --upgrade-package aiohttp           renew one package, keep the others
python .ci/locks.py --no-upgrade                        add what pyproject.toml has anew, remove what it lacks
"""

import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
LOCKS: Final = ROOT / "locks"
VERSIONS: Final = LOCKS / "versions.txt"
UV: Final = Path(sysconfig.get_path("scripts")) / "uv"
PYTHON_MIN: Final = "3.11"
HEAD: Final = "# Written by `make locks`, from pyproject.toml. Not to be changed by hand.\n"


def requirements_of(pyproject: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return the requirements of a set: of the project itself, if wanted, and of its extras and groups."""
    project = pyproject["project"]
    return [
        *(project["dependencies"] if wanted.get("project") else ()),
        *(each for extra in wanted.get("extras", ()) for each in project["optional-dependencies"][extra]),
        *(each for group in wanted.get("groups", ()) for each in pyproject["dependency-groups"][group]),
    ]


def compile_to(target: Path, requirements: Sequence[str], *options: str) -> None:
    """Have uv find the releases of these requirements, for every Python from the least one on and every system."""
    command: list[str | Path] = [
        UV, "pip", "compile", "--quiet", "--universal", "--python-version", PYTHON_MIN,
        "--no-header", "--no-annotate", "--output-file", target, *options, "-",
    ]  # fmt: skip
    subprocess.run(command, input="\n".join(requirements), text=True, check=True, cwd=ROOT)  # noqa: S603  # our own words
    target.write_text(HEAD + target.read_text("utf-8"), "utf-8")


def main(options: list[str]) -> None:
    """Find the releases of all sets together, then write each set with its hashes."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    sets = {name: requirements_of(pyproject, wanted) for name, wanted in pyproject["tool"]["holdfast"]["locks"].items()}
    LOCKS.mkdir(exist_ok=True)
    compile_to(VERSIONS, sorted({each for found in sets.values() for each in found}), *(options or ["--upgrade"]))
    for name, requirements in sets.items():
        compile_to(LOCKS / f"{name}.txt", requirements, "--upgrade", "--generate-hashes", "--constraint", str(VERSIONS))
    for path in LOCKS.glob("*.txt"):
        if path != VERSIONS and path.stem not in sets:
            path.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
