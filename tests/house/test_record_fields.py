"""lua/RECORDS.md has each field of each record at its place."""

import re
from pathlib import Path
from typing import Final

from server.store.lua_library import records

PAGE: Final = (Path(__file__).parents[2] / "lua" / "RECORDS.md").read_text("utf-8")


def documented(text: str) -> dict[str, tuple[str, list[tuple[int, str]]]]:
    """Read by record its class and file, and the fields with their places."""
    found = {}
    for name, rest in re.findall(r"^### (\w+)\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL):
        [(of_class, path)] = re.findall(r"^`(\w+)` in `([\w/.]+)`\.$", rest, re.MULTILINE)
        rows = re.findall(r"^\| (\d+) \| `(\w+)` \| \S.* \|$", rest, re.MULTILINE)
        found[name] = (f"{path}:{of_class}", [(int(place), field) for place, field in rows])
    return found


def test_the_page_has_every_record_and_every_field_at_its_place() -> None:
    known = {
        name: (f"{kind.__module__.replace('.', '/')}.py:{kind.__name__}", list(enumerate(kind.__struct_fields__, 1)))
        for name, kind in records().items()
    }

    assert documented(PAGE) == known


def test_a_field_at_another_place_is_noticed() -> None:
    swapped = PAGE.replace("| 1 | `state` |", "| 1 | `status` |", 1)

    assert documented(swapped) != documented(PAGE)
