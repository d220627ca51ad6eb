"""Reads a Dockerfile, and does what its steps do in a folder: no container, no other user, no package of the system."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

_CONTINUED = re.compile(r"\\\n")
_COMMENT = re.compile(r"^\s*#.*\n", re.MULTILINE)


KEPT = ("HOME", "TMPDIR", "SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT")
"""What a step may know of this machine: how it reaches the network."""


class Step(msgspec.Struct, frozen=True):
    """One instruction of a Dockerfile, and what stands behind its name."""

    name: str
    text: str

    def words(self) -> list[str]:
        """Return the words of an instruction in the form of a list."""
        words: list[str] = json.loads(self.text)
        return words


def stages_of(text: str) -> dict[str, list[Step]]:
    """Read the steps of each stage, by the stage's name; the last one without a name is ``""``."""
    stages: dict[str, list[Step]] = {}
    steps: list[Step] = []
    for line in _CONTINUED.sub(" ", _COMMENT.sub("", text)).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            _, _, stage = rest.partition(" AS ")
            steps = stages.setdefault(stage.strip(), [])
        if name:
            steps.append(Step(name, rest.strip()))
    return stages


_GLOB = re.compile(r"(\*\*/|\*\*|\*|\?)")
_ANY = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def is_ignored(path: str, patterns: Sequence[str]) -> bool:
    """Return whether .dockerignore keeps a file from the builder: the last pattern that fits it decides."""
    ignored = False
    for pattern in patterns:
        fits = "".join(_ANY.get(part, re.escape(part)) for part in _GLOB.split(pattern.removeprefix("!")))
        if re.fullmatch(f"{fits}(?:/.*)?", path):
            ignored = not pattern.startswith("!")
    return ignored


class Builder:
    """Does the steps of a stage below a folder that stands for the root of the image."""

    def __init__(self, context: Path, root: Path, programs: Path) -> None:
        self._context = context
        self._root = root
        self._programs = programs
        self._at = root
        lines = (context / ".dockerignore").read_text("utf-8").splitlines()
        self._ignored = [line for line in lines if line and not line.startswith("#")]

    def run(self, steps: Sequence[Step]) -> None:
        """Do what can be done of a stage; another step is a fault of this class."""
        for step in steps:
            match step.name:
                case "FROM":
                    pass
                case "WORKDIR":
                    self._at = self.path(step.text)
                    self._at.mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(step.text.split())
                case "RUN":
                    self._run(step.text)
                case _:
                    raise AssertionError(f"cannot do {step.name}: teach tests/support/dockerfile.py")

    def path(self, name: str) -> Path:
        """Return where a path of the image is."""
        return self._root / name.removeprefix("/") if name.startswith("/") else self._at / name

    def _copy(self, words: list[str]) -> None:
        *sources, target = words
        for name in sources:
            source = self._context / name
            inside = [path for path in sorted(source.rglob("*")) if path.is_file()]
            assert source.is_file() or inside, f"COPY finds no {name}"
            if source.is_file():
                assert not is_ignored(name, self._ignored), f".dockerignore keeps {name} from the builder"
                _put(source, self.path(target) / source.name if target.endswith("/") else self.path(target))
            for file in inside:
                if not is_ignored(file.relative_to(self._context).as_posix(), self._ignored):
                    _put(file, self.path(target) / file.relative_to(source), as_link=True)

    def _run(self, command: str) -> None:
        # A path of the image that a command names is below the folder.
        moved = re.sub(r"(?<![\w./$\"])/(?=(?:opt|wheels|src|data)\b)", f"{self._root}/", command)
        shell = ["sh", "-euc", moved]
        done = subprocess.run(
            shell, cwd=self._at, env=self.environment({}), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a step: the programs of the image's base come first."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, "PATH": f"{self._programs}:/usr/bin:/bin", **more}


def _put(source: Path, target: Path, *, as_link: bool = False) -> None:
    """Copy a file; a link is followed where it is named alone, and stays one in a folder, as Docker does it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=not as_link)


def environment_of(steps: Sequence[Step]) -> dict[str, str]:
    """Return the variables that ENV sets."""
    pairs = [each.split("=", 1) for step in steps if step.name == "ENV" for each in step.text.split()]
    return dict(pairs)


def last(steps: Sequence[Step], name: str) -> Step:
    """Return the last step with this name, which is the one that counts."""
    return [step for step in steps if step.name == name][-1]
