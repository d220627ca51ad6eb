"""Names: what two spellings have in common, what cannot be one, and what a broken one was."""

import unicodedata

import pytest

from server.domain.spelling import StoredNames, fault, is_plain, mended, normal

PLAIN = ["A", "TS-1001/M", "8680012345678", "00123", "12-345-M", "3M-100", "a b", "_x", "main", "100"]
SLOW_BUT_GOOD = [
    "Çay Bardağı 6'lı", "ÇANTA-SİYAH/38", "Şişe", "Ţigări", "سكر", "한글", "#12", "=A", "+90", "1.5", "10.0", "12,50",
    "1E5", "12E3", "5E10", "1.2.3", "E+12", "-1", "38,5", "8.68001E", "7e", "1E", "💡", "(x)",
]  # fmt: skip
FAULTY = {
    "a\u200bb": "U+200B (zero width space)",
    "\ufeffTS-1": "U+FEFF",
    "TS\u202e1": "U+202E (right-to-left override)",
    "\u200fسكر": "U+200F",
    "سكر\u2067x": "U+2067",
    "S\u00adKU": "U+00AD (soft hyphen)",
    "\u3164": "U+3164",
    "a\u200d": "U+200D",
    "a\ufffdb": "UTF-8",
    "a\udcff": "UTF-8",
    "8,68001E+12": "rounded",
    "8.68001E+12": "rounded",
    "8,68001e+12": "rounded",
    "8.680012345678E12": "rounded",
    "1E+12": "rounded",
    "-2,5E-10": "rounded",
    "8680012345678.0": "send 8680012345678",
    "8680012345678,00": "send 8680012345678",
    "1234.0": "send 1234",
    '="00123"': "formula",
    "#NAME?": "error of a spreadsheet",
    "#AD?": "error of a spreadsheet",
    "#N/A": "error of a spreadsheet",
    "########": "error of a spreadsheet",
}


@pytest.mark.parametrize("name", PLAIN)
def test_most_names_are_seen_to_be_plain(name: str) -> None:
    assert is_plain(name)


@pytest.mark.parametrize("name", [*PLAIN, *SLOW_BUT_GOOD])
def test_real_names_stay_as_they_are(name: str) -> None:
    assert normal(name) == name
    assert fault(name) == ""
    assert mended(name) == name


@pytest.mark.parametrize("name", [*FAULTY, " A", "A ", "\tA", "A\n", "", "S\u0327", "é\u0301"])
def test_what_is_changed_or_refused_is_never_seen_as_plain(name: str) -> None:
    assert not is_plain(name)


@pytest.mark.parametrize("name", FAULTY)
def test_what_cannot_be_a_name_is_told_with_its_mend(name: str) -> None:
    assert FAULTY[name] in fault(normal(name))


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (" TS-1 ", "TS-1"),
        ("\u00a0TS-1\u3000", "TS-1"),
        (" \u2003TS-1\u202f ", "TS-1"),
        ("TS-1\n", "TS-1\n"),
        (unicodedata.normalize("NFD", "Çay Şişe İzmir"), "Çay Şişe İzmir"),
        (unicodedata.normalize("NFD", "한글"), "한글"),
        (unicodedata.normalize("NFD", "Țigări Ștefan"), "Țigări Ștefan"),
        ("\u212bngstrom", "Ångstrom"),
        ("a  b", "a  b"),
    ],
)
def test_a_name_is_trimmed_and_composed_and_nothing_more(sent: str, meant: str) -> None:
    assert normal(sent) == meant


def test_the_quick_look_agrees_with_the_full_one_on_all_short_ascii() -> None:
    signs = [chr(code) for code in range(128)]
    pieces = ["", "1", "12", "123", "e+12", "E+12", ".0", ",00", "A", " ", '="1"', "#N/A", "-"]
    for name in (a + piece + b for a in signs for piece in pieces for b in ["", *signs]):
        if is_plain(name):
            assert (normal(name), fault(name), name.isprintable()) == (name, "", True), name


@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        ("S ", "S"),
        ("S\u200b", "S"),
        (unicodedata.normalize("NFD", "Şişe"), "Şişe"),
        ('="00123"', "00123"),
        ("8680012345678.0", "8680012345678"),
        ("8,68001E+12", ""),
        ("\u200b", ""),
        ("a\ufffd", ""),
    ],
)
def test_a_stored_name_is_mended_where_it_can_be_told_what_was_meant(stored: str, meant: str) -> None:
    assert mended(stored) == meant


def test_stored_names_are_worth_a_look_only_where_there_are_some() -> None:
    assert not StoredNames()
    assert StoredNames(is_complete=False)
    assert StoredNames({"sku": {"S": "S "}})
    assert StoredNames({"sku": {"S": "S "}}).spelling("location", "S") is None
