"""What GS1 labels say: element strings of application identifiers, as scanners send them and as people type them.

A scanner sends ``]C1`` and then identifiers and values without a mark between them; a value of varying length ends
with FNC1, which is sent as the control character GS. Under the bars the same stands in brackets:
``(01)08690000000036(10)A``.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from server.domain.gtin import check_digit_fault, is_gtin

SEPARATOR: Final = "\x1d"
"""FNC1, as scanners send it between two elements."""
_ELEMENTS_FOLLOW: Final = ("]C1", "]e0", "]d2", "]Q3", "]J1")
"""The symbology identifiers of labels that hold an element string."""
_NUMBER_FOLLOWS: Final = ("]E0", "]E4", "]I1")
"""Those of EAN-13, EAN-8 and ITF-14: a GTIN follows."""
_IN_BRACKETS: Final = re.compile(r"\(([0-9]{2,4})\)", re.ASCII)
_SOME_YEAR: Final = 2000
_CENTURY: Final = 100
_HALF: Final = 50

_TEXT: Final = r"[!-~]"


def _digits(count: int) -> re.Pattern[str]:
    return re.compile(f"[0-9]{{{count}}}", re.ASCII)


def _digits_upto(count: int) -> re.Pattern[str]:
    return re.compile(f"[0-9]{{1,{count}}}", re.ASCII)


def _text_upto(count: int) -> re.Pattern[str]:
    return re.compile(f"{_TEXT}{{1,{count}}}", re.ASCII)


def _numbered(prefixes: Iterable[str], rule: re.Pattern[str]) -> dict[str, re.Pattern[str]]:
    """Return the identifiers whose last digit tells the decimals."""
    return {f"{prefix}{decimals}": rule for prefix in prefixes for decimals in range(10)}


_MEASURES: Final = [
    str(each) for first, after in ((310, 317), (320, 338), (340, 358), (360, 370)) for each in range(first, after)
]
_DATES: Final = ("11", "12", "13", "15", "16", "17")
_RULES: Final[dict[str, re.Pattern[str]]] = {
    "00": _digits(18), "01": _digits(14), "02": _digits(14), "03": _digits(14), "10": _text_upto(20),
    **dict.fromkeys(_DATES, _digits(6)),
    "20": _digits(2), "21": _text_upto(20), "22": _text_upto(20), "235": _text_upto(28), "240": _text_upto(30),
    "241": _text_upto(30), "242": _digits_upto(6), "243": _text_upto(20), "250": _text_upto(30), "251": _text_upto(30),
    "253": re.compile(rf"[0-9]{{13}}{_TEXT}{{0,17}}", re.ASCII), "254": _text_upto(20),
    "255": re.compile(r"[0-9]{13,25}", re.ASCII), "30": _digits_upto(8), "37": _digits_upto(8),
    **_numbered(_MEASURES, _digits(6)),
    **_numbered(("390", "392"), _digits_upto(15)), **_numbered(("391", "393"), re.compile(r"[0-9]{4,18}", re.ASCII)),
    **_numbered(("394",), _digits(4)), **_numbered(("395",), _digits(6)),
    "400": _text_upto(30), "401": _text_upto(30), "402": _digits(17), "403": _text_upto(30),
    **{ai: _digits(13) for ai in ("410", "411", "412", "413", "414", "415", "416", "417")},
    "420": _text_upto(20), "421": re.compile(rf"[0-9]{{3}}{_TEXT}{{1,9}}", re.ASCII), "422": _digits(3),
    "7003": _digits(10), "8005": _digits(6), "8008": re.compile(r"[0-9]{8,12}", re.ASCII), "8020": _text_upto(25),
    **{ai: _text_upto(30 if ai == "90" else 90) for ai in map(str, range(90, 100))},
}  # fmt: skip
"""What the value of an identifier looks like: those that stand on articles, cartons and pallets."""
_FIXED: Final = {"00": 18, "01": 14, "02": 14, "03": 14, "20": 2, **dict.fromkeys(_DATES, 6)}
"""How many digits a value has that no separator ends; those of the measures and of 41n come on top."""
_NUMBERS_WITH_CHECK_DIGIT: Final = ("00", "01", "02", "03")


class LabelError(Exception):
    """A label that cannot be read; the text is a rule, and says what to do."""


class Label(msgspec.Struct, frozen=True):
    """What a label says. ``gtin``: of the article, or of those that a carton or pallet holds; then ``count`` of them.

    ``sscc``: the number of the parcel or pallet, 18 digits. ``elements``: identifier -> value, as on the label.
    """

    gtin: str = ""
    count: int = 1
    sscc: str = ""
    elements: Mapping[str, str] = {}

    def date_of(self, identifier: str, *, year: int) -> date | None:
        """Return a date, None where there is none; the century is the one nearest to ``year``. Day 00: the last."""
        value = self.elements.get(identifier)
        return None if value is None else _date(value, year)

    @property
    def net_weight_kg(self) -> Decimal | None:
        """The net weight in kilograms; None: there is none."""
        for identifier, value in self.elements.items():
            if identifier.startswith("310"):
                return Decimal(value).scaleb(-int(identifier[-1]))
        return None


def read_label(text: str) -> Label | None:
    """Read what a scanner sent or somebody typed; None: it is no label of elements, but a barcode.

    Raises
    ------
    LabelError
        It is one, and cannot be right.

    """
    if _IN_BRACKETS.match(text):
        return _meaning(_typed(text))
    marked = text.startswith(_ELEMENTS_FOLLOW)
    content = text[3:] if marked else text
    if marked or SEPARATOR in text:
        return _meaning(_scanned(content.strip(SEPARATOR)))
    if text.startswith(_NUMBER_FOLLOWS):
        return _article(text[3:])
    # Many scanners are set to send no mark. Of a barcode of the merchant's own, hardly one fits by chance.
    if not text.startswith(_NUMBERS_WITH_CHECK_DIGIT[:3]) or is_gtin(text):
        return None
    try:
        return _meaning(_scanned(text))
    except LabelError:
        return None


def sscc_of(text: str) -> str:
    """Return the 18 digits of the number of a parcel, with or without its identifier.

    Raises
    ------
    LabelError
        It is none.

    """
    plain = re.fullmatch(r"[0-9]{18}", text, re.ASCII) is not None
    label = read_label(f"(00){text}" if plain else text)
    if label is None or not label.sscc:
        raise LabelError("must be an SSCC: 18 digits, with or without (00) before them")
    return label.sscc


def _typed(text: str) -> list[tuple[str, str]]:
    parts = _IN_BRACKETS.split(text)
    return [(identifier, value.strip()) for identifier, value in zip(parts[1::2], parts[2::2], strict=True)]


def _scanned(text: str) -> list[tuple[str, str]]:
    """Take an element string apart."""
    elements, at = [], 0
    while at < len(text):
        identifier = next((text[at : at + n] for n in (2, 3, 4) if text[at : at + n] in _RULES), "")
        if not identifier:
            raise LabelError(
                f"is a GS1 label with an identifier that is not known, at {text[at : at + 4]!r}: send the GTIN alone,"
                " or the label in brackets"
            )
        at += len(identifier)
        length = _length_of(identifier)
        end = text.find(SEPARATOR, at)
        stop = at + length if length else end if end >= 0 else len(text)
        elements.append((identifier, text[at:stop]))
        at = stop + 1 if text[stop : stop + 1] == SEPARATOR else stop
    return elements


def _length_of(identifier: str) -> int:
    """Return how long a value is that needs no separator, else 0."""
    if identifier[:2] == "41":
        return 13
    return 6 if "31" <= identifier[:2] <= "36" else _FIXED.get(identifier, 0)


def _article(digits: str) -> Label:
    if not is_gtin(digits):
        raise LabelError("must have 8, 12, 13 or 14 digits behind the mark of the scanner")
    return _meaning([("01", digits.zfill(14))])


def _meaning(elements: list[tuple[str, str]]) -> Label:
    found: dict[str, str] = {}
    for identifier, value in elements:
        _check(identifier, value)
        if found.setdefault(identifier, value) != value:
            raise LabelError(f"names ({identifier}) twice, and not the same: scan one label at a time")
    article, contents = found.get("01", ""), found.get("02", "")
    if article and contents:
        raise LabelError("names an article (01) and the contents of a carton (02): scan one label at a time")
    if ("02" in found) != ("37" in found):
        raise LabelError("must name contents (02) together with their count (37): scan the whole label")
    if not article and not contents and "00" not in found:
        raise LabelError("names no article (01), contents (02) or parcel (00): scan the label that does")
    count = int(found.get("37", "1"))
    if not count:
        raise LabelError("counts 0 articles (37): send the number that is there")
    return Label(article or contents, count, found.get("00", ""), found)


def _check(identifier: str, value: str) -> None:
    rule = _RULES.get(identifier)
    if not value or (rule is not None and not rule.fullmatch(value)):
        raise LabelError(f"has a value for ({identifier}) that cannot be one, {value!r}: scan the whole label again")
    if identifier in _NUMBERS_WITH_CHECK_DIGIT:
        fault = check_digit_fault(value)
        if fault:
            raise LabelError(f"({identifier}) {fault}")
    if identifier in _DATES and _date(value, _SOME_YEAR) is None:
        raise LabelError(f"has a date ({identifier}) that there is not, {value}: it must be YYMMDD")


def _date(value: str, year: int) -> date | None:
    written, month, day = int(value[:2]), int(value[2:4]), int(value[4:])
    full = year - year % _CENTURY + written
    full += _CENTURY if full - year < -_HALF else -_CENTURY if full - year > _HALF else 0
    try:
        if day:
            return date(full, month, day)
        first_of_next = date(full + month // 12, month % 12 + 1, 1)
        return first_of_next - timedelta(days=1)
    except ValueError:
        return None
