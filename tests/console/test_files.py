"""The console's files: their texts in every language, the libraries as they came, and nothing that takes markup."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.http import ROOT

HOME = ROOT / "server" / "console"
ASSETS = HOME / "assets"
TEXTS = ASSETS / "texts"
FORMS = {"en": {"one", "other"}, "tr": {"one", "other"}, "ro": {"one", "few", "other"}}
"""The plural forms of each language, for whole numbers."""
USED = re.compile(r"""\bt\(\s*"([\w.]+)\"""")
FAMILIES = re.compile(r"""\bwords\(\s*"([\w.]+)\"""")
PLACE = re.compile(r"{(\w+)}")
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|\beval\(|new Function|srcdoc"
    r"|\bstyle=|\.setAttribute\(\s*[\"']style|javascript:|<script(?![^>]*\ssrc=)|<style|\son[a-z]+=[\"']"
)


def scripts() -> dict[str, str]:
    """Our own modules, by their path."""
    return {
        path.relative_to(ASSETS).as_posix(): path.read_text("utf-8")
        for path in sorted(ASSETS.rglob("*.js"))
        if "vendor" not in path.parts
    }


def catalogue(language: str) -> dict[str, Any]:
    """Every text of a language by its key: a string, or the forms of a plural."""
    found: dict[str, Any] = {}
    for path in sorted((TEXTS / language).glob("*.json")):
        found |= flat(path.stem, msgspec.json.decode(path.read_bytes()))
    return found


def flat(prefix: str, texts: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in texts.items():
        if isinstance(text, dict) and "other" not in text:
            found |= flat(f"{prefix}.{name}", text)
        else:
            found[f"{prefix}.{name}"] = text
    return found


def used(sources: dict[str, str]) -> tuple[set[str], set[str]]:
    """The keys that modules ask for, and the families of words."""
    whole = "\n".join(re.sub(r"^\s*(//|\*|/\*\*).*$", "", source, flags=re.MULTILINE) for source in sources.values())
    return set(USED.findall(whole)), set(FAMILIES.findall(whole))


def places(text: str | dict[str, str]) -> set[str]:
    """The names that a text leaves open."""
    return set(PLACE.findall(text if isinstance(text, str) else text["other"]))


@pytest.mark.parametrize("language", FORMS)
def test_every_text_that_is_asked_for_is_there_and_none_is_left_over(language: str) -> None:
    asked, families = used(scripts())
    texts = catalogue(language)

    missing = sorted(asked - texts.keys())
    empty = [family for family in families if not any(key.startswith(f"{family}.") for key in texts)]
    left = [key for key in texts if key not in asked and key.rpartition(".")[0] not in families]
    assert (missing, empty, left) == ([], [], [])


@pytest.mark.parametrize("language", FORMS)
def test_a_language_has_the_texts_of_the_others_with_the_same_places_and_its_own_forms(language: str) -> None:
    texts, english = catalogue(language), catalogue("en")

    assert sorted(texts.keys() ^ english.keys()) == []
    for key, text in texts.items():
        assert isinstance(text, dict) == isinstance(english[key], dict), key
        assert places(text) == places(english[key]), key
        if isinstance(text, dict):
            assert set(text) == FORMS[language], key
        assert all(text.values() if isinstance(text, dict) else [text]), key


def test_a_key_is_written_out() -> None:
    put_together = [
        f"{path}: {found}"
        for path, source in scripts().items()
        if path != "lib/text.js"
        for found in re.findall(r"\b(?:t|words)\((?!\s*\")[^)]*\)", source)
    ]

    assert put_together == []


def test_every_screen_is_listed_with_its_module_its_texts_and_its_title() -> None:
    listed = re.findall(r'name: "(\w+)"', (ASSETS / "screens.js").read_text("utf-8"))

    modules = {path.stem for path in (ASSETS / "screens").glob("*.js")}
    assert set(listed) <= modules
    assert all(f"frame.menu.{name}" in catalogue("en") for name in listed)
    assert {path.stem for path in (TEXTS / "en").glob("*.json")} == {"frame", *listed}


@pytest.mark.parametrize("path", [*scripts(), "../index.html"])
def test_nothing_takes_markup_and_nothing_is_inline(path: str) -> None:
    assert MARKUP.findall((ASSETS / path).read_text("utf-8")) == []


@pytest.mark.parametrize("source", ['p.innerHTML = "x"', '<p style="color:red">', "<b onclick='x'>", "eval(x)"])
def test_planted_markup_is_found(source: str) -> None:
    assert MARKUP.search(source)


def test_a_forgotten_text_and_one_that_nobody_asks_for_are_found() -> None:
    asked, families = used({"a.js": 't("a.one") t(\n"a.two", {count}) words("a.kinds", x)'})

    assert (asked, families) == ({"a.one", "a.two"}, {"a.kinds"})


def test_the_libraries_are_those_that_the_table_names() -> None:
    rows = re.findall(
        r"^\| `([\w.-]+)` \|.*\| `([0-9a-f]{64})` \|$", (HOME / "README.md").read_text("utf-8"), re.MULTILINE
    )

    there = {path.name: path for path in (ASSETS / "vendor").glob("*.js")}
    assert dict(rows) == {name: sha256(path.read_bytes()).hexdigest() for name, path in there.items()}


def test_no_module_asks_another_server() -> None:
    addresses = {
        path: found for path, source in scripts().items() if (found := re.findall(r"https?://[\w.-]+", source))
    }

    assert addresses == {}


@pytest.mark.parametrize("path", sorted(path for path in (ASSETS).rglob("*.js") if "vendor" not in path.parts))
def test_a_module_is_short_and_says_what_it_is(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()

    assert lines[0].startswith("// ")
    assert len(lines) <= 400
    assert max(map(len, lines)) <= 120
