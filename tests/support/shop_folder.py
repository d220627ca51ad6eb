"""A folder in which a merchant runs commands that do what they should, or the test fails; and what its stock is."""

import json
from pathlib import Path
from typing import Any

from tests.support.processes import holdfast


def ran(shop: Path, *words: str, code: int = 0) -> str:
    """Run a command that must end with a code; return what it prints."""
    ended = holdfast(*words, cwd=shop)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return str(ended.stdout + ended.stderr)


def file(shop: Path, name: str, text: str) -> str:
    """Write a file; return its name."""
    (shop / name).write_text(text, encoding="utf-8")
    return name


def on_hand(shop: Path, sku: str) -> dict[str, int]:
    """Return the units of a SKU on the shelf, by location."""
    shown: Any = json.loads(ran(shop, "show", sku, "--json"))
    return {each["location"]: each["on_hand"] for each in shown["levels"]}
