"""One word for one thing, and the word of the trade: nothing that docs/glossary.toml forbids is found anywhere."""

import pytest

from tests.house.words import (
    GLOSSARY,
    ROOT,
    SENTENCE_WORDS_MAX,
    forbidden_file_name,
    forbidden_identifiers,
    forbidden_phrases,
    is_forbidden,
    long_sentences,
    searched_files,
)

PAGE_LINES_MAX = 800
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        ROOT / "lua" / "README.md",
        ROOT / "lua" / "RECORDS.md",
        ROOT / "adapters" / "README.md",
        ROOT / "clients" / "js" / "README.md",
        ROOT / "clients" / "python" / "README.md",
        ROOT / "examples" / "adapter" / "README.md",
        ROOT / "examples" / "connector" / "README.md",
        ROOT / "examples" / "storefront" / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    ]
]


def test_no_forbidden_phrase_is_written_anywhere() -> None:
    found = [f"{path}:{phrase}" for path, text in searched_files() for phrase in forbidden_phrases(text)]

    assert found == []


def test_no_forbidden_identifier_is_used_in_python_or_lua() -> None:
    found = [f"{path}:{name}" for path, text in searched_files() for name in forbidden_identifiers(path, text)]

    assert found == []


def test_no_module_and_no_lua_file_has_a_forbidden_name() -> None:
    assert [path for path, _ in searched_files() if forbidden_file_name(path)] == []


@pytest.mark.parametrize("page", PAGES)
def test_no_sentence_of_a_page_is_too_long(page: str) -> None:
    assert list(long_sentences((ROOT / page).read_text("utf-8"))) == []


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_too_long_to_find_anything_in(page: str) -> None:
    lines = (ROOT / page).read_text("utf-8").count("\n")

    assert lines <= PAGE_LINES_MAX, "split it by subject, as docs/api/ is"


# -- the glossary itself


def test_every_term_is_defined_in_one_sentence() -> None:
    wrong = [
        term["word"]
        for term in GLOSSARY["term"]
        if not term["meaning"].endswith(".") or list(long_sentences(term["meaning"])) or not term["instead_of"]
    ]

    assert wrong == []


def test_no_word_is_defined_twice() -> None:
    words = [term["word"] for term in GLOSSARY["term"]]

    assert sorted(set(words)) == sorted(words)


def test_every_exception_names_a_file_that_has_it_and_a_reason() -> None:
    files = dict(searched_files())

    assert [
        each for each in GLOSSARY.get("allowed", []) if each["name"] not in files[each["path"]] or not each["reason"]
    ] == []


# -- the test can fail


@pytest.mark.parametrize("phrase", GLOSSARY["phrase"])
def test_a_planted_phrase_is_found(phrase: str) -> None:
    assert f"2: {phrase}" in forbidden_phrases(f"First line.\nIt says: {phrase.upper()}, no more.")


@pytest.mark.parametrize(
    "text",
    [
        "Exactly one process has to\nkeep house.",
        "# Exactly one process has to\n    # keep house.",
        "-- Exactly one process has to\n  -- keep house.",
        '    "Exactly one process has to "\n    f"keep house."',
        '"""\n    > has to\n    > keep house.\n"""',
    ],
)
def test_a_phrase_that_runs_over_a_line_break_is_found(text: str) -> None:
    assert {each.partition(": ")[2] for each in forbidden_phrases(text)} == {"has to keep house", "keep house"}


@pytest.mark.parametrize("text", ["who waitson", "one keeps houseplants", "a busybody: nobody saids"])
def test_a_part_of_another_word_is_no_phrase(text: str) -> None:
    assert list(forbidden_phrases(text)) == []


@pytest.mark.parametrize(
    "name",
    [
        "Again",
        "Uncounted",
        "Wish",
        "wishes",
        "wished_skus",
        "ChannelWish",
        "HTTPWish",
        "Allotment",
        "set_allotment",
        "allotted",
        "PROMISED_ALLOTTED",
        "Doubt",
        "doubts",
        "doubtful",
        "REAP_MAX",
        "reap",
        "reaper",
        "reap_two",
    ],
)
def test_a_planted_identifier_is_found_in_python_and_in_lua(name: str) -> None:
    assert is_forbidden(name)
    assert list(forbidden_identifiers("server/planted.py", f"x = 1\n{name} = 2\n")) == [f"2: {name}"]
    assert list(forbidden_identifiers("lua/planted.lua", f"local x = 1\nlocal {name} = 2\n")) == [f"2: {name}"]


@pytest.mark.parametrize("name", ["again", "asked_again", "uncounted", "reappear", "swishing", "doubtless"])
def test_an_identifier_that_only_looks_alike_is_let_pass(name: str) -> None:
    assert not is_forbidden(name)


def test_a_forbidden_word_in_a_python_string_is_no_identifier() -> None:
    assert list(forbidden_identifiers("server/planted.py", 'x = "wish"  # a wish\n')) == []


@pytest.mark.parametrize(
    "path",
    [
        "server/channels/book.py",
        "adapters/line.py",
        "tests/channels/test_doubts.py",
        "lua/lib/parts.lua",
        "server/store/lane.py",
        "lua/functions/take.lua",
        "server/insight/glance.py",
    ],
)
def test_a_planted_file_name_is_found(path: str) -> None:
    assert forbidden_file_name(path)


@pytest.mark.parametrize(
    "path", ["server/channels/outbound/channel_state.py", "lua/operations/commit.lua", "tests/rigs/faults/kinds.py"]
)
def test_a_file_name_of_today_is_let_pass(path: str) -> None:
    assert not forbidden_file_name(path)


def test_a_sentence_one_word_too_long_is_found() -> None:
    fits, too_long = " ".join(["word"] * SENTENCE_WORDS_MAX) + ".", " ".join(["word"] * (SENTENCE_WORDS_MAX + 1)) + "."

    assert list(long_sentences(f"{fits} {fits}\n\n{fits}\n- {fits}\n")) == []
    [found] = long_sentences(f"# Title\n\n{fits}\n- short\n- {too_long}\n")
    assert found.startswith("5 (31 words)")


@pytest.mark.parametrize("text", ["```\n{}\n```\n", "| {} |\n", "<!-- {} -->\n", "# {}\n"])
def test_what_is_no_prose_may_be_long(text: str) -> None:
    assert list(long_sentences(text.format("word " * 90))) == []


def test_the_files_that_people_read_are_searched() -> None:
    assert {
        "README.md",
        "Makefile",
        "docs/api/stock.md",
        "lua/holdfast.lua",
        "server/app.py",
        "deploy/compose.yaml",
    } < {path for path, _ in searched_files()}
