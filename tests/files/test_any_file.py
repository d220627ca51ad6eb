"""Files of every form, at random: what is read is what was written, or the file is refused.

A row may be refused. What must never be: a traceback, a row that nobody wrote, or a column that is silently not taken.
"""

import contextlib
import csv
import io
from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.domain.spelling import normal
from server.files.barcodes import BARCODES
from server.files.categories import CATEGORIES
from server.files.column_words import words_of
from server.files.encodings import CHOICES
from server.files.file_import import FileImport, ReadFile
from server.files.listings import listings_import
from server.files.locations import LOCATIONS
from server.files.movements import movements_import
from server.files.reader import FileError, Reading
from server.files.returned_rows import returned_rows
from server.files.stock import stock_import
from server.files.workbook_writer import workbook

STOCK: Final[FileImport[Any]] = stock_import("a test")
KINDS: Final[list[FileImport[Any]]] = [
    STOCK, BARCODES, CATEGORIES, LOCATIONS, listings_import("a-channel"), movements_import("a test"),
]  # fmt: skip
TURKISH: Final = "ABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZabcçdefgğhıijklmnoöprsştuüvyz"
ROMANIAN: Final = "ABCDEĂÂFGHIÎJKLMNOPQRSŞTŢUVWXYZabcdeăâfghiîjklmnopqrsştţuvwxyz"
SIGNS: Final = "0123456789-/. ,;|\t\"'=+*&()"
ENGLISH: Final[dict[str, list[str]]] = {
    "sku": ["sku", "SKU"], "on_hand": ["on_hand", "On Hand"], "location": ["location", "Location"], "note": ["Note"],
}  # fmt: skip


class Country(NamedTuple):
    """How files are written in a country: its letters, headings, places, and titles above a table."""

    letters: str
    headings: dict[str, list[str]]
    places: list[str]
    title: str


TURKEY: Final = Country(
    TURKISH,
    {
        "sku": ["Stok Kodu", "STOK KODU"], "on_hand": ["Adet", "MİKTAR"], "location": ["Depo", "DEPO", "LOCATİON"],
        "note": ["Renk"],
    },
    ["main", "İzmir", "depo 2"],
    "STOK",
)  # fmt: skip
ROMANIA: Final = Country(
    ROMANIAN,
    {"sku": ["Cod produs"], "on_hand": ["Cantitate"], "location": ["Depozit", "GESTIUNE"], "note": ["Culoare"]},
    ["main", "Iaşi", "depozit 2"],
    "STOC",
)
BOTH: Final = Country(
    TURKISH + ROMANIAN,
    {column: [*words, *ROMANIA.headings[column]] for column, words in TURKEY.headings.items()},
    ["main", "İzmir", "Iaşi", "depo 2"],
    "STOK",
)
OLD: Final = {
    "windows-1254": TURKEY, "iso-8859-9": TURKEY, "windows-1250": ROMANIA, "iso-8859-2": ROMANIA, "windows-1252": BOTH,
}  # fmt: skip
"""Those of DOS and of other alphabets have files of their own below: a single letter tells nothing of them.

A computer writes the encoding of its country. Where nothing but the headings tells which that is, they are believed.
"""


class Written(NamedTuple):
    """A file that was written, and the rows that are in it."""

    content: bytes
    rows: list[tuple[str, str, int]]
    reading: Reading = Reading()


