"""Labels of GS1: as scanners send them, as people type them, and what cannot be one."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.gs1 import Label, LabelError, read_label, sscc_of
from server.domain.gtin import check_digit

GTIN = "08690000000036"
SSCC = "340123450000000017"


def read(text: str) -> Label:
    label = read_label(text)
    assert label is not None
    return label


@pytest.mark.parametrize(
    "text",
    [
        f"(01){GTIN}(17)261231(10)LOT-7",
        f"(01) {GTIN} (17) 261231 (10) LOT-7 ",
        f"]C101{GTIN}1726123110LOT-7",
        f"]d201{GTIN}1726123110LOT-7",
        f"01{GTIN}1726123110LOT-7",
        f"]C101{GTIN}10LOT-7\x1d17261231",
        f"\x1d01{GTIN}10LOT-7\x1d17261231\x1d",
        f"01{GTIN}\x1d10LOT-7\x1d17261231",
    ],
)
def test_given_one_label_in_any_form_then_it_says_the_same(text: str) -> None:
    label = read(text)

    assert (label.gtin, label.count, label.elements["10"]) == (GTIN, 1, "LOT-7")
    assert label.date_of("17", year=2026) == date(2026, 12, 31)


def test_given_a_pallet_then_its_number_and_what_it_holds_are_read() -> None:
    label = read(f"]C100{SSCC}02{GTIN}3724\x1d3103001250")

    assert (label.sscc, label.gtin, label.count, label.net_weight_kg) == (SSCC, GTIN, 24, Decimal("1.250"))


@pytest.mark.parametrize(
    ("text", "weight"),
    [("3100000012", Decimal(12)), ("3103001250", Decimal("1.25")), ("3106000001", Decimal("0.000001"))],
)
def test_given_a_weight_then_the_last_digit_of_the_identifier_tells_its_decimals(text: str, weight: Decimal) -> None:
    assert read(f"01{GTIN}{text}").net_weight_kg == weight


@pytest.mark.parametrize(
    ("written", "year", "is_date"),
    [
        ("261200", 2026, date(2026, 12, 31)),
        ("280200", 2026, date(2028, 2, 29)),
        ("990101", 2026, date(1999, 1, 1)),
        ("750101", 2026, date(2075, 1, 1)),
        ("020101", 2099, date(2102, 1, 1)),
    ],
)
def test_given_a_date_then_its_day_and_century_are_meant(written: str, year: int, is_date: date) -> None:
    assert read(f"01{GTIN}17{written}").date_of("17", year=year) == is_date


def test_given_the_mark_of_an_article_then_the_number_follows() -> None:
    assert read("]E08690000000036").gtin == GTIN
    assert read("]E496385074").gtin == "00000096385074"


@pytest.mark.parametrize(
    "text", ["8690000000036", "18690000000033", "TS-1", "(A)1", "01", "0112345678901234", "[01]1", "0"]
)
def test_given_a_barcode_then_it_is_no_label(text: str) -> None:
    assert read_label(text) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(01)08690000000037", "08690000000036"),
        ("(01)8690000000036", "scan the whole label"),
        (f"(02){GTIN}", "count (37)"),
        ("(37)12", "contents (02)"),
        (f"(02){GTIN}(37)0", "counts 0"),
        (f"(01){GTIN}(02){GTIN}(37)2", "one label at a time"),
        (f"(01){GTIN}(01)18690000000033", "twice"),
        (f"(01){GTIN}(17)261331", "YYMMDD"),
        ("(10)LOT", "no article"),
        (f"(00){SSCC[:-1]}8", SSCC),
        (f"]C1{GTIN}", "identifier that is not known"),
        (f"]C101{GTIN}10", "(10)"),
        ("]C101869", "scan the whole label"),
        ("]E0123", "8, 12, 13 or 14"),
        (f"(01){GTIN}(10)", "(10)"),
    ],
)
def test_given_a_label_that_cannot_be_right_then_the_rule_says_what_to_do(text: str, says: str) -> None:
    with pytest.raises(LabelError) as raised:
        read_label(text)

    assert says in str(raised.value)


@pytest.mark.parametrize("text", [SSCC, f"(00){SSCC}", f"00{SSCC}", f"]C100{SSCC}", f"(00){SSCC}(02){GTIN}(37)3"])
def test_given_the_number_of_a_parcel_then_its_18_digits_are_returned(text: str) -> None:
    assert sscc_of(text) == SSCC


@pytest.mark.parametrize("text", ["", "8690000000036", f"(01){GTIN}", SSCC[:-1], SSCC[:-1] + "8", "TS-1"])
def test_given_another_number_then_it_is_no_parcel(text: str) -> None:
    with pytest.raises(LabelError):
        sscc_of(text)


@given(st.text(max_size=60))
def test_whatever_is_sent_is_a_label_or_none_or_refused(text: str) -> None:
    for sent in (text, f"]C1{text}", f"(01){GTIN}{text}", f"01{GTIN}{text}", f"]C101{GTIN}\x1d{text}"):
        try:
            label = read_label(sent)
        except LabelError:
            continue
        assert label is None or not label.gtin or check_digit(label.gtin[:-1]) == label.gtin[-1]
