"""GTINs: the check digit, and the spellings of one number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.gtin import check_digit, check_digit_fault, is_gtin, same_gtins


@pytest.mark.parametrize(
    "number",
    ["96385074", "614141000036", "5901234123457", "4006381333931", "8690000000036", "18690000000033", "10614141000415"],
)
def test_given_a_number_from_the_shelf_then_its_last_digit_fits(number: str) -> None:
    assert is_gtin(number)
    assert check_digit_fault(number) == ""


@given(body=st.text("0123456789", min_size=13, max_size=13), at=st.integers(0, 12), by=st.integers(1, 9))
def test_given_one_wrong_digit_then_it_is_noticed_and_the_digit_that_fits_is_named(body: str, at: int, by: int) -> None:
    right = body + check_digit(body)
    wrong = right[:at] + str((int(right[at]) + by) % 10) + right[at + 1 :]

    assert check_digit_fault(right) == ""
    assert f"{wrong[:-1]}{check_digit(wrong[:-1])}" in check_digit_fault(wrong)


@pytest.mark.parametrize("text", ["", "1", "869", "1234567", "123456789", "12345678901", "123456789012345", "9638507A"])
def test_given_another_length_or_a_letter_then_it_is_no_gtin(text: str) -> None:
    assert not is_gtin(text)
    assert not is_gtin("9638507٤")


@given(body=st.text("0123456789", min_size=7, max_size=13).filter(lambda digits: len(digits) in (7, 11, 12, 13)))
def test_every_spelling_of_a_number_has_the_same_spellings_and_fits(body: str) -> None:
    number = body + check_digit(body)
    spellings = same_gtins(number)

    assert number in spellings
    assert all(same_gtins(each) == spellings and check_digit_fault(each) == "" for each in spellings)
    assert len({each.zfill(14) for each in spellings}) == 1
    assert spellings == sorted(spellings, key=len)
