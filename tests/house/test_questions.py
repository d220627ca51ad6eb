"""docs/questions.md leads to places that are there."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
ANSWERS: Final = re.findall(
    r"^\| [^|`]*(?:`[^`]*`[^|`]*)*\? \| `([^`]+)` \| `([^`]+)` \|$",
    (ROOT / "docs" / "questions.md").read_text("utf-8"),
    re.MULTILINE,
)


def names_in(path: str, text: str) -> set[str]:
    """Find what a file defines: functions and classes, methods too, and what is assigned at its top."""
    if path.endswith(".lua"):
        return set(re.findall(r"^(?:local )?function ([\w.]+)\(", text, re.MULTILINE))
    module = ast.parse(text)
    assigned = [
        target
        for node in module.body
        for target in ([node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", []))
    ]
    return {each.id for each in assigned if isinstance(each, ast.Name)} | {
        node.name
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


@pytest.mark.parametrize(("path", "name"), ANSWERS)
def test_an_answer_names_a_file_and_what_is_in_it(path: str, name: str) -> None:
    assert (ROOT / path).is_file()
    assert name in names_in(path, (ROOT / path).read_text("utf-8"))


def test_every_row_of_the_page_is_read() -> None:
    text = (ROOT / "docs" / "questions.md").read_text("utf-8")

    assert len(ANSWERS) == len(re.findall(r"^\| (?!Question|-)", text, re.MULTILINE)) >= 10


@pytest.mark.parametrize("path", ["a.py", "a.lua"])
def test_what_is_not_defined_is_not_found(path: str) -> None:
    text = {"a.py": "x = 1\nhere: int = 2\ndef it(): there = 3", "a.lua": "local function it()\n  there()\nend"}[path]

    assert "it" in names_in(path, text)
    assert "there" not in names_in(path, text)