def holds(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def names(encoding: str) -> st.SearchStrategy[str]:
    letters = "".join(each for each in OLD.get(encoding, BOTH).letters if holds(encoding, each))
    return st.text(letters + SIGNS, min_size=1, max_size=12).map(lambda text: normal(text.strip())).filter(bool)


def tables(encoding: str) -> st.SearchStrategy[list[tuple[str, str, int]]]:
    places = [each for each in OLD.get(encoding, BOTH).places if holds(encoding, each)]
    row = st.tuples(names(encoding), st.sampled_from(places), st.integers(0, 99_999))
    return st.lists(row, min_size=1, max_size=8, unique_by=lambda each: each[:2])


@st.composite
def laid_out(draw: st.DrawFn, encoding: str) -> tuple[list[list[str]], list[tuple[str, str, int]]]:
    """Draw rows, headings in any order and language, and something above them."""
    rows, country = draw(tables(encoding)), OLD.get(encoding, BOTH)
    order = draw(st.permutations([*ENGLISH]))
    heads = {}
    for column, words in ENGLISH.items():
        known = [*words, *country.headings[column]]
        heads[column] = draw(st.sampled_from([each for each in known if holds(encoding, each)]))
    number = draw(st.sampled_from(["{}", "+{}", "{},00", "{}.0000"]))
    above = draw(st.sampled_from([[], [[""]], [[country.title], [""]]]))
    cells = [{"sku": sku, "location": at, "on_hand": number.format(units), "note": "x"} for sku, at, units in rows]
    return [*above, [heads[name] for name in order], *([each[name] for name in order] for each in cells)], rows


@st.composite
def text_files(draw: st.DrawFn, encodings: Iterable[str]) -> Written:
    encoding = draw(st.sampled_from(list(encodings)))
    table, rows = draw(laid_out(encoding))
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    quotes_all = draw(st.booleans())
    text = io.StringIO(newline="")
    if draw(st.booleans()):
        text.write(f"sep={separator}\r\n")
    line_end = draw(st.sampled_from(["\r\n", "\n", "\r"]))
    quoting: Literal[0, 1] = csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=line_end).writerows(table)
    return Written(text.getvalue().encode(encoding), rows)


@st.composite
def workbooks(draw: st.DrawFn) -> Written:
    table, rows = draw(laid_out("utf-8"))
    return Written(workbook("Sayfa 1", table), rows)


def stock_of(found: ReadFile[Any]) -> list[tuple[str, str, int]]:
    return [row.value[:3] for row in found.rows]


def nothing_is_made_up(written: Written, kind: FileImport[Any] = STOCK) -> ReadFile[Any] | None:
    try:
        found = kind.read(written.content, written.reading)
    except FileError:
        return None
    assert set(stock_of(found)) <= set(written.rows)
    assert len(found.rows) + len(found.bad) + found.repeated >= len(written.rows)
    return found


@settings(max_examples=60, deadline=None)
@given(text_files(("utf-8", "utf-8-sig", "utf-16")))
def test_text_in_unicode_is_read_as_it_was_written(written: Written) -> None:
    found = nothing_is_made_up(written)

    assert found is not None
    missing = set(written.rows) - set(stock_of(found))
    assert len(missing) <= len(found.bad)


@settings(max_examples=60, deadline=None)
@given(text_files(OLD))
def test_text_in_an_old_encoding_is_read_as_it_was_written_or_refused(written: Written) -> None:
    nothing_is_made_up(written)


@settings(max_examples=30, deadline=None)
@given(workbooks())
def test_a_workbook_is_read_as_it_was_written(written: Written) -> None:
    found = nothing_is_made_up(written)

    assert found is not None
    assert len(set(written.rows) - set(stock_of(found))) <= len(found.bad)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(text_files(("utf-8", "utf-16-le", *OLD)), workbooks()),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(max_size=4)), max_size=6),
    st.sampled_from(KINDS),
)
@example(Written(b"", []), [], STOCK)
@example(Written(b"PK\x05\x06" + bytes(18), []), [], STOCK)
def test_a_damaged_file_ends_in_words(written: Written, damage: list[tuple[int, bytes]], kind: FileImport[Any]) -> None:
    content = bytearray(written.content)
    for at, bytes_ in damage:
        place = at % (len(content) + 1)
        content[place : place + len(bytes_)] = bytes_
    try:
        found = kind.read(bytes(content))
    except FileError:
        return
    returned_rows(found, found.bad)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(KINDS), st.sampled_from(["", *CHOICES, "utf-7", "idna"]))
def test_any_bytes_end_in_words(content: bytes, kind: FileImport[Any], encoding: str) -> None:
    with contextlib.suppress(FileError):
        kind.read(b"sku,on_hand\n" + content, Reading(encoding=encoding))


