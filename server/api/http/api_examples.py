"""The examples of the documentation, by route: requests that a test runs, and the answers that came.

``examples/`` has a link to each page of docs/api/, so that what programs read is what people read.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

PAGES: Final = Path(__file__).with_name("examples")
_LISTED: Final = re.compile(r"^\| \[[^\]]*\]\(([\w-]+\.md)\) \|", re.MULTILINE)
_EXAMPLE: Final = re.compile(r"```http\n([A-Z]+) (/[^\n]*)\n(.*?)```\n\n```http\n(\d+)[^\n]*\n(.*?)```", re.DOTALL)
_NAMED: Final = re.compile(r"{(\w+)}")
_JSON: Final = re.compile(r"[\[{]")
OF_ONE_STATUS_MAX: Final = 3
"""More of one route and status teach nothing."""


class Example(NamedTuple):
    """One request and its answer. ``name``: short, and its own within the route; None: there is no such body."""

    name: str
    names_in_path: dict[str, str]
    body: Any
    status: int
    answer: Any


def pages(folder: Path = PAGES) -> list[Path]:
    """List the pages in their order: the first one, and then as its table lists the others. None without it."""
    first = folder / "README.md"
    return [first, *(folder / name for name in _LISTED.findall(first.read_text("utf-8")))] if first.is_file() else []


def examples_of(routes: Iterable[tuple[str, str]], text: str | None = None) -> dict[tuple[str, str], list[Example]]:
    """Find the examples of each route; a route is its method and its path with names in braces."""
    if text is None:
        text = "\n".join(page.read_text("utf-8") for page in pages())
    # A path without names goes before one in whose place they stand.
    patterns = [(route, _pattern(route[1])) for route in sorted(routes, key=lambda route: route[1].count("{"))]
    found: dict[tuple[str, str], list[Example]] = {}
    for method, target, sent, status, answered in _EXAMPLE.findall(text):
        path = target.partition("?")[0]
        for route, pattern in patterns:
            names = pattern.fullmatch(path)
            if route[0] == method and names is not None:
                _add(found.setdefault(route, []), names.groupdict(), _body(sent), int(status), _body(answered))
                break
    return found


def _add(known: list[Example], names: dict[str, str], body: Any, status: int, answer: Any) -> None:
    if sum(each.status == status for each in known) < OF_ONE_STATUS_MAX:
        about = answer if isinstance(answer, dict) else {}
        base = str(about.get("outcome") or about.get("state") or "") or HTTPStatus(status).phrase.lower().replace(
            " ", "_"
        )
        taken = sum(each.name.rpartition("-")[0] == base or each.name == base for each in known)
        name = f"{base}-{taken + 1}" if taken else base
        known.append(Example(name, names, body, status, answer))


def _pattern(path: str) -> re.Pattern[str]:
    parts = _NAMED.split(path)  # texts and names in turn
    return re.compile("".join(f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts)))


def _body(text: str) -> Any:
    """Decode what stands below the headers, if it is JSON."""
    body = text.partition("\n\n")[2] if "\n\n" in text else text
    if _JSON.match(body.strip()) is None:
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
