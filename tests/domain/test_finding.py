"""How names are found that people half remember."""

import pytest

from server.domain.finding import TAIL_MAX, WORDS_MAX, customer_name, near, squeezed, tails, words


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("TS-1001-SİYAH-M", "ts1001siyahm"), ("ts 1001  siyah m", "ts1001siyahm"), ("Ts–1001 sıyah_m", "ts1001siyahm"),
        ("ÇANTA", "canta"), ("Tavă 28 cm", "tava28cm"), ("---", ""), ("6'lı", "6li"), ("日本", "日本"),
    ],
)  # fmt: skip
def test_spellings_of_one_name_are_one(typed: str, kept: str) -> None:
    assert squeezed(typed) == kept


def test_a_name_is_found_from_each_of_its_words_on() -> None:
    assert tails("TS-1001-SİYAH-M") == ["ts1001siyahm", "1001siyahm", "siyahm", "m"]
    assert tails("Çay Bardağı 6'lı") == ["caybardagi6li", "bardagi6li", "6li", "li"]
    assert tails("a-a") == ["aa", "a"]
    assert tails("--") == []
    assert len(tails("-".join("abcdefghijklmnop"))) == WORDS_MAX
    assert tails("x" * 90) == ["x" * TAIL_MAX]
    assert words(" siyah - 1001 ") == ["siyah", "1001"]


@pytest.mark.parametrize("typed", ["ts1001siyan", "ts101siyah", "ts10011siyah", "ts1001siyha", "st1001siyah"])
def test_one_wrong_missing_doubled_or_swapped_character_is_forgiven(typed: str) -> None:
    assert "ts1001siyah" in near(squeezed(typed))


def test_what_is_short_or_long_is_no_typo_and_the_others_are_few() -> None:
    assert near("ab1") == []
    assert near("x" * 25) == []
    assert "ts1001" not in near("ts1001")
    assert len(near("x" * 24)) < 2_000


def test_a_customer_is_named_without_saying_who_it_is() -> None:
    assert customer_name(b"k", "") == ""
    assert customer_name(b"k", "ayse@example.com") == customer_name(b"k", "ayse@example.com")
    assert len({customer_name(key, ref) for key in (b"k", b"l") for ref in ("a", "b")}) == 4