@settings(max_examples=60, deadline=None)
@given(
    st.text("aısku_on handİŞ.-ocdepml2", min_size=1, max_size=14),
    st.sampled_from(["izmir", "Kadıköy", "12", "Evet", "x"]),
)
def test_a_column_that_may_matter_is_taken_or_stops_the_file(heading: str, cell: str) -> None:
    """Whatever a third column is called: stock is in ``main`` only where nothing there looks like a place."""
    content = f"sku,on_hand,{heading}\nA,5,{cell}\n".encode()
    try:
        found = STOCK.read(content)
    except FileError:
        return
    if heading.strip() in {"depo", "Depo", "deposu"}:
        assert stock_of(found) == [("A", cell, 5)]


@settings(max_examples=60, deadline=None)
@given(st.one_of(text_files(("utf-8", "utf-16", "windows-1254", "windows-1250")), workbooks()))
def test_bad_rows_come_back_and_are_bad_again_until_they_are_corrected(written: Written) -> None:
    try:
        found = STOCK.read(written.content)
    except FileError:
        return
    if found.bad:
        again = STOCK.read(returned_rows(found, found.bad), found.sheet.reading)
        assert stock_of(again) == []
        assert again.bad


@pytest.mark.parametrize(
    "encoding", ["cp857", "cp852", "cp850", "windows-1251", "windows-1253", "windows-1256", "mac-turkish"]
)
def test_a_text_of_dos_or_of_another_alphabet_is_refused(encoding: str) -> None:
    texts = {
        "windows-1251": "шарф красный;5\nперчатки чёрные;3",
        "windows-1253": "κασκόλ κόκκινο;5\nγάντια μαύρα;3",
        "windows-1256": "وشاح أحمر;5\nقفازات;3",
        "cp852": "TRICOU ROŞU MĂRIME MARE;5\nGEANTĂ NEAGRĂ;3",
        "cp850": "GÖMLEK BÜYÜK;5\nÇANTA KÜÇÜK;3",
    }
    text = texts.get(encoding, "KIRMIZI ŞAL;5\nGÖMLEK BÜYÜK SİYAH;3\nküçük ağaç;4")

    with pytest.raises(FileError, match=r"not sure|is not"):
        STOCK.read(f"sku;on_hand\n{text}\n".encode(encoding))


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("windows-1254", "Cod produs;Cantitate;Depozit\nGÖMLEK;5;Iaşi\n"),
        ("windows-1250", "Stok Kodu;Adet\nROŢI LÂNA;5\n"),
        ("iso-8859-2", "SKU,DEPO,Adet\nmyÎţcţrob,main,53760\n"),
        ("windows-1254", "sku;on_hand\nŞAL;5\n"),
    ],
)
def test_where_neither_letters_nor_headings_tell_the_country_the_file_is_refused(encoding: str, text: str) -> None:
    with pytest.raises(FileError, match=r"may be windows-1254 \(Turkish\) or windows-1250 \(Romanian\)"):
        STOCK.read(text.encode(encoding))


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("windows-1254", "Stok Kodu;Adet\nŞAL;5\n"),
        ("windows-1254", "Stok Kodu;Adet\nŞAL KÂĞIT;5\n"),
        ("windows-1254", "Stok Kodu;Adet\nŞAL KÂR ÖRGÜ;5\n"),
        ("windows-1250", "Cod produs;Cantitate\nHAINĂ LÂNĂ ROŢI;5\n"),
        ("windows-1250", "Cod produs;Cantitate\nROŢI;5\n"),
    ],
)
def test_headings_are_believed_where_no_letter_speaks_against_them(encoding: str, text: str) -> None:
    assert stock_of(STOCK.read(text.encode(encoding))) == [(text.splitlines()[1].partition(";")[0], "main", 5)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_word_means_one_column_of_a_kind_of_file(kind: FileImport[Any]) -> None:
    meanings: dict[str, list[str]] = {}
    for column in kind.columns.known:
        for word in words_of(column):
            meanings.setdefault(word, []).append(column)

    assert {word: columns for word, columns in meanings.items() if len(columns) > 1} == {}
