"""Names that people take for one have one fold, and names that they tell apart have not."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.likeness import fold, loose


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("main", "Main"),
        ("main", "MAIN"),
        ("main", "MAİN"),
        ("main", "maın"),
        ("MAIN", "MAİN"),
        ("kırmızı", "KIRMIZI"),
        ("İzmir", "izmir"),
        ("izmir", "i\u0307zmir"),  # lower case of İ in most programs
        ("straße", "STRASSE"),
        ("ΣΟΦΟΣ", "σοφος"),
        ("Eskişehir", "Eskișehir"),  # cedilla, comma
        ("EŞ", "eș"),
        ("Ţară", "țară"),
        ("TS‐1", "TS-1"),
        ("TS–1", "TS-1"),
        ("TS−1", "TS-1"),
        ("TS—1", "ts－1"),
        ("TS‑1", "TS-1"),
        ("TS 1", "TS  1"),
        ("TS\u00a01", "TS 1"),
        ("TS\u30001", "TS 1"),
        ("ＴＳ１", "TS1"),
        ("ﬁne", "FINE"),
        ("M²", "M2"),
        ("①", "1"),
    ],
)
def test_names_that_people_take_for_one_are_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TS-1", "TS1"),
        ("TS 1", "TS1"),
        ("TS-1", "TS 1"),
        ("TS_1", "TS-1"),
        ("çam", "cam"),
        ("şal", "sal"),
        ("dağ", "dag"),
        ("O1", "01"),
        ("A/1", "A-1"),
        ("kâr", "kar"),
    ],
)
def test_names_that_people_tell_apart_are_not(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize(("one", "other"), [("TS-1", "ts1"), ("TS 1", "TS—1"), ("İZ-MİR", "iz mir")])
def test_a_dash_or_blank_more_is_alike_only_loosely(one: str, other: str) -> None:
    assert loose(one) == loose(other)
    assert fold(one) != fold(other)


@given(st.text())
def test_a_fold_is_its_own_fold(name: str) -> None:
    assert fold(fold(name)) == fold(name)


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF)))
def test_a_fold_does_not_depend_on_how_a_name_is_composed(name: str) -> None:
    assert fold(unicodedata.normalize("NFD", name)) == fold(unicodedata.normalize("NFC", name))
