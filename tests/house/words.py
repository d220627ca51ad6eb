"""Find the words that docs/glossary.toml forbids: in identifiers, in names of files, and in what a person reads."""

import re
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
GLOSSARY: Final[dict[str, Any]] = tomllib.loads((ROOT / "docs" / "glossary.toml").read_text("utf-8"))
SEARCHED: Final = ("server", "adapters", "lua", "bench", "clients", "tests", "docs", "deploy", "examples", ".ci")
SINGLE_FILES: Final = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "pyproject.toml", "Dockerfile")
READ: Final = {".py", ".lua", ".md", ".toml", ".yaml", ".json", ".conf", ".service", ".c", ".js", ".csv", ""}
NOT_SEARCHED: Final = (
    "docs/glossary.toml",
    "docs/decisions/",
    "docs/img/",
    "tests/files/samples/",
    "tests/house/test_words.py",
    "package-lock.json",
    "server/api/http/explorer/",
)
"""Decisions quote the words of their day, samples those of merchants; the glossary and its test have to name theirs.
Others' programs have words of their own."""

SENTENCE_WORDS_MAX: Final = 30
_ENDINGS: Final = ("", "s", "es", "ed", "er", "ing", "ful")
_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LUA_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JOINED_STRINGS: Final = re.compile(r"""(["'])[ \t]*\n[ \t]*[rbfRBF]{0,2}\1""")
_LINE_BREAK: Final = re.compile(r"[ \t]*\n[ \t]*(?:(?:#+|--+|//|\*|>)[ \t]*)?")


def searched_files() -> Iterator[tuple[str, str]]:
    """Yield the path, relative to the repository, and the text of each file that people read."""
    paths = [path for folder in SEARCHED for path in sorted((ROOT / folder).rglob("*"))]
    for path in [*paths, *(ROOT / name for name in SINGLE_FILES)]:
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and path.suffix in READ and not _is_left_out(name):
            yield name, path.read_text("utf-8")


def _is_left_out(name: str) -> bool:
    return "__pycache__" in name or any(part in name for part in NOT_SEARCHED)


def forbidden_phrases(text: str) -> Iterator[str]:
    """Yield ``line: phrase`` for each forbidden phrase of a text, also where it runs over a line break."""
    flat, offsets = _flattened(text)
    for phrase in GLOSSARY["phrase"]:
        if phrase.lower() not in flat:  # nearly always, and ten times as quick
            continue
        for match in re.finditer(rf"\b{re.escape(phrase.lower())}\b", flat):
            yield f"{_line_of(offsets, match.start())}: {phrase}"


def _flattened(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Put a text on one line, without the markers of its comments; with the place at which each of its lines begins."""
    pieces: list[str] = []
    offsets = [(0, 1)]
    at, line, length = 0, 1, 0
    joints = sorted((*_JOINED_STRINGS.finditer(text), *_LINE_BREAK.finditer(text)), key=re.Match.start)
    for joint in joints:
        if joint.start() < at:
            continue
        piece = text[at : joint.start()].lower() + ("" if joint[0][0] in "\"'" else " ")
        pieces.append(piece)
        length += len(piece)
        line += joint[0].count("\n")
        offsets.append((length, line))
        at = joint.end()
    return "".join([*pieces, text[at:].lower()]), offsets


def _line_of(offsets: list[tuple[int, int]], place: int) -> int:
    return max(line for start, line in offsets if start <= place)


def forbidden_identifiers(path: str, text: str) -> Iterator[str]:
    """Yield ``line: identifier`` for each forbidden name of a Python or Lua source."""
    if not any(map(is_forbidden, set(re.findall(r"\w+", text)))):  # nearly always, and much quicker than tokens
        return
    allowed = {each["name"] for each in GLOSSARY.get("allowed", []) if each["path"] == path}
    for line, name in _identifiers(path, text):
        if name not in allowed and is_forbidden(name):
            yield f"{line}: {name}"


def _identifiers(path: str, text: str) -> Iterator[tuple[int, str]]:
    if path.endswith(".py"):
        tokens = tokenize.generate_tokens(StringIO(text).readline)
        yield from ((token.start[0], token.string) for token in tokens if token.type == tokenize.NAME)
    elif path.endswith(".lua"):
        for number, line in enumerate(text.split("\n"), start=1):
            yield from ((number, word) for word in _LUA_WORD.findall(line))


@cache
def is_forbidden(name: str) -> bool:
    """Return whether an identifier is, or contains, a forbidden word."""
    parts = {part.lower() for part in _PART.findall(name)}
    return any(
        name == each["avoid"] if each["match"] == "whole" else not parts.isdisjoint(_forms(each["avoid"]))
        for each in GLOSSARY["identifier"]
    )


@cache
def _forms(word: str) -> set[str]:
    return {word + ending for ending in _ENDINGS}


def forbidden_file_name(path: str) -> bool:
    """Return whether a module, its test, or a Lua file has a name that says nothing of what it holds."""
    folder, stem = path.split("/", maxsplit=1)[0], Path(path).stem
    if path.endswith(".lua"):
        return folder == "lua" and stem in GLOSSARY["lua_file"]
    if not path.endswith(".py"):
        return False
    stem = stem.removeprefix("test_") if folder == "tests" and stem.startswith("test_") else stem
    return folder in {"server", "adapters", "tests"} and _is_tested(path) and stem in GLOSSARY["module"]


def _is_tested(path: str) -> bool:
    """Return whether a path is a module of the product, or the test of one."""
    return not path.startswith("tests/") or Path(path).name.startswith("test_")


# -- sentences


def long_sentences(markdown: str) -> Iterator[str]:
    """Yield ``line (words): beginning`` for each sentence of a page that is too long to be read at once."""
    for line, paragraph in _paragraphs(markdown):
        for sentence in re.split(r"(?<=[.!?])[)”\"*]*\s+", paragraph):
            words = [word for word in sentence.split() if re.search(r"\w", word)]
            if len(words) > SENTENCE_WORDS_MAX:
                yield f"{line} ({len(words)} words): {' '.join(words[:8])} …"


def _paragraphs(markdown: str) -> Iterator[tuple[int, str]]:
    """Yield the running text of a page by paragraph: no code, tables, headings, pictures or comments."""
    text = re.sub(r"^(```|~~~).*?^\1", _blank, markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--.*?-->", _blank, text, flags=re.DOTALL)
    first, lines = 0, list[str]()
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        is_code = line.startswith("    ") and not lines
        is_break = not line.strip() or is_code or re.match(r"\s*([|#]|!\[)", line) is not None
        begins = re.match(r"\s*([-*+]|\d+\.)\s+", line)
        if (is_break or begins) and lines:
            yield first, " ".join(lines)
            lines = []
        if not is_break:
            first = number if not lines else first
            lines.append(line[begins.end() :] if begins else line.strip())


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")
