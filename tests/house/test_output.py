"""All that is printed, exported or written goes through the one place that keeps text text and files private."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TERMINAL = "server/cli/terminal.py"
CELLS = "server/files/harmless_cells.py"
FILES = {
    "server/store/embedded/private_files.py",
    "server/store/embedded/files.py",  # a probe of zeros, removed at once
    "server/cli/demo/stage.py",  # in a temporary directory of this user's alone
}
WRITING = {"write_text", "write_bytes"}


def sources() -> dict[str, str]:
    return {
        str(path.relative_to(ROOT)): path.read_text("utf-8")
        for folder in ("server", "adapters")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def name_of(node: ast.expr) -> str:
    """The dotted name of what is called; what is no name counts as ``_``."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{name_of(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else "_"


def calls(source: str) -> list[tuple[ast.Call, str]]:
    return [(node, name_of(node.func)) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def is_print(node: ast.Call, name: str) -> bool:
    if name == "TextColumn":
        return not any(each.arg == "markup" for each in node.keywords)
    direct = ("print", "click.echo", "click.secho", "click.confirm", "click.prompt", "Console", "rich.print")
    return name in direct or name.endswith(("stdout.write", "stderr.write", "stdout.buffer.write", "Text.from_markup"))


def is_write(node: ast.Call, name: str) -> bool:
    *_, last = name.split(".")
    if last in WRITING:
        return True
    modes = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return last == "open" and any(set(mode) <= set("wxab+t") and set(mode) & set("wxa") for mode in modes)


def prints(modules: dict[str, str]) -> list[str]:
    return [
        f"{path}:{node.lineno} {name}"
        for path, source in modules.items()
        if path != TERMINAL
        for node, name in calls(source)
        if is_print(node, name)
    ]


def writes(modules: dict[str, str]) -> list[str]:
    found = [
        f"{path}:{node.lineno} {name}"
        for path, source in modules.items()
        for node, name in calls(source)
        if (is_write(node, name) and path not in FILES) or (name == "csv.writer" and path != CELLS)
    ]
    return [each for each in found if not each.startswith("server/files/reader.py")]


def test_only_the_terminal_module_prints() -> None:
    assert prints(sources()) == []


def test_only_the_modules_for_it_write_files_and_cells() -> None:
    assert writes(sources()) == []


@pytest.mark.parametrize(
    "source",
    [
        "print('x')",
        "import click\nclick.echo(sku)",
        "import sys\nsys.stdout.write(sku)",
        "from rich.console import Console\nConsole().print(sku)",
        "TextColumn('{task.description}')",
        "click.confirm(f'Delete {channel}?')",
    ],
)
def test_a_print_elsewhere_is_found(source: str) -> None:
    assert prints({"server/cli/planted.py": source}) != []
    assert prints({TERMINAL: source}) == []


@pytest.mark.parametrize(
    "source", ["path.write_text(x)", "path.open('w')", "open(path, 'ab')", "import csv\ncsv.writer(file)"]
)
def test_a_write_elsewhere_is_found(source: str) -> None:
    assert writes({"server/cli/planted.py": source}) != []
