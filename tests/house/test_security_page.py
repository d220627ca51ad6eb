"""docs/security.md rests on tests and settings that exist, so no row claims what nobody tries."""

import ast
import re
from pathlib import Path

import pytest

from server.config.settings import load_settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", rows("Threats"), ids=lambda row: row[0])
def test_every_threat_names_tests_that_exist(row: list[str]) -> None:
    _, holds, tests = row
    named = NAMED.findall(tests)

    assert holds
    assert named
    assert NAMED.sub("", tests).strip() == ""
    assert [f"{path}::{name}" for path, name in named if name not in functions(path)] == []


def test_every_limit_is_the_default_of_its_setting() -> None:
    for what, setting, default in rows("Limits"):
        variable = setting.strip("`")
        read_back = load_settings({variable: default.strip("`")})
        field = variable.removeprefix("HOLDFAST_").lower()
        assert getattr(read_back, field) == getattr(load_settings({}), field), what


def test_the_page_is_listed_where_people_look() -> None:
    assert "(docs/security.md)" in (ROOT / "README.md").read_text("utf-8")
    assert "(security.md)" in (ROOT / "docs" / "operations.md").read_text("utf-8")
