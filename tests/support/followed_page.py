"""Follows a page as it is written: runs the commands of its ``console`` blocks, and compares what they print.

A command begins with ``$ `` and goes on until a line that ends without a backslash or an open quote; behind it stands
what it prints. ``…`` in it stands for what is left out, over lines too. What differs from run to run, such as times and
ids, may differ. A ``holdfast serve`` runs until the page ends. Its port is the page's, and here a free one.
A block with a title is written to a file of that name.
"""

import contextlib
import os
import re
import shlex
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from tests.support.processes import Server
from tests.support.stores import free_port

ROOT: Final = Path(__file__).parents[2]
FOLLOWED: Final = (
    "docs/tutorial.md", "docs/follow-an-order.md", "docs/how-to/checkout.md", "docs/how-to/erp-nightly.md",
)  # fmt: skip
"""The pages that a test follows from their first command to the last."""
TAKES_S_MAX: Final = 60.0
PAGE_PORT: Final = "8080"
_BLOCK: Final = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
_SERVE: Final = re.compile(r"^(?:\.venv/bin/)?holdfast serve\b|^make run\b")
_PASSING: Final = (
    re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+\d\d:\d\d)"),
    re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d)?)?"),
    re.compile(r"\bhf_\w+"),
    re.compile(r"\b\d{13}(?:-\d+)?\b"),
    re.compile(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT"),
    re.compile(r"\b\d+(?:\.\d+)? m?s\b"),
    re.compile(r"\bq[0-9a-f]{13,}\b"),
    re.compile(r"\b[0-9a-f]{16,}\b"),
)


class Command(msgspec.Struct, frozen=True):
    """One command of a page, and what the page says that it prints."""

    words: str
    shown: str


class File(msgspec.Struct, frozen=True):
    """A file that the page has its reader write."""

    name: str
    text: str


def steps(page: str) -> list[Command | File]:
    """Read what a page has its reader do, in order."""
    found: list[Command | File] = []
    for language, name, text in _BLOCK.findall(page):
        if name:
            found.append(File(name, text))
        elif language == "console":
            found += _commands(text)
    return found


def _commands(block: str) -> Iterator[Command]:
    lines = block.splitlines()
    while lines:
        words = lines.pop(0).removeprefix("$ ")
        while lines and _goes_on(words):
            words += "\n" + lines.pop(0)
        shown = []
        while lines and not lines[0].startswith("$ "):
            shown.append(lines.pop(0))
        yield Command(words, "\n".join(shown))


def _goes_on(words: str) -> bool:
    here = re.search(r"<<'(\w+)'", words)
    if here is not None:
        return not words.endswith(f"\n{here[1]}")
    try:
        shlex.split(words, comments=True)
    except ValueError:
        return True
    return words.endswith("\\")


def agrees(shown: str, printed: str) -> bool:
    """Return whether a command printed what the page shows."""
    parts = [re.escape(comparable(part.strip("\n"))) for part in shown.split("…")]
    return re.fullmatch(r"\s*" + r".*?".join(parts) + r"\s*", comparable(printed), re.DOTALL) is not None


def comparable(text: str) -> str:
    """Take out what differs from run to run, and how much space a column takes."""
    for passing in _PASSING:
        text = passing.sub("~", text)
    return "\n".join(re.sub(r"[ \t─━]+", " ", line).strip() for line in text.strip().splitlines())


class Reader:
    """A person who follows a page in a folder of its own, with the files of ``examples/`` in it."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._port = str(free_port())
        self._servers = contextlib.ExitStack()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")},
            **(environment or {}),
        }
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name in ("python", "holdfast"):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sysconfig.get_path("scripts")}/{name}" "$@"\n')
            (programs / name).chmod(0o755)
        (folder / "examples").symlink_to(ROOT / "examples")
        self.environment["PATH"] = f"{programs}:{self.environment['PATH']}"

    def follow(self, page: str) -> list[str]:
        """Do all that a page says; returns where it prints something else than the page says."""
        return [difference for step in steps(page) if (difference := self._do(step))]

    def _do(self, step: Command | File) -> str:
        if isinstance(step, File):
            target = self._folder / step.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(step.text, "utf-8")
            return ""
        words = step.words.replace(PAGE_PORT, self._port)
        if _SERVE.match(words):
            return self._serve(words, step)
        printed = self._run(words).replace(self._port, PAGE_PORT)
        is_right = agrees(step.shown, printed) and "Traceback" not in printed
        return "" if is_right else f"$ {step.words}\n{printed}\n--- the page:\n{step.shown}"

    def _serve(self, words: str, step: Command) -> str:
        options = ["--sample"] if words.startswith("make run") else shlex.split(words)[2:]
        settings = {name: value for name, value in self.environment.items() if name.startswith("HOLDFAST_")}
        server = Server("--port", self._port, *options, cwd=self._folder, **settings)
        self._servers.enter_context(server)
        printed = (self._folder / "out").read_text("utf-8").replace(self._port, PAGE_PORT)
        return "" if agrees(f"{step.shown}…", printed) else f"$ {step.words}\n{printed}\n--- the page:\n{step.shown}"

    def _run(self, words: str) -> str:
        # What a command exports is there for the next ones, as in a terminal.
        script = f"{words}\n__code=$?\nenv -0 > .environment\nexit $__code"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self._folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=TAKES_S_MAX,
        )  # fmt: skip
        kept = (self._folder / ".environment").read_text("utf-8").split("\0")
        self.environment = dict(each.split("=", 1) for each in kept if "=" in each)
        return done.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._servers.close()
